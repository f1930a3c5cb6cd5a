//! What `new` says about the file that it wrote.

use std::path::{Path, PathBuf};

use super::decisions::{self, Decision};
use super::guess::Guess;
use super::verification::Verification;
use crate::cli::terminal::{bold, table};
use crate::text::shorten;

/// The widest cell of the table, in characters.
const CELL: usize = 60;

/// The guesses as a table, and how much there is to decide.
pub(super) fn guesses(
    guess: &Guess,
    verification: &Verification,
    tried: &str,
    text: &str,
) -> String {
    let mut rows = Vec::new();
    let mut row = |role: &str, expression: Option<&str>, seen: Option<&str>| {
        let expression = expression.unwrap_or("nothing looked like it");
        rows.push([format!("  {role}"), cell(expression), cell(seen.unwrap_or_default())]);
    };
    let found = [
        ("id", &guess.id),
        ("time", &guess.time),
        ("title", &guess.title),
        ("text", &guess.text),
        ("link", &guess.link),
        ("due date", &guess.due),
    ];
    let each = guess.each.as_ref().map(|each| each.expression.as_str());
    row("events", guess.when.as_deref().or(each), None);
    if guess.when.is_some() && each.is_some() {
        row("ticket", each, None);
    }
    for (role, found) in found {
        let found = found.as_ref();
        row(role, found.map(|f| &*f.expression), found.and_then(|f| f.seen.as_deref()));
    }
    for (role, mapped) in [("status", &guess.status), ("priority", &guess.priority)] {
        let mapped = mapped.as_ref();
        let mut pairs = Vec::new();
        for row in mapped.iter().flat_map(|mapped| &mapped.rows) {
            pairs.push(format!("{} = {}", row.given, row.written));
        }
        row(role, mapped.map(|mapped| &*mapped.found.expression), Some(&pairs.join(", ")));
    }
    let assignee = guess.assignee.as_ref();
    row("assignee", assignee.map(|a| &*a.expression), assignee.and_then(|a| a.seen.as_deref()));
    let keys: Vec<_> = verification.keys.iter().map(|(_, value)| value.as_str()).collect();
    row("signature", Some(&keys.join(" ")), None);
    let mut places = Vec::new();
    for Decision { line, what } in decisions::of(text) {
        places.push([format!("  line {line}"), what]);
    }
    format!(
        "{}\n{}\n{tried}\n{}\n{}",
        bold("Guessed, by names and values:"),
        table(&rows),
        bold("What a person has to decide is marked DECIDE in the file:"),
        table(&places)
    )
}

/// The commands that come next.
pub(super) fn next(name: &str, payloads: &[PathBuf]) -> String {
    let payload = payloads.iter().find(|file| file.as_path() != Path::new("-"));
    let payload = payload.map_or("PAYLOAD".to_owned(), |file| file.display().to_string());
    format!(
        "{}\n  taskhook check {name}\n  taskhook explain {name} {payload}\n  taskhook dev\n",
        bold("Next:")
    )
}

fn cell(text: &str) -> String {
    let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    shorten(&line, CELL).into_owned()
}
