//! The story of the direct mode: every sample delivery goes through `cargo lambda invoke`, and its
//! reply is judged.

use anyhow::{Context as _, Result, anyhow};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Stdio;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use tokio::process::Command;
use tokio::time::timeout;

use super::super::cases;
use super::super::terminal::{Progress, WIDTH, bold, green, red, wrap};
use super::{PATIENCE, Stage, hubspot_calls, kinds, tasks};

/// How many samples of each kind are shown in full.
const SHOWN: usize = 3;

/// How many changed tasks are shown in full.
const TASKS_SHOWN: usize = 4;

/// A sample and what it must give.
struct Sample {
    name: String,
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

/// What became of a sample.
struct Verdict {
    /// Samples of one kind look alike, so only some of them are shown.
    kind: &'static str,
    /// What happened, in words.
    words: String,
    /// What is not as it must be.
    wrong: Option<String>,
}

/// Sends every sample, shows some of each kind, all that are wrong, and what changed in HubSpot.
pub(super) async fn tell(stage: &Stage) -> Result<()> {
    stage.show_functions();
    let samples = read(Path::new("events"))?;
    let before = tasks(stage).await?;
    let known = keys(&before);
    let name_width =
        samples.iter().map(|sample| sample.name.chars().count()).max().unwrap_or_default();
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
        if verdict.wrong.is_none() && *times > SHOWN {
            continue;
        }
        progress.show("");
        let mark = if verdict.wrong.is_none() { green("✓") } else { red("✗") };
        // The mark takes the place of two spaces: its colour has no width.
        let head = format!("  {:<name_width$}  {}  ", sample.name, reply.status);
        println!("{mark} {}", wrap(&head, &verdict.words).trim_start());
        if let Some(why) = verdict.wrong {
            println!("{}", wrap(&" ".repeat(name_width + 9), &red(&why)));
            wrong.push(sample.name.clone());
        }
    }
    drop(progress);
    let total = samples.len();
    println!("\n{} {} of {total} as expected", green("✓"), total - wrong.len());
    show_tasks(&before, &tasks(stage).await?, &tickets);
    let calls = hubspot_calls(stage).await?;
    println!("\n{}", wrap("", &format!("{} calls to HubSpot: {}", calls.len(), kinds(&calls))));
    if wrong.is_empty() { Ok(()) } else { Err(anyhow!("Not as expected: {}.", wrong.join(", "))) }
}

/// The samples, those of each source in the order in which they happened; those without a time come
/// last.
fn read(events: &Path) -> Result<Vec<Sample>> {
    let mut samples = Vec::new();
    for (source, cases) in cases::read(events)? {
        for case in cases {
            let text = std::fs::read_to_string(&case.expected)
                .map_err(|error| anyhow!("{} can't be read: {error}.", case.expected.display()))?;
            let expected = serde_json::from_str(&text)
                .map_err(|error| anyhow!("{} is no JSON: {error}.", case.expected.display()))?;
            let stem = case.event.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            samples.push(Sample {
                name: format!("{source}/{stem}"),
                file: case.event.display().to_string(),
                expected,
            });
        }
    }
    samples.sort_by_key(|sample| {
        let source = sample.name.split('/').next().unwrap_or_default().to_owned();
        let time = sample.expected["time"].as_str().unwrap_or("~").to_owned();
        (source, time, sample.name.clone())
    });
    Ok(samples)
}

/// Invokes the function with a sample by `cargo lambda invoke`.
async fn invoke(stage: &Stage, file: &str) -> Result<Reply> {
    let (program, arguments) =
        stage.invoke.split_first().context("The stage names no command to invoke with.")?;
    let mut command = Command::new(program);
    command.args(arguments).args(["--data-file", file]).stdin(Stdio::null()).kill_on_drop(true);
    let logs = stage.logs.join(", ");
    let no_answer =
        |why: &str| anyhow!("There is no answer to {file}: {why} The functions' log: {logs}.");
    let output = timeout(PATIENCE, command.output()).await;
    let output =
        output.map_err(|_| no_answer(&format!("none within {} s.", PATIENCE.as_secs())))?;
    let output =
        output.map_err(|error| no_answer(&format!("{program} can't be started: {error}.")))?;
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
    let Some(status) = answer["statusCode"].as_u64() else {
        let said = String::from_utf8_lossy(if output.stdout.is_empty() {
            &output.stderr
        } else {
            &output.stdout
        });
        return Err(no_answer(said.trim()));
    };
    let mut text = answer["body"].as_str().unwrap_or_default().to_owned();
    if answer["isBase64Encoded"] == true {
        let bytes = STANDARD.decode(&text).unwrap_or_default();
        text = String::from_utf8_lossy(&bytes).into_owned();
    }
    let json = serde_json::from_str(&text).unwrap_or_default();
    Ok(Reply { status, text, json })
}

impl Reply {
    /// A row for each update.
    fn rows(&self) -> &[Value] {
        self.json["tasks"].as_array().map_or(&[], Vec::as_slice)
    }
}

