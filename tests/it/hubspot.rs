//! HubSpot as it is: slow, down, refusing, and vague.

use serde_json::{Value, json};
use taskhook::sim::{Endpoint, Fault, Moment, Policy};

use crate::support::{Reply, SOURCE, World, world};

fn on_update(fault: Fault) -> Fault {
    Fault { on: Endpoint::Update, ..fault }
}

fn for_ever(fault: Fault) -> Fault {
    Fault { forever: true, ..on_update(fault) }
}

async fn deliver_one(world: &World) -> Reply {
    world.deliver(json!({"id": "1", "subject": "after"})).await
}

fn tickets(count: usize) -> Value {
    (1..=count).map(|id| json!({"id": id.to_string(), "subject": format!("ticket {id}")})).collect()
}

#[tokio::test]
async fn an_unknown_task_is_a_failure_and_its_neighbours_are_updated() {
    let world = world().start().await;
    let reply = world.deliver(json!({"tickets": tickets(5)})).await;
    reply
        .is(200, "updated 3, failed 2")
        .row(2, "updated")
        .row(3, "failed not_found")
        .row(4, "failed not_found");
    assert_eq!(reply.detail(3), "no task has ticket 4");
    assert_eq!(world.calls("batch/update").len(), 1, "one call: a 207 names all that are missing");
}

#[tokio::test]
async fn results_are_matched_by_what_they_say_and_never_by_position() {
    let world = world().start().await;
    world.hubspot.fault(on_update(Fault { reverse: true, ..Fault::default() }));
    let reply = world.deliver(json!({"tickets": tickets(3)})).await;
    reply.is(200, "updated 3");
    for (index, ticket) in ["1", "2", "3"].iter().enumerate() {
        let task = world.hubspot.task_by("ticket", ticket).unwrap();
        assert_eq!(reply.body["tasks"][index]["recordId"], json!(task.id));
    }
}

#[tokio::test]
async fn results_that_do_not_say_whose_they_are_are_counted() {
    let world = world().start().await;
    world.hubspot.fault(on_update(Fault { no_echo: true, ..Fault::default() }));
    world
        .deliver(json!({"tickets": tickets(4)}))
        .await
        .is(200, "updated 3, failed 1")
        .row(3, "failed not_found");
}

#[tokio::test]
async fn a_success_that_did_nothing_is_no_success() {
    let world = world().start().await;
    world.hubspot.fault(on_update(Fault { empty: true, ..Fault::default() }));
    let reply = deliver_one(&world).await;
    reply.is(200, "failed 1").row(0, "failed unaccounted");
    assert_eq!(world.calls("batch/read").len(), 1, "it looked");
}

#[tokio::test]
async fn a_result_that_was_left_out_is_looked_up() {
    let world = world().start().await;
    world.hubspot.fault(on_update(Fault { omit: 1, ..Fault::default() }));
    world.deliver(json!({"tickets": tickets(3)})).await.is(200, "updated 3");
    assert_eq!((world.calls("batch/update").len(), world.calls("batch/read").len()), (1, 1));
}

#[tokio::test]
async fn errors_in_a_200_count_as_errors() {
    let world =
        world().seed(|seed| seed["behaviour"] = json!({"errors_in_200": true})).start().await;
    world
        .deliver(json!({"tickets": tickets(4)}))
        .await
        .is(200, "updated 3, failed 1")
        .row(3, "failed not_found");
}

#[tokio::test]
async fn one_bad_value_fails_alone_and_costs_one_more_call() {
    let world = world().start().await;
    let mut all = tickets(3);
    all[1]["priority"] = json!("P9");
    let reply = world.deliver(json!({"tickets": all})).await;
    reply.is(200, "updated 2, failed 1").row(1, "failed invalid_value");
    assert_eq!(reply.detail(1), "hs_task_priority: P9 is not one of NONE, LOW, MEDIUM, HIGH");
    assert_eq!(world.calls("batch/update").len(), 2);
    assert_eq!(world.task("3", "hs_task_subject").as_deref(), Some("ticket 3"));
}

