//! Tasks hang on contacts, companies, deals and tickets: every link is accounted for.

use std::time::Duration;

use serde_json::{Value as Json, json};
use taskhook::engine::{self, Ended};
use taskhook::outcome::{FailReason, Outcome, RetryReason};
use taskhook::sim::{Behaviour, Endpoint, Fault, Moment, Seed, Sim};
use taskhook::update::{Associate, Link, Missing, Object, OnMissing, RECORD_ID, Update, When};
use tokio::time::Instant;

use crate::support::portal::{hubspot, update};

/// Long before any event of these tests; a task is otherwise as old as its stand-in.
const LONG_AGO: &str = "2020-01-01T00:00:00.000Z";

/// A portal with the task `T-0`, the contacts 700 to 799, a company, a deal and a ticket.
async fn portal(fields: Json) -> Sim {
    let contact = |n: u32| json!({"id": n.to_string(), "properties": {"email": format!("c{n}@acme.example")}});
    let mut seed = json!({
        "properties": [
            {"name": "ticket", "label": "Ticket", "type": "string", "fieldType": "text", "hasUniqueValue": true},
            {"name": "ticket_at", "label": "At", "type": "datetime", "fieldType": "date"},
        ],
        "object_properties": {"companies": [{"name": "org", "label": "Org", "type": "string", "fieldType": "text", "hasUniqueValue": true}]},
        "tasks": [{"id": "1000", "properties": {"ticket": "T-0", "hs_task_subject": "before", "hs_createdate": LONG_AGO}}],
        "contacts": (700..800).map(contact).collect::<Vec<_>>(),
        "companies": [{"id": "801", "properties": {"org": "77"}}],
        "deals": [{"id": "802"}],
        "tickets": [{"id": "803"}],
    });
    for (name, value) in fields.as_object().unwrap() {
        seed[name] = value.clone();
    }
    let seed: Seed = serde_json::from_value(seed).unwrap();
    Sim::start(seed, 0).await.unwrap()
}

fn link(to: Object, by: &str, id: &str) -> Link {
    Link { to, by: by.to_owned(), id: id.to_owned() }
}

fn contact(n: usize) -> Link {
    link(Object::Contact, "email", &format!("c{n}@acme.example"))
}

/// An update that makes its task if need be, and links it then.
fn opened(id: usize, links: &[Link]) -> Update {
    let associate = Associate { when: When::Create, missing: Missing::Skip, links: links.to_vec() };
    Update {
        on_missing: OnMissing::Create,
        associate: Some(associate),
        ..update(id, 3, &[("hs_task_subject", "a")])
    }
}

/// An update of a task that is there, and that is linked whenever it comes.
fn changed(id: usize, links: &[Link]) -> Update {
    let mut update = opened(id, links);
    update.on_missing = OnMissing::Fail;
    set(&mut update, When::Always, Missing::Skip);
    update
}

fn set(update: &mut Update, when: When, missing: Missing) {
    let associate = update.associate.as_mut().unwrap();
    (associate.when, associate.missing) = (when, missing);
}

async fn run(sim: &Sim, updates: &[Update]) -> Ended {
    run_within(sim, updates, 20).await
}

async fn run_within(sim: &Sim, updates: &[Update], seconds: u64) -> Ended {
    engine::run(&hubspot(sim), updates, Instant::now() + Duration::from_secs(seconds)).await
}

/// How an update ended: its outcome's kind and reason, and its links.
fn told(ended: &Ended, place: usize) -> String {
    let outcome = &ended.outcomes[place];
    let reason = outcome.reason().map(|reason| format!(" {reason}")).unwrap_or_default();
    let links = ended.associated.get(&place).map(|links| json!(links).to_string());
    format!("{}{reason} {}", outcome.kind().as_str(), links.unwrap_or_default())
}

/// The links of the portal: the tickets of the tasks, and what these hang on.
fn linked(sim: &Sim) -> Vec<String> {
    let tasks = sim.tasks();
    let mut linked = Vec::new();
    for association in sim.associations() {
        let task = tasks.iter().find(|task| task.id == association.from_id).unwrap();
        let to = json!(association.to_object);
        let to = to.as_str().unwrap();
        linked.push(format!("{} {to} {}", task.properties["ticket"], association.to_id));
    }
    linked.sort();
    linked
}

