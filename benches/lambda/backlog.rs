//! How fast workers work off what waits in the queue, and with how many calls to HubSpot.
//!
//! SQS is played by [`fifo`](super::fifo); the stand-in has a limit of calls in ten seconds, and takes
//! 0.2 s for each. Lambda is played as well: each worker gets up to ten messages at a time, as long
//! as some are given out.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use taskhook::sim::{Fault, Seed, Sim};
use taskhook::time::Time;
use tokio::net::TcpListener;

use crate::fifo::Fifo;
use crate::network::Network;
use crate::program::Program;
use crate::{Place, Result};

/// How long HubSpot takes for a call, in milliseconds, and SQS.
const HUBSPOT: u64 = 200;
const SQS: Duration = Duration::from_millis(10);

/// How long all may take.
const PATIENCE: Duration = Duration::from_mins(10);

/// What waits.
struct Case {
    name: &'static str,
    updates: usize,
    tasks: Tasks,
    is_guarded: bool,
    workers: usize,
    /// HubSpot's calls in ten seconds.
    limit: usize,
    /// `TASKHOOK_WORKER_BATCH`.
    batch: usize,
}

/// Of which tasks the updates are.
#[derive(Clone, Copy)]
enum Tasks {
    Different,
    One,
    /// Of 2,047, the n-th about 1/n times as often as the first.
    Zipf,
}

const fn case(name: &'static str, updates: usize, workers: usize, limit: usize) -> Case {
    Case { name, updates, tasks: Tasks::Different, is_guarded: true, workers, limit, batch: 100 }
}

const CASES: [Case; 12] = [
    case("5,000 tasks", 5_000, 5, 100),
    Case { is_guarded: false, ..case("5,000 tasks, not guarded", 5_000, 5, 100) },
    Case { tasks: Tasks::One, ..case("2,000 updates of one task", 2_000, 5, 100) },
    Case { tasks: Tasks::Zipf, ..case("8,488 updates of 2,047 tasks", 8_488, 5, 100) },
    case("100 tasks", 100, 1, 100),
    case("1,000 tasks", 1_000, 1, 100),
    case("1,000 tasks", 1_000, 5, 100),
    case("10,000 tasks", 10_000, 5, 100),
    case("10,000 tasks", 10_000, 5, 190),
    case("10,000 tasks", 10_000, 10, 190),
    case("10,000 tasks", 10_000, 20, 190),
    Case { batch: 10, ..case("5,000 tasks, by tens as before", 5_000, 5, 100) },
];

/// What a case took.
struct Took {
    seconds: f64,
    calls: usize,
    refused: usize,
    receives: usize,
    least: usize,
}

/// Measures and prints.
pub(crate) async fn measure(place: &Place) -> Result<()> {
    println!(
        "\n{:34}{:>8}{:>8}{:>9}{:>8}{:>8}{:>8}{:>10}",
        "what waits", "workers", "limit", "seconds", "calls", "least", "429s", "receives"
    );
    for case in CASES {
        let took = drain(&case, place).await?;
        println!(
            "{:34}{:8}{:8}{:9.1}{:8}{:8}{:8}{:10}",
            case.name,
            case.workers,
            case.limit,
            took.seconds,
            took.calls,
            took.least,
            took.refused,
            took.receives
        );
    }
    Ok(())
}

/// Lets the workers drain the queue, and looks whether everything is right.
async fn drain(case: &Case, place: &Place) -> Result<Took> {
    let sim = Sim::start(portal(case, place)?, 0).await?;
    sim.fault(Fault { delay_ms: HUBSPOT, forever: true, ..Fault::default() });
    let fifo = Arc::new(Fifo::default());
    let mut last = BTreeMap::new();
    for number in 0..case.updates {
        let task = case.task(number);
        last.insert(task, number);
        fifo.send(&task.to_string(), message(case, task, number));
    }
    let address = serve(Arc::clone(&fifo)).await?;
    let worker = worker(case, place, &sim, address).await?;
    let start = Instant::now();
    let workers = (0..case.workers).map(|_| poll(place, &worker, &fifo));
    tokio::time::timeout(PATIENCE, futures_util::future::try_join_all(workers)).await??;
    let seconds = start.elapsed().as_secs_f64();
    for (task, number) in &last {
        let found = sim.task_by("ticket", &task.to_string()).ok_or("a task is missing")?;
        if found.properties.get("hs_task_subject") != Some(&number.to_string()) {
            return Err(format!("task {task} is {:?} instead of {number}", found.properties).into());
        }
    }
    let all = sim.calls();
    let (refused, calls): (Vec<_>, Vec<_>) = all
        .iter()
        .filter(|call| call.path.contains("/batch/"))
        .partition(|call| call.status == 429);
    let runs = last.len().div_ceil(100).max(case.of_one_task().div_ceil(10));
    Ok(Took {
        seconds,
        calls: calls.len(),
        refused: refused.len(),
        receives: fifo.calls("ReceiveMessage"),
        least: if case.is_guarded { 2 * runs } else { runs },
    })
}