#[tokio::test]
async fn updates_of_one_task_become_one_write_where_the_later_event_wins() {
    let world = world().start().await;
    let reply = world
        .deliver(json!({"tickets": [
            {"id": "1", "at": "2026-03-02", "subject": "newest"},
            {"id": "1", "at": "2026-03-01", "subject": "older", "status": "done"},
            {"id": "9", "subject": "nobody", "at": "2026-03-01"},
            {"id": "9", "subject": "nobody", "at": "2026-03-02"},
        ]}))
        .await;
    reply.is(200, "updated 1, merged 1, failed 2");
    reply.row(0, "updated").row(1, "merged").row(2, "failed not_found").row(3, "failed not_found");
    assert_eq!(world.task("1", "hs_task_subject").as_deref(), Some("newest"));
    assert_eq!(world.task("1", "hs_task_status").as_deref(), Some("COMPLETED"));
    assert_eq!(world.calls("batch/update")[0].body["inputs"].as_array().map(Vec::len), Some(2));
}

#[tokio::test]
async fn more_than_a_hundred_tasks_take_as_many_calls_as_hundreds() {
    let world = world()
        .seed(|seed| {
            seed["tasks"] =
                (1..=250).map(|id| json!({"properties": {"ticket": id.to_string()}})).collect();
        })
        .start()
        .await;
    world.deliver(json!({"tickets": tickets(250)})).await.is(200, "updated 250");
    let sizes = world
        .calls("batch/update")
        .iter()
        .map(|call| call.body["inputs"].as_array().unwrap().len())
        .collect::<Vec<_>>();
    assert_eq!(
        (sizes.len(), sizes.iter().sum::<usize>(), sizes.iter().max()),
        (3, 250, Some(&100))
    );
}

#[tokio::test]
async fn record_ids_are_sent_without_an_id_property() {
    let world =
        world().source("shop", &SOURCE.replace("\"ticket\"", "\"hs_object_id\"")).start().await;
    let record = world.hubspot.task_by("ticket", "1").unwrap().id;
    world
        .deliver(
            json!({"tickets": [{"id": record, "subject": "a"}, {"id": "404", "subject": "a"}]}),
        )
        .await
        .is(200, "updated 1, failed 1");
    assert!(world.calls("batch/update")[0].body["inputs"][0].get("idProperty").is_none());
}

#[tokio::test]
async fn an_id_property_without_unique_values_is_named() {
    let world =
        world().seed(|seed| seed["properties"][0]["hasUniqueValue"] = json!(false)).start().await;
    let reply = deliver_one(&world).await;
    reply.is(200, "failed 1").row(0, "failed not_unique_property");
    assert!(reply.detail(0).starts_with("ticket "), "{reply:?}");
}

#[tokio::test]
async fn a_late_event_does_not_overwrite_a_newer_one() {
    let guarded =
        SOURCE.replace("id_property = ", "updated_at_property = \"ticket_at\"\nid_property = ");
    let world = world().source("shop", &guarded).start().await;
    let at = |at: &str, subject: &str| json!({"id": "1", "at": at, "subject": subject});
    world.deliver(at("2026-03-02T10:00:00Z", "newer")).await.is(200, "updated 1");
    world.deliver(at("2026-03-02T09:59:59.999Z", "late")).await.is(200, "stale 1");
    world.deliver(at("2026-03-02T10:00:00Z", "newer")).await.is(200, "unchanged 1");
    world.deliver(at("2026-03-02T10:00:00Z", "same second")).await.is(200, "updated 1");
    world.deliver(at("2026-03-02T10:00:01Z", "same second")).await.is(200, "updated 1");
    assert_eq!(world.task("1", "ticket_at").as_deref(), Some("2026-03-02T10:00:01.000Z"));
    let both = json!({"tickets": [at("2026-03-01", "stale"), at("2026-03-03", "both")]});
    world.deliver(both).await.is(200, "updated 1, stale 1");
    assert_eq!(world.task("1", "hs_task_subject").as_deref(), Some("both"));
}

#[tokio::test]
async fn a_missing_task_can_be_skipped_or_created() {
    let skip = SOURCE.replace("id_property = ", "on_missing = \"skip\"\nid_property = ");
    let create = SOURCE.replace("id_property = ", "on_missing = \"create\"\nid_property = ");
    let world = world().source("skip", &skip).source("create", &create).start().await;
    let body = json!({"id": "77", "subject": "new", "at": "2026-03-02T10:00:00Z"}).to_string();
    let to = |path: &str| crate::support::event::Event::post(path, body.clone()).signed();
    world.send(&to("/skip")).await.is(200, "filtered 1").row(0, "filtered not_found");
    world.send(&to("/create")).await.is(200, "created 1");
    assert_eq!(
        world.task("77", "hs_timestamp").as_deref(),
        Some("2026-03-02T10:00:00.000Z"),
        "due when it happened"
    );
    world.send(&to("/create")).await.is(200, "updated 1");
    assert_eq!(world.calls("batch/upsert").len(), 1, "only what is known to be missing is created");
}

