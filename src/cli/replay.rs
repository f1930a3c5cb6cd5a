//! `taskhook replay`: lists dead letters, and sends them again.

use std::collections::HashSet;
use std::time::Duration;

use anyhow::{Context as _, Error, Result, anyhow, bail};
use tokio::time::Instant;

use super::dead_letters::{Fate, Filter, Item, list};
use super::shared;
use super::{payload, portal};
use crate::hubspot::{Hubspot, Schema};
use crate::outbound::{PlainHttp, address};
use crate::outcome::Outcome;
use crate::queue::{Entry, Message, Queue, Received, group};
use crate::services::Services;
use crate::settings::{Aws, is_fifo};
use crate::source::Sources;
use crate::time::Time;
use crate::{engine, files};

/// How long the letters are invisible to other consumers, who would send them as well.
const HIDDEN: Duration = Duration::from_mins(20);

/// How many letters are sent together, and deleted: if the command is stopped, no more than these
/// are sent twice.
const AT_ONCE: usize = 100;

/// How long it may take to send these.
const PATIENCE: Duration = Duration::from_mins(2);

const UNREADABLE: &str = "The queue can't be read";

/// List dead letters, and send them through again
///
/// An event that could not be mapped is mapped anew, by the source files of `TASKHOOK_SOURCES`; an
/// update goes as it is. They go to HubSpot, or into a queue with --to. Only what was taken is
/// deleted; what fails again stays. A queue of updates, which has a redrive policy, is refused.
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

/// Fails when a selected letter could not be sent.
pub(super) fn run(arguments: &Arguments) -> Result<()> {
    shared::block_on(replay(arguments))?
}

async fn replay(arguments: &Arguments) -> Result<()> {
    let aws =
        Aws::from_environment(&shared::variable).map_err(|problems| shared::join(&problems))?;
    let services = Services::new(aws, PATIENCE);
    check_address("--queue", &arguments.queue)?;
    if let Some(url) = &arguments.to {
        check_address("--to", url)?;
    }
    let dead_letters = services.queue(&arguments.queue);
    let target = match &arguments.to {
        _ if arguments.dry_run || arguments.show => None,
        Some(url) if !is_fifo(url) || *url == arguments.queue => {
            bail!("--to has to be the FIFO queue for updates, whose name ends in .fifo.")
        }
        Some(url) => Some(Target::Queue(services.queue(url))),
        None => Some(Target::Hubspot(Box::new(portal::connect().await?))),
    };
    // In a queue of updates later changes would overtake the messages that are received here.
    if dead_letters.has_redrive_policy().await.context(UNREADABLE)? {
        bail!(
            "{} is a queue that a function works off, since it has a redrive policy: taking \
             messages out of it would keep them from the worker. Name the queue of dead letters \
             with --queue.",
            arguments.queue
        );
    }
    let mut visit = Visit {
        filter: &arguments.filter,
        dead_letters,
        began: Instant::now(),
        held: Vec::new(),
        blocked: HashSet::new(),
    };
    let result = match &target {
        Some(target) => visit.send_all(target).await,
        None => visit.show(arguments.show).await,
    };
    // Whatever happened, the letters that stay become visible to everybody again.
    let held: Vec<_> = visit.held.iter().collect();
    visit.dead_letters.release(&held, Instant::now() + HIDDEN).await;
    result
}

/// Refuses what can't be the address of a queue: a name, an ARN, an address without a path.
fn check_address(option: &str, url: &str) -> Result<()> {
    let example = "https://sqs.eu-central-1.amazonaws.com/123456789012/dead-letters; the stack's \
                   outputs have it";
    let address = address(url, PlainHttp::Anywhere)
        .map_err(|_| anyhow!("{option} is {url:?}, no address of a queue, such as {example}."))?;
    let (_, rest) = address.split_once("://").unwrap_or_default();
    if rest.contains('/') {
        return Ok(());
    }
    bail!("{option} is {url:?}, an address without a queue; write one such as {example}.")
}

/// One look into a queue of dead letters.
struct Visit<'a> {
    filter: &'a Filter,
    dead_letters: Queue,
    began: Instant,
    /// The messages that were received and not deleted.
    held: Vec<Received>,
    /// The message groups of the letters that stay: later updates of the same tasks may not
    /// overtake them.
    blocked: HashSet<String>,
}

