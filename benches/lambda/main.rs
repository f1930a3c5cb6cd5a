//! How fast the functions start and answer, and what they take, beside a Lambda function that only
//! says hello.
//!
//! `make bench` runs it. The programs are release builds, `webhook` as it is packaged, without the
//! tool, and run as Lambda would run them; around them stand a Runtime API and Secrets Manager
//! ([`aws`]) and the HubSpot stand-in. `docs/performance.md` says what is measured and why.

mod aws;
mod program;
mod report;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Map, Value, json};
use sha2::Sha256;
use taskhook::outbound;
use taskhook::sim::{Seed, Sim};
use taskhook::time::Time;

use program::Program;
use report::Samples;

type Error = Box<dyn std::error::Error + Send + Sync>;
type Result<T> = std::result::Result<T, Error>;

/// How often each program is started; in turns, so that a busy moment of the machine meets them
/// all.
const STARTS: usize = 60;

/// How often each program is given [`EVENTS`], in turns as well.
const ROUNDS: usize = 5;

/// Events of one round, after some that nobody counts.
const EVENTS: usize = 500;
const NOT_COUNTED: usize = 20;

fn main() -> Result<()> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(bench())
}

async fn bench() -> Result<()> {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let secrets: Map<String, Value> =
        serde_json::from_str(&fs::read_to_string(package.join("events/secrets.json"))?)?;
    let sim = Sim::start(portal(package)?, 0).await?;
    let mut github = GitHub::new(package, &secrets)?;
    let programs = programs(package, &sim)?;
    let mut samples = programs.each_ref().map(|(name, _)| Samples::new(name));
    for _ in 0..STARTS {
        for ((_, program), samples) in programs.iter().zip(&mut samples) {
            let running = program.start(&secrets).await?;
            samples.starts.push(running.start);
            samples.start_cpu.push(running.cpu()?);
        }
    }
    let mut calls = Vec::new();
    for _ in 0..ROUNDS {
        for ((_, program), samples) in programs.iter().zip(&mut samples) {
            warm(program, samples, &secrets, &mut github).await?;
        }
        calls.extend(loopback_calls(&sim, &secrets).await?);
        sim.clear_calls();
    }
    for ((_, program), samples) in programs.iter().zip(&mut samples) {
        samples.size = program.size()?;
    }
    report::print(&samples, &calls);
    Ok(())
}

