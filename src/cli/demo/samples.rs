//! The story of the direct mode: every sample delivery goes through `cargo lambda invoke`, and its
//! reply is judged.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Stdio;

use anyhow::{Result, anyhow, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::Value;
use tokio::process::Command;
use tokio::time::timeout;

use super::stage::{PATIENCE, Stage, hubspot_calls, kinds, tasks};
use crate::cli::cases;
use crate::cli::shared;
use crate::cli::terminal::{Progress, WIDTH, bold, green, red, wrap};
use crate::text::shorten;

/// How many samples of each kind are shown in full.
const SHOWN: usize = 3;

/// How many changed tasks are shown in full.
const TASKS_SHOWN: usize = 4;

/// A sample and its expected result.
struct Sample {
    name: String,
    source: String,
    file: String,
    expected: Value,
}

/// The reply to a sample.
struct Reply {
    status: u64,
    text: String,
    /// The text, if it is JSON.
    json: Value,
}

/// The judgement of a reply.
struct Verdict {
    /// Samples of one kind look alike, so only some of them are shown.
    kind: &'static str,
    /// The story in words.
    words: String,
    /// The mistakes, if there are any.
    wrong: Option<String>,
}

/// Sends every sample, and shows some of each kind, all that are wrong, and the changes in HubSpot.
pub(super) async fn tell(stage: &Stage) -> Result<()> {
    stage.show_functions();
    let samples = read(Path::new("events"))?;
    let before = tasks(stage).await?;
    let known = keys(&before);
    let width = samples.iter().map(|sample| sample.name.chars().count()).max().unwrap_or_default();
    let mut progress = Progress::new();
    let mut shown: BTreeMap<&str, usize> = BTreeMap::new();
    let mut tickets = BTreeMap::new();
    let mut wrong = Vec::new();
    println!(
        "\nEvery sample delivery goes to the function, as its sender sends it. Some of each kind:\n"
    );
    for (count, sample) in samples.iter().enumerate() {
        progress.show(&format!("sample {} of {}: {}", count + 1, samples.len(), sample.name));
        let reply = invoke(stage, &sample.file).await?;
        for row in reply.rows() {
            if let (Some(record), Some(id)) = (row["recordId"].as_str(), row["id"].as_str()) {
                tickets.insert(record.to_owned(), id.to_owned());
            }
        }
        let verdict = judge(sample, &reply, &known);
        let times = shown.entry(verdict.kind).or_default();
        *times += 1;
        if verdict.wrong.is_some() || *times <= SHOWN {
            progress.show("");
            verdict.print(sample, &reply, width);
        }
        if verdict.wrong.is_some() {
            wrong.push(sample.name.as_str());
        }
    }
    drop(progress);
    let total = samples.len();
    println!("\n{} {} of {total} as expected", green("✓"), total - wrong.len());
    show_tasks(&before, &tasks(stage).await?, &tickets);
    let calls = hubspot_calls(stage).await?;
    println!("\n{}", wrap("", &format!("{} calls to HubSpot: {}", calls.len(), kinds(&calls))));
    if !wrong.is_empty() {
        bail!("Not as expected: {}.", wrong.join(", "));
    }
    Ok(())
}

impl Verdict {
    /// Prints the sample's name in a column of this width, the status, and what happened.
    fn print(&self, sample: &Sample, reply: &Reply, width: usize) {
        let mark = if self.wrong.is_none() { green("✓") } else { red("✗") };
        // The mark takes the place of two spaces: its colour has no width.
        let head = format!("  {:<width$}  {}  ", sample.name, reply.status);
        println!("{mark} {}", wrap(&head, &self.words).trim_start());
        if let Some(why) = &self.wrong {
            println!("{}", wrap(&" ".repeat(width + 9), &red(why)));
        }
    }
}

/// The samples, those of each source in the order in which they happened; those without a time come
/// last.
fn read(events: &Path) -> Result<Vec<Sample>> {
    let mut samples = Vec::new();
    for (source, cases) in cases::read(events)? {
        for case in cases {
            let text = shared::read_text(&case.expected)?;
            let expected = serde_json::from_str(&text)
                .map_err(|error| anyhow!("{} is no JSON: {error}.", case.expected.display()))?;
            let stem = case.event.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            samples.push(Sample {
                name: format!("{source}/{stem}"),
                source: source.clone(),
                file: case.event.display().to_string(),
                expected,
            });
        }
    }
    samples.sort_by_key(|sample| {
        let time = sample.expected["time"].as_str().unwrap_or("~").to_owned();
        (sample.source.clone(), time, sample.name.clone())
    });
    Ok(samples)
}

/// Invokes the function with a sample by `cargo lambda invoke`.
async fn invoke(stage: &Stage, file: &str) -> Result<Reply> {
    let logs = stage.logs.join(", ");
    let answer = answer(stage, file).await.map_err(|why| {
        anyhow!("There is no answer to {file}: {why} The functions' log: {logs}.")
    })?;
    let mut text = answer.body;
    if answer.is_base64_encoded {
        let bytes = STANDARD.decode(&text).unwrap_or_default();
        text = String::from_utf8_lossy(&bytes).into_owned();
    }
    let json = serde_json::from_str(&text).unwrap_or_default();
    Ok(Reply { status: answer.status_code, text, json })
}

/// An answer as Lambda gives it.
/// <https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html#urls-response-payload>
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    status_code: u64,
    #[serde(default)]
    body: String,
    #[serde(default)]
    is_base64_encoded: bool,
}

