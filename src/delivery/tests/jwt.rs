//! JSON Web Tokens, right and wrong. They are made by these tests' own base64 and HMAC.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::super::{Algorithm, Refused};
use super::{ARRIVED, SECRET, delivery, hmac, named, take};

/// Signed by Python, and good for another four minutes.
pub(super) const PYTHON: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJhY2NvdW50SWQiOjE4MjU1MjksInVzZXJJZCI6NDAxMjY4OS\
                                 wiYXVkIjoiaHR0cHM6Ly9ob29rcy5leGFtcGxlL2Rlc2siLCJleHAiOjE3NzI3MTIyNDAsImlhdCI6MTc3Mjcx\
                                 MTk0MH0.2aFP8EIxze_2wIesFQPcEJxqlcnFxUiMa0SqcvC9GFM";

fn token(header: &Value, claims: &Value, algorithm: Algorithm) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let message = format!("{}.{}", part(header), part(claims));
    let signature = hmac(algorithm, SECRET.as_bytes(), message.as_bytes());
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
}

fn hs256(claims: &Value) -> String {
    token(&json!({"alg": "HS256", "typ": "JWT"}), claims, Algorithm::Sha256)
}

fn claims(seconds: i64) -> Value {
    json!({"aud": "https://hooks.example/desk", "exp": ARRIVED / 1000 + seconds})
}

fn believed(authorization: &str) -> Result<(), Refused> {
    take(
        &named("monday"),
        &delivery(&[("authorization", authorization)], "{}"),
        &["another", SECRET],
    )
}

#[test]
fn a_right_token_is_believed_with_and_without_bearer() {
    let right = hs256(&claims(60));
    for value in [right.clone(), format!("Bearer {right}"), format!("bearer {right}")] {
        assert_eq!(believed(&value), Ok(()), "{value}");
    }
    let several = json!({"aud": ["https://other.example", "https://hooks.example/desk"], "exp": ARRIVED / 1000 + 60});
    assert_eq!(believed(&hs256(&several)), Ok(()));
}

#[test]
fn a_token_that_is_not_right_is_refused() {
    let right = hs256(&claims(60));
    let (message, signature) = right.rsplit_once('.').unwrap();
    let (header, payload) = message.split_once('.').unwrap();
    let other = hs256(&claims(61));
    let unsigned = URL_SAFE_NO_PAD.encode(json!({"alg": "none", "typ": "JWT"}).to_string());
    let upper_case = format!("{message}.{}", signature.to_uppercase());
    for (what, value) in [
        ("empty", String::new()),
        ("Bearer alone", "Bearer ".to_owned()),
        ("another scheme", format!("Basic {right}")),
        ("no signature", message.to_owned()),
        ("an empty signature", format!("{message}.")),
        ("truncated", right[..right.len() - 2].to_owned()),
        (
            "the signature of another token",
            format!("{message}.{}", other.rsplit_once('.').unwrap().1),
        ),
        ("another signature", upper_case),
        ("a fourth part", format!("{right}.x")),
        ("alg none", format!("{unsigned}.{payload}.")),
        ("alg none with the signature", format!("{unsigned}.{payload}.{signature}")),
        ("no claims", format!("{header}..{signature}")),
        ("the secret itself", SECRET.to_owned()),
        ("not base64", "%%%.%%%.%%%".to_owned()),
        ("twice", format!("{right} {right}")),
        (
            "another algorithm",
            token(&json!({"alg": "HS512", "typ": "JWT"}), &claims(60), Algorithm::Sha512),
        ),
        (
            "another algorithm in name",
            token(&json!({"alg": "RS256", "typ": "JWT"}), &claims(60), Algorithm::Sha256),
        ),
        ("no object", hs256(&json!([1]))),
    ] {
        assert!(believed(&value).is_err(), "{what}");
    }
    assert!(
        take(&named("monday"), &delivery(&[("authorization", &right)], "{}"), &["another"])
            .is_err()
    );
    let none = take(&named("monday"), &delivery(&[], "{}"), &[SECRET]);
    assert_eq!(none, Err(Refused::Missing("authorization".to_owned())));
    let twice = [("authorization", right.as_str()), ("authorization", right.as_str())];
    let twice = take(&named("monday"), &delivery(&twice, "{}"), &[SECRET]);
    assert_eq!(twice, Err(Refused::Repeated("authorization".to_owned())));
}

#[test]
fn a_token_has_to_be_for_our_address() {
    let with = |aud: Value| believed(&hs256(&json!({"aud": aud, "exp": ARRIVED / 1000 + 60})));
    for aud in [
        json!("https://hooks.example/other"),
        json!([]),
        json!(["https://other.example"]),
        json!(""),
    ] {
        assert_eq!(with(aud.clone()), Err(Refused::Audience), "{aud}");
    }
    for aud in [json!(null), json!(7)] {
        assert_eq!(
            with(aud.clone()),
            Err(Refused::Missing("aud of the token".to_owned())),
            "{aud}"
        );
    }
    let without = hs256(&json!({"exp": ARRIVED / 1000 + 60}));
    assert_eq!(believed(&without), Err(Refused::Missing("aud of the token".to_owned())));
}

#[test]
fn a_token_ends_with_its_exp_give_or_take_the_tolerance() {
    for (seconds, right) in
        [(86_400, true), (0, true), (-300, true), (-301, false), (-86_400, false)]
    {
        match believed(&hs256(&claims(seconds))) {
            Ok(()) => assert!(right, "{seconds} s"),
            Err(Refused::OutOfTolerance(_)) => assert!(!right, "{seconds} s"),
            Err(other) => panic!("{seconds} s: {other}"),
        }
    }
    for exp in [json!(null), json!("soon"), json!("1772712060")] {
        let claims = json!({"aud": "https://hooks.example/desk", "exp": exp});
        assert!(believed(&hs256(&claims)).is_err(), "{exp}");
    }
    assert!(believed(&hs256(&json!({"aud": "https://hooks.example/desk"}))).is_err());
    for exp in [json!(-1), json!(1e300), json!(0)] {
        let claims = json!({"aud": "https://hooks.example/desk", "exp": exp});
        assert!(believed(&hs256(&claims)).is_err(), "{exp}");
    }
}
