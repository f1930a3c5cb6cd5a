//! What is allowed and most likely not meant.

use super::super::{SourceFile, Sources, warnings};
use super::{file, lines, unverified};

/// The warnings about a file that has no problems, without its name.
fn warns(toml: &str) -> Vec<String> {
    let files = [file("desk", toml)];
    assert_eq!(lines(&Sources::read(&files)), [""; 0], "{toml}");
    let warnings = warnings(&files).into_iter().map(|warning| warning.to_string());
    warnings.map(|line| line.trim_start_matches("sources/desk.toml:").to_owned()).collect()
}

/// The places and first words of the warnings about a file.
fn places(toml: &str) -> Vec<String> {
    warns(toml).iter().map(|line| line.split(' ').take(3).collect::<Vec<_>>().join(" ")).collect()
}

#[test]
fn an_expression_that_clears_a_property_on_events_without_the_field_is_told_with_its_place() {
    assert_eq!(
        warns(&unverified("[properties]\nsubject = '.subject // \"\"'\n")),
        [
            "2:21: warning: an event that lacks the field gives empty text here too, which clears the property or writes \
             its `otherwise`; write given(..) around the path and `otherwise` beside it, which change only what the \
             event has empty",
        ]
    );
    for (properties, expected) in [
        ("a = { from = '.a//\"\" | html', otherwise = \"\" }", vec!["2:17: warning: an"]),
        ("a = { owner = \".a // \\\"\\\"\" }", vec!["2:19: warning: an"]),
        ("a = '''\n  .a\n  // \"\"'''\nb = '.b // \"\"'", vec!["4:3: warning: an", "5:9: warning: an"]),
        ("[properties.a]\nfrom = '.a // \"\"'", vec!["3:12: warning: an"]),
        ("a = 'if .a == null then \"\" else .a end'", vec!["2:5: warning: an"]),
        ("a = '(.a // \"\") | test(\"x\")'", vec![]),
        ("a = '\"// \\\"\\\"\"'", vec![]),
        ("a = { from = '1', map = { 1 = '// \"\"' }, otherwise = '// \"\"' }", vec![]),
    ] {
        assert_eq!(places(&unverified(&format!("[properties]\n{properties}\n"))), expected, "{properties}");
    }
}

/// The places of the warnings about a property with this expression, which stands in line 3.
fn of_property(expression: &str) -> Vec<String> {
    let places = places(&unverified(&format!("[properties]\np = '''\n{expression}'''\n")));
    places.iter().map(|place| place.trim_end_matches(": warning: an").to_owned()).collect()
}

