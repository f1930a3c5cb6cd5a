//! What HubSpot's tasks API really does, line by line, and what other clients get wrong. Each row
//! is told in HubSpot's own words, and says what becomes of the updates and which calls were made.

use serde_json::{Value, json};
use taskhook::outcome::Outcome;
use taskhook::sim::{Behaviour, Endpoint, Fault, Moment, Policy, Sim, TraceIds};
use taskhook::update::{OnMissing, RECORD_ID, Update};

use crate::support::portal::{portal_with, run, task, update};

/// A row on its way: three tasks, `T-0` to `T-2`, that HubSpot answers as usual.
struct Row {
    line: &'static str,
    updates: Vec<Update>,
    faults: Vec<Fault>,
    behaviour: Behaviour,
}

/// What became of a row.
struct Told {
    line: &'static str,
    outcomes: Vec<Outcome>,
    sim: Sim,
}

fn row(line: &'static str) -> Row {
    Row { line, updates: Vec::new(), faults: Vec::new(), behaviour: Behaviour::default() }
}

impl Row {
    /// Updates the tasks `T-0`, `T-1`, and so on; each has these properties.
    fn updates(mut self, all: &[&[(&str, &str)]]) -> Self {
        self.updates =
            all.iter().enumerate().map(|(id, properties)| update(id, 3, properties)).collect();
        self
    }

    /// Updates of so many tasks with nothing bad about them.
    fn good(mut self, count: usize) -> Self {
        self.updates =
            (0..count).map(|id| update(id, 3, &[("hs_task_subject", "after")])).collect();
        self
    }

    fn each(mut self, change: impl Fn(usize, &mut Update)) -> Self {
        self.updates.iter_mut().enumerate().for_each(|(index, update)| change(index, update));
        self
    }

    fn fault(mut self, fault: Fault) -> Self {
        self.faults.push(fault);
        self
    }

    /// The next write is answered with this.
    fn answers(self, status: u16, body: Value) -> Self {
        self.fault(Fault { on: Endpoint::Update, body: Some(body), ..Fault::status(status) })
    }

    fn behaves(mut self, change: impl FnOnce(&mut Behaviour)) -> Self {
        change(&mut self.behaviour);
        self
    }

    async fn run(self) -> Told {
        let sim = portal_with(["T-0", "T-1", "T-2", "t-1"].map(task).to_vec()).await;
        sim.set_behaviour(self.behaviour);
        self.faults.into_iter().for_each(|fault| sim.fault(fault));
        let outcomes = run(&sim, &self.updates).await;
        Told { line: self.line, outcomes, sim }
    }
}

impl Told {
    /// The outcomes with their reasons, and the calls with the number of their inputs.
    #[track_caller]
    fn is(&self, outcomes: &[&str], calls: &str) -> &Self {
        let found: Vec<_> = self.outcomes.iter().map(|outcome| told(outcome).0).collect();
        assert_eq!(found, outcomes, "{}: {:?}", self.line, self.outcomes);
        let call = |call: taskhook::sim::Call| {
            let kind = call.path.rsplit('/').next().unwrap_or_default().to_owned();
            format!("{kind} {}", call.body["inputs"].as_array().map_or(0, Vec::len))
        };
        let made: Vec<_> = self.sim.calls().into_iter().map(call).collect();
        let made = made.join(", ");
        assert_eq!(side_by_side(&made), side_by_side(calls), "{}: {:?}", self.line, self.outcomes);
        self
    }

    #[track_caller]
    fn detail(&self, index: usize, detail: &str) -> &Self {
        assert_eq!(told(&self.outcomes[index]).1, detail, "{}", self.line);
        self
    }

    #[track_caller]
    fn has(&self, ticket: &str, property: &str, expected: &str) -> &Self {
        let task = self.sim.task_by("ticket", ticket).unwrap();
        assert_eq!(
            task.properties.get(property).map_or("", String::as_str),
            expected,
            "{}",
            self.line
        );
        self
    }
}

/// Calls of one kind that follow each other may have been made side by side: the order of their
/// sizes is none.
fn side_by_side(calls: &str) -> Vec<(&str, Vec<&str>)> {
    let mut runs: Vec<(&str, Vec<&str>)> = Vec::new();
    for (kind, size) in calls.split(", ").filter_map(|call| call.split_once(' ')) {
        match runs.last_mut() {
            Some((last, sizes)) if *last == kind => sizes.push(size),
            _ => runs.push((kind, vec![size])),
        }
    }
    for (_, sizes) in &mut runs {
        sizes.sort_unstable();
    }
    runs
}

