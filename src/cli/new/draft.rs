//! A source file of guesses, with comments for whoever goes on.

use std::fmt::Write as _;

use super::assignee::Assignee;
use super::guess::Guess;
use super::mapped::Mapped;
use super::verification::Verification;
use super::vocabulary;
use crate::text::shorten;

/// What begins a comment about something that a person decides.
pub(super) const DECIDE: &str = "DECIDE:";

/// The most characters of a line of comment.
const WIDTH: usize = 110;

/// What a file is made of besides its guesses.
pub(super) struct Frame<'f> {
    /// The source's name.
    pub(super) name: &'f str,
    /// Whether the bodies are forms.
    pub(super) is_form: bool,
    pub(super) verification: &'f Verification,
}

/// Writes the file.
pub(super) fn write(frame: &Frame<'_>, guess: &Guess) -> String {
    let mut file = File { text: String::new() };
    head(&mut file, frame, guess);
    verify(&mut file, frame);
    event(&mut file, guess);
    task(&mut file, frame, guess);
    properties(&mut file, guess);
    file.text
}

/// The names of the task properties with the ticket's id and with the time of its last change.
pub(super) fn property_names(name: &str, kind: &str) -> (String, String) {
    let mut base = String::new();
    for character in name.to_lowercase().chars() {
        let is_plain = character.is_ascii_lowercase() || character.is_ascii_digit();
        base.push(if is_plain { character } else { '_' });
    }
    // HubSpot's own names begin so, and a name begins with a letter.
    let is_taken = base.starts_with("hs_") || base.starts_with("hubspot");
    if is_taken || !base.starts_with(|c: char| c.is_ascii_lowercase()) {
        base.insert_str(0, "from_");
    }
    let id = if base.ends_with(kind) { format!("{base}_id") } else { format!("{base}_{kind}") };
    (id, format!("{base}_updated_at"))
}

/// Whether an event that comes late can be told, and has to be dropped.
fn is_guarded(guess: &Guess) -> bool {
    guess.time.is_some() && !guess.is_partial
}

/// The text of the file as far as it is written.
struct File {
    text: String,
}

impl File {
    fn line(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
    }

    /// A comment of as many lines as it takes.
    fn comment(&mut self, comment: &str) {
        let mut line = "#".to_owned();
        for word in comment.split(' ') {
            if line.chars().count() + word.chars().count() >= WIDTH {
                self.line(&line);
                "#".clone_into(&mut line);
            }
            line.push(' ');
            line.push_str(word);
        }
        self.line(&line);
    }
}

fn head(file: &mut File, frame: &Frame<'_>, guess: &Guess) {
    let name = frame.name;
    let (id_property, updated_at) = property_names(name, &guess.kind);
    file.comment(&format!("{name} -> HubSpot tasks"));
    file.line("#");
    file.comment(&format!(
        "Written by `taskhook new {name}`, which guessed by names and values of a payload. What a \
         person has to decide is marked DECIDE; delete these comments as you go."
    ));
    file.line("#");
    file.comment(&format!(
        "In the sender   A webhook to the function's address followed by /{name}."
    ));
    file.comment(&format!("In AWS          Its secret in Secrets Manager, as taskhook/{name}."));
    let properties = if is_guarded(guess) {
        format!(
            "Two properties of tasks: {id_property} (text, unique values) and {updated_at} (date \
             and time). docs/deploy.md says how to create them."
        )
    } else {
        format!(
            "One property of tasks: {id_property} (text, unique values). docs/deploy.md says how \
             to create it."
        )
    };
    file.comment(&format!(
        "In HubSpot      {properties} A task follows a {} once its {id_property} holds the {0}'s \
         id.",
        guess.kind
    ));
    file.line("#");
    file.comment(&format!(
        "Then: taskhook check {name}; taskhook explain {name} PAYLOAD with more payloads: created, \
         closed, deleted, and something that is no ticket."
    ));
    file.line("");
    file.line(&format!("path = {}", toml_text(&format!("/{name}"))));
    file.line("# The zone of times without an offset, and of dates without a time.");
    file.line("zone = \"UTC\"");
}