#[tokio::test]
async fn several_owners_are_looked_up_by_one_call() {
    let world = world().start().await;
    let ticket = |id: &str, owner: &str| json!({"id": id, "owner": owner, "subject": "a"});
    let all = json!({"tickets": [
        ticket("1", "ada@acme.example"), ticket("2", "ADA@acme.example"), ticket("3", "nobody@acme.example"),
    ]});
    let reply = world.deliver(all).await;
    reply.is(200, "updated 2, failed 1").row(2, "failed owner_not_found");
    assert_eq!(
        reply.detail(2),
        "hubspot_owner_id: HubSpot has no owner with the address nobody@acme.example"
    );
    assert_eq!(world.calls("owners").len(), 1);
}

#[tokio::test]
async fn an_owner_is_known_to_the_deliveries_that_follow() {
    let world = world().start().await;
    let from = |owner: &str| json!({"id": "1", "subject": "a", "owner": owner});
    for owner in ["ada@acme.example", "Ada@acme.example"] {
        world.deliver(from(owner)).await.is(200, "updated 1");
    }
    for _ in 0..2 {
        world
            .deliver(from("nobody@acme.example"))
            .await
            .is(200, "failed 1")
            .row(0, "failed owner_not_found");
    }
    assert_eq!(world.task("1", "hubspot_owner_id").as_deref(), Some("101"));
    assert_eq!(world.calls("owners").len(), 2, "one for each address");
}

#[tokio::test]
async fn a_look_up_that_failed_is_not_remembered() {
    let world = world().start().await;
    let from_ada = json!({"id": "1", "subject": "a", "owner": "ada@acme.example"});
    world.hubspot.fault(Fault { on: Endpoint::Owners, ..Fault::status(429) });
    world.deliver(from_ada.clone()).await.is(503, "retry 1").row(0, "retry rate_limited");
    world.deliver(from_ada).await.is(200, "updated 1");
    assert_eq!(world.calls("owners").len(), 2);
}

#[tokio::test]
async fn a_token_that_hubspot_refuses_is_fetched_again_once() {
    let world = world().secret("hubspot", "old-token").start().await;
    deliver_one(&world).await.is(503, "retry 1").row(0, "retry unauthorized").retry_after();
    assert_eq!(world.calls("batch/update").len(), 1, "the same token is not tried again");
    world.function.logs("HubSpot refuses the token").await;
}

#[tokio::test]
async fn a_token_that_was_changed_is_used_at_once() {
    let world = world().secret("hubspot", "old-token").start().await;
    world
        .secrets
        .store(&format!("{}/hubspot", world.tests), &format!(" {}\n", crate::support::TOKEN))
        .await;
    deliver_one(&world).await.is(200, "updated 1");
    assert_eq!(
        world.calls("batch/update").iter().map(|call| call.status).collect::<Vec<_>>(),
        [401, 200]
    );
}

#[tokio::test]
async fn a_missing_scope_is_for_the_log_and_for_later() {
    let world = world().start().await;
    world.hubspot.fault(on_update(Fault::status(403)));
    deliver_one(&world).await.is(503, "retry 1").row(0, "retry forbidden").retry_after();
    world.function.logs("crm.objects.contacts.write").await;
}

#[tokio::test]
async fn a_rate_limit_is_waited_for_when_the_time_allows() {
    let world = world().start().await;
    world.hubspot.fault(on_update(Fault { policy: Policy::Secondly, ..Fault::status(429) }));
    deliver_one(&world).await.is(200, "updated 1");
    assert_eq!(world.calls("batch/update").len(), 2);
}

#[tokio::test]
async fn a_rate_limit_that_outlasts_the_sender_is_left_for_later() {
    let world = world().start().await;
    world
        .hubspot
        .fault(on_update(Fault { policy: Policy::TenSecondlyRolling, ..Fault::status(429) }));
    let reply = deliver_one(&world).await;
    assert!(reply.is(503, "retry 1").row(0, "retry rate_limited").retry_after() >= 10, "{reply:?}");
}

