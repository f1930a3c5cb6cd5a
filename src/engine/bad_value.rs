//! Values that HubSpot refuses: which rows carry them, and the reason in words of ours. Pure.

use std::collections::BTreeSet;

use crate::hubspot::Complaint;
use crate::outcome::{FailReason, Outcome};
use crate::text::cut;

/// The texts before and after a value in a message about it.
const AROUND_VALUE: [(&str, &str); 6] = [
    ("", " was not one of the allowed options"),
    ("", " was not a valid "),
    ("", " is not a valid "),
    ("", " is at "),
    ("Owner ", " does not exist"),
    ("\"", "\" includes leading or trailing whitespace"),
];

/// How much of a value a detail shows, in characters.
const SHOWN: usize = 60;

/// Why a row is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Blame {
    pub(super) reason: FailReason,
    pub(super) detail: String,
    /// The properties whose values are refused; none where HubSpot names none.
    pub(super) properties: BTreeSet<String>,
}

impl Blame {
    /// A refusal that names no property.
    pub(super) fn new(reason: FailReason, detail: String) -> Self {
        Self { reason, detail, properties: BTreeSet::new() }
    }

    /// Whether this property is all that is refused.
    pub(super) fn is_about(&self, property: &str) -> bool {
        self.properties.len() == 1 && self.properties.contains(property)
    }

    /// The outcome of a row that is refused so.
    pub(super) fn outcome(&self) -> Outcome {
        Outcome::Failed(self.reason, self.detail.clone())
    }
}

/// An error of HubSpot's about a property value.
#[derive(Debug)]
pub(super) struct BadValue {
    pub(super) property: String,
    code: String,
    message: String,
    /// The value, where HubSpot gives it besides the message.
    value: Option<String>,
}

