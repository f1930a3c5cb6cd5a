//! Values: which ones HubSpot takes for a property, and how it keeps them.

use jiff::{Timestamp, civil::Date};

use super::{invalid::Invalid, property::Property, seed::Owner};

/// Returns the value as HubSpot keeps it. `held` is what the task holds now: a several-checkbox
/// value that begins with `;` is added to it. `""` clears and is always right.
/// How HubSpot shows values is not yet proven: L44, L45, L46, L47, L48, L49.
pub(super) fn accept(
    property: &Property,
    value: &str,
    held: Option<&str>,
    owners: &[Owner],
) -> Result<String, Invalid> {
    let refuse =
        |code, ending: &str| Err(Invalid::new(&property.name, code, format!("{value} {ending}")));
    if value.is_empty() {
        return Ok(String::new());
    }
    if property.kind != "string" && has_white_edge(property, value) {
        return Err(Invalid::white_space(&property.name, value));
    }
    if value.chars().count() > MOST_CHARACTERS {
        return Err(Invalid::too_long(&property.name, MOST_CHARACTERS));
    }
    // Typed as text by HubSpot, but documented as milliseconds.
    if property.name == "hs_task_reminders" && !value.split(';').all(is_whole_number) {
        return refuse("INVALID_LONG", "was not a valid long.");
    }
    match property.kind.as_str() {
        "number" if !is_number(value) => refuse("INVALID_NUMBER", "was not a valid number."),
        "datetime" => match instant(value) {
            Some(instant) => Ok(format!("{instant:.3}")),
            None => refuse("INVALID_LONG", "was not a valid long."),
        },
        "date" => match day(value) {
            Ok(day) => Ok(day.to_string()),
            Err(Some(time)) => refuse("INVALID_DATE", &format!("is at {time} UTC, not midnight!")),
            Err(None) => refuse("INVALID_LONG", "was not a valid long."),
        },
        "enumeration" if property.holds_owner() => {
            let is_known = |owner: &Owner| owner.id == value && !owner.archived;
            let known = owners.is_empty() || owners.iter().any(is_known);
            if is_whole_number(value) && known {
                Ok(value.into())
            } else {
                let message = format!("Owner {value} does not exist");
                Err(Invalid::new(&property.name, "INVALID_OWNER_ID", message))
            }
        }
        "enumeration" | "bool" => match choose(property, value, held) {
            Some(chosen) => Ok(chosen),
            None => refuse("INVALID_OPTION", &allowed(property)),
        },
        _ => Ok(value.into()),
    }
}

/// The options as chosen, or `None` if one of them isn't allowed.
fn choose(property: &Property, value: &str, held: Option<&str>) -> Option<String> {
    let is_listed = |part: &str| property.options.iter().any(|option| option.value == part);
    let is_option = |part: &str| {
        if property.has_external_options() { is_whole_number(part) } else { is_listed(part) }
    };
    if property.field_type != "checkbox" {
        return is_option(value).then(|| value.into());
    }
    let (kept, added) = match value.strip_prefix(';') {
        Some(added) => (held.unwrap_or_default(), added),
        None => ("", value),
    };
    if !added.split(';').all(is_option) {
        return None;
    }
    let mut chosen: Vec<&str> = Vec::new();
    for part in kept.split(';').chain(added.split(';')) {
        if !part.is_empty() && !chosen.contains(&part) {
            chosen.push(part);
        }
    }
    Some(chosen.join(";"))
}

/// Whether the value, or one of several checkboxes, begins or ends with white space or a character
/// that nobody sees.
fn has_white_edge(property: &Property, value: &str) -> bool {
    let is_white = |c: char| c.is_whitespace() || c.is_control() || INVISIBLE.contains(&c);
    let has_edge = |part: &str| part.starts_with(is_white) || part.ends_with(is_white);
    if property.field_type == "checkbox" { value.split(';').any(has_edge) } else { has_edge(value) }
}

fn allowed(property: &Property) -> String {
    let options: Vec<&str> = property.options.iter().map(|o| o.value.as_str()).collect();
    format!("was not one of the allowed options: [{}]", options.join(", "))
}

fn is_number(value: &str) -> bool {
    // Rust's own parser also takes "inf" and "NaN".
    let plain = |c: char| c.is_ascii_digit() || matches!(c, '.' | '-' | '+' | 'e' | 'E');
    value.chars().all(plain) && value.parse::<f64>().is_ok_and(f64::is_finite)
}

fn is_whole_number(value: &str) -> bool {
    !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit())
}

/// ISO 8601 with `Z`, or milliseconds.
fn instant(value: &str) -> Option<Timestamp> {
    if let Ok(milliseconds) = value.parse() {
        return Timestamp::from_millisecond(milliseconds).ok();
    }
    let shape = value.as_bytes().get(10) == Some(&b'T') && value.ends_with('Z');
    shape.then(|| value.parse().ok()).flatten()
}

/// `YYYY-MM-DD`, or milliseconds of midnight UTC; an instant that isn't midnight comes back as its
/// time of day.
fn day(value: &str) -> Result<Date, Option<String>> {
    if let Ok(milliseconds) = value.parse() {
        let instant = Timestamp::from_millisecond(milliseconds).map_err(|_| None)?;
        let utc = instant.to_zoned(jiff::tz::TimeZone::UTC).datetime();
        return match utc.time() {
            time if time == jiff::civil::Time::midnight() => Ok(utc.date()),
            time => Err(Some(time.to_string())),
        };
    }
    let shape = value.len() == 10 && value.as_bytes().get(4) == Some(&b'-');
    shape.then(|| value.parse().ok()).flatten().ok_or(None)
}

/// The longest text that a property takes, in characters.
const MOST_CHARACTERS: usize = 65_536;

/// Characters without a shape that Unicode doesn't count as white space: soft hyphen, Mongolian
/// vowel separator, those of no width, marks of direction, invisible operators, and the byte order
/// mark.
const INVISIBLE: [char; 22] = [
    '\u{ad}', '\u{180e}', '\u{200b}', '\u{200c}', '\u{200d}', '\u{200e}', '\u{200f}', '\u{202a}',
    '\u{202b}', '\u{202c}', '\u{202d}', '\u{202e}', '\u{2060}', '\u{2061}', '\u{2062}', '\u{2063}',
    '\u{2064}', '\u{2066}', '\u{2067}', '\u{2068}', '\u{2069}', '\u{feff}',
];
