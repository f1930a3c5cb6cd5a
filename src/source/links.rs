//! Links: the records that a task is to hang on, from what the expressions of `[task.associate]`
//! give.

use super::build::LinkRule;
use super::jq::Val;
use super::jq::value::{self, NotText, kind};
use crate::update::{EMAIL, Link};

/// The most links of one update, which one call of HubSpot makes.
const LINKS: usize = 100;

/// Why an output names no record.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum NoLink {
    #[error(transparent)]
    NotText(#[from] NotText),
    #[error("it gives {0}, but a link is text or a number, or a list of these")]
    Kind(&'static str),
    #[error("the update has more than {} links", LINKS)]
    TooMany,
}

/// Adds the records that an output names, unless they are there already: one, or those of a list.
/// null and empty text name none.
pub(super) fn add(links: &mut Vec<Link>, rule: &LinkRule, output: &Val) -> Result<(), NoLink> {
    let Val::Arr(items) = output else { return add_one(links, rule, output) };
    for item in items.iter() {
        add_one(links, rule, item)?;
    }
    Ok(())
}

fn add_one(links: &mut Vec<Link>, rule: &LinkRule, value: &Val) -> Result<(), NoLink> {
    if *value == Val::Null {
        return Ok(());
    }
    let Some(text) = value::id(value)? else { return Err(NoLink::Kind(kind(value))) };
    let link = Link { to: rule.to, by: rule.by.clone(), id: text.trim().to_owned() };
    if link.id.is_empty() || links.iter().any(|known| is_same(known, &link)) {
        return Ok(());
    }
    if links.len() == LINKS {
        return Err(NoLink::TooMany);
    }
    links.push(link);
    Ok(())
}

/// Whether two links name one record. HubSpot keeps e-mail addresses in lower case.
fn is_same(one: &Link, other: &Link) -> bool {
    if (one.to, &one.by) != (other.to, &other.by) {
        return false;
    }
    one.id == other.id || one.by == EMAIL && one.id.to_lowercase() == other.id.to_lowercase()
}