async fn answer(stage: &Stage, file: &str) -> Result<Answer> {
    let [program, arguments @ ..] = stage.invoke.as_slice() else {
        bail!("the stage names no command to invoke with.");
    };
    let mut command = Command::new(program);
    command.args(arguments).args(["--data-file", file]).stdin(Stdio::null()).kill_on_drop(true);
    let Ok(run) = timeout(PATIENCE, command.output()).await else {
        bail!("none within {} s.", PATIENCE.as_secs());
    };
    let output = run.map_err(|error| anyhow!("{program} can't be started: {error}."))?;
    if let Ok(answer) = serde_json::from_slice(&output.stdout) {
        return Ok(answer);
    }
    let said = if output.stdout.is_empty() { &output.stderr } else { &output.stdout };
    bail!("{}", String::from_utf8_lossy(said).trim())
}

impl Reply {
    /// A row for each update.
    fn rows(&self) -> &[Value] {
        self.json["tasks"].as_array().map_or(&[], Vec::as_slice)
    }
}

/// The keys of all tasks: unique property and value.
fn keys(tasks: &[Value]) -> BTreeSet<(String, String)> {
    let mut keys = BTreeSet::new();
    for task in tasks {
        for (name, value) in task["properties"].as_object().into_iter().flatten() {
            keys.insert((name.clone(), value.as_str().unwrap_or_default().to_owned()));
        }
    }
    keys
}

/// Judges a reply by the expected one. A task is missing if its key is not `known`.
fn judge(sample: &Sample, reply: &Reply, known: &BTreeSet<(String, String)>) -> Verdict {
    let expected = &sample.expected;
    let status = expected["refused"].as_u64().unwrap_or(200);
    let mut problems = Vec::new();
    if reply.status != status {
        problems.push(format!("it must be {status}"));
    }
    let (kind, words) = if status != 200 {
        let why = reply.json["detail"].as_str().unwrap_or(&reply.text);
        ("refused", format!("refused, as it must be: {why}"))
    } else if expected["filtered"] == true {
        // A handshake counts nothing.
        let is_counted = reply.json["filtered"] == 1 || reply.json.get("received").is_none();
        if problems.is_empty() && !is_counted {
            problems.push("it must be filtered".to_owned());
        }
        ("filtered", "filtered: the source's `when` leaves it out".to_owned())
    } else {
        judge_rows(expected, reply.rows(), known, &mut problems)
    };
    let wrong = (!problems.is_empty()).then(|| problems.join("; "));
    Verdict { kind, words, wrong }
}

