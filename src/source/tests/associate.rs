//! `[task.associate]`: what the task is to hang on.

use super::{Mapped, Stage, problems, unverified, update, warnings};
use crate::source::tests::file;
use crate::update::{Associate, Link, Missing, Object, When};

/// A source file whose lines from 4 on are those of `[task.associate]`, which is line 4 itself.
fn toml(lines: &str) -> String {
    unverified(&format!(
        "[task]\nid = '.id'\nid_property = \"ticket\"\n[task.associate]\n{lines}\n[properties]\na = '.a'\n"
    ))
}

/// What the first update of a body is to hang on, or why it can't be mapped.
fn associate(lines: &str, body: &str) -> Result<Option<Associate>, String> {
    let Mapped::Updates(updates) = Stage::of(&toml(lines)).event(body).mapped else {
        panic!("filtered")
    };
    match &updates[0] {
        Ok(update) => Ok(update.associate.clone()),
        Err(_) => Err(update(&updates[0])),
    }
}

/// The links of an update, such as `contact email ada@acme.example`.
fn links(lines: &str, body: &str) -> Vec<String> {
    let found = match associate(lines, body) {
        Ok(associate) => associate.map(|associate| associate.links).unwrap_or_default(),
        Err(failed) => return vec![failed],
    };
    let line = |Link { to, by, id }: Link| format!("{} {by} {id}", to.as_str());
    found.into_iter().map(line).collect()
}

