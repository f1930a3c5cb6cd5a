//! `taskhook replay`: dead letters are looked at, and sent through again.

use std::collections::HashSet;
use std::time::Duration;

use tokio::time::Instant;

use super::dead_letters::{Filter, Item, table};
use super::{payload, portal};
use crate::hubspot::Hubspot;
use crate::outcome::Outcome;
use crate::queue::{Entry, Message, Queue, Received, group};
use crate::settings::{Aws, Problem};
use crate::time::Time;
use crate::{aws, engine, files, outbound};

/// How long the letters are kept from others, who would send them through as well.
const HIDDEN: Duration = Duration::from_mins(20);

/// How many letters are sent through together, and deleted: if the command is stopped, no more than
/// these come again.
const AT_ONCE: usize = 100;

/// How long it may take to send some through.
const PATIENCE: Duration = Duration::from_mins(2);

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

/// What became of a letter: a word about each of its updates, or why it stays.
type Fate = Result<String, String>;

/// Fails when something stays that was to go.
pub(super) fn run(arguments: &Arguments) -> Result<(), String> {
    super::block_on(replay(arguments))?
}

async fn replay(arguments: &Arguments) -> Result<(), String> {
    let aws = Aws::from_environment(&|name| std::env::var(name).ok());
    let aws = aws.map_err(|problems| {
        problems.iter().map(Problem::to_string).collect::<Vec<_>>().join("\n")
    })?;
    let sqs = aws::sqs(&aws, outbound::client(true));
    let dead_letters = Queue::new(sqs.clone(), &arguments.queue);
    let target = match &arguments.to {
        _ if arguments.dry_run || arguments.show => None,
        Some(url) if url.strip_suffix(".fifo").is_none() || *url == arguments.queue => {
            return Err(
                "--to has to be the FIFO queue for updates, whose name ends in .fifo.".to_owned()
            );
        }
        Some(url) => Some(Target::Queue(Queue::new(sqs, url))),
        None => Some(Target::Hubspot(Box::new(portal::connect().await?))),
    };
    // Of a queue of updates the worker would be kept from what is under way, and later changes
    // would overtake it.
    match dead_letters.has_redrive_policy().await {
        Ok(false) => {}
        Ok(true) => {
            return Err(format!(
                "{} is a queue that a function works off, since it has a redrive policy: taking messages out of it would \
                 keep them from the worker. Name the queue of dead letters with --queue.",
                arguments.queue
            ));
        }
        Err(why) => return Err(format!("The queue can't be read: {why}.")),
    }
    let (held, blocked) = (Vec::new(), HashSet::new());
    let mut visit =
        Visit { filter: &arguments.filter, dead_letters, began: Instant::now(), held, blocked };
    let result = match &target {
        Some(target) => visit.send_all(target).await,
        None => visit.look(arguments.show).await,
    };
    // What stays is there for everybody again, whatever happened.
    let held: Vec<_> = visit.held.iter().collect();
    visit.dead_letters.release(&held, Instant::now() + HIDDEN).await;
    result
}

/// One look into a queue of dead letters.
struct Visit<'a> {
    filter: &'a Filter,
    dead_letters: Queue,
    began: Instant,
    /// What was taken out of the queue and is not deleted.
    held: Vec<Received>,
    /// The groups of the updates that stay: later ones of the same tasks may not overtake them.
    blocked: HashSet<String>,
}

/// A letter, and what is to be sent of it.
struct Job {
    item: Item,
    messages: Result<Vec<Message>, String>,
    /// The message groups of its tasks.
    groups: Vec<String>,
}

/// How many letters went through, and how many stay.
#[derive(Default)]
struct Count {
    gone: usize,
    stay: usize,
}