fn told(outcome: &Outcome) -> (String, &str) {
    match outcome {
        Outcome::Updated(_) => ("updated".to_owned(), ""),
        Outcome::Created(_) => ("created".to_owned(), ""),
        Outcome::Merged => ("merged".to_owned(), ""),
        Outcome::Filtered(why, detail) => (format!("filtered {}", why.as_str()), detail),
        Outcome::Retry(why, detail) => (format!("retry {}", why.as_str()), detail),
        Outcome::Failed(why, detail) => (format!("failed {}", why.as_str()), detail),
        other => (format!("{other:?}").to_lowercase(), ""),
    }
}

/// A refusal of property values as HubSpot writes it: `(name, code, message)` in the message and in
/// `errors[]`.
fn refusal(inside: &[(&str, &str, &str)], errors: &[(&str, &str, &str)]) -> Value {
    let inside: Value = inside
        .iter()
        .map(|(name, code, message)| {
            json!({"isValid": false, "message": message, "error": code, "name": name, "localizedErrorMessage": message})
        })
        .collect();
    let errors: Value = errors
        .iter()
        .map(|(name, code, message)| json!({"message": message, "code": code, "context": {"propertyName": [name]}}))
        .collect();
    json!({
        "status": "error", "category": "VALIDATION_ERROR", "errors": errors,
        "message": format!("Property values were not valid: {inside}"),
        "correlationId": "5eed0000-0000-4000-8000-000000000000",
    })
}

const PRIORITIES: &str = "was not one of the allowed options: [NONE, LOW, MEDIUM, HIGH]";
const AFTER: &[(&str, &str)] = &[("hs_task_subject", "after")];

fn priority(value: &'static str) -> [(&'static str, &'static str); 1] {
    [("hs_task_priority", value)]
}

#[tokio::test]
async fn the_same_id_twice_in_one_request() {
    let body = json!({
        "status": "error", "category": "VALIDATION_ERROR", "context": {"ids": ["T-1"]},
        "message": "Duplicate IDs found in batch input: [T-1]. IDs must be unique",
    });
    let told = row("ids that HubSpot may take for the same are never in one request")
        .updates(&[AFTER, &[("hs_task_subject", "newer")], &[("hs_task_subject", "older")]])
        .each(|index, update| {
            if index == 2 {
                update.task.id = "t-1".to_owned();
                update.time = taskhook::time::Time::from_milliseconds(0);
            }
        })
        .run()
        .await;
    told.is(&["updated", "updated", "updated"], "update 2, update 1");
    let last = &told.sim.calls()[1].body["inputs"][0];
    assert_eq!(last["id"], json!("T-1"), "the newer event is written last");

    row("ids that are the same in no way that we know")
        .good(2)
        .answers(400, body.clone())
        .run()
        .await
        .is(&["updated", "updated"], "update 2, update 1, update 1");
    row("one id can't be there twice")
        .good(1)
        .answers(400, body)
        .run()
        .await
        .is(&["failed rejected"], "update 1");
}

#[tokio::test]
async fn an_unknown_id() {
    row("207; one error `OBJECT_NOT_FOUND` whose `context.ids` lists all missing ids")
        .good(5)
        .run()
        .await
        .is(&["updated", "updated", "updated", "failed not_found", "failed not_found"], "update 5");
    for number in [json!(0), json!(99), json!("many"), json!(null), json!(-1)] {
        let error = json!({"category": "OBJECT_NOT_FOUND", "context": {"ids": ["T-0"]}, "message": "Could not get"});
        let result = json!({"id": "1", "properties": {"ticket": "T-1"}});
        let body = json!({"status": "COMPLETE", "results": [result], "errors": [error], "numErrors": number});
        row("`numErrors` counts error objects, not records")
            .good(2)
            .answers(207, body)
            .run()
            .await
            .is(&["failed not_found", "updated"], "update 2");
    }
}

