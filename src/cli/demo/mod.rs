//! `taskhook demo`: the scenes of `make demo` and `make dev`. `scripts/local.py` starts the
//! functions and the stand-ins for AWS and HubSpot, and writes their addresses into a file.

mod guide;
mod life;
mod outage;
mod samples;
mod sender;
mod set_up;
mod sources;
mod stage;

use std::path::PathBuf;

use anyhow::{Result, anyhow};

use self::stage::Stage;
use crate::cli::shared;

/// Show what the functions do that run on this machine (for `make demo` and `make dev`)
#[derive(Debug, clap::Args)]
#[command(hide = true)]
pub(in crate::cli) struct Arguments {
    /// JSON file that says where everything is
    #[arg(long, value_name = "FILE")]
    stage: PathBuf,
    scene: Scene,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Scene {
    /// The secrets and queues in AWS, and copies of the source files that let a signature of any
    /// age pass
    SetUp,
    /// A ticket from being opened to being deleted
    Life,
    /// Every sample delivery, and its results
    Samples,
    #[value(help = "HubSpot is down while webhooks come in")]
    Outage,
    /// What can be tried by hand
    Guide,
    /// What to do after the demo
    Next,
}

/// Fails where something is not as it must be.
pub(in crate::cli) fn run(arguments: &Arguments) -> Result<()> {
    let file = arguments.stage.display();
    let stage: Stage = serde_json::from_str(&shared::read_text(&arguments.stage)?)
        .map_err(|error| anyhow!("{file} doesn't say where everything is: {error}."))?;
    shared::block_on(async {
        match arguments.scene {
            Scene::SetUp => set_up::run(&stage).await,
            Scene::Life => life::tell(&stage).await,
            Scene::Samples => samples::tell(&stage).await,
            Scene::Outage => outage::tell(&stage).await,
            Scene::Guide => guide::tell(&stage),
            Scene::Next => guide::tell_next(),
        }
    })?
}
