//! The story of the durable mode: HubSpot is down while webhooks come in, and afterwards every task
//! is right.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, bail};
use http::Method;
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use tokio::time::sleep;

use super::sender::Sender;
use super::stage::{PATIENCE, Stage, call, hubspot_calls, kinds, tasks};
use crate::cli::cases::Secrets;
use crate::cli::payload;
use crate::cli::shared;
use crate::cli::terminal::{Progress, green, red, wrap};
use crate::delivery::Delivery;
use crate::queue::{Queue, Received};
use crate::time::Time;
use crate::{aws, outbound};

const TASKS: std::ops::RangeInclusive<u32> = 2001..=2040;
const UNKNOWN_TASK: &str = "T-404";

/// How long the outage lasts at least.
const OUTAGE: Duration = Duration::from_secs(10);

/// The worker's backoff is 5, 10, 20 s: after an outage of 10 s every update has been retried 20 s
/// later.
const THROUGH_WITHIN: Duration = Duration::from_mins(2);

/// The changes of a task, a webhook for each, and the value that the task has afterwards. Each
/// changes something that the others leave alone, so that none can be lost unseen; the subject
/// counts them, so that none can come twice or late unseen.
fn changes() -> [(Value, (&'static str, &'static str)); 5] {
    [
        (json!({"priority": "urgent"}), ("hs_task_priority", "HIGH")),
        (json!({"description": "It rings."}), ("hs_task_body", "It rings.")),
        (json!({"due_at": "2030-01-02T09:00:00Z"}), ("hs_timestamp", "2030-01-02T09:00:00.000Z")),
        (json!({"assignee": {"email": "ada@acme.example"}}), ("hubspot_owner_id", "101")),
        (json!({"status": "solved"}), ("hs_task_status", "COMPLETED")),
    ]
}

/// Takes HubSpot down, sends webhooks, takes it up again, and judges every task, every write and
/// the dead letter.
pub(super) async fn tell(stage: &Stage) -> Result<()> {
    let sources = payload::read_sources(&stage.sources)?;
    stage.show_functions();
    let sender = Sender::new(stage, &sources, "tickets").context(
        "The outage needs sources/tickets.toml; `make demo MODE=direct` does without it",
    )?;
    let secrets = Secrets::read(Path::new("events"))?;
    create_tasks(stage, secrets.named("taskhook/hubspot")?.expose_secret()).await?;
    let webhooks = webhooks(&sender)?;
    println!(
        "\nHubSpot answers every call with 503. Meanwhile {} webhooks come in: {} for each of {} \
         tasks in turn,\n\
         and 1 for an unknown task.\n",
        webhooks.len(),
        changes().len(),
        TASKS.count()
    );
    let faults = format!("{}/_sim/faults", stage.hubspot);
    call(Method::POST, &faults, None, Some(&json!({"status": 503, "forever": true}))).await?;
    call(Method::DELETE, &format!("{}/_sim/calls", stage.hubspot), None, None).await?;
    let queues = Queues::connect(stage);
    let begin = Instant::now();
    let happened = |what: String| {
        let head = format!("{:6.1} s  ", begin.elapsed().as_secs_f64());
        println!("{}", wrap(&head, &what));
    };

    let took = send(stage, &sender, webhooks).await?;
    happened(format!(
        "{} webhooks acknowledged with 202: median {} ms, longest {} ms",
        took.len(),
        took[took.len() / 2].as_millis(),
        took.last().map_or(0, Duration::as_millis),
    ));
    queues.watch("HubSpot is down", |_| begin.elapsed() >= OUTAGE, None).await?;
    let refused = hubspot_calls(stage).await?.len();
    call(Method::DELETE, &faults, None, None).await?;
    let is_back = Instant::now();
    let waiting = queues.updates.depth().await?;
    happened(format!(
        "HubSpot is back: it has refused {refused} calls, and {waiting} updates wait"
    ));
    queues.watch("HubSpot is back", |depth| depth == 0, Some(THROUGH_WITHIN)).await?;
    let calls = hubspot_calls(stage).await?.split_off(refused);
    happened(format!(
        "everything is through, {:.1} s later, with {} calls: {}",
        is_back.elapsed().as_secs_f64(),
        calls.len(),
        kinds(&calls)
    ));
    println!();
    judge(&tasks(stage).await?, &calls, &queues.letters().await?)
}

