//! `[properties]`

use crate::source::file::Problems;
use crate::source::jq::Code;
use crate::source::table::{self, Entry, Placed, Row, Table, TextOrTable};
use crate::time::Clock;
use crate::update::{Unknown, Write};

/// How one property gets its value: an expression, and the steps after it.
pub(crate) struct PropertySpec {
    pub(crate) name: Placed<String>,
    /// An expression for the value. One without a table is this alone.
    pub(crate) from: Option<Placed<Code>>,
    /// An expression for the e-mail address of an owner.
    pub(crate) owner: Option<Placed<Code>>,
    pub(crate) map: Option<Vec<Row>>,
    /// `as`
    pub(crate) form: Option<Placed<Form>>,
    pub(crate) at: Option<Placed<Clock>>,
    pub(crate) otherwise: Option<Placed<String>>,
    pub(crate) unmapped: Option<Placed<Unknown>>,
    /// `None` in it is "always".
    pub(crate) write: Option<Placed<Option<Write>>>,
}

/// `as`
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    DateTime,
    Date,
}

/// A name that HubSpot gives to no property.
#[derive(Debug, thiserror::Error)]
#[error("{0:?} is not the internal name of a HubSpot property: lower-case letters, digits and _")]
pub(super) struct NotAPropertyName(String);

impl PropertySpec {
    fn new(name: Placed<String>) -> Self {
        Self {
            name,
            from: None,
            owner: None,
            map: None,
            form: None,
            at: None,
            otherwise: None,
            unmapped: None,
            write: None,
        }
    }

    /// The expression of its value.
    pub(crate) fn code(&self) -> Option<&Placed<Code>> {
        self.owner.as_ref().or(self.from.as_ref())
    }
}

/// Reads all properties.
pub(super) fn read_all(table: Table<'_>) -> Vec<PropertySpec> {
    let (start, problems) = (table.start, table.problems);
    let entries = table.into_entries();
    if entries.is_empty() {
        problems.add(start, "[properties] is empty: name at least one property to write");
    }
    let mut properties = Vec::new();
    for entry in entries {
        properties.extend(read(&entry, problems));
    }
    properties
}

/// Reads a property. There is no [`PropertySpec`] of one whose name or value can't be read.
fn read<'t>(entry: &Entry<'t>, problems: &'t Problems<'t>) -> Option<PropertySpec> {
    let Placed { value: key, start } = entry.key;
    let checked = property_name(key);
    if let Err(problem) = &checked {
        problems.add(start, problem.to_string());
    }
    let mut spec = PropertySpec::new(Placed { value: key.to_owned(), start });
    match entry.value(problems) {
        TextOrTable::Text(text) => spec.from = Some(table::code(&text)),
        TextOrTable::Table(table) => read_steps(table, &mut spec),
        TextOrTable::Other(Placed { value: kind, start }) => {
            let message = format!(
                "`{key}` has to be a jq expression in quotes or a table with `from`, not {kind}"
            );
            problems.add(start, message);
        }
    }
    checked.is_ok().then_some(spec)
}

fn read_steps(mut table: Table<'_>, spec: &mut PropertySpec) {
    let (has_from, has_owner, has_form) = (table.has("from"), table.has("owner"), table.has("as"));
    spec.from = table.code("from");
    spec.owner = table.code("owner");
    spec.map = table.texts("map");
    spec.form = table.choice("as", &[("datetime", Form::DateTime), ("date", Form::Date)]);
    spec.at = table.parse("at", |text| {
        let fix = "write an hour such as \"17:00\"";
        Clock::parse(text).ok_or_else(|| format!("`at` is {text:?}; {fix}"))
    });
    spec.otherwise = table.text("otherwise");
    let unmapped = [("fail", Unknown::Fail), ("skip", Unknown::Skip)];
    spec.unmapped = table.choice("unmapped", &unmapped);
    let rules = [("always", None), ("create", Some(Write::Create)), ("empty", Some(Write::Empty))];
    spec.write = table.choice("write", &rules);
    let name = &spec.name.value;
    if has_owner && has_from {
        table.problem(format!("`{name}` has both `from` and `owner`; write one of them"));
    } else if has_owner && has_form {
        table.problem(format!(
            "`{name}` has both `owner` and `as`; an owner's id is written as it is"
        ));
    } else if !has_owner && !has_from {
        table.problem(format!(
            "`{name}` lacks `from` (an expression) or `owner` (an e-mail address)"
        ));
    }
    if spec.unmapped.is_some() && spec.map.is_none() && !has_owner && !has_form {
        table.problem(format!(
            "`unmapped` of `{name}` goes with `map`, `as` or `owner`; leave it out"
        ));
    }
    let is_datetime = matches!(spec.form, Some(Placed { value: Form::DateTime, .. }));
    if spec.at.is_some() && !is_datetime {
        table.problem(format!(
            "`at` of `{name}` goes with `as = \"datetime\"`: it is the hour of a date that comes \
             without one; leave it out"
        ));
    }
    table.finish();
}

/// HubSpot's internal names: lower-case letters, digits and underscores.
pub(super) fn property_name(text: &str) -> Result<String, NotAPropertyName> {
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    if text.is_empty() || !text.chars().all(is_plain) {
        return Err(NotAPropertyName(text.to_owned()));
    }
    Ok(text.to_owned())
}
