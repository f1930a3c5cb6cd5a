//! Contacts, companies, deals and tickets: what tasks hang on.

use serde_json::{Value, json};

use super::{Stage, ids};
use crate::sim::{Seed, portal::Portal};

/// A portal with two contacts and two companies, of which one has a number of its own.
fn stage() -> Stage {
    with(json!({}))
}

/// The same, with these fields of the seed set besides.
fn with(fields: Value) -> Stage {
    let mut seed = json!({
        "object_properties": {"companies": [{"name": "org", "hasUniqueValue": true}]},
        "contacts": [
            {"id": "701", "properties": {"email": "Eve@Example.com", "firstname": "Eve"}},
            {"id": "702", "properties": {
                "email": "sam@example.com", "hs_additional_emails": "sam@old.example;S@Example.org",
            }},
        ],
        "companies": [
            {"id": "101", "properties": {"name": "Example", "org": "77"}},
            {"id": "802", "properties": {"name": "Other"}},
        ],
        "deals": [{"id": "901", "properties": {"dealname": "Big", "dealstage": "1"}}],
        "tickets": [{"id": "951", "properties": {"subject": "Help", "hs_pipeline_stage": "1"}}],
    });
    for (name, value) in fields.as_object().expect("an object") {
        seed[name] = value.clone();
    }
    Stage::with(seed)
}

/// Reads a batch of contacts by a property.
fn contacts(id_property: &str, wanted: &[&str]) -> (u16, Value) {
    let inputs: Vec<Value> = wanted.iter().map(|id| json!({ "id": id })).collect();
    let body = json!({"idProperty": id_property, "properties": ["email"], "inputs": inputs});
    stage().call("POST", "/crm/v3/objects/contacts/batch/read", body)
}

#[test]
fn each_type_goes_by_its_plural_its_singular_and_its_id() {
    for (names, id) in [
        (["tasks", "task", "0-27"], "101"),
        (["contacts", "contact", "0-1"], "701"),
        (["companies", "company", "0-2"], "802"),
        (["deals", "deal", "0-3"], "901"),
        (["tickets", "ticket", "0-5"], "951"),
    ] {
        for name in names {
            for path in [
                format!("/crm/v3/objects/{name}/{id}"),
                format!("/crm/objects/2026-03/{name}/{id}"),
                format!("/crm/objects/2026-09/{name}/{id}"),
            ] {
                let (status, body) = stage().get(&path);
                assert_eq!((status, &body["id"]), (200, &json!(id)), "{path}");
            }
        }
    }
}

#[test]
fn a_record_is_one_types_alone() {
    let mut stage = stage();
    let (_, company) = stage.get("/crm/v3/objects/companies/101?properties=name");
    assert_eq!(company["properties"]["name"], "Example");
    let url = company["url"].as_str().expect("a URL");
    assert!(url.ends_with("/record/0-2/101"), "{url}");
    let (_, task) = stage.get("/crm/v3/objects/tasks/101?properties=hs_task_subject");
    assert_eq!(task["properties"]["hs_task_subject"], "First");
    assert_eq!(stage.get("/crm/v3/objects/contacts/101").0, 404);
}

#[test]
fn a_contact_is_found_by_any_of_its_addresses_in_any_case() {
    for (address, id) in [
        ("eve@example.com", "701"),
        ("EVE@EXAMPLE.COM", "701"),
        ("sam@example.com", "702"),
        ("Sam@Old.Example", "702"),
        ("s@example.org", "702"),
    ] {
        let (status, body) = contacts("email", &[address]);
        assert_eq!((status, ids(&body)), (200, vec![id]), "{address}");
    }
}

#[test]
fn what_is_not_found_is_named_in_one_error() {
    let (status, body) = contacts("email", &["no@example.com", "eve@example.com", "701"]);
    assert_eq!((status, ids(&body), &body["numErrors"]), (207, vec!["701"], &json!(1)));
    let error = &body["errors"][0];
    assert_eq!(error["category"], "OBJECT_NOT_FOUND");
    assert_eq!(error["context"]["ids"], json!(["no@example.com", "701"]));
    let message = error["message"].as_str().expect("a message");
    assert!(message.starts_with("Could not get some CONTACT objects"), "{message}");

    let body = json!({"properties": [], "propertiesWithHistory": [], "inputs": [{"id": "700"}]});
    let path = "/crm/objects/2026-09/contacts/batch/read";
    let (status, answer) = stage().call("POST", path, &body);
    assert_eq!((status, &answer["errors"][0]["context"]["ids"]), (200, &json!(["700"])));
    let mut stage = with(json!({"behaviour": {"errors_in_200": true}}));
    let (status, answer) = stage.call("POST", "/crm/v3/objects/contacts/batch/read", body);
    assert_eq!((status, &answer["numErrors"]), (200, &json!(1)));
}

#[test]
fn records_are_found_by_what_is_unique_and_nothing_else() {
    let read = |property: &str| {
        let body = json!({"idProperty": property, "properties": [], "inputs": [{"id": "77"}]});
        stage().call("POST", "/crm/v3/objects/companies/batch/read", body)
    };
    let (status, body) = read("org");
    assert_eq!((status, ids(&body)), (200, vec!["101"]));
    let (status, body) = read("domain");
    let message = body["message"].as_str().expect("a message");
    assert_eq!(status, 400);
    assert!(message.starts_with("Unable to perform read by non-unique 0-2 property domain"));
    // The tasks' own.
    assert_eq!(read("zid").1["errors"][0]["code"], "PROPERTY_DOESNT_EXIST");
    assert_eq!(contacts("firstname", &["Eve"]).0, 400);
}

