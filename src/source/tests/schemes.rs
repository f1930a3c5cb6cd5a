//! `[verify]`: every scheme, its keys, and what has to fit together.

use std::time::Duration;

use super::{Sources, file, lines, problems};
use crate::delivery::{
    Algorithm, Encoding, Hmac, Scheme, Template, TimeFormat, Timestamp, preset_names,
};
use crate::source::Proof;

const REST: &str = "\n[task]\nid = '.id'\nid_property = \"ticket\"\n[properties]\na = '.a'\n";

fn wrong(verify: &str) -> Vec<String> {
    problems(&format!("[verify]\n{verify}{REST}"))
}

fn right(verify: &str) -> (Scheme, Duration) {
    let (proof, tolerance) = proof(verify);
    (proof.unwrap().scheme, tolerance)
}

fn proof(verify: &str) -> (Option<Proof>, Duration) {
    let sources = Sources::read(&[file("desk", &format!("[verify]\n{verify}{REST}"))]);
    assert_eq!(lines(&sources), [""; 0], "{verify}");
    let source = sources.by_path.into_values().flatten().next().unwrap();
    (source.verify.proof, source.verify.tolerance.0)
}

fn hmac(verify: &str) -> Hmac {
    match right(&format!("scheme = \"hmac\"\nsecret = \"s\"\n{verify}")).0 {
        Scheme::Hmac(hmac) => *hmac,
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_named_scheme_needs_a_secret_and_nothing_else() {
    for name in preset_names() {
        let scheme = format!("scheme = \"{name}\"\n");
        let signs_url = wrong(&format!("{scheme}secret = \"s\""))
            .iter()
            .any(|problem| problem.contains("`url`"));
        let url = if signs_url { "url = \"https://x.example/desk\"\n" } else { "" };
        right(&format!("{scheme}{url}secret = \"taskhook/{name}#signing\""));
        let missing = wrong(&format!("{scheme}{url}"));
        assert_eq!(missing.len(), 1, "{missing:?}");
        assert!(missing[0].starts_with("1:1: `secret` of [verify] is missing: "), "{missing:?}");
        if !signs_url {
            let needless = wrong(&format!("{scheme}secret = \"s\"\nurl = \"https://x.example\""));
            let expected = "`url` of [verify] is not part of what is signed; leave it out";
            assert!(needless.len() == 1 && needless[0].ends_with(expected), "{name}: {needless:?}");
        }
    }
}

#[test]
fn an_unknown_scheme_is_named_with_those_that_are_known() {
    let problems = wrong("scheme = \"gitbub\"\nsecret = \"s\"");
    let expected = "2:10: there is no scheme \"gitbub\"; did you mean \"github\"?";
    assert_eq!(problems, [expected]);
    let problems = wrong("scheme = \"signed\"\nsecret = \"s\"");
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert!(
        problems[0].starts_with("2:10: there is no scheme \"signed\"; known: "),
        "{problems:?}"
    );
    for name in preset_names().chain(["hmac", "token", "basic", "none"]) {
        assert!(problems[0].contains(name), "{name}");
    }
}

#[test]
fn the_keys_of_a_scheme_that_is_missing_or_unknown_are_no_problems_of_their_own() {
    for scheme in ["", "scheme = \"hmca\"\n"] {
        let problems = wrong(&format!(
            "{scheme}header = \"x-signature\"\nalgorithm = \"sha1\"\nprefix = \"v1=\""
        ));
        let about: Vec<_> = problems
            .iter()
            .map(|problem| problem.contains("scheme") || problem.contains("secret"))
            .collect();
        assert_eq!(about, [true, true], "{problems:?}");
    }
}

#[test]
fn the_tolerance_is_five_minutes_unless_it_is_written() {
    for (line, expected) in [
        ("", Duration::from_mins(5)),
        ("tolerance = \"5m\"", Duration::from_mins(5)),
        ("tolerance = \"90s\"", Duration::from_secs(90)),
        ("tolerance = \"24h\"", Duration::from_hours(24)),
    ] {
        assert_eq!(
            right(&format!("scheme = \"zendesk\"\nsecret = \"s\"\n{line}")).1,
            expected,
            "{line}"
        );
    }
    for tolerance in ["5", "-5m", "5 m", "", "five minutes"] {
        let problems =
            wrong(&format!("scheme = \"zendesk\"\nsecret = \"s\"\ntolerance = \"{tolerance}\""));
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert!(problems[0].starts_with("4:13: `tolerance` of [verify]: "), "{problems:?}");
    }
}

#[test]
fn a_url_has_to_be_an_address() {
    for url in [
        "",
        " ",
        "trello",
        "desk.example/trello",
        "https://",
        "ftp://desk.example",
        " https://desk.example",
    ] {
        let problems = wrong(&format!("scheme = \"trello\"\nsecret = \"s\"\nurl = \"{url}\""));
        assert_eq!(problems.len(), 1, "{problems:?}");
        let start =
            format!("4:7: `url` of [verify] is {url:?}; write the address that was registered");
        assert!(problems[0].starts_with(&start), "{problems:?}");
    }
}

#[test]
fn a_token_is_taken_with_and_without_a_space_after_its_prefix_and_signed_as_senders_do() {
    for (prefix, sent, signed) in [
        ("Bearer", vec!["Bearer s3cret", "bearer s3cret", "Bearers3cret"], "Bearer s3cret"),
        ("Bearer ", vec!["Bearer s3cret", "Bearers3cret"], "Bearer s3cret"),
        ("Token token=", vec!["Token token=s3cret", "Token token= s3cret"], "Token token=s3cret"),
        ("v1", vec!["v1s3cret", "v1 s3cret"], "v1 s3cret"),
        ("", vec!["s3cret"], "s3cret"),
    ] {
        let toml = format!(
            "[verify]\nscheme = \"token\"\nsecret = \"s\"\nheader = \"X-Token\"\nprefix = \"{prefix}\"\n[properties]\na = '.a'"
        );
        for header in sent {
            let mut stage = super::Stage::with(&toml).header("x-token", header);
            assert_eq!(stage.gives(r#"{"id": 1}"#), ["1:"], "{prefix:?} {header:?}");
        }
        let mut stage = super::Stage::with(&toml);
        let scheme = stage.source().verify.proof.as_ref().unwrap().scheme.clone();
        let secret = stage.secrets[0].clone();
        scheme.sign(&mut stage.delivery, &secret).unwrap();
        assert_eq!(stage.delivery.headers["x-token"], signed, "{prefix:?}");
        for header in
            ["Bearer other", "s3cret2", "Bearer", "Bearer  s3cret", "Bearer s3cret s3cret"]
        {
            let stage = super::Stage::with(&toml).header("x-token", header);
            let verified =
                scheme.verify(&stage.delivery, &stage.secrets, stage.source().verify.tolerance);
            assert!(verified.is_err(), "{prefix:?} {header:?}");
        }
    }
}

#[test]
fn an_hmac_signs_the_body_with_sha256_in_hex_unless_it_says_otherwise() {
    let expected = Hmac {
        header: "x-signature".parse().unwrap(),
        algorithm: Algorithm::Sha256,
        encoding: Encoding::Hex,
        prefix: String::new(),
        separator: None,
        signed: Template::body(),
        timestamp: None,
        id_header: None,
        url: None,
        secret_encoding: Encoding::Raw,
        secret_prefix: String::new(),
    };
    assert_eq!(hmac("header = \"X-Signature\""), expected);
    let all = "header = \"X-Signature\"\nalgorithm = \"sha512\"\nencoding = \"base64\"\nprefix = \"v1=\"\n\
               separator = \",\"\nsigned = \"{id}.{timestamp}.{method} {url} {header:X-Region} {body}\"\n\
               timestamp_header = \"X-Time\"\nid_header = \"X-Id\"\nurl = \"https://x.example\"\n\
               secret_encoding = \"base64\"";
    let expected = Hmac {
        algorithm: Algorithm::Sha512,
        encoding: Encoding::Base64,
        prefix: "v1=".to_owned(),
        separator: Some(",".to_owned()),
        signed: Template::parse("{id}.{timestamp}.{method} {url} {header:x-region} {body}")
            .unwrap(),
        timestamp: Some(Timestamp::Header("x-time".parse().unwrap(), TimeFormat::Seconds)),
        id_header: "x-id".parse().ok(),
        url: Some("https://x.example".to_owned()),
        secret_encoding: Encoding::Base64,
        ..expected
    };
    assert_eq!(hmac(all), expected);
    assert_eq!(hmac("header = \"a\"\nalgorithm = \"sha1\"").algorithm, Algorithm::Sha1);
    assert_eq!(hmac("header = \"a\"\nid_header = \"b\"").id_header, "b".parse().ok());
}

#[test]
fn the_parts_of_an_hmac_have_to_fit_together() {
    let together = "1:1: `timestamp_header` and {timestamp} in `signed` of [verify] go together: \
                    a time that isn't signed proves nothing";
    for (lines, problem) in [
        ("", "1:1: `header` of [verify] is missing: the header with the signature"),
        ("header = \"a b\"", "4:10: \"a b\" is not the name of a header"),
        (
            "header = \"a\"\nalgorithm = \"md5\"",
            "5:13: `algorithm` of [verify] is \"md5\"; write one of \"sha1\", \"sha256\", \"sha512\"",
        ),
        (
            "header = \"a\"\nencoding = \"raw\"",
            "5:12: `encoding` of [verify] is \"raw\"; write one of \"hex\", \"base64\"",
        ),
        (
            "header = \"a\"\nsecret_encoding = \"hex\"",
            "5:19: `secret_encoding` of [verify] is \"hex\"; write one of \"raw\", \"base64\"",
        ),
        (
            "header = \"a\"\nsigned = \"{bodi}\"",
            "5:10: `signed` of [verify]: {bodi} is not one of {body}, {timestamp}, {id}, {method}, {url}, {header:NAME}",
        ),
        (
            "header = \"a\"\nsigned = \"{body\"",
            "5:10: `signed` of [verify]: a `{` is not closed by `}`",
        ),
        (
            "header = \"a\"\nsigned = \"{method}\"",
            "1:1: `signed` of [verify] lacks {body}: a signature that doesn't cover the body proves nothing",
        ),
        ("header = \"a\"\nsigned = \"{timestamp}{body}\"", together),
        ("header = \"a\"\ntimestamp_header = \"t\"", together),
        (
            "header = \"a\"\nsigned = \"{id}{body}\"",
            "1:1: {id} in `signed` of [verify] needs `id_header`: the header with the delivery id",
        ),
        (
            "header = \"a\"\nsigned = \"{url}{body}\"",
            "1:1: `url` of [verify] is missing: this sender signs the address that was registered with it; write it here",
        ),
        (
            "header = \"a\"\nurl = \"https://x.example\"",
            "5:7: `url` of [verify] is not part of what is signed; leave it out",
        ),
        (
            "header = \"a\"\nhaeder = \"b\"",
            "5:1: there is no key `haeder` in [verify]; did you mean `header`?",
        ),
    ] {
        assert_eq!(
            wrong(&format!("scheme = \"hmac\"\nsecret = \"s\"\n{lines}")),
            [problem],
            "{lines}"
        );
    }
}

#[test]
fn a_token_has_a_header_and_maybe_a_prefix() {
    let token = |prefix: &str| Scheme::Token {
        header: "x-token".parse().unwrap(),
        prefix: prefix.to_owned(),
        id_header: None,
    };
    assert_eq!(right("scheme = \"token\"\nsecret = \"s\"\nheader = \"X-Token\"").0, token(""));
    assert_eq!(
        right("scheme = \"token\"\nsecret = \"s\"\nheader = \"X-Token\"\nprefix = \"Bearer \"").0,
        token("Bearer ")
    );
    assert_eq!(
        wrong("scheme = \"token\"\nsecret = \"s\"\nprefix = \"Bearer \""),
        ["1:1: `header` of [verify] is missing: the header with the secret"]
    );
    let unknown = wrong("scheme = \"token\"\nsecret = \"s\"\nheader = \"a\"\nalgorithm = \"sha1\"");
    assert!(
        unknown.len() == 1
            && unknown[0].starts_with("5:1: there is no key `algorithm` in [verify]; "),
        "{unknown:?}"
    );
}

#[test]
fn basic_and_none_take_no_header_and_none_takes_no_secret() {
    assert_eq!(right("scheme = \"basic\"\nsecret = \"s\"").0, Scheme::Basic);
    assert!(proof("scheme = \"none\"").0.is_none());
    for verify in [
        "scheme = \"basic\"\nsecret = \"s\"\nheader = \"a\"",
        "scheme = \"none\"\nsecret = \"s\"",
        "scheme = \"none\"\nheader = \"a\"",
    ] {
        let problems = wrong(verify);
        assert!(problems.len() == 1 && problems[0].contains("there is no key"), "{problems:?}");
    }
}

#[test]
fn nothing_but_the_word_none_turns_verification_off() {
    for verify in ["", "scheme = \"\"", "scheme = \"None\"", "scheme = false"] {
        assert!(
            wrong(&format!("{verify}\nsecret = \"s\""))
                .iter()
                .any(|problem| problem.contains("scheme")),
            "{verify}"
        );
    }
}

#[test]
fn a_secret_is_a_name_or_an_arn_with_a_field() {
    for secret in [
        "taskhook/zendesk",
        "taskhook/zendesk#signing",
        "arn:aws:secretsmanager:eu-central-1:123456789012:secret:taskhook/zendesk-AbCdEf#a b",
    ] {
        right(&format!("scheme = \"github\"\nsecret = \"{secret}\""));
    }
    for secret in ["", "#field", "a b", "name#", "ä"] {
        let problems = wrong(&format!("scheme = \"github\"\nsecret = \"{secret}\""));
        assert!(
            problems.len() == 1 && problems[0].starts_with("3:10: `secret` of [verify]: "),
            "{problems:?}"
        );
    }
}
