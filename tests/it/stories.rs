//! For any list of updates and any behaviour of HubSpot: every update ends in exactly one true
//! outcome, with the fewest calls.
//!
//! Random updates meet a stand-in with random habits and faults. Afterwards the outcomes are held
//! against what the stand-in really has, and against the calls that it got. `make soak` tells
//! 10,000 stories, `TASKHOOK_CASES` any number; `PROPTEST_RNG_SEED` repeats them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestError, TestRunner};
use serde_json::json;
use taskhook::outcome::{FailReason, FilterReason, Outcome};
use taskhook::sim::{Behaviour, Endpoint, Fault, Moment, Order, Policy, Sim, TraceIds};
use taskhook::time::Time;
use taskhook::update::{OnMissing, RECORD_ID, TaskKey, Unknown, Update, Value};

use crate::support::portal::{APPLIED, OWNER, START, at, portal_with, run_within, task};

/// Values that HubSpot takes, and values that it doesn't.
const GOOD: [(&str, &str); 13] = [
    ("hs_task_subject", "one"),
    ("hs_task_subject", " two was not a valid long. "),
    ("hs_task_subject", ""),
    ("hs_task_priority", "HIGH"),
    ("hs_task_priority", "LOW"),
    ("hs_task_status", "COMPLETED"),
    ("amount", "12"),
    ("amount", ""),
    ("tags", "a"),
    ("tags", ";a"),
    ("tags", ";b"),
    ("tags", "a;c"),
    ("tags", ""),
];
const BAD: [(&str, &str); 11] = [
    ("hs_task_priority", "HIG"),
    ("hs_task_priority", "HIGH "),
    ("hs_task_priority", "NONE, LOW"),
    ("hs_task_status", "not_started"),
    ("amount", "twelve"),
    ("amount", " 12"),
    ("tags", ";x"),
    ("tags", "a;x"),
    ("day", "1772413200000"),
    ("no_such_property", "x"),
    ("hs_createdate", "2026-01-01"),
];

/// Tasks by their record ids, which exist; and one that doesn't.
const RECORDS: [&str; 3] = ["9001", "9002", "9003"];
const NO_RECORD: &str = "9004";

const NOBODY: &str = "nobody@acme.example";

#[derive(Clone, Debug)]
struct Story {
    updates: Vec<Update>,
    faults: Vec<Fault>,
    behaviour: Behaviour,
    /// How many of the tasks `T-0`, `T-1`, ... exist.
    tasks: usize,
}

/// What happens to one task: `done` writes were made, with the outcomes of the others beside.
type Texts = BTreeMap<String, String>;

fn stories() -> impl Strategy<Value = Story> {
    let faults = prop_oneof![1 => Just(Vec::new()), 3 => prop::collection::vec(faults(), 0..4)];
    let small = (updates(10, 1..14), Just(8_usize));
    let large = (updates(240, 150..260), Just(200_usize));
    (prop_oneof![40 => small, 1 => large], faults, behaviours()).prop_map(
        |((updates, tasks), faults, behaviour)| Story { updates, faults, behaviour, tasks },
    )
}

fn updates(ids: usize, count: std::ops::Range<usize>) -> impl Strategy<Value = Vec<Update>> {
    let on_missing =
        || prop_oneof![Just(OnMissing::Fail), Just(OnMissing::Skip), Just(OnMissing::Create)];
    // Mostly one source, whose updates are all guarded or all not; sometimes several sources meet.
    let source = (prop::bool::weighted(0.15), any::<bool>(), on_missing());
    let update = (keys(ids), 0..6_i64, properties(), any::<bool>(), on_missing());
    (source, prop::collection::vec(update, count)).prop_map(
        |((is_mixed, guarded, missing), updates)| {
            let update =
                |(task, step, properties, own_guarded, own_missing): (TaskKey, _, _, _, _)| {
                    let (guarded, missing) =
                        if is_mixed { (own_guarded, own_missing) } else { (guarded, missing) };
                    let by_record = task.id_property == RECORD_ID;
                    Update {
                        // A source with record ids can't create: it is a set-up error.
                        on_missing: if by_record && missing == OnMissing::Create {
                            OnMissing::Fail
                        } else {
                            missing
                        },
                        updated_at_property: guarded.then(|| "ticket_at".to_owned()),
                        properties,
                        ..Update::new(task, Time::from_milliseconds(START + step))
                    }
                };
            updates.into_iter().map(update).collect()
        },
    )
}

