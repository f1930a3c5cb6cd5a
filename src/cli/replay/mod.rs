//! `taskhook replay`: lists dead letters, sends them again, saves them, or deletes them.

mod discarding;
mod keeping;
mod letters;
mod listing;
mod sending;
mod visit;

use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};
use serde_json::json;

use self::keeping::{Keeper, keep_all};
use self::letters::{Filter, Item};
use self::sending::{PATIENCE, Target};
use self::visit::{UNREADABLE, Visit, say};
use super::credentials::Environment;
use super::shared::UsedWrongly;
use super::terminal::count;
use super::{portal, shared};
use crate::outbound::{PlainHttp, address};
use crate::services::Services;
use crate::settings::{Aws, is_fifo};

/// List dead letters, send them through again, save or delete them
///
/// An event that could not be mapped is mapped anew, by the source files of `TASKHOOK_SOURCES`; an
/// update goes as it is. They go to HubSpot, or into a queue with --to. Only what was taken is
/// deleted; what fails again stays. A queue of updates, which has a redrive policy, is refused.
#[derive(Debug, clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is an option of its own")]
pub(super) struct Arguments {
    /// Address of the queue of dead letters
    #[arg(long, value_name = "URL")]
    queue: String,
    /// Address of the queue for updates, into which they go instead of to HubSpot
    #[arg(long, value_name = "URL", conflicts_with_all = ["save", "discard"])]
    to: Option<String>,
    /// Only list them: more than 50 in groups
    #[arg(long)]
    dry_run: bool,
    /// Print them whole, and send nothing
    #[arg(long, conflicts_with_all = ["dry_run", "save", "discard"])]
    show: bool,
    /// Keep them in a folder, and send nothing: events as samples, all others in letters.jsonl
    #[arg(long, value_name = "DIR")]
    save: Option<PathBuf>,
    /// Delete them; with --save only those that could be saved
    #[arg(long, conflicts_with = "dry_run")]
    discard: bool,
    /// List each letter, however many there are; with --discard: delete all of them unasked
    #[arg(long)]
    all: bool,
    /// Print JSON, a line for each letter
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    filter: Filter,
}

/// Fails when a selected letter could not be sent, saved or deleted.
pub(super) fn run(arguments: &Arguments) -> Result<()> {
    shared::block_on(replay(arguments))?
}

async fn replay(arguments: &Arguments) -> Result<()> {
    check_address("--queue", &arguments.queue)?;
    if let Some(url) = &arguments.to {
        check_address("--to", url)?;
        if !is_fifo(url) || *url == arguments.queue {
            let why = "--to has to be the FIFO queue for updates, whose name ends in .fifo.";
            bail!(UsedWrongly(why.to_owned()));
        }
    }
    if arguments.discard {
        discarding::asks(arguments)?;
    }
    let environment = Environment::read()?;
    let (aws, network) = Aws::from_environment(&|name| environment.variable(name))
        .map_err(|problems| shared::join(&problems))?;
    let services = Services::new(aws, &network, PATIENCE);
    let queue = services.queue(&arguments.queue);
    let only_looks =
        arguments.dry_run || arguments.show || arguments.discard || arguments.save.is_some();
    let target = match &arguments.to {
        _ if only_looks => None,
        Some(url) => Some(Target::Queue(services.queue(url))),
        None => Some(Target::Hubspot(Box::new(portal::connect().await?))),
    };
    // In a queue of updates later changes would overtake the messages that are received here.
    if queue.has_redrive_policy().await.context(UNREADABLE)? {
        let why = format!(
            "{} is a queue that a function works off, since it has a redrive policy: taking \
             messages out of it would keep them from the worker. Name the queue of dead letters \
             with --queue.",
            arguments.queue
        );
        bail!(UsedWrongly(why));
    }
    let keeper = arguments.save.as_deref().map(Keeper::new).transpose()?;
    let mut visit = Visit::new(queue, &arguments.filter);
    let result = match &target {
        Some(target) => sending::send_all(&mut visit, target, arguments.json).await,
        None if arguments.discard => discarding::discard(&mut visit, arguments, keeper).await,
        None => show(&mut visit, arguments, keeper).await,
    };
    // Whatever happened, the letters that stay become visible to everybody again.
    visit.release().await;
    result
}

/// Refuses what can't be the address of a queue: a name, an ARN, an address without a path.
fn check_address(option: &str, url: &str) -> Result<()> {
    let example = "https://sqs.eu-central-1.amazonaws.com/123456789012/dead-letters; the stack's \
                   outputs have it";
    let Ok(address) = address(url, PlainHttp::Anywhere) else {
        let why = format!("{option} is {url:?}, no address of a queue, such as {example}.");
        bail!(UsedWrongly(why));
    };
    let (_, rest) = address.split_once("://").unwrap_or_default();
    if rest.contains('/') {
        return Ok(());
    }
    let why =
        format!("{option} is {url:?}, an address without a queue; write one such as {example}.");
    bail!(UsedWrongly(why))
}

/// Lists the letters, or prints them whole, and keeps them if there is a folder for them.
async fn show(visit: &mut Visit<'_>, arguments: &Arguments, keeper: Option<Keeper>) -> Result<()> {
    let items = visit.receive().await?;
    let text = if arguments.json {
        items.iter().map(|item| json_line(item, arguments.show)).collect()
    } else if arguments.show {
        items.iter().map(Item::whole).collect()
    } else {
        listing::list(&items, arguments.all)
    };
    shared::print(&text)?;
    if let (Some(mut keeper), Some(folder)) = (keeper, &arguments.save) {
        let kept = keep_all(&mut keeper, &items);
        let saved = count(kept.iter().filter(|kept| kept.is_ok()).count());
        say(&format!("{saved} saved in {}.\n", folder.display()), arguments.json)?;
        if kept.iter().any(Result::is_err) {
            bail!("Not every letter could be saved; the reasons are above.");
        }
    }
    visit.report_waiting(arguments.json).await
}

/// A letter as a line of JSON, with its content if it is to be whole.
fn json_line(item: &Item, is_whole: bool) -> String {
    let mut json = item.json();
    if is_whole {
        json["letter"] = json!(item.content());
    }
    format!("{json}\n")
}
