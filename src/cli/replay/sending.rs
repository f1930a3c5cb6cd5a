//! Sends letters through again: straight to HubSpot, or into the queue for updates.

use std::collections::HashSet;
use std::time::Duration;

use anyhow::{Error, Result, anyhow, bail};
use tokio::time::Instant;

use super::letters::{Fate, Item};
use super::visit::{AT_ONCE, HIDDEN, Visit, say};
use crate::cli::terminal::count;
use crate::cli::{payload, shared};
use crate::hubspot::{Hubspot, Schema};
use crate::outcome::Outcome;
use crate::queue::{Entry, Message, Queue, group};
use crate::source::Sources;
use crate::time::Time;
use crate::{engine, files};

/// How long it may take to send what is sent together.
pub(super) const PATIENCE: Duration = Duration::from_mins(2);

/// Where updates are sent.
pub(super) enum Target {
    Hubspot(Box<Hubspot>),
    Queue(Queue),
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

/// A run.
struct Run<'a, 'v> {
    visit: &'a mut Visit<'v>,
    target: &'a Target,
    is_json: bool,
    /// The message groups of the letters that stay: later updates of the same tasks may not
    /// overtake them.
    blocked: HashSet<String>,
    report: Report,
}

/// Sends the selected letters, and deletes those that were taken. Fails when one of them stays.
pub(super) async fn send_all(visit: &mut Visit<'_>, target: &Target, is_json: bool) -> Result<()> {
    let report = Report::default();
    let mut run = Run { visit, target, is_json, blocked: HashSet::new(), report };
    run.send_rounds().await?;
    let report = run.report;
    let newer = match report.newer {
        0 => String::new(),
        newer => format!(" {} came meanwhile, and are for the next time.", count(newer)),
    };
    let (gone, stay) = (count(report.gone), count(report.stay));
    say(&format!("{gone} went through, {stay} stay.{newer}\n"), is_json)?;
    visit.report_waiting(is_json).await?;
    if let Some(problem) = report.problem {
        return Err(problem);
    }
    if report.stay > 0 {
        bail!("Not everything could be sent through; the reasons are above.");
    }
    Ok(())
}

impl Run<'_, '_> {
    /// Sends round after round, because SQS gives out some messages of a group only when the
    /// earlier ones are deleted.
    async fn send_rounds(&mut self) -> Result<()> {
        let started = Time::now();
        loop {
            let mut items = Vec::new();
            for item in self.visit.receive().await? {
                // An update that fails again in the worker is a new letter, for the next run.
                if matches!(self.target, Target::Queue(_)) && item.received.sent > Some(started) {
                    self.report.newer += 1;
                } else {
                    items.push(item);
                }
            }
            let mut jobs = prepare(items)?;
            if jobs.is_empty() {
                return Ok(());
            }
            // A queue keeps the order in which updates are sent to it.
            jobs.sort_by_key(Job::time);
            let all = self.report.gone + self.report.stay + jobs.len();
            while !jobs.is_empty() {
                if self.visit.began.elapsed() > HIDDEN / 2 {
                    self.report.stay += jobs.len();
                    self.report.problem = Some(anyhow!(
                        "The letters can't be kept from others for longer: run the command again."
                    ));
                    return Ok(());
                }
                let sent = count(self.report.gone + self.report.stay);
                self.visit.progress.show(&format!("{sent} of {} sent", count(all)));
                let batch = jobs.drain(..jobs.len().min(AT_ONCE)).collect();
                self.send(batch).await?;
            }
        }
    }

    /// Sends letters, prints the fate of each, and deletes those that are gone.
    async fn send(&mut self, mut jobs: Vec<Job>) -> Result<()> {
        for job in &mut jobs {
            if job.groups.iter().any(|group| self.blocked.contains(group)) {
                job.messages = Err(anyhow!("an earlier change of the same task stays"));
            }
        }
        let fates = self.target.send(&jobs).await;
        let mut gone = Vec::new();
        let mut lines = String::new();
        for (job, fate) in jobs.into_iter().zip(fates) {
            lines += &if self.is_json { job.item.json_line(&fate) } else { job.item.line(&fate) };
            match fate {
                Fate::Gone(_) => gone.push(job.item.received),
                Fate::Stays(_) => {
                    self.blocked.extend(job.groups);
                    self.report.stay += 1;
                }
            }
        }
        self.visit.progress.clear();
        shared::print(&lines)?;
        self.report.gone += gone.len();
        let deleted = self.visit.delete(&gone).await;
        if let Some(why) = deleted.into_iter().find_map(Result::err) {
            self.report.problem.get_or_insert(anyhow!(
                "Not all that went through could be deleted: {why}. The rest comes back in twenty \
                 minutes."
            ));
        }
        Ok(())
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
        let groups = messages.iter().flatten().filter_map(Message::task).map(group).collect();
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
            for update in &mut message.updates {
                schema.fit(update)?;
            }
        }
    }
    Ok(messages)
}

impl Job {
    /// When the first of its changes happened.
    fn time(&self) -> Time {
        let updates = self.messages.iter().flatten().flat_map(|message| &message.updates);
        updates.map(|update| update.time).min().unwrap_or(self.item.time())
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
                let counts: Vec<_> = messages.iter().map(|message| message.updates.len()).collect();
                let updates: Vec<_> =
                    messages.into_iter().flat_map(|message| message.updates).collect();
                let run = engine::run(hubspot, &updates, deadline).await;
                let mut outcomes = run.outcomes.iter();
                let mut fates = Vec::new();
                for count in counts {
                    fates.push(together(outcomes.by_ref().take(count).map(fate).collect()));
                }
                fates
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
    let mut words: Vec<(String, usize)> = Vec::new();
    for fate in fates {
        match fate {
            Fate::Gone(word) => match words.last_mut() {
                Some((last, times)) if *last == word => *times += 1,
                _ => words.push((word, 1)),
            },
            stays @ Fate::Stays(_) => return stays,
        }
    }
    let told = |(word, times): (String, usize)| match times {
        1 => word,
        times => format!("{} {word}", count(times)),
    };
    Fate::Gone(words.into_iter().map(told).collect::<Vec<_>>().join(", "))
}

fn fate(outcome: &Outcome) -> Fate {
    match outcome {
        Outcome::Failed(_, detail) | Outcome::Retry(_, detail) => Fate::Stays(detail.clone()),
        good => Fate::Gone(good.kind().as_str().to_owned()),
    }
}
