//! How it grows: with the updates of a delivery, with the sources, with the size of a body.

use std::fs;

use serde_json::{Map, Value, json};
use taskhook::sim::Sim;

use crate::events::{Events, MANY};
use crate::network::Network;
use crate::program::Program;
use crate::report::Samples;
use crate::{Place, Result, add_tickets};

/// The most updates of one delivery.
const MOST: usize = 10_000;

/// Where the most updates go.
const QUEUE: &str = "http://localhost/000000000000/updates.fifo";

/// What is measured of each size.
const TIMES: usize = 5;

/// What the goals need to know.
pub(crate) struct Growth {
    /// Peak memory in MiB: of the largest body, and of the most updates.
    pub(crate) largest_body: f64,
    pub(crate) most_updates: f64,
}

/// Measures and prints.
pub(crate) async fn measure(place: &Place) -> Result<Growth> {
    let many = place.write("many/many.toml", MANY)?;
    let mut events = Events::new(&place.package, &place.secrets)?;
    let network = Network::plain("", 0);

    println!("\n{:44}{:>10}{:>10}{:>10}", "how it grows", "p50 ms", "CPU ms", "peak MiB");
    let mut growth = Growth { largest_body: 0.0, most_updates: 0.0 };
    for updates in [1, 10, 100, 1_000, MOST] {
        let sim = stand_in(place, updates).await?;
        for lines in ["", ", without log lines"] {
            let mut program = place.webhook(&many, &sim, &network).await?;
            program.environment.push(("AWS_LAMBDA_LOG_FORMAT", "JSON".to_owned()));
            if !lines.is_empty() {
                program.environment.push(("RUST_LOG", "warn".to_owned()));
            }
            let mut name = format!("updates in a delivery: {updates}{lines}");
            if updates == MOST {
                // The stand-in looks through all tasks for each, and would not be done in time.
                program.environment.push(("TASKHOOK_QUEUE_URL", QUEUE.to_owned()));
                name += ", queue";
            }
            let event = |events: &mut Events| events.many(updates, 0);
            let peak = row(place, &sim, &program, &name, &mut events, event).await?;
            growth.most_updates = growth.most_updates.max(peak);
        }
    }
    let sim = stand_in(place, 1).await?;
    for bytes in [1_024, 10 * 1_024, 100 * 1_024, 1_024 * 1_024] {
        let program = place.webhook(&many, &sim, &network).await?;
        let name = format!("a body of {} KiB", bytes / 1_024);
        let event = |events: &mut Events| events.many(1, bytes);
        growth.largest_body = row(place, &sim, &program, &name, &mut events, event).await?;
    }
    for count in [1, 10, 100] {
        sources(place, &sim, count).await?;
    }
    Ok(growth)
}

/// A portal with so many tasks, and no more: the stand-in takes its time with many.
async fn stand_in(place: &Place, tasks: usize) -> Result<Sim> {
    let mut portal = json!({
        "token": place.secrets["taskhook/hubspot"], "properties": [], "tasks": [],
        "behaviour": {"limits": {"ten_secondly": null, "daily": null}},
    });
    add_tickets(&mut portal, tasks)?;
    Ok(Sim::start(serde_json::from_value(portal)?, 0).await?)
}

/// Gives a program an event some times, and prints what that took. Returns the peak in MiB.
async fn row(
    place: &Place,
    sim: &Sim,
    program: &Program,
    name: &str,
    events: &mut Events,
    event: impl Fn(&mut Events) -> Result<String>,
) -> Result<f64> {
    let mut samples = Samples::new(name);
    let mut running = program.start(&place.secrets).await?;
    running.aws.invoke(event(events)?).await?;
    let before = running.cpu()?;
    for _ in 0..TIMES {
        let (took, response) = running.aws.invoke(event(events)?).await?;
        let response = String::from_utf8_lossy(&response);
        if !response.contains(r#"\"failed\":0"#) || !response.contains(r#"\"retry\":0"#) {
            println!("{name:44}{:>10}", "not done in time");
            return Ok(f64::INFINITY);
        }
        samples.warm.push(took);
        sim.clear_calls();
    }
    let cpu = running.cpu()?.saturating_sub(before);
    samples.warm_cpu.push(cpu / u32::try_from(TIMES)?);
    samples.peak_memory.push(running.peak_memory()?);
    samples.print_growth();
    Ok(samples.peak())
}

/// Starts with so many copies of a source, each with a path and a secret of its own.
async fn sources(place: &Place, sim: &Sim, count: usize) -> Result<()> {
    let text = fs::read_to_string(place.package.join("sources/github.toml"))?;
    let folder = format!("sources-{count}");
    let mut secrets: Map<String, Value> = place.secrets.clone();
    for number in 0..count {
        let text = text
            .replace("path = \"/github\"", &format!("path = \"/github-{number}\""))
            .replace("\"taskhook/github\"", &format!("\"taskhook/github-{number}\""));
        place.write(&format!("{folder}/github-{number}.toml"), &text)?;
        secrets.insert(format!("taskhook/github-{number}"), json!("a secret"));
    }
    let program = place.webhook(&place.folder.join(folder), sim, &Network::plain("", 0)).await?;
    let mut samples = Samples::new(&format!("a start with {count} sources"));
    for _ in 0..4 * TIMES {
        let running = program.start(&secrets).await?;
        samples.warm.push(running.start);
        samples.warm_cpu.push(running.cpu()?);
        samples.peak_memory.push(running.peak_memory()?);
    }
    samples.print_growth();
    Ok(())
}
