//! What tasks hang on, and how they come to.

use serde_json::{Value, json};

use super::Stage;
use crate::sim::{Association, ObjectType};

const ASSOCIATE: &str = "/crm/associations/2026-03/tasks/contacts/batch/associate/default";

/// The usual two tasks, 101 and 102, with two contacts, and a company, a deal and a ticket that
/// share an id.
fn stage() -> Stage {
    with(json!({}))
}

/// The same, with these fields of the seed set besides.
fn with(fields: Value) -> Stage {
    let mut seed = json!({
        "contacts": [{"id": "701"}, {"id": "702"}],
        "companies": [{"id": "801"}],
        "deals": [{"id": "801"}],
        "tickets": [{"id": "801"}],
    });
    for (name, value) in fields.as_object().expect("an object") {
        seed[name] = value.clone();
    }
    Stage::with(seed)
}

fn pairs(pairs: &[(&str, &str)]) -> Value {
    let pair = |(from, to): &(&str, &str)| json!({"from": {"id": from}, "to": {"id": to}});
    let inputs: Vec<Value> = pairs.iter().map(pair).collect();
    json!({ "inputs": inputs })
}

fn associate(stage: &mut Stage, wanted: &[(&str, &str)]) -> (u16, Value) {
    stage.call("POST", ASSOCIATE, pairs(wanted))
}

/// The ids of the tasks and of the contacts that hang together.
fn linked(stage: &Stage) -> Vec<(String, String)> {
    let mut pairs = Vec::new();
    for Association { from_object, from_id, to_object, to_id } in stage.state.portal.links.all() {
        assert_eq!((from_object, to_object), (ObjectType::Tasks, ObjectType::Contacts));
        pairs.push((from_id, to_id));
    }
    pairs
}

fn ids(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(from, to)| ((*from).to_owned(), (*to).to_owned())).collect()
}

#[test]
fn a_task_is_hung_on_what_is_there_and_both_directions_are_told() {
    for (object, id, there, back) in [
        ("contacts", "701", 204, 203),
        ("companies", "801", 192, 191),
        ("deals", "801", 216, 215),
        ("tickets", "801", 230, 229),
    ] {
        for path in [
            format!("/crm/associations/2026-03/tasks/{object}"),
            format!("/crm/associations/2026-09/0-27/{object}"),
            format!("/crm/v4/associations/task/{object}"),
        ] {
            let mut stage = stage();
            let target = format!("{path}/batch/associate/default");
            let (status, body) = stage.call("POST", &target, pairs(&[("101", id)]));
            assert_eq!((status, &body["status"]), (200, &json!("COMPLETE")), "{path}: {body}");
            let told = |from: &str, to: &str, number: u16| {
                json!({"from": {"id": from}, "to": {"id": to}, "associationSpec":
                    {"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": number}})
            };
            assert_eq!(body["results"], json!([told("101", id, there), told(id, "101", back)]));
            assert_eq!(stage.state.portal.links.all().len(), 1);
        }
    }
    // v3 has another form of associations.
    let path = "/crm/v3/associations/tasks/contacts/batch/associate/default";
    assert_eq!(stage().call("POST", path, pairs(&[("101", "701")])).0, 404);
}

#[test]
fn what_hangs_together_already_may_be_told_again() {
    let mut stage = stage();
    let first = associate(&mut stage, &[("101", "701")]);
    let again = associate(&mut stage, &[("101", "701")]);
    assert_eq!((first.0, &first.1["results"]), (again.0, &again.1["results"]));
    assert_eq!(linked(&stage), ids(&[("101", "701")]));
}

#[test]
fn a_pair_of_nobody_is_an_error_and_leaves_the_others_alone() {
    let mut stage = stage();
    let wanted = [("101", "799"), ("102", "702"), ("199", "701")];
    let (status, body) = associate(&mut stage, &wanted);
    assert_eq!((status, &body["numErrors"]), (207, &json!(2)), "{body}");
    assert_eq!(body["errors"][0]["category"], "OBJECT_NOT_FOUND");
    assert_eq!(
        body["errors"][0]["context"],
        json!({"fromObjectId": ["101"], "fromObjectType": ["task"],
               "toObjectId": ["799"], "toObjectType": ["contact"]})
    );
    assert_eq!(body["errors"][1]["context"]["fromObjectId"], json!(["199"]));
    assert_eq!(body["results"].as_array().map(Vec::len), Some(2));
    assert_eq!(linked(&stage), ids(&[("102", "702")]));

    let path = ASSOCIATE.replace("2026-03", "2026-09");
    let (status, body) = stage.call("POST", &path, pairs(&wanted));
    assert_eq!((status, &body["numErrors"]), (200, &json!(2)));
    let mut stage = with(json!({"behaviour": {"errors_in_200": true}}));
    assert_eq!(associate(&mut stage, &wanted).0, 200);
}

