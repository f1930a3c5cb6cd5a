//! `[properties]` of a source file of guesses.

use std::fmt::Write as _;

use super::assignee::Assignee;
use super::decisions::DECIDE;
use super::form;
use super::guess::Guess;
use super::mapped::Mapped;
use super::page::{Page, expression, one_line, toml_key};
use super::vocabulary;
use crate::text::shorten;

/// Writes what the task gets.
pub(super) fn write(page: &mut Page, guess: &Guess) {
    page.line("");
    page.comment(
        "What the task gets. Delete a line and people keep that property to themselves. given(..) \
         with otherwise = \"\": what the ticket has empty is cleared, what the event lacks is left \
         alone.",
    );
    if guess.has_no_empty_field && !guess.is_partial {
        // The ticket itself is always there.
        let instead = match guess.ticket.as_str() {
            "." => ".due in place of given(.due)".to_owned(),
            ticket => format!("given({}) | .due in place of given(..)", one_line(ticket)),
        };
        page.comment(&format!(
            "{DECIDE} whether the sender leaves empty fields out: no field of this payload is \
             null. If so, write {instead}, so that a missing field clears."
        ));
    }
    page.line("[properties]");
    page.line("hs_task_type = '\"TODO\"'");
    match &guess.title {
        Some(title) => {
            page.line(&format!("hs_task_subject = {}", expression(&title.expression)));
        }
        None => undecided(page, "where the title is", "hs_task_subject = '.title'"),
    }
    if let Some(text) = &guess.text {
        page.comment("HubSpot shows HTML, hence `html`; it holds 65,536 characters, hence `cut`.");
        let from = expression(&text.expression);
        page.line(&format!("hs_task_body = {{ from = {from}, otherwise = \"\" }}"));
    }
    link(page, guess);
    due(page, guess);
    match &guess.assignee {
        Some(assignee) => owner(page, assignee),
        None => undecided(
            page,
            "where the assignee's e-mail address is",
            "hubspot_owner_id = { owner = 'given(.assignee.email)', otherwise = \"\", unmapped = \
             \"skip\" }",
        ),
    }
    match &guess.status {
        Some(status) => map_status(page, status),
        None => undecided(
            page,
            "where the status is",
            "hs_task_status = { from = '.status', map = { open = \"NOT_STARTED\", closed = \
             \"COMPLETED\" } }",
        ),
    }
    if let Some(priority) = &guess.priority {
        map_priority(page, priority);
    }
}