/// The contacts that `.v` names.
fn contacts(value: &str) -> Vec<String> {
    links("contact = '.v'", &format!(r#"{{"id": 1, "v": {value}}}"#))
}

#[test]
fn a_contact_is_found_by_its_address_and_the_others_by_the_property_that_is_named() {
    let lines = "company = { by = \"zendesk_org_id\", from = '.org' }\ncontact = '.mail'\n\
                 deal = { by = \"hs_object_id\", from = '.deal' }\n\
                 ticket = { by = \"case\", from = '.case' }";
    let body = r#"{"id": 1, "org": 7, "mail": " ada@acme.example ", "deal": "8", "case": "C-9"}"#;
    assert_eq!(
        links(lines, body),
        [
            "company zendesk_org_id 7",
            "contact email ada@acme.example",
            "deal hs_object_id 8",
            "ticket case C-9",
        ]
    );
    assert_eq!(
        links("contact = { by = \"crm_id\", from = '.mail' }", body),
        ["contact crm_id ada@acme.example"]
    );
}

#[test]
fn the_links_are_made_with_a_new_task_and_a_missing_record_is_passed_over_unless_the_file_says_so()
{
    let link = Link { to: Object::Contact, by: "email".to_owned(), id: "a@b.example".to_owned() };
    for (lines, when, missing) in [
        ("", When::Create, Missing::Skip),
        ("when = \"create\"\nmissing = \"skip\"", When::Create, Missing::Skip),
        ("when = \"always\"\nmissing = \"fail\"", When::Always, Missing::Fail),
    ] {
        let lines = format!("contact = '.mail'\n{lines}");
        let expected = Associate { when, missing, links: vec![link.clone()] };
        let given = associate(&lines, r#"{"id": 1, "mail": "a@b.example"}"#);
        assert_eq!(given, Ok(Some(expected)), "{lines}");
    }
}

#[test]
fn nothing_and_empty_text_are_no_link_and_without_one_there_is_nothing_to_associate() {
    for value in ["null", r#""""#, r#"" \n""#, "[]", r#"[null, "", " "]"#] {
        assert_eq!(contacts(value), [""; 0], "{value}");
    }
    assert_eq!(associate("contact = 'given(.v)'", r#"{"id": 1}"#), Ok(None));
}

#[test]
fn a_list_or_several_outputs_are_several_links_in_their_order() {
    assert_eq!(
        contacts(r#"["b@x.example", null, "a@x.example", 7]"#),
        ["contact email b@x.example", "contact email a@x.example", "contact email 7"]
    );
    assert_eq!(
        links("contact = '.a, .b[]'", r#"{"id": 1, "a": ["1", "2"], "b": ["3", 4.0]}"#),
        ["contact email 1", "contact email 2", "contact email 3", "contact email 4"]
    );
}

#[test]
fn what_is_named_twice_is_linked_once() {
    assert_eq!(
        contacts(r#"["Ada@x.example", "ada@X.example ", "Ada@x.example"]"#),
        ["contact email Ada@x.example"]
    );
    let by_code = "company = { by = \"code\", from = '.v[]' }";
    assert_eq!(
        links(by_code, r#"{"id": 1, "v": ["a", "A", "a", 7, "7"]}"#),
        ["company code a", "company code A", "company code 7"],
        "the case counts where the property is another one"
    );
    let both = "company = { by = \"code\", from = '.v' }\ndeal = { by = \"code\", from = '.v' }";
    assert_eq!(links(both, r#"{"id": 1, "v": "a"}"#), ["company code a", "deal code a"]);
}

#[test]
fn what_names_no_record_is_a_mapping_error_of_that_update_alone() {
    for (value, why) in [
        ("true", "it gives true or false, but a link is text or a number, or a list of these"),
        ("{}", "it gives an object, but a link is"),
        (r#"["a", ["b"]]"#, "it gives an array, but a link is"),
    ] {
        let failed = contacts(value).concat();
        let expected = format!("1 failed: [task.associate] contact: {why}");
        assert!(failed.starts_with(&expected), "{failed}");
    }
    let mut stage = Stage::of(&unverified(
        "[task]\neach = '.all[]'\nid = '.id'\nid_property = \"ticket\"\n[task.associate]\n\
         contact = '.v | ascii_downcase'\ncompany = { by = \"code\", from = '.c | error' }\n",
    ));
    let given = stage.gives(r#"{"all": [{"id": 1, "v": 1, "c": "no"}, {"id": 2, "v": "A"}]}"#);
    assert_eq!(given.len(), 2);
    assert!(given[0].starts_with("1 failed: [task.associate] contact: "), "{given:?}");
    assert!(given[0].ends_with("; [task.associate] company: \"no\""), "{given:?}");
    assert!(given[1].starts_with("2 failed: [task.associate] company: "), "{given:?}");
}

#[test]
fn an_id_has_at_most_1000_characters_and_an_update_at_most_100_links() {
    assert_eq!(contacts(&format!("{:?}", "ä".repeat(1000))).len(), 1);
    assert_eq!(
        contacts(&format!("{:?}", "ä".repeat(1001))),
        ["1 failed: [task.associate] contact: it gives an id of more than 1000 characters"]
    );
    let two = "contact = '.v[]'\ncompany = { by = \"code\", from = '.w[]' }";
    let body = |contacts: usize, companies: usize| {
        let list = |count| (0..count).map(|n| n.to_string()).collect::<Vec<_>>().join(", ");
        format!(r#"{{"id": 1, "v": [{}], "w": [{}, 0]}}"#, list(contacts), list(companies))
    };
    assert_eq!(links(two, &body(60, 40)).len(), 100);
    assert_eq!(
        links(two, &body(60, 41)),
        ["1 failed: [task.associate] company: the update has more than 100 links"]
    );
    assert_eq!(
        links(two, &body(101, 1)),
        ["1 failed: [task.associate] contact: the update has more than 100 links; \
             [task.associate] company: the update has more than 100 links"]
    );
}

#[test]
fn every_mistake_has_its_place() {
    for (lines, expected) in [
        (
            "company = '.org'",
            "5:11: `company` of [task.associate] has to say by which property it is found: write \
             { by = \"the_property\", from = '.org' }",
        ),
        (
            "contact = 7",
            "5:11: `contact` of [task.associate] has to be a jq expression in quotes or a table \
             with `by` and `from`, not a number",
        ),
        (
            "deal = [1]",
            "5:8: `deal` of [task.associate] has to be a table with `by` and `from`, not a list",
        ),
        (
            "deal = { from = '.d' }",
            "5:8: `by` of `deal` of [task.associate] is missing: a property with unique values, \
             or \"hs_object_id\" for the record id",
        ),
        (
            "contact = { by = \"email\" }",
            "5:11: `from` of `contact` of [task.associate] is missing: an expression that gives \
             its value",
        ),
        (
            "ticket = { by = \"Case\", from = '.c' }",
            "5:17: \"Case\" is not the internal name of a HubSpot property: lower-case letters, \
             digits and _",
        ),
        (
            "ticket = { by = \"case\", form = '.c', from = '.c' }",
            "5:25: there is no key `form` in `ticket` of [task.associate]; did you mean `from`?",
        ),
        ("contact = '.v | ]'", "5:17: not a jq expression: expected token, found \"]\""),
        ("contact = '.v | nonsense'", "5:17: there is no function nonsense"),
        ("deal = { by = \"d\", from = 'nonsense' }", "5:28: there is no function nonsense"),
        (
            "contact = '.v'\nwhen = \"often\"",
            "6:8: `when` of [task.associate] is \"often\"; write one of \"create\", \"always\"",
        ),
        (
            "contact = '.v'\nmissing = \"retry\"",
            "6:11: `missing` of [task.associate] is \"retry\"; write one of \"skip\", \"fail\"",
        ),
        (
            "contacts = '.v'\ncontact = '.v'",
            "5:1: there is no key `contacts` in [task.associate]; did you mean `contact`?",
        ),
        (
            "when = \"always\"",
            "4:1: [task.associate] names nothing that the task is to hang on; write `contact`, \
             `company`, `deal` or `ticket`",
        ),
    ] {
        assert_eq!(problems(&toml(lines)), [expected], "{lines}");
    }
    assert_eq!(
        problems(
            "[task]\nassociate = true\nid = '.id'\nid_property = \"t\"\n[verify]\nscheme = \"none\"\n[properties]\na = '.a'"
        ),
        ["2:13: `associate` of [task] has to be a table, not true or false"]
    );
}

#[test]
fn links_that_are_made_with_a_task_are_told_where_the_source_makes_none() {
    let told = |task: &str, lines: &str| {
        let text = toml(lines).replace("id = '.id'", &format!("id = '.id'\n{task}"));
        let found = warnings(file("desk", &text));
        found.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    let none = "only tasks that this source makes are linked, and it makes none: write when = \
                \"always\", or `on_missing` with \"create\"";
    let contact = "contact = '.v'";
    assert_eq!(
        told("on_missing = \"skip\"", contact),
        [format!("sources/desk.toml:5:1: warning: {none}")]
    );
    assert_eq!(
        told("", &format!("{contact}\nwhen = \"create\"")),
        [format!("sources/desk.toml:7:8: warning: {none}")]
    );
    let by_event = "on_missing = { from = '.a', map = { new = \"create\" } }";
    for (task, lines) in [
        ("on_missing = \"create\"", contact.to_owned()),
        (by_event, contact.to_owned()),
        ("", format!("{contact}\nwhen = \"always\"")),
    ] {
        assert_eq!(told(task, &lines), [""; 0], "{task} {lines}");
    }
}