impl Visit<'_> {
    /// Everything that is meant, that was not seen before, and that the queue gives out now; in the
    /// order of time.
    async fn take(&mut self) -> Result<Vec<Item>, String> {
        let seen: HashSet<String> = self.held.iter().map(|received| received.id.clone()).collect();
        let known = self.held.len();
        let received = self.dead_letters.receive(HIDDEN, &mut self.held).await;
        received.map_err(|why| format!("The queue can't be read: {why}."))?;
        let now = Time::now();
        let new = self.held[known..].iter().filter(|received| !seen.contains(&received.id));
        let items = new.cloned().map(Item::new);
        let mut meant: Vec<_> = items.filter(|item| self.filter.takes(item, now)).collect();
        meant.sort_by_key(Item::time);
        Ok(meant)
    }

    async fn look(&mut self, whole: bool) -> Result<(), String> {
        let meant = self.take().await?;
        super::print(&if whole { meant.iter().map(Item::whole).collect() } else { table(&meant) })?;
        self.tell_behind().await
    }

    /// Round after round, since SQS gives out some messages of a group only when those before them
    /// are deleted.
    async fn send_all(&mut self, target: &Target) -> Result<(), String> {
        let (started, mut newer) = (Time::now(), 0);
        let (mut count, mut result) = (Count::default(), Ok(()));
        'rounds: loop {
            // What fails again in the worker is a new letter, and for the next time.
            let is_new = |item: &Item| {
                matches!(target, Target::Queue(_))
                    && item.received.sent.is_some_and(|sent| sent > started)
            };
            let (new, old): (Vec<_>, Vec<_>) = self.take().await?.into_iter().partition(is_new);
            newer += new.len();
            let mut jobs = prepare(old)?;
            if jobs.is_empty() {
                break;
            }
            // The order of the updates, which counts where they go into a queue.
            jobs.sort_by_key(Job::time);
            while !jobs.is_empty() {
                if self.began.elapsed() > HIDDEN / 2 {
                    result = Err(
                        "The letters can't be kept from others for longer: run the command again."
                            .to_owned(),
                    );
                    count.stay += jobs.len();
                    break 'rounds;
                }
                let rest = jobs.split_off(jobs.len().min(AT_ONCE));
                let deleted =
                    self.send(target, std::mem::replace(&mut jobs, rest), &mut count).await?;
                result = result.and(deleted);
            }
        }
        let newer = if newer > 0 {
            format!(" {newer} came meanwhile, and are for the next time.")
        } else {
            String::new()
        };
        super::print(&format!("{} went through, {} stay.{newer}\n", count.gone, count.stay))?;
        self.tell_behind().await?;
        result?;
        let not_all = "Not everything could be sent through; the reasons are above.".to_owned();
        if count.stay == 0 { Ok(()) } else { Err(not_all) }
    }

    /// Sends letters through, says what became of each, and deletes what was taken. Returns whether
    /// all of it could be deleted.
    async fn send(
        &mut self,
        target: &Target,
        mut jobs: Vec<Job>,
        count: &mut Count,
    ) -> Result<Result<(), String>, String> {
        for job in jobs
            .iter_mut()
            .filter(|job| job.groups.iter().any(|group| self.blocked.contains(group)))
        {
            job.messages = Err("an earlier change of the same task stays".to_owned());
        }
        let fates = target.take(&jobs).await;
        let mut done = Vec::new();
        for (job, fate) in jobs.into_iter().zip(fates) {
            super::print(&job.item.line(&fate))?;
            if fate.is_ok() {
                done.push(job.item.received);
                count.gone += 1;
            } else {
                self.blocked.extend(job.groups);
                count.stay += 1;
            }
        }
        let deleted = self.dead_letters.delete(&done.iter().collect::<Vec<_>>()).await.map_err(|why| {
            format!("Not all that went through could be deleted: {why}. The rest comes back in twenty minutes.")
        });
        self.held.retain(|held| !done.iter().any(|done| done.id == held.id));
        Ok(deleted)
    }

    /// Says how much the queue doesn't give out as long as what was taken is there.
    async fn tell_behind(&self) -> Result<(), String> {
        match self.dead_letters.waiting().await {
            Ok(0) => Ok(()),
            Ok(waiting) => {
                super::print(&format!("About {waiting} more wait that SQS doesn't give out now.\n"))
            }
            Err(why) => {
                eprintln!("How many more wait is not known: {why}.");
                Ok(())
            }
        }
    }
}

