//! Five workers at once, killed anywhere, while calls to SQS are lost and HubSpot fails: nothing is
//! lost, and the last word about each task wins. On two implementations of SQS.

use std::collections::{BTreeMap, HashMap};

use futures_util::future::join_all;
use serde_json::{Value, json};
use taskhook::sim::{Fault, Moment};

use crate::support::aws::Loss;
use crate::support::event::Event;
use crate::support::lambda::Function;
use crate::support::{Builder, SOURCE, World, world};

const WORKERS: usize = 5;

const TASKS: usize = 60;

/// How many times the workers work until nothing is left to do, at the most.
const ROUNDS: usize = 60;

/// In how many of the rounds something goes wrong. Then everything gets through at last.
const BAD_ROUNDS: usize = 8;

fn a_world() -> Builder {
    let task =
        |id: usize| json!({"properties": {"ticket": id.to_string(), "hs_task_subject": "0"}});
    let key = "id_property = \"ticket\"";
    let guarded = SOURCE.replace(key, &format!("{key}\nupdated_at_property = \"ticket_at\""));
    let seed = |seed: &mut Value| seed["tasks"] = (0..TASKS).map(task).collect();
    world().source("guarded", &guarded).seed(seed)
}

/// Sends so many deliveries about random tasks, of which every other one is guarded. Returns the last
/// word about each task.
async fn deliver(
    world: &World,
    deliveries: usize,
    random: &mut fastrand::Rng,
) -> BTreeMap<usize, usize> {
    let mut last = BTreeMap::new();
    for number in 1..=deliveries {
        let at = format!("2026-10-12T19:{:02}:{:02}Z", number / 60, number % 60);
        let mut tickets: HashMap<&str, Vec<Value>> = HashMap::new();
        for _ in 0..random.usize(1..12) {
            let task = random.usize(..TASKS);
            let source = if task.is_multiple_of(2) { "guarded" } else { "shop" };
            let ticket = json!({"id": task.to_string(), "subject": number.to_string(), "at": at});
            tickets.entry(source).or_default().push(ticket);
            last.insert(task, number);
        }
        for (source, tickets) in tickets {
            let body = json!({"event": number.to_string(), "tickets": tickets}).to_string();
            let reply = world.send(&Event::post(&format!("/{source}"), body).signed()).await;
            assert_eq!(reply.status, 202, "{reply:#?}");
        }
    }
    last
}

/// Lets a worker work until the queue has nothing for it, or until it is killed: after so many calls of
/// all workers to HubSpot and SQS. Returns the worker, if it lives.
async fn work(world: &World, worker: Function, killed_after: Option<usize>) -> Option<Function> {
    let calls = || world.hubspot.calls().len() + world.queues().sqs.calls().len();
    let start = calls();
    let dies = async {
        let Some(more) = killed_after else { return std::future::pending().await };
        while calls() < start + more {
            tokio::task::yield_now().await;
        }
    };
    let works = async { while world.queues().poll(&worker).await.0 > 0 {} };
    tokio::select! {
        () = works => {}
        () = dies => return None,
    }
    Some(worker)
}

/// `TASKHOOK_SEED` tells another story than that of this seed.
async fn survives(world: World, deliveries: usize, seed: u64) {
    let other = std::env::var("TASKHOOK_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = other.unwrap_or(seed);
    let mut random = fastrand::Rng::with_seed(seed);
    let sqs = &world.queues().sqs;
    sqs.hides_for_good();
    let last = deliver(&world, deliveries, &mut random).await;
    let mut workers = Vec::new();
    for round in 0..ROUNDS {
        let is_bad = round < BAD_ROUNDS;
        if is_bad {
            let times = Some(random.u32(1..6));
            let skip = random.u32(..4);
            world.hubspot.fault(Fault { times, skip, ..Fault::status(502) });
            let operations =
                ["ReceiveMessage", "DeleteMessageBatch", "ChangeMessageVisibilityBatch"];
            for operation in operations {
                sqs.loses(operation, *random.choice(&[Loss::Call, Loss::Answer]).expect("a loss"));
            }
            let drop = Some(Moment::After);
            world.hubspot.fault(Fault { drop, skip: random.u32(..3), ..Fault::default() });
        } else {
            sqs.loses_nothing();
            world.hubspot.clear_faults();
        }
        while workers.len() < WORKERS {
            workers.push(world.another_worker().await);
        }
        let work = workers.drain(..).map(|worker| {
            let is_killed = is_bad && random.u8(..3) == 0;
            work(&world, worker, is_killed.then(|| random.usize(1..12)))
        });
        let living: Vec<_> = work.collect();
        workers.extend(join_all(living).await.into_iter().flatten());
        if world.queues().depth().await == (0, 0) {
            break;
        }
        world.queues().time_passes().await;
    }
    assert_eq!(world.queues().depth().await, (0, 0), "seed {seed}: everything is done");
    assert!(sqs.lost("ReceiveMessage") > 0 && sqs.lost("DeleteMessageBatch") > 0);
    let letters = world.queues().letters().await;
    assert!(letters.is_empty(), "seed {seed}: {letters:#?}");
    let mut differ = Vec::new();
    for (task, number) in last {
        let subject = world.task(&task.to_string(), "hs_task_subject").expect("a subject");
        if subject != number.to_string() {
            differ.push(format!("task {task} is {subject} instead of {number}"));
        }
    }
    assert!(differ.is_empty(), "seed {seed}: {differ:#?}");
}

#[tokio::test]
async fn chaos_loses_nothing_and_the_last_word_wins_on_moto() {
    // moto gets slower with each message that waits.
    survives(a_world().durable().start().await, 20, 7).await;
}

#[tokio::test]
async fn chaos_loses_nothing_and_the_last_word_wins_on_ministack() {
    survives(a_world().durable_on_ministack().start().await, 60, 11).await;
}