#[tokio::test]
async fn a_bad_value_is_blamed_on_its_row_by_hubspots_own_words() {
    let p9 = format!("P9 {PRIORITIES}");
    let named = [("hs_task_priority", "INVALID_OPTION", p9.as_str())];
    let both = [named[0], ("amount", "INVALID_LONG", "twelve was not a valid number.")];
    let one_bad = |line| {
        row(line).updates(&[AFTER, &[("hs_task_priority", "P9")], &[("hs_task_priority", "HIGH")]])
    };
    let one_is_bad = ["updated", "failed invalid_value", "updated"];

    one_bad("400 `VALIDATION_ERROR` for the whole batch, nothing written, no input named")
        .run()
        .await
        .is(&one_is_bad, "update 3, update 2")
        .detail(1, "hs_task_priority: P9 is not one of NONE, LOW, MEDIUM, HIGH")
        .has("T-1", "hs_task_priority", "");
    let two_bad =
        |line| row(line).updates(&[AFTER, &[("hs_task_priority", "P9")], &[("amount", "twelve")]]);
    for (line, body) in [
        ("`errors[]` can be incomplete", refusal(&both, &named)),
        ("there is nothing in `errors[]`", refusal(&both, &[])),
        ("the JSON array inside `message` can't be fuller than `errors[]`", refusal(&named, &both)),
        ("there is no JSON array inside `message`", {
            let mut body = refusal(&[], &both);
            body["message"] = json!("Property values were not valid");
            body
        }),
        ("text follows the array", {
            let mut body = refusal(&both, &[]);
            body["message"] = json!(format!(
                "{} (portal 44556677) [see docs]",
                body["message"].as_str().unwrap()
            ));
            body
        }),
        ("a null stands in the array", {
            let mut body = refusal(&both, &[]);
            body["message"] = json!(body["message"].as_str().unwrap().replacen(
                '[',
                "[null, {\"name\": null}, ",
                1
            ));
            body
        }),
        ("errors stand inside of errors", {
            let inner = refusal(&[], &both)["errors"].clone();
            json!({"message": "Bad batch", "errors": [{"message": "Bad input", "errors": [{"errors": inner}]}]})
        }),
        ("a context is a text, not an array", {
            let mut body = refusal(&[], &both);
            for error in body["errors"].as_array_mut().unwrap() {
                error["context"]["propertyName"] = error["context"]["propertyName"][0].clone();
            }
            body
        }),
    ] {
        two_bad(line)
            .answers(400, body)
            .run()
            .await
            .is(&["updated", "failed invalid_value", "failed invalid_value"], "update 3, update 1")
            .detail(1, "hs_task_priority: P9 is not one of NONE, LOW, MEDIUM, HIGH")
            .detail(2, "amount: twelve is not a valid number");
    }
    let older = "P9 was not one of the allowed options: [label: \"Low\"\nvalue: \"LOW\"\ndisplay_order: 0\n\
                 hidden: false\nread_only: false\n, label: \"P9 [old]\"\nvalue: \"HIGH\"\ndisplay_order: 1\n]";
    one_bad("older: `[label: ... value: ...]`")
        .answers(400, refusal(&[("hs_task_priority", "INVALID_OPTION", older)], &[]))
        .run()
        .await
        .is(&one_is_bad, "update 3, update 2")
        .detail(1, "hs_task_priority: P9 is not one of LOW, HIGH");
    let mut given = refusal(&[("hs_task_priority", "INVALID_OPTION", "Value is not allowed")], &[]);
    given["message"] = json!(
        given["message"].as_str().unwrap().replace("\"name\"", "\"propertyValue\":\"P9\",\"name\"")
    );
    one_bad("the value stands besides the message")
        .answers(400, given)
        .run()
        .await
        .is(&one_is_bad, "update 3, update 2");
}

