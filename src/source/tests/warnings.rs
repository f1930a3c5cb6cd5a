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
fn an_alternative_that_clears_a_property_is_told_with_its_place() {
    assert_eq!(
        warns(&unverified("[properties]\nsubject = '.subject // \"\"'\n")),
        [
            "2:21: warning: `// \"\"` also clears the property on events that lack the field; write given(..) around the \
             path and `otherwise = \"\"` beside it, which clear only what the event has empty",
        ]
    );
    for (properties, expected) in [
        ("a = { from = '.a//\"\" | html', otherwise = \"\" }", vec!["2:17: warning: `//"]),
        ("a = { owner = \".a // \\\"\\\"\" }", vec!["2:19: warning: `//"]),
        ("a = '''\n  .a\n  // \"\"'''\nb = '.b // \"\"'", vec!["4:3: warning: `//", "5:9: warning: `//"]),
        ("[properties.a]\nfrom = '.a // \"\"'", vec!["3:12: warning: `//"]),
        ("a = '(.a // \"\") | test(\"x\")'", vec![]),
        ("a = '\"// \\\"\\\"\"'", vec![]),
        ("a = { from = '1', map = { 1 = '// \"\"' }, otherwise = '// \"\"' }", vec![]),
    ] {
        assert_eq!(places(&unverified(&format!("[properties]\n{properties}\n"))), expected, "{properties}");
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
fn files_with_problems_have_the_warnings_that_can_be_told() {
    let broken = "[task]\nid = '.a |'\n[properties]\na = '.a // \"\"'\nb = 7\nc = '.c )'\n";
    let unreadable = Err("can't be read: denied".to_owned());
    let unreadable = SourceFile { file: "x".to_owned(), name: "x".to_owned(), text: unreadable };
    let found = warnings(&[file("broken", broken), file("no", "not TOML"), unreadable, file("empty", "")]);
    let found: Vec<_> = found.iter().map(ToString::to_string).collect();
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].starts_with("sources/broken.toml:4:9: warning: "), "{found:?}");
}