/// The calls, without their versions.
fn calls(sim: &Sim) -> Vec<String> {
    let calls = sim.calls();
    calls.iter().map(|call| call.path.replace("/crm/", "").replace("2026-03/", "")).collect()
}

fn fault(on: Endpoint) -> Fault {
    Fault { on, ..Fault::default() }
}

#[tokio::test]
async fn a_task_that_is_made_hangs_on_its_contacts_company_deal_and_ticket() {
    let sim = portal(json!({})).await;
    let links = [
        contact(700),
        link(Object::Contact, "email", "C701@Acme.Example"),
        link(Object::Company, "org", "77"),
        link(Object::Deal, RECORD_ID, "802"),
        link(Object::Ticket, RECORD_ID, "803"),
    ];
    let ended = run(&sim, &[opened(1, &links)]).await;
    let all = r#"{"contact":"linked","company":"linked","deal":"linked","ticket":"linked"}"#;
    assert_eq!(told(&ended, 0), format!("created {all}"));
    let expected = ["companies 801", "contacts 700", "contacts 701", "deals 802", "tickets 803"];
    assert_eq!(linked(&sim), expected.map(|to| format!("T-1 {to}")));
    assert_eq!(calls(&sim)[..2], ["objects/tasks/batch/update", "objects/tasks/batch/upsert"]);
    assert_eq!(calls(&sim).len(), 2 + 2 + 4, "{:?}", calls(&sim));
}