/// Finds out what is to be sent of each letter.
fn prepare(items: Vec<Item>) -> Result<Vec<Job>, String> {
    let needs_sources = items.iter().any(Item::needs_sources);
    let sources = if needs_sources { payload::sources().map(Some) } else { Ok(None) };
    let schema = files::schema(&payload::path()).map_err(|problem| problem.to_string())?;
    let messages = |item: &Item| {
        let sources = match &sources {
            Ok(sources) => sources.as_ref(),
            Err(why) if item.needs_sources() => return Err(why.clone()),
            Err(_) => None,
        };
        let mut messages = item.messages(sources)?;
        for message in &mut messages {
            let checked =
                schema.as_ref().map_or(Ok(()), |schema| schema.check(&mut message.update));
            checked.map_err(|unfit| unfit.detail)?;
        }
        Ok(messages)
    };
    let job = |item: Item| {
        let messages = messages(&item);
        let groups = messages.iter().flatten().map(|message| group(&message.update.task)).collect();
        Job { item, messages, groups }
    };
    Ok(items.into_iter().map(job).collect())
}

impl Job {
    /// When the first of its changes happened.
    fn time(&self) -> Time {
        let times = self.messages.iter().flatten().map(|message| message.update.time);
        times.min().unwrap_or(self.item.time())
    }
}

impl Target {
    /// What became of each letter. Their updates go together, in their order.
    async fn take(&self, jobs: &[Job]) -> Vec<Fate> {
        let all = jobs.iter().enumerate().flat_map(|(index, job)| {
            job.messages.iter().flatten().map(move |message| (index, message.clone()))
        });
        let (indices, messages): (Vec<usize>, Vec<Message>) = all.unzip();
        let begin = |job: &Job| match &job.messages {
            Ok(messages) if messages.is_empty() => Ok("filtered".to_owned()),
            Ok(_) => Ok(String::new()),
            Err(why) => Err(why.clone()),
        };
        let mut fates: Vec<Fate> = jobs.iter().map(begin).collect();
        for (index, outcome) in indices.into_iter().zip(self.take_messages(messages).await) {
            fates[index] = match (&fates[index], outcome) {
                (Ok(words), Ok(word)) if words.is_empty() => Ok(word),
                (Ok(words), Ok(word)) => Ok(format!("{words}, {word}")),
                (Err(why), _) => Err(why.clone()),
                (Ok(_), Err(why)) => Err(why),
            };
        }
        fates
    }

    /// What became of each update.
    async fn take_messages(&self, messages: Vec<Message>) -> Vec<Fate> {
        let deadline = Instant::now() + PATIENCE;
        match self {
            Self::Hubspot(hubspot) => {
                let updates: Vec<_> = messages.into_iter().map(|message| message.update).collect();
                engine::run(hubspot, &updates, deadline, false)
                    .await
                    .outcomes
                    .iter()
                    .map(word)
                    .collect()
            }
            Self::Queue(queue) => {
                let entries: Vec<_> = messages.iter().map(Entry::again).collect();
                let sent = queue.send(&entries, deadline).await.into_iter();
                sent.map(|result| {
                    result.map(|()| "queued".to_owned()).map_err(|why| why.to_string())
                })
                .collect()
            }
        }
    }
}

fn word(outcome: &Outcome) -> Fate {
    match outcome {
        Outcome::Failed(_, detail) | Outcome::Retry(_, detail) => Err(detail.clone()),
        good => Ok(good.kind().as_str().to_owned()),
    }
}