#[test]
fn an_id_belongs_to_its_type() {
    let mut stage = stage();
    assert_eq!(associate(&mut stage, &[("101", "801")]).0, 207);
    assert_eq!(linked(&stage), []);
}

#[test]
fn a_pair_that_stands_twice_refuses_the_request() {
    let mut stage = stage();
    let twice = [("101", "701"), ("102", "701"), ("101", "701")];
    let (status, body) = associate(&mut stage, &twice);
    assert_eq!((status, &body["category"]), (400, &json!("VALIDATION_ERROR")));
    assert_eq!(body["context"]["ids"], json!(["101-701"]));
    assert_eq!(linked(&stage), []);
}

#[test]
fn a_request_has_its_most() {
    let mut stage = stage();
    let names: Vec<String> = (0..1001).map(|number| number.to_string()).collect();
    let many: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "701")).collect();
    assert_eq!(associate(&mut stage, &many[..100]).0, 207);
    let (status, body) = associate(&mut stage, &many[..101]);
    assert_eq!((status, &body["category"]), (400, &json!("VALIDATION_ERROR")));
    let path = "/crm/associations/2026-03/tasks/contacts/batch/read";
    let mut read = |count: usize| {
        let inputs: Vec<Value> = names[..count].iter().map(|id| json!({"id": id})).collect();
        stage.call("POST", path, json!({"inputs": inputs})).0
    };
    assert_eq!([read(1000), read(1001)], [207, 400]);
}

#[test]
fn only_what_hubspot_has_a_default_for_is_associated() {
    let path = "/crm/associations/2026-03/tasks/tasks/batch/associate/default";
    assert_eq!(stage().call("POST", path, pairs(&[("101", "102")])).0, 400);
    let path = "/crm/associations/2026-03/tasks/calls/batch/associate/default";
    assert_eq!(stage().call("POST", path, pairs(&[("101", "102")])).0, 404);
}

#[test]
fn two_records_can_be_associated_and_taken_apart_alone() {
    let mut stage = stage();
    let path = "/crm/objects/2026-03/contacts/701/associations/default/tasks/101";
    let (status, body) = stage.call("PUT", path, "");
    assert_eq!((status, &body["results"][0]["from"]), (200, &json!({"id": "701"})));
    assert_eq!(linked(&stage), ids(&[("101", "701")]));
    let path = "/crm/v4/objects/tasks/101/associations/default/contacts/799";
    assert_eq!(stage.call("PUT", path, "").0, 207);
    let path = "/crm/objects/2026-03/tasks/101/associations/contacts/701";
    assert_eq!([stage.call("DELETE", path, "").0, stage.call("DELETE", path, "").0], [204, 204]);
    assert_eq!(linked(&stage), []);
}

#[test]
fn associations_are_read_from_either_end() {
    let mut stage = stage();
    associate(&mut stage, &[("101", "701"), ("101", "702")]);
    let mut read = |path: &str, id: &str| {
        stage.call("POST", &format!("{path}/batch/read"), json!({"inputs": [{"id": id}]}))
    };
    let shown = |id: Value, number: u16| {
        json!({"toObjectId": id, "associationTypes":
            [{"category": "HUBSPOT_DEFINED", "typeId": number, "label": null}]})
    };
    let (status, body) = read("/crm/associations/2026-03/tasks/contacts", "101");
    assert_eq!((status, &body["results"][0]["from"]), (200, &json!({"id": "101"})));
    let both = json!([shown(json!("701"), 204), shown(json!("702"), 204)]);
    assert_eq!(body["results"][0]["to"], both);
    let (_, body) = read("/crm/v4/associations/contacts/tasks", "702");
    assert_eq!(body["results"][0]["to"], json!([shown(json!(101), 203)]));

    let (status, body) = read("/crm/associations/2026-03/tasks/contacts", "102");
    let error = &body["errors"][0];
    assert_eq!((status, &error["category"]), (207, &json!("OBJECT_NOT_FOUND")));
    assert_eq!(error["subCategory"], "crm.associations.NO_ASSOCIATIONS_FOUND");
    assert_eq!(error["message"], "No contact is associated with task 102.");
    assert_eq!(error["context"]["fromObjectId"], json!(["102"]));
}