/// Mostly tasks by their ticket; some of those differ in case only.
fn keys(ids: usize) -> impl Strategy<Value = TaskKey> {
    let key = |id_property: &str, id: String| TaskKey { id_property: id_property.to_owned(), id };
    prop_oneof![
        12 => (0..ids).prop_map(move |id| key("ticket", format!("T-{id}"))),
        1 => (1..3_usize).prop_map(move |id| key("ticket", format!("t-{id}"))),
        1 => (0..=RECORDS.len()).prop_map(move |id| key(RECORD_ID, RECORDS.get(id).unwrap_or(&NO_RECORD).to_string())),
    ]
}

/// Mostly good values; each property at most once.
fn properties() -> impl Strategy<Value = Vec<(String, Value)>> {
    let text = |(name, text): (&str, &str)| (name.to_owned(), Value::Text(text.to_owned()));
    let owner = |(email, unknown): (&str, Unknown)| {
        ("hubspot_owner_id".to_owned(), Value::Owner { email: email.to_owned(), unknown })
    };
    let unknown =
        prop_oneof![Just(Unknown::Fail), Just(Unknown::Skip), Just(Unknown::Write(String::new()))];
    let email = prop_oneof![3 => Just(OWNER), 1 => Just("ADA@acme.example"), 1 => Just(NOBODY)];
    let pair = prop_oneof![
        20 => (0..GOOD.len()).prop_map(move |index| text(GOOD[index])),
        2 => (0..BAD.len()).prop_map(move |index| text(BAD[index])),
        2 => (email, unknown).prop_map(owner),
    ];
    prop::collection::vec(pair, 0..4)
        .prop_map(|pairs| pairs.into_iter().collect::<BTreeMap<_, _>>().into_iter().collect())
}

fn faults() -> impl Strategy<Value = Fault> {
    let status = |status, policy| {
        let headers = [("Retry-After".to_owned(), "0".to_owned())].into_iter().collect();
        Just(Fault { headers, policy, ..Fault::status(status) })
    };
    let spoil = (any::<[bool; 4]>(), 0..3_usize, 0..3_usize);
    let stop = prop_oneof![
        status(500, Policy::Secondly),
        status(503, Policy::Secondly),
        status(423, Policy::Secondly),
        status(477, Policy::Secondly),
        status(429, Policy::Secondly),
        status(429, Policy::Daily),
        Just(Fault::status(401)),
        Just(Fault::status(403)),
        Just(Fault { html: true, ..Fault::default() }),
        Just(Fault { drop: Some(Moment::Before), ..Fault::default() }),
        Just(Fault { drop: Some(Moment::After), ..Fault::default() }),
        Just(Fault { half_body: true, ..Fault::default() }),
        Just(Fault { empty: true, ..Fault::default() }),
    ];
    let spoil = spoil.prop_map(|([reverse, no_echo, half_body, twice], omit, ignore)| {
        let (half_body, times) = (half_body && no_echo, twice.then_some(2));
        Fault { reverse, no_echo, half_body, times, omit, ignore, ..Fault::default() }
    });
    let what = prop_oneof![3 => stop, 1 => spoil];
    let on = prop_oneof![
        6 => Just(Endpoint::Update),
        3 => Just(Endpoint::Read),
        2 => Just(Endpoint::Upsert),
        1 => Just(Endpoint::Owners),
        1 => Just(Endpoint::Any),
    ];
    let common = (what, on, 0..2_u32).prop_map(|(what, on, skip)| Fault { on, skip, ..what });
    // Some rows are refused in any request, in words that name none of them.
    let holds = prop_oneof![
        Just("\"id\":\"T-3\""),
        Just("\"hs_task_priority\":\"HIGH\""),
        Just("\"hs_task_subject\":\"\"")
    ];
    let required = json!({"message": "Some required properties were not set", "context": {"properties": ["hs_task_type"]}});
    let words = prop_oneof![
        Just(Fault::status(403)),
        Just(Fault::status(400)),
        Just(Fault { body: Some(required), ..Fault::status(400) }),
    ];
    let of_a_row = (words, holds).prop_map(|(what, holds)| Fault {
        on: Endpoint::Update,
        forever: true,
        holds: vec![holds.to_owned()],
        ..what
    });
    prop_oneof![5 => common, 1 => of_a_row]
}

