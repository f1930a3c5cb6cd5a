//! The memory of refusals: the next delivery goes on where the time of this one ended.

use std::collections::{BTreeMap, BTreeSet};

use tokio::time::Instant;

use super::bad_value::Blame;
use super::row::{DUE, Row};
use crate::hubspot::{PastRefusal, Refusals};
use crate::outcome::FailReason;
use crate::update::TaskKey;

/// The refusals of all runs of this process.
pub(super) struct Memory<'h>(pub(super) &'h Refusals);

/// A refusal is remembered by a value of a property, or by a whole row.
#[derive(Hash)]
enum Key<'r> {
    Value(&'r str, &'r str),
    Row(&'r TaskKey, &'r BTreeMap<String, String>),
}

/// Rows by how they were refused lately.
#[derive(Default)]
pub(super) struct Sorted {
    /// Rows that were not refused.
    pub(super) free: Vec<Row>,
    /// Rows that were refused together, because of one of them at least.
    pub(super) suspects: Vec<Suspects>,
    /// Rows that were refused themselves, for the same reason.
    pub(super) refused: Vec<(Vec<Row>, Blame)>,
}

/// Rows of one id property that were refused together.
#[derive(Default)]
pub(super) struct Suspects {
    pub(super) rows: Vec<Row>,
    /// The properties whose values are suspected; none where the rows themselves are.
    pub(super) properties: BTreeSet<String>,
}

impl Memory<'_> {
    /// Sorts rows by how they were refused lately.
    pub(super) fn sort(&self, rows: Vec<Row>) -> Sorted {
        if self.0.is_empty() {
            return Sorted { free: rows, ..Sorted::default() };
        }
        let mut free = Vec::new();
        let mut suspects: BTreeMap<(String, u64), Suspects> = BTreeMap::new();
        let mut refused = Vec::new();
        let mut by_value: BTreeMap<(String, String), (Vec<Row>, Blame)> = BTreeMap::new();
        for row in rows {
            match self.recall(&row) {
                None => free.push(row),
                Some((PastRefusal::Among(group), property)) => {
                    let id_property = row.task.id_property.clone();
                    let together = suspects.entry((id_property, group)).or_default();
                    together.properties.extend(property);
                    together.rows.push(row);
                }
                Some((PastRefusal::Itself(reason, detail), None)) => {
                    refused.push((vec![row], Blame::new(reason, detail)));
                }
                Some((PastRefusal::Itself(reason, detail), Some(property))) => {
                    let value = row.value(&property).unwrap_or_default().to_owned();
                    let (alike, _) = by_value
                        .entry((property, value))
                        .or_insert_with(|| (Vec::new(), Blame::new(reason, detail)));
                    alike.push(row);
                }
            }
        }
        refused.extend(by_value.into_values());
        Sorted { free, suspects: suspects.into_values().collect(), refused }
    }

    /// How a row was refused lately, and by which property.
    fn recall(&self, row: &Row) -> Option<(PastRefusal, Option<String>)> {
        let mut found = self.get(&Key::row(row)).map(|refused| (refused, None));
        for (name, value) in row.values() {
            if matches!(found, Some((PastRefusal::Itself(..), _))) {
                break;
            }
            if let Some(refused) = self.get(&Key::Value(name, value)) {
                found = Some((refused, Some(name.to_owned())));
            }
        }
        found
    }

    /// Whether HubSpot refused lately to remove a due date.
    pub(super) fn refuses_empty_due(&self) -> bool {
        matches!(self.get(&Key::Value(DUE, "")), Some(PastRefusal::Itself(..)))
    }

    fn get(&self, key: &Key<'_>) -> Option<PastRefusal> {
        self.0.get(key, Instant::now())
    }

    /// Remembers that one of these rows at least is at fault.
    pub(super) fn suspect_rows(&self, rows: &[Row]) {
        self.0.keep_among(rows.iter().map(Key::row), Instant::now());
    }

    /// Remembers that one at least of the values that the rows have of these properties is at
    /// fault.
    pub(super) fn suspect_values(&self, rows: &[Row], properties: &BTreeSet<String>) {
        let values = rows.iter().flat_map(Row::values);
        let suspected = values.filter(|(name, _)| properties.contains(*name));
        self.0.keep_among(suspected.map(|(name, value)| Key::Value(name, value)), Instant::now());
    }

    /// Remembers that HubSpot refuses the row, whatever other rows do.
    pub(super) fn refuse_row(&self, row: &Row, blame: &Blame) {
        self.keep(&Key::row(row), blame);
    }

    /// Remembers the values of the row that the blame is about.
    pub(super) fn refuse_values(&self, row: &Row, blame: &Blame) {
        for (name, value) in row.values() {
            if blame.properties.contains(name) {
                self.keep(&Key::Value(name, value), blame);
            }
        }
    }

    /// Remembers that HubSpot doesn't let a due date be removed.
    pub(super) fn refuse_empty_due(&self) {
        let detail = format!("{DUE}: HubSpot takes no empty value here");
        self.keep(&Key::Value(DUE, ""), &Blame::new(FailReason::InvalidValue, detail));
    }

    fn keep(&self, key: &Key<'_>, blame: &Blame) {
        self.0.keep_itself(key, blame.reason, &blame.detail, Instant::now());
    }

    /// Forgets a row and its values, because HubSpot took them.
    pub(super) fn forget(&self, row: &Row) {
        self.0.forget(&Key::row(row));
        for (name, value) in row.values() {
            self.0.forget(&Key::Value(name, value));
        }
    }
}

impl<'r> Key<'r> {
    fn row(row: &'r Row) -> Self {
        Self::Row(&row.task, &row.properties)
    }
}
