//! `on_missing` of `[task]`: one word, or a table that chooses it by event.

use crate::source::jq::Code;
use crate::source::table::{Placed, Table, TextOrTable};
use crate::update::OnMissing;

/// The rule for an id that no task has.
pub(crate) enum MissingSpec {
    /// One for every event.
    Always(OnMissing),
    /// The one that a table has for the value of an expression.
    ByEvent(ByEvent),
}

/// A rule by event.
pub(crate) struct ByEvent {
    pub(crate) from: Option<Placed<Code>>,
    /// The values and their rules, in the order of the file.
    pub(crate) rows: Vec<(String, OnMissing)>,
    pub(crate) otherwise: Option<Placed<OnMissing>>,
}

const WORDS: [(&str, OnMissing); 3] =
    [("fail", OnMissing::Fail), ("skip", OnMissing::Skip), ("create", OnMissing::Create)];

impl MissingSpec {
    /// Whether an event can make a task.
    pub(crate) fn may_create(&self) -> bool {
        match self {
            Self::Always(rule) => *rule == OnMissing::Create,
            Self::ByEvent(ByEvent { rows, .. }) => {
                let has_row = rows.iter().any(|(_, rule)| *rule == OnMissing::Create);
                has_row || self.creates_otherwise()
            }
        }
    }

    /// Whether an event makes a task that the file doesn't name.
    pub(crate) fn creates_otherwise(&self) -> bool {
        match self {
            Self::Always(rule) => *rule == OnMissing::Create,
            Self::ByEvent(ByEvent { otherwise, .. }) => {
                matches!(otherwise, Some(Placed { value: OnMissing::Create, .. }))
            }
        }
    }
}

/// Reads the key.
pub(super) fn read(task: &mut Table<'_>) -> Option<Placed<MissingSpec>> {
    match task.text_or_table("on_missing")? {
        TextOrTable::Text(text) => {
            let rule = task.word("`on_missing` of [task]", &text, &WORDS)?;
            Some(Placed { value: MissingSpec::Always(rule), start: text.start })
        }
        TextOrTable::Table(table) => {
            let start = table.start;
            Some(Placed { value: MissingSpec::ByEvent(read_by_event(table)), start })
        }
        TextOrTable::Other(Placed { value: kind, start }) => {
            let message = format!(
                "`on_missing` of [task] has to be text in quotes or a table with `from` and \
                 `map`, not {kind}"
            );
            task.problem_at(start, message);
            None
        }
    }
}

fn read_by_event(mut table: Table<'_>) -> ByEvent {
    table.require("from", "an expression, such as '.action'");
    table.require("map", "its values and their rules, such as { opened = \"create\" }");
    let from = table.code("from");
    let mut rows = Vec::new();
    for row in table.texts("map").unwrap_or_default() {
        let label = format!("`{}` of the map of `on_missing` of [task]", row.key);
        if let Some(rule) = table.word(&label, &row.text, &WORDS) {
            rows.push((row.key, rule));
        }
    }
    let otherwise = table.choice("otherwise", &WORDS);
    table.finish();
    ByEvent { from, rows, otherwise }
}
