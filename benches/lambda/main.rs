//! How fast the functions start and answer, what they take, and what that costs, beside a Lambda
//! function that only says hello and the same job in other languages.
//!
//! `make bench` runs it. The programs are release builds, packaged without the tool, and run as
//! Lambda would run them; around them stand a Runtime API, Secrets Manager and SQS ([`aws`]) and the
//! HubSpot stand-in, straight ahead or behind TLS and a long way ([`network`]).
//! `docs/performance.md` says what is measured and why.

mod aws;
mod backlog;
mod cost;
mod events;
mod fifo;
mod growth;
mod network;
mod program;
mod report;
#[path = "../../tests/it/support/tls.rs"]
#[allow(
    dead_code,
    missing_docs,
    unreachable_pub,
    clippy::all,
    clippy::pedantic,
    reason = "the tests use it whole"
)]
#[allow(clippy::expect_used, reason = "tests")]
mod tls;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};
use taskhook::outbound;
use taskhook::sim::{Seed, Sim};

use events::Events;
use network::Network;
use program::Program;
use report::Samples;

type Error = Box<dyn std::error::Error + Send + Sync>;
type Result<T> = std::result::Result<T, Error>;

/// Events that nobody counts, before the others.
const NOT_COUNTED: usize = 20;

/// The updates of one batch of the worker. Not ten: a worker with a full batch asks for more.
const BATCH: usize = 5;

/// What a program is given.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Job {
    Hello,
    Webhook,
    /// So many updates.
    Worker(usize),
}

/// How often a program is started and given events: less often where that takes long.
#[derive(Clone, Copy)]
struct Often {
    starts: usize,
    rounds: usize,
    events: usize,
}

const OFTEN: Often = Often { starts: 40, rounds: 5, events: 300 };
const LESS: Often = Often { starts: 30, rounds: 2, events: 60 };
const SELDOM: Often = Often { starts: 10, rounds: 2, events: 10 };

/// A row of the table.
struct Case {
    job: Job,
    often: Often,
    program: Program,
    samples: Samples,
}

/// Where everything is.
struct Place {
    package: PathBuf,
    /// For files of the bench's own.
    folder: PathBuf,
    secrets: Map<String, Value>,
    authority: Arc<tls::Authority>,
    roots: PathBuf,
}

fn main() -> Result<()> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(bench())
}

async fn bench() -> Result<()> {
    let place = Place::new()?;
    let rows = rows();
    if rows == ["backlog"] {
        return backlog::measure(&place).await;
    }
    let sim = Sim::start(portal(&place)?, 0).await?;
    let mut events = Events::new(&place.package, &place.secrets)?;
    let networks = [
        Network::plain("", 0),
        Network::plain(", 5 ms", 5),
        Network::tls(", TLS", &place.authority, 0),
        Network::tls(", TLS, 5 ms", &place.authority, 5),
        Network::tls(", TLS, 50 ms", &place.authority, 50),
    ];
    let mut cases = cases(&place, &sim, &networks).await?;
    for turn in 0..OFTEN.starts {
        for case in cases.iter_mut().filter(|case| turn < case.often.starts) {
            let running = case.program.start(&place.secrets).await?;
            case.samples.starts.push(running.start);
            case.samples.start_cpu.push(running.cpu()?);
            case.samples.rest_memory.push(running.peak_memory()?);
        }
    }
    let mut calls = Vec::new();
    for turn in 0..OFTEN.rounds {
        for case in cases.iter_mut().filter(|case| turn < case.often.rounds) {
            warm(case, &place.secrets, &mut events).await?;
            sim.clear_calls();
        }
        calls.extend(loopback_calls(&sim, &place.secrets).await?);
        sim.clear_calls();
    }
    for case in &mut cases {
        case.samples.size = case.program.size()?;
    }
    let samples: Vec<_> = cases.into_iter().map(|case| case.samples).collect();
    report::table(&samples, &calls);
    if rows.is_empty() || rows.iter().any(|row| row == "growth") {
        let growth = growth::measure(&place).await?;
        report::goals(&samples, &calls, networks[1].measured_round_trip()?, &growth);
    }
    cost::print(&samples);
    if rows.is_empty() {
        backlog::measure(&place).await?;
    }
    Ok(())
}

/// The rows that are asked for, by the ends of their names; none: all.
fn rows() -> Vec<String> {
    std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect()
}

impl Place {
    fn new() -> Result<Self> {
        let package = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("bench");
        fs::create_dir_all(&folder)?;
        let secrets = fs::read_to_string(package.join("events/secrets.json"))?;
        let authority = Arc::new(tls::Authority::new("the bench"));
        let roots = folder.join("roots.pem");
        fs::write(&roots, authority.pem())?;
        Ok(Self { package, folder, secrets: serde_json::from_str(&secrets)?, authority, roots })
    }

    /// A file of the bench's own.
    fn write(&self, name: &str, text: &str) -> Result<PathBuf> {
        let path = self.folder.join(name);
        fs::create_dir_all(path.parent().ok_or("no folder")?)?;
        fs::write(&path, text)?;
        Ok(path)
    }

