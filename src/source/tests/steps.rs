//! From or owner, then map, then as or the look-up.

use super::{Stage, property};

fn of(step: &str, value: &str) -> String {
    property(step, &format!(r#"{{"v": {value}}}"#))
}

#[test]
fn a_map_compares_exactly_and_then_without_case_and_outer_space() {
    let step = "{ from = '.v', map = { open = \"exact\", OPEN = \"capitals\", \" Im Büro \" = \"office\", 7 = \"seven\", true = \"yes\", \"\" = \"empty\" } }";
    for (value, expected) in [
        (r#""open""#, "p=exact"),
        (r#""OPEN""#, "p=capitals"),
        (r#""Open""#, "p=exact"),
        (r#""  oPEN\n""#, "p=exact"),
        (r#""IM BÜRO""#, "p=office"),
        ("7", "p=seven"),
        ("7.0", "p=seven"),
        ("true", "p=yes"),
        (r#""""#, "p=empty"),
        ("[]", "p=empty"),
    ] {
        assert_eq!(of(step, value), expected, "{value}");
    }
}

#[test]
fn otherwise_and_unmapped_decide_about_a_value_that_the_map_does_not_know() {
    let fails = "1 failed: p: \"P9\" is not in its map (P1, P2)";
    for (options, expected) in [
        ("", fails),
        (", unmapped = \"fail\"", fails),
        (", unmapped = \"skip\"", ""),
        (", otherwise = \"NONE\"", "p=NONE"),
        (", otherwise = \"\"", "p="),
        (", otherwise = \"NONE\", unmapped = \"fail\"", fails),
        (", otherwise = \"NONE\", unmapped = \"skip\"", ""),
    ] {
        let step = format!("{{ from = '.v', map = {{ P1 = \"HIGH\", P2 = \"LOW\" }}{options} }}");
        assert_eq!(of(&step, r#""P9""#), expected, "{step}");
        assert_eq!(of(&step, r#""p1""#), "p=HIGH", "{step}");
    }
}

#[test]
fn otherwise_and_unmapped_travel_with_an_owner_to_the_look_up() {
    for (options, expected) in [
        ("", "p=<ada@example.com or fail>"),
        (", unmapped = \"fail\"", "p=<ada@example.com or fail>"),
        (", unmapped = \"skip\"", "p=<ada@example.com or skip>"),
        (", otherwise = \"11\"", "p=<ada@example.com or \"11\">"),
        (", otherwise = \"\"", "p=<ada@example.com or \"\">"),
        (", otherwise = \"\", unmapped = \"skip\"", "p=<ada@example.com or skip>"),
        (", otherwise = \"\", unmapped = \"fail\"", "p=<ada@example.com or fail>"),
    ] {
        assert_eq!(
            of(&format!("{{ owner = '.v'{options} }}"), r#"" ada@example.com ""#),
            expected,
            "{options}"
        );
    }
}

#[test]
fn a_map_stands_before_as_and_before_the_look_up() {
    let step = "{ from = '.v', map = { today = \"2026-03-05\", never = \"\", odd = \"?\" }, as = \"datetime\" }";
    assert_eq!(of(step, r#""today""#), "p=2026-03-05T00:00:00.000Z");
    assert_eq!(of(step, r#""never""#), "p=");
    assert_eq!(of(step, r#""odd""#), "1 failed: p: \"?\" is not a time");
    let step =
        "{ owner = '.v', map = { ada = \"ada@example.com\", nobody = \"\" }, otherwise = \"11\" }";
    assert_eq!(of(step, r#""Ada""#), "p=<ada@example.com or \"11\">");
    assert_eq!(of(step, r#""nobody""#), "p=");
    assert_eq!(of(step, r#""bob""#), "p=11");
}

#[test]
fn otherwise_is_written_as_it_stands() {
    assert_eq!(
        of("{ from = '.v', as = \"date\", otherwise = \"not a date\" }", "null"),
        "p=not a date"
    );
    assert_eq!(of("{ from = '.v', map = { O = \"mapped\" }, otherwise = \"O\" }", "null"), "p=O");
    assert_eq!(of("{ owner = '.v', otherwise = \"O\" }", "null"), "p=O");
}

#[test]
fn a_time_that_cannot_be_read_fails_whatever_otherwise_says() {
    let step = "{ from = '.v', as = \"date\", otherwise = \"\" }";
    assert_eq!(of(step, r#""soon""#), "1 failed: p: \"soon\" is not a time");
}

#[test]
fn a_time_that_cannot_be_read_is_skipped_where_the_file_says_so() {
    for form in ["date", "datetime"] {
        let step =
            format!("{{ from = '.v', as = \"{form}\", otherwise = \"\", unmapped = \"skip\" }}");
        assert_eq!(of(&step, r#""soon""#), "");
        assert_eq!(of(&step, "null"), "p=");
        let step = step.replace("skip", "fail");
        assert_eq!(of(&step, r#""soon""#), "1 failed: p: \"soon\" is not a time");
    }
}

#[test]
fn a_date_without_a_time_is_at_the_hour_that_the_file_says() {
    let toml = "zone = \"America/New_York\"\n[properties]\n\
                p = { from = 'given(.v)', as = \"datetime\", at = \"17:00\", otherwise = \"\" }";
    for (json, expected) in [
        (r#""2026-07-05""#, "1: p=2026-07-05T21:00:00.000Z"),
        (r#""2026-12-05""#, "1: p=2026-12-05T22:00:00.000Z"),
        (r#""2026-07-05T00:00""#, "1: p=2026-07-05T04:00:00.000Z"),
        (r#""2026-07-05T10:00:00Z""#, "1: p=2026-07-05T10:00:00.000Z"),
        ("1772712000", "1: p=2026-03-05T12:00:00.000Z"),
        ("null", "1: p="),
    ] {
        assert_eq!(
            Stage::with(toml).gives(&format!(r#"{{"id": 1, "v": {json}}}"#)),
            [expected],
            "{json}"
        );
    }
}