/// Plays Lambda for one worker until the queue is empty.
async fn poll(place: &Place, worker: &Program, fifo: &Fifo) -> Result<()> {
    let mut worker = worker.start(&place.secrets).await?;
    while fifo.len() > 0 {
        let records = fifo.records();
        if records.is_empty() {
            tokio::time::sleep(SQS).await;
            continue;
        }
        let event = json!({"Records": records}).to_string();
        let (_, answer) = worker.aws.invoke(event).await?;
        let answer: Value = serde_json::from_slice(&answer)?;
        let back = answer["batchItemFailures"].as_array().ok_or("no partial batch response")?;
        let stays =
            |record: &&Value| back.iter().any(|item| item["itemIdentifier"] == record["messageId"]);
        fifo.delete(
            records.iter().filter(|record| !stays(record)).map(|record| &record["receiptHandle"]),
        );
    }
    Ok(())
}

impl Case {
    /// The task of an update.
    fn task(&self, number: usize) -> usize {
        match self.tasks {
            Tasks::Different => number,
            Tasks::One => 0,
            Tasks::Zipf => {
                // Each power of two as often as the others: task n comes about 1/n times as often.
                let first = 1 << (number * 7919 % 11);
                first - 1 + number / 11 % first
            }
        }
    }

    /// How many updates are of the most frequent task.
    fn of_one_task(&self) -> usize {
        (0..self.updates).filter(|number| self.task(*number) == 0).count()
    }
}

async fn worker(case: &Case, place: &Place, sim: &Sim, sqs: String) -> Result<Program> {
    let environment = vec![
        ("HUBSPOT_TOKEN_SECRET", "taskhook/hubspot".to_owned()),
        ("TASKHOOK_QUEUE_URL", format!("{sqs}/000000000000/updates.fifo")),
        ("TASKHOOK_WORKER_BATCH", case.batch.to_string()),
        ("AWS_ENDPOINT_URL_SQS", sqs),
    ];
    place.program(place.built("worker"), environment, sim, &Network::plain("", 0)).await
}

fn message(case: &Case, task: usize, number: usize) -> String {
    let seconds = i64::try_from(number).unwrap_or(i64::MAX);
    let mut update = json!({
        "idProperty": "ticket", "id": task.to_string(), "onMissing": "fail",
        "time": Time::from_milliseconds(1_700_000_000_000 + 1000 * seconds),
        "properties": {"hs_task_subject": number.to_string()},
    });
    if case.is_guarded {
        update["updatedAtProperty"] = json!("ticket_at");
    }
    json!({"version": 1, "source": "bench", "event": number.to_string(), "update": update})
        .to_string()
}

fn portal(case: &Case, place: &Place) -> Result<Seed> {
    let tasks: BTreeSet<_> = (0..case.updates).map(|number| case.task(number)).collect();
    let task =
        |id: &usize| json!({"properties": {"ticket": id.to_string(), "hs_task_subject": "before"}});
    let seed = json!({
        "token": place.secrets["taskhook/hubspot"],
        "properties": [
            {"name": "ticket", "label": "Ticket", "type": "string", "fieldType": "text", "hasUniqueValue": true},
            {"name": "ticket_at", "label": "Ticket at", "type": "datetime", "fieldType": "date"},
        ],
        "behaviour": {"limits": {"ten_secondly": case.limit}},
        "tasks": tasks.iter().map(task).collect::<Vec<_>>(),
    });
    Ok(serde_json::from_value(seed)?)
}

/// Serves the queue on a free port. Returns its address.
async fn serve(fifo: Arc<Fifo>) -> Result<String> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let address = format!("http://{}", listener.local_addr()?);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let fifo = Arc::clone(&fifo);
            tokio::spawn(async move {
                let service = service_fn(|request| respond(request, &fifo));
                _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
            });
        }
    });
    Ok(address)
}

async fn respond(request: Request<Incoming>, fifo: &Fifo) -> Result<Response<Full<Bytes>>> {
    let target = request.headers().get("x-amz-target").ok_or("no operation")?.to_str()?.to_owned();
    let body = request.into_body().collect().await?.to_bytes();
    let operation = target.rsplit('.').next().unwrap_or_default();
    let answer = fifo.answer(operation, &serde_json::from_slice(&body)?);
    tokio::time::sleep(SQS).await;
    let answer = Response::builder()
        .header("content-type", "application/x-amz-json-1.0")
        .body(answer.to_string().into())?;
    Ok(answer)
}
