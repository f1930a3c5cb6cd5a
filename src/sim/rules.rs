//! An administrator's rules about a property: which values it takes, how it keeps them, and when it
//! has to be set.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::invalid::Invalid;

/// One rule. What it says can be combined; a rule that says nothing has no effect.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Rule {
    /// The property that the rule is about.
    pub property: String,
    /// Takes these characters only.
    pub takes: Option<Characters>,
    /// Refuses these values.
    pub refuses: Vec<String>,
    /// The code of a refused value, in place of the usual one.
    pub code: Option<String>,
    /// The sentence about a refused value, in place of the usual one; `{value}` in it stands for
    /// the value. The usual ones don't name the value.
    pub message: Option<String>,
    /// Keeps values in this form. Unique values are found by it, too.
    pub keeps: Option<Form>,
    /// A task can't be written without the property. HubSpot enforces it from version 2026-09 on.
    pub required: bool,
    /// The property is required only where the task's other properties have these values.
    pub when: BTreeMap<String, String>,
    /// The property is required in older versions, too.
    pub in_every_version: bool,
}

/// The characters that a rule allows.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Characters {
    /// `INVALID_ALPHA`
    Letters,
    /// `INVALID_NUMERIC`
    Digits,
    /// `INVALID_ALPHANUMERIC`
    LettersAndDigits,
}

/// A form that values are brought into before they are kept.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Form {
    /// `007` becomes `7`.
    Number,
    /// Without white space at its ends.
    Trimmed,
    /// `T-1` becomes `t-1`.
    LowerCase,
    /// Without scripts and comments.
    CleanHtml,
}

impl Rule {
    /// Refuses a value that the rule doesn't allow. An empty one clears, and is right.
    pub(super) fn check(&self, value: &str) -> Result<(), Invalid> {
        let allows = match self.takes {
            Some(characters) => value.chars().all(|c| characters.contain(c)),
            None => true,
        };
        if allows && !self.refuses.iter().any(|refused| refused == value) {
            return Ok(());
        }
        let (code, message) = match self.takes {
            Some(characters) => characters.refusal(),
            None => ("INVALID_VALUE", "Enter another value"),
        };
        let code = self.code.as_deref().unwrap_or(code);
        let message = self.message.as_deref().unwrap_or(message).replace("{value}", value);
        Err(Invalid::new(&self.property, code, message))
    }

    /// Whether a task with these values lacks the property.
    pub(super) fn misses<'a>(&self, value: impl Fn(&str) -> Option<&'a str>) -> bool {
        let applies = self.when.iter().all(|(name, expected)| value(name) == Some(expected));
        self.required && applies && value(&self.property).is_none_or(str::is_empty)
    }
}

/// The value as the rules about its property keep it.
pub(super) fn kept(rules: &[Rule], property: &str, value: &str) -> String {
    let mut kept = value.to_owned();
    for rule in rules {
        if let Some(form) = rule.keeps
            && rule.property == property
        {
            kept = form.apply(&kept);
        }
    }
    kept
}

impl Characters {
    fn contain(self, c: char) -> bool {
        match self {
            Self::Letters => c.is_alphabetic(),
            Self::Digits => c.is_ascii_digit(),
            Self::LettersAndDigits => c.is_alphanumeric(),
        }
    }

    /// Code and sentence.
    fn refusal(self) -> (&'static str, &'static str) {
        match self {
            Self::Letters => ("INVALID_ALPHA", "Enter only letters"),
            Self::Digits => ("INVALID_NUMERIC", "Enter only numbers"),
            Self::LettersAndDigits => ("INVALID_ALPHANUMERIC", "Enter only letters and numbers"),
        }
    }
}

impl Form {
    fn apply(self, value: &str) -> String {
        match self {
            Self::Number => {
                value.parse::<f64>().map_or_else(|_| value.into(), |number| number.to_string())
            }
            Self::Trimmed => value.trim().into(),
            Self::LowerCase => value.to_lowercase(),
            Self::CleanHtml => without(&without(value, "<script", "</script>"), "<!--", "-->"),
        }
    }
}

/// The text without everything from each `start` to its `end`.
fn without(text: &str, start: &str, end: &str) -> String {
    let mut clean = String::new();
    let mut rest = text;
    while let Some((before, tail)) = rest.split_once(start) {
        clean.push_str(before);
        rest = tail.split_once(end).map_or("", |(_, after)| after);
    }
    clean + rest
}
