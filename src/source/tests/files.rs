//! Source files: keys, defaults, and everything that is wrong, with its place.

use super::{Found, SourceFile, Sources, file, lines, problems, unverified};
use crate::time::Time;

const RIGHT: &str = "[verify]\nscheme = \"none\"\n[task]\nid = '.id'\nid_property = \"ticket\"\n[properties]\na = '.a'\n";

fn found(sources: &Sources, path: &str) -> String {
    match sources.find(path) {
        Found::Source(source) => source.name.clone(),
        Found::Broken => "broken".to_owned(),
        Found::Nothing => "nothing".to_owned(),
    }
}

#[test]
fn the_path_is_the_files_name_unless_it_is_written() {
    let sources = Sources::read(&[
        file("desk", RIGHT),
        file("other", &format!("path = \"/a/b-c.d\"\n{RIGHT}")),
    ]);
    for (path, expected) in [
        ("/desk", "desk"),
        ("/desk/", "desk"),
        ("/a/b-c.d", "other"),
        ("/other", "nothing"),
        ("/", "nothing"),
        ("", "nothing"),
        ("/desk/more", "nothing"),
        ("/Desk", "nothing"),
    ] {
        assert_eq!(found(&sources, path), expected, "{path}");
    }
}

#[test]
fn a_slash_at_the_end_makes_no_difference_in_the_file_either() {
    let sources = Sources::read(&[file("desk", &format!("path = \"/hooks/desk/\"\n{RIGHT}"))]);
    assert_eq!(lines(&sources), [""; 0]);
    assert_eq!(
        (found(&sources, "/hooks/desk").as_str(), found(&sources, "/hooks/desk/").as_str()),
        ("desk", "desk")
    );
}

#[test]
fn a_path_has_to_be_a_path_that_is_not_taken() {
    for path in ["desk", "", "/", "//", "/a b", "/ä", "/a?b", "https://x.example/a"] {
        assert_eq!(
            problems(&format!("path = \"{path}\"\n{RIGHT}")),
            [format!("1:8: `path` is {path:?}; write a path such as \"/tickets\"")]
        );
    }
    for path in ["/health", "/health/"] {
        assert_eq!(
            problems(&format!("path = \"{path}\"\n{RIGHT}")),
            ["1:8: `path` \"/health\" is Taskhook's own; choose another"]
        );
    }
}

#[test]
fn a_files_name_that_is_no_path_needs_a_written_one() {
    for name in ["health", "my desk"] {
        let sources = Sources::read(&[file(name, RIGHT)]);
        assert_eq!(lines(&sources).len(), 1, "{name}");
        assert!(
            lines(&sources)[0].starts_with(&format!("sources/{name}.toml:1:1: `path` ")),
            "{:?}",
            lines(&sources)
        );
        assert_eq!(
            lines(&Sources::read(&[file(name, &format!("path = \"/x\"\n{RIGHT}"))])),
            [""; 0]
        );
    }
}

#[test]
fn two_sources_on_one_path_are_an_error_and_neither_works() {
    let with_path = |path: &str| format!("# A comment\npath = \"{path}\"\n{RIGHT}");
    let files = [
        file("a", &with_path("/x")),
        file("b", &with_path("/x/")),
        file("c", RIGHT),
        file("d", &with_path("/c")),
    ];
    let sources = Sources::read(&files);
    assert_eq!(
        lines(&sources),
        [
            "sources/b.toml:2:8: sources/a.toml has the path \"/x\" too; write another `path`",
            "sources/d.toml:2:8: sources/c.toml has the path \"/c\" too; write another `path`",
        ]
    );
    for path in ["/x", "/c"] {
        assert_eq!(found(&sources, path), "broken", "{path}");
    }
    assert_eq!(sources.iter().count(), 0);
}

#[test]
fn a_broken_file_leaves_the_others_working_and_unknown_paths_broken() {
    for broken in [
        Ok("not TOML"),
        Ok("path = \"/broken\""),
        Ok(
            "[verify]\nscheme = \"none\"\n[task]\nid = '.id | nonsense'\nid_property = \"t\"\n[properties]\na = '.'",
        ),
        Ok(
            "[verify]\nscheme = \"none\"\n[task]\nid = '.id )'\nid_property = \"t\"\n[properties]\na = 'nonsense'",
        ),
        Err("permission denied"),
    ] {
        let bytes = broken.map(|text| text.as_bytes().to_vec()).map_err(std::io::Error::other);
        let broken = SourceFile::from_bytes("sources/broken.toml", "broken", bytes);
        let sources = Sources::read(&[broken, file("desk", RIGHT)]);
        assert!(!sources.problems().is_empty());
        assert!(
            lines(&sources).iter().all(|line| line.starts_with("sources/broken.toml:")),
            "{:?}",
            lines(&sources)
        );
        for (path, expected) in [("/desk", "desk"), ("/broken", "broken"), ("/elsewhere", "broken")]
        {
            assert_eq!(found(&sources, path), expected, "{path}");
        }
        assert_eq!(sources.iter().map(|source| source.name.as_str()).collect::<Vec<_>>(), ["desk"]);
    }
}

