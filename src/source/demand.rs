//! What a source file asks of the portal's task properties, and where it does, so that it can be
//! held against the portal's definitions.

use super::file;
use super::jq::Expressions;
use super::problem::Problem;
use super::reader::{Found, Reader};
use super::{Input, SourceFile};

/// One thing that a source file asks of a property.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Demand {
    /// The property.
    pub property: String,
    /// What is asked of it.
    pub asks: Asks,
    /// Where the file does, as a problem without words.
    place: Problem,
}

/// What can be asked of a property.
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
    /// It takes what `as = "datetime"` makes.
    DateTime,
    /// It takes what `as = "date"` makes.
    Date,
}

/// A demand on its way: where it stands, of which property, and what.
pub(super) type Noted = (usize, String, Asks);

/// What the steps of a property make of a value, as the file says it.
pub(super) struct Steps<'s> {
    pub(super) from: Option<&'s Found<String>>,
    pub(super) map: Option<&'s [(String, Found<String>)]>,
    /// What the value is, and where `as` says so.
    pub(super) input: Found<Input>,
    pub(super) otherwise: Option<&'s Found<String>>,
}

/// Everything that a file asks, as far as it can be read.
#[must_use]
pub fn demands(file: &SourceFile) -> Vec<Demand> {
    let Ok(text) = &file.text else { return Vec::new() };
    let mut expressions = Expressions::default();
    let mut reader = Reader::new(&file.file, text, &mut expressions);
    file::read(&file.name, &mut reader);
    let noted = reader.finish().demands.into_iter();
    let place = |start| Problem::at(&file.file, text, start, "");
    noted.map(|(start, property, asks)| Demand { property, asks, place: place(start) }).collect()
}

impl Demand {
    /// What is wrong with it, and what to do.
    #[must_use]
    pub fn problem(&self, message: impl Into<String>) -> Problem {
        Problem { message: message.into(), ..self.place.clone() }
    }
}

impl Steps<'_> {
    /// What they ask of the property.
    pub(super) fn demand(&self, property: &str, reader: &mut Reader<'_, '_>) {
        let mut demand = |start, asks| reader.demand(start, property, asks);
        match self.input.value {
            // What comes before these steps is not what is written.
            Input::DateTime(_) => demand(self.input.start, Asks::DateTime),
            Input::Date => demand(self.input.start, Asks::Date),
            Input::Owner => {}
            Input::Text => match (self.map, self.from) {
                (Some(rows), _) => {
                    for (_, text) in rows {
                        demand(text.start, Asks::Text(text.value.clone()));
                    }
                }
                (None, Some(from)) => {
                    if let Some(text) = constant(&from.value) {
                        demand(from.start, Asks::Text(text));
                    }
                }
                (None, None) => {}
            },
        }
        if let Some(text) = self.otherwise {
            demand(text.start, Asks::Text(text.value.clone()));
        }
    }
}

/// What an expression always gives, if it is a literal: those of jq that are not of JSON are left
/// to their evaluation.
fn constant(expression: &str) -> Option<String> {
    match serde_json::from_str(expression.trim()).ok()? {
        serde_json::Value::String(text) => Some(text),
        serde_json::Value::Bool(flag) => Some(flag.to_string()),
        serde_json::Value::Number(number) if !number.is_f64() => Some(number.to_string()),
        _ => None,
    }
}
