//! The parts of batches that are to be sent, and the order in which they are. Pure.
//!
//! HubSpot refuses a whole batch for one bad row. Where it doesn't say for which, the parts that
//! may hold it are halved and tried side by side, large ones first, so that good rows don't wait
//! for the end of the search.

use std::collections::{BTreeMap, BTreeSet};

use super::bad_value::Blame;
use super::plan;
use super::row::Row;

/// Rows that share a request, or a search.
#[derive(Default)]
pub(super) struct Part {
    pub(super) rows: Vec<Row>,
    /// A part waits until all parts of lower ranks are done.
    pub(super) rank: u32,
    /// Whether an answer to it was lost already.
    pub(super) was_lost: bool,
    /// The probe that it belongs to.
    pub(super) probe: Option<usize>,
    /// Whether a probe of such rows told nothing, so that they are halved.
    pub(super) was_probed: bool,
    /// Whether a row is sent without its empty due date to see whether that was its fault.
    pub(super) is_without_due: bool,
    /// The verdict of an earlier delivery, for when there is no time for another.
    pub(super) known: Option<Blame>,
}

/// The most rows that are tried alone for all that seem to lack the same.
const PROBED: usize = 4;

/// Some rows that are tried alone for all that seem to lack the same.
struct Probe {
    /// The other rows.
    rest: Vec<Row>,
    /// The property that all seem to lack.
    blame: Blame,
    /// How many of the tried rows have no answer yet.
    waiting: usize,
    /// Whether the tried rows stand for all, and each was refused for the same lack so far.
    holds: bool,
}

/// The parts that wait or are under way.
#[derive(Default)]
pub(super) struct Schedule {
    waiting: Vec<Part>,
    /// How many parts of each rank are under way.
    under_way: BTreeMap<u32, usize>,
    is_searching: bool,
    probes: Vec<Probe>,
}

impl Part {
    /// A part of rows that were not sent before.
    pub(super) fn new(rows: Vec<Row>) -> Self {
        Self { rows, ..Self::default() }
    }

    /// A part with the history of this one, but of these rows, and without its probe.
    pub(super) fn with_rows(&self, rows: Vec<Row>) -> Self {
        Self { rows, probe: None, known: self.known.clone(), ..*self }
    }
}

impl Schedule {
    /// Adds the rows of a part, in as many parts as they need requests.
    pub(super) fn add(&mut self, mut part: Part) {
        for rows in plan::batches(std::mem::take(&mut part.rows)) {
            self.waiting.push(Part { probe: part.probe, ..part.with_rows(rows) });
        }
    }

    /// Starts the next part: the largest of the lowest rank, if none of a lower one is under way.
    pub(super) fn start(&mut self) -> Option<Part> {
        let ranks = self.waiting.iter().map(|part| part.rank);
        let lowest = ranks.chain(self.under_way.keys().copied()).min()?;
        let mut largest: Option<usize> = None;
        for (index, part) in self.waiting.iter().enumerate() {
            let is_larger =
                largest.is_none_or(|other| part.rows.len() > self.waiting[other].rows.len());
            if part.rank == lowest && is_larger {
                largest = Some(index);
            }
        }
        let part = self.waiting.remove(largest?);
        *self.under_way.entry(part.rank).or_default() += 1;
        Some(part)
    }

    /// Ends a part of this rank that was started.
    pub(super) fn end(&mut self, rank: u32) {
        if let Some(count) = self.under_way.get_mut(&rank) {
            *count -= 1;
        }
        self.under_way.retain(|_, count| *count > 0);
    }

    /// Whether no part waits or is under way.
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.under_way.is_empty()
    }

    /// Whether a part was halved.
    pub(super) fn is_searching(&self) -> bool {
        self.is_searching
    }

    /// Halves a part; rows with the same values of these properties stay together.
    pub(super) fn halve(&mut self, mut part: Part, properties: &BTreeSet<String>) {
        self.is_searching = true;
        let rows = std::mem::take(&mut part.rows);
        let half = rows.len() / 2;
        let (mut first, mut second) = (Vec::new(), Vec::new());
        for rows in by_values(rows, properties) {
            let goes_first = first.is_empty() || first.len() + rows.len() <= half;
            if goes_first { first.extend(rows) } else { second.extend(rows) }
        }
        self.add(part.with_rows(first));
        self.add(part.with_rows(second));
    }

    /// Tries a row of each shape alone, for all that seem to lack the same; at least two that are
    /// as different as can be.
    pub(super) fn probe(&mut self, rows: Vec<Row>, blame: Blame) {
        let probe = Some(self.probes.len());
        let mut shapes = BTreeSet::new();
        let (mut tried, mut rest) = (Vec::new(), Vec::new());
        for row in rows {
            let is_new = shapes.insert(shape(&row));
            if is_new && tried.len() < PROBED { tried.push(row) } else { rest.push(row) }
        }
        if let [first] = &tried[..] {
            let most_different =
                (0..rest.len()).max_by_key(|index| differences(first, &rest[*index]));
            tried.extend(most_different.map(|index| rest.remove(index)));
        }
        let holds = shapes.len() <= PROBED;
        self.probes.push(Probe { rest, blame, waiting: tried.len(), holds });
        for row in tried {
            self.add(Part { probe, was_probed: true, ..Part::new(vec![row]) });
        }
    }

    /// Ends one of a probe's parts; `lacking` is the lack that it was refused for, if it was. Where
    /// all are refused for the lack of the probe, so are the other rows, which are returned.
    /// Otherwise those are sent.
    pub(super) fn end_probe(
        &mut self,
        probe: usize,
        lacking: Option<&Blame>,
    ) -> Option<(Vec<Row>, Blame)> {
        let probe = &mut self.probes[probe];
        probe.waiting -= 1;
        probe.holds &= lacking == Some(&probe.blame);
        if probe.waiting > 0 {
            return None;
        }
        let rest = std::mem::take(&mut probe.rest);
        if probe.holds {
            return Some((rest, probe.blame.clone()));
        }
        self.add(Part { was_probed: true, ..Part::new(rest) });
        None
    }
}

/// The shape of a row: its properties, and whether it clears them. HubSpot's rules about required
/// properties go by that first.
fn shape(row: &Row) -> Vec<(String, bool)> {
    let properties = row.properties.iter();
    properties.map(|(name, value)| (name.clone(), value.is_empty())).collect()
}

/// How many properties of another row have another value.
fn differences(row: &Row, other: &Row) -> usize {
    let is_other = |(name, value): &(&String, &String)| row.properties.get(*name) != Some(*value);
    other.properties.iter().filter(is_other).count()
}

/// Groups rows that have the same values of these properties; each is alone if there are none.
fn by_values(rows: Vec<Row>, properties: &BTreeSet<String>) -> Vec<Vec<Row>> {
    if properties.is_empty() {
        return rows.into_iter().map(|row| vec![row]).collect();
    }
    plan::group_by(rows, |row| {
        let values = properties.iter().map(|name| row.value(name).map(str::to_owned));
        values.collect::<Vec<_>>()
    })
}