fn verify(file: &mut File, frame: &Frame<'_>) {
    file.line("\n[verify]");
    file.comment(&format!("{DECIDE} {}", frame.verification.check));
    for (key, value) in &frame.verification.keys {
        // The address ends in the source's path.
        let value = value.replace("/PATH", &format!("/{}", frame.name));
        file.line(&format!("{key} = {}", toml_text(&value)));
    }
    file.line(&format!("secret = {}", toml_text(&format!("taskhook/{}", frame.name))));
    if frame.is_form {
        file.line("form = true");
    }
}

fn event(file: &mut File, guess: &Guess) {
    file.line("\n[event]");
    match &guess.when {
        Some(when) => {
            file.comment(&format!(
                "{DECIDE} which events count. What this expression gives null or false for ends as \
                 `filtered`."
            ));
            file.line(&format!("when = {}", expression(when)));
        }
        None if guess.each.is_some() => {
            file.comment("An event of which `each` below gives nothing ends as `filtered`.");
        }
        None => {
            file.comment(&format!("{DECIDE} which events count; without `when` each one does."));
        }
    }
    match &guess.time {
        Some(time) if !guess.is_time_of_item => {
            seen(file, time.seen.as_deref());
            file.line(&format!("time = {}", expression(&time.expression)));
        }
        Some(_) => {}
        None => {
            file.comment(&format!(
                "{DECIDE} whether the event says when the change happened. Without `time` it is \
                 the time of arrival."
            ));
            file.line("# time = '.updated_at'");
        }
    }
}

fn task(file: &mut File, frame: &Frame<'_>, guess: &Guess) {
    let (id_property, updated_at) = property_names(frame.name, &guess.kind);
    file.line("\n[task]");
    if let Some(each) = &guess.each {
        file.comment("One update for each output: below, `.` is that, and $event the whole body.");
        file.line(&format!("each = {}", expression(each)));
    }
    if let Some(id) = &guess.id {
        seen(file, id.seen.as_deref());
        if !id.others.is_empty() {
            let others: Vec<_> = id.others.iter().take(4).map(|other| quoted(other)).collect();
            file.comment(&format!(
                "{DECIDE} which id people look for and never changes. Others: {}",
                others.join(", ")
            ));
        }
        file.line(&format!("id = {}", expression(&id.expression)));
    } else {
        file.comment(&format!("{DECIDE} where the ticket's id is; nothing looked like one."));
        file.line("id = '.id'");
    }
    if let Some(time) = guess.time.as_ref().filter(|_| guess.is_time_of_item) {
        seen(file, time.seen.as_deref());
        file.line(&format!("time = {}", expression(&time.expression)));
    }
    file.line(&format!("id_property = {}", toml_text(&id_property)));
    file.comment("No task has this id: \"fail\" reports not_found, \"skip\" passes over it, \"create\" makes a task.");
    file.line("on_missing = \"fail\"");
    let guard = format!("updated_at_property = {}", toml_text(&updated_at));
    if guess.is_partial {
        file.comment(
            "No updated_at_property: an event seems to carry only what changed, and a late one \
             about one field would be dropped because of a newer one about another.",
        );
        file.line(&format!("# {guard}"));
    } else if guess.time.is_none() {
        file.comment("Without a time of the change nothing tells a late event from a new one.");
        file.line(&format!("# {guard}"));
    } else {
        file.comment(
            "An older event that arrives late is dropped as `stale`. Delete this line if events \
             carry only what changed.",
        );
        file.line(&guard);
    }
}