#[tokio::test]
async fn a_value_is_compared_whole() {
    let bad = |value: &str| format!("{value} {PRIORITIES}");
    for (line, good, wrong) in [
        ("the allowed options also occur inside the sentence", "LOW", "NONE, LOW"),
        ("short values also occur inside the sentence", "HIGH", "HIGHEST"),
        ("a value begins with another", "LOW", "LOW was not one of the allowed options"),
        ("a value has quotes", "HIGH", "\"HIGH\""),
        ("a value has a backslash and an umlaut", "HIGH", "\\\"sehr\u{a0}hoch\" — ü"),
    ] {
        let message = bad(wrong);
        row(line)
            .updates(&[&priority(good), &[("hs_task_priority", wrong)], AFTER])
            .answers(400, refusal(&[("hs_task_priority", "INVALID_OPTION", &message)], &[]))
            .run()
            .await
            .is(&["updated", "failed invalid_value", "updated"], "update 3, update 2");
    }
    row("for several checkboxes, each part: the whole is named")
        .updates(&[&[("tags", "a")], &[("tags", "a;x")], &[("tags", "a;b")]])
        .run()
        .await
        .is(&["updated", "failed invalid_value", "updated"], "update 3, update 2");
    row("for several checkboxes, each part: a part is named")
        .updates(&[&[("tags", "a")], &[("tags", "a;x")], &[("tags", "a;b")]])
        .answers(
            400,
            refusal(
                &[("tags", "INVALID_OPTION", "x was not one of the allowed options: [a, b, c]")],
                &[],
            ),
        )
        .run()
        .await
        .is(&["updated", "failed invalid_value", "updated"], "update 3, update 2");
    row("a property that only one row carries needs no value")
        .updates(&[AFTER, &[("amount", "twelve")], AFTER])
        .answers(400, refusal(&[("amount", "SOMETHING_NEW", "What is this?")], &[]))
        .run()
        .await
        .is(&["updated", "failed invalid_value", "updated"], "update 3, update 2")
        .detail(1, "amount: twelve is not a valid value (SOMETHING_NEW)");
    row("words that settle nothing")
        .updates(&[&[("amount", "1")], &[("amount", "2")], AFTER])
        .answers(400, refusal(&[("amount", "SOMETHING_NEW", "What is this?")], &[]))
        .run()
        .await
        .is(&["updated", "updated", "updated"], "update 3, update 1, update 1, update 1");
}

#[tokio::test]
async fn every_code_has_its_reason() {
    for (line, properties, reason, detail) in [
        (
            "`PROPERTY_DOESNT_EXIST`",
            ("nope", "x"),
            "unknown_property",
            "nope: the portal has no such property",
        ),
        (
            "`READ_ONLY_VALUE`",
            ("hs_createdate", "x"),
            "read_only_property",
            "hs_createdate: it is read-only",
        ),
        ("`INVALID_OPTION`", ("tags", "x"), "invalid_value", "tags: x is not one of a, b, c"),
        (
            "`INVALID_LONG`",
            ("ticket_at", "soon"),
            "invalid_value",
            "ticket_at: soon is not a valid long",
        ),
        ("`INVALID_NUMBER`", ("amount", "x"), "invalid_value", "amount: x is not a valid number"),
        (
            "`INVALID_DATE`",
            ("day", "1772413200000"),
            "invalid_value",
            "day: 1772413200000 is not a valid value (INVALID_DATE)",
        ),
        (
            "`LEADING_TRAILING_WHITESPACE`",
            ("amount", " 1"),
            "invalid_value",
            "amount: \" 1\" has white space around it",
        ),
        (
            "`INVALID_OWNER_ID`",
            ("hubspot_owner_id", "9"),
            "invalid_value",
            "hubspot_owner_id: 9 is not a valid value (INVALID_OWNER_ID)",
        ),
    ] {
        let reason = format!("failed {reason}");
        row(line)
            .updates(&[AFTER, &[properties], &[("hs_task_subject", "x")]])
            .run()
            .await
            .is(&["updated", &reason, "updated"], "update 3, update 2")
            .detail(1, detail);
    }
    let calculated = "\"hs_task_subject\" is a calculated property; its value cannot be set.";
    row("a calculated property")
        .updates(&[AFTER, &[("amount", "1")]])
        .answers(400, refusal(&[("hs_task_subject", "", calculated)], &[]))
        .run()
        .await
        .is(&["failed read_only_property", "updated"], "update 2, update 1");
}

#[tokio::test]
async fn a_value_that_must_be_unique() {
    row("`CONFLICTING_UNIQUE_VALUE`: another task has it")
        .updates(&[&[("code", "mine")], &[("ticket", "T-2")], AFTER])
        .run()
        .await
        .is(&["updated", "failed conflict", "updated"], "update 3, update 2")
        .detail(1, "ticket: another task has the value T-2");
    row("`CONFLICTING_UNIQUE_VALUE`: two rows have it, and one of them is right")
        .updates(&[&[("code", "same")], &[("code", "same")], AFTER])
        .run()
        .await
        .is(&["updated", "failed conflict", "updated"], "update 3, update 2, update 1");
}