#[test]
fn the_associations_of_one_record_are_listed_in_pages() {
    let mut stage = stage();
    associate(&mut stage, &[("101", "701"), ("101", "702")]);
    let path = "/crm/objects/2026-03/tasks/101/associations/contacts";
    let (status, body) = stage.get(&format!("{path}?limit=1"));
    assert_eq!((status, &body["results"][0]["toObjectId"]), (200, &json!("701")));
    let after = body["paging"]["next"]["after"].as_str().expect("a next page");
    let (_, body) = stage.get(&format!("{path}?limit=1&after={after}"));
    assert_eq!((&body["results"][0]["toObjectId"], body.get("paging")), (&json!("702"), None));
    let (status, body) = stage.get("/crm/objects/2026-03/tasks/102/associations/contacts");
    assert_eq!((status, &body["results"]), (200, &json!([])));
    assert_eq!(stage.get("/crm/objects/2026-03/tasks/199/associations/contacts").0, 404);
    assert_eq!(stage.get(&format!("{path}?limit=501")).0, 400);
}

#[test]
fn pairs_are_taken_apart_in_a_batch() {
    for (version, expected) in [("/crm/associations/2026-03", 200), ("/crm/v4/associations", 204)] {
        let mut stage = stage();
        associate(&mut stage, &[("101", "701"), ("101", "702"), ("102", "701")]);
        let inputs =
            json!({"inputs": [{"from": {"id": "101"}, "to": [{"id": "701"}, {"id": "799"}]}]});
        let path = format!("{version}/tasks/contacts/batch/archive");
        assert_eq!(stage.call("POST", &path, inputs).0, expected);
        assert_eq!(linked(&stage), ids(&[("101", "702"), ("102", "701")]));
    }
}

#[test]
fn an_archived_record_hangs_on_nothing() {
    let mut stage = stage();
    associate(&mut stage, &[("101", "701"), ("101", "702"), ("102", "701")]);
    assert_eq!(stage.call("DELETE", "/crm/v3/objects/contacts/701", "").0, 204);
    assert_eq!(linked(&stage), ids(&[("101", "702")]));
    let inputs = json!({"inputs": [{"id": "101"}]});
    assert_eq!(stage.call("POST", "/crm/v3/objects/tasks/batch/archive", inputs).0, 204);
    assert_eq!(linked(&stage), []);
    assert_eq!(associate(&mut stage, &[("101", "702")]).0, 207);
}

#[test]
fn each_object_has_scopes_of_its_own() {
    let tasks = ["crm.objects.contacts.read", "crm.objects.contacts.write"];
    let read = |object: &str| ("GET", format!("/crm/v3/objects/{object}"), json!(null));
    let associate = |object: &str| {
        let path = format!("/crm/associations/2026-03/tasks/{object}/batch/associate/default");
        ("POST", path, json!({"inputs": []}))
    };
    let rows = [
        (read("contacts"), "crm.objects.contacts.read", ""),
        (read("companies"), "crm.objects.companies.read", "crm.objects.contacts.read"),
        (read("deals"), "crm.objects.deals.read", "crm.objects.contacts.read"),
        (read("tickets"), "tickets", "crm.objects.contacts.read"),
        (
            ("DELETE", "/crm/v3/objects/companies/801".into(), json!(null)),
            "crm.objects.companies.write",
            "crm.objects.companies.read",
        ),
        (
            ("GET", "/crm/v3/properties/deals".into(), json!(null)),
            "crm.schemas.deals.read",
            "crm.schemas.contacts.read",
        ),
        (associate("companies"), "crm.objects.companies.read", "crm.objects.deals.read"),
        (associate("tickets"), "tickets", "crm.objects.companies.read"),
    ];
    for ((method, path, body), needed, other) in rows {
        let is_association = path.contains("associate");
        let granted = |scope: &str| {
            let mut scopes = vec![scope.to_owned()];
            if is_association {
                scopes.extend(tasks.map(str::to_owned));
            }
            with(json!({ "scopes": scopes }))
        };
        let (status, _) = granted(needed).call(method, &path, &body);
        assert!(status < 300, "{path}: {status}");
        let (status, refused) = granted(other).call(method, &path, &body);
        assert_eq!((status, &refused["category"]), (403, &json!("MISSING_SCOPES")), "{path}");
        let named = refused["errors"][0]["context"]["requiredGranularScopes"].as_array();
        assert!(named.is_some_and(|named| named.contains(&json!(needed))), "{refused}");
    }
    let mut stage = with(json!({"scopes": ["crm.objects.contacts.read"]}));
    assert_eq!(stage.call("POST", ASSOCIATE, json!({"inputs": []})).0, 403);
    let path = "/crm/objects/2026-03/tasks/101/associations/contacts";
    assert_eq!(stage.get(path).0, 200);
}

