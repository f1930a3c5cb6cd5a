//! The outcomes of a run: each update gets exactly one. Pure.

use super::matching::Found;
use super::row::{Row, WantedLink};
use crate::outcome::{Outcome, RetryReason};
use crate::update::TaskKey;

/// The outcomes so far, in the order of the updates, and the tasks to link.
pub(super) struct Ledger {
    outcomes: Vec<Option<Outcome>>,
    written: Vec<Written>,
}

/// A task that is as it should be, and that updates want to hang on something.
#[derive(Debug)]
pub(super) struct Written {
    pub(super) task: TaskKey,
    pub(super) found: Found,
    /// Whether the run made it.
    pub(super) is_new: bool,
    pub(super) links: Vec<WantedLink>,
}

impl Ledger {
    /// A ledger for so many updates, without an outcome yet.
    pub(super) fn new(updates: usize) -> Self {
        Self { outcomes: vec![None; updates], written: Vec::new() }
    }

    /// The outcome of an update, if it has one.
    pub(super) fn outcome(&self, index: usize) -> Option<&Outcome> {
        self.outcomes[index].as_ref()
    }

    /// Whether an update has no outcome yet.
    pub(super) fn is_open(&self, index: usize) -> bool {
        self.outcomes[index].is_none()
    }

    /// Gives an update its outcome.
    pub(super) fn settle(&mut self, index: usize, outcome: Outcome) {
        debug_assert!(self.is_open(index), "update {index} has two outcomes");
        self.outcomes[index] = Some(outcome);
    }

    /// Gives an update another outcome than that of its write.
    pub(super) fn amend(&mut self, index: usize, outcome: Outcome) {
        self.outcomes[index] = Some(outcome);
    }

    /// Adds a task to link.
    pub(super) fn add_written(&mut self, written: Written) {
        self.written.push(written);
    }

    /// Takes the tasks to link.
    pub(super) fn take_written(&mut self) -> Vec<Written> {
        std::mem::take(&mut self.written)
    }

    /// Gives a row's outcome to the newest of its updates; the others are merged, or share its
    /// fate.
    pub(super) fn settle_row(&mut self, row: &Row, outcome: Outcome) {
        let Some((newest, others)) = row.members.split_last() else { return };
        if !row.links.is_empty() && outcome.is_success() {
            self.written.push(Written {
                task: row.task.clone(),
                found: row.found.clone(),
                is_new: matches!(outcome, Outcome::Created(_)),
                links: row.links.clone(),
            });
        }
        let shared = match outcome.without_note() {
            Outcome::Updated(_) | Outcome::Created(_) => Outcome::Merged,
            other => other.clone(),
        };
        for index in others {
            self.settle(*index, shared.clone());
        }
        match &row.note {
            Some(note) if outcome.is_success() => {
                self.settle(*newest, Outcome::Noted(Box::new(outcome), note.clone()));
            }
            _ => self.settle(*newest, outcome),
        }
    }

    /// The outcomes. An update without one would be tried again rather than lost.
    pub(super) fn finish(self) -> Vec<Outcome> {
        let mut outcomes = Vec::with_capacity(self.outcomes.len());
        for outcome in self.outcomes {
            outcomes.push(outcome.unwrap_or_else(|| {
                Outcome::Retry(RetryReason::Unavailable, "it was not accounted for".to_owned())
            }));
        }
        outcomes
    }
}
