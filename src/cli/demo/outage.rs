//! The story of the durable mode: HubSpot is down while webhooks come in, and afterwards every task
//! is right.

use anyhow::{Context as _, Error, Result, anyhow};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use http::Method;
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use tokio::time::sleep;

use super::super::cases::Secrets;
use super::super::payload;
use super::super::terminal::{Progress, green, red, wrap};
use super::{PATIENCE, Stage, call, hubspot_calls, kinds, tasks};
use crate::delivery::Delivery;
use crate::queue::{Queue, Received};
use crate::source::Source;
use crate::time::Time;
use crate::{aws, outbound};

const TASKS: std::ops::RangeInclusive<u32> = 2001..=2040;
const UNKNOWN_TASK: &str = "T-404";

/// How long the outage lasts at least.
const OUTAGE: Duration = Duration::from_secs(10);

/// The worker's backoff is 5, 10, 20 s: after an outage of 10 s everything has come back 20 s
/// later.
const THROUGH_WITHIN: Duration = Duration::from_mins(2);

/// What the webhooks of a task say, one after the other, and what the task then has. Each changes
/// something that the others leave alone, so that none can be lost unseen; the subject counts them,
/// so that none can come twice or late unseen.
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
    let source = payload::source(&sources, "tickets").map_err(|_| {
        anyhow!("The outage needs sources/tickets.toml; `make demo MODE=direct` does without it.")
    })?;
    let secrets = Secrets::read(Path::new("events"))?;
    create_tasks(stage, secrets.named("taskhook/hubspot")?.expose_secret()).await?;
    let webhooks = webhooks(source, &secrets)?;
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

    let took = send(stage, &webhooks).await?;
    happened(format!(
        "{} webhooks acknowledged with 202: median {} ms, longest {} ms",
        webhooks.len(),
        took[took.len() / 2].as_millis(),
        took.last().map_or(0, Duration::as_millis),
    ));
    queues.watch("HubSpot is down", |_| begin.elapsed() >= OUTAGE, None).await?;
    let refused = hubspot_calls(stage).await?.len();
    call(Method::DELETE, &faults, None, None).await?;
    let is_back = Instant::now();
    let waiting = queues.updates.depth().await.map_err(Error::msg)?;
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
    let input = |number| {
        json!({"properties": {
            "ticket_id": task_id(number), "hs_task_subject": subject(0), "hs_timestamp": "2029-12-31T09:00:00.000Z",
        }})
    };
    let inputs: Vec<_> = TASKS.map(input).collect();
    let url = format!("{}/crm/objects/2026-03/tasks/batch/create", stage.hubspot);
    call(Method::POST, &url, Some(token), Some(&json!({"inputs": inputs}))).await.map(|_| ())
}

/// The signed webhooks: the first of each task, then the second of each, and so on.
fn webhooks(source: &Source, secrets: &Secrets) -> Result<Vec<Delivery>> {
    let secrets = secrets.of_source(source)?;
    let secret = secrets.first().context("events/secrets.json has no secret for tickets")?;
    let now = Time::now();
    let first = now.milliseconds() - 3_600_000;
    let mut webhooks = Vec::new();
    for (index, (change, _)) in changes().iter().enumerate() {
        let mut ids: Vec<_> = TASKS.map(task_id).collect();
        if index == 0 {
            ids.push(UNKNOWN_TASK.to_owned());
        }
        for id in ids {
            let place = i64::try_from(webhooks.len()).unwrap_or_default();
            let at = Time::from_milliseconds(first + 1000 * place).to_string();
            let mut ticket = json!({"id": id, "updated_at": at, "subject": subject(index + 1)});
            for (name, value) in change.as_object().into_iter().flatten() {
                ticket[name] = value.clone();
            }
            let body =
                json!({"type": "ticket.updated", "timestamp": at, "data": {"ticket": ticket}});
            let mut delivery = payload::post(source.path.clone(), now);
            delivery.body = body.to_string().into();
            payload::insert(&mut delivery.headers, "content-type", "application/json")?;
            payload::insert(&mut delivery.headers, "webhook-id", &format!("msg_{id}_{index}"))?;
            source.verify.scheme.sign(&mut delivery, secret).map_err(Error::msg)?;
            webhooks.push(delivery);
        }
    }
    Ok(webhooks)
}

