//! What updates would change: the values that a run would write, beside those that the tasks have.

use tokio::time::Instant;

use super::calls::Calls;
use super::guard::{self, Tasks};
use super::ledger::Ledger;
use super::matching::{matches_strictly, record_id};
use super::row::Resolved;
use super::{observed, owners, plan, read};
use crate::hubspot::Hubspot;
use crate::outcome::Outcome;
use crate::update::{Update, Write};

/// An update beside its task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Comparison {
    /// How the update would end; [`observed`] if it would be written.
    pub outcome: Outcome,
    /// Whether there is such a task; `None` if HubSpot didn't say.
    pub exists: Option<bool>,
    /// HubSpot's record id of the task.
    pub record_id: Option<String>,
    /// The values in the order of the update; none where an owner can't be looked up.
    pub values: Vec<Compared>,
}

/// A value that would be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compared {
    /// The property.
    pub property: String,
    /// What the task has, empty for nothing; `None` where the task is not known.
    pub before: Option<String>,
    /// What it would get: the id of an owner, not the address.
    pub after: String,
    /// Whether the task has it already, be it in another form of the same time.
    pub is_same: bool,
    /// Why it isn't written, where its rule holds it back.
    pub held_back: Option<&'static str>,
}

/// Compares each update with its task, whether it is guarded or not. Nothing is written.
pub async fn compare(hubspot: &Hubspot, updates: &[Update], deadline: Instant) -> Vec<Comparison> {
    let calls = Calls::new(hubspot, deadline);
    let mut ledger = Ledger::new(updates.len());
    let tasks = read::every(&calls, updates, &mut ledger).await;
    guard::settle(updates, &tasks, &mut ledger);
    let resolved = owners::resolve(&calls, updates, &tasks, &mut ledger).await;
    let mut values = vec![Vec::new(); updates.len()];
    for resolved in &resolved {
        values[resolved.index] = compare_values(resolved, &tasks);
    }
    for row in plan::rows(resolved, &tasks, &mut ledger) {
        ledger.settle_row(&row, observed());
    }
    let mut comparisons = Vec::new();
    for ((update, outcome), values) in updates.iter().zip(ledger.finish()).zip(values) {
        let record = tasks.record(&update.task);
        let is_missing = tasks.is_missing(&update.task);
        comparisons.push(Comparison {
            outcome,
            exists: if record.is_some() || is_missing { Some(!is_missing) } else { None },
            record_id: record.and_then(record_id),
            values,
        });
    }
    comparisons
}

/// Why the rule of a value holds it back; `before` is the value that the task has, if that is there.
fn held_back(rule: Option<&Write>, before: Option<&str>) -> Option<&'static str> {
    match (rule?, before?) {
        (Write::Create, _) => Some("it is written only when the task is made"),
        (Write::Empty, "") => None,
        (Write::Empty, _) => Some("it is written only where the task has nothing"),
    }
}

fn compare_values(resolved: &Resolved<'_>, tasks: &Tasks) -> Vec<Compared> {
    let task = &resolved.update.task;
    let record = tasks.record(task);
    let mut compared = Vec::new();
    for value in &resolved.values {
        let before = record.map(|record| record.text(value.property).unwrap_or_default());
        compared.push(Compared {
            property: value.property.to_owned(),
            before: before.map(str::to_owned),
            after: value.text.to_string(),
            is_same: before.is_some_and(|before| matches_strictly(before, &value.text)),
            held_back: held_back(resolved.update.write.get(value.property), before),
        });
    }
    compared
}