/// The line that writes a link to the ticket above its text.
fn link(page: &mut Page, guess: &Guess) {
    let Some(link) = &guess.link else { return };
    let url = &link.expression;
    let open = format!("Open the {}</a>", guess.kind);
    let anchor = format!(r#""<a href=\"\({url} // empty | @html)\">{open}"#);
    let from = match &guess.text {
        Some(text) => format!("{anchor}<br>\" + ({})", text.expression),
        None => format!("{anchor}\""),
    };
    page.seen(link.seen.as_deref());
    page.comment("With a link to it above the text, in place of a line for hs_task_body:");
    page.line(&format!("# hs_task_body = {{ from = {}, otherwise = \"\" }}", expression(&from)));
}

fn due(page: &mut Page, guess: &Guess) {
    let Some(due) = &guess.due else {
        undecided(
            page,
            "where the due date is",
            "hs_timestamp = { from = 'given(.due)', as = \"datetime\", otherwise = \"\" }",
        );
        return;
    };
    let is_date = due.seen.as_ref().is_none_or(|seen| seen.len() == 10 && seen.contains('-'));
    page.seen(due.seen.as_deref());
    if is_date {
        page.comment(
            "A date alone is its midnight in `zone`, and HubSpot calls the task overdue all day. \
             For the end of the working day write at = \"17:00\" after as = \"datetime\".",
        );
    }
    let from = expression(&due.expression);
    page.line(&format!("hs_timestamp = {{ from = {from}, as = \"datetime\", otherwise = \"\" }}"));
}

fn owner(page: &mut Page, assignee: &Assignee) {
    let from = expression(&assignee.expression);
    if assignee.is_doubtful {
        page.comment(&format!(
            "{DECIDE} whether this is the assignee's e-mail address: nobody was assigned in the \
             payload."
        ));
    }
    if assignee.is_email {
        page.comment(
            "The owner with this e-mail address; one whom HubSpot doesn't know leaves the owner \
             as it is.",
        );
        page.line(&format!(
            "hubspot_owner_id = {{ owner = {from}, otherwise = \"\", unmapped = \"skip\" }}"
        ));
        return;
    }
    page.comment(&format!(
        "{DECIDE} who is who. The event has no e-mail address of the assignee: match the names \
         with the ids of HubSpot owners by hand, or leave it out."
    ));
    let seen = assignee.seen.as_deref().filter(|seen| !form::is_nobody(seen));
    let row = toml_key(&shorten(seen.unwrap_or("ada"), 80));
    page.line(&format!(
        "# hubspot_owner_id = {{ from = {from}, map = {{ {row} = \"101\" }}, otherwise = \"\", \
         unmapped = \"skip\" }}"
    ));
}

fn map_status(page: &mut Page, status: &Mapped) {
    page.line("\n[properties.hs_task_status]");
    page.line(&format!("from = {}", expression(&status.found.expression)));
    if status.is_action {
        page.comment(&format!(
            "{DECIDE} whether this tells the status. Nothing looked like one, so this is what happened \
             to the ticket; other events leave the task's status alone."
        ));
        page.line("unmapped = \"skip\"");
    } else {
        page.comment(
            "A status that isn't listed fails, so that you notice; unmapped = \"skip\" leaves the \
             task's status alone.",
        );
    }
    page.line("\n[properties.hs_task_status.map]");
    rows(page, status);
    page.comment(&format!(
        "{DECIDE} what other statuses may come; list them as NOT_STARTED, IN_PROGRESS, WAITING, COMPLETED or \
         DEFERRED:"
    ));
    for usual in &status.usual {
        page.line(&format!("# {} = \"{}\"", toml_key(&usual.given), usual.written));
    }
}

fn map_priority(page: &mut Page, priority: &Mapped) {
    page.line("\n[properties.hs_task_priority]");
    page.line(&format!("from = {}", expression(&priority.found.expression)));
    page.line("otherwise = \"NONE\"");
    page.line("unmapped = \"skip\"");
    let is_scale = !priority.rows.is_empty()
        && priority.rows.iter().all(|row| vocabulary::is_bare_number(&row.given));
    page.line("\n[properties.hs_task_priority.map]");
    if is_scale {
        page.comment(&format!("{DECIDE} which end of the scale is the urgent one."));
    }
    rows(page, priority);
    if priority.is_clear {
        page.comment("Not seen. One that isn't listed leaves the task's priority as it is.");
    } else {
        page.comment(&format!(
            "{DECIDE} your other priorities: one that isn't listed leaves the task's as it is, and \
             nothing tells you."
        ));
    }
    // How they are written is a guess, unless that is clear.
    let sign = if priority.is_clear || priority.rows.is_empty() { "" } else { "# " };
    for usual in &priority.usual {
        page.line(&format!("{sign}{} = \"{}\"", toml_key(&usual.given), usual.written));
    }
}

/// The rows that were seen.
fn rows(page: &mut Page, mapped: &Mapped) {
    for row in &mapped.rows {
        let mut line = format!("{} = \"{}\"", toml_key(&row.given), row.written);
        if !row.is_known {
            let _ = write!(line, "   # {DECIDE} what this is");
        }
        page.line(&line);
    }
}

/// A line that a person may complete.
fn undecided(page: &mut Page, what: &str, line: &str) {
    page.comment(&format!("{DECIDE} {what}; nothing looked like it."));
    page.line(&format!("# {line}"));
}
