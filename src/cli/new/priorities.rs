//! Priorities that weren't seen, written as those that were.

use super::vocabulary::{self, Usual};
use super::words::words;

/// Numbered priorities as systems have them: Znuny, Zammad, Azure's severities, `ServiceNow`.
const NUMBERED: [&[&str]; 4] = [
    &["1 very low", "2 low", "3 normal", "4 high", "5 very high"],
    &["1 low", "2 normal", "3 high"],
    &["1 critical", "2 high", "3 medium", "4 low"],
    &["1 critical", "2 high", "3 moderate", "4 low", "5 planning"],
];

/// Words of priorities that belong together, the usual ones last.
const FAMILIES: [&[&str]; 4] = [
    &["critical", "high", "medium", "low"],
    &["urgent", "high", "normal", "low"],
    &["blocker", "critical", "major", "minor", "trivial"],
    &["urgent", "high", "medium", "normal", "low"],
];

/// Priorities that may come besides those that were seen; `None` if it isn't clear how they are
/// written.
pub(super) fn unseen(seen: &[String]) -> Option<Vec<Usual>> {
    if seen.is_empty() {
        return None;
    }
    if seen.iter().all(|value| vocabulary::is_on_scale(value)) {
        return Some(vocabulary::usual_priorities(seen));
    }
    let mut shapes = Vec::new();
    for value in seen {
        shapes.push(shape(value)?);
    }
    let first = shapes.first()?;
    let is_one_shape = |shape: &Shape<'_>| shape.is_like(first);
    if !shapes.iter().all(is_one_shape) {
        return None;
    }
    let mut rows = Vec::new();
    for phrase in family(&shapes)? {
        let given = first.write(phrase);
        let is_seen = seen.iter().any(|value| value.eq_ignore_ascii_case(&given));
        if let Some(written) = vocabulary::priority(phrase)
            && !is_seen
        {
            rows.push(Usual { given, written });
        }
    }
    Some(rows)
}

/// How a priority is written: `3 - Medium` or `Priority/High`.
struct Shape<'v> {
    /// What stands before the word, without a number.
    prefix: &'v str,
    number: Option<char>,
    /// What stands between number and word.
    separator: &'v str,
    word: &'v str,
}

/// The shape of a value that ends in the word of a priority.
fn shape(value: &str) -> Option<Shape<'_>> {
    let number = value.chars().next().filter(char::is_ascii_digit);
    if number.is_some() {
        let rest = &value[1..];
        let word = rest.trim_start_matches(|c: char| !c.is_alphanumeric());
        let separator = &rest[..rest.len() - word.len()];
        let is_numbered = !separator.is_empty() && !word.is_empty();
        return is_numbered.then_some(Shape { prefix: "", number, separator, word });
    }
    let start = value.rfind(|c: char| !c.is_alphanumeric());
    let (prefix, word) =
        value
            .split_at(start.map_or(0, |index| {
                index + value[index..].chars().next().map_or(0, char::len_utf8)
            }));
    let is_known = FAMILIES.iter().any(|family| family.contains(&&*word.to_lowercase()));
    is_known.then_some(Shape { prefix, number: None, separator: "", word })
}

/// The phrases of the first list that has all of the seen ones.
fn family(shapes: &[Shape<'_>]) -> Option<&'static [&'static str]> {
    let lists = if shapes[0].number.is_some() { NUMBERED } else { FAMILIES };
    lists.into_iter().find(|list| {
        let is_listed = |shape: &Shape<'_>| list.contains(&&*shape.phrase());
        shapes.iter().all(is_listed)
    })
}

impl Shape<'_> {
    /// The word in lower case, behind its number.
    fn phrase(&self) -> String {
        let word = words(self.word).join(" ");
        self.number.map_or(word.clone(), |number| format!("{number} {word}"))
    }

    fn is_like(&self, other: &Self) -> bool {
        let is_upper = |shape: &Self| shape.word.starts_with(char::is_uppercase);
        self.prefix == other.prefix
            && self.separator == other.separator
            && self.number.is_some() == other.number.is_some()
            && is_upper(self) == is_upper(other)
    }

    /// Another phrase in this shape.
    fn write(&self, phrase: &str) -> String {
        let (number, word) = match phrase.split_once(' ') {
            Some((number, word)) if self.number.is_some() => (number, word),
            _ => ("", phrase),
        };
        let is_upper = self.word.chars().all(|c| !c.is_lowercase());
        let is_title = self.word.starts_with(char::is_uppercase);
        let mut text = format!("{}{number}{}", self.prefix, self.separator);
        for (index, character) in word.char_indices() {
            let is_capital = is_upper || is_title && index == 0;
            text.push(if is_capital { character.to_ascii_uppercase() } else { character });
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn priorities_are_written_in_the_shape_that_was_seen() {
        let rows = |seen: &[&str]| -> Option<String> {
            let seen: Vec<_> = seen.iter().map(|value| (*value).to_owned()).collect();
            let rows = unseen(&seen)?;
            Some(rows.into_iter().map(|row| row.given).collect::<Vec<_>>().join(", "))
        };
        for (seen, others) in [
            (&["Priority/Critical"][..], "Priority/High, Priority/Medium, Priority/Low"),
            (&["prio:high"], "prio:critical, prio:medium, prio:low"),
            (&["URGENT"], "HIGH, NORMAL, LOW"),
            (&["3 normal", "5 very high"], "1 very low, 2 low, 4 high"),
            (&["2 normal"], "1 low, 3 high"),
            (&["3 - Medium"], "1 - Critical, 2 - High, 4 - Low"),
            (&["P1"], "P0, P2, P3, P4, P5"),
        ] {
            assert_eq!(rows(seen).as_deref(), Some(others), "{seen:?}");
        }
        for seen in [&["Kritisch"][..], &[], &["Priority/High", "low"], &["7 high"], &["high-ish"]]
        {
            assert_eq!(rows(seen), None, "{seen:?}");
        }
    }
}
