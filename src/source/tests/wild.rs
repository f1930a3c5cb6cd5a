//! Whatever a stranger or a tired author writes, nothing panics; and numbers and texts come out as
//! they went in.

use proptest::prelude::*;

use super::super::jq::html;
use super::super::{demands, shared_secrets};
use super::{Sources, Stage, file, property, warnings};
use crate::text::cut;
use crate::time::{Written, Zone};

/// A number as its sign, its digits without needless zeros, and the power of ten of the last one.
fn normal(number: &str) -> (bool, String, i64) {
    let (mantissa, exponent) = number.split_once(['e', 'E']).unwrap_or((number, "0"));
    let mut exponent: i64 = exponent.parse().unwrap();
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    exponent -= i64::try_from(fraction.len()).unwrap();
    let mut digits =
        format!("{}{fraction}", whole.trim_start_matches('-')).trim_start_matches('0').to_owned();
    while digits.ends_with('0') {
        digits.pop();
        exponent += 1;
    }
    if digits.is_empty() { (false, digits, 0) } else { (number.starts_with('-'), digits, exponent) }
}

/// Text that is one line after another, without white space that HTML would not show.
fn shown() -> impl Strategy<Value = String> {
    let word = "[a-zA-Z0-9&<>;#äß\"'/!=.-]{1,8}";
    let line = proptest::collection::vec(word, 1..4).prop_map(|words| words.join(" "));
    let visible = line
        .prop_filter("`plain` takes a lone dash for an empty item of a list", |line| line != "-");
    proptest::collection::vec(visible, 1..4).prop_map(|lines| lines.join("\n"))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_number_is_written_as_the_exact_value_in_plain_digits(
        number in "-?(0|[1-9][0-9]{0,40})(\\.[0-9]{1,40})?([eE][+-]?([0-3]?[0-9]|40))?",
    ) {
        let written = property("'.'", &number);
        let written = written.strip_prefix("p=").unwrap();
        prop_assert_eq!(normal(written), normal(&number), "{}", written);
        let digits = written.strip_prefix('-').unwrap_or(written);
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "1"));
        prop_assert!(whole == "0" || !whole.starts_with('0'), "{}", written);
        prop_assert!(!fraction.is_empty() && !fraction.ends_with('0'), "{}", written);
        prop_assert!(digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.'), "{}", written);
    }

    #[test]
    fn html_made_of_text_shows_the_same_text(text in shown()) {
        prop_assert_eq!(html::from_html(&html::to_html(&text)), text);
    }

    #[test]
    fn no_text_makes_the_conversions_panic(text in "[<>/!a-zäp &;#\n\r\t-]{0,60}", any in any::<String>(), length in 0..70_usize) {
        for text in [text, any] {
            html::from_html(&text);
            let html = html::to_html(&text);
            prop_assert!(!html.contains(['<', '\n', '\r']) || html.contains("<br>"));
            let start = cut(&text, length);
            prop_assert!(text.starts_with(start));
            prop_assert_eq!(start.chars().count(), text.chars().count().min(length));
        }
    }

    #[test]
    fn no_text_makes_reading_a_time_panic(text in "[0-9TZ:.+ é-]{0,35}", any in any::<String>()) {
        let zone = Zone::named("Europe/Berlin").unwrap();
        for text in [text, any] {
            if let Ok(written) = Written::parse(&text, &zone) {
                let (datetime, date) = (written.time.to_string(), written.date());
                prop_assert_eq!(Written::parse(&datetime, &zone).map(|again| again.time), Ok(written.time));
                prop_assert_eq!(Written::parse(&date, &zone).map(|again| again.date()), Ok(date));
            }
        }
    }

    #[test]
    fn no_text_makes_reading_a_source_file_panic(any in any::<String>(), toml in "[a-z\\[\\]{}=.'\"\n #0-9\\\\]{0,80}") {
        for text in [any, toml] {
            let sources = Sources::read(&[file("wild", &text)]);
            let warnings = warnings(file("wild", &text));
            prop_assert!(!sources.problems().is_empty());
            for problem in sources.problems().iter().chain(warnings.iter().map(|warning| &warning.0)) {
                prop_assert!((1..=text.matches('\n').count() + 1).contains(&problem.line) && problem.column > 0);
            }
        }
    }

    #[test]
    fn an_expression_never_keeps_another_source_from_working(
        expression in "([.a-z\\[\\]{}()|,;:$@#\"\\\\ \n0-9+*/<>=?-]|if|then|else|end|def |reduce|foreach|as|try|label){0,30}",
        escapes in any::<bool>(),
    ) {
        let quoted = if escapes {
            format!("\"{}\"", expression.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n"))
        } else {
            format!("'''\n{expression}'''")
        };
        let right = "[verify]\nscheme = \"none\"\n[task]\nid = '.id'\nid_property = \"ticket\"\n[properties]\np = '.p'\n";
        let wild = format!("{right}wild = {quoted}");
        let mut stage = Stage::of(right);
        stage.sources = Sources::read(&[file("a", &wild), file("desk", right), file("z", &wild)]);
        prop_assert_eq!(stage.gives(r#"{"id": 7, "p": 8}"#), ["7: p=8"]);
        for warning in warnings(file("a", &wild)) {
            prop_assert!(warning.0.line >= 8 && warning.0.line <= wild.lines().count() + 1, "{}", warning);
        }
        let wrong = stage.sources.problems();
        prop_assert!(wrong.iter().all(|problem| problem.file != "sources/desk.toml"), "{:?}", wrong);
        for problem in wrong {
            prop_assert!(problem.line >= 8 && problem.line <= wild.lines().count() + 1, "{}", problem);
        }
    }

    #[test]
    fn no_file_however_deep_or_long_ends_the_process(
        pieces in proptest::collection::vec(
            (0..DEEP.len(), prop_oneof![1..4_usize, 90..130_usize, 5_000..20_000_usize]), 1..4,
        ),
        place in 0..PLACES.len(),
        is_closed in any::<bool>(),
    ) {
        let (mut inside, mut after) = (String::new(), String::new());
        for (piece, times) in pieces {
            let (open, close) = DEEP[piece];
            inside.push_str(&open.repeat(times));
            after.insert_str(0, &close.repeat(times));
        }
        inside.push('1');
        if is_closed {
            inside.push_str(&after);
        }
        let toml = PLACES[place].replace('@', &inside);
        let sources = Sources::read(&[file("wild", &toml)]);
        prop_assert!(sources.problems().len() <= 101);
        prop_assert!(shared_secrets(&[file("wild", &toml)]).is_empty());
        let _ = demands(&file("wild", &toml));
        warnings(file("wild", &toml));
    }
}

/// What can be nested or strung together, in expressions and in TOML, with what closes it.
const DEEP: [(&str, &str); 30] = [
    ("(", ")"),
    ("[", "]"),
    ("[[", "]]"),
    ("{a:", "}"),
    ("{a = ", "}"),
    ("\"\\(", ")\""),
    ("if ", " then 2 end"),
    ("if 1 then 2 else ", " end"),
    ("if 1 then 2 elif ", ""),
    ("def f: ", "; 1"),
    ("def f: 1; ", ""),
    ("def f: f; ", ""),
    ("- ", ""),
    ("try ", " catch 1"),
    (". as $x | ", ""),
    (". as [", "] | 1"),
    (". as {a: ", "} | 1"),
    ("label $x | ", ""),
    ("reduce ", " as $x (0; .)"),
    ("first(", ")"),
    (".a", ""),
    (".a | ", ""),
    ("1 + ", ""),
    ("1, ", ""),
    ("# ", ""),
    ("\\", ""),
    ("\n", ""),
    ("\n[", "]"),
    ("a.", ""),
    ("a = 1\n", ""),
];

const PLACES: [&str; 8] = [
    "[verify]\nscheme = \"none\"\n[task]\nid = '.id'\nid_property = \"t\"\n[properties]\np = '''\n@'''\n",
    "[event]\nwhen = '''@'''\n[task]\nid = '''@'''\nid_property = \"t\"\n[properties]\np = '.p'\n",
    "[properties]\np = \"\"\"@\"\"\"\n",
    "[properties]\np = { from = '@' }\n",
    "[verify]\nscheme = \"hmac\"\nsecret = \"s\"\nheader = \"h\"\nsigned = '''@'''\n",
    "a = @\n",
    "[@]\n",
    "@",
];