#[tokio::test]
async fn a_link_that_was_confirmed_is_not_made_anew_by_the_next_event() {
    let sim = portal(json!({})).await;
    let client = hubspot(&sim);
    let deadline = Instant::now() + Duration::from_secs(20);
    for (update, end, calls_made) in [
        (opened(1, &[contact(700)]), r#"created {"contact":"linked"}"#, 4),
        (opened(1, &[contact(700)]), "updated ", 1),
        // It didn't make the task.
        (opened(1, &[contact(701)]), "updated ", 1),
        (changed(1, &[contact(700)]), r#"updated {"contact":"linked"}"#, 3),
    ] {
        sim.clear_calls();
        let ended = engine::run(&client, &[update], deadline).await;
        assert_eq!((told(&ended, 0).as_str(), calls(&sim).len()), (end, calls_made));
    }
}

#[tokio::test]
async fn a_hundred_tasks_are_linked_by_one_look_up_and_one_call() {
    let sim = portal(json!({})).await;
    let updates: Vec<_> = (1..=100).map(|n| opened(n, &[contact(699 + n)])).collect();
    let ended = run(&sim, &updates).await;
    assert!((0..100).all(|place| told(&ended, place) == r#"created {"contact":"linked"}"#));
    assert_eq!(linked(&sim).len(), 100);
    let expected = [
        "objects/tasks/batch/update",
        "objects/tasks/batch/upsert",
        "objects/contacts/batch/read",
        "associations/tasks/contacts/batch/associate/default",
    ];
    assert_eq!(calls(&sim), expected);
}

#[tokio::test]
async fn one_unknown_contact_of_a_hundred_leaves_the_others_alone() {
    for missing in [Missing::Skip, Missing::Fail] {
        let sim = portal(json!({})).await;
        let mut updates: Vec<_> = (1..=100).map(|n| opened(n, &[contact(699 + n)])).collect();
        updates[41] = opened(42, &[link(Object::Contact, "email", "nobody@acme.example")]);
        for update in &mut updates {
            set(update, When::Create, missing);
        }
        let ended = run(&sim, &updates).await;
        let expected = match missing {
            Missing::Skip => r#"created {"contact":"missing"}"#,
            Missing::Fail => r#"failed not_associated {"contact":"missing"}"#,
        };
        assert_eq!(told(&ended, 41), expected);
        assert_eq!(told(&ended, 42), r#"created {"contact":"linked"}"#);
        assert_eq!((linked(&sim).len(), sim.tasks().len()), (99, 101));
    }
}

#[tokio::test]
async fn a_wrong_record_id_is_found_without_harm_to_the_others() {
    let sim = portal(json!({})).await;
    let deals = ["802", "999", "802", "no id"].map(|id| link(Object::Deal, RECORD_ID, id));
    let updates: Vec<_> =
        deals.iter().zip(1..).map(|(deal, n)| opened(n, std::slice::from_ref(deal))).collect();
    let ended = run(&sim, &updates).await;
    for (place, end) in ["linked", "missing", "linked", "missing"].into_iter().enumerate() {
        assert_eq!(told(&ended, place), format!(r#"created {{"deal":"{end}"}}"#));
    }
    assert_eq!(linked(&sim), ["T-1 deals 802", "T-3 deals 802"]);
}

#[tokio::test]
async fn links_of_merged_updates_are_united_and_none_goes_out_twice() {
    let sim = portal(json!({})).await;
    let twice = [contact(700), link(Object::Contact, "email", "C700@acme.example"), contact(701)];
    let mut later = changed(1, &[contact(701), link(Object::Company, "org", "77")]);
    later.time = taskhook::time::Time::parse("2026-03-03").unwrap();
    let ended = run(&sim, &[opened(1, &twice), later]).await;
    assert_eq!(told(&ended, 0), r#"merged {"contact":"linked"}"#);
    assert_eq!(told(&ended, 1), r#"created {"contact":"linked","company":"linked"}"#);
    assert_eq!(linked(&sim), ["T-1 companies 801", "T-1 contacts 700", "T-1 contacts 701"]);
}

#[tokio::test]
async fn a_link_whose_calls_die_is_tried_again_and_finds_the_task() {
    for (moment, is_other_process) in
        [(Moment::Before, false), (Moment::After, false), (Moment::Before, true)]
    {
        let sim = portal(json!({})).await;
        let client = hubspot(&sim);
        let dies = Fault { drop: Some(moment), forever: true, ..fault(Endpoint::Associate) };
        sim.fault(dies);
        let update = opened(1, &[contact(700)]);
        let soon = Instant::now() + Duration::from_secs(4);
        let ended = engine::run(&client, std::slice::from_ref(&update), soon).await;
        assert_eq!(ended.outcomes[0].kind().as_str(), "retry", "{:?}", ended.outcomes);
        assert_eq!(json!(ended.associated[&0]), json!({"contact": "retry"}));
        sim.clear_faults();
        // The second time the task is there already.
        let client = if is_other_process { hubspot(&sim) } else { client };
        let again = Update { is_retried: is_other_process, ..update };
        let ended = engine::run(&client, &[again], Instant::now() + Duration::from_secs(20)).await;
        assert_eq!(told(&ended, 0), r#"updated {"contact":"linked"}"#);
        assert_eq!((linked(&sim), sim.tasks().len()), (vec!["T-1 contacts 700".to_owned()], 2));
    }
}

#[tokio::test]
async fn a_success_that_linked_nothing_is_looked_into_and_not_believed() {
    let sim = portal(json!({})).await;
    sim.set_behaviour(Behaviour { associate_nothing: true, ..Behaviour::default() });
    let client = hubspot(&sim);
    let deadline = Instant::now() + Duration::from_secs(20);
    let opened = [opened(1, &[contact(700)])];
    let ended = engine::run(&client, &opened, deadline).await;
    assert_eq!(told(&ended, 0), r#"retry unavailable {"contact":"retry"}"#);
    // Twice is enough: it would hold up its task for ever.
    let ended = engine::run(&client, &opened, deadline).await;
    assert_eq!(told(&ended, 0), r#"updated {"contact":"missing"}"#);
    sim.set_behaviour(Behaviour::default());
    // What was linked, and not told, is seen.
    sim.fault(Fault { omit: 1, ..fault(Endpoint::Associate) });
    let ended = run(&sim, &[changed(0, &[contact(700)])]).await;
    assert_eq!(told(&ended, 0), r#"updated {"contact":"linked"}"#);
    assert_eq!(linked(&sim), ["T-0 contacts 700"]);
}

#[tokio::test]
async fn a_contact_of_which_nothing_is_said_is_looked_up_alone() {
    let sim = portal(json!({})).await;
    // The answer to the first read lacks two of three, and speaks of no error.
    sim.fault(Fault { omit: 2, ..fault(Endpoint::ObjectsRead) });
    let links = [contact(700), contact(701), contact(702)];
    let ended = run(&sim, &[opened(1, &links)]).await;
    assert_eq!(told(&ended, 0), r#"created {"contact":"linked"}"#);
    assert_eq!(linked(&sim).len(), 3);
    // Alone, silence means that there is none.
    sim.fault(Fault { empty: true, ..fault(Endpoint::ObjectsRead) });
    let ended = run(&sim, &[opened(2, &[contact(703)])]).await;
    assert_eq!(told(&ended, 0), r#"created {"contact":"missing"}"#);
}

#[tokio::test]
async fn without_a_scope_the_updates_go_on_and_the_links_are_told() {
    for missing in [Missing::Skip, Missing::Fail] {
        let scopes = ["crm.objects.companies.read", "crm.objects.companies.write"];
        let tasks = ["crm.objects.contacts.write", "crm.objects.owners.read"];
        for (scopes, end) in [
            ([&scopes[..], &tasks].concat(), "forbidden"),
            ([&scopes[..], &tasks, &["crm.objects.contacts.read"]].concat(), "linked"),
        ] {
            let sim = portal(json!({"scopes": scopes, "token": "token"})).await;
            let links = [contact(700), link(Object::Company, "org", "77")];
            let mut updates: Vec<_> = (1..=3).map(|n| opened(n, &links)).collect();
            for update in &mut updates {
                set(update, When::Create, missing);
            }
            let ended = run(&sim, &updates).await;
            let outcome = match missing {
                Missing::Fail if end == "forbidden" => "failed not_associated",
                _ => "created",
            };
            for place in 0..3 {
                let links = format!(r#"{{"contact":"{end}","company":"linked"}}"#);
                assert_eq!(told(&ended, place), format!("{outcome} {links}"));
            }
            assert_eq!(sim.tasks().len(), 4);
        }
    }
}

#[tokio::test]
async fn what_is_not_as_the_update_says_is_not_linked() {
    let sim = portal(json!({})).await;
    let guarded = |id, step| Update {
        updated_at_property: Some("ticket_at".to_owned()),
        time: taskhook::time::Time::from_milliseconds(crate::support::portal::START + step),
        ..changed(id, &[contact(700)])
    };
    run(&sim, &[Update { associate: None, ..guarded(0, 5) }]).await;
    sim.clear_calls();
    let ended = run(&sim, &[guarded(0, 4), guarded(9, 4)]).await;
    assert_eq!((told(&ended, 0), told(&ended, 1)), ("stale ".into(), "failed not_found ".into()));
    let observed = Update { observe: true, ..changed(0, &[contact(700)]) };
    assert_eq!(told(&run(&sim, &[observed]).await, 0), "filtered observed ");
    // A task that is there for long, and one without a link.
    let updates = [opened(0, &[contact(700)]), update(0, 6, &[("hs_task_body", "b")])];
    assert_eq!(told(&run(&sim, &updates).await, 0), "merged ");
    assert_eq!(linked(&sim), [""; 0]);
    assert!(!calls(&sim).iter().any(|call| call.contains("contacts")), "{:?}", calls(&sim));
    let ended = run(&sim, &[guarded(0, 5)]).await;
    assert_eq!(told(&ended, 0), r#"unchanged {"contact":"linked"}"#);
}

#[tokio::test]
async fn links_alone_are_made_of_a_task_that_is_there() {
    let sim = portal(json!({})).await;
    let alone = |id, links: &[Link]| changed(id, links).links_alone();
    let ended = run(&sim, &[alone(0, &[contact(700)]), alone(1, &[contact(701)])]).await;
    assert_eq!(told(&ended, 0), r#"unchanged {"contact":"linked"}"#);
    assert_eq!(told(&ended, 1), "failed not_found ");
    assert_eq!(linked(&sim), ["T-0 contacts 700"]);
    assert_eq!(calls(&sim).len(), 3, "{:?}", calls(&sim));
}

#[tokio::test]
async fn hubspots_limits_and_failures_are_for_later() {
    for (status, reason) in [(429, RetryReason::RateLimited), (503, RetryReason::Unavailable)] {
        for on in [Endpoint::ObjectsRead, Endpoint::Associate] {
            let sim = portal(json!({})).await;
            sim.fault(Fault { status: Some(status), forever: true, ..fault(on) });
            let ended = run_within(&sim, &[opened(1, &[contact(700)])], 2).await;
            assert!(
                matches!(&ended.outcomes[0], Outcome::Retry(why, _) if *why == reason),
                "{status} {on:?}: {:?}",
                ended.outcomes
            );
            assert_eq!(sim.tasks().len(), 2);
        }
    }
    // The set-up is at fault, and HubSpot says so: no such property.
    let sim = portal(json!({})).await;
    let mut update = opened(1, &[link(Object::Company, "nothing", "77")]);
    set(&mut update, When::Create, Missing::Fail);
    let ended = run(&sim, &[update]).await;
    let Outcome::Failed(FailReason::NotAssociated, detail) = &ended.outcomes[0] else {
        panic!("{:?}", ended.outcomes)
    };
    assert!(detail.starts_with("company: ") && detail.contains("nothing"), "{detail}");
}

#[tokio::test]
async fn a_link_that_a_newer_update_made_late_is_made_all_the_same() {
    let sim = portal(json!({})).await;
    let client = hubspot(&sim);
    let deadline = Instant::now() + Duration::from_secs(20);
    let guarded = |update: Update, step| Update {
        updated_at_property: Some("ticket_at".to_owned()),
        time: taskhook::time::Time::from_milliseconds(crate::support::portal::START + step),
        ..update
    };
    let later = Update { associate: None, ..opened(1, &[]) };
    let updates = [guarded(opened(1, &[contact(700)]), 1), guarded(later, 2)];
    sim.fault(Fault {
        status: Some(429),
        category: Some("RATE_LIMITS".into()),
        ..fault(Endpoint::Associate)
    });
    sim.fault(Fault { status: Some(503), forever: true, ..fault(Endpoint::Associate) });
    let ended = engine::run(&client, &updates, Instant::now() + Duration::from_secs(2)).await;
    assert_eq!(ended.outcomes[0].kind().as_str(), "retry", "{:?}", ended.outcomes);
    assert_eq!(told(&ended, 1), "created ");
    sim.clear_faults();
    let ended = engine::run(&client, &updates, deadline).await;
    assert_eq!(told(&ended, 0), r#"stale {"contact":"linked"}"#);
    assert_eq!(linked(&sim), ["T-1 contacts 700"]);
    // Once is enough.
    assert_eq!(told(&engine::run(&client, &updates, deadline).await, 0), "stale ");
}

#[tokio::test]
async fn only_a_missing_scope_is_forbidden() {
    let page = json!("<html><title>Attention Required! | Cloudflare</title></html>");
    for (body, expected) in [
        (Some(page), r#"retry forbidden {"contact":"retry"}"#),
        (None, r#"created {"contact":"forbidden"}"#),
    ] {
        let sim = portal(json!({})).await;
        sim.fault(Fault { status: Some(403), body, ..fault(Endpoint::Associate) });
        let ended = run(&sim, &[opened(1, &[contact(700)])]).await;
        assert_eq!(told(&ended, 0), expected);
    }
    // What may not be looked at may be made all the same.
    let sim = portal(json!({})).await;
    sim.fault(Fault { omit: 2, ..fault(Endpoint::Associate) });
    sim.fault(Fault { status: Some(403), forever: true, ..fault(Endpoint::Associations) });
    let updates: Vec<_> = (1..=150).map(|n| opened(n, &[contact(700 + n % 100)])).collect();
    let ended = run(&sim, &updates).await;
    let linked = ended.associated.values().filter(|links| json!(links)["contact"] == "linked");
    assert_eq!(linked.count(), 150, "{:?}", ended.outcomes);
}

#[tokio::test]
async fn a_look_that_fails_proves_nothing() {
    let sim = portal(json!({})).await;
    sim.set_behaviour(Behaviour { associate_nothing: true, ..Behaviour::default() });
    sim.fault(Fault { status: Some(503), forever: true, ..fault(Endpoint::Associations) });
    let again = Update { is_retried: true, ..opened(1, &[contact(700)]) };
    let ended = run_within(&sim, &[again], 3).await;
    assert!(told(&ended, 0).starts_with("retry "), "{:?}", ended.outcomes);
    assert_eq!(json!(ended.associated[&0]), json!({"contact": "retry"}));
}

#[tokio::test]
async fn an_error_about_one_link_says_nothing_of_another() {
    let sim = portal(json!({})).await;
    let error =
        json!({"category": "OBJECT_NOT_FOUND", "message": "no", "context": {"ids": ["999"]}});
    let body = json!({"status": "COMPLETE", "results": [], "errors": [error]});
    sim.fault(Fault { status: Some(207), body: Some(body), ..fault(Endpoint::Associate) });
    let deals = ["999", "802"].map(|id| link(Object::Deal, RECORD_ID, id));
    let ended = run(&sim, &[opened(1, &deals[..1]), opened(2, &deals[1..])]).await;
    assert_eq!(told(&ended, 0), r#"created {"deal":"missing"}"#);
    assert_eq!(told(&ended, 1), r#"created {"deal":"linked"}"#);
}