/// Judges the rows of a reply. Returns its kind and words.
fn judge_rows(
    expected: &Value,
    rows: &[Value],
    known: &BTreeSet<(String, String)>,
    problems: &mut Vec<String>,
) -> (&'static str, String) {
    let updates = expected["updates"].as_array().map_or(0, Vec::len);
    let failures = expected["failed"].as_array().map_or(0, Vec::len);
    if rows.len() != updates + failures {
        problems.push(format!("it must have {} rows", updates + failures));
    }
    let mut words = Vec::new();
    let mut kind = if updates > 1 { "several" } else { "updated" };
    for row in rows {
        let text = |name: &str| row[name].as_str().unwrap_or_default();
        let id = row["id"].as_str().unwrap_or("(no id)");
        let (reason, detail) = (text("reason"), text("detail"));
        match text("outcome") {
            "failed" => {
                let is_missing = !known.contains(&(text("idProperty").to_owned(), id.to_owned()));
                if (reason == "not_found" && is_missing) || failures > 0 {
                    words.push(format!("failed, as it must: {reason}: {detail}"));
                } else {
                    words.push(format!("failed: {reason}: {detail}"));
                    problems.push(format!("{id} must be updated"));
                }
                kind = "failed";
            }
            "retry" => problems.push(format!("{id}: {reason}")),
            outcome => words.push(format!("{outcome} {id}")),
        }
    }
    (kind, words.join(", "))
}

/// Shows how some tasks changed, property by property, and how many did.
fn show_tasks(before: &[Value], after: &[Value], tickets: &BTreeMap<String, String>) {
    let mut changed = 0;
    println!("\n{}\n", bold("What became of the tasks in HubSpot"));
    for task in after {
        let old = before.iter().find(|old| old["id"] == task["id"]);
        let lines =
            changes(old.map_or(&Value::Null, |old| &old["properties"]), &task["properties"]);
        if lines.is_empty() {
            continue;
        }
        changed += 1;
        if changed > TASKS_SHOWN {
            continue;
        }
        let id = task["id"].as_str().unwrap_or_default();
        let ticket = tickets.get(id).map_or("", String::as_str);
        println!("task {id}, which follows {ticket}");
        for line in lines {
            println!("  {}", green(&line));
        }
    }
    if changed > TASKS_SHOWN {
        println!("and {} more of {} tasks", changed - TASKS_SHOWN, after.len());
    }
}

/// A line for each property that a task has other than before.
fn changes(was: &Value, is: &Value) -> Vec<String> {
    let mut names = BTreeSet::new();
    for properties in [was, is] {
        names.extend(properties.as_object().into_iter().flat_map(|all| all.keys()));
    }
    let mut lines = Vec::new();
    for name in names {
        if was[name] != is[name] && name != "hs_lastmodifieddate" {
            lines.push(format!("{name:<18}  {} → {}", shown(&was[name]), shown(&is[name])));
        }
    }
    lines
}

/// The beginning of a value, on one line, so that two of them fit side by side.
fn shown(value: &Value) -> String {
    const ROOM: usize = (WIDTH - 26) / 2;
    match value.as_str() {
        None | Some("") => "(empty)".to_owned(),
        Some(text) => {
            let words: Vec<_> = text.split_whitespace().collect();
            shorten(&words.join(" "), ROOM).into_owned()
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn verdict(expected: &Value, status: u64, reply: &Value) -> Verdict {
        let sample = Sample {
            name: "a/b".to_owned(),
            source: "a".to_owned(),
            file: String::new(),
            expected: expected.clone(),
        };
        let known = BTreeSet::from([("ticket".to_owned(), "7".to_owned())]);
        judge(&sample, &Reply { status, text: reply.to_string(), json: reply.clone() }, &known)
    }

    #[test]
    fn a_failure_is_ticked_only_where_it_must_be() {
        let updates = json!({"updates": [{"id": "7"}]});
        let row = |id: &str, reason: &str| json!({"tasks": [{"id": id, "idProperty": "ticket", "outcome": "failed", "reason": reason}]});
        assert!(verdict(&updates, 200, &row("7", "not_found")).wrong.is_some());
        assert!(verdict(&updates, 200, &row("8", "invalid_value")).wrong.is_some());
        let missing = verdict(&updates, 200, &row("8", "not_found"));
        assert_eq!((missing.wrong, missing.words.starts_with("failed, as it must")), (None, true));
        assert!(verdict(&updates, 503, &json!({})).wrong.is_some());
        assert!(verdict(&json!({"refused": 401}), 200, &json!({})).wrong.is_some());
        assert!(
            verdict(&json!({"filtered": true}), 200, &json!({"received": 1, "filtered": 0}))
                .wrong
                .is_some()
        );
    }
}
