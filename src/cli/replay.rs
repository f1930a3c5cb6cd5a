//! `taskhook replay`: dead letters are looked at, and sent through again.

use std::time::Duration;

use tokio::time::Instant;

use super::dead_letters::{Filter, Item, table};
use super::{payload, portal};
use crate::hubspot::Hubspot;
use crate::queue::{Entry, Message, Queue};
use crate::settings::{Aws, Problem};
use crate::summary::Outcome;
use crate::time::Time;
use crate::{aws, engine, outbound};

/// How long the letters are kept from others. Sending them through may take half of it.
const HIDDEN: Duration = Duration::from_mins(20);

/// List dead letters, and send them through again
///
/// An event that could not be mapped is mapped anew, by the source files of `TASKHOOK_SOURCES`; an update goes as it is.
/// They go to HubSpot, or into a queue with --to. Only what was taken is deleted; what fails again stays.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Address of the queue of dead letters
    #[arg(long, value_name = "URL")]
    queue: String,
    /// Address of the queue for updates, into which they go instead of to HubSpot
    #[arg(long, value_name = "URL")]
    to: Option<String>,
    /// Only list them
    #[arg(long)]
    dry_run: bool,
    /// Print them whole, and send nothing
    #[arg(long, conflicts_with = "dry_run")]
    show: bool,
    #[command(flatten)]
    filter: Filter,
}

/// Where updates are sent.
enum Target {
    Hubspot(Box<Hubspot>),
    Queue(Queue),
}

/// What became of a letter: a word about each of its updates, or why it stays.
type Fate = Result<String, String>;

/// Fails when something stays that was to go.
pub(super) fn run(arguments: &Arguments) -> Result<(), String> {
    super::block_on(replay(arguments))?
}

async fn replay(arguments: &Arguments) -> Result<(), String> {
    let aws = Aws::from_environment(&|name| std::env::var(name).ok());
    let aws = aws.map_err(|problems| problems.iter().map(Problem::to_string).collect::<Vec<_>>().join("\n"))?;
    let sqs = aws::sqs(&aws, outbound::client(true));
    let dead_letters = Queue::new(sqs.clone(), &arguments.queue);
    let target = match &arguments.to {
        _ if arguments.dry_run || arguments.show => None,
        Some(url) => Some(Target::Queue(Queue::new(sqs, url))),
        None => Some(Target::Hubspot(Box::new(portal::connect().await?))),
    };
    let mut kept = Vec::new();
    let result = match &target {
        Some(target) => send_all(arguments, &dead_letters, target, &mut kept).await,
        None => look(arguments, &dead_letters, &mut kept).await,
    };
    // What stays is there for everybody again.
    let kept: Vec<_> = kept.iter().map(|item| &item.received).collect();
    dead_letters.release(&kept, Instant::now() + HIDDEN).await;
    result
}

/// Everything that the queue gives out now: what is meant, in the order of time, and the rest.
async fn take(arguments: &Arguments, dead_letters: &Queue) -> Result<(Vec<Item>, Vec<Item>), String> {
    let received = dead_letters.receive(HIDDEN).await.map_err(|why| format!("The queue can't be read: {why}."))?;
    let now = Time::now();
    let (mut meant, others): (Vec<_>, Vec<_>) =
        received.into_iter().map(Item::new).partition(|item| arguments.filter.takes(item, now));
    meant.sort_by_key(Item::time);
    Ok((meant, others))
}

async fn look(arguments: &Arguments, dead_letters: &Queue, kept: &mut Vec<Item>) -> Result<(), String> {
    let (meant, others) = take(arguments, dead_letters).await?;
    let text = if arguments.show { meant.iter().map(Item::whole).collect() } else { table(&meant) };
    kept.extend(meant.into_iter().chain(others));
    super::print(&text)
}

/// Round after round, since SQS gives out some messages of a group only when those before them are deleted.
async fn send_all(
    arguments: &Arguments,
    dead_letters: &Queue,
    target: &Target,
    kept: &mut Vec<Item>,
) -> Result<(), String> {
    let (mut gone, mut stay) = (0, 0);
    loop {
        let (meant, others) = take(arguments, dead_letters).await?;
        kept.extend(others);
        if meant.is_empty() {
            break;
        }
        let (count, fates) = (meant.len(), send(target, &meant).await);
        let mut done = Vec::new();
        for (item, fate) in meant.into_iter().zip(fates) {
            super::print(&item.line(&fate))?;
            let fate = if fate.is_ok() { &mut done } else { &mut *kept };
            fate.push(item);
        }
        (gone, stay) = (gone + done.len(), stay + count - done.len());
        let receipts: Vec<_> = done.iter().map(|item| &item.received).collect();
        dead_letters.delete(&receipts).await.map_err(|why| {
            format!("They went through, but can't be deleted: {why}. Sent through again, they change nothing.")
        })?;
    }
    super::print(&format!("{gone} went through, {stay} stay.\n"))?;
    if stay == 0 { Ok(()) } else { Err("Not everything could be sent through; the reasons are above.".to_owned()) }
}

/// Sends letters through, all together. One result for each.
async fn send(target: &Target, items: &[Item]) -> Vec<Fate> {
    let needs_sources = items.iter().any(Item::needs_sources);
    let sources = if needs_sources { payload::sources().map(Some) } else { Ok(None) };
    let (mut fates, mut messages) = (Vec::new(), Vec::new());
    for (index, item) in items.iter().enumerate() {
        let sources = sources.as_ref().map(Option::as_ref);
        let found = sources.or_else(|why| if item.needs_sources() { Err(why.clone()) } else { Ok(None) });
        let found = found.and_then(|sources| item.messages(sources));
        fates.push(found.map(|found| {
            let word = if found.is_empty() { "filtered" } else { "" };
            messages.extend(found.into_iter().map(|message| (index, message)));
            word.to_owned()
        }));
    }
    let (indices, messages): (Vec<usize>, Vec<Message>) = messages.into_iter().unzip();
    for (index, outcome) in indices.into_iter().zip(target.take(messages).await) {
        fates[index] = match (&fates[index], outcome) {
            (Ok(words), Ok(word)) if words.is_empty() => Ok(word),
            (Ok(words), Ok(word)) => Ok(format!("{words}, {word}")),
            (Err(why), _) => Err(why.clone()),
            (Ok(_), Err(why)) => Err(why),
        };
    }
    fates
}

impl Target {
    /// What became of each update.
    async fn take(&self, messages: Vec<Message>) -> Vec<Fate> {
        let deadline = Instant::now() + HIDDEN / 2;
        match self {
            Self::Hubspot(hubspot) => {
                let updates: Vec<_> = messages.into_iter().map(|message| message.update).collect();
                engine::run(hubspot, &updates, deadline, false).await.outcomes.iter().map(word).collect()
            }
            Self::Queue(queue) => {
                let entries: Vec<_> = messages.iter().map(Entry::again).collect();
                let sent = queue.send(&entries, deadline).await.into_iter();
                sent.map(|result| result.map(|()| "queued".to_owned()).map_err(|why| why.to_string())).collect()
            }
        }
    }
}

fn word(outcome: &Outcome) -> Fate {
    match outcome {
        Outcome::Failed(_, detail) | Outcome::Retry(_, detail) => Err(detail.clone()),
        good => Ok(good.name().to_owned()),
    }
}