fn properties(file: &mut File, guess: &Guess) {
    file.line("");
    file.comment(
        "What the task gets. Delete a line and people keep that property to themselves. given(..) \
         with otherwise = \"\": what the ticket has empty is cleared, what the event lacks is left \
         alone.",
    );
    if guess.has_no_empty_field && !guess.is_partial {
        file.comment(&format!(
            "{DECIDE} whether the sender leaves empty fields out: no field of this payload is \
             null. If so, write given({}) | .due in place of given(..), so that a missing field \
             clears.",
            one_line(&guess.ticket)
        ));
    }
    file.line("[properties]");
    file.line("hs_task_type = '\"TODO\"'");
    match &guess.title {
        Some(title) => {
            file.line(&format!("hs_task_subject = {}", expression(&title.expression)));
        }
        None => undecided(file, "where the title is", "hs_task_subject = '.title'"),
    }
    if let Some(text) = &guess.text {
        file.comment("HubSpot shows HTML, hence `html`; it holds 65,536 characters, hence `cut`.");
        let from = expression(&text.expression);
        file.line(&format!("hs_task_body = {{ from = {from}, otherwise = \"\" }}"));
    }
    due(file, guess);
    match &guess.assignee {
        Some(assignee) => owner(file, assignee),
        None => undecided(
            file,
            "where the assignee's e-mail address is",
            "hubspot_owner_id = { owner = 'given(.assignee.email)', otherwise = \"\", unmapped = \
             \"skip\" }",
        ),
    }
    match &guess.status {
        Some(status) => map_status(file, status),
        None => undecided(
            file,
            "where the status is",
            "hs_task_status = { from = '.status', map = { open = \"NOT_STARTED\", closed = \
             \"COMPLETED\" } }",
        ),
    }
    if let Some(priority) = &guess.priority {
        map_priority(file, priority);
    }
}

fn due(file: &mut File, guess: &Guess) {
    let Some(due) = &guess.due else {
        undecided(
            file,
            "where the due date is",
            "hs_timestamp = { from = 'given(.due)', as = \"datetime\", otherwise = \"\" }",
        );
        return;
    };
    let is_date = due.seen.as_ref().is_none_or(|seen| seen.len() == 10 && seen.contains('-'));
    seen(file, due.seen.as_deref());
    if is_date {
        file.comment(
            "A date alone is its midnight in `zone`, and HubSpot calls the task overdue all day. \
             For the end of the working day write at = \"17:00\" after as = \"datetime\".",
        );
    }
    let from = expression(&due.expression);
    file.line(&format!("hs_timestamp = {{ from = {from}, as = \"datetime\", otherwise = \"\" }}"));
}

fn owner(file: &mut File, assignee: &Assignee) {
    let from = expression(&assignee.expression);
    if assignee.is_doubtful {
        file.comment(&format!(
            "{DECIDE} whether this is the assignee's e-mail address: nobody was assigned in the \
             payload."
        ));
    }
    if assignee.is_email {
        file.comment(
            "The owner with this e-mail address; one whom HubSpot doesn't know leaves the owner \
             as it is.",
        );
        file.line(&format!(
            "hubspot_owner_id = {{ owner = {from}, otherwise = \"\", unmapped = \"skip\" }}"
        ));
        return;
    }
    file.comment(&format!(
        "{DECIDE} who is who. The event has no e-mail address of the assignee: match the names \
         with the ids of HubSpot owners by hand, or leave it out."
    ));
    let row = toml_key(&shorten(assignee.seen.as_deref().unwrap_or("ada"), 80));
    file.line(&format!(
        "# hubspot_owner_id = {{ from = {from}, map = {{ {row} = \"101\" }}, otherwise = \"\", \
         unmapped = \"skip\" }}"
    ));
}

fn map_status(file: &mut File, status: &Mapped) {
    file.line("\n[properties.hs_task_status]");
    file.line(&format!("from = {}", expression(&status.found.expression)));
    if status.is_action {
        file.comment(&format!(
            "{DECIDE} nothing looked like a status, so this is what happened to the ticket. Other \
             events leave the task's status alone."
        ));
        file.line("unmapped = \"skip\"");
    } else {
        file.comment(
            "A status that isn't listed fails, so that you notice; unmapped = \"skip\" leaves the \
             task's status alone.",
        );
    }
    file.line("\n[properties.hs_task_status.map]");
    rows(file, status);
    file.comment(&format!(
        "{DECIDE} what else may come; list it as NOT_STARTED, IN_PROGRESS, WAITING, COMPLETED or \
         DEFERRED:"
    ));
    for usual in &status.usual {
        file.line(&format!("# {} = \"{}\"", toml_key(&usual.given), usual.written));
    }
}

