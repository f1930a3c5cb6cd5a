//! `hmac`, `token`, `basic`, and what else is no preset's own.

use http::{HeaderName, HeaderValue};

use super::super::presets::preset_names;
use super::super::{
    Algorithm, Encoding, Format, Hmac, NotRead, Refused, Scheme, Template, TimeFormat, Timestamp,
    Unreadable, Verified,
};
use super::{SECRET, TOLERANCE, delivery, named, take};

/// `scheme = "hmac"` with nothing but a header, to be changed by a test.
fn generic() -> Hmac {
    Hmac {
        header: HeaderName::from_static("x-signature"),
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
    }
}

fn believes(hmac: Hmac, headers: &[(&str, &str)], secret: &str) -> Result<(), Refused> {
    take(&Scheme::Hmac(Box::new(hmac)), &delivery(headers, r#"{"ticket":{"id":7}}"#), &[secret])
}

#[test]
fn an_hmac_can_be_sha1_or_sha512_in_hex_or_base64_over_any_template() {
    let sha512_hex = "b73d3a0f7f8655ef9852a7dae41bce03f206e2c7271f1c46bb6ba084c7fe6fc2\
                      0b903d28a5534c20a7ed1ed81bf8373dae8806468d21f20c23fcd4f50cd77eb1";
    let sha512_base64 =
        "tz06D3+GVe+YUqfa5BvOA/IG4scnHxxGu2ughMf+b8ILkD0opVNMIKftHtgb+Dc9rogGRo0h8gwj/NT1DNd+sQ==";
    for (algorithm, encoding, signature) in [
        (Algorithm::Sha1, Encoding::Hex, "f7a35143c64966824045070032afc8d9bc5a03b7"),
        (Algorithm::Sha1, Encoding::Base64, "96NRQ8ZJZoJARQcAMq/I2bxaA7c="),
        (Algorithm::Sha512, Encoding::Hex, sha512_hex),
        (Algorithm::Sha512, Encoding::Base64, sha512_base64),
    ] {
        let hmac = || Hmac { algorithm, encoding, ..generic() };
        assert_eq!(
            believes(hmac(), &[("x-signature", signature)], SECRET),
            Ok(()),
            "{algorithm:?} {encoding:?}"
        );
        let sha256 = Hmac { algorithm: Algorithm::Sha256, ..hmac() };
        assert_eq!(
            believes(sha256, &[("x-signature", signature)], SECRET),
            Err(Refused::Mismatch),
            "{algorithm:?}"
        );
    }
    let hmac = || Hmac {
        signed: Template::parse("{method} {url} {header:X-Region} {body}").unwrap(),
        url: Some("https://hooks.example/tickets?x=1".to_owned()),
        secret_encoding: Encoding::Base64,
        ..generic()
    };
    let signature =
        ("x-signature", "57dd7b21d698d8ce948f39c8d205b88b1dff6bfe99462438fb65040510ceba2e");
    let secret = "Y29ycmVjdCBob3JzZSBiYXR0ZXJ5";
    assert_eq!(believes(hmac(), &[signature, ("x-region", "eu-1")], secret), Ok(()));
    assert_eq!(
        believes(hmac(), &[signature, ("x-region", "eu-2")], secret),
        Err(Refused::Mismatch)
    );
    assert_eq!(
        believes(hmac(), &[signature], secret),
        Err(Refused::Missing("x-region".to_owned()))
    );
    let twice = [signature, ("x-region", "eu-1"), ("x-region", "eu-2")];
    assert_eq!(believes(hmac(), &twice, secret), Err(Refused::Repeated("x-region".to_owned())));
    let other_url = Hmac { url: Some("https://hooks.example/other".to_owned()), ..hmac() };
    assert_eq!(
        believes(other_url, &[signature, ("x-region", "eu-1")], secret),
        Err(Refused::Mismatch)
    );
}

#[test]
fn a_token_is_compared_as_a_whole_after_its_prefix() {
    let scheme = Scheme::Token {
        header: HeaderName::from_static("authorization"),
        prefix: "Bearer ".to_owned(),
        id_header: None,
    };
    for (value, right) in [
        ("Bearer s3cret", true),
        ("bearer s3cret", true),
        ("Bearer s3cre", false),
        ("Bearer s3crets", false),
        ("Bearer S3CRET", false),
        ("Bearer  s3cret", false),
        ("Bearer", false),
        ("Bearer ", false),
        ("s3cret", false),
        ("Basic s3cret", false),
        ("", false),
    ] {
        assert_eq!(
            take(&scheme, &delivery(&[("authorization", value)], "{}"), &["other", "s3cret"])
                .is_ok(),
            right,
            "{value}"
        );
    }
    assert_eq!(
        take(&scheme, &delivery(&[], "{}"), &["s3cret"]),
        Err(Refused::Missing("authorization".to_owned()))
    );
    let twice = [("authorization", "Bearer s3cret"), ("authorization", "Bearer s3cret")];
    assert_eq!(
        take(&scheme, &delivery(&twice, "{}"), &["s3cret"]),
        Err(Refused::Repeated("authorization".to_owned()))
    );
}

#[test]
fn basic_authentication_is_the_user_and_the_password() {
    for (value, right) in [
        ("Basic dXNlcjpwYXNz", true),
        ("basic dXNlcjpwYXNz", true),
        ("Basic dXNlcjpwYXNz=", false),
        ("Basic dXNlcjpwYXM=", false),
        ("Basic user:pass", false),
        ("Basic", false),
        ("Basic ", false),
        ("Bearer dXNlcjpwYXNz", false),
        ("dXNlcjpwYXNz", false),
        ("", false),
    ] {
        let delivery = delivery(&[("authorization", value)], "{}");
        assert_eq!(take(&Scheme::Basic, &delivery, &["user:pass"]).is_ok(), right, "{value}");
    }
    assert!(take(&Scheme::Basic, &delivery(&[], "{}"), &["user:pass"]).is_err());
}

#[test]
fn a_secret_that_protects_nothing_is_called_unusable() {
    let base64 = named("standard-webhooks");
    for (scheme, secret, usable) in [
        (&base64, "whsec_AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcY", true),
        (&base64, "AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcY", true),
        (&base64, "whsec_not base64", false),
        (&base64, "whsec_", false),
        (&named("github"), "anything", true),
        (&named("github"), "", false),
        (&Scheme::Basic, "user:pass", true),
        (&Scheme::Basic, "user", false),
    ] {
        assert_eq!(scheme.check_secret(&secret.to_owned().into()).is_ok(), usable, "{secret}");
    }
}

#[test]
fn no_header_that_a_scheme_names_for_its_signature_is_shown() {
    let mut all = delivery(&[], "{}");
    for name in preset_names() {
        let header = named(name).header().parse::<HeaderName>().unwrap();
        all.headers.insert(header, HeaderValue::from_static("x"));
    }
    assert!(!all.headers.is_empty());
    let verified = Verified::without_proof(&all);
    assert_eq!(verified.headers(), []);
}

#[test]
fn a_body_that_cannot_be_read_is_told_from_one_that_is_refused() {
    let read = |format: Format, body: &[u8]| {
        let delivery = delivery(&[], body.to_vec());
        let verified = Verified::without_proof(&delivery);
        verified.read(format, TOLERANCE).map(|json| json.as_str().to_owned())
    };
    let (json, form) = (Format::Json, Format::JsonOrForm);
    for format in [json, form] {
        assert_eq!(read(format, b""), Err(NotRead::Unreadable(Unreadable::Empty)));
        assert_eq!(
            read(format, "\u{feff} \n".as_bytes()),
            Err(NotRead::Unreadable(Unreadable::Empty))
        );
        assert_eq!(read(format, b"\xff"), Err(NotRead::Unreadable(Unreadable::NotUtf8)));
        assert!(matches!(
            read(format, b"{payload=1}"),
            Err(NotRead::Unreadable(Unreadable::NotJson(_)))
        ));
        assert_eq!(read(format, "\u{feff}\n [1]".as_bytes()).as_deref(), Ok("[1]"));
    }
    assert!(matches!(read(json, b"a=1"), Err(NotRead::Unreadable(Unreadable::NotJson(_)))));
    assert!(matches!(read(form, b"payload=%7B"), Err(NotRead::Unreadable(Unreadable::NotJson(_)))));
    let deep = format!("payload={}{}", "[".repeat(129), "]".repeat(129));
    assert_eq!(read(form, deep.as_bytes()), Err(NotRead::Unreadable(Unreadable::TooDeep)));
    assert_eq!(read(form, b"a=1").as_deref(), Ok(r#"{"a":"1"}"#));
}

#[test]
fn a_part_cannot_hold_what_ends_it() {
    let signed = |template: &str, headers: &[(&str, &str)], body: &str, message: &str| {
        let hmac = Hmac {
            signed: Template::parse(template).unwrap(),
            timestamp: template
                .contains("{timestamp}")
                .then(|| Timestamp::Header(HeaderName::from_static("x-time"), TimeFormat::Seconds)),
            id_header: Some(HeaderName::from_static("x-id")),
            ..generic()
        };
        let signature =
            hex::encode(super::hmac(Algorithm::Sha256, SECRET.as_bytes(), message.as_bytes()));
        let headers = [headers, &[("x-signature", signature.as_str())]].concat();
        take(&Scheme::Hmac(Box::new(hmac)), &delivery(&headers, body.to_owned()), &[SECRET])
    };
    let refused = |name: &str| Err(Refused::Ambiguous(name.to_owned()));
    let time = "1772711940";
    // The bytes of an older delivery, cut where its author wrote a time and brackets.
    let old = format!(r#"m1.1764000000.{{"type": "x.{time}.[1, 2]"#);
    let id = r#"m1.1764000000.{"type": "x"#;
    assert_eq!(
        signed("{id}.{timestamp}.{body}", &[("x-id", id), ("x-time", time)], "[1, 2]", &old),
        refused("id")
    );
    let right = format!("m1.{time}.[1]");
    assert_eq!(
        signed("{id}.{timestamp}.{body}", &[("x-id", "m1"), ("x-time", time)], "[1]", &right),
        Ok(())
    );
    // A time may have a fraction, or colons, before the body alone.
    for (template, time, message) in [
        ("{timestamp}.{body}", "1772711940.5", "1772711940.5.[1]"),
        ("{timestamp}:{body}", "2026-03-05T12:00:00Z", "2026-03-05T12:00:00Z:[1]"),
    ] {
        assert_eq!(signed(template, &[("x-time", time)], "[1]", message), Ok(()), "{template}");
    }
    let headers = [("x-id", "7"), ("x-time", "1772711940.5")];
    assert_eq!(
        signed("{timestamp}.{id}.{body}", &headers, "[1]", "1772711940.5.7.[1]"),
        refused("timestamp")
    );
    // Any other header, and what together with the text makes the text.
    assert_eq!(
        signed("{header:x-app}|{body}", &[("x-app", "a|b")], "[1]", "a|b|[1]"),
        refused("x-app")
    );
    assert_eq!(signed("{id}--{body}", &[("x-id", "a-")], "[1]", "a---[1]"), refused("id"));
    assert_eq!(signed("{id}--{body}", &[("x-id", "a-b")], "[1]", "a-b--[1]"), Ok(()));
    // Without text between, JSON shows where it begins.
    assert_eq!(signed("{id}{body}", &[("x-id", "m1[1,")], "[2]", "m1[1,[2]"), refused("id"));
    assert_eq!(signed("{id}{body}", &[("x-id", "m1")], "[2]", "m1[2]"), Ok(()));
}

#[test]
fn a_secret_that_ends_in_a_line_break_is_accepted_with_and_without_it() {
    let body = r#"{"ticket":{"id":7}}"#;
    for (stored, used) in [
        ("s3cret\n", "s3cret"),
        ("s3cret\n", "s3cret\n"),
        ("s3cret\r\n", "s3cret"),
        (" s3cret", " s3cret"),
    ] {
        let signature =
            hex::encode(super::hmac(Algorithm::Sha256, used.as_bytes(), body.as_bytes()));
        assert_eq!(
            believes(generic(), &[("x-signature", &signature)], stored),
            Ok(()),
            "{stored:?} {used:?}"
        );
        assert_eq!(
            believes(generic(), &[("x-signature", &signature)], "s3cre\n"),
            Err(Refused::Mismatch)
        );
    }
    let token = Scheme::Token {
        header: HeaderName::from_static("x-token"),
        prefix: String::new(),
        id_header: None,
    };
    assert_eq!(take(&token, &delivery(&[("x-token", "s3cret")], body), &["s3cret\n"]), Ok(()));
    assert_eq!(take(&token, &delivery(&[("x-token", "")], body), &["\n"]), Err(Refused::Mismatch));
    let basic = [("authorization", "Basic dXNlcjpwYXNz")];
    assert_eq!(take(&Scheme::Basic, &delivery(&basic, body), &["user:pass\n"]), Ok(()));
    let base64 = named("standard-webhooks");
    assert_eq!(
        base64.check_secret(&"whsec_AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcY\n".to_owned().into()),
        Ok(())
    );
    for name in preset_names() {
        let mut signed = delivery(&[], r#"{"webhookTimestamp": 1}"#);
        let secret = if name.contains("standard") || name == "svix" || name == "gitlab-signed" {
            "whsec_AQIDBAUG"
        } else {
            SECRET
        };
        named(name).sign(&mut signed, &format!("{secret}\n").into()).unwrap();
        assert_eq!(take(&named(name), &signed, &[secret]), Ok(()), "{name}");
        assert_eq!(take(&named(name), &signed, &[&format!("{secret}\r\n")]), Ok(()), "{name}");
    }
}

#[test]
fn a_time_of_signing_is_set_in_the_body_without_touching_its_other_fields() {
    let body = r#"{"amount":12345678901234567890.123456789012345678,"data":{"b":1.0,"a":[1e400]}}"#;
    let mut signed = delivery(&[], body);
    named("linear").sign(&mut signed, &SECRET.to_owned().into()).unwrap();
    assert_eq!(take(&named("linear"), &signed, &[SECRET]), Ok(()));
    let time = format!("}},\"webhookTimestamp\":{}}}", signed.arrived.milliseconds());
    assert_eq!(signed.body, body.replace("}}", &time));
    let mut list = delivery(&[], "[]");
    let refused = named("linear").sign(&mut list, &SECRET.to_owned().into()).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "the body is no JSON object, and the time of signing has to be its \"webhookTimestamp\""
    );
}