#[test]
fn a_file_that_cannot_be_read_is_reported_as_a_whole() {
    let denied = Err(std::io::Error::other("denied"));
    let sources = Sources::read(&[SourceFile::from_bytes("sources/x.toml", "x", denied)]);
    assert_eq!(lines(&sources), ["sources/x.toml: can't be read: denied"]);
}

#[test]
fn a_comment_in_an_expression_cannot_swallow_what_follows() {
    let toml = "[verify]\nscheme = \"none\"\n[task]\nid = '.id # the number \\'\nid_property = \"ticket\"\n\
                [properties]\na = '.a # \\\\\\'\nb = '''\n.b # \\\n'''\n";
    let sources = Sources::read(&[file("odd", toml), file("desk", RIGHT)]);
    assert_eq!(lines(&sources), [""; 0]);
    let mut stage = super::Stage::of(toml);
    assert_eq!(stage.gives(r#"{"id": 7, "a": 1, "b": 2}"#), ["7: a=1 b=2"]);
}

#[test]
fn required_keys_are_named_at_their_section() {
    assert_eq!(
        problems("\n[event]\n"),
        [
            "1:1: the section [verify] is missing: it says how deliveries are signed",
            "1:1: the section [task] is missing: it says which task an event updates",
            "1:1: the section [properties] is missing: name at least one property to write",
        ]
    );
    assert_eq!(
        problems("\n[verify]\n  [task]\n[properties]\n"),
        [
            "2:1: `scheme` of [verify] is missing: a named scheme, or \"hmac\", \"token\", \"basic\", \"none\"",
            "2:1: `secret` of [verify] is missing: the name or ARN of a secret in Secrets Manager, such as \"taskhook/github\"",
            "3:3: `id` of [task] is missing: an expression that gives the task's unique value, such as '.ticket.id'",
            "3:3: `id_property` of [task] is missing: the task property with unique values, such as \"zendesk_ticket_id\"",
            "4:1: [properties] is empty: name at least one property to write",
        ]
    );
}

#[test]
fn every_problem_of_every_file_is_found_at_once() {
    let toml = "path = 7\nzone = \"Mars/Olympus\"\nzome = \"UTC\"\n\n[verify]\nscheme = \"github\"\nsecret = \"a b\"\n\
                tolerance = \"soon\"\n\n[event]\nwhen = true\nid = '.id )'\n\n[task]\nid = 'nonsense'\n\
                id_property = \"Ticket\"\non_missing = \"crate\"\nupdated_at_property = \"\"\n\n[properties]\n\
                a = 7\nb = { form = '.b' }\n\"c d\" = '.'\n";
    let sources = Sources::read(&[file("desk", toml), file("other", "x")]);
    assert_eq!(
        lines(&sources),
        [
            "sources/desk.toml:1:8: `path` has to be text in quotes, not a number",
            "sources/desk.toml:2:8: `zone` is \"Mars/Olympus\"; write an IANA name such as \"Europe/Berlin\"",
            "sources/desk.toml:3:1: there is no key `zome` here; did you mean `zone`?",
            "sources/desk.toml:7:10: `secret` of [verify]: \"a b\" is not the name or ARN of a secret, with \"#field\" for a field of a JSON secret",
            "sources/desk.toml:8:13: `tolerance` of [verify]: \"soon\" is not a duration; write one such as 8s, 5m or 24h",
            "sources/desk.toml:11:8: `when` of [event] has to be text in quotes, not true or false",
            "sources/desk.toml:12:11: not a jq expression: expected token, found \")\"",
            "sources/desk.toml:15:7: there is no function nonsense",
            "sources/desk.toml:16:15: \"Ticket\" is not the internal name of a HubSpot property: lower-case letters, digits and _",
            "sources/desk.toml:17:14: `on_missing` of [task] is \"crate\"; write one of \"fail\", \"skip\", \"create\"",
            "sources/desk.toml:18:23: \"\" is not the internal name of a HubSpot property: lower-case letters, digits and _",
            "sources/desk.toml:21:5: `a` has to be a jq expression in quotes or a table with `from`, not a number",
            "sources/desk.toml:22:5: `b` lacks `from` (an expression) or `owner` (an e-mail address)",
            "sources/desk.toml:22:7: there is no key `form` in `b`; did you mean `from`?",
            "sources/desk.toml:23:1: \"c d\" is not the internal name of a HubSpot property: lower-case letters, digits and _",
            "sources/other.toml:1:2: not TOML: key with no value, expected `=`",
        ]
    );
}

#[test]
fn an_unknown_key_is_an_error_with_a_suggestion() {
    let extra = |section: &str, line: &str| match section {
        "" => problems(&format!("{line}\n{RIGHT}")),
        section => {
            problems(&RIGHT.replace(&format!("[{section}]"), &format!("[{section}]\n{line}")))
        }
    };
    for (section, line, problem) in [
        ("", "pth = \"/x\"", "1:1: there is no key `pth` here; did you mean `path`?"),
        ("", "tsk = {}", "1:1: there is no key `tsk` here; did you mean `task`?"),
        (
            "",
            "colour = 1",
            "1:1: there is no key `colour` here; known here: `path`, `zone`, `observe`, `verify`, `event`, `task`, `properties`",
        ),
        (
            "verify",
            "tolerence = \"1s\"",
            "2:1: there is no key `tolerence` in [verify]; did you mean `tolerance`?",
        ),
        (
            "task",
            "id_proprety = \"x\"",
            "4:1: there is no key `id_proprety` in [task]; did you mean `id_property`?",
        ),
        (
            "task",
            "upsert = true",
            "4:1: there is no key `upsert` in [task]; known here: `each`, `id`, `time`, `id_property`, `on_missing`, `updated_at_property`, `associate`",
        ),
    ] {
        assert_eq!(extra(section, line), [problem], "{line}");
    }
    assert_eq!(
        problems(&format!("{RIGHT}[event]\nwhere = '.'")),
        ["9:1: there is no key `where` in [event]; did you mean `when`?"]
    );
    assert_eq!(
        problems(&format!("{RIGHT}b = {{ from = '.', othrewise = \"\" }}")),
        ["8:19: there is no key `othrewise` in `b`; did you mean `otherwise`?"]
    );
}

#[test]
fn a_mistake_in_an_expression_has_its_exact_place() {
    for (written, place) in [
        // Literal and basic strings, both kinds of mistake: of the syntax, and a function that
        // isn't there.
        ("'.a | ]'", "7:11"),
        ("'.a | frobnicate'", "7:11"),
        ("\".a | ]\"", "7:11"),
        ("\".a | frobnicate\"", "7:11"),
        ("   '\"ä\" | frobnicate'", "7:15"),
        // Over several lines; a line break right after the quotes is not part of the text.
        ("'''.a | frobnicate'''", "7:13"),
        ("'''\n.a\n | frobnicate'''", "9:4"),
        ("'''\n.a\n | ]'''", "9:4"),
        ("'''\r\n.a |\r\n frobnicate'''", "9:2"),
        ("\"\"\"\n.a\n | frobnicate\"\"\"", "9:4"),
        // With escapes.
        ("\".a | \\\"\\u00e4\\\" | frobnicate\"", "7:24"),
        ("\".a | \\\"x\\\" | ]\"", "7:19"),
        ("\"\"\"\n.a \\\n   | frobnicate\"\"\"", "9:6"),
        ("\"\"\"\n\\\"x\\\"\n | ]\"\"\"", "9:4"),
    ] {
        let toml = RIGHT.replace("a = '.a'", &format!("a = {written}"));
        let problems = problems(&toml);
        assert_eq!(problems.len(), 1, "{written}: {problems:?}");
        assert!(problems[0].starts_with(&format!("{place}: ")), "{written}: {problems:?}");
    }
}

#[test]
fn every_undefined_name_of_an_expression_is_reported() {
    let toml = RIGHT.replace("a = '.a'", "a = 'foo | bar(1; 2) | $x'\nb = 'foo'");
    assert_eq!(
        problems(&toml),
        [
            "7:6: there is no function foo",
            "7:12: there is no function bar with 2 arguments",
            "7:24: there is no variable $x",
            "8:6: there is no function foo",
        ]
    );
}

#[test]
fn what_reaches_outside_of_the_event_is_not_there() {
    for (expression, name) in [
        ("env", "env"),
        ("env.HUBSPOT_TOKEN_SECRET", "env"),
        ("$ENV.PATH", "$ENV"),
        ("input", "input"),
        ("inputs", "inputs"),
        ("halt", "halt"),
        ("debug", "debug"),
        ("stderr", "stderr"),
    ] {
        assert_eq!(
            problems(&RIGHT.replace("'.a'", &format!("'{expression}'"))),
            [format!(
                "7:6: {name} is not available here: an expression sees the event and nothing else"
            )]
        );
    }
    for expression in
        ["halt_error", "debug(1)", "halt(1)", "input_filename", "get_search_list", "$__prog_args"]
    {
        assert_eq!(
            problems(&RIGHT.replace("'.a'", &format!("'{expression}'"))).len(),
            1,
            "{expression}"
        );
    }
    for expression in ["import \"a\" as a; .", "include \"a\"; .", "import \"a\" as $a; ."] {
        assert_eq!(
            problems(&RIGHT.replace("'.a'", &format!("'{expression}'"))).len(),
            1,
            "{expression}"
        );
    }
}

#[test]
fn steps_that_contradict_each_other_are_refused() {
    for (step, problem) in [
        ("{}", "lacks `from` (an expression) or `owner` (an e-mail address)"),
        ("{ otherwise = \"x\" }", "lacks `from` (an expression) or `owner` (an e-mail address)"),
        ("{ from = '.', owner = '.' }", "has both `from` and `owner`; write one of them"),
        (
            "{ owner = '.', as = \"date\" }",
            "has both `owner` and `as`; an owner's id is written as it is",
        ),
    ] {
        assert_eq!(
            problems(&RIGHT.replace("'.a'", step)),
            [format!("7:5: `a` {problem}")],
            "{step}"
        );
    }
    for (step, problem) in [
        (
            "{ from = '.', unmapped = \"skip\" }",
            "7:5: `unmapped` of `a` goes with `map`, `as` or `owner`; leave it out",
        ),
        (
            "{ from = '.', as = \"date\", at = \"17:00\" }",
            "7:5: `at` of `a` goes with `as = \"datetime\"`: it is the hour of a date that comes without one; leave it out",
        ),
        (
            "{ from = '.', at = \"17:00\" }",
            "7:5: `at` of `a` goes with `as = \"datetime\"`: it is the hour of a date that comes without one; leave it out",
        ),
        (
            "{ from = '.', as = \"datetime\", at = \"5 pm\" }",
            "7:41: `at` is \"5 pm\"; write an hour such as \"17:00\"",
        ),
        (
            "{ from = '.', as = \"datetime\", at = 17:00 }",
            "7:41: `at` of `a` has to be text in quotes, not a date",
        ),
        (
            "{ from = '.', as = \"time\" }",
            "7:24: `as` of `a` is \"time\"; write one of \"datetime\", \"date\"",
        ),
        (
            "{ from = '.', map = {}, unmapped = \"x\" }",
            "7:40: `unmapped` of `a` is \"x\"; write one of \"fail\", \"skip\"",
        ),
        (
            "{ from = '.', map = { x = 1 } }",
            "7:31: `x` of the map of `a` has to be text in quotes, not a number",
        ),
        ("{ from = '.', map = [] }", "7:25: `map` of `a` has to be a table, not a list"),
        (
            "{ from = '.', otherwise = 0 }",
            "7:31: `otherwise` of `a` has to be text in quotes, not a number",
        ),
    ] {
        assert_eq!(problems(&RIGHT.replace("'.a'", step)), [problem], "{step}");
    }
}

#[test]
fn a_record_id_cannot_be_created() {
    let toml = |rest: &str| RIGHT.replace("\"ticket\"", &format!("\"hs_object_id\"\n{rest}"));
    assert_eq!(
        problems(&toml("on_missing = \"create\"")),
        [
            "3:1: `on_missing` of [task] can't be \"create\" with `id_property = \"hs_object_id\"`: HubSpot gives record ids itself; write \"fail\" or \"skip\""
        ]
    );
    assert_eq!(problems(&toml("on_missing = \"skip\"")), [""; 0]);
    assert_eq!(problems(&toml("")), [""; 0]);
}

#[test]
fn sections_may_be_written_in_every_way_of_toml() {
    let toml = "verify.scheme = \"none\"\ntask = { id = '.id', id_property = \"ticket\", }\nproperties.a = '.a'\n\
                properties.b.from = '.b'\nproperties.b.map.x = \"1\"\n";
    assert_eq!(super::Stage::of(toml).gives(r#"{"id": 7, "a": 2, "b": "x"}"#), ["7: a=2 b=1"]);
    let toml = unverified("[properties.a]\nfrom = '.a'\n");
    assert_eq!(super::Stage::of(&toml).gives(r#"{"id": 7, "a": 2}"#), ["7: a=2"]);
    // Line breaks and a comma at the end within an inline table are new in TOML 1.1.
    let toml =
        unverified("[properties]\na = {\n  from = '.a', # why\n  map = { x = \"\\x41\\e\" },\n}\n");
    assert_eq!(super::Stage::of(&toml).gives(r#"{"id": 7, "a": "x"}"#), ["7: a=A\u{1b}"]);
}

#[test]
fn the_example_of_the_contract_is_right() {
    let toml = r#"
path = "/zendesk"
zone = "UTC"
observe = false
[verify]
scheme = "zendesk"
secret = "taskhook/zendesk"
tolerance = "5m"
[event]
when = '(.type // "") | startswith("zen:event-type:ticket.")'
id   = '.id'
time = '.detail.updated_at'
[task]
each        = '.'
id          = '.detail.id'
time        = '.updated_at'
id_property = "zendesk_ticket_id"
on_missing  = "fail"
updated_at_property = "zendesk_updated_at"
[task.associate]
contact = '.detail.requester.email'
company = { by = "zendesk_org_id", from = '.detail.organization_id' }
when    = "create"
missing = "skip"
[properties]
hs_task_type     = '"TODO"'
hs_task_subject  = '.detail.subject'
hs_task_body     = { from = 'given(.detail.description) | cut(60000) | html', otherwise = "" }
hs_task_status   = { from = '.detail.status', map = { new = "NOT_STARTED", open = "IN_PROGRESS", pending = "WAITING", hold = "DEFERRED", solved = "COMPLETED", closed = "COMPLETED" } }
hs_task_priority = { from = '.detail.priority', map = { urgent = "HIGH", high = "HIGH", normal = "MEDIUM", low = "LOW" }, otherwise = "NONE" }
hs_timestamp     = { from = 'given(.detail.due_at)', as = "datetime", otherwise = "" }
hubspot_owner_id = { owner = 'given(.detail.assignee.email)', otherwise = "", unmapped = "skip" }
owner_note       = { from = '.detail.note', write = "empty" }
"#;
    assert_eq!(lines(&Sources::read(&[file("zendesk", toml)])), [""; 0]);
    let mut stage = super::Stage::of(
        &toml
            .replace("\"zendesk\"", "\"none\"")
            .replace("secret = \"taskhook/zendesk\"\n", "")
            .replace("/zendesk", "/desk"),
    );
    let event = stage.event(
        r#"{"type": "zen:event-type:ticket.status_changed", "id": "e-1", "detail": {"id": "35436",
            "updated_at": "2026-03-05T11:00:00Z", "subject": "Help & care", "description": "a < b\nc", "status": "OPEN",
            "priority": null, "due_at": null, "assignee": {"email": "ada@example.com"}}}"#,
    );
    assert_eq!((event.id.as_str(), event.time), ("e-1", Time::parse("2026-03-05T11:00:00Z").ok()));
    let super::Mapped::Updates(updates) = event.mapped else { panic!("filtered") };
    assert_eq!(
        super::update(&updates[0]),
        "35436: hs_task_type=TODO hs_task_subject=Help & care hs_task_body=a &lt; b<br>c \
         hs_task_status=IN_PROGRESS hs_task_priority=NONE hs_timestamp= hubspot_owner_id=<ada@example.com or skip>"
    );
    assert_eq!(stage.gives(r#"{"type": "zen:event-type:user.created"}"#), ["filtered"]);
}

#[test]
fn mistakes_of_beginners_are_met_with_what_to_write() {
    let file = |property: &str| {
        let text = format!(
            "[verify]\nscheme = \"none\"\n[task]\nid = '.id'\nid_property = \"ticket\"\n\
             [properties]\n{property}\n"
        );
        let sources = Sources::read(&[SourceFile::from_text("sources/desk.toml", "desk", text)]);
        sources.problems().iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    };
    for (property, hint) in [
        ("hs_task_subject = .title", "stands in single quotes, such as '.title'"),
        (
            "hs_task_type = 'TODO'",
            "no function TODO; the text itself is \"TODO\", in quotation marks",
        ),
        ("hs_task_subject = 'fields.title'", "no function fields; a field is .fields"),
        (
            "[properties.hs_task_status]\nfrom = '.s'\n[properties.hs_task_status.map]\nClosed Done = \"COMPLETED\"",
            "a name with a space stands in quotation marks",
        ),
    ] {
        let problems = file(property);
        assert!(problems.contains(hint), "{property}: {problems}");
    }
}
