//! Warnings about a source file: keys and values that are allowed and most likely not meant, for
//! `taskhook check` alone.
//!
//! Most are found by running an expression on an event that has nothing.

use super::file::SourceFile;
use super::jq::value::{self, string_or_number};
use super::jq::{Code, Trial, Val, syntax};
use super::problem::Warning;
use super::remark::Remark;
use super::spec::{self, PropertySpec, Spec};
use super::table::Placed;
use super::verification;
use crate::update::{When, Write};

/// Named schemes of senders of every kind.
const SEND_ANYTHING: [&str; 2] = ["standard-webhooks", "svix"];

/// The warnings about all files, in their order. A file that isn't TOML has none, but a problem.
#[must_use]
pub fn warnings(files: &[SourceFile]) -> Vec<Warning> {
    files.iter().flat_map(of_file).collect()
}

fn of_file(file: &SourceFile) -> Vec<Warning> {
    let Some((problems, Some(spec))) = spec::read(file) else { return Vec::new() };
    let mut remarks = find_remarks(&spec);
    remarks.sort_by_cached_key(|remark| remark.place(&problems));
    let mut warnings = Vec::new();
    for remark in remarks {
        warnings.push(Warning(problems.at(remark.place(&problems), remark.message)));
    }
    warnings
}

fn find_remarks(spec: &Spec) -> Vec<Remark> {
    let trial = try_all(spec);
    let mut remarks = verification::remarks(&spec.verify);
    remarks.extend(find_dropped_changes(spec).or_else(|| find_tasks_without_subject(spec, &trial)));
    remarks.extend(find_failures(spec, &trial));
    if let Some(id) = &spec.task.id {
        remarks.extend(find_doubtful_id(id, &trial));
    }
    for code in spec.task.codes() {
        remarks.extend(find_needless_default(code, &trial));
    }
    remarks.extend(find_links_of_no_task(spec));
    for property in &spec.properties {
        remarks.extend(find_rule_that_never_writes(spec, property));
        let Some(code) = property.code() else { continue };
        match find_clearing(code, &trial) {
            Some(remark) => remarks.push(remark),
            None => remarks.extend(find_text_of_nothing(property, code, &trial)),
        }
    }
    remarks
}

/// All expressions of the file, and the values that are put into the text of a task's id or of a
/// property, ready to be tried.
fn try_all(spec: &Spec) -> Trial<'_> {
    let mut texts = Vec::new();
    for code in spec.event.codes().chain(spec.task.codes()) {
        texts.push(code.value.as_str());
    }
    if let Some(id) = &spec.task.id {
        texts.extend(syntax::interpolated(id.value.as_str()));
    }
    for property in &spec.properties {
        let Some(code) = property.code() else { continue };
        texts.push(code.value.as_str());
        texts.extend(syntax::interpolated(code.value.as_str()));
    }
    Trial::compile(texts)
}

/// `updated_at_property` for a sender whose events carry only the changed fields.
fn find_dropped_changes(spec: &Spec) -> Option<Remark> {
    let property = spec.task.updated_at_property.as_ref()?;
    let preset = spec.verify.preset()?;
    if !preset.partial_events {
        return None;
    }
    let message = format!(
        "an event of {} carries only what changed, and one that arrives late would be dropped \
         because of a newer one about another field; leave `updated_at_property` out",
        preset.name
    );
    Some(Remark::about(property, message))
}

/// `updated_at_property` with `on_missing` that creates by any event, of a sender that is not known
/// to send whole tickets.
///
/// Whether an event can make a task without a subject is found by trying: a subject that fails
/// where the event lacks it keeps such a task from being made.
fn find_tasks_without_subject(spec: &Spec, trial: &Trial<'_>) -> Option<Remark> {
    let on_missing = spec.task.on_missing.as_ref()?;
    spec.task.updated_at_property.as_ref()?;
    // A row that creates names the event, which is the one that has the subject.
    if !on_missing.value.creates_otherwise() {
        return None;
    }
    let subject = spec.properties.iter().find(|property| property.name.value == "hs_task_subject");
    let subject_code = subject.and_then(PropertySpec::code);
    let mut is_partial = true;
    if let Some(code) = subject_code {
        if trial.fails(code.value.as_str()).is_some() {
            return None;
        }
        is_partial = syntax::uses(code.value.as_str(), &["given"]);
    }
    let sends_whole_tickets = match spec.verify.preset() {
        Some(preset) => !preset.partial_events && !SEND_ANYTHING.contains(&preset.name),
        None => false,
    };
    if sends_whole_tickets && !is_partial {
        return None;
    }
    Some(Remark::about(on_missing, WITHOUT_SUBJECT))
}