#[tokio::test]
async fn an_id_property_that_is_none() {
    let by = |name: &'static str| {
        move |_: usize, update: &mut Update| update.task.id_property = name.to_owned()
    };
    row("`Unable to perform update/upsert by non-unique 0-27 property NAME`")
        .good(3)
        .each(by("hs_task_subject"))
        .run()
        .await
        .is(&["failed not_unique_property"; 3], "update 3");
    row("idProperty that the portal lacks")
        .good(3)
        .each(by("nope"))
        .run()
        .await
        .is(&["failed unknown_property"; 3], "update 3")
        .detail(0, "nope: the portal has no such property");
    row("idProperty that the portal lacks, guarded")
        .good(3)
        .each(|_, update| {
            update.task.id_property = "nope".to_owned();
            update.updated_at_property = Some("ticket_at".to_owned());
        })
        .run()
        .await
        .is(&["failed unknown_property"; 3], "read 3");
    let told =
        row("leave idProperty out to use record ids").good(2).each(by(RECORD_ID)).run().await;
    told.is(&["failed not_found"; 2], "update 2");
    assert!(told.sim.calls()[0].body["inputs"][0].get("idProperty").is_none());
    row("several idProperty names in one request: group by idProperty first")
        .good(3)
        .each(|index, update| {
            update.task.id_property = ["ticket", "code", "ticket"][index].to_owned();
        })
        .run()
        .await
        .is(&["updated", "failed not_found", "updated"], "update 1, update 2");
}

#[tokio::test]
async fn trace_ids() {
    let bad = |line| row(line).updates(&[AFTER, &[("amount", "x")], &[("amount", "y")]]);
    let outcomes = ["updated", "failed invalid_value", "failed invalid_value"];
    bad("a bad input becomes an entry in `errors[]` with `context.objectWriteTraceId`, and the rest is written")
        .behaves(|behaviour| behaviour.trace_ids = TraceIds::Always)
        .run()
        .await
        .is(&outcomes, "update 3");
    bad("named by its trace id alone")
        .behaves(|behaviour| {
            behaviour.trace_ids = TraceIds::Always;
            behaviour.terse_validation = true;
        })
        .run()
        .await
        .is(&["updated", "failed rejected", "failed rejected"], "update 3");
    bad("do without when it does not come back").run().await.is(&outcomes, "update 3, update 1");
    let traced =
        json!({"message": "Bad", "errors": [{"context": {"objectWriteTraceId": ["taskhook-1"]}}]});
    row("a refusal of the whole batch can name it, too")
        .good(3)
        .answers(400, traced)
        .run()
        .await
        .is(&["updated", "failed rejected", "updated"], "update 3, update 2");
    let all = ["taskhook-0", "taskhook-1", "taskhook-2"];
    row("all of them named is none named")
        .good(3)
        .answers(400, json!({"message": "Bad", "context": {"objectWriteTraceId": all}}))
        .run()
        .await
        .is(&["updated"; 3], "update 3, update 1, update 2");
    row("a trace id that is nobody's")
        .good(1)
        .answers(
            200,
            json!({"results": [], "errors": [
                {"message": "Bad", "context": {"objectWriteTraceId": "taskhook-7"}}
            ]}),
        )
        .run()
        .await
        .is(&["failed unaccounted"], "update 1, read 1");
}

