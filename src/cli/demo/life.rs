//! The story of one ticket, from being opened to being deleted: its task hangs on its contact, and
//! keeps what a person writes.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use http::Method;
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use tokio::time::sleep;

use super::sender::Sender;
use super::stage::{PATIENCE, Stage, call, get, tasks};
use crate::cli::cases::Secrets;
use crate::cli::payload;
use crate::cli::terminal::green;
use crate::time::Time;

/// The source of the story; its file lies beside those of the project.
pub(super) const SOURCE: (&str, &str) = ("life", include_str!("life.toml"));

/// The contact who opens the ticket.
const REQUESTER: &str = "eva@customer.example";

/// What a person writes into the task in HubSpot.
const BY_PERSON: [(&str, &str); 2] =
    [("hs_task_subject", "Call Eva about the printer"), ("hs_task_body", "In on Mondays.")];

/// What becomes of the ticket, with its status there and that of its task.
const LIFE: [(&str, &str, &str); 5] = [
    ("opened", "new", "NOT_STARTED"),
    ("changed", "open", "IN_PROGRESS"),
    ("solved", "solved", "COMPLETED"),
    ("reopened", "open", "IN_PROGRESS"),
    ("deleted", "open", "DEFERRED"),
];

/// After this many events a person edits the task.
const EDITED_AFTER: usize = 2;

/// Sends the events of a ticket's life one after the other, and looks at its task after each.
pub(super) async fn tell(stage: &Stage) -> Result<()> {
    let sources = payload::read_sources(&stage.sources)?;
    let sender = Sender::new(stage, &sources, SOURCE.0)?;
    let ticket = format!("T-of-{}-mode", stage.mode);
    println!("\nOne ticket's life in the {} mode. Its task hangs on {REQUESTER}.\n", stage.mode);
    let begin = Time::now().before(Duration::from_mins(10)).milliseconds();
    for (step, (kind, status, shown)) in (0..).zip(LIFE) {
        let at = Time::from_milliseconds(begin + step * 1000).to_string();
        let body = json!({"type": kind, "at": at, "ticket": {
            "id": ticket, "requester": REQUESTER, "subject": "The printer", "status": status,
            "text": if step == 0 { "" } else { "It burns." },
        }});
        let (answer, text) =
            sender.post(sender.webhook(&format!("{ticket}_{step}"), &body)?).await?;
        if !answer.is_success() {
            bail!("{kind} is answered with {answer}: {text}");
        }
        let task = written(stage, &ticket, &at).await.with_context(|| kind)?;
        let value = |name: &str| task["properties"][name].as_str().unwrap_or_default().to_owned();
        println!(
            "{} {kind:<9} {:<12} {:<28} {}",
            green("✓"),
            value("hs_task_status"),
            value("hs_task_subject"),
            value("hs_task_body")
        );
        let is_edited = usize::try_from(step)? >= EDITED_AFTER;
        if value("hs_task_status") != shown
            || is_edited && BY_PERSON.iter().any(|(name, text)| value(name) != *text)
        {
            bail!("after {kind} the task is not as it must be: {task}");
        }
        if !hangs_on_the_requester(stage, &task).await? {
            bail!("after {kind} the task hangs on nobody: {task}");
        }
        if usize::try_from(step)? + 1 == EDITED_AFTER {
            edit(stage, &task).await?;
            println!(
                "  {:<9} {:<12} {:<28} {}",
                "a person", "writes", BY_PERSON[0].1, BY_PERSON[1].1
            );
        }
    }
    Ok(())
}

/// The ticket's task, once it has seen the event of this time.
async fn written(stage: &Stage, ticket: &str, at: &str) -> Result<Value> {
    let begin = Instant::now();
    loop {
        for task in tasks(stage).await? {
            let properties = &task["properties"];
            if properties["ticket_id"] == ticket && properties["ticket_updated_at"] == at {
                return Ok(task);
            }
        }
        if begin.elapsed() > PATIENCE {
            bail!("The event isn't written. The functions' log: {}.", stage.logs.join(", "));
        }
        sleep(Duration::from_millis(100)).await;
    }
}

async fn hangs_on_the_requester(stage: &Stage, task: &Value) -> Result<bool> {
    let contacts = get(&format!("{}/_sim/contacts", stage.hubspot)).await?;
    let mut contacts = contacts.as_array().into_iter().flatten();
    let requester = contacts.find(|contact| contact["properties"]["email"] == REQUESTER);
    let requester = requester.with_context(|| format!("there is no contact {REQUESTER}"))?;
    let links = get(&format!("{}/_sim/associations", stage.hubspot)).await?;
    let mut links = links.as_array().into_iter().flatten();
    Ok(links.any(|link| link["from_id"] == task["id"] && link["to_id"] == requester["id"]))
}

/// Edits the task as a person does in HubSpot.
async fn edit(stage: &Stage, task: &Value) -> Result<()> {
    let id = task["id"].as_str().unwrap_or_default();
    let url = format!("{}/crm/objects/2026-03/tasks/{id}", stage.hubspot);
    let secrets = Secrets::read(Path::new("events"))?;
    let token = secrets.named("taskhook/hubspot")?.expose_secret();
    let properties: serde_json::Map<_, _> =
        BY_PERSON.iter().map(|(name, text)| ((*name).to_owned(), json!(text))).collect();
    call(Method::PATCH, &url, Some(token), Some(&json!({ "properties": properties }))).await?;
    Ok(())
}
