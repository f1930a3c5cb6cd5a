//! A source file of guesses, with comments for whoever goes on.

use super::decisions::DECIDE;
use super::guess::Guess;
use super::page::{Page, expression, one_line, quoted, toml_text};
use super::properties;
use super::verification::Verification;
use crate::text::shorten;

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
    let mut page = Page::default();
    head(&mut page, frame, guess);
    verify(&mut page, frame);
    event(&mut page, guess);
    task(&mut page, frame, guess);
    properties::write(&mut page, guess);
    page.text
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

fn head(page: &mut Page, frame: &Frame<'_>, guess: &Guess) {
    let name = frame.name;
    let (id_property, updated_at) = property_names(name, &guess.kind);
    page.comment(&format!("{name} -> HubSpot tasks"));
    page.line("#");
    page.comment(&format!(
        "Written by `taskhook new {name}`, which guessed by names and values of a payload. What a \
         person has to decide is marked DECIDE; delete these comments as you go."
    ));
    page.line("#");
    let webhook = format!("A webhook to the function's address followed by /{name}.");
    page.labelled("In the sender", &webhook);
    page.labelled("In AWS", &format!("Its secret in Secrets Manager, as taskhook/{name}."));
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
    let kind = &guess.kind;
    page.labelled(
        "In HubSpot",
        &format!("{properties} A task follows the {kind} whose id is in its {id_property}."),
    );
    page.line("#");
    page.comment(&format!(
        "Then: taskhook check {name}; taskhook explain {name} PAYLOAD with more payloads: created, \
         closed, deleted, and something that is no ticket."
    ));
    page.line("");
    page.line(&format!("path = {}", toml_text(&format!("/{name}"))));
    match without_offset(guess) {
        Some(seen) => page.comment(&format!(
            "{DECIDE} the zone of times without an offset, such as {}; for example \
             \"Europe/Berlin\".",
            one_line(&shorten(seen, 40))
        )),
        None => page.comment("The zone of times without an offset, and of dates without a time."),
    }
    page.line("zone = \"UTC\"");
}

/// A time that was seen and has no offset.
fn without_offset(guess: &Guess) -> Option<&str> {
    for found in [&guess.time, &guess.due].into_iter().flatten() {
        let seen = found.seen.as_deref().unwrap_or_default();
        let hours = seen.get(10..).filter(|hours| hours.contains(':'));
        let has_zone = |c: char| "+-".contains(c) || c.is_alphabetic() && c != 'T';
        if hours.is_some_and(|hours| !hours.contains(has_zone)) {
            return Some(seen);
        }
    }
    None
}

fn verify(page: &mut Page, frame: &Frame<'_>) {
    page.line("\n[verify]");
    page.comment(&format!("{DECIDE} the signature. {}", frame.verification.check));
    for (key, value) in &frame.verification.keys {
        // The address ends in the source's path.
        let value = value.replace("/PATH", &format!("/{}", frame.name));
        page.line(&format!("{key} = {}", toml_text(&value)));
    }
    page.line(&format!("secret = {}", toml_text(&format!("taskhook/{}", frame.name))));
    if frame.is_form {
        page.line("form = true");
    }
}

fn event(page: &mut Page, guess: &Guess) {
    page.line("\n[event]");
    match &guess.when {
        Some(when) => {
            let comments = match &guess.without_comments {
                Some(without) => format!(
                    " A comment may come with its ticket: if it does as .comment, write {}.",
                    quoted(without)
                ),
                None => String::new(),
            };
            page.comment(&format!(
                "{DECIDE} which events count. What this expression gives null or false for ends as \
                 `filtered`.{comments}"
            ));
            page.line(&format!("when = {}", expression(when)));
        }
        None if guess.each.is_some() => {
            page.comment("An event of which `each` below gives nothing ends as `filtered`.");
        }
        None => {
            page.comment(&format!("{DECIDE} which events count; without `when` each one does."));
        }
    }
    match &guess.time {
        Some(time) if !guess.is_time_of_item => {
            page.seen(time.seen.as_deref());
            page.line(&format!("time = {}", expression(&time.expression)));
        }
        Some(_) => {}
        None => {
            page.comment(&format!(
                "{DECIDE} whether the event says when the change happened. Without `time` it is \
                 the time of arrival."
            ));
            page.line("# time = '.updated_at'");
        }
    }
}

fn task(page: &mut Page, frame: &Frame<'_>, guess: &Guess) {
    let (id_property, updated_at) = property_names(frame.name, &guess.kind);
    page.line("\n[task]");
    if let Some(each) = &guess.each {
        page.comment(if each.is_joined {
            "The ticket stands at several places: the first of them that an event has. Below, `.` \
             is the ticket, and $event the whole body."
        } else {
            "One update for each output: below, `.` is that, and $event the whole body."
        });
        page.line(&format!("each = {}", expression(&each.expression)));
    }
    if let Some(id) = &guess.id {
        page.seen(id.seen.as_deref());
        if !id.others.is_empty() {
            let others: Vec<_> = id.others.iter().take(4).map(|other| quoted(other)).collect();
            page.comment(&format!(
                "{DECIDE} which id people look for and never changes. Others: {}",
                others.join(", ")
            ));
        }
        page.line(&format!("id = {}", expression(&id.expression)));
    } else {
        page.comment(&format!("{DECIDE} where the ticket's id is; nothing looked like one."));
        page.line("id = '.id'");
    }
    if let Some(time) = guess.time.as_ref().filter(|_| guess.is_time_of_item) {
        page.seen(time.seen.as_deref());
        page.line(&format!("time = {}", expression(&time.expression)));
    }
    page.line(&format!("id_property = {}", toml_text(&id_property)));
    page.comment(
        "No task has this id: \"fail\" reports not_found, \"skip\" passes over it, \"create\" \
         makes a task.",
    );
    page.line("on_missing = \"fail\"");
    let guard = format!("updated_at_property = {}", toml_text(&updated_at));
    if guess.is_partial {
        page.comment(
            "No updated_at_property: an event seems to carry only what changed, and a late one \
             about one field would be dropped because of a newer one about another.",
        );
        page.line(&format!("# {guard}"));
    } else if guess.time.is_none() {
        page.comment("Without a time of the change nothing tells a late event from a new one.");
        page.line(&format!("# {guard}"));
    } else {
        page.comment(
            "An older event that arrives late is dropped as `stale`. Delete this line if events \
             carry only what changed.",
        );
        page.line(&guard);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