fn behaviours() -> impl Strategy<Value = Behaviour> {
    let trace_ids =
        prop_oneof![Just(TraceIds::Never), Just(TraceIds::Upsert), Just(TraceIds::Always)];
    let order = prop_oneof![Just(Order::AsIs), Just(Order::Reversed)];
    let vague = (prop::bool::weighted(0.3), any::<bool>());
    (trace_ids, any::<[bool; 4]>(), vague, order).prop_map(
        |(trace_ids, flags, (vague, echo_traces), order)| {
            let [in_200, echo, terse, incomplete] = flags;
            Behaviour {
                trace_ids,
                vague_validation: vague,
                echo_trace_ids: echo_traces,
                errors_in_200: in_200,
                echo_id_property: echo,
                terse_validation: terse,
                incomplete_errors: incomplete,
                order,
                ..Behaviour::default()
            }
        },
    )
}

impl Story {
    async fn portal(&self) -> Sim {
        let by_record = RECORDS.iter().map(|id| {
            let properties = json!({"hs_task_subject": "before", "ticket_at": at(APPLIED)});
            json!({"id": id, "properties": properties})
        });
        let tasks = (0..self.tasks)
            .map(|id| task(&format!("T-{id}")))
            .chain([task("t-1")])
            .chain(by_record)
            .collect();
        let sim = portal_with(tasks).await;
        sim.set_behaviour(self.behaviour.clone());
        self.faults.iter().for_each(|fault| sim.fault(fault.clone()));
        sim
    }

    /// A wait of a second or two is not worth the time of a test: it is left for later.
    fn left(&self) -> Duration {
        let waits = self.faults.iter().any(|fault| matches!(fault.status, Some(423 | 429 | 477)));
        if waits { Duration::from_millis(900) } else { Duration::from_secs(20) }
    }

    /// Whether a fault refuses every request with this row.
    fn refuses(&self, task: &TaskKey, texts: &Texts) -> bool {
        let id = ("id".to_owned(), task.id.clone());
        let row: Vec<_> = texts
            .iter()
            .chain([(&id.0, &id.1)])
            .map(|(name, text)| format!("\"{name}\":\"{text}\""))
            .collect();
        self.faults.iter().any(|fault| fault.holds.iter().any(|text| row.contains(text)))
    }

    fn tasks(&self) -> BTreeSet<&TaskKey> {
        self.updates.iter().map(|update| &update.task).collect()
    }
}

/// What an update writes, its owner looked up.
fn texts(update: &Update) -> Texts {
    let text = |(name, value): &(String, Value)| {
        let text = match value {
            Value::Owner { email, .. } if email.eq_ignore_ascii_case(OWNER) => "101".to_owned(),
            Value::Text(text) | Value::Owner { unknown: Unknown::Write(text), .. } => text.clone(),
            Value::Owner { .. } => return None,
        };
        Some((name.clone(), text))
    };
    update.properties.iter().filter_map(text).collect()
}