/// The rows that an error is about, among those that carry its property.
pub(super) enum About<'v> {
    /// These, with their values.
    Rows(Vec<(usize, &'v str)>),
    /// Rows with the same value of a unique property: the first may be right, and these are the
    /// others.
    Twins(Vec<usize>),
    /// Nobody says.
    Nobody,
}

/// The errors about property values: from the list inside of the message, and from `errors[]`.
/// Either can name a property that the other lacks.
pub(super) fn bad_values(complaint: &Complaint) -> Vec<BadValue> {
    let mut values = Vec::new();
    for entry in complaint.all().into_iter().flat_map(Complaint::listed) {
        let text = |name: &str| entry[name].as_str().unwrap_or_default().to_owned();
        values.push(BadValue {
            property: text("name"),
            code: text("error"),
            message: text("message"),
            value: entry["propertyValue"].as_str().map(str::to_owned),
        });
    }
    let key =
        |value: &BadValue| (value.property.clone(), value.code.clone(), value.message.clone());
    let mut known: BTreeSet<_> = values.iter().map(key).collect();
    for error in complaint.all() {
        for name in ["propertyName", "propertyNames"] {
            for property in error.context(name) {
                let value = BadValue {
                    property: property.clone(),
                    code: error.code.clone(),
                    message: error.message.clone(),
                    value: None,
                };
                if known.insert(key(&value)) {
                    values.push(value);
                }
            }
        }
    }
    values
}

impl BadValue {
    /// The rows that this error is about, among those that carry its property, which are given with
    /// their values.
    pub(super) fn about<'v>(&self, carrying: &[(usize, &'v str)]) -> About<'v> {
        let reason = self.reason();
        // The property is at fault, whatever its value.
        if matches!(reason, FailReason::UnknownProperty | FailReason::ReadOnlyProperty) {
            return About::Rows(carrying.to_vec());
        }
        let mut named = self.find_named(carrying);
        if named.is_empty() {
            // With a single value there is no doubt which.
            let Some((_, value)) = carrying.first() else { return About::Nobody };
            if carrying.iter().any(|(_, other)| other != value) {
                return About::Nobody;
            }
            named = carrying.to_vec();
        }
        if reason == FailReason::Conflict && named.len() > 1 {
            return About::Twins(named.iter().skip(1).map(|(row, _)| *row).collect());
        }
        About::Rows(named)
    }

    /// The rows whose value the message names. The longest value is the one that is meant, because
    /// `x was not a valid long` begins with `x`, too.
    fn find_named<'v>(&self, carrying: &[(usize, &'v str)]) -> Vec<(usize, &'v str)> {
        let mut longest = None;
        let mut named = Vec::new();
        for (row, value) in carrying {
            let length = self.named_length(value);
            if length > longest {
                longest = length;
                named.clear();
            }
            if length.is_some() && length == longest {
                named.push((*row, *value));
            }
        }
        named
    }

    /// How much of a value the message names, in bytes: the whole value, or one of its parts where
    /// it is several checkboxes. `None` where it names nothing of it.
    fn named_length(&self, value: &str) -> Option<usize> {
        #[cfg(test)]
        COMPARED.with(|compared| compared.set(compared.get() + 1));
        if let Some(named) = &self.value {
            let is_named = value == named || value.split(';').any(|part| part == named);
            return is_named.then_some(named.len());
        }
        let mut longest = None;
        for part in std::iter::once(value).chain(value.split(';')) {
            if self.names(part) {
                longest = longest.max(Some(part.len()));
            }
        }
        // The sentence may show the value in another form.
        let is_unquoted = self.is_about_space() && !self.message.starts_with('"');
        if longest.is_none() && is_unquoted && value.split(';').any(has_outer_space) {
            return Some(0);
        }
        longest
    }

    /// Whether the message names this value.
    fn names(&self, value: &str) -> bool {
        for (before, after) in AROUND_VALUE {
            let Some(rest) = self.message.strip_prefix(before) else { continue };
            if rest.strip_prefix(value).is_some_and(|rest| rest.starts_with(after)) {
                return true;
            }
        }
        let Some((_, given)) = self.message.split_once(", value=") else { return false };
        !value.is_empty() && given.strip_prefix(value).is_some_and(|rest| rest.starts_with('}'))
    }

    fn is_about_space(&self) -> bool {
        self.code == "LEADING_TRAILING_WHITESPACE"
            || self.message.contains("leading or trailing whitespace")
    }

    pub(super) fn reason(&self) -> FailReason {
        let message = &self.message;
        match self.code.as_str() {
            "PROPERTY_DOESNT_EXIST" => FailReason::UnknownProperty,
            "READ_ONLY_VALUE" => FailReason::ReadOnlyProperty,
            "CONFLICTING_UNIQUE_VALUE" => FailReason::Conflict,
            // Of an owner, or anything else that a value names, HubSpot says the same.
            _ if message.starts_with("Property ") && message.ends_with("does not exist") => {
                FailReason::UnknownProperty
            }
            _ if message.contains("its value cannot be set") => FailReason::ReadOnlyProperty,
            _ => FailReason::InvalidValue,
        }
    }

    /// The blame of a row that carries this value.
    pub(super) fn blame(&self, value: &str) -> Blame {
        let property = &self.property;
        let reason = self.reason();
        let detail = match reason {
            FailReason::UnknownProperty => format!("{property}: the portal has no such property"),
            FailReason::ReadOnlyProperty => format!("{property}: it is read-only"),
            FailReason::Conflict => format!("{property}: another task has the value {value}"),
            _ => format!("{property}: {}", self.complaint(value)),
        };
        Blame { reason, detail, properties: [property.clone()].into() }
    }

    /// HubSpot's complaint about a value in our words: `P9 is not one of NONE, LOW, MEDIUM, HIGH`.
    fn complaint(&self, value: &str) -> String {
        let shown = cut(value, SHOWN);
        let code = if self.code.is_empty() { String::new() } else { format!(" ({})", self.code) };
        if value.is_empty() {
            return format!("HubSpot takes no empty value here{code}");
        }
        if self.is_about_space() {
            return format!("{shown:?} has white space around it");
        }
        if let Some((value, options)) =
            self.message.split_once(" was not one of the allowed options: [")
        {
            return format!("{value} is not one of {}", allowed(options));
        }
        if let Some((value, kind)) = self.message.rsplit_once(" was not a valid ") {
            return format!("{value} is not a valid {}", kind.trim_end_matches('.'));
        }
        format!("{shown} is not a valid value{code}")
    }
}

/// Whether a text has white space, or characters that nobody sees, at its ends.
fn has_outer_space(text: &str) -> bool {
    let is_space = |c: char| {
        c.is_whitespace() || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}')
    };
    text.starts_with(is_space) || text.ends_with(is_space)
}

/// The options at the beginning of a text; in older answers each is several lines, of which one is
/// its value.
fn allowed(options: &str) -> String {
    let options = options.rsplit_once(']').map_or(options, |(options, _)| options);
    if !options.starts_with("label: ") {
        return options.to_owned();
    }
    let mut values = Vec::new();
    for option in options.split("value: \"").skip(1) {
        if let Some((value, _)) = option.split_once('"') {
            values.push(value);
        }
    }
    values.join(", ")
}

#[cfg(test)]
thread_local! {
    /// How many values were compared with a message, for the test that says that blame is linear.
    pub(super) static COMPARED: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}