const WITHOUT_SUBJECT: &str = "whichever event comes first makes the task, and if it carries only \
     what changed, the task has no subject: the event that has it is older, and dropped as \
     `stale`; if this sender's events don't always carry the whole ticket, leave \
     `updated_at_property` out, or let `when` pass only those that do (`hs_task_subject = '.title \
     | strings // error(\"no title\")'` refuses the others)";

/// `[task.associate]` that links the tasks that a source makes, of one that makes none.
fn find_links_of_no_task(spec: &Spec) -> Option<Remark> {
    let associate = spec.task.associate.as_ref()?;
    let always = matches!(associate.when, Some(Placed { value: When::Always, .. }));
    if always || makes_tasks(spec) {
        return None;
    }
    let start = associate.when.as_ref().map_or(associate.start, |when| when.start);
    Some(Remark::about(&Placed { value: (), start }, NO_TASK_TO_LINK))
}

const NO_TASK_TO_LINK: &str = "only tasks that this source makes are linked, and it makes none: \
     write when = \"always\", or `on_missing` with \"create\"";

/// `write` of a property that is never written by it.
fn find_rule_that_never_writes(spec: &Spec, property: &PropertySpec) -> Option<Remark> {
    let write = property.write.as_ref()?;
    let name = property.name.value.as_str();
    let message = match (write.value?, name) {
        (Write::Create, _) if makes_tasks(spec) => return None,
        (Write::Create, _) => format!(
            "{name} is written only when the task is made, and this source makes none; leave \
             `write` out, or write `on_missing` with \"create\""
        ),
        (Write::Empty, "hs_task_priority") => is_never_empty(name, "NONE"),
        (Write::Empty, "hs_task_status") => is_never_empty(name, "NOT_STARTED"),
        (Write::Empty, _) => return None,
    };
    Some(Remark::about(write, message))
}

fn is_never_empty(name: &str, value: &str) -> String {
    format!(
        "{name} is never empty: HubSpot gives a new task {value}, which is a value, so \"empty\" \
         writes only when the task is made; write \"create\", which says so"
    )
}

fn makes_tasks(spec: &Spec) -> bool {
    spec.task.on_missing.as_ref().is_some_and(|rule| rule.value.may_create())
}

/// `when`, and the expressions that are evaluated after it, if they fail on an event without body,
/// headers and query.
fn find_failures(spec: &Spec, trial: &Trial<'_>) -> Vec<Remark> {
    if let Some(when) = &spec.event.when {
        if let Some(failed) = find_failure(when, FAILED_WHEN, trial) {
            return vec![failed];
        }
        if !trial.passes(when.value.as_str()) {
            return Vec::new();
        }
    }
    let mut failures = Vec::new();
    for code in [&spec.event.id, &spec.event.time, &spec.task.each].into_iter().flatten() {
        failures.extend(find_failure(code, FAILED_LATER, trial));
    }
    failures
}

fn find_failure(code: &Placed<Code>, consequence: &str, trial: &Trial<'_>) -> Option<Remark> {
    let failure = trial.fails(code.value.as_str())?;
    let message = format!(
        "an event that lacks the field or header fails here ({failure}), so it is \
         {consequence}"
    );
    Some(Remark::about(code, message))
}

const FAILED_WHEN: &str = "a failed update and not filtered; write a default, such as (.type // \
     \"\") or ($headers[\"x-event\"] // \"\"), before the function that needs text";

const FAILED_LATER: &str = "a failed update; write a `when` that filters such events, or a `?` \
     or `// empty` where they have nothing";