/// The writes that updates of one task become, and what each says: property by property the later
/// event wins, but what is added to several checkboxes is a write of its own.
fn rounds<'u>(updates: impl Iterator<Item = &'u Update>) -> Vec<(Vec<&'u Update>, Texts)> {
    let mut updates: Vec<_> = updates.filter(|update| !texts(update).is_empty()).collect();
    updates.sort_by_key(|update| update.time);
    let mut rounds: Vec<(Vec<&Update>, Texts)> = Vec::new();
    for update in updates {
        let mut texts = texts(update);
        let newest = rounds.last_mut().filter(|(_, before)| {
            !texts.iter().any(|(name, text)| text.starts_with(';') && before.contains_key(name))
        });
        if let Some((members, before)) = newest {
            members.push(update);
            before.append(&mut texts);
        } else {
            rounds.push((vec![update], texts));
        }
    }
    for (members, texts) in &mut rounds {
        if members.iter().any(|update| update.updated_at_property.is_some()) {
            texts.insert("ticket_at".to_owned(), members.last().unwrap().time.to_string());
        }
    }
    rounds
}

/// Whether HubSpot would never take these values.
fn is_bad(texts: &Texts) -> bool {
    texts.iter().any(|(name, text)| BAD.contains(&(name, text)))
}

/// What HubSpot makes of a write.
fn write(task: &mut Texts, texts: &Texts) {
    for (name, text) in texts {
        let has = task.get(name).cloned().unwrap_or_default();
        let text = match text.strip_prefix(';').filter(|_| name == "tags") {
            Some(added) if !has.is_empty() && !has.split(';').any(|part| part == added) => {
                format!("{has};{added}")
            }
            Some(added) => {
                if has.is_empty() {
                    added.to_owned()
                } else {
                    has
                }
            }
            None => text.clone(),
        };
        task.insert(name.clone(), text);
    }
    task.retain(|_, text| !text.is_empty());
}

/// The tasks by their keys, without what HubSpot adds.
fn state(sim: &Sim) -> BTreeMap<TaskKey, Texts> {
    let of = |task: taskhook::sim::Task| {
        let key = |id_property: &str, id: &str| TaskKey {
            id_property: id_property.to_owned(),
            id: id.to_owned(),
        };
        let key = task
            .properties
            .get("ticket")
            .map_or_else(|| key(RECORD_ID, &task.id), |ticket| key("ticket", ticket));
        let mut texts = task.properties;
        texts.retain(|name, _| {
            !["hs_object_id", "hs_createdate", "hs_lastmodifieddate", "ticket"]
                .contains(&name.as_str())
        });
        (key, texts)
    };
    sim.tasks().into_iter().map(of).collect()
}

fn check(
    story: &Story,
    before: &BTreeMap<TaskKey, Texts>,
    sim: &Sim,
    outcomes: &[Outcome],
) -> Result<(), TestCaseError> {
    prop_assert_eq!(outcomes.len(), story.updates.len());
    let after = state(sim);
    for task in story.tasks() {
        let own: Vec<_> =
            story.updates.iter().zip(outcomes).filter(|(update, _)| update.task == *task).collect();
        check_task(story, task, &own, before.get(task), after.get(task))
            .map_err(|error| TestCaseError::fail(format!("{task:?}: {error}\n{own:#?}")))?;
    }
    for (task, texts) in before.iter().filter(|(task, _)| !story.tasks().contains(task)) {
        prop_assert_eq!(after.get(task), Some(texts), "nobody wrote {:?}", task);
    }
    for task in after.keys() {
        prop_assert!(
            before.contains_key(task) || story.tasks().contains(task),
            "nobody created {:?}",
            task
        );
    }
    Ok(())
}