/// The tasks that there are: unique property and value.
fn keys(tasks: &[Value]) -> BTreeSet<(String, String)> {
    let mut keys = BTreeSet::new();
    for task in tasks {
        for (name, value) in task["properties"].as_object().into_iter().flatten() {
            keys.insert((name.clone(), value.as_str().unwrap_or_default().to_owned()));
        }
    }
    keys
}

/// Holds a reply against what the sample must give.
fn judge(sample: &Sample, reply: &Reply, known: &BTreeSet<(String, String)>) -> Verdict {
    let must_be = sample.expected["refused"].as_u64().unwrap_or(200);
    let wrong = (reply.status != must_be).then(|| format!("it must be {must_be}"));
    if must_be != 200 {
        let why = reply.json["detail"].as_str().unwrap_or(&reply.text);
        return Verdict { kind: "refused", words: format!("refused, as it must be: {why}"), wrong };
    }
    if sample.expected["filtered"] == true {
        let is_filtered =
            reply.json["filtered"].as_u64() == Some(1) || reply.json.get("received").is_none();
        let wrong = wrong.or_else(|| (!is_filtered).then(|| "it must be filtered".to_owned()));
        return Verdict {
            kind: "filtered",
            words: "filtered: the source's `when` leaves it out".to_owned(),
            wrong,
        };
    }
    let expected = sample.expected["updates"].as_array().map_or(&[][..], Vec::as_slice);
    let failures = sample.expected["failed"].as_array().map_or(0, Vec::len);
    let mut problems: Vec<_> = wrong.into_iter().collect();
    if reply.rows().len() != expected.len() + failures {
        problems.push(format!("it must have {} rows", expected.len() + failures));
    }
    let mut words = Vec::new();
    let mut kind = if expected.len() > 1 { "several" } else { "updated" };
    for row in reply.rows() {
        let id = row["id"].as_str().unwrap_or("(no id)");
        let key = (row["idProperty"].as_str().unwrap_or_default().to_owned(), id.to_owned());
        let outcome = row["outcome"].as_str().unwrap_or_default();
        match outcome {
            "failed" => {
                let (reason, detail) =
                    (row["reason"].as_str().unwrap_or_default(), row["detail"].as_str());
                let is_expected = (reason == "not_found" && !known.contains(&key)) || failures > 0;
                if !is_expected {
                    problems.push(format!("{id} must be updated"));
                }
                let as_it_must = if is_expected { "failed, as it must" } else { "failed" };
                words.push(format!("{as_it_must}: {reason}: {}", detail.unwrap_or_default()));
                kind = "failed";
            }
            "retry" => problems.push(format!("{id}: {}", row["reason"])),
            _ => words.push(format!("{outcome} {id}")),
        }
    }
    let wrong = (!problems.is_empty()).then(|| problems.join("; "));
    Verdict { kind, words: words.join(", "), wrong }
}

/// Shows how some tasks changed, property by property, and how many did.
fn show_tasks(before: &[Value], after: &[Value], tickets: &BTreeMap<String, String>) {
    let old: BTreeMap<_, _> =
        before.iter().map(|task| (task["id"].as_str().unwrap_or_default(), task)).collect();
    let mut changed = 0;
    println!("\n{}\n", bold("What became of the tasks in HubSpot"));
    for task in after {
        let id = task["id"].as_str().unwrap_or_default();
        let was = old.get(id).map_or(&Value::Null, |task| &task["properties"]);
        let lines = changes(was, &task["properties"]);
        if lines.is_empty() {
            continue;
        }
        changed += 1;
        if changed <= TASKS_SHOWN {
            let ticket = tickets.get(id).map_or("", String::as_str);
            println!("task {id}, which follows {ticket}");
            for line in lines {
                println!("  {}", green(&line));
            }
        }
    }
    if changed > TASKS_SHOWN {
        println!("and {} more of {} tasks", changed - TASKS_SHOWN, after.len());
    }
}

/// A line for each property that a task has other than before.
fn changes(was: &Value, is: &Value) -> Vec<String> {
    let names: BTreeSet<_> =
        [was, is].into_iter().filter_map(Value::as_object).flat_map(|all| all.keys()).collect();
    let mut lines = Vec::new();
    for name in names {
        let (old, new) =
            (was[name].as_str().unwrap_or_default(), is[name].as_str().unwrap_or_default());
        if old != new && name != "hs_lastmodifieddate" {
            let shown =
                |text: &str| if text.is_empty() { "(empty)".to_owned() } else { short(text) };
            lines.push(format!("{name:<18}  {} → {}", shown(old), shown(new)));
        }
    }
    lines
}

/// The beginning of a text, on one line, so that two of them fit side by side.
fn short(text: &str) -> String {
    const ROOM: usize = (WIDTH - 26) / 2;
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() <= ROOM {
        return line;
    }
    format!("{}…", line.chars().take(ROOM - 1).collect::<String>())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn verdict(expected: &Value, status: u64, reply: &Value) -> Verdict {
        let sample =
            Sample { name: "a/b".to_owned(), file: String::new(), expected: expected.clone() };
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
