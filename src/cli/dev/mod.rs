//! `taskhook dev`: the inner loop in one process. The function's own code behind a local address,
//! the HubSpot stand-in, source files that are read again as they change, and a page.
//!
//! ```text
//! socket ── server ──┬── the page, and its data: locks ── api ──┐
//!                    └── the webhook's address ── deliver ──────┴── desk ── shelf, portal, payloads
//! ```
//!
//! | module | holds |
//! | --- | --- |
//! | `server`, `locks` | the socket, and who may look |
//! | `api` | the page's data, a route for each thing that it shows |
//! | `deliver` | a delivery: the function answers it, and its story is kept |
//! | `signature`, `listed` | whether it is rightly signed; how the list shows it |
//! | `desk`, `secret_files` | what they share; the secrets of the senders |
//! | `shelf`, `serving` | the source files on disk, the last good text of each; the function by them |
//! | `draft` | a file that is being written, tried in a process of its own |
//! | `portal`, `faults` | the stand-in or the real HubSpot; what can go wrong with the former |
//! | `payloads`, `layout`, `place` | payloads, and how a browser shows them and problems |
//! | `events`, `tell`, `save` | what happened: for pages, for the terminal, for the samples |
//! | `page.html` | the page: one file, which asks nobody but the desk |

mod api;
mod deliver;
mod desk;
pub(super) mod draft;
mod events;
mod faults;
mod layout;
mod listed;
mod locks;
mod payloads;
mod place;
mod portal;
mod save;
mod secret_files;
mod server;
mod serving;
mod shelf;
mod signature;
mod tell;

use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, anyhow, bail};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use super::sim::stop_signal;
use super::{payload, shared};
use desk::{Desk, Parts};
use portal::Portal;
use save::Saver;
use secret_files::SecretFiles;
use server::Door;

/// The port unless another is asked for.
const PORT: u16 = 8787;

/// How often the source files are looked at.
const LOOK: Duration = Duration::from_millis(250);

/// The function behind a local address, the `HubSpot` stand-in, and a page that shows what becomes
/// of a payload
///
/// Source files are read again when they change. Keys, each followed by Enter: nothing for the story
/// of the last delivery, r to send it again, f for the next fault, q to stop.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Port to listen on; 0 takes any free one
    #[arg(long, default_value_t = PORT)]
    port: u16,
    /// One more port, which takes webhooks and nothing else: for a forwarded port, or a tunnel
    #[arg(long, value_name = "PORT")]
    webhooks_port: Option<u16>,
    /// Keep each delivery that is rightly signed as a sample in this folder, with the expected
    /// result, signed anew with the secret of the samples
    #[arg(long, value_name = "FOLDER")]
    save: Option<PathBuf>,
    /// JSON file with the real webhook secrets by their names in Secrets Manager, besides those of
    /// the samples
    #[arg(long, value_name = "FILE")]
    secrets: Option<PathBuf>,
    /// JSON file with the portal of the stand-in
    #[arg(long, value_name = "FILE", conflicts_with = "online")]
    portal: Option<PathBuf>,
    /// Read the tasks of the real portal, and write nothing
    #[arg(long)]
    online: bool,
    /// Folder of the samples, with secrets.json and portal.json
    #[arg(long, value_name = "FOLDER", default_value = "events")]
    events: PathBuf,
}

/// Runs until it is stopped.
pub(super) fn run(arguments: &Arguments) -> Result<()> {
    shared::block_on(serve(arguments))?
}

async fn serve(arguments: &Arguments) -> Result<()> {
    let Arguments { port, webhooks_port, save, secrets, portal, online, events } = arguments;
    let stopped = stop_signal().map_err(|error| anyhow!("Signals can't be received: {error}."))?;
    let portal = if *online {
        Portal::online()?
    } else {
        let of_samples = Some(events.join("portal.json")).filter(|file| file.exists());
        Portal::stand_in(portal.as_ref().or(of_samples.as_ref()).map(PathBuf::as_path)).await?
    };
    let known = SecretFiles::read(events.clone(), secrets.clone())?;
    let listener = listen("--port", *port).await?;
    let for_webhooks = match webhooks_port {
        Some(port) => Some(listen("--webhooks-port", *port).await?),
        None => None,
    };
    let port = listener.local_addr()?.port();
    let address = format!("http://127.0.0.1:{port}");
    let parts = Parts {
        address: address.clone(),
        portal,
        secrets: known,
        saver: save.clone().map(Saver::new).transpose()?,
        samples: events.clone(),
        sources: payload::path(),
    };
    let (desk, noticed) = Desk::new(parts)?;
    let desk = Arc::new(desk);
    tell::say(&format!("taskhook dev: {address}"));
    greet(&desk);
    tell::noticed(&noticed, true);
    let watching = watch(Arc::clone(&desk));
    if let Some(listener) = for_webhooks {
        tell::say(&format!("  webhooks alone: http://{}", listener.local_addr()?));
        tokio::spawn(server::serve(listener, Arc::clone(&desk), Door::Webhooks));
    }
    let serving = server::serve(listener, Arc::clone(&desk), Door::Desk(port));
    tokio::select! {
        () = serving => {}
        () = watching => {}
        () = keys(&desk) => {}
        () = stopped => {}
    }
    // Deliveries that are under way end with it: to wait for one that doesn't end would be for ever.
    std::process::exit(0)
}