#[expect(clippy::too_many_lines, reason = "the rules of one task stand in one place")]
fn check_task(
    story: &Story,
    task: &TaskKey,
    own: &[(&Update, &Outcome)],
    before: Option<&Texts>,
    after: Option<&Texts>,
) -> Result<(), TestCaseError> {
    let faulty = !story.faults.is_empty();
    let of = |is: fn(&Outcome) -> bool| {
        own.iter().filter(move |(_, outcome)| is(outcome)).map(|(update, _)| *update)
    };
    let is_done = |outcome: &Outcome| {
        matches!(outcome, Outcome::Updated(_) | Outcome::Created(_) | Outcome::Merged)
    };
    let is_uncertain = |outcome: &Outcome| {
        matches!(outcome, Outcome::Retry(..) | Outcome::Failed(FailReason::Unaccounted, _))
    };
    let is_missing = |outcome: &Outcome| {
        matches!(
            outcome,
            Outcome::Failed(FailReason::NotFound, _) | Outcome::Filtered(FilterReason::NotFound, _)
        )
    };
    let is_refused = |outcome: &Outcome| {
        use FailReason::{InvalidValue, ReadOnlyProperty, Rejected, UnknownProperty};
        matches!(
            outcome,
            Outcome::Failed(InvalidValue | ReadOnlyProperty | Rejected | UnknownProperty, _)
        )
    };
    let uncertain: BTreeSet<_> =
        rounds(of(is_uncertain)).into_iter().flat_map(|(_, texts)| texts.into_keys()).collect();
    let created = own.iter().any(|(_, outcome)| matches!(outcome, Outcome::Created(_)));

    // What is reported done was done, and nothing else was.
    let done = rounds(of(is_done));
    for (members, texts) in &done {
        prop_assert!(!is_bad(texts), "a bad write is done");
        let outcome =
            |update: &Update| own.iter().find(|(other, _)| std::ptr::eq(*other, update)).unwrap().1;
        let (newest, others) = members.split_last().unwrap();
        prop_assert!(
            !matches!(outcome(newest), Outcome::Merged),
            "no update carries the outcome of a write"
        );
        prop_assert!(
            others.iter().all(|update| matches!(outcome(update), Outcome::Merged)),
            "one write is reported twice"
        );
    }
    let mut expected = before.cloned().unwrap_or_default();
    for (_, texts) in &done {
        if before.is_none() {
            // The event's time is the due date of a new task; one whose creation is repeated is
            // reported as updated.
            prop_assert!(created || faulty, "it was created");
            expected
                .entry("hs_timestamp".to_owned())
                .or_insert_with(|| after.unwrap()["hs_timestamp"].clone());
        }
        write(&mut expected, texts);
    }
    let exists = before.is_some() || !done.is_empty();
    prop_assert!(after.is_some() || !exists, "a task is gone");
    prop_assert!(after.is_none() || exists || !uncertain.is_empty(), "a task came out of nowhere");
    let empty = Texts::new();
    let names = expected
        .keys()
        .chain(after.unwrap_or(&empty).keys())
        .filter(|name| !uncertain.contains(*name));
    for name in names.filter(|name| exists || *name != "hs_timestamp") {
        prop_assert_eq!(after.and_then(|task| task.get(name)), expected.get(name), "{}", name);
    }
    for (_, texts) in rounds(of(is_refused)) {
        prop_assert!(is_bad(&texts) || story.refuses(task, &texts), "a good write is refused");
    }

    for (update, outcome) in own {
        match outcome {
            Outcome::Updated(record) | Outcome::Created(record)
                if task.id_property == RECORD_ID =>
            {
                prop_assert!(
                    record.as_ref().is_none_or(|record| *record == task.id),
                    "another task's record id"
                );
            }
            Outcome::Updated(_) | Outcome::Created(_) | Outcome::Merged => {}
            outcome if is_missing(outcome) => {
                prop_assert!(before.is_none(), "it exists");
                prop_assert!(
                    after.is_none() || !done.is_empty() || !uncertain.is_empty(),
                    "it exists by now"
                );
            }
            outcome if is_refused(outcome) => {}
            Outcome::Failed(FailReason::OwnerNotFound, _) => {
                let nobody = Value::Owner { email: NOBODY.to_owned(), unknown: Unknown::Fail };
                prop_assert!(
                    update.properties.iter().any(|(_, value)| *value == nobody),
                    "no owner was wrong"
                );
            }
            Outcome::Failed(FailReason::Unaccounted, _) | Outcome::Retry(..) => {
                prop_assert!(faulty, "{:?} without a fault", outcome);
            }
            Outcome::Stale => {
                prop_assert!(
                    update.updated_at_property.is_some() && before.is_some(),
                    "nothing guards it"
                );
                prop_assert!(update.time.milliseconds() < START + APPLIED, "it is not stale");
            }
            Outcome::Unchanged => {}
            other => prop_assert!(false, "{:?}", other),
        }
    }
    for (_, texts) in rounds(of(|outcome| matches!(outcome, Outcome::Unchanged))) {
        let mut same = before.cloned().unwrap_or_default();
        write(&mut same, &texts);
        prop_assert_eq!(before, Some(&same), "it would change something");
    }
    for (members, _) in rounds(of(is_missing)) {
        prop_assert!(
            members.iter().all(|update| update.on_missing != OnMissing::Create),
            "it was to be created"
        );
    }
    let guarded = own.iter().any(|(update, _)| update.updated_at_property.is_some());
    if let Some(before) = before.filter(|_| guarded) {
        prop_assert!(
            after.unwrap()["ticket_at"] >= before["ticket_at"],
            "an older time stands over a newer one"
        );
    }
    Ok(())
}

