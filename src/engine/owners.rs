//! HubSpot owners by their e-mail addresses.

use std::collections::BTreeMap;

use futures_util::StreamExt as _;

use super::calls::Calls;
use super::plan::{Texts, Write};
use super::{AT_ONCE, Ledger, failed_call};
use crate::hubspot::Error;
use crate::outcome::{FailReason, Outcome};
use crate::update::{Unknown, Update, Value};

/// What was found for each address, by the address in lower case.
pub(super) type Found = BTreeMap<String, Result<Option<String>, Error>>;

/// The values of every update that is open, with each owner's id in place of the address; `None`
/// for those that have an outcome.
pub(super) async fn resolve(
    calls: &Calls<'_>,
    updates: &[Update],
    ledger: &mut Ledger,
) -> Vec<Option<Texts>> {
    let mut emails = BTreeMap::new();
    for (_, update) in updates.iter().enumerate().filter(|(index, _)| ledger.is_open(*index)) {
        emails.extend(update.properties.iter().filter_map(|(_, value)| match value {
            Value::Owner { email, .. } => Some((email.to_lowercase(), email.clone())),
            Value::Text(_) => None,
        }));
    }
    let look_ups = emails
        .into_iter()
        .map(|(key, email)| async move { (key, calls.owner(&email, None).await) });
    let found: Found =
        futures_util::stream::iter(look_ups).buffer_unordered(AT_ONCE).collect().await;
    let mut resolved = Vec::with_capacity(updates.len());
    for (index, update) in updates.iter().enumerate() {
        resolved.push(if ledger.is_open(index) {
            texts(update, &found).map_err(|outcome| ledger.settle(index, outcome)).ok()
        } else {
            None
        });
    }
    resolved
}

/// Looks the owner of one property of a write up anew, since HubSpot refuses the id that was known.
/// Says whether the write is different now, or gives its outcome.
pub(super) async fn again(
    calls: &Calls<'_>,
    write: &mut Write,
    property: &str,
) -> Result<bool, Outcome> {
    let Some((email, unknown)) = write.owners.remove(property) else { return Ok(false) };
    let refused = write.properties.remove(property).unwrap_or_default();
    let text = match (calls.owner(&email, Some(&refused)).await, unknown) {
        (Ok(Some(id)), _) => Some(id),
        (Err(error @ (Error::Later { .. } | Error::Lost)), _) => {
            return Err(failed_call(&error, &write.task.id_property));
        }
        (_, Unknown::Skip) => None,
        (_, Unknown::Write(text)) => Some(text),
        (_, Unknown::Fail) => return Err(no_owner(property, &email)),
    };
    let is_different = text.as_ref() != Some(&refused);
    write.properties.extend(text.map(|text| (property.to_owned(), text)));
    Ok(is_different)
}

fn no_owner(property: &str, email: &str) -> Outcome {
    Outcome::Failed(
        FailReason::OwnerNotFound,
        format!("{property}: HubSpot has no owner with the address {email}"),
    )
}

/// The values of an update, with the ids that were found.
pub(super) fn texts(update: &Update, found: &Found) -> Result<Texts, Outcome> {
    let mut texts = Texts::new();
    for (name, value) in &update.properties {
        let text = match value {
            Value::Text(text) => text.clone(),
            Value::Owner { email, unknown } => match (found.get(&email.to_lowercase()), unknown) {
                (Some(Ok(Some(id))), _) => id.clone(),
                // An address that HubSpot refuses to look up is one that it doesn't know.
                (Some(Err(error @ (Error::Later { .. } | Error::Lost))), _) => {
                    return Err(failed_call(error, &update.task.id_property));
                }
                (_, Unknown::Skip) => continue,
                (_, Unknown::Write(text)) => text.clone(),
                (_, Unknown::Fail) => return Err(no_owner(name, email)),
            },
        };
        texts.push((name.clone(), text));
    }
    Ok(texts)
}
