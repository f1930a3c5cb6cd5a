//! HubSpot owners by their e-mail addresses.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::StreamExt as _;
use tokio::time::Instant;

use super::plan::Texts;
use super::{AT_ONCE, Ledger};
use crate::hubspot::{self, Hubspot};
use crate::summary::{FailReason, Outcome};
use crate::update::{Unknown, Update, Value};

type Found = BTreeMap<String, Result<Option<String>, hubspot::Error>>;

/// The values of every update with each owner's id in place of the address; `None` where that settled its outcome.
pub(super) async fn resolve(
    hubspot: &Hubspot,
    updates: &[Update],
    deadline: Instant,
    ledger: &mut Ledger,
) -> Vec<Option<Texts>> {
    let values = updates.iter().flat_map(|update| &update.properties);
    let emails: BTreeSet<String> = values
        .filter_map(|(_, value)| match value {
            Value::Owner { email, .. } => Some(email.to_lowercase()),
            Value::Text(_) => None,
        })
        .collect();
    let look_ups = emails.into_iter().map(|email| async {
        let found = hubspot.owner(&email, deadline).await;
        (email, found)
    });
    let found: Found = futures_util::stream::iter(look_ups).buffer_unordered(AT_ONCE).collect().await;
    let mut resolved = Vec::with_capacity(updates.len());
    for (index, update) in updates.iter().enumerate() {
        match texts(update, &found, ledger) {
            Ok(texts) => resolved.push(Some(texts)),
            Err(outcome) => {
                ledger.outcomes[index] = Some(outcome);
                resolved.push(None);
            }
        }
    }
    resolved
}

fn texts(update: &Update, found: &Found, ledger: &mut Ledger) -> Result<Texts, Outcome> {
    let mut texts = Texts::new();
    for (name, value) in &update.properties {
        let text = match value {
            Value::Text(text) => text.clone(),
            Value::Owner { email, unknown } => match (found.get(&email.to_lowercase()), unknown) {
                (Some(Ok(Some(id))), _) => id.clone(),
                (Some(Err(error)), _) => return Err(ledger.failed_call(error, name)),
                (_, Unknown::Skip) => continue,
                (_, Unknown::Write(text)) => text.clone(),
                (_, Unknown::Fail) => {
                    let detail = format!("{name}: HubSpot has no owner with the address {email}");
                    return Err(Outcome::Failed(FailReason::OwnerNotFound, detail));
                }
            },
        };
        texts.push((name.clone(), text));
    }
    Ok(texts)
}