#[tokio::test]
async fn the_daily_limit_is_remembered_by_the_deliveries_that_follow() {
    let world = world().start().await;
    let words = json!({"status": "error", "message": "You have reached your daily limit.", "errorType": "RATE_LIMIT"});
    world.hubspot.fault(on_update(Fault { body: Some(words), ..Fault::status(429) }));
    for _ in 0..3 {
        let reply = deliver_one(&world).await;
        reply.is(503, "retry 1").row(0, "retry rate_limited").retry_after();
        assert_eq!(reply.detail(0), "HubSpot's rate limit is reached (DAILY)");
    }
    assert_eq!(world.calls("batch/update").len(), 1, "it is over for today, whoever asks");
}

#[tokio::test]
async fn no_request_is_of_version_3_unless_it_is_asked_for() {
    let guarded = SOURCE.replace(
        "id_property = ",
        "on_missing = \"create\"\nupdated_at_property = \"ticket_at\"\nid_property = ",
    );
    let all = json!({"tickets": [
        {"id": "1", "subject": "a", "owner": "ada@acme.example"}, {"id": "77", "subject": "new"},
    ]});
    for (version, paths) in [
        (
            "2026-03",
            [
                "objects/2026-03/tasks/batch/read",
                "owners/2026-03",
                "objects/2026-03/tasks/batch/update",
                "objects/2026-03/tasks/batch/upsert",
            ],
        ),
        (
            "v3",
            [
                "v3/objects/tasks/batch/read",
                "v3/owners",
                "v3/objects/tasks/batch/update",
                "v3/objects/tasks/batch/upsert",
            ],
        ),
    ] {
        let mut world = world().source("shop", &guarded);
        if version == "v3" {
            world = world.variable("HUBSPOT_API_VERSION", version);
        }
        let world = world.start().await;
        world.deliver(all.clone()).await.is(200, "updated 1, created 1");
        // The first call makes the connection.
        let calls: Vec<_> =
            world.hubspot.calls().into_iter().filter(|call| call.path != "/").collect();
        let called: Vec<_> =
            calls.iter().map(|call| call.path.split('?').next().unwrap().to_owned()).collect();
        assert_eq!(called, paths.map(|path| format!("/crm/{path}")));
        assert_eq!(
            calls[0].body["propertiesWithHistory"],
            json!([]),
            "the specification requires it"
        );
    }
}

#[tokio::test]
async fn an_address_that_takes_no_call_is_an_error_that_names_both_settings() {
    let world = world().start().await;
    world.hubspot.fault(on_update(Fault::status(404)));
    deliver_one(&world).await.is(503, "retry 1").row(0, "retry unavailable");
    world.function.logs("look at HUBSPOT_API_VERSION and HUBSPOT_BASE_URL").await;
    let log = world.function.log();
    let line = log.lines().find(|line| line.contains("HUBSPOT_API_VERSION")).unwrap();
    assert!(line.contains("ERROR") && line.contains("404"), "{line}");
}

#[tokio::test]
async fn what_hubspot_says_is_in_the_log_without_the_tickets_text() {
    let world = world().variable("TASKHOOK_REPLY_WITHIN", "1s").start().await;
    for status in [400, 401, 403, 404, 409, 423, 429, 477, 500, 503] {
        let id = format!("0123abcd-{status}");
        let body = json!({"status": "error", "category": "SOME_CATEGORY", "correlationId": id,
            "message": "Meier's secret invoice\nis locked, try again\r\nlater"});
        let headers = [("X-HubSpot-Correlation-Id".to_owned(), id.clone())].into();
        let fault = Fault { body: Some(body), times: Some(6), ..Fault::status(status) };
        // A page has no correlation id but in the header.
        let page = json!("<html><title>Attention Required! | Cloudflare</title></html>");
        let with_page =
            Fault { body: Some(page), headers, times: Some(6), ..Fault::status(status) };
        for (fault, words) in
            [(fault, "… is locked"), (with_page, "a web page: Attention Required! | Cloudflare")]
        {
            world.hubspot.fault(on_update(fault));
            world.deliver(json!({"id": "1", "subject": "Meier's secret invoice"})).await;
            world.hubspot.clear_faults();
            let category = if words.contains("page") { "" } else { "SOME_CATEGORY" };
            let line = format!(
                "category=\"{category}\" correlationId=\"{id}\" properties=\"\" words=\"{words}"
            );
            world.function.logs(&line).await;
            let log = world.function.log();
            let line = log.lines().rfind(|shown| shown.contains(&line)).unwrap();
            assert!(
                line.contains(&format!(
                    "status={status} path=\"/crm/objects/2026-03/tasks/batch/update\""
                )),
                "{line}"
            );
        }
    }
    let log = world.function.log();
    assert!(!log.contains("Meier") && !log.contains("secret invoice"), "{log}");
}