#[test]
fn an_address_is_one_contacts() {
    let mut stage = stage();
    let create = |stage: &mut Stage, email: &str| {
        let body = json!({"properties": {"email": email}});
        stage.call("POST", "/crm/v3/objects/contacts", body)
    };
    for (taken, holder) in [("EVE@example.com", "701"), ("sam@old.example", "702")] {
        let (status, body) = create(&mut stage, taken);
        assert_eq!((status, &body["category"]), (409, &json!("CONFLICT")));
        assert_eq!(body["message"], format!("Contact already exists. Existing ID: {holder}"));
    }
    let (status, body) = create(&mut stage, "New@Example.com");
    assert_eq!((status, &body["properties"]["email"]), (201, &json!("new@example.com")));
}

#[test]
fn a_script_makes_a_contact_and_removes_it_again() {
    let mut stage = stage();
    let (status, body) = stage.call(
        "POST",
        "/crm/objects/2026-03/contacts",
        json!({"properties": {"email": "tmp@example.com", "lastname": "Tmp"}}),
    );
    assert_eq!(status, 201, "{body}");
    for name in ["createdate", "lastmodifieddate", "hs_object_id"] {
        let value = body["properties"][name].as_str();
        assert!(value.is_some_and(|value| !value.is_empty()), "{name}: {body}");
    }
    let path = format!("/crm/objects/2026-03/contacts/{}", body["id"].as_str().expect("an id"));
    assert_eq!(stage.get(&path).0, 200);
    assert_eq!(stage.call("DELETE", &path, "").0, 204);
    assert_eq!([stage.get(&path).0, stage.call("DELETE", &path, "").0], [404, 404]);
    let inputs = json!({"inputs": [{"id": "701"}, {"id": "799"}]});
    assert_eq!(stage.call("POST", "/crm/v3/objects/contacts/batch/archive", inputs).0, 204);
    assert_eq!(stage.get("/crm/v3/objects/contacts/701").0, 404);
    assert_eq!(stage.get("/crm/v3/objects/contacts/701?archived=true").0, 200);
}

#[test]
fn deals_and_tickets_need_what_hubspot_documents() {
    for (object, given, missing) in [
        ("deals", json!({"dealname": "A"}), json!(["dealstage"])),
        ("tickets", json!({}), json!(["subject", "hs_pipeline_stage"])),
    ] {
        let path = format!("/crm/v3/objects/{object}");
        let (status, body) = stage().call("POST", &path, json!({"properties": given}));
        assert_eq!((status, &body["context"]["properties"]), (400, &missing));
        let kind = object.trim_end_matches('s').to_uppercase();
        let sentence = format!("Error creating {kind}. Some required properties were not set.");
        assert_eq!(body["message"], sentence);
    }
}

#[test]
fn rules_and_merges_are_those_of_tasks() {
    let rule = json!({"property": "name", "refuses": ["X"]});
    let mut stage = with(json!({"behaviour": {"rules": [rule], "merged": {"802": "101"}}}));
    let body = json!({"inputs": [{"id": "802", "properties": {"name": "X"}}]});
    let (status, body) = stage.call("POST", "/crm/v3/objects/companies/batch/update", body);
    assert_eq!((status, ids(&body)), (200, vec!["802"]));
}

#[test]
fn contacts_are_searched_by_their_words() {
    let body = json!({"query": "OLD.example", "filterGroups": []});
    let (status, body) = stage().call("POST", "/crm/v3/objects/contacts/search", body);
    assert_eq!((status, ids(&body)), (200, vec!["702"]));
}

#[test]
fn each_type_has_properties_of_its_own() {
    let mut stage = stage();
    let (status, body) = stage.get("/crm/properties/2026-03/companies/org");
    assert_eq!((status, &body["hasUniqueValue"]), (200, &json!(true)));
    assert_eq!(body["groupName"], "companyinformation");
    assert_eq!(stage.get("/crm/v3/properties/contacts/org").0, 404);
    let (_, body) = stage.get("/crm/v3/properties/contacts");
    let named = |name: &str| {
        let mut properties = body["results"].as_array().expect("results").iter();
        properties.find(|property| property["name"] == name)
    };
    assert!(named("hs_task_subject").is_none());
    assert_eq!(named("email").map(|email| &email["hasUniqueValue"]), Some(&json!(false)));

    let new = json!({"name": "crm_no", "label": "No", "type": "string", "fieldType": "text",
                     "groupName": "dealinformation", "hasUniqueValue": true});
    let path = "/crm/v3/properties/deals";
    assert_eq!(stage.call("POST", path, &new).0, 201);
    assert_eq!(stage.get("/crm/v3/properties/deals/crm_no").0, 200);
    assert_eq!(stage.call("DELETE", "/crm/v3/properties/deals/crm_no", "").0, 204);
    assert_eq!(stage.get("/crm/v3/properties/deals/crm_no").0, 404);
}

#[test]
fn a_wrong_record_of_the_seed_is_named_by_its_type() {
    for (seed, sentence) in [
        (json!({"companies": [{}, {"properties": {"x": "1"}}]}), "company 2: Property \"x\""),
        (
            json!({"contacts": [{"properties": {"email": "a@b.c"}}, {"properties": {"email": "A@b.c"}}]}),
            "contact 2: email: A@b.c is that of an earlier contact",
        ),
    ] {
        let seed: Seed = serde_json::from_value(seed).expect("a seed");
        let problem = Portal::new(seed, super::now()).expect_err("a problem").to_string();
        assert!(problem.starts_with(sentence), "{problem}");
    }
}
