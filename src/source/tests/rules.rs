//! The rules of an update: what is done about an id that no task has, which properties are written
//! when, and whether anything is.

use super::{Mapped, Stage, file, problems, unverified, update, warnings};
use crate::update::{OnMissing, Update, Value, Write};

/// A source file with this `on_missing` in line 4.
fn missing(rule: &str) -> String {
    unverified(&format!("[task]\nid = '.id'\nid_property = \"ticket\"\non_missing = {rule}\n"))
}

/// The first update of a body, or why it can't be mapped.
fn first(toml: &str, body: &str) -> Result<Update, String> {
    let Mapped::Updates(updates) = Stage::of(toml).event(body).mapped else { panic!("filtered") };
    updates[0].clone().map_err(|_| update(&updates[0]))
}

const BY_EVENT: &str =
    "{ from = '.v', map = { Opened = \"create\", old = \"skip\", bad = \"fail\", 7 = \"skip\" }";

#[test]
fn the_event_chooses_what_is_done_about_an_id_that_no_task_has() {
    let chosen = |otherwise: &str, value: &str| {
        let toml = missing(&format!("{BY_EVENT}{otherwise} }}"));
        first(&toml, &format!(r#"{{"id": 1, "v": {value}}}"#)).map(|update| update.on_missing)
    };
    for (value, expected) in [
        (r#""Opened""#, OnMissing::Create),
        (r#"" oPENED\n""#, OnMissing::Create),
        (r#""old""#, OnMissing::Skip),
        (r#""bad""#, OnMissing::Fail),
        ("7.0", OnMissing::Skip),
    ] {
        assert_eq!(chosen("", value), Ok(expected), "{value}");
    }
    for value in [r#""closed""#, r#""""#, "null", "true"] {
        assert_eq!(chosen("", value), Ok(OnMissing::Fail), "{value}");
        let otherwise = ", otherwise = \"skip\"";
        assert_eq!(chosen(otherwise, value), Ok(OnMissing::Skip), "{value}");
    }
    let nothing = missing("{ from = 'given(.v)', map = {}, otherwise = \"create\" }");
    assert_eq!(first(&nothing, r#"{"id": 1}"#).unwrap().on_missing, OnMissing::Create);
}

#[test]
fn it_is_chosen_for_each_item_and_one_that_chooses_nothing_fails_alone() {
    let toml = "[task]\neach = '.all[]'\nid = '.id'\nid_property = \"ticket\"\non_missing = { from \
                = '.v', map = { new = \"create\" }, otherwise = \"skip\" }\n";
    let body = r#"{"all": [{"id": 1, "v": "new"}, {"id": 2, "v": {}}, {"id": 3}]}"#;
    let Mapped::Updates(updates) = Stage::with(toml).event(body).mapped else { panic!("filtered") };
    assert_eq!(updates[0].as_ref().unwrap().on_missing, OnMissing::Create);
    let said = "2 failed: [task] on_missing: it gives an object, but `map` compares text, numbers, \
                true and false";
    assert_eq!(update(&updates[1]), said);
    assert_eq!(updates[2].as_ref().unwrap().on_missing, OnMissing::Skip);
    for (from, why) in [
        (".v[]", "it has more than one output"),
        (".v", "it gives an array, but `map` compares text"),
        (".v | error(\"no\")", "\"no\""),
    ] {
        let toml = missing(&format!("{{ from = '{from}', map = {{}} }}"));
        let failed = first(&toml, r#"{"id": 1, "v": [1, 2]}"#).unwrap_err();
        assert!(failed.starts_with(&format!("1 failed: [task] on_missing: {why}")), "{failed}");
    }
}

#[test]
fn every_mistake_in_on_missing_has_its_place() {
    let words = "write one of \"fail\", \"skip\", \"create\"";
    for (rule, expected) in [
        (
            "{ from = '.v', map = { new = \"make\" } }".to_owned(),
            format!("4:43: `new` of the map of `on_missing` of [task] is \"make\"; {words}"),
        ),
        (
            "{ from = '.v', map = {}, otherwise = \"\" }".to_owned(),
            format!("4:51: `otherwise` of `on_missing` of [task] is \"\"; {words}"),
        ),
        (
            "{ map = {} }".to_owned(),
            "4:14: `from` of `on_missing` of [task] is missing: an expression, such as '.action'"
                .to_owned(),
        ),
        (
            "{ from = '.v' }".to_owned(),
            "4:14: `map` of `on_missing` of [task] is missing: its values and their rules, such \
             as { opened = \"create\" }"
                .to_owned(),
        ),
        (
            "{ from = '.v | ]', map = {} }".to_owned(),
            "4:29: not a jq expression: expected token, found \"]\"".to_owned(),
        ),
        (
            "{ from = 'nonsense', map = {} }".to_owned(),
            "4:24: there is no function nonsense".to_owned(),
        ),
        (
            "{ from = '.v', map = {}, unmapped = \"skip\" }".to_owned(),
            "4:39: there is no key `unmapped` in `on_missing` of [task]; known here: `from`, \
             `map`, `otherwise`"
                .to_owned(),
        ),
        (
            "true".to_owned(),
            "4:14: `on_missing` of [task] has to be text in quotes or a table with `from` and \
             `map`, not true or false"
                .to_owned(),
        ),
    ] {
        assert_eq!(problems(&missing(&rule)), [expected], "{rule}");
    }
    for rule in [
        "{ from = '.v', map = { new = \"create\" } }",
        "{ from = '.v', map = {}, otherwise = \"create\" }",
    ] {
        let toml = missing(rule).replace("\"ticket\"", "\"hs_object_id\"");
        let found = problems(&toml);
        assert!(found[0].starts_with("1:1: `on_missing` of [task] can't be \"create\""), "{rule}");
    }
}

#[test]
fn half_of_a_ticket_is_feared_where_any_event_makes_the_task_and_not_where_one_is_named() {
    let told = |rule: &str| {
        let toml = missing(rule).replace("on_missing", "updated_at_property = \"at\"\non_missing");
        let found = warnings(file("desk", &toml));
        found.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    let found = told("{ from = '.v', map = { old = \"skip\" }, otherwise = \"create\" }");
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(
        found[0].starts_with("sources/desk.toml:5:14: warning: whichever event comes first"),
        "{found:?}"
    );
    let named = "{ from = '.v', map = { opened = \"create\" }, otherwise = \"skip\" }";
    assert_eq!(told(named), [""; 0]);
}

#[test]
fn a_property_is_written_always_or_by_its_rule() {
    let toml = unverified(
        "[properties]\nalways = { from = '.v', write = \"always\" }\nplain = '.v'\n\
         made = { from = '.v', write = \"create\" }\nfree = { from = '.v', write = \"empty\" }\n\
         person = { owner = '.v', otherwise = \"\", write = \"empty\" }\n\
         left = { from = 'given(.w)', write = \"create\" }\n",
    );
    let update = first(&toml, r#"{"id": 1, "v": "x"}"#).unwrap();
    let names: Vec<_> = update.properties.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["always", "plain", "made", "free", "person"]);
    let rules: Vec<_> = update.write.iter().map(|(name, rule)| (name.as_str(), *rule)).collect();
    let (create, empty) = (Write::Create, Write::Empty);
    assert_eq!(rules, [("free", empty), ("made", create), ("person", empty)]);
    assert!(matches!(update.properties[4].1, Value::Owner { .. }));
}

#[test]
fn a_rule_of_writing_is_refused_where_it_makes_no_sense() {
    let toml = |rule: &str, name: &str| {
        unverified(&format!(
            "[task]\nid = '.id'\nid_property = \"ticket\"\nupdated_at_property = \"seen\"\n\
             [properties]\n{name} = {{ from = '.v', write = \"{rule}\" }}\n"
        ))
    };
    for rule in ["create", "empty", "always"] {
        assert_eq!(
            problems(&toml(rule, "ticket")),
            ["6:33: `write` of `ticket` has no place: it is the `id_property`; leave it out"]
        );
        assert_eq!(
            problems(&toml(rule, "seen")),
            ["6:31: `write` of `seen` has no place: it is the `updated_at_property`; leave it out"]
        );
        assert_eq!(problems(&toml(rule, "other")), [""; 0]);
    }
    assert_eq!(
        problems(&toml("never", "other")),
        ["6:32: `write` of `other` is \"never\"; write one of \"always\", \"create\", \"empty\""]
    );
}

#[test]
fn a_rule_by_which_a_property_is_never_written_is_told() {
    let told = |on_missing: &str, name: &str, rule: &str| {
        let toml = unverified(&format!(
            "[task]\nid = '.id'\nid_property = \"ticket\"\non_missing = {on_missing}\n\
             [properties]\n{name} = {{ from = '.v', write = \"{rule}\" }}\n"
        ));
        let found = warnings(file("desk", &toml));
        found.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    let create = "\"create\"";
    for (name, value) in [("hs_task_priority", "NONE"), ("hs_task_status", "NOT_STARTED")] {
        let column = name.len() + 27;
        assert_eq!(
            told(create, name, "empty"),
            [format!(
                "sources/desk.toml:6:{column}: warning: {name} is never empty: HubSpot gives a new \
                 task {value}, which is a value, so \"empty\" writes only when the task is made; \
                 write \"create\", which says so"
            )]
        );
        assert_eq!(told(create, name, "create"), [""; 0]);
    }
    assert_eq!(told(create, "hs_task_subject", "empty"), [""; 0]);
    assert_eq!(told("\"skip\"", "note", "empty"), [""; 0]);
    assert_eq!(
        told("\"skip\"", "note", "create"),
        ["sources/desk.toml:6:31: warning: note is written only when the task is made, and this \
             source makes none; leave `write` out, or write `on_missing` with \"create\""]
    );
}

#[test]
fn a_source_that_only_observes_says_so_in_each_update() {
    for (line, expected) in [("", false), ("observe = false\n", false), ("observe = true\n", true)]
    {
        let toml = format!("{line}{}", unverified(""));
        let mut stage = Stage::of(&toml);
        assert_eq!(stage.source().observe, expected, "{line}");
        let Mapped::Updates(updates) = stage.event(r#"{"id": 1, "subject": "x"}"#).mapped else {
            panic!("filtered")
        };
        assert_eq!(updates[0].as_ref().unwrap().observe, expected, "{line}");
    }
    assert_eq!(
        problems(&format!("observe = \"yes\"\n{}", unverified(""))),
        ["1:11: `observe` has to be true or false, not text"]
    );
}