/// Listens on a port of this machine, which an option says.
async fn listen(option: &str, port: u16) -> Result<TcpListener> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.map_err(|error| {
        anyhow!(
            "Port {port} can't be listened on: {error}; choose another with {option}, or any free \
             one with {option} 0."
        )
    })
}

/// Says what there is.
fn greet(desk: &Desk) {
    let serving = desk.serving();
    let names: Vec<_> = serving.sources().iter().map(|source| source.path.as_str()).collect();
    let webhooks = if names.is_empty() {
        "none yet: New from a payload, on the page, makes a source file".to_owned()
    } else {
        format!("{}{}", desk.address, names.join(", "))
    };
    tell::say(&format!("  webhooks  {webhooks}"));
    let brief = desk.portal.brief();
    let name = brief["name"].as_str().unwrap_or_default();
    let tasks = brief["tasks"]
        .as_u64()
        .map_or_else(|| ", which is only read".to_owned(), |tasks| format!(", {tasks} tasks"));
    tell::say(&format!("  HubSpot   {name}{tasks}"));
    let without: Vec<_> = serving
        .sources()
        .iter()
        .filter(|source| desk.secrets_of(source).is_err())
        .map(|source| source.name.as_str())
        .collect();
    if !without.is_empty() {
        tell::say(&format!("  no secret {}: add it to the file of --secrets", without.join(", ")));
    }
    tell::say("  keys      Enter: the last story, r: send it again, f: faults, q: stop");
}

/// Looks at the source files again and again.
async fn watch(desk: Arc<Desk>) {
    let mut last_problem = String::new();
    loop {
        tokio::time::sleep(LOOK).await;
        match desk.refresh() {
            Ok(noticed) => tell::noticed(&noticed, false),
            // Told once: the folder may be gone for a moment, as while a branch is switched.
            Err(why) if why.to_string() != last_problem => {
                last_problem = why.to_string();
                tell::say(&last_problem);
            }
            Err(_) => {}
        }
    }
}

/// Does what a person types, until `q`. Without a terminal nothing is typed.
async fn keys(desk: &Arc<Desk>) {
    let (sender, mut lines) = mpsc::unbounded_channel();
    // A thread of its own, because a read of the terminal can't be called off.
    std::thread::spawn(move || {
        for line in std::io::stdin().lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    while let Some(line) = lines.recv().await {
        let result = match line.trim() {
            "q" => return,
            "" => show_last(desk),
            "r" => send_last(desk).await,
            "f" => next_fault(desk),
            other => Err(anyhow!("{other:?} is no key: Enter, r, f or q.")),
        };
        if let Err(why) = result {
            tell::say(&why.to_string());
        }
    }
    std::future::pending::<()>().await;
}

fn show_last(desk: &Desk) -> Result<()> {
    let deliveries = desk.deliveries();
    let last = deliveries.first().ok_or_else(nothing_yet)?;
    tell::story(last);
    Ok(())
}

async fn send_last(desk: &Arc<Desk>) -> Result<()> {
    let last = desk.deliveries().first().cloned().ok_or_else(nothing_yet)?;
    let (Some(source), Some(payload)) = (last.row["source"].as_str(), last.row["payload"].as_str())
    else {
        bail!("The last delivery had no source.");
    };
    let delivery = {
        let serving = desk.serving();
        let source = payload::source(serving.sources(), source)?;
        let kept = desk.payloads().get(payload)?.clone();
        deliver::signed(desk, source, &kept)?
    };
    let desk = Arc::clone(desk);
    let answered = server::on_own_thread(async move || {
        deliver::deliver(&desk, delivery, deliver::Origin::Desk).await
    });
    let Some(answered) = answered.await else { bail!("It took too long.") };
    tell::delivery(&answered?.delivered);
    Ok(())
}

fn next_fault(desk: &Desk) -> Result<()> {
    let sim = desk.portal.sim().ok_or_else(|| anyhow!("The real HubSpot has no faults."))?;
    tell::say(&faults::next(sim)?);
    desk.events.add("faults", &serde_json::json!({"faults": faults::list(sim)}));
    Ok(())
}

fn nothing_yet() -> anyhow::Error {
    anyhow!("Nothing has arrived yet.")
}