fn task_id(number: u32) -> String {
    format!("T-{number}")
}

fn subject(count: usize) -> String {
    format!("{count} of {}", changes().len())
}

async fn create_tasks(stage: &Stage, token: &str) -> Result<()> {
    let mut inputs = Vec::new();
    for id in TASKS.map(task_id) {
        let due = "2029-12-31T09:00:00.000Z";
        let properties =
            json!({"ticket_id": id, "hs_task_subject": subject(0), "hs_timestamp": due});
        inputs.push(json!({ "properties": properties }));
    }
    let url = format!("{}/crm/objects/2026-03/tasks/batch/create", stage.hubspot);
    call(Method::POST, &url, Some(token), Some(&json!({ "inputs": inputs }))).await?;
    Ok(())
}

/// The signed webhooks: the first of each task, then the second of each, and so on.
fn webhooks(sender: &Sender<'_>) -> Result<Vec<Delivery>> {
    let mut at = Time::now().milliseconds() - 3_600_000;
    let mut webhooks = Vec::new();
    for (index, (change, _)) in changes().iter().enumerate() {
        let mut ids: Vec<_> = TASKS.map(task_id).collect();
        if index == 0 {
            ids.push(UNKNOWN_TASK.to_owned());
        }
        for id in ids {
            let time = Time::from_milliseconds(at).to_string();
            let mut ticket = json!({"id": id, "updated_at": time, "subject": subject(index + 1)});
            for (name, value) in change.as_object().into_iter().flatten() {
                ticket[name] = value.clone();
            }
            let body =
                json!({"type": "ticket.updated", "timestamp": time, "data": {"ticket": ticket}});
            webhooks.push(sender.webhook(&format!("msg_{id}_{index}"), &body)?);
            at += 1000;
        }
    }
    Ok(webhooks)
}

/// Posts the webhooks one after the other. Returns how long each took, the shortest first.
async fn send(
    stage: &Stage,
    sender: &Sender<'_>,
    webhooks: Vec<Delivery>,
) -> Result<Vec<Duration>> {
    let total = webhooks.len();
    let mut progress = Progress::new();
    let mut times = Vec::new();
    for webhook in webhooks {
        progress.show(&format!("webhook {} of {total}", times.len() + 1));
        let begin = Instant::now();
        let (status, text) = sender.post(webhook).await?;
        times.push(begin.elapsed());
        if status != http::StatusCode::ACCEPTED {
            let logs = stage.logs.join(", ");
            bail!(
                "A webhook is answered with {status}, not 202: {text}. The functions' log: {logs}."
            );
        }
    }
    times.sort_unstable();
    Ok(times)
}

/// The two queues.
struct Queues {
    updates: Queue,
    dead_letters: Queue,
}

impl Queues {
    fn connect(stage: &Stage) -> Self {
        let sqs = aws::sqs(&stage.aws(), outbound::client(true));
        Self {
            updates: Queue::new(sqs.clone(), &stage.updates),
            dead_letters: Queue::new(sqs, &stage.dead_letters),
        }
    }

    /// Shows the number of updates until `is_over` says that it is reached. Fails after `limit`.
    async fn watch(
        &self,
        what: &str,
        is_over: impl Fn(u64) -> bool,
        limit: Option<Duration>,
    ) -> Result<()> {
        let begin = Instant::now();
        let mut progress = Progress::new();
        loop {
            let depth = self.updates.depth().await?;
            if is_over(depth) {
                return Ok(());
            }
            let took = begin.elapsed();
            if limit.is_some_and(|limit| took > limit) {
                let seconds = took.as_secs();
                return Err(anyhow!(
                    "{what}, and {depth} updates are still in the queue after {seconds} s."
                ));
            }
            progress.show(&format!(
                "{what}: {:.0} s, {depth} updates in the queue",
                took.as_secs_f64()
            ));
            sleep(Duration::from_millis(200)).await;
        }
    }