/// A letter, and the messages to send for it.
struct Job {
    item: Item,
    /// The error says why the letter stays.
    messages: Result<Vec<Message>>,
    /// The message groups of its tasks.
    groups: Vec<String>,
}

/// How a run ended.
#[derive(Default)]
struct Report {
    gone: usize,
    stay: usize,
    /// Letters that were written during the run.
    newer: usize,
    /// The error that ended the run early, or left sent letters in the queue.
    problem: Option<Error>,
}

impl Visit<'_> {
    /// Receives the messages that the queue gives out now. Returns the selected letters that were
    /// not received before, in the order of time.
    async fn receive(&mut self) -> Result<Vec<Item>> {
        let known = self.held.len();
        self.dead_letters
            .receive(HIDDEN, &mut self.held, |_| {})
            .await
            .map_err(Error::msg)
            .context(UNREADABLE)?;
        let now = Time::now();
        let mut selected = Vec::new();
        for received in &self.held[known..] {
            let item = Item::new(received.clone());
            if self.filter.selects(&item, now) {
                selected.push(item);
            }
        }
        selected.sort_by_key(Item::time);
        Ok(selected)
    }

    /// Lists the letters, or prints them whole.
    async fn show(&mut self, whole: bool) -> Result<()> {
        let items = self.receive().await?;
        let text = if whole { items.iter().map(Item::whole).collect() } else { list(&items) };
        shared::print(&text)?;
        self.report_waiting().await
    }

    /// Sends round after round, because SQS gives out some messages of a group only when the
    /// earlier ones are deleted.
    async fn send_all(&mut self, target: &Target) -> Result<()> {
        let started = Time::now();
        let mut report = Report::default();
        'rounds: loop {
            let mut items = Vec::new();
            for item in self.receive().await? {
                // An update that fails again in the worker is a new letter, for the next run.
                if matches!(target, Target::Queue(_)) && item.received.sent > Some(started) {
                    report.newer += 1;
                } else {
                    items.push(item);
                }
            }
            let mut jobs = prepare(items)?;
            if jobs.is_empty() {
                break;
            }
            // A queue keeps the order in which updates are sent to it.
            jobs.sort_by_key(Job::time);
            while !jobs.is_empty() {
                if self.began.elapsed() > HIDDEN / 2 {
                    report.stay += jobs.len();
                    report.problem = Some(anyhow!(
                        "The letters can't be kept from others for longer: run the command again."
                    ));
                    break 'rounds;
                }
                let batch = jobs.drain(..jobs.len().min(AT_ONCE)).collect();
                self.send(target, batch, &mut report).await?;
            }
        }
        let newer = match report.newer {
            0 => String::new(),
            count => format!(" {count} came meanwhile, and are for the next time."),
        };
        shared::print(&format!("{} went through, {} stay.{newer}\n", report.gone, report.stay))?;
        self.report_waiting().await?;
        if let Some(problem) = report.problem {
            return Err(problem);
        }
        if report.stay > 0 {
            bail!("Not everything could be sent through; the reasons are above.");
        }
        Ok(())
    }

    /// Sends letters, prints the fate of each, and deletes those that are gone.
    async fn send(
        &mut self,
        target: &Target,
        mut jobs: Vec<Job>,
        report: &mut Report,
    ) -> Result<()> {
        for job in &mut jobs {
            if job.groups.iter().any(|group| self.blocked.contains(group)) {
                job.messages = Err(anyhow!("an earlier change of the same task stays"));
            }
        }
        let fates = target.send(&jobs).await;
        let mut gone = Vec::new();
        for (job, fate) in jobs.into_iter().zip(fates) {
            shared::print(&job.item.line(&fate))?;
            match fate {
                Fate::Gone(_) => gone.push(job.item.received),
                Fate::Stays(_) => {
                    self.blocked.extend(job.groups);
                    report.stay += 1;
                }
            }
        }
        report.gone += gone.len();
        let deleted = self.dead_letters.delete(&gone.iter().collect::<Vec<_>>()).await;
        if let Some(why) = deleted.into_iter().find_map(Result::err) {
            report.problem.get_or_insert(anyhow!(
                "Not all that went through could be deleted: {why}. The rest comes back in twenty \
                 minutes."
            ));
        }
        self.held.retain(|held| !gone.iter().any(|gone| gone.id == held.id));
        Ok(())
    }

    /// Prints how many messages the queue holds back while earlier ones are received.
    async fn report_waiting(&self) -> Result<()> {
        match self.dead_letters.waiting().await {
            Ok(0) => Ok(()),
            Ok(waiting) => shared::print(&format!(
                "About {waiting} more wait that SQS doesn't give out now.\n"
            )),
            Err(why) => {
                eprintln!("How many more wait is not known: {why}.");
                Ok(())
            }
        }
    }
}

