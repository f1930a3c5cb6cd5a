//! The demands that a source file makes on the portal's task properties, with their places, so that
//! it can be held against the portal's definitions.

use super::file::{Problems, SourceFile};
use super::problem::Problem;
use super::spec::{self, Form, PropertySpec};
use super::table::Placed;
use crate::update::{EMAIL, Object, RECORD_ID};

/// One demand that a source file makes on a property.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Demand {
    /// The property.
    pub property: String,
    /// The demand itself.
    pub asks: Asks,
    /// Where the file makes it, as a problem without words.
    place: Problem,
}

/// A demand on a property.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asks {
    /// `id_property`: tasks are told apart by it.
    UniqueValues,
    /// `updated_at_property`: it keeps the newest event time.
    EventTime,
    /// It can be written.
    Writing,
    /// It takes this text: a constant, a value of `map`, or `otherwise`.
    Text(String),
    /// It takes the times that `as = "datetime"` writes.
    DateTime,
    /// It takes the dates that `as = "date"` writes.
    Date,
}

/// A property by which a source file finds the records that tasks are to hang on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkDemand {
    /// What the records are.
    pub object: Object,
    /// The property, which has to have unique values.
    pub property: String,
    /// Where the file names it, as a problem without words.
    place: Problem,
}

/// That a source file makes tasks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Creation {
    /// The properties that a new task may get: the file says how.
    pub gives: Vec<String>,
    /// Where the file says that it makes tasks, as a problem without words.
    place: Problem,
}

impl Demand {
    /// A problem at the place of the demand: what is wrong with it, and what to do.
    #[must_use]
    pub fn problem(&self, message: impl Into<String>) -> Problem {
        Problem { message: message.into(), ..self.place.clone() }
    }
}

impl LinkDemand {
    /// A problem at the place of the demand.
    #[must_use]
    pub fn problem(&self, message: impl Into<String>) -> Problem {
        Problem { message: message.into(), ..self.place.clone() }
    }
}

impl Creation {
    /// A problem at the place where the file says that it makes tasks.
    #[must_use]
    pub fn problem(&self, message: impl Into<String>) -> Problem {
        Problem { message: message.into(), ..self.place.clone() }
    }
}

/// All demands of a file, as far as it can be read.
#[must_use]
pub fn demands(file: &SourceFile) -> Vec<Demand> {
    let Some((problems, Some(spec))) = spec::read(file) else { return Vec::new() };
    let mut demands = Demands { problems: &problems, all: Vec::new() };
    if let Some(name) = &spec.task.id_property
        && name.value != RECORD_ID
    {
        demands.add(&name.value, name.start, Asks::UniqueValues);
    }
    if let Some(name) = &spec.task.updated_at_property {
        demands.add(&name.value, name.start, Asks::EventTime);
    }
    for property in &spec.properties {
        demands.add_property(property);
    }
    demands.all
}

/// The properties by which a file finds other records, but for those that every portal has: the
/// e-mail address of contacts, and the record id.
#[must_use]
pub fn link_demands(file: &SourceFile) -> Vec<LinkDemand> {
    let Some((problems, Some(spec))) = spec::read(file) else { return Vec::new() };
    let mut demands = Vec::new();
    for link in spec.task.associate.iter().flat_map(|associate| &associate.links) {
        let by = &link.by;
        let is_mail = link.to == Object::Contact && by.value == EMAIL;
        if !is_mail && by.value != RECORD_ID {
            let place = problems.at(by.start, "");
            demands.push(LinkDemand { object: link.to, property: by.value.clone(), place });
        }
    }
    demands
}

/// How a file makes tasks; `None` of one that makes none.
#[must_use]
pub fn creation(file: &SourceFile) -> Option<Creation> {
    let (problems, spec) = spec::read(file)?;
    let spec = spec?;
    let on_missing = spec.task.on_missing.as_ref().filter(|rule| rule.value.may_create())?;
    let mut gives = Vec::new();
    for name in [&spec.task.id_property, &spec.task.updated_at_property].into_iter().flatten() {
        gives.push(name.value.clone());
    }
    for property in &spec.properties {
        gives.push(property.name.value.clone());
    }
    Some(Creation { gives, place: problems.at(on_missing.start, "") })
}

/// The demands of a file, collected.
struct Demands<'f> {
    problems: &'f Problems<'f>,
    all: Vec<Demand>,
}

impl Demands<'_> {
    fn add(&mut self, property: &str, start: usize, asks: Asks) {
        let place = self.problems.at(start, "");
        self.all.push(Demand { property: property.to_owned(), asks, place });
    }

    fn add_text(&mut self, property: &str, text: &Placed<String>) {
        self.add(property, text.start, Asks::Text(text.value.clone()));
    }

    /// A property has to take every text that the file alone decides.
    fn add_property(&mut self, property: &PropertySpec) {
        let name = property.name.value.as_str();
        self.add(name, property.name.start, Asks::Writing);
        if property.owner.is_some() {
            // The id of an owner, which HubSpot gives.
        } else if let Some(form) = property.form {
            let asks = match form.value {
                Form::DateTime => Asks::DateTime,
                Form::Date => Asks::Date,
            };
            self.add(name, form.start, asks);
        } else if let Some(rows) = &property.map {
            for row in rows {
                self.add_text(name, &row.text);
            }
        } else if let Some(from) = &property.from
            && let Some(text) = constant(from.value.as_str())
        {
            self.add(name, from.start, Asks::Text(text));
        }
        if let Some(text) = &property.otherwise {
            self.add_text(name, text);
        }
    }
}

/// The text that an expression always gives, if it is a literal of JSON. Other literals of jq are
/// left to their evaluation.
fn constant(expression: &str) -> Option<String> {
    match serde_json::from_str(expression.trim()).ok()? {
        serde_json::Value::String(text) => Some(text),
        serde_json::Value::Bool(flag) => Some(flag.to_string()),
        serde_json::Value::Number(number) if !number.is_f64() => Some(number.to_string()),
        _ => None,
    }
}
