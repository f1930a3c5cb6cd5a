//! A source file as it is written: its keys as data, with their places.
//!
//! Reading finds everything that is wrong with a file but names in expressions that aren't defined,
//! which only compiling finds. The running source, the demands on a portal and the warnings are
//! functions over a [`Spec`].

mod associate;
mod on_missing;
mod property;
mod verify;

pub(super) use associate::AssociateSpec;
pub(super) use on_missing::{ByEvent, MissingSpec};
pub(super) use property::{Form, PropertySpec};
pub(super) use verify::{SchemeSpec, Signed, VerifySpec};

use property::property_name;
use toml::de::DeTable;

use super::file::{Problems, SourceFile};
use super::jq::Code;
use super::table::{Placed, Table};
use crate::time::Zone;
use crate::update::RECORD_ID;

/// A source file. A key that is missing, or wrong, is `None`.
pub(super) struct Spec {
    /// Where its deliveries arrive, without a slash at the end, which makes no difference.
    pub(super) path: Placed<String>,
    pub(super) zone: Option<Placed<Zone>>,
    /// Whether everything is done but the writing.
    pub(super) observe: bool,
    pub(super) verify: VerifySpec,
    pub(super) event: EventSpec,
    pub(super) task: TaskSpec,
    /// In the order of the file, without those whose name is wrong.
    pub(super) properties: Vec<PropertySpec>,
}

/// `[event]`
#[derive(Default)]
pub(super) struct EventSpec {
    pub(super) when: Option<Placed<Code>>,
    pub(super) id: Option<Placed<Code>>,
    pub(super) time: Option<Placed<Code>>,
}

/// `[task]`
#[derive(Default)]
pub(super) struct TaskSpec {
    pub(super) each: Option<Placed<Code>>,
    pub(super) id: Option<Placed<Code>>,
    pub(super) time: Option<Placed<Code>>,
    pub(super) id_property: Option<Placed<String>>,
    pub(super) on_missing: Option<Placed<MissingSpec>>,
    pub(super) updated_at_property: Option<Placed<String>>,
    pub(super) associate: Option<AssociateSpec>,
}

/// Reads a file, with its problems. `None` of a file without a text; and no [`Spec`] of a file that
/// isn't TOML.
pub(super) fn read(file: &SourceFile) -> Option<(Problems<'_>, Option<Spec>)> {
    let text = file.text.as_ref().ok()?;
    let problems = Problems::new(&file.file, text);
    let spec = match DeTable::parse(text) {
        Ok(table) => {
            let root = Table::new(String::new(), 0, table.get_ref(), &problems);
            Some(read_root(&file.name, root))
        }
        Err(error) => {
            let start = error.span().map_or(0, |span| span.start);
            let hint = toml_hint(text, start);
            problems.add(start, format!("not TOML: {}{hint}", error.message()));
            None
        }
    };
    Some((problems, spec))
}

/// What to do about a mistake of TOML that beginners make.
fn toml_hint(text: &str, start: usize) -> &'static str {
    let before = text.get(..start).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |index| index + 1);
    let line = text[line_start..].lines().next().unwrap_or_default();
    let Some((key, value)) = line.split_once('=') else {
        return "";
    };
    if value.trim_start().starts_with(['.', '(', '$']) {
        return "; an expression stands in single quotes, such as '.title'";
    }
    if key.trim().contains(' ') && !key.contains(['"', '\'']) {
        return "; a name with a space stands in quotation marks, such as \"Closed Done\" = \"COMPLETED\"";
    }
    ""
}

fn read_root(name: &str, mut table: Table<'_>) -> Spec {
    let path = read_path(name, &mut table);
    let zone = table.parse("zone", |text| {
        let fix = "write an IANA name such as \"Europe/Berlin\"";
        Zone::named(text).ok_or_else(|| format!("`zone` is {text:?}; {fix}"))
    });
    let observe = table.flag("observe").unwrap_or(false);
    let verify = table.required_table("verify", "it says how deliveries are signed");
    let event = table.table("event");
    let task = table.required_table("task", "it says which task an event updates");
    let properties = table.required_table("properties", "name at least one property to write");
    let spec = Spec {
        path,
        zone,
        observe,
        verify: verify.map(verify::read).unwrap_or_default(),
        event: event.map(read_event).unwrap_or_default(),
        task: task.map(read_task).unwrap_or_default(),
        properties: properties.map(property::read_all).unwrap_or_default(),
    };
    for property in &spec.properties {
        refuse_rule_of_key(&spec.task, property, &table);
    }
    table.finish();
    spec
}

/// Reports `write` of a property by which Taskhook itself finds or guards the task.
fn refuse_rule_of_key(task: &TaskSpec, property: &PropertySpec, table: &Table<'_>) {
    let Some(write) = &property.write else { return };
    let name = &property.name.value;
    for (key, named) in
        [("id_property", &task.id_property), ("updated_at_property", &task.updated_at_property)]
    {
        if matches!(named, Some(named) if named.value == *name) {
            let message =
                format!("`write` of `{name}` has no place: it is the `{key}`; leave it out");
            table.problem_at(write.start, message);
        }
    }
}

/// The path, which is the file's name unless it is written.
fn read_path(name: &str, table: &mut Table<'_>) -> Placed<String> {
    let written = table.text("path");
    let Placed { value, start } =
        written.unwrap_or_else(|| Placed { value: format!("/{name}"), start: 0 });
    let path = value.trim_end_matches('/').to_owned();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/-_.~%".contains(c);
    if !path.starts_with('/') || !path.chars().all(is_plain) {
        table.problem_at(start, format!("`path` is {value:?}; write a path such as \"/tickets\""));
    } else if path == "/health" {
        table.problem_at(start, "`path` \"/health\" is Taskhook's own; choose another");
    }
    Placed { value: path, start }
}

fn read_event(mut table: Table<'_>) -> EventSpec {
    let spec =
        EventSpec { when: table.code("when"), id: table.code("id"), time: table.code("time") };
    table.finish();
    spec
}

fn read_task(mut table: Table<'_>) -> TaskSpec {
    let each = table.code("each");
    let id_why = "an expression that gives the task's unique value, such as '.ticket.id'";
    table.require("id", id_why);
    let id = table.code("id");
    let time = table.code("time");
    let property_why = "the task property with unique values, such as \"zendesk_ticket_id\"";
    table.require("id_property", property_why);
    let id_property = table.parse("id_property", property_name);
    let on_missing = on_missing::read(&mut table);
    let updated_at_property = table.parse("updated_at_property", property_name);
    let creates = matches!(&on_missing, Some(rule) if rule.value.may_create());
    if creates && matches!(&id_property, Some(name) if name.value == RECORD_ID) {
        table.problem(
            "`on_missing` of [task] can't be \"create\" with `id_property = \"hs_object_id\"`: \
             HubSpot gives record ids itself; write \"fail\" or \"skip\"",
        );
    }
    let associate = table.table("associate").map(associate::read);
    table.finish();
    TaskSpec { each, id, time, id_property, on_missing, updated_at_property, associate }
}

impl EventSpec {
    /// Its expressions.
    pub(super) fn codes(&self) -> impl Iterator<Item = &Placed<Code>> {
        [&self.when, &self.id, &self.time].into_iter().flatten()
    }
}

impl TaskSpec {
    /// Its expressions for which task it is, and when it changed.
    pub(super) fn codes(&self) -> impl Iterator<Item = &Placed<Code>> {
        [&self.each, &self.id, &self.time].into_iter().flatten()
    }
}
