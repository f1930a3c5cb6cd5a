//! Values, nothing, and the functions.

use super::{Stage, property};

#[test]
fn a_value_is_text_a_number_a_boolean_or_a_list_of_these() {
    for (json, expected) in [
        (r#""a b""#, "p=a b"),
        (r#"" a\n b ""#, "p= a\n b "),
        ("true", "p=true"),
        ("false", "p=false"),
        ("0", "p=0"),
        ("-0", "p=0"),
        ("5.0", "p=5"),
        ("-12.50", "p=-12.5"),
        ("1E+2", "p=100"),
        ("12345678901234567890.10", "p=12345678901234567890.1"),
        ("9007199254740993", "p=9007199254740993"),
        ("0.1000000000000000055511151231257827", "p=0.1000000000000000055511151231257827"),
        ("1e-7", "p=0.0000001"),
        ("[]", "p="),
        ("[null]", "p="),
        (r#"["a", null, 1.0, true]"#, "p=a;1;true"),
    ] {
        assert_eq!(
            property("'.v'", &format!(r#"{{"v": {json}}}"#)).trim_end(),
            expected.trim_end(),
            "{json}"
        );
    }
}

#[test]
fn a_number_is_exact_however_long_it_is() {
    for digits in [400, 401, 500] {
        let (whole, fraction) = ("7".repeat(digits), "3".repeat(digits));
        for number in [whole.clone(), format!("{whole}.{fraction}"), format!("-0.{fraction}")] {
            assert_eq!(property("'.'", &number), format!("p={number}"));
        }
    }
}

#[test]
fn anything_else_is_a_mapping_error() {
    for (expression, detail) in [
        (
            "{}",
            "it gives an object, but a property takes text, a number, true or false, or a list of these",
        ),
        (
            "[[1]]",
            "it gives an array, but a property takes text, a number, true or false, or a list of these",
        ),
        (
            "[{}]",
            "it gives an object, but a property takes text, a number, true or false, or a list of these",
        ),
        ("1, 2", "it has more than one output"),
        ("null, null", "it has more than one output"),
        ("error(\"no\")", "\"no\""),
        ("1, error(\"no\")", "it has more than one output"),
        ("nan", "it gives NaN, which can't be written as a decimal number"),
        ("infinite", "it gives Infinity, which can't be written as a decimal number"),
    ] {
        assert_eq!(
            property(&format!("'{expression}'"), "{}"),
            format!("1 failed: p: {detail}"),
            "{expression}"
        );
    }
}

#[test]
fn text_that_jq_decodes_is_text() {
    assert_eq!(property("'.v | @base64d'", r#"{"v": "w6Q="}"#), "p=ä");
    assert_eq!(
        property("'.v | @base64d'", r#"{"v": "/w=="}"#),
        "1 failed: p: it gives text that is not UTF-8"
    );
    assert_eq!(property("'[.v | @base64d]'", r#"{"v": "w6Q="}"#), "p=ä");
}

#[test]
fn all_mapping_errors_of_an_update_are_reported_together() {
    let mut stage = Stage::with(
        "[task]\nid = '.id'\nid_property = \"ticket\"\ntime = '.at'\n[properties]\na = '{}'\nb = '\"fine\"'\n\
         c = { from = '.c', map = { x = \"1\" } }\nd = { from = '.d', as = \"date\" }",
    );
    let problems = "[task] time: \"soon\" is not a time; a: it gives an object, but a property takes text, a number, \
                    true or false, or a list of these; c: \"y\" is not in its map (x); d: \"late\" is not a time";
    let body = |id: &str| format!(r#"{{"id": {id}, "at": "soon", "c": "y", "d": "late"}}"#);
    assert_eq!(stage.gives(&body("7")), [format!("7 failed: {problems}")]);
    assert_eq!(
        stage.gives(&body("\"\"")),
        [format!("null failed: [task] id: it gives empty text; {problems}")]
    );
}

#[test]
fn no_output_and_null_leave_a_property_alone_and_empty_text_clears_it() {
    for (step, on_nothing, on_null, on_empty) in [
        ("'given(.v)'", "", "", "p="),
        ("{ from = 'given(.v)' }", "", "", "p="),
        ("{ from = 'given(.v)', otherwise = \"O\" }", "", "p=O", "p=O"),
        ("{ from = 'given(.v)', otherwise = \"\" }", "", "p=", "p="),
        ("{ from = 'given(.v)', as = \"date\" }", "", "", "p="),
        ("{ from = 'given(.v)', as = \"date\", otherwise = \"O\" }", "", "p=O", "p=O"),
        ("{ from = 'given(.v)', map = { a = \"A\" } }", "", "", "p="),
        ("{ from = 'given(.v)', map = { a = \"A\" }, otherwise = \"O\" }", "", "p=O", "p=O"),
        ("{ from = 'given(.v)', map = { \"\" = \"E\" }, otherwise = \"O\" }", "", "p=O", "p=E"),
        ("{ from = 'given(.v)', map = { \"\" = \"E\" } }", "", "", "p=E"),
        ("{ from = 'given(.v)', map = { a = \"A\" }, unmapped = \"skip\" }", "", "", "p="),
        (
            "{ from = 'given(.v)', map = { a = \"A\" }, unmapped = \"skip\", otherwise = \"O\" }",
            "",
            "p=O",
            "p=O",
        ),
        ("{ owner = 'given(.v)' }", "", "", "p="),
        ("{ owner = 'given(.v)', otherwise = \"O\" }", "", "p=O", "p=O"),
    ] {
        assert_eq!(property(step, "{}"), on_nothing, "{step}, nothing");
        assert_eq!(property(step, r#"{"v": null}"#), on_null, "{step}, null");
        assert_eq!(property(step, r#"{"v": ""}"#), on_empty, "{step}, empty");
    }
}

#[test]
fn an_empty_list_counts_as_empty_text() {
    assert_eq!(property("{ from = '.v', otherwise = \"none\" }", r#"{"v": []}"#), "p=none");
    assert_eq!(property("'.v'", r#"{"v": []}"#), "p=");
}

#[test]
fn properties_are_written_in_the_order_of_the_file() {
    let mut stage = Stage::with(
        "[properties]\nzebra = '1'\napple = { from = '2' }\nmango = '3'\n\
         [properties.cherry]\nfrom = '4'\n[properties.banana]\nfrom = '.v'\n[properties.banana.map]\nx = \"5\"",
    );
    assert_eq!(
        stage.gives(r#"{"id": 7, "v": "X"}"#),
        ["7: zebra=1 apple=2 mango=3 cherry=4 banana=5"]
    );
}

#[test]
fn an_update_without_properties_is_still_an_update() {
    assert_eq!(Stage::with("").gives(r#"{"id": 7}"#), ["7:"]);
}

#[test]
fn given_tells_null_from_what_is_not_there() {
    for (path, body, expected) in [
        (".a.b", r#"{"a": {"b": "x"}}"#, "p=x"),
        (".a.b", r#"{"a": {"b": null}}"#, "p=O"),
        (".a.b", r#"{"a": null}"#, "p=O"),
        (".a.b.c.d", r#"{"a": null}"#, "p=O"),
        (".a.b", r#"{"a": {}}"#, ""),
        (".a.b", "{}", ""),
        (".a.b", "null", "p=O"),
        (".a[0].b", r#"{"a": []}"#, ""),
        (".a[0].b", r#"{"a": [null]}"#, "p=O"),
        (".a[-1]", r#"{"a": ["x", "y"]}"#, "p=y"),
        (".a[\"b c\"]", r#"{"a": {"b c": 1}}"#, "p=1"),
        (".a[]?", "{}", ""),
        (".a.b | ascii_upcase", r#"{"a": {"b": "x"}}"#, "error"),
    ] {
        let result = property(&format!("{{ from = 'given({path})', otherwise = \"O\" }}"), body);
        if expected == "error" {
            assert!(result.starts_with("1 failed: p: "), "{path}: {result}");
        } else {
            assert_eq!(result, expected, "given({path}) of {body}");
        }
    }
}

#[test]
fn functions_turn_text_and_html_into_each_other() {
    for (expression, json, expected) in [
        (".v | html", r#""a < b\nc & \"d\"""#, "p=a &lt; b<br>c &amp; \"d\""),
        (".v | html | plain", r#""a < b\nc & d""#, "p=a < b\nc & d"),
        (
            ".v | plain",
            r#""<p>Hi&nbsp;<b>you</b>,</p><ul><li>one<li>two</ul>""#,
            "p=Hi\u{a0}you,\n- one\n- two",
        ),
        (".v | plain", r#""no tags, 1 < 2""#, "p=no tags, 1 < 2"),
        (".v | cut(3)", r#""äöüß""#, "p=äöü"),
        (".v | cut(0)", r#""a""#, "p="),
        (".v | cut(60000) | html", r#""a""#, "p=a"),
        (".v | html, cut(1) | tostring | select(. == \"x\")", "7", ""),
        (".v | html", "7", "p=7"),
        (".v | cut(1)", "77", "p=77"),
        (".v | html | cut(1)", "null", ""),
        (".v | cut(1)", r#"["ab"]"#, "p=ab"),
        (".v | IN(\"a\", \"b\")", r#""b""#, "p=true"),
        (".v | IN(\"a\", \"b\")", r#""c""#, "p=false"),
        (".v | IN(1, 2)", "2.0", "p=true"),
    ] {
        assert_eq!(
            property(&format!("'{expression}'"), &format!(r#"{{"v": {json}}}"#)),
            expected,
            "{expression} {json}"
        );
    }
}

#[test]
fn rich_text_of_atlassian_becomes_text() {
    let document = r#"{"type": "doc", "version": 1, "content": [
        {"type": "heading", "attrs": {"level": 2}, "content": [{"type": "text", "text": "Title"}]},
        {"type": "paragraph", "content": [
            {"type": "text", "text": "Ask "},
            {"type": "mention", "attrs": {"id": "1", "text": "@ada"}},
            {"type": "hardBreak"},
            {"type": "text", "text": "a < b", "marks": [{"type": "strong"}]}]},
        {"type": "bulletList", "content": [
            {"type": "listItem", "content": [
                {"type": "paragraph", "content": [{"type": "text", "text": "one"}]}]},
            {"type": "listItem", "content": [
                {"type": "paragraph", "content": [{"type": "inlineCard", "attrs": {"url": "https://x.example"}}]}]}]},
        {"type": "unknown", "content": 7}]}"#;
    assert_eq!(
        property("'plain'", document),
        "p=Title\nAsk @ada\na < b\n- one\n- https://x.example"
    );
    assert_eq!(property("'plain'", r#"{"type": "doc", "content": []}"#), "p=");
}

/// What each of these nodes reads like, between two paragraphs.
#[test]
fn dates_code_and_tables_of_rich_text_read_as_typed() {
    let paragraph = |text: &str| {
        format!(r#"{{"type": "paragraph", "content": [{{"type": "text", "text": "{text}"}}]}}"#)
    };
    let cell = |content: &str| format!(r#"{{"type": "tableCell", "content": [{content}]}}"#);
    let row =
        |cells: &[String]| format!(r#"{{"type": "tableRow", "content": [{}]}}"#, cells.join(","));
    let item = |content: &str| format!(r#"{{"type": "listItem", "content": [{content}]}}"#);
    let date = |timestamp: &str| {
        format!(
            r#"{{"type": "paragraph", "content": [{{"type": "date", "attrs": {{"timestamp": {timestamp}}}}}]}}"#
        )
    };
    let code = |text: &str| {
        format!(r#"{{"type": "codeBlock", "content": [{{"type": "text", "text": "{text}"}}]}}"#)
    };
    let list = format!(
        r#"{{"type": "bulletList", "content": [{}]}}"#,
        item(&(paragraph("one") + "," + &code("  x")))
    );
    let empty_row = row(&[cell(""), cell(&paragraph(""))]);
    for (node, expected) in [
        (date("\"1796342400000\""), "2026-12-04"),
        (date("1796342400000"), "2026-12-04"),
        (date("\"-86400000\""), "1969-12-31"),
        (date("\"0\""), "1970-01-01"),
        (date("\"soon\""), "soon"),
        (code("{\\n  \\\"a\\\": 1,\\n\\n\\tb\\n}\\n"), "{\n  \"a\": 1,\n\n\tb\n}"),
        (code("-"), "-"),
        (row(&[cell(&paragraph("A-1")), cell(&paragraph("9.90"))]), "A-1 | 9.90"),
        (row(&[cell(&(paragraph("A") + "," + &paragraph("B"))), cell(""), cell(&list)]), "A B |  | - one x"),
        (empty_row, ""),
        (list.clone(), "- one\n  x"),
        (r#"{"type": "taskItem", "content": [{"type": "text", "text": "call"}]}"#.to_owned(), "- call"),
        (r#"{"type": "rule"}"#.to_owned(), ""),
        (r#"{"type": "expand", "attrs": {"title": "More"}, "content": []}"#.to_owned(), "More"),
        (r#"{"type": "paragraph", "content": [{"type": "status", "attrs": {"text": "URGENT"}}]}"#.to_owned(), "URGENT"),
        (r#"{"type": "text", "text": 7}"#.to_owned(), "7"),
        ("7".to_owned(), ""),
    ] {
        let document =
            format!(r#"{{"type": "doc", "content": [{}, {node}, {}]}}"#, paragraph("before"), paragraph("after"));
        let inner = if expected.is_empty() { String::new() } else { format!("{expected}\n") };
        assert_eq!(property("'plain'", &document), format!("p=before\n{inner}after"), "{node}");
    }
}

#[test]
fn no_property_is_longer_than_hubspot_takes() {
    let xml = format!(r#"{{"v": "{}"}}"#, "<b>1</b>\\n".repeat(2800));
    let html = property("'.v | cut(60000) | html'", &xml);
    let html = html.strip_prefix("p=").unwrap();
    assert!(html.len() <= 65_536 && html.len() > 65_500, "{}", html.len());
    let start = "&lt;b&gt;1&lt;/b&gt;<br>".repeat(2800);
    assert!(start.starts_with(html));
    assert!(html.rfind('&') < html.rfind(';') && html.rfind('<') < html.rfind('>'), "{html}");
    for (unit, most) in [("a", 65_536), ("ä", 65_536), ("😀", 32_768)] {
        let of =
            |length: usize| property("'.v'", &format!(r#"{{"v": "{}"}}"#, unit.repeat(length)));
        assert_eq!(of(most), format!("p={}", unit.repeat(most)), "{unit}");
        assert_eq!(
            of(most + 1),
            "1 failed: p: it gives text of more than 65536 characters, which is more than a property holds: cut(60000), say"
        );
    }
}

#[test]
fn no_id_has_more_than_1000_characters() {
    let stage = |lines: &str| Stage::with(&format!("{lines}\n[properties]\np = '\"x\"'"));
    let body = |length: usize| format!(r#"{{"id": "{}"}}"#, "7".repeat(length));
    let mut task = stage("");
    assert_eq!(task.gives(&body(1000)).concat(), format!("{}: p=x", "7".repeat(1000)));
    assert_eq!(
        task.gives(&body(1001)).concat(),
        "null failed: [task] id: it gives an id of more than 1000 characters"
    );
    let mut event = stage("[event]\nid = '.id'\n[task]\nid = '1'\nid_property = \"ticket\"");
    assert_eq!(
        event.gives(&body(1001)).concat(),
        "null failed: [event] id: it gives an id of more than 1000 characters"
    );
}