#[tokio::test]
async fn nothing_done_nothing_said() {
    let without_id = json!({"properties": {"hs_task_subject": "after"}});
    for body in [
        json!({"status": "COMPLETE", "results": []}),
        json!({"results": null}),
        json!({"results": null, "errors": null}),
        json!({"results": {}, "numErrors": 3}),
        json!({}),
        json!([]),
        json!({"results": [null, 1, "done"]}),
        json!({"results": [without_id, without_id]}),
        json!({"results": [{"id": "1"}, {"id": "1"}]}),
        json!({"results": [{"id": "1"}, {"id": "2"}, {"id": "3"}]}),
        json!({"results": [{"id": "1", "properties": {"ticket": "T-7"}}]}),
        json!({"results": [], "errors": [{}, null, {"context": {"ids": ["T-9"]}, "category": "OBJECT_NOT_FOUND"}]}),
    ] {
        row("2xx with empty `results` and no `errors` happens")
            .good(2)
            .answers(200, body)
            .run()
            .await
            .is(&["failed unaccounted", "failed unaccounted"], "update 2, read 2");
    }
    row("numbers in place of texts")
        .good(1)
        .answers(200, json!({"results": [{"id": 9001, "properties": null}]}))
        .run()
        .await
        .is(&["updated"], "update 1");
    row("looked up: missing")
        .good(4)
        .each(|_, update| update.on_missing = OnMissing::Skip)
        .answers(200, json!({"results": []}))
        .run()
        .await
        .is(
            &[
                "failed unaccounted",
                "failed unaccounted",
                "failed unaccounted",
                "filtered not_found",
            ],
            "update 4, read 4",
        );
    row("looked up: there and as written")
        .good(3)
        .fault(Fault { omit: 3, on: Endpoint::Update, ..Fault::default() })
        .run()
        .await
        .is(&["updated"; 3], "update 3, read 3");
}

#[tokio::test]
async fn errors_in_every_success() {
    for status in [200, 201, 202, 207] {
        let error = json!({"category": "OBJECT_NOT_FOUND", "context": {"ids": ["T-0"]}});
        row("look at `errors` on every 2xx; `status` says nothing about success")
            .good(2)
            .answers(status, json!({"status": "COMPLETE", "results": [{"id": "1", "properties": {"ticket": "T-1"}}], "errors": [error]}))
            .run()
            .await
            .is(&["failed not_found", "updated"], "update 2");
    }
}

#[tokio::test]
async fn what_passes_and_what_does_not() {
    let now = || [("Retry-After".to_owned(), "0".to_owned())].into_iter().collect();
    for status in [477, 429, 500, 502, 503, 504, 521, 522, 523, 524] {
        row("wait and try again; bodies may be HTML")
            .good(1)
            .fault(Fault {
                headers: now(),
                body: Some(json!("<html>busy</html>")),
                ..Fault::status(status)
            })
            .run()
            .await
            .is(&["updated"], "update 1, update 1");
    }
    for (line, fault, reason, detail) in [
        (
            "401: if the token is the same, stop",
            Fault::status(401),
            "unauthorized",
            "HubSpot refuses the token",
        ),
        (
            "429: `DAILY` is over for today",
            Fault { policy: Policy::Daily, ..Fault::status(429) },
            "rate_limited",
            "HubSpot's rate limit is reached (DAILY)",
        ),
        (
            "477: `Retry-After` seconds, up to 24 h",
            Fault {
                headers: [("Retry-After".to_owned(), "86400".to_owned())].into(),
                ..Fault::status(477)
            },
            "unavailable",
            "HubSpot answered 477",
        ),
        (
            "a wrong address is no missing task",
            Fault::status(404),
            "unavailable",
            "HubSpot answered 404",
        ),
    ] {
        let reason = format!("retry {reason}");
        row(line)
            .good(2)
            .fault(fault)
            .run()
            .await
            .is(&[&reason, &reason], "update 2")
            .detail(0, detail);
    }
    row("403: `requiredGranularScopes`; both halves say so, and it is the token's")
        .good(4)
        .fault(Fault { forever: true, ..Fault::status(403) })
        .run()
        .await
        .is(&["retry forbidden"; 4], "update 4, update 2, update 2");
    row("403: one half says so, and it is a row's")
        .good(3)
        .fault(Fault { forever: true, holds: vec!["\"T-1\"".to_owned()], ..Fault::status(403) })
        .run()
        .await
        .is(
            &["updated", "retry forbidden", "updated"],
            "update 3, update 1, update 2, update 1, update 1",
        );
    row("403: alone nobody can tell")
        .good(1)
        .fault(Fault::status(403))
        .run()
        .await
        .is(&["retry forbidden"], "update 1");
}

