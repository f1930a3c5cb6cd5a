//! HubSpot owners by their e-mail addresses.

use std::collections::BTreeMap;

use futures_util::StreamExt as _;

use super::blame::failed_call;
use super::calls::{AT_ONCE, Calls};
use super::guard::Tasks;
use super::ledger::Ledger;
use super::row::{Resolved, Row, Value};
use super::rules;
use crate::hubspot::{Error, Record, fold_email};
use crate::outcome::{FailReason, Outcome};
use crate::update::{self, Unknown, Update};

/// The result of a look-up: the owner's id, if there is such an owner.
type LookedUp = Result<Option<String>, Error>;

/// The owners that were looked up, by their addresses in lower case.
#[derive(Default)]
pub(super) struct Owners(BTreeMap<String, LookedUp>);

/// Looks up the owners of all open updates, and puts their ids in place of the addresses. Updates
/// whose owners cannot be looked up are settled.
pub(super) async fn resolve<'u>(
    calls: &Calls<'_>,
    updates: &'u [Update],
    tasks: &Tasks,
    ledger: &mut Ledger,
) -> Vec<Resolved<'u>> {
    let mut open: Vec<_> = updates.iter().enumerate().collect();
    open.retain(|(index, _)| ledger.is_open(*index));
    let mut emails = BTreeMap::new();
    for (_, update) in &open {
        for (property, email) in addresses(update) {
            if !rules::is_held_back(update, property, tasks.record(&update.task)) {
                emails.insert(fold_email(email), email);
            }
        }
    }
    let typed: Vec<_> = emails.values().copied().collect();
    calls.list_owners(&typed).await;
    let look_ups =
        emails.into_iter().map(|(key, email)| async move { (key, calls.owner(email, None).await) });
    let owners =
        Owners(futures_util::stream::iter(look_ups).buffer_unordered(AT_ONCE).collect().await);
    let mut resolved = Vec::with_capacity(open.len());
    for (index, update) in open {
        match owners.put_into(update, tasks.record(&update.task)) {
            Ok(values) => resolved.push(Resolved { index, update, values }),
            Err(outcome) => ledger.settle(index, outcome),
        }
    }
    resolved
}

/// The addresses of the owners that an update names, by their properties.
pub(super) fn addresses(update: &Update) -> impl Iterator<Item = (&str, &str)> {
    update.properties.iter().filter_map(|(property, value)| match value {
        update::Value::Owner { email, .. } => Some((property.as_str(), email.as_str())),
        update::Value::Text(_) => None,
    })
}

/// Looks the owner of one property of a row up anew, because HubSpot refuses the id that was known.
/// Returns whether the row is different now. The error is the outcome of a row whose owner can't be
/// had.
pub(super) async fn replace_refused(
    calls: &Calls<'_>,
    row: &mut Row,
    property: &str,
) -> Result<bool, Outcome> {
    let Some(owner) = row.owners.remove(property) else { return Ok(false) };
    let refused = row.properties.remove(property).unwrap_or_default();
    let found = calls.owner(&owner.email, Some(&refused)).await;
    let text = text(property, (&owner.email, &owner.unknown), Some(&found), &row.task.id_property)?;
    let is_different = text.as_ref() != Some(&refused);
    if let Some(text) = text {
        row.properties.insert(property.to_owned(), text);
    }
    Ok(is_different)
}

/// The text of a property that names an owner; `None` where it is left alone.
fn text(
    property: &str,
    (email, unknown): (&str, &Unknown),
    found: Option<&LookedUp>,
    id_property: &str,
) -> Result<Option<String>, Outcome> {
    match found {
        Some(Ok(Some(id))) => return Ok(Some(id.clone())),
        Some(Err(error @ (Error::Later { .. } | Error::Lost))) => {
            return Err(failed_call(error, id_property));
        }
        // An address that HubSpot refuses to look up is one that it doesn't know.
        Some(Ok(None) | Err(Error::Refused(_))) | None => {}
    }
    match unknown {
        Unknown::Skip => Ok(None),
        Unknown::Write(text) => Ok(Some(text.clone())),
        Unknown::Fail => Err(Outcome::Failed(
            FailReason::OwnerNotFound,
            format!("{property}: HubSpot has no owner with the address {email}"),
        )),
    }
}

impl Owners {
    /// Adds an owner with this id.
    pub(super) fn add(&mut self, email: &str, id: String) {
        self.0.insert(fold_email(email), Ok(Some(id)));
    }

    /// The values of an update, with the owners' ids, but for owners whom its task, where that was read
    /// and is there, doesn't get. The error is its outcome where an owner can't be had.
    pub(super) fn put_into<'u>(
        &self,
        update: &'u Update,
        record: Option<&Record>,
    ) -> Result<Vec<Value<'u>>, Outcome> {
        let mut values = Vec::with_capacity(update.properties.len());
        for (property, value) in &update.properties {
            match value {
                update::Value::Text(text) => {
                    values.push(Value { property, text: text.into(), owner: None });
                }
                update::Value::Owner { .. } if rules::is_held_back(update, property, record) => {}
                update::Value::Owner { email, unknown } => {
                    let owner = (email.as_str(), unknown);
                    let found = self.0.get(&fold_email(email));
                    let id_property = &update.task.id_property;
                    if let Some(text) = text(property, owner, found, id_property)? {
                        values.push(Value { property, text: text.into(), owner: Some(owner) });
                    }
                }
            }
        }
        Ok(values)
    }
}
