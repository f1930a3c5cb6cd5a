//! What is allowed and most likely not meant.

use super::super::{SourceFile, Sources, shared_secrets, warnings};
use super::{file, lines, unverified};

/// The warnings about a file that has no problems, without its name.
fn warns(toml: &str) -> Vec<String> {
    assert_eq!(lines(&Sources::read(&[file("desk", toml)])), [""; 0], "{toml}");
    let warnings =
        super::warnings(file("desk", toml)).into_iter().map(|warning| warning.to_string());
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
        (
            "a = '''\n  .a\n  // \"\"'''\nb = '.b // \"\"'",
            vec!["4:3: warning: an", "5:9: warning: an"],
        ),
        ("[properties.a]\nfrom = '.a // \"\"'", vec!["3:12: warning: an"]),
        ("a = 'if .a == null then \"\" else .a end'", vec!["2:5: warning: an"]),
        ("a = '(.a // \"\") | test(\"x\")'", vec![]),
        ("a = '\"// \\\"\\\"\"'", vec![]),
        ("a = { from = '1', map = { 1 = '// \"\"' }, otherwise = '// \"\"' }", vec![]),
    ] {
        assert_eq!(
            places(&unverified(&format!("[properties]\n{properties}\n"))),
            expected,
            "{properties}"
        );
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
fn text_around_values_that_the_event_lacks_is_told() {
    let told =
        |expression: &str| warns(&unverified(&format!("[properties]\np = '{expression}'\n")));
    assert_eq!(
        told(r#""[\(.service)] \(.title)""#),
        [
            "2:5: warning: an event without its fields writes \"[null] null\" over what the task has; begin with what has \
          to be there, as in given(.title) | \"[\\($event.service // \"?\")] \\(.)\", which leaves the property alone \
          where it isn't, or write `// empty` into the text"
        ]
    );
    assert!(
        told(r#""[\(.service // empty)] \(.title)""#)[0].contains(
            "an event that lacks only what `\\(.title)` takes writes null into the text over what the task has"
        )
    );
    for expression in [
        r#""[\(.service // "?")] \(.title)""#,
        r#""[\(.service // "?")]""#,
        r#""\(.a // "") \(.b // "")""#,
        r#""https://desk.example/\(.id)""#,
        r#"[.first, .last] | join(" ")"#,
        r#".first + " " + .last"#,
        r#".title | "[new] \(.)""#,
        ".title | tostring",
        r#""by \($headers["x-who"])""#,
        r#"if .a then .b else "\(.c)" end"#,
        r#""\(.a // empty): \(.b | tostring)""#,
    ] {
        assert_eq!(of_property(expression), ["2:5"], "{expression}");
    }
    for expression in [
        r#"given(.title) | "[\($event.service // "?")] \(.)""#,
        r#""\(.a // empty)#\(.b // empty)""#,
        r#"if .a and .b then "[\(.a)] \(.b)" else .b end"#,
        r#"select(.a) | "\(.a): \(.b)""#,
        r#""since \(now | floor)""#,
        r#""a null value""#,
        r#""---""#,
        r#".a // "x""#,
        ".a // 0",
    ] {
        assert_eq!(of_property(expression), [""; 0], "{expression}");
    }
    // What is looked up or read is refused, and told by the event itself.
    for steps in ["map = { \"a/b\" = \"c\" }", "as = \"datetime\""] {
        let toml = format!("[properties]\np = {{ from = '\"\\(.a)/\\(.b)\"', {steps} }}\n");
        assert_eq!(warns(&unverified(&toml)), [""; 0], "{steps}");
    }
}

#[test]
fn what_fails_on_an_empty_event_is_told_as_far_as_the_function_comes_to_it() {
    let when = |when: &str| warns(&unverified(&format!("[event]\nwhen = '{when}'\n")));
    assert_eq!(
        when(r#"$headers["x-event"] | startswith("ticket.")"#),
        [
            "2:8: warning: an event that lacks the field or header fails here (cannot use null as string), so it is a failed \
          update and not filtered; write a default, such as (.type // \"\") or ($headers[\"x-event\"] // \"\"), before \
          the function that needs text"
        ]
    );
    for fails in [
        r#".type | startswith("x")"#,
        r#"$query.team | test("a")"#,
        ".items[]",
        "null, (.a | keys)",
    ] {
        assert_eq!(when(fails).len(), 1, "{fails}");
    }
    for right in
        [r#"($headers["x-event"] // "") | startswith("x")"#, ".type == 1", ".items[]?", "empty"]
    {
        assert_eq!(when(right), [""; 0], "{right}");
    }
    let all = "[event]\n@id = '.id | ascii_downcase'\ntime = '.at | fromdate'\n[task]\neach = '.tickets[]'\n\
               id = '.id'\nid_property = \"ticket\"\n";
    let found = places(&unverified(&all.replace('@', "")));
    assert_eq!(found, ["2:6: warning: an", "3:8: warning: an", "5:8: warning: an"]);
    // An empty event is filtered, and the rest is not asked.
    assert_eq!(warns(&unverified(&all.replace('@', "when = '.type == \"ticket\"'\n"))), [""; 0]);
}

#[test]
fn a_task_that_an_event_without_a_subject_makes_and_the_guard_keeps_so_is_told() {
    let toml = |verify: &str, on_missing: &str, guard: &str, subject: &str| {
        unverified(&format!(
            "[verify]\n{verify}\n[task]\nid = '.id'\nid_property = \"ticket\"\non_missing = \"{on_missing}\"\n{guard}\n\
             [properties]\n{subject}\n"
        ))
    };
    let (guard, none) = ("updated_at_property = \"seen_at\"", "scheme = \"none\"");
    let github = "scheme = \"github\"\nsecret = \"s\"";
    let found = warns(&toml(none, "create", guard, "hs_task_subject = '.title'"));
    assert_eq!(found.len(), 1);
    assert!(
        found[0].starts_with("6:14: warning: whichever event comes first makes the task, and if"),
        "{found:?}"
    );
    assert!(found[0].contains("leave `updated_at_property` out"), "{found:?}");
    for (verify, subject) in
        [(none, "a = '.a'"), (github, "hs_task_subject = 'given(.title)'"), (github, "a = '.a'")]
    {
        assert_eq!(warns(&toml(verify, "create", guard, subject)).len(), 1, "{verify} {subject}");
    }
    let asana = "scheme = \"asana\"\nsecret = \"s\"";
    assert!(
        warns(&toml(asana, "create", guard, "a = '.a'"))[0].contains("carries only what changed")
    );
    for (verify, on_missing, guard, subject) in [
        (none, "create", "", "hs_task_subject = '.title'"),
        (none, "fail", guard, "hs_task_subject = '.title'"),
        (none, "skip", guard, "hs_task_subject = '.title'"),
        (github, "create", guard, "hs_task_subject = '.issue.title'"),
        (none, "create", guard, "hs_task_subject = '.title | strings // error(\"no title\")'"),
    ] {
        assert_eq!(
            warns(&toml(verify, on_missing, guard, subject)),
            [""; 0],
            "{on_missing} {guard} {subject}"
        );
    }
}

#[test]
fn a_scheme_that_verifies_nothing_is_told() {
    let found = warnings(&[file("desk", &unverified(""))]);
    let found: Vec<_> = found.iter().map(ToString::to_string).collect();
    assert_eq!(found.len(), 1);
    assert!(
        found[0]
            .contains(": warning: `scheme` \"none\" verifies nothing: whoever knows the address"),
        "{found:?}"
    );
}

/// The warnings about a `[verify]` with these lines below its scheme, secret and header; the first
/// is line 5.
fn of_verify(scheme: &str, lines: &str) -> Vec<String> {
    warns(&unverified(&format!(
        "[verify]\nscheme = \"{scheme}\"\nsecret = \"s\"\nheader = \"Authorization\"\n{lines}\n[properties]\na = '.a'\n"
    )))
}

#[test]
fn a_prefix_that_ends_as_no_sender_ends_it_is_told() {
    let no_colon = "no colon stands after Bearer in a header, so every real delivery is 401; write \"Bearer \"";
    for (scheme, prefix, words) in [
        (
            "token",
            "Bearer",
            "has no space at its end; senders write \"Bearer SECRET\", and both are taken",
        ),
        ("token", "Token", "write \"Token \""),
        ("token", "v1", "write \"v1 \""),
        ("token", "Basic", "write `scheme = \"basic\"`"),
        ("token", "basic ", "write `scheme = \"basic\"`"),
        ("token", "Bearer: ", no_colon),
        ("token", "Token:", "no colon stands after Token"),
        ("token", " Bearer ", "begins with a space"),
        ("token", "token= ", "has a space after the `=`"),
        ("hmac", "sha256", "write it as the sender does, such as \"sha256=\""),
        ("hmac", "HMAC", "such as \"HMAC=\" or \"HMAC \""),
        ("hmac", "sha256= ", "write \"sha256=\""),
    ] {
        let found = of_verify(scheme, &format!("prefix = \"{prefix}\""));
        assert!(found.len() == 1 && found[0].starts_with("5:10: warning: "), "{prefix}: {found:?}");
        assert!(found[0].contains(words), "{prefix}: {found:?}");
    }
    for (scheme, prefix) in [
        ("token", "Bearer "),
        ("token", ""),
        ("token", "token="),
        ("token", "Token token="),
        ("hmac", "sha256="),
        ("hmac", "v1,"),
    ] {
        assert_eq!(of_verify(scheme, &format!("prefix = \"{prefix}\"")), [""; 0], "{prefix}");
    }
}

#[test]
fn a_tolerance_that_takes_nothing_or_everything_is_told() {
    for tolerance in ["0s", "0d", "999ms", "5s", "61m", "24h", "99999d"] {
        let found = of_verify("token", &format!("tolerance = \"{tolerance}\""));
        assert!(
            found.len() == 1 && found[0].starts_with("5:13: warning: "),
            "{tolerance}: {found:?}"
        );
        assert!(found[0].contains("write \"5m\""), "{tolerance}: {found:?}");
    }
    for tolerance in ["10s", "90s", "5m", "1h"] {
        assert_eq!(
            of_verify("token", &format!("tolerance = \"{tolerance}\"")),
            [""; 0],
            "{tolerance}"
        );
    }
}

#[test]
fn values_that_are_signed_with_nothing_between_are_told() {
    let rest = "id_header = \"X-Id\"\ntimestamp_header = \"X-At\"";
    for (signed, pair) in [
        ("{id}{body}.{timestamp}", "nothing parts {id} from {body}"),
        ("{timestamp}.{body}{id}", "nothing parts {body} from {id}"),
        ("{id}{timestamp}.{body}", "nothing parts {id} from {timestamp}"),
        ("{timestamp}{header:X-Region}{body}", "nothing parts {header:X-Region} from {body}"),
    ] {
        let found = of_verify("hmac", &format!("signed = \"{signed}\"\n{rest}"));
        assert!(found.len() == 1 && found[0].starts_with("5:10: warning: "), "{signed}: {found:?}");
        assert!(found[0].contains(pair), "{signed}: {found:?}");
    }
    for signed in [
        "{id}.{timestamp}.{body}",
        "{timestamp}{body}",
        "v0:{timestamp}:{body}",
        "{method}{body}{timestamp}",
    ] {
        let rest = if signed.contains("{id}") { rest } else { "timestamp_header = \"X-At\"" };
        assert_eq!(
            of_verify("hmac", &format!("signed = \"{signed}\"\n{rest}")),
            [""; 0],
            "{signed}"
        );
    }
}

#[test]
fn a_secret_of_two_sources_is_told_with_the_place_of_the_second() {
    let toml = |secret: &str| format!("[verify]\nscheme = \"github\"\nsecret = \"{secret}\"\n");
    let arn = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:taskhook/desk-AbC123";
    let warns = |secrets: [&str; 3]| {
        let files: Vec<_> = ["a", "b", "c"]
            .iter()
            .zip(secrets)
            .map(|(name, secret)| file(name, &toml(secret)))
            .collect();
        shared_secrets(&files).iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(
        warns(["taskhook/desk", "other", "taskhook/desk"]),
        [
            "sources/c.toml:3:10: warning: sources/a.toml has this secret too, so whoever may send to one of them can send to \
          the other; store one for each, or name two fields of it, such as \"taskhook/desk#field\""
        ]
    );
    assert_eq!(warns(["taskhook/desk", "taskhook/desk#a", arn]).len(), 1);
    assert_eq!(warns(["desk#a", "desk#b", "desk"]), [""; 0]);
}

#[test]
fn an_alternative_in_when_is_harmless_and_one_in_task_is_needless() {
    let toml = "[event]\nwhen = '.kind // \"\"'\nid = '.id // \"\"'\ntime = '.at'\n[task]\neach = '.each // \"\"'\n\
                id = '.id // \"\"'\ntime = '.at // \"\"'\nid_property = \"ticket\"\n";
    assert_eq!(
        places(&unverified(toml)),
        ["6:15: warning: `//", "7:11: warning: `//", "8:13: warning: `//"]
    );
    assert!(
        warns(&unverified(toml))[0]
            .ends_with("empty text is no id, no time and no ticket; leave it out")
    );
}

#[test]
fn a_guard_against_late_events_does_not_suit_events_that_carry_only_what_changed() {
    let toml = |verify: &str, guard: &str| {
        unverified(&format!(
            "[verify]\n{verify}\n[task]\nid = '.id'\nid_property = \"ticket\"\n{guard}"
        ))
    };
    let (clickup, guard) =
        ("scheme = \"clickup\"\nsecret = \"s\"", "updated_at_property = \"seen_at\"");
    assert_eq!(
        warns(&toml(clickup, guard)),
        [
            "7:23: warning: an event of clickup carries only what changed, and one that arrives late would be dropped \
             because of a newer one about another field; leave `updated_at_property` out"
        ]
    );
    for (verify, guard) in [
        (clickup, ""),
        ("scheme = \"github\"\nsecret = \"s\"", guard),
        ("scheme = \"none\"", guard),
    ] {
        assert_eq!(warns(&toml(verify, guard)), [""; 0], "{verify}");
    }
}

#[test]
fn an_id_that_an_event_without_its_fields_has_too_is_doubtful() {
    let toml = |id: &str| unverified(&format!("[task]\nid = {id}\nid_property = \"ticket\"\n"));
    assert_eq!(
        warns(&toml(r#"'"\(.repo)#\(.number)"'"#)),
        [
            "2:6: warning: an event without its fields gives the id \"null#null\", like that of a real task; write \
             `// empty` into the text, as in \"\\(.repository.full_name // empty)#\\(.number // empty)\", so that such \
             an event is a mapping error"
        ]
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
    let placeholder =
        "https://taskhooklocaltaskhooklocal000000.lambda-url.eu-central-1.on.aws/trello";
    assert_eq!(
        warns(&toml(placeholder)),
        ["4:7: warning: write the address that you registered with the sender"]
    );
    for url in ["https://desk.example/trello", "https://desk.example/taskhooklocal"] {
        assert_eq!(warns(&toml(url)), [""; 0], "{url}");
    }
}

#[test]
fn files_with_problems_have_the_warnings_that_can_be_told() {
    let broken = "[task]\nid = '.a |'\n[properties]\na = '.a // \"\"'\nb = 7\nc = '.c )'\n";
    let unreadable = SourceFile::from_bytes("x", "x", Err(std::io::Error::other("denied")));
    let found =
        warnings(&[file("broken", broken), file("no", "not TOML"), unreadable, file("empty", "")]);
    let found: Vec<_> = found.iter().map(ToString::to_string).collect();
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].starts_with("sources/broken.toml:4:9: warning: "), "{found:?}");
}