#[tokio::test]
async fn a_refusal_that_says_nothing() {
    for (line, status, body, reason) in [
        ("a body of HTML", 400, json!("<h1>Bad Request</h1>"), "failed rejected"),
        (
            "a body of another shape",
            400,
            json!({"message": 7, "errors": "x", "context": []}),
            "failed rejected",
        ),
    ] {
        row(line)
            .good(3)
            .answers(status, body.clone())
            .run()
            .await
            .is(&["updated"; 3], "update 3, update 1, update 2");
        row(line).good(1).answers(status, body).run().await.is(&[reason], "update 1");
    }
}

#[tokio::test]
async fn a_conflict_is_tried_once_more() {
    for body in [json!({"category": "CONFLICT"}), json!("<h1>Conflict</h1>")] {
        row("conflict 409: another write was under way")
            .good(3)
            .answers(409, body.clone())
            .run()
            .await
            .is(&["updated"; 3], "update 3, update 3");
        row("conflict 409: the whole batch is refused")
            .good(3)
            .answers(409, body.clone())
            .answers(409, body.clone())
            .run()
            .await
            .is(&["updated"; 3], "update 3, update 3, update 1, update 2");
        let twice =
            row("conflict 409 that stays").good(1).answers(409, body.clone()).answers(409, body);
        twice.run().await.is(&["failed conflict"], "update 1, update 1");
    }
}

#[tokio::test]
async fn an_answer_is_read_up_to_4_mib() {
    let long = |megabytes: usize| json!({"status": "COMPLETE", "results": [], "links": {"pad": "x".repeat(megabytes << 20)}});
    row("an answer of 3 MiB is an answer")
        .good(2)
        .answers(200, long(3))
        .run()
        .await
        .is(&["failed unaccounted"; 2], "update 2, read 2");
    row("an answer that is too large is asked for in halves")
        .good(2)
        .answers(200, long(5))
        .run()
        .await
        .is(&["updated"; 2], "update 2, update 1, update 1");
}

#[tokio::test]
async fn what_other_clients_get_wrong() {
    row("a 207 taken for success")
        .good(4)
        .run()
        .await
        .is(&["updated", "updated", "updated", "failed not_found"], "update 4");
    row("a coalesced update reported as done although its row failed")
        .updates(&[AFTER, &[("amount", "x")]])
        .each(|_, update| update.task.id = "T-1".to_owned())
        .run()
        .await
        .is(&["failed invalid_value", "failed invalid_value"], "update 1")
        .has("T-1", "hs_task_subject", "before");
    row("errors matched to inputs by position")
        .updates(&[&[("amount", "1")], &[("amount", "x")], AFTER])
        .behaves(|behaviour| {
            behaviour.trace_ids = TraceIds::Always;
            behaviour.order = taskhook::sim::Order::Reversed;
        })
        .run()
        .await
        .is(&["updated", "failed invalid_value", "updated"], "update 3");
    row("a 2xx that did nothing counted as done")
        .good(2)
        .fault(Fault { empty: true, ..Fault::default() })
        .run()
        .await
        .is(&["failed unaccounted"; 2], "update 2, read 2");
    row("a late answer's event lost, or written twice")
        .good(1)
        .fault(Fault { drop: Some(Moment::After), ..Fault::default() })
        .run()
        .await
        .is(&["updated"], "update 1, update 1");
    let long = "x".repeat(5_000);
    let names = [
        (long.as_str(), "PROPERTY_DOESNT_EXIST", ""),
        ("amount", "INVALID_NUMBER", "9q was not a valid number."),
    ];
    row("error bodies cut so that the property's name is lost")
        .updates(&[&[("amount", "9q")], &[("amount", "8")], AFTER])
        .answers(400, refusal(&names, &[]))
        .run()
        .await
        .is(&["failed invalid_value", "updated", "updated"], "update 3, update 2");
    row("blind overwrites by late events")
        .good(1)
        .each(|_, update| {
            update.updated_at_property = Some("ticket_at".to_owned());
            update.time = taskhook::time::Time::from_milliseconds(0);
        })
        .run()
        .await
        .is(&["stale"], "read 1")
        .has("T-0", "hs_task_subject", "before");
    row("an upsert of an existing task would overwrite its due date")
        .good(4)
        .each(|_, update| update.on_missing = OnMissing::Create)
        .run()
        .await
        .is(&["updated", "updated", "updated", "created"], "update 4, upsert 1")
        .has("T-0", "hs_timestamp", "")
        .has("T-3", "hs_timestamp", &crate::support::portal::at(3));
}
