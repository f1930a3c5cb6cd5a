//! What the terminal tells: a line for each delivery, and for each change of a source file.

use serde_json::Value;

use super::desk::Delivered;
use super::shelf::Noticed;
use crate::cli::shared;
use crate::cli::terminal::{bold, green, red};

/// Tells of a delivery: time, source, signature, outcome, task.
pub(super) fn delivery(delivered: &Delivered) {
    let row = &delivered.row;
    let text = |name: &str| clean(row[name].as_str().unwrap_or_default());
    let time = text("time").get(11..19).unwrap_or_default().to_owned();
    let source = if row["source"].is_null() { text("path") } else { text("source") };
    let outcome = match text("outcome").as_str() {
        word @ ("failed" | "refused" | "retry" | "mixed") => red(&format!("{word:<9}")),
        word => green(&format!("{word:<9}")),
    };
    let (status, took) = (&row["status"], &row["ms"]);
    let mut parts = vec![text("task")];
    let what = [text("what"), format!("{took} ms")];
    parts.push(format!(
        "({})",
        what.into_iter().filter(|it| !it.is_empty()).collect::<Vec<_>>().join(", ")
    ));
    parts.retain(|part| !part.is_empty());
    say(&format!(
        "{time}  {source:<12}  {:<9}  {outcome}  {status}  {}",
        text("signature"),
        parts.join("  "),
    ));
}

/// Tells the story of a delivery.
pub(super) fn story(delivered: &Delivered) {
    let story = &delivered.story();
    let text = |value: &Value| clean(value.as_str().unwrap_or_default());
    say(&bold(&text(&story["verdict"]["title"])));
    let detail = text(&story["verdict"]["detail"]);
    if !detail.is_empty() {
        say(&detail);
    }
    for fact in story["facts"].as_array().into_iter().flatten() {
        let mut notes = Vec::new();
        for note in fact["notes"].as_array().into_iter().flatten() {
            let line = note["line"].as_u64().map(|line| format!("line {line} "));
            notes.push(format!("{}{}", line.unwrap_or_default(), text(&note["text"])));
        }
        say(&format!(
            "  {:<10} {}  {}",
            text(&fact["name"]),
            text(&fact["value"]),
            notes.join("; ")
        ));
    }
    for task in story["tasks"].as_array().into_iter().flatten() {
        say(&format!("  the task whose {} is {}", text(&task["idProperty"]), text(&task["id"])));
        for row in task["rows"].as_array().into_iter().flatten() {
            let (before, after) = (text(&row["before"]), text(&row["after"]));
            let what = match row["state"].as_str() {
                Some("change") => format!("{before:?} → {after:?}"),
                Some("same") => format!("{after:?}, as it is"),
                Some("set") => format!("{after:?}"),
                _ => text(&row["reason"]),
            };
            say(&format!("    {:<20} line {:<3} {what}", text(&row["name"]), row["line"]));
        }
    }
}

/// Tells of changed source files.
pub(super) fn noticed(noticed: &[Noticed], is_start: bool) {
    for change in noticed {
        match change {
            Noticed::Good(_) if is_start => {}
            Noticed::Good(name) => say(&format!("{name}.toml was read again: it serves now")),
            Noticed::Gone(name) => say(&format!("{name}.toml is gone")),
            Noticed::Broken(problems, has_good) => {
                for problem in problems {
                    say(&red(&clean(&problem.to_string())));
                }
                if *has_good {
                    say("The last good one serves on.");
                }
            }
        }
    }
}

/// A stranger's text for the terminal: on one line, without what moves the cursor, changes colours or
/// turns the direction of writing.
fn clean(text: &str) -> String {
    let is_harmless = |c: char| {
        !c.is_control()
            && !matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}')
    };
    text.chars().map(|c| if is_harmless(c) { c } else { '\u{fffd}' }).collect()
}

/// Prints a line. Where nobody reads any more, nothing has to be said.
pub(super) fn say(line: &str) {
    _ = shared::print(&format!("{line}\n"));
}