fn map_priority(file: &mut File, priority: &Mapped) {
    file.line("\n[properties.hs_task_priority]");
    file.line(&format!("from = {}", expression(&priority.found.expression)));
    file.line("otherwise = \"NONE\"");
    file.comment("A priority that isn't listed leaves the task's as it is.");
    file.line("unmapped = \"skip\"");
    let is_scale = !priority.rows.is_empty()
        && priority.rows.iter().all(|row| vocabulary::is_bare_number(&row.given));
    file.line("\n[properties.hs_task_priority.map]");
    if is_scale {
        file.comment(&format!("{DECIDE} which end of the scale is the urgent one."));
    }
    rows(file, priority);
    file.comment("Not seen:");
    for usual in &priority.usual {
        file.line(&format!("{} = \"{}\"", toml_key(&usual.given), usual.written));
    }
}

/// The rows that were seen.
fn rows(file: &mut File, mapped: &Mapped) {
    for row in &mapped.rows {
        let mut line = format!("{} = \"{}\"", toml_key(&row.given), row.written);
        if !row.is_known {
            let _ = write!(line, "   # {DECIDE} what this is");
        }
        file.line(&line);
    }
}

/// A line that a person may complete.
fn undecided(file: &mut File, what: &str, line: &str) {
    file.comment(&format!("{DECIDE} {what}; nothing looked like it."));
    file.line(&format!("# {line}"));
}

/// A comment with a value of the payload: none that a customer wrote.
fn seen(file: &mut File, seen: Option<&str>) {
    if let Some(seen) = seen {
        file.line(&format!("# Seen: {}", one_line(&shorten(seen, 80))));
    }
}

/// A text within a comment, which is one line.
fn one_line(text: &str) -> String {
    let escaped = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    escaped.collect()
}

fn quoted(expression: &str) -> String {
    format!("'{}'", one_line(expression))
}

/// An expression as TOML: in single quotes, where nothing is escaped, if that is possible.
fn expression(expression: &str) -> String {
    if expression.contains('\'') || expression.contains(char::is_control) {
        return toml_text(expression);
    }
    format!("'{expression}'")
}

/// A text as TOML. <https://toml.io/en/v1.0.0#string>
fn toml_text(text: &str) -> String {
    let mut quoted = "\"".to_owned();
    for character in text.chars() {
        match character {
            '"' | '\\' => {
                quoted.push('\\');
                quoted.push(character);
            }
            c if c.is_control() => {
                let _ = write!(quoted, "\\u{:04X}", u32::from(c));
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

/// A key as TOML.
fn toml_key(key: &str) -> String {
    let is_bare = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
    if !key.is_empty() && key.chars().all(is_bare) { key.to_owned() } else { toml_text(key) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::new::path;

    #[test]
    fn texts_of_strangers_are_quoted() {
        assert_eq!(toml_text("a\"b\\c\nd\u{7f}"), "\"a\\\"b\\\\c\\u000Ad\\u007F\"");
        assert_eq!(toml_key("on hold"), "\"on hold\"");
        assert_eq!(toml_key("on_hold-2"), "on_hold-2");
        assert_eq!(expression(".a"), "'.a'");
        assert_eq!(expression(&format!(".[{}]", path::text("it's"))), "\".[\\\"it's\\\"]\"");
    }

    #[test]
    fn properties_are_named_after_the_source() {
        let id = |name: &str| property_names(name, "ticket").0;
        assert_eq!(id("zammad"), "zammad_ticket");
        assert_eq!(id("Desk-2"), "desk_2_ticket");
        assert_eq!(id("hubspot-tickets"), "from_hubspot_tickets_ticket");
        assert_eq!(id("2nd"), "from_2nd_ticket");
        assert_eq!(id("my_ticket"), "my_ticket_id");
    }
}