/// The fewest and the most calls of a story without faults, by the end of their paths.
#[derive(Debug, Default)]
struct Expected {
    read: (usize, usize),
    update: (usize, usize),
    upsert: (usize, usize),
}

/// A write of one task.
struct Planned {
    time: Time,
    /// When the first update of the task came.
    first: usize,
    bad: bool,
    texts: Texts,
    /// Whether each of the calls that it takes is an upsert.
    calls: Vec<bool>,
}

/// The rows that share a round, a call and an id property.
#[derive(Default)]
struct Rows {
    good: usize,
    bad: usize,
    /// Good rows with a value that a bad one has, too.
    suspected: usize,
}

fn owned((name, value): (&String, &String)) -> (String, String) {
    (name.clone(), value.clone())
}

/// How many calls a story without faults takes. Rows are known from the outcomes, which were
/// checked before.
fn expected_calls(
    story: &Story,
    before: &BTreeMap<TaskKey, Texts>,
    outcomes: &[Outcome],
) -> Expected {
    // Nobody knows before whether there is an owner, or a due date may be removed.
    let may_be_left = |(name, value): &(String, Value)| match value {
        Value::Owner { unknown, .. } => *unknown == Unknown::Skip,
        Value::Text(text) => name == "hs_timestamp" && text.is_empty(),
    };
    let is_read = |update: &&Update| {
        let is_guarded = update.updated_at_property.is_some();
        let creates = update.on_missing == OnMissing::Create;
        let may_write_nothing = update.properties.iter().all(may_be_left);
        !update.properties.is_empty() && (is_guarded || (creates && may_write_nothing))
    };
    let guarded: BTreeSet<_> =
        story.updates.iter().filter(is_read).map(|update| &update.task).collect();
    // Ids that HubSpot may take for the same never share a request.
    let mut reads: BTreeMap<(&str, usize), usize> = BTreeMap::new();
    let mut alike: BTreeMap<(&str, String), usize> = BTreeMap::new();
    for task in &guarded {
        let before = alike.entry((&task.id_property, task.id.to_lowercase())).or_default();
        *reads.entry((&task.id_property, *before)).or_default() += 1;
        *before += 1;
    }
    let reads = reads.values().map(|count| count.div_ceil(100)).sum();

    // The writes of tasks that HubSpot may take for one: when, whether bad, and by which calls.
    let mut writes: BTreeMap<(&str, String), Vec<Planned>> = BTreeMap::new();
    for task in story.tasks() {
        let own = story
            .updates
            .iter()
            .zip(outcomes)
            .enumerate()
            .filter(|(_, (update, _))| update.task == *task);
        let is_resolved = |(_, (update, outcome)): &(usize, (&Update, &Outcome))| {
            let is_dropped =
                matches!(outcome, Outcome::Stale | Outcome::Failed(FailReason::OwnerNotFound, _));
            !is_dropped && !texts(update).is_empty()
        };
        let resolved: Vec<_> = own.filter(is_resolved).collect();
        let first = resolved.first().map_or(0, |(index, _)| *index);
        let creates =
            resolved.iter().any(|(_, (update, _))| update.on_missing == OnMissing::Create);
        let sent =
            resolved.into_iter().filter(|(_, (_, outcome))| !matches!(outcome, Outcome::Unchanged));
        let mut exists = before.contains_key(task);
        let mut known_missing = !exists && guarded.contains(task);
        for (members, texts) in rounds(sent.map(|(_, (update, _))| update)) {
            let newest = members.last().unwrap();
            let bad = is_bad(&texts);
            if known_missing && !creates {
                continue;
            }
            let mut calls = Vec::new();
            if !known_missing {
                calls.push(false);
            }
            if known_missing || (!bad && !exists && creates) {
                calls.push(true);
                exists |= !bad;
            }
            known_missing = false;
            let same = writes.entry((&task.id_property, task.id.to_lowercase())).or_default();
            same.push(Planned { time: newest.time, first, bad, texts, calls });
        }
    }
    let bad_writes = writes.values().flatten().filter(|planned| planned.bad);
    let doubtful: BTreeSet<_> = bad_writes.flat_map(|planned| &planned.texts).map(owned).collect();
    // Rows by round, call and id property.
    let mut rows: BTreeMap<(usize, bool, &str), Rows> = BTreeMap::new();
    for ((id_property, _), mut writes) in writes {
        writes.sort_by_key(|planned| (planned.time, planned.first));
        for (round, Planned { bad, texts, calls, .. }) in writes.into_iter().enumerate() {
            let shares = texts.iter().any(|text| doubtful.contains(&owned(text)));
            for is_upsert in calls {
                let rows = rows.entry((round, is_upsert, id_property)).or_default();
                rows.good += usize::from(!bad);
                rows.bad += usize::from(bad);
                rows.suspected += usize::from(!bad && shares);
            }
        }
    }
    let mut expected = Expected { read: (reads, reads), ..Expected::default() };
    for ((round, is_upsert, _), Rows { good, bad, suspected }) in rows {
        let calls = (good + bad).div_ceil(100);
        let traced = match story.behaviour.trace_ids {
            TraceIds::Always => true,
            TraceIds::Upsert => is_upsert,
            TraceIds::Never => false,
        };
        let (least, most) = if bad == 0 || traced {
            (0, 0)
        } else if story.behaviour.terse_validation || story.behaviour.vague_validation {
            // Where properties are named, rows without them are a part besides the halves.
            (usize::from(good > 0), bad * 3 * 7)
        } else if calls == 1 {
            (usize::from(good > 0), usize::from(good > 0))
        } else {
            (0, calls.min(bad))
        };
        // A value that was refused before is known: its rows go out after the others, in a call of
        // their own. Rows with a value that was refused together with it are tried apart.
        let known = if round > 0 || is_upsert { bad + suspected } else { 0 };
        let sum = if is_upsert { &mut expected.upsert } else { &mut expected.update };
        *sum = (sum.0 + calls + least, sum.1 + calls + most + known);
    }
    expected
}