/// Hello world, which is what the others are measured against, comes first.
fn programs(package: &Path, sim: &Sim) -> Result<[(&'static str, Program); 5]> {
    // `make bench` builds both.
    let webhook = package.join("target/bench/webhook");
    let hello = Path::new(env!("CARGO_BIN_EXE_webhook")).with_file_name("examples").join("hello");
    let github = package.join("sources/github.toml");
    let text = fs::read_to_string(&github)?;
    let unguarded: String = text
        .lines()
        .filter(|line| !line.starts_with("updated_at_property"))
        .collect::<Vec<_>>()
        .join("\n");
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("github.toml");
    fs::write(&file, unguarded)?;
    let with = |sources: PathBuf| Program {
        path: webhook.clone(),
        environment: vec![
            ("HUBSPOT_TOKEN_SECRET", "taskhook/hubspot".to_owned()),
            ("HUBSPOT_BASE_URL", sim.url()),
            ("TASKHOOK_SOURCES", sources.display().to_string()),
        ],
    };
    let mut queued = with(github.clone());
    queued
        .environment
        .push(("TASKHOOK_QUEUE_URL", "http://localhost/000000000000/updates.fifo".to_owned()));
    Ok([
        ("hello world", Program { path: hello, environment: Vec::new() }),
        ("webhook, one source, one call", with(file)),
        ("webhook, one source, two calls", with(github)),
        ("webhook, six sources, two calls", with(package.join("sources"))),
        ("webhook, one source, queue", queued),
    ])
}

/// The portal of the sample events, without event times, so that no event of ours is an old one.
fn portal(package: &Path) -> Result<Seed> {
    let mut seed: Seed =
        serde_json::from_str(&fs::read_to_string(package.join("events/portal.json"))?)?;
    for task in &mut seed.tasks {
        task.properties.remove("github_updated_at");
    }
    Ok(seed)
}

/// Starts a program, gives it events, and takes its measure.
async fn warm(
    program: &Program,
    samples: &mut Samples,
    secrets: &Map<String, Value>,
    github: &mut GitHub,
) -> Result<()> {
    let mut running = program.start(secrets).await?;
    let says_hello = samples.name == "hello world";
    let mut cpu = Duration::ZERO;
    for number in 0..NOT_COUNTED + EVENTS {
        if number == NOT_COUNTED {
            cpu = running.cpu()?;
        }
        let (took, response) = running.aws.invoke(github.event()?).await?;
        let response = String::from_utf8_lossy(&response);
        let is_done =
            [r#"\"updated\":1"#, r#"\"queued\":1"#].iter().any(|count| response.contains(count));
        if !says_hello && !is_done {
            return Err(format!("an event was not applied: {response}").into());
        }
        if number == 0 {
            samples.first.push(took);
        } else if number >= NOT_COUNTED {
            samples.warm.push(took);
        }
    }
    let cpu = running.cpu()?.saturating_sub(cpu);
    samples.warm_cpu.push(cpu / u32::try_from(EVENTS)?);
    samples.peak_memory.push(running.peak_memory()?);
    Ok(())
}

/// What one call costs the function at least: the stand-in is called by our own client, over one
/// connection, with the body that the function sends, from a thread of its own as the function is a
/// process of its own.
async fn loopback_calls(sim: &Sim, secrets: &Map<String, Value>) -> Result<Vec<Duration>> {
    let calls = sim.calls();
    let update = calls
        .iter()
        .rev()
        .find(|call| call.path.ends_with("batch/update"))
        .ok_or("nothing was updated")?;
    let url = format!("{}{}", sim.url(), update.path);
    let token = secrets["taskhook/hubspot"].as_str().unwrap_or_default().to_owned();
    let body = update.body.to_string();
    let calls = tokio::task::spawn_blocking(move || {
        let client = outbound::client(true);
        tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
            let mut took = Vec::new();
            for number in 0..NOT_COUNTED + EVENTS {
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

/// GitHub, whose issue is closed anew each second.
struct GitHub {
    event: Value,
    body: String,
    secret: Vec<u8>,
    time: Time,
}

impl GitHub {
    /// When the sample's issue was changed.
    const UPDATED_AT: &str = "2026-10-06T15:40:03Z";

    fn new(package: &Path, secrets: &Map<String, Value>) -> Result<Self> {
        let event: Value =
            serde_json::from_str(&fs::read_to_string(package.join("events/github/closed.json"))?)?;
        let body = event["body"].as_str().ok_or("the sample has no body")?.to_owned();
        let secret = secrets["taskhook/github"]
            .as_str()
            .ok_or("GitHub's secret is no text")?
            .as_bytes()
            .to_vec();
        // Long ago: the function takes no event for later than its own time.
        Ok(Self { event, body, secret, time: Time::parse("2020-01-01")? })
    }

    /// The next delivery, as Lambda passes it on.
    fn event(&mut self) -> Result<String> {
        self.time = Time::from_milliseconds(self.time.milliseconds() + 1000);
        let body = self.body.replace(Self::UPDATED_AT, &self.time.to_string());
        let mut hmac = Hmac::<Sha256>::new_from_slice(&self.secret)?;
        hmac.update(body.as_bytes());
        let signature = format!("sha256={}", hex::encode(hmac.finalize().into_bytes()));
        self.event["headers"]["x-hub-signature-256"] = json!(signature);
        self.event["body"] = json!(body);
        Ok(self.event.to_string())
    }
}