#[tokio::test]
async fn the_line_of_a_delivery_names_what_failed_and_quotes_no_value() {
    let world = world().start().await;
    let tickets = json!([
        {"id": "1", "status": "Meier's status"},
        {"id": "2", "priority": "Meier's priority"},
        {"id": "3", "owner": "meier@shop.example"},
        {"id": "1", "at": "Meier's time", "subject": "a"},
    ]);
    let reply = world.deliver(json!({"tickets": tickets})).await;
    let reply = reply.is(200, "failed 4").row(0, "failed mapping").row(1, "failed invalid_value");
    reply.row(2, "failed owner_not_found").row(3, "failed mapping");
    for name in
        ["hs_task_status: …", "hs_task_priority: …", "hubspot_owner_id: …", "[task] time: …"]
    {
        world.function.logs(name).await;
    }
    let log = world.function.log();
    assert!(!log.to_lowercase().contains("meier"), "{log}");
    assert!(reply.detail(1).contains("Meier's priority"), "{reply:?}");
}

#[tokio::test]
async fn a_403_that_names_no_scope_says_what_to_do_all_the_same() {
    let world = world().start().await;
    let body =
        json!({"status": "error", "category": "USER_DOES_NOT_HAVE_PERMISSIONS", "message": "no"});
    world.hubspot.fault(on_update(Fault { body: Some(body), ..Fault::status(403) }));
    let reply = deliver_one(&world).await;
    reply.is(503, "retry 1").row(0, "retry forbidden");
    assert!(reply.detail(0).ends_with("rotate the token"), "{reply:?}");
    world.function.logs("rotate the token").await;
    assert!(!world.function.log().contains("unnamed"));
}

#[tokio::test]
async fn a_passing_error_is_tried_again() {
    let world = world().start().await;
    world.hubspot.fault(on_update(Fault { times: Some(2), ..Fault::status(502) }));
    deliver_one(&world).await.is(200, "updated 1");
    assert_eq!(world.calls("batch/update").len(), 3);
}

#[tokio::test]
async fn an_outage_is_a_503_that_asks_to_come_back() {
    let world = world().variable("TASKHOOK_REPLY_WITHIN", "1s").start().await;
    world.hubspot.fault(for_ever(Fault::status(500)));
    let reply = deliver_one(&world).await;
    reply.is(503, "retry 1").row(0, "retry unavailable").retry_after();
    assert_eq!(reply.headers["content-type"], "application/problem+json");
    assert_eq!(reply.detail(0), "HubSpot answered 500");
}

#[tokio::test]
async fn a_broken_connection_is_repeated_at_once_and_applied_once() {
    let world = world().start().await;
    for moment in [Moment::Before, Moment::After] {
        world.hubspot.fault(on_update(Fault { drop: Some(moment), ..Fault::default() }));
        deliver_one(&world).await.is(200, "updated 1");
    }
    world.hubspot.fault(on_update(Fault { half_body: true, ..Fault::default() }));
    deliver_one(&world).await.is(200, "updated 1");
    assert_eq!(world.calls("batch/update").len(), 6);
}

#[tokio::test]
async fn a_page_instead_of_json_is_no_success() {
    let world = world().variable("TASKHOOK_REPLY_WITHIN", "1s").start().await;
    world.hubspot.fault(for_ever(Fault { html: true, ..Fault::default() }));
    let reply = deliver_one(&world).await;
    reply.is(503, "retry 1").row(0, "retry unavailable");
    assert!(!reply.body.to_string().contains('<'), "no other party's body: {reply:?}");
    assert!(
        reply
            .detail(0)
            .starts_with("a web page answers in HubSpot's place: look at HUBSPOT_BASE_URL")
    );
}

#[tokio::test]
async fn the_sender_is_answered_in_time_however_slow_hubspot_is() {
    let world = world().variable("TASKHOOK_REPLY_WITHIN", "1s").start().await;
    world.hubspot.fault(for_ever(Fault { delay_ms: 3_600_000, ..Fault::default() }));
    deliver_one(&world).await.is(503, "retry 1").row(0, "retry timeout").retry_after();
}