/// The messages to send for each letter.
fn prepare(items: Vec<Item>) -> Result<Vec<Job>> {
    let needs_sources = items.iter().any(Item::needs_sources);
    let sources = needs_sources.then(payload::sources);
    let schema = files::schema(&payload::path())?;
    let mut jobs = Vec::new();
    for item in items {
        let messages = messages(&item, sources.as_ref(), schema.as_ref());
        let groups = messages.iter().flatten().map(|message| group(&message.update.task)).collect();
        jobs.push(Job { item, messages, groups });
    }
    Ok(jobs)
}

/// The messages to send for a letter, checked against the portal's schema.
fn messages(
    item: &Item,
    sources: Option<&Result<Sources>>,
    schema: Option<&Schema>,
) -> Result<Vec<Message>> {
    let sources = match sources {
        Some(Err(why)) if item.needs_sources() => bail!("{why}"),
        Some(Ok(sources)) => Some(sources),
        _ => None,
    };
    let mut messages = item.messages(sources)?;
    if let Some(schema) = schema {
        for message in &mut messages {
            schema.fit(&mut message.update)?;
        }
    }
    Ok(messages)
}

impl Job {
    /// When the first of its changes happened.
    fn time(&self) -> Time {
        let times = self.messages.iter().flatten().map(|message| message.update.time);
        times.min().unwrap_or(self.item.time())
    }
}

impl Target {
    /// Sends the messages of all jobs together, in their order. Returns the fate of each job.
    async fn send(&self, jobs: &[Job]) -> Vec<Fate> {
        let messages = jobs.iter().flat_map(|job| job.messages.iter().flatten().cloned());
        let mut results = self.send_messages(messages.collect()).await.into_iter();
        let mut fates = Vec::new();
        for job in jobs {
            fates.push(match &job.messages {
                Ok(messages) => together(results.by_ref().take(messages.len()).collect()),
                Err(why) => Fate::Stays(format!("{why:#}")),
            });
        }
        fates
    }

    /// Sends messages. Returns the fate of each of them.
    async fn send_messages(&self, messages: Vec<Message>) -> Vec<Fate> {
        let deadline = Instant::now() + PATIENCE;
        match self {
            Self::Hubspot(hubspot) => {
                let updates: Vec<_> = messages.into_iter().map(|message| message.update).collect();
                let run = engine::run(hubspot, &updates, deadline, false).await;
                run.outcomes.iter().map(fate).collect()
            }
            Self::Queue(queue) => {
                let entries: Vec<_> = messages.iter().map(Entry::again).collect();
                let mut fates = Vec::new();
                for sent in queue.send(&entries, deadline).await {
                    fates.push(match sent {
                        Ok(()) => Fate::Gone("queued".to_owned()),
                        Err(why) => Fate::Stays(why.to_string()),
                    });
                }
                fates
            }
        }
    }
}

/// The fate of a letter by those of its messages: it is gone when all of them were accepted. The
/// first reason is told.
fn together(fates: Vec<Fate>) -> Fate {
    if fates.is_empty() {
        return Fate::Gone("filtered".to_owned());
    }
    let mut words = Vec::new();
    for fate in fates {
        match fate {
            Fate::Gone(word) => words.push(word),
            stays @ Fate::Stays(_) => return stays,
        }
    }
    Fate::Gone(words.join(", "))
}

fn fate(outcome: &Outcome) -> Fate {
    match outcome {
        Outcome::Failed(_, detail) | Outcome::Retry(_, detail) => Fate::Stays(detail.clone()),
        good => Fate::Gone(good.kind().as_str().to_owned()),
    }
}
