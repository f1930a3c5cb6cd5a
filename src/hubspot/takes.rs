//! The values that a property takes, and how HubSpot takes them. Pure.

use serde::{Deserialize, Deserializer};

use crate::text::shorten;
use crate::time::Time;

/// The values that a property takes.
#[derive(Debug)]
pub(super) enum Takes {
    Text,
    Number,
    Date,
    DateTime,
    /// One or several points in time, as milliseconds alone.
    Milliseconds,
    Option(Vec<Choice>),
    Options(Vec<Choice>),
    /// Options that the definition doesn't list, such as owners.
    Unlisted,
}

/// An allowed value. Hidden ones are not told apart: people don't see them, the API takes them.
#[derive(Debug, Deserialize)]
pub(super) struct Choice {
    value: String,
    #[serde(default, deserialize_with = "null_is_default")]
    label: String,
}

/// Why a property doesn't take a value. The rest of a sentence that begins with the property.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotTaken {
    /// With the value and the options, both shortened.
    #[error("{0} is not one of {1}")]
    NotAnOption(String, String),
    /// With the value, shortened, and the form that is wanted.
    #[error("{0} is not {1}")]
    WrongForm(String, &'static str),
}

const DAY: i64 = 24 * 60 * 60 * 1000;

/// How much of a value a failure shows, in characters: enough to recognise it.
const SHOWN: usize = 61;

/// How much room a list of options gets in a failure, in bytes; the summary cuts details at 300
/// characters.
const LIST: usize = 160;

impl Takes {
    /// A value as HubSpot takes it; the error says what is allowed instead. `""` clears, whatever
    /// the property is, and space around a value says nothing where it is not text.
    pub(super) fn normalise(&self, value: &str) -> Result<String, NotTaken> {
        let trimmed = value.trim();
        let (fit, wanted) = match self {
            Self::Text => return Ok(value.to_owned()),
            _ if trimmed.is_empty() => return Ok(String::new()),
            Self::Unlisted => return Ok(trimmed.to_owned()),
            Self::Option(options) => return choose(options, value).map(str::to_owned),
            Self::Options(options) => return choose_several(options, trimmed),
            Self::Number => (number(trimmed), "a number; write plain digits, such as 12 or -0.5"),
            Self::Date => (date(trimmed), "a date; write YYYY-MM-DD (as = \"date\" makes it)"),
            Self::DateTime => (
                instant(trimmed).map(|time| time.to_string()),
                "a time with an offset; write ISO 8601 with Z (as = \"datetime\" makes it), or \
                 milliseconds",
            ),
            Self::Milliseconds => (milliseconds(trimmed), "a time in milliseconds"),
        };
        fit.ok_or_else(|| NotTaken::WrongForm(shorten(trimmed, SHOWN).into_owned(), wanted))
    }
}

impl From<&str> for Choice {
    fn from(value: &str) -> Self {
        Self { value: value.to_owned(), label: String::new() }
    }
}

/// Plain digits, with a sign and a fraction.
fn number(text: &str) -> Option<String> {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let has_digits = !whole.is_empty() || !fraction.is_empty();
    let are_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let is_number = has_digits && are_digits(whole) && are_digits(fraction);
    is_number.then(|| text.trim_start_matches('+').to_owned())
}

/// A point in time that doesn't depend on a time zone. HubSpot takes any number for milliseconds.
fn instant(text: &str) -> Option<Time> {
    if let Ok(milliseconds) = text.parse() {
        return Some(Time::from_milliseconds(milliseconds));
    }
    // `Z`, `UTC`, `GMT` or an offset, after the date.
    let clock = text.get(10..)?;
    if !clock.contains(['Z', 'C', 'G', '+', '-']) {
        return None;
    }
    Time::parse(text).ok()
}

fn date(text: &str) -> Option<String> {
    let is_date = text.len() == 10 && text.contains('-');
    let time = if is_date { Time::parse(text).ok()? } else { instant(text)? };
    if time.milliseconds() % DAY != 0 {
        return None;
    }
    let time = time.to_string();
    let (date, _) = time.split_once('T')?;
    Some(date.to_owned())
}

fn milliseconds(text: &str) -> Option<String> {
    let mut times = Vec::new();
    for part in text.split(';') {
        times.push(instant(part.trim())?.milliseconds().to_string());
    }
    Some(times.join(";"))
}

/// The option that a text means: by its value, else by its label, else by its value in another
/// case.
fn choose<'o>(options: &'o [Choice], text: &str) -> Result<&'o str, NotTaken> {
    for exactly in [text, text.trim()] {
        if let Some(option) = options.iter().find(|option| option.value == exactly) {
            return Ok(&option.value);
        }
    }
    let folded = text.trim().to_lowercase();
    let names: [fn(&Choice) -> &str; 2] = [|option| &option.label, |option| &option.value];
    for name in names {
        let is_meant = |option: &&Choice| name(option).trim().to_lowercase() == folded;
        let mut meant = options.iter().filter(is_meant);
        if let (Some(option), None) = (meant.next(), meant.next()) {
            return Ok(&option.value);
        }
    }
    Err(not_one_of(options, text))
}

/// Several options, joined by `;`. A `;` before them adds them to those that the task has.
fn choose_several(options: &[Choice], text: &str) -> Result<String, NotTaken> {
    let mut chosen = Vec::new();
    for part in text.split(';') {
        if part.trim().is_empty() {
            continue;
        }
        let option = choose(options, part)?;
        if !chosen.contains(&option) {
            chosen.push(option);
        }
    }
    if chosen.is_empty() {
        return Err(not_one_of(options, text));
    }
    let before = if text.starts_with(';') { ";" } else { "" };
    Ok(format!("{before}{}", chosen.join(";")))
}

fn not_one_of(options: &[Choice], text: &str) -> NotTaken {
    NotTaken::NotAnOption(shorten(text.trim(), SHOWN).into_owned(), list(options))
}

/// The values of options, as many as there is room for.
fn list(options: &[Choice]) -> String {
    let mut list = String::new();
    for (count, option) in options.iter().enumerate() {
        if count > 0 {
            if list.len() + option.value.len() > LIST {
                let more = options.len() - count;
                return format!("{list} and {more} more");
            }
            list.push_str(", ");
        }
        list.push_str(&option.value);
    }
    list
}

/// Reads `null` as the default of a type.
pub(super) fn null_is_default<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(
    deserializer: D,
) -> Result<T, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}
