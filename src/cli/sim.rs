//! `taskhook sim`: the HubSpot stand-in as a program.

use std::{
    fs,
    future::Future,
    io,
    path::{Path, PathBuf},
};

use anyhow::{Result, anyhow, bail};

use super::shared;
use crate::sim::{Seed, Sim};

/// Run a stand-in for HubSpot's tasks API until it is stopped
///
/// It serves the calls of HubSpot's own clients for tasks, their properties and owners, in the
/// versions v3, 2026-03 and 2026-09, and refuses what HubSpot refuses, calls beyond its rate limits
/// included. Point `HUBSPOT_BASE_URL` at the address that it prints. `GET /_sim` there lists what
/// scripts can ask of it: what goes wrong, rules, habits, latency.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Port on 127.0.0.1; 0 takes any free one
    #[arg(long, default_value_t = 8787)]
    port: u16,
    /// JSON file with the portal to start with: token, scopes, properties, owners, tasks, behaviour
    #[arg(long, value_name = "FILE")]
    seed: Option<PathBuf>,
}

/// Runs until Ctrl-C or SIGTERM.
pub(super) fn run(arguments: &Arguments) -> Result<()> {
    let seed = match &arguments.seed {
        Some(file) => read_seed(file)?,
        None => Seed::default(),
    };
    shared::block_on(serve(seed, arguments))?
}

async fn serve(seed: Seed, arguments: &Arguments) -> Result<()> {
    // Before the line that says it is ready, because its reader may stop this process at once.
    let stopped = stop_signal().map_err(|error| anyhow!("Signals can't be received: {error}."))?;
    let sim = match Sim::start(seed, arguments.port).await {
        Ok(sim) => sim,
        Err(error) => match &arguments.seed {
            Some(file) if error.kind() == io::ErrorKind::InvalidInput => {
                bail!("{}: {error}.", file.display())
            }
            _ => bail!(
                "The stand-in can't listen on port {}: {error}; choose another with --port, or any \
                 free one with --port 0.",
                arguments.port
            ),
        },
    };
    shared::print(&format!("HubSpot stand-in: {}\n", sim.url()))?;
    stopped.await;
    Ok(())
}

fn read_seed(file: &Path) -> Result<Seed> {
    let name = file.display();
    let text = fs::read_to_string(file)
        .map_err(|error| anyhow!("The seed file {name} can't be read: {error}."))?;
    parse_seed(&text).map_err(|problem| anyhow!("{name}:{problem}."))
}

/// Fails with the line, the column and the mistake there.
fn parse_seed(text: &str) -> Result<Seed> {
    serde_json::from_str(text).map_err(|error| {
        let place = format!(" at line {} column {}", error.line(), error.column());
        let mistake = error.to_string().replace(&place, "");
        anyhow!("{}:{}: {mistake}", error.line(), error.column())
    })
}

#[cfg(unix)]
pub(super) fn stop_signal() -> io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}

#[cfg(not(unix))]
pub(super) fn stop_signal() -> io::Result<impl Future<Output = ()>> {
    Ok(async {
        // Without a console there is no Ctrl-C to wait for.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bad_seed_is_reported_with_its_line() {
        let rows = [
            ("{\n  \"tokn\": 1}", "2:8: unknown field `tokn`, expected one of"),
            ("{\n\n", "3:0: EOF while parsing"),
            (
                "{\"tasks\": [\n{\"properties\": {\"a\": 1}}]}",
                "2:22: invalid type: integer `1`, expected a string",
            ),
        ];
        for (text, expected) in rows {
            let problem = parse_seed(text).unwrap_err().to_string();
            assert!(problem.starts_with(expected), "{problem}");
        }
    }
}