fn check_calls(
    story: &Story,
    before: &BTreeMap<TaskKey, Texts>,
    sim: &Sim,
    outcomes: &[Outcome],
) -> Result<(), TestCaseError> {
    let count = |kind: &str| sim.calls().iter().filter(|call| call.path.contains(kind)).count();
    for call in sim.calls() {
        let inputs = call.body["inputs"].as_array().map_or(&[][..], Vec::as_slice);
        prop_assert!(inputs.len() <= 100);
        let names: BTreeSet<_> = inputs.iter().map(|input| input["idProperty"].as_str()).collect();
        prop_assert!(names.len() <= 1, "id properties share a request: {:?}", names);
    }
    // Two for each row that is refused alone at worst, and six tries for each fault.
    let bound = 10 + 6 * story.updates.len() + 8 * story.faults.len();
    prop_assert!(sim.calls().len() <= bound, "{} calls", sim.calls().len());
    if story.faults.is_empty() {
        let expected = expected_calls(story, before, outcomes);
        for (kind, (least, most)) in [
            ("batch/read", expected.read),
            ("batch/update", expected.update),
            ("batch/upsert", expected.upsert),
        ] {
            let calls = count(kind);
            prop_assert!(
                (least..=most).contains(&calls),
                "{} calls to {}, not {} to {}",
                calls,
                kind,
                least,
                most
            );
        }
        prop_assert!(count("owners") <= 1, "a page is all that it takes");
    }
    Ok(())
}