/// Posts the webhooks one after the other. Gives how long each took, the shortest first.
async fn send(stage: &Stage, webhooks: &[Delivery]) -> Result<Vec<Duration>> {
    let client = outbound::client(true);
    let url = format!("{}/tickets", stage.function_url);
    let mut progress = Progress::new();
    let mut took = Vec::new();
    for (index, webhook) in webhooks.iter().enumerate() {
        progress.show(&format!("webhook {} of {}", index + 1, webhooks.len()));
        let begin = Instant::now();
        let request = client
            .post(&url)
            .headers(webhook.headers.clone())
            .body(webhook.body.clone())
            .timeout(PATIENCE);
        let answer = request
            .send()
            .await
            .map_err(|error| anyhow!("{url}: {}.", outbound::causes(&error)))?;
        let status = answer.status();
        let text = answer.text().await.unwrap_or_default();
        took.push(begin.elapsed());
        if status != http::StatusCode::ACCEPTED {
            let logs = stage.logs.join(", ");
            return Err(anyhow!(
                "A webhook is answered with {status}, not 202: {text}. The functions' log: {logs}."
            ));
        }
    }
    took.sort_unstable();
    Ok(took)
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

    /// Shows how many updates there are, until `is_over` says so of their number.
    async fn watch(
        &self,
        what: &str,
        is_over: impl Fn(u64) -> bool,
        limit: Option<Duration>,
    ) -> Result<()> {
        let begin = Instant::now();
        let mut progress = Progress::new();
        loop {
            let depth = self.updates.depth().await.map_err(Error::msg)?;
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
        self.dead_letters.receive(PATIENCE, &mut received).await.map_err(Error::msg)?;
        let all: Vec<&Received> = received.iter().collect();
        self.dead_letters.release(&all, tokio::time::Instant::now() + PATIENCE).await;
        Ok(received
            .iter()
            .map(|letter| serde_json::from_str(&letter.text).unwrap_or_default())
            .collect())
    }
}

/// Shows whether everything is as it must be.
fn judge(tasks: &[Value], calls: &[Value], letters: &[Value]) -> Result<()> {
    let mut wrong = Vec::new();
    let mut check = |is_right: bool, what: String, details: Vec<String>| {
        println!("{} {what}", if is_right { green("✓") } else { red("✗") });
        if !is_right {
            wrong.push(format!("{what}\n    {}", details.join("\n    ")));
        }
    };
    let mut expected: BTreeMap<&str, String> =
        changes().into_iter().map(|(_, (name, value))| (name, value.to_owned())).collect();
    expected.insert("hs_task_subject", subject(changes().len()));
    let mut differing = Vec::new();
    for id in TASKS.map(task_id) {
        let task = tasks.iter().find(|task| task["properties"]["ticket_id"] == id.as_str());
        let has = |(name, value): (&&str, &String)| {
            task.is_some_and(|task| task["properties"][*name] == value.as_str())
        };
        if !expected.iter().all(has) {
            differing.push(format!("{id}: {}", task.unwrap_or(&Value::Null)));
        }
    }
    let (all, count) = (TASKS.count(), changes().len());
    let right = all - differing.len();
    let what = format!(
        "nothing lost: {right} of {all} tasks have what each of their {count} webhooks said"
    );
    check(differing.is_empty(), what, differing);

    let written = subjects_written(calls);
    let writes: usize = written.values().map(Vec::len).sum();
    let mixed_up: Vec<_> = written
        .iter()
        .filter(|(_, subjects)| !subjects.is_sorted_by(|one, next| one < next))
        .collect();
    let what = format!(
        "nothing twice, nothing late: {writes} writes, each newer than the task's last one"
    );
    check(mixed_up.is_empty(), what, mixed_up.iter().map(|row| format!("{row:?}")).collect());

    let is_right = letters.len() == 1
        && letters[0]["reason"] == "not_found"
        && letters[0]["update"]["id"] == UNKNOWN_TASK;
    let what = format!("dead letters: {}, for the unknown task, as it must be", letters.len());
    check(is_right, what, letters.iter().map(Value::to_string).collect());
    for (name, value) in letters.first().and_then(Value::as_object).into_iter().flatten() {
        println!("{}", wrap(&format!("    {name:<8}  "), &value.to_string()));
    }
    if wrong.is_empty() { Ok(()) } else { Err(super::super::all(&wrong)) }
}

/// The subjects that HubSpot took for each task, in order.
fn subjects_written(calls: &[Value]) -> BTreeMap<String, Vec<String>> {
    let mut written: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for call in calls {
        let is_write = call["path"].as_str().is_some_and(|path| path.ends_with("/batch/update"));
        if !is_write || call["status"].as_u64().is_none_or(|status| !(200..300).contains(&status)) {
            continue;
        }
        for input in call["body"]["inputs"].as_array().into_iter().flatten() {
            let id = input["id"].as_str().unwrap_or_default().to_owned();
            let subject =
                input["properties"]["hs_task_subject"].as_str().unwrap_or_default().to_owned();
            written.entry(id).or_default().push(subject);
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