#[test]
fn what_clears_is_found_by_what_the_expression_gives_and_not_by_how_it_is_written() {
    for (expression, place) in [
        (r#".tags // "" | split(" ")"#, "3:7"),
        (".a // []", "3:4"),
        (r#".a // ("")"#, "3:4"),
        (r#"(.a // "") + (.b // "")"#, "3:5"),
        (r#"first(.a // "")"#, "3:10"),
        (r#"(.a // "") as $x | $x"#, "3:5"),
        (r#"[.a // ""][0]"#, "3:5"),
        (r#"(.a // "") | cut(9) | html"#, "3:5"),
        (r#"(.a // "")[:9]"#, "3:5"),
        (r#".a // .b // """#, "3:10"),
        (r#".a // "" | if . == "x" then "y" end"#, "3:4"),
        (r#"try (.a // "") catch 1"#, "3:9"),
        (r#""\(.a // "")\(.b // "")""#, "3:7"),
        (r#"$headers["x-team"] // """#, "3:20"),
        // Nothing in particular is to blame, so they are told at their beginning.
        (r#"if .a == null then "" else .a end"#, "2:5"),
        ("[.labels[]?.name]", "2:5"),
        ("[.a]", "2:5"),
        (r#"[.a, .b] | map(strings) | join(" ")"#, "2:5"),
    ] {
        assert_eq!(of_property(expression), [place], "{expression}");
    }
}

#[test]
fn what_leaves_alone_or_fails_on_events_without_the_field_is_no_trap() {
    for expression in [
        ".a",
        "given(.a)",
        r#".a // "x""#,
        r#".a // "" | if . == "" then null else . end"#,
        r#".a // "" | if length > 0 then . else empty end"#,
        r#".a // "" + "x""#,
        r#"if (.a // "") == "x" then 1 else 2 end"#,
        r#"select((.a // "") | test("x")) | .b"#,
        r#"[.a // ""] | length"#,
        r#""\(.a // "") \(.b // "")""#,
        "given(.labels) | [.[]?.name]",
        r#".a | split(" ")"#,
        "range(infinite)",
        // Constants are meant.
        r#""""#,
        "[]",
        // Not found: an event without .a doesn't come to it.
        r#"if .a then .b // "" else .c end"#,
    ] {
        assert_eq!(of_property(expression), [""; 0], "{expression}");
    }
}

#[test]
fn an_alternative_in_when_is_harmless_and_one_in_task_is_needless() {
    let toml = "[event]\nwhen = '.kind // \"\"'\nid = '.id // \"\"'\ntime = '.at'\n[task]\neach = '.each // \"\"'\n\
                id = '.id // \"\"'\ntime = '.at // \"\"'\nid_property = \"ticket\"\n";
    assert_eq!(places(&unverified(toml)), ["6:15: warning: `//", "7:11: warning: `//", "8:13: warning: `//"]);
    assert!(warns(&unverified(toml))[0].ends_with("empty text is no id, no time and no ticket; leave it out"));
}

#[test]
fn a_guard_against_late_events_does_not_suit_events_that_carry_only_what_changed() {
    let toml = |verify: &str, guard: &str| {
        unverified(&format!("[verify]\n{verify}\n[task]\nid = '.id'\nid_property = \"ticket\"\n{guard}"))
    };
    let (clickup, guard) = ("scheme = \"clickup\"\nsecret = \"s\"", "updated_at_property = \"seen_at\"");
    assert_eq!(
        warns(&toml(clickup, guard)),
        ["7:23: warning: an event of clickup carries only what changed, and one that arrives late would be dropped \
             because of a newer one about another field; leave `updated_at_property` out"]
    );
    for (verify, guard) in [(clickup, ""), ("scheme = \"github\"\nsecret = \"s\"", guard), ("scheme = \"none\"", guard)]
    {
        assert_eq!(warns(&toml(verify, guard)), [""; 0], "{verify}");
    }
}

#[test]
fn an_id_that_an_event_without_its_fields_has_too_is_doubtful() {
    let toml = |id: &str| unverified(&format!("[task]\nid = {id}\nid_property = \"ticket\"\n"));
    assert_eq!(
        warns(&toml(r#"'"\(.repo)#\(.number)"'"#)),
        ["2:6: warning: an event without its fields gives the id \"null#null\", like that of a real task; write \
             `// empty` into the text, as in \"\\(.repository.full_name // empty)#\\(.number // empty)\", so that such \
             an event is a mapping error"]
    );
    for id in [
        r#"'"\(.a // "")#\(.b // "")"'"#,
        r#"'"issue-\(.number // "")"'"#,
        r#"'"\($headers["x-id"])"'"#,
        r#"'"\($query.id)#\($event.id)"'"#,
        r#"'.id // "\(.team)-\(.number)"'"#,
        r#"'[.a, .b] | map(. // "") | join("/")'"#,
        "'(.a | tostring) + .b'",
    ] {
        assert_eq!(places(&toml(id)), ["2:6: warning: an"], "{id}");
    }
    for id in [
        "'.id'",
        "'.issue.key // .issue.id'",
        "'given(.id)'",
        r#"'"\(.repo // empty)#\(.number // empty)"'"#,
        r#"'.id // "\(.team // empty)-\(.number // empty)"'"#,
        r#"'"desk"'"#,
        "'7'",
        "'.number + 1'",
        "'.id | ascii_upcase'",
        "'$event.id'",
    ] {
        assert_eq!(warns(&toml(id)), [""; 0], "{id}");
    }
}

#[test]
fn an_id_that_one_missing_part_does_not_keep_from_being_made_is_doubtful() {
    let toml = |id: &str| unverified(&format!("[task]\nid = '{id}'\nid_property = \"ticket\"\n"));
    assert_eq!(
        warns(&toml(r#""\(.repository.full_name // empty)#\(.issue.number)""#)),
        [
            "2:6: warning: an event that lacks only what `\\(.issue.number)` takes has an id all the same, like that of a \
             real task; write `// empty` into the text, as in \"\\(.repository.full_name // empty)#\\(.number // \
             empty)\", so that such an event is a mapping error"
        ]
    );
    for id in [
        r#""\(.repository.full_name | ascii_downcase)#\(.issue.number)""#,
        r#""\(given(.repository.full_name))#\(.issue.number)""#,
        r#"select(.a) | "\(.a)#\(.b)""#,
        r#"if .a then "\(.a)#\(.b)" else empty end"#,
        r#""\(.a // empty)#\(.b // "")""#,
        r#""\(.a // empty)#\(.b | tostring)""#,
        r#".repository as $r | "\($r.full_name // empty)#\(.issue.number)""#,
        r##".full_name + "#" + (.number | tostring)"##,
    ] {
        assert_eq!(places(&toml(id)), ["2:6: warning: an"], "{id}");
    }
    for id in [
        ".id",
        ".issue.key",
        r#""\(.a // empty)#\(.b // empty)""#,
        r#""\(given(.a))#\(.b | ascii_downcase)""#,
        r#".repository as $r | "\($r.full_name // empty)#\($r.number // empty)""#,
        r#".id // empty | "issue-\(.)""#,
    ] {
        assert_eq!(warns(&toml(id)), [""; 0], "{id}");
    }
}

#[test]
fn the_address_of_the_samples_is_not_the_one_that_was_registered() {
    let toml = |url: &str| {
        let verify = format!("[verify]\nscheme = \"trello\"\nsecret = \"s\"\nurl = \"{url}\"\n");
        unverified(&format!("{verify}[task]\nid = '.id'\nid_property = \"ticket\"\n"))
    };
    let placeholder = "https://taskhooklocaltaskhooklocal000000.lambda-url.eu-central-1.on.aws/trello";
    assert_eq!(warns(&toml(placeholder)), ["4:7: warning: write the address that you registered with the sender"]);
    for url in ["https://desk.example/trello", "https://desk.example/taskhooklocal"] {
        assert_eq!(warns(&toml(url)), [""; 0], "{url}");
    }
}

#[test]
fn files_with_problems_have_the_warnings_that_can_be_told() {
    let broken = "[task]\nid = '.a |'\n[properties]\na = '.a // \"\"'\nb = 7\nc = '.c )'\n";
    let unreadable = Err("can't be read: denied".to_owned());
    let unreadable = SourceFile { file: "x".to_owned(), name: "x".to_owned(), text: unreadable };
    let found = warnings(&[file("broken", broken), file("no", "not TOML"), unreadable, file("empty", "")]);
    let found: Vec<_> = found.iter().map(ToString::to_string).collect();
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].starts_with("sources/broken.toml:4:9: warning: "), "{found:?}");
}