#[tokio::test]
async fn lambdas_own_deadline_comes_first() {
    let mut world = world().variable("TASKHOOK_REPLY_WITHIN", "1h").start().await;
    world.function.time_limit = std::time::Duration::from_secs(1);
    world.hubspot.fault(for_ever(Fault { delay_ms: 3_600_000, ..Fault::default() }));
    deliver_one(&world).await.is(503, "retry 1").row(0, "retry timeout");
}

#[tokio::test]
async fn hubspot_that_cannot_be_reached_is_for_later() {
    let world = world()
        .variable("HUBSPOT_BASE_URL", "http://127.0.0.1:1")
        .variable("TASKHOOK_REPLY_WITHIN", "1s")
        .start()
        .await;
    let reply = deliver_one(&world).await;
    reply.is(503, "retry 1").row(0, "retry unavailable").retry_after();
    assert_eq!(reply.detail(0), "HubSpot can't be reached");
}

#[tokio::test]
async fn why_a_call_failed_is_in_the_log_and_no_address_of_a_person() {
    let world = world()
        .variable("HUBSPOT_BASE_URL", "http://127.0.0.1:1")
        .variable("TASKHOOK_REPLY_WITHIN", "1s")
        .start()
        .await;
    world.deliver(json!({"id": "1", "owner": "ada@acme.example"})).await.is(503, "retry 1");
    world.function.logs("Connection refused").await;
    assert!(!world.function.log().contains("ada%40acme"), "{}", world.function.log());
}

#[tokio::test]
async fn a_creation_whose_answer_was_lost_is_a_creation() {
    let create = SOURCE.replace("id_property = ", "on_missing = \"create\"\nid_property = ");
    let world = world().source("shop", &create).start().await;
    world.hubspot.fault(Fault {
        on: Endpoint::Upsert,
        drop: Some(Moment::After),
        ..Fault::default()
    });
    world.deliver(json!({"id": "77", "subject": "new"})).await.is(200, "created 1");
    assert_eq!(world.calls("batch/upsert").len(), 2);
}

#[tokio::test]
async fn a_token_that_may_not_read_owners_keeps_no_other_update_back() {
    let world = world().start().await;
    world.hubspot.fault(Fault { on: Endpoint::Owners, forever: true, ..Fault::status(403) });
    let ticket =
        |id: &str, owner: Option<&str>| json!({"id": id, "subject": "after", "owner": owner});
    let all = json!({"tickets": [ticket("1", Some("ada@acme.example")), ticket("2", None)]});
    world
        .deliver(all)
        .await
        .is(503, "updated 1, retry 1")
        .row(0, "retry forbidden")
        .row(1, "updated");
    assert_eq!(world.task("2", "hs_task_subject").as_deref(), Some("after"));
}

#[tokio::test]
async fn a_missing_task_that_nobody_names_can_only_be_the_one_that_was_asked_for() {
    let world = world().start().await;
    let body =
        json!({"status": "COMPLETE", "results": [], "errors": [{"category": "OBJECT_NOT_FOUND"}]});
    world.hubspot.fault(on_update(Fault { body: Some(body), ..Fault::status(207) }));
    deliver_one(&world).await.is(200, "failed 1").row(0, "failed not_found");
}

#[tokio::test]
async fn what_hubspot_takes_with_reserve_is_logged_without_its_words() {
    let world = world().start().await;
    let warning = Some("the value secret words was cut".to_owned());
    world.hubspot.fault(on_update(Fault { warning, ..Fault::default() }));
    deliver_one(&world).await.is(200, "updated 1");
    world.function.logs("HubSpot warns of a value that it took").await;
    assert!(!world.function.log().contains("secret words"), "{}", world.function.log());
}

#[tokio::test]
async fn a_due_date_that_stays_is_told_in_the_row() {
    let due = SOURCE.replace(
        "[properties]",
        "[properties]\nhs_timestamp = { from = '.due', otherwise = \"\" }",
    );
    let world = world()
        .source("shop", &due)
        .seed(|seed| seed["behaviour"] = json!({"empty_due_date": "invalid"}))
        .start()
        .await;
    for calls in [2, 3] {
        let reply = deliver_one(&world).await;
        reply.is(200, "updated 1").row(0, "updated");
        assert!(reply.detail(0).starts_with("hs_timestamp: "), "{reply:?}");
        assert_eq!(world.calls("batch/update").len(), calls, "the function remembers it");
    }
}