/// A task's id that an event without its fields, or without one of them, has as well, such as
/// `acme/shop#null`.
///
/// Each value that is put into text is judged by itself, because another one may keep the id from
/// being made. One that uses a variable or a function of the expression can't be.
fn find_doubtful_id(id: &Placed<Code>, trial: &Trial<'_>) -> Option<Remark> {
    let parts = syntax::interpolated(id.value.as_str());
    let text_of = |expression: &str| string_or_number(&trial.gives(expression)?);
    let is_doubtful = |part: &str| match trial.gives(part) {
        Some(Val::Null) => true,
        Some(value) => {
            string_or_number(&value).is_some_and(|text| text.is_empty() || text.contains("null"))
        }
        None => false,
    };
    let finding = match text_of(id.value.as_str()) {
        Some(text) if is_hollow(&text, &parts) => {
            format!("an event without its fields gives the id {text:?}")
        }
        _ => {
            let part = parts.iter().find(|part| is_doubtful(part))?;
            format!("an event that lacks only what `\\{part}` takes has an id all the same")
        }
    };
    Some(Remark::about(
        id,
        format!(
            "{finding}, like that of a real task; write `// empty` into the text, as in \
             \"\\(.repository.full_name // empty)#\\(.number // empty)\", so that such an event is \
             a mapping error"
        ),
    ))
}

/// Whether text that was made on an event without fields has no content of its own: text around
/// values that are not there, or joined of nothing.
fn is_hollow(given: &str, parts: &[&str]) -> bool {
    let has_letters = given.chars().any(char::is_alphanumeric);
    !given.is_empty() && (given.contains("null") || !parts.is_empty() || !has_letters)
}

/// A property that gets text around values that the event lacks, such as `[null] Checkout is down`,
/// or `[?] null`.
///
/// Whole expressions are tried; and each value in a text, unless the expression decides by itself
/// when it is made.
fn find_text_of_nothing(
    property: &PropertySpec,
    code: &Placed<Code>,
    trial: &Trial<'_>,
) -> Option<Remark> {
    let expression = code.value.as_str();
    let is_written_as_given = property.map.is_none() && property.form.is_none();
    let is_constant = serde_json::from_str::<serde_json::Value>(expression.trim()).is_ok();
    if !is_written_as_given || is_constant {
        return None;
    }
    // A value that asks nothing of the event is always there.
    let mut parts = syntax::interpolated(expression);
    parts.retain(|part| part.contains(['.', '$']));
    let finding = match text_given(expression, trial) {
        Some(text) if is_hollow(&text, &parts) => {
            format!("an event without its fields writes {text:?}")
        }
        _ if syntax::uses(expression, &["if", "select", "given", "as"]) => return None,
        _ => {
            let part = parts.iter().find(|part| {
                matches!(trial.gives(part), Some(Val::Null))
                    || text_given(part, trial).is_some_and(|text| text.contains("null"))
            })?;
            format!("an event that lacks only what `\\{part}` takes writes null into the text")
        }
    };
    Some(Remark::about(
        code,
        format!(
            "{finding} over what the task has; begin with what has to be there, as in \
             given(.title) | \"[\\($event.service // \"?\")] \\(.)\", which leaves the property \
             alone where it isn't, or write `// empty` into the text"
        ),
    ))
}

/// The text that an expression writes for an event that has nothing, if it writes any.
fn text_given(expression: &str, trial: &Trial<'_>) -> Option<String> {
    let given = trial.gives(expression)?;
    Some(value::text(&given).ok()??.into_owned())
}

/// `// ""` in an expression of `[task]` that gives empty text by it.
fn find_needless_default(code: &Placed<Code>, trial: &Trial<'_>) -> Option<Remark> {
    let expression = code.value.as_str();
    let offset = syntax::empty_alternative(expression)?;
    let given = string_or_number(&trial.gives(expression)?)?;
    given.is_empty().then(|| Remark::within(code, Some(offset), FAILS))
}

const FAILS: &str = "`// \"\"` only hides that the event lacks the field: empty text is no id, \
     no time and no ticket; leave it out";

/// An expression that clears its property on an event without its fields. A constant is meant to.
///
/// One in a branch that such an event doesn't take, as in `if .a then .b // "" else .c end`, is not
/// found.
fn find_clearing(code: &Placed<Code>, trial: &Trial<'_>) -> Option<Remark> {
    let expression = code.value.as_str();
    let is_constant = matches!(expression.trim(), "\"\"" | "[]");
    if is_constant || !text_given(expression, trial)?.is_empty() {
        return None;
    }
    Some(Remark::within(code, syntax::empty_alternative(expression), CLEARS))
}

const CLEARS: &str = "an event that lacks the field gives empty text here too, which clears the \
     property or writes its `otherwise`; write given(..) around the path and `otherwise` \
     beside it, which change only what the event has empty";