    /// The dead letters, which stay in their queue.
    async fn letters(&self) -> Result<Vec<Value>> {
        let mut received = Vec::new();
        self.dead_letters.receive(PATIENCE, &mut received, |_| {}).await?;
        let all: Vec<&Received> = received.iter().collect();
        self.dead_letters.release(&all, tokio::time::Instant::now() + PATIENCE).await;
        let mut letters = Vec::new();
        for letter in &received {
            letters.push(serde_json::from_str(&letter.text).unwrap_or_default());
        }
        Ok(letters)
    }
}

/// Shows whether everything is as it must be.
fn judge(tasks: &[Value], calls: &[Value], letters: &[Value]) -> Result<()> {
    let mut verdict = Verdict::default();
    let (all, count) = (TASKS.count(), changes().len());
    let differing = differing(tasks);
    let right = all - differing.len();
    verdict.add(
        differing.is_empty(),
        format!(
            "nothing lost: {right} of {all} tasks have what each of their {count} webhooks said"
        ),
        &differing,
    );

    let mut writes = 0;
    let mut mixed_up = Vec::new();
    for (task, subjects) in subjects_written(calls) {
        writes += subjects.len();
        if !subjects.is_sorted_by(|one, next| one < next) {
            mixed_up.push(format!("{task}: {subjects:?}"));
        }
    }
    verdict.add(
        mixed_up.is_empty(),
        format!(
            "nothing twice, nothing late: {writes} writes, each newer than the task's last one"
        ),
        &mixed_up,
    );

    let is_expected =
        |letter: &Value| letter["reason"] == "not_found" && letter["update"]["id"] == UNKNOWN_TASK;
    verdict.add(
        letters.len() == 1 && letters.iter().all(is_expected),
        format!("dead letters: {}, for the unknown task, as it must be", letters.len()),
        letters,
    );
    for (name, value) in letters.first().and_then(Value::as_object).into_iter().flatten() {
        println!("{}", wrap(&format!("    {name:<8}  "), &value.to_string()));
    }
    if verdict.wrong.is_empty() { Ok(()) } else { Err(shared::join(&verdict.wrong)) }
}

/// The sentences that turned out wrong, with their details.
#[derive(Default)]
struct Verdict {
    wrong: Vec<String>,
}

impl Verdict {
    /// Shows whether a sentence is right.
    fn add<D: Display>(&mut self, is_right: bool, sentence: String, details: &[D]) {
        println!("{} {sentence}", if is_right { green("✓") } else { red("✗") });
        if is_right {
            return;
        }
        self.wrong.push(sentence);
        self.wrong.extend(details.iter().map(|detail| format!("    {detail}")));
    }
}

/// The tasks that lack a change.
fn differing(tasks: &[Value]) -> Vec<String> {
    let last_subject = subject(changes().len());
    let mut differing = Vec::new();
    for id in TASKS.map(task_id) {
        let task = tasks.iter().find(|task| task["properties"]["ticket_id"] == id.as_str());
        let properties = task.map_or(&Value::Null, |task| &task["properties"]);
        let has_all = changes().iter().all(|(_, (name, value))| properties[*name] == *value);
        if !has_all || properties["hs_task_subject"] != last_subject.as_str() {
            differing.push(format!("{id}: {properties}"));
        }
    }
    differing
}

/// The subjects that HubSpot took for each task, in order.
fn subjects_written(calls: &[Value]) -> BTreeMap<String, Vec<String>> {
    let mut written: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for call in calls {
        let path = call["path"].as_str().unwrap_or_default();
        let status = call["status"].as_u64().unwrap_or_default();
        if !path.ends_with("/batch/update") || !(200..300).contains(&status) {
            continue;
        }
        for input in call["body"]["inputs"].as_array().into_iter().flatten() {
            let id = input["id"].as_str().unwrap_or_default();
            let subject = input["properties"]["hs_task_subject"].as_str().unwrap_or_default();
            written.entry(id.to_owned()).or_default().push(subject.to_owned());
        }
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_hubspot_took_counts_as_written() {
        let update = |status, subject: &str| {
            let inputs = json!([{"id": "T-1", "properties": {"hs_task_subject": subject}}]);
            json!({"path": "/crm/objects/2026-03/tasks/batch/update", "status": status, "body": {"inputs": inputs}})
        };
        let calls = [update(503, "1 of 5"), update(200, "1 of 5"), update(207, "3 of 5")];
        assert_eq!(subjects_written(&calls)["T-1"], ["1 of 5", "3 of 5"]);
    }
}