#[test]
fn faults_strike_what_they_name() {
    let calls = [
        ("associate", "POST", ASSOCIATE),
        ("associate", "PUT", "/crm/v4/objects/tasks/101/associations/default/contacts/701"),
        ("associations", "GET", "/crm/v4/objects/tasks/101/associations/contacts"),
        ("associations", "POST", "/crm/associations/2026-03/tasks/contacts/batch/read"),
        ("associations", "POST", "/crm/associations/2026-03/tasks/contacts/batch/archive"),
        ("associations", "DELETE", "/crm/v4/objects/tasks/101/associations/contacts/701"),
        ("objects_read", "GET", "/crm/v3/objects/contacts/701"),
        ("objects_read", "POST", "/crm/v3/objects/companies/batch/read"),
        ("objects_write", "POST", "/crm/v3/objects/contacts"),
        ("objects_write", "DELETE", "/crm/v3/objects/deals/801"),
        ("read", "GET", "/crm/v3/objects/tasks/101"),
        ("properties", "GET", "/crm/v3/properties/companies"),
    ];
    for name in ["associate", "associations", "objects_read", "objects_write", "read", "properties"]
    {
        for (endpoint, method, path) in calls {
            let mut stage = stage().fault(json!({"on": name, "status": 503}));
            let (status, _) = stage.call(method, path, json!({"inputs": []}));
            assert_eq!(status == 503, name == endpoint, "{name}: {method} {path}: {status}");
        }
    }
}

#[test]
fn an_answer_may_be_lost_before_or_after_the_records_are_associated() {
    for (moment, expected) in [("before", vec![]), ("after", ids(&[("101", "701")]))] {
        let mut stage = stage().fault(json!({"on": "associate", "drop": moment, "delay_ms": 5}));
        let request = super::request("POST", ASSOCIATE, pairs(&[("101", "701")]));
        let reply = stage.state.call(&request, super::now());
        assert!(reply.answer.is_none() && reply.delay.as_millis() == 5);
        assert_eq!(linked(&stage), expected, "{moment}");
    }
}

#[test]
fn a_success_may_associate_nothing_or_less() {
    let wanted = [("101", "701"), ("102", "701")];
    let mut lasting = with(json!({"behaviour": {"associate_nothing": true}}));
    for _ in 0..2 {
        let (status, body) = associate(&mut lasting, &wanted);
        assert_eq!((status, &body["results"], body.get("errors")), (200, &json!([]), None));
    }
    assert_eq!(linked(&lasting), []);
    let mut once = stage().fault(json!({"on": "associate", "empty": true}));
    let (status, body) = associate(&mut once, &wanted);
    assert_eq!((status, &body["results"], linked(&once)), (200, &json!([]), vec![]));
    assert_eq!(associate(&mut once, &wanted).0, 200);
    assert_eq!(linked(&once), ids(&wanted));
    let mut less = stage().fault(json!({"on": "associate", "ignore": 1}));
    assert_eq!(associate(&mut less, &wanted).0, 200);
    assert_eq!(linked(&less), ids(&wanted[..1]));
}

#[test]
fn any_answer_can_be_given() {
    let canned = json!({"status": "COMPLETE", "results": [], "numErrors": 1,
                        "errors": [{"category": "MINE"}]});
    let fault = json!({"on": "associate", "status": 207, "body": canned});
    let mut stage = stage().fault(fault).fault(json!({"on": "associate", "status": 429}));
    let (status, body) = associate(&mut stage, &[("101", "701")]);
    assert_eq!((status, &body["errors"][0]["category"]), (207, &json!("MINE")));
    assert_eq!(associate(&mut stage, &[("101", "701")]).0, 429);
    assert_eq!(linked(&stage), []);
}