/// Runs as many cases as asked for, and says how far it is when they are many.
fn tell<S: Strategy>(strategy: &S, test: impl Fn(S::Value) -> Result<(), TestCaseError>)
where
    S::Value: Clone,
{
    let asked = std::env::var("TASKHOOK_CASES")
        .ok()
        .map(|cases| cases.parse().expect("TASKHOOK_CASES is a number"));
    let config = Config { failure_persistence: None, max_shrink_iters: 2_000, ..Config::default() };
    let mut runner = TestRunner::new(Config { cases: asked.unwrap_or(300), ..config });
    let count = std::cell::Cell::new(0_u32);
    let result = runner.run(strategy, |value| {
        count.set(count.get() + 1);
        if asked.is_some() && count.get().is_multiple_of(500) {
            eprintln!("{} stories", count.get());
        }
        test(value)
    });
    match result {
        Ok(()) => {}
        Err(TestError::Fail(reason, value)) => panic!("{reason}\n{value:?}"),
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn every_update_ends_in_one_true_outcome_whatever_hubspot_does() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    tell(&stories(), |story| {
        runtime.block_on(async {
            let sim = story.portal().await;
            let before = state(&sim);
            let outcomes = run_within(&sim, &story.updates, story.left()).await;
            check(&story, &before, &sim, &outcomes)?;
            check_calls(&story, &before, &sim, &outcomes)
        })
    });
}

/// A story whose updates of one task all have different times, and the same updates in another
/// order.
fn shuffled() -> impl Strategy<Value = (Story, Vec<usize>)> {
    stories().prop_flat_map(|mut story| {
        story.faults.clear();
        for (step, update) in (0..).zip(&mut story.updates) {
            // From before what was applied to after it, by leaps that don't follow the order of
            // arrival.
            update.time = Time::from_milliseconds(START + APPLIED + (step * 7) % 263 - 100);
        }
        let order: Vec<_> = (0..story.updates.len()).collect();
        (Just(story), Just(order).prop_shuffle())
    })
}

#[test]
fn the_order_of_arrival_makes_no_difference_where_times_differ() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    // Of several bad values of a write HubSpot names any one first.
    let kind = std::mem::discriminant::<Outcome>;
    tell(&shuffled(), |(story, order)| {
        runtime.block_on(async {
            let (one, other) = (story.portal().await, story.portal().await);
            let outcomes = run_within(&one, &story.updates, story.left()).await;
            let updates: Vec<_> = order.iter().map(|index| story.updates[*index].clone()).collect();
            let shuffled = run_within(&other, &updates, story.left()).await;
            prop_assert_eq!(state(&one), state(&other));
            for (outcome, index) in shuffled.iter().zip(&order) {
                prop_assert_eq!(
                    kind(outcome),
                    kind(&outcomes[*index]),
                    "{:?}",
                    story.updates[*index]
                );
            }
            Ok(())
        })
    });
}