    /// A function that `make bench` has built, without the tool.
    fn built(&self, name: &str) -> Vec<PathBuf> {
        vec![self.package.join("target/bench").join(name)]
    }

    /// A webhook with these sources.
    async fn webhook(&self, sources: &Path, sim: &Sim, network: &Network) -> Result<Program> {
        let environment = vec![
            ("HUBSPOT_TOKEN_SECRET", "taskhook/hubspot".to_owned()),
            ("TASKHOOK_SOURCES", sources.display().to_string()),
        ];
        self.program(self.built("webhook"), environment, sim, network).await
    }

    async fn program(
        &self,
        command: Vec<PathBuf>,
        environment: Vec<(&'static str, String)>,
        sim: &Sim,
        network: &Network,
    ) -> Result<Program> {
        let address = sim.url().trim_start_matches("http://").parse()?;
        Ok(Program {
            command,
            environment,
            network: network.clone(),
            hubspot: Some(network.way(address).await?),
            roots: self.roots.clone(),
        })
    }
}

/// Hello world, which is what the others are measured against, comes first.
async fn cases(place: &Place, sim: &Sim, networks: &[Network]) -> Result<Vec<Case>> {
    let github = place.package.join("sources/github.toml");
    let six = place.package.join("sources");
    let text = fs::read_to_string(&github)?;
    let lines = text.lines().filter(|line| !line.starts_with("updated_at_property"));
    let unguarded = place.write("github.toml", &lines.collect::<Vec<_>>().join("\n"))?;
    let hello = Path::new(env!("CARGO_BIN_EXE_webhook")).with_file_name("examples").join("hello");
    let says_hello = place.program(vec![hello], Vec::new(), sim, &networks[0]).await?;
    let mut cases = vec![Case::new("hello world", Job::Hello, OFTEN, says_hello)];
    for network in networks {
        let often = match network.round_trip.as_millis() {
            0 => OFTEN,
            1..20 => LESS,
            _ => SELDOM,
        };
        let named = |name: &str| format!("{name}{}", network.name);
        for (name, sources) in [
            ("webhook, one source, one call", &unguarded),
            ("webhook, one source, two calls", &github),
            ("webhook, six sources, two calls", &six),
        ] {
            let program = place.webhook(sources, sim, network).await?;
            cases.push(Case::new(&named(name), Job::Webhook, often, program));
        }
        let mut queued = place.webhook(&github, sim, network).await?;
        let queue = "http://localhost/000000000000/updates.fifo".to_owned();
        queued.environment.push(("TASKHOOK_QUEUE_URL", queue));
        cases.push(Case::new(&named("webhook, one source, queue"), Job::Webhook, often, queued));
        let token = vec![("HUBSPOT_TOKEN_SECRET", "taskhook/hubspot".to_owned())];
        let worker = place.program(place.built("worker"), token, sim, network).await?;
        cases.push(Case::new(
            &named("worker, 5 updates, two calls"),
            Job::Worker(BATCH),
            often,
            worker,
        ));
    }
    let json = ("AWS_LAMBDA_LOG_FORMAT", "JSON".to_owned());
    for (name, job, of) in [
        ("webhook, one source, two calls, log", Job::Webhook, 2),
        ("webhook, one source, queue, log", Job::Webhook, 4),
        ("worker, 5 updates, two calls, log", Job::Worker(BATCH), 5),
        ("worker, 1 update, two calls, log", Job::Worker(1), 5),
    ] {
        let before = &cases[of].program;
        let (command, environment) = (before.command.clone(), before.environment.clone());
        let mut program = place.program(command, environment, sim, &networks[0]).await?;
        program.environment.push(json.clone());
        cases.push(Case::new(name, job, OFTEN, program));
    }
    for (name, command) in peers(&place.package) {
        let environment = vec![
            ("HUBSPOT_TOKEN_SECRET", "taskhook/hubspot".to_owned()),
            ("PATH", std::env::var("PATH").unwrap_or_default()),
        ];
        let program = place.program(command, environment, sim, &networks[0]).await?;
        cases.push(Case::new(name, Job::Webhook, SELDOM_BUT_MANY, program));
    }
    let rows = rows();
    let is_asked_for = |name: &str| rows.is_empty() || rows.iter().any(|row| name.ends_with(row));
    cases.retain(|case| case.job == Job::Hello || is_asked_for(&case.samples.name));
    Ok(cases)
}

/// A start takes them long, an event doesn't.
const SELDOM_BUT_MANY: Often = Often { starts: 10, rounds: 2, events: 300 };

/// The same job in other languages, where `make peers` has installed what it needs.
fn peers(package: &Path) -> Vec<(&'static str, Vec<PathBuf>)> {
    let peers = package.join("benches/peers");
    let venv = package.join(".venv-peers");
    let modules = peers.join("node_modules");
    let python = vec![venv.join("bin/python"), peers.join("python/run.py")];
    let node = vec![PathBuf::from("/usr/bin/env"), "node".into(), peers.join("node/run.mjs")];
    let mut found = Vec::new();
    for (name, installed, command) in
        [("Python, two calls", venv, python), ("Node, two calls", modules, node)]
    {
        if installed.join(".ready").exists() {
            found.push((name, command));
        }
    }
    found
}

/// The portal of the sample events, without event times, so that no event of ours is an old one,
/// and the tasks of the worker's updates.
fn portal(place: &Place) -> Result<Seed> {
    let text = fs::read_to_string(place.package.join("events/portal.json"))?;
    let mut portal: Value = serde_json::from_str(&text)?;
    for task in portal["tasks"].as_array_mut().into_iter().flatten() {
        task["properties"]
            .as_object_mut()
            .ok_or("a task without properties")?
            .remove("github_updated_at");
    }
    add_tickets(&mut portal, BATCH)?;
    Ok(serde_json::from_value(portal)?)
}

/// Adds the tasks `T-0`, `T-1` and so on, and the properties of [`events::MANY`].
fn add_tickets(portal: &mut Value, count: usize) -> Result<()> {
    let list = |portal: &mut Value, name: &str, more: Vec<Value>| {
        portal[name].as_array_mut().ok_or("a portal without lists")?.extend(more);
        Ok::<_, Error>(())
    };
    let id =
        json!({"name": "ticket", "hasUniqueValue": true, "type": "string", "fieldType": "text"});
    let at = json!({"name": "ticket_at", "type": "datetime", "fieldType": "date"});
    list(portal, "properties", vec![id, at])?;
    let task =
        |id| json!({"properties": {"ticket": format!("T-{id}"), "hs_timestamp": "1790000000000"}});
    list(portal, "tasks", (0..count).map(task).collect())
}

impl Case {
    fn new(name: &str, job: Job, often: Often, program: Program) -> Self {
        Self { job, often, program, samples: Samples::new(name) }
    }
}

/// Starts a program, gives it events, and takes its measure.
async fn warm(case: &mut Case, secrets: &Map<String, Value>, events: &mut Events) -> Result<()> {
    let mut running = case.program.start(secrets).await?;
    let (mut cpu, mut logged) = (Duration::ZERO, 0);
    let not_counted = NOT_COUNTED.min(case.often.events);
    for number in 0..not_counted + case.often.events {
        if number == not_counted {
            (cpu, logged) = (running.cpu()?, running.logged()?);
        }
        let (event, done) = match case.job {
            Job::Worker(updates) => (events.queued(updates), r#"{"batchItemFailures":[]}"#),
            Job::Hello => (events.closed()?, "hello"),
            Job::Webhook => (events.closed()?, ""),
        };
        let (took, response) = running.aws.invoke(event).await?;
        // Some write JSON with spaces.
        let response = String::from_utf8_lossy(&response).replace(' ', "");
        let is_done = if case.job == Job::Webhook {
            [r#"\"updated\":1"#, r#"\"queued\":1"#].iter().any(|count| response.contains(count))
        } else {
            response.contains(done)
        };
        if !is_done {
            return Err(
                format!("{}: an event was not applied: {response}", case.samples.name).into()
            );
        }
        if number == 0 {
            case.samples.first.push(took);
        } else if number >= not_counted {
            case.samples.warm.push(took);
        }
    }
    let count = u32::try_from(case.often.events)?;
    case.samples.warm_cpu.push(running.cpu()?.saturating_sub(cpu) / count);
    case.samples.logged = (running.logged()? - logged) / u64::from(count);
    case.samples.peak_memory.push(running.peak_memory()?);
    Ok(())
}

/// What one call costs the function at least: the stand-in is called by our own client, over one
/// connection, with a body like those that the function sends, from a thread of its own as the function is a
/// process of its own.
async fn loopback_calls(sim: &Sim, secrets: &Map<String, Value>) -> Result<Vec<Duration>> {
    let url = format!("{}/crm/objects/2026-03/tasks/batch/update", sim.url());
    let token = secrets["taskhook/hubspot"].as_str().unwrap_or_default().to_owned();
    let properties =
        json!({"hs_task_subject": "a", "hs_task_body": "a text of some length ".repeat(50)});
    let input = json!({"id": "T-0", "idProperty": "ticket", "properties": properties});
    let body = json!({"inputs": [input]}).to_string();
    let calls = tokio::task::spawn_blocking(move || {
        let client = outbound::client(true);
        tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
            let mut took = Vec::new();
            for number in 0..NOT_COUNTED + OFTEN.events {
                let start = Instant::now();
                let request = client
                    .post(&url)
                    .bearer_auth(&token)
                    .header("content-type", "application/json");
                request.body(body.clone()).send().await?.error_for_status()?.bytes().await?;
                if number >= NOT_COUNTED {
                    took.push(start.elapsed());
                }
            }
            Ok::<_, Error>(took)
        })
    });
    calls.await?
}
