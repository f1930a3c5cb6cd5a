//! Whatever comes, nothing panics, and nothing is believed that was not signed.

use http::{HeaderName, HeaderValue};
use proptest::prelude::*;

use super::super::presets::preset_names;
use super::super::{Algorithm, Delivery, Format, Json, Refused, Scheme, Unreadable, Verified};
use super::{SECRET, TOLERANCE, delivery, hmac, named, take};

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_signed_delivery_is_believed_and_no_flipped_bit_is(
        body in proptest::collection::vec(any::<u8>(), 1..200),
        at in any::<prop::sample::Index>(),
        bit in 0..8_u8,
    ) {
        let scheme = named("github");
        let signature = hmac(Algorithm::Sha256, SECRET.as_bytes(), &body);
        let signed = |body: Vec<u8>, signature: &[u8]| {
            delivery(&[("x-hub-signature-256", &format!("sha256={}", hex::encode(signature)))], body)
        };
        let secrets = [SECRET.to_owned().into()];
        let verify = |delivery: &Delivery| scheme.verify(delivery, &secrets, TOLERANCE).map(drop);
        prop_assert_eq!(verify(&signed(body.clone(), &signature)), Ok(()));
        let flipped = |bytes: &[u8]| {
            let mut bytes = bytes.to_vec();
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
            bytes
        };
        prop_assert_eq!(verify(&signed(flipped(&body), &signature)), Err(Refused::Mismatch));
        prop_assert_eq!(verify(&signed(body, &flipped(&signature))), Err(Refused::Mismatch));
    }

    #[test]
    fn no_header_value_makes_a_scheme_panic_or_believe(
        value in proptest::collection::vec(any::<u8>(), 0..80),
        time in "[0-9T:.Z+ -]{0,30}",
    ) {
        let Ok(value) = HeaderValue::from_bytes(&value) else { return Ok(()) };
        for name in preset_names() {
            let scheme = named(name);
            let mut delivery = delivery(&[], "{}");
            delivery.headers.insert(scheme.header().parse::<HeaderName>().unwrap(), value.clone());
            for name in ["webhook-id", "webhook-timestamp", "x-zendesk-webhook-signature-timestamp"] {
                delivery.headers.insert(name, time.parse().unwrap());
            }
            prop_assert!(take(&scheme, &delivery, &["c2VjcmV0"]).is_err());
        }
        let mut delivery = delivery(&[], "{}");
        delivery.headers.insert("authorization", value);
        prop_assert!(take(&Scheme::Basic, &delivery, &["user:pass"]).is_err());
    }

    #[test]
    fn no_body_makes_reading_panic(body in proptest::collection::vec(any::<u8>(), 0..200), form in any::<bool>()) {
        let format = if form { Format::JsonOrForm } else { Format::Json };
        let delivery = delivery(&[], body);
        let verified = Verified::without_proof(&delivery);
        if let Ok(json) = verified.read(format, TOLERANCE) {
            prop_assert!(serde_json::from_str::<serde::de::IgnoredAny>(json.as_str()).is_ok());
        }
    }

    #[test]
    fn json_is_what_serde_takes_up_to_its_depth(text in r#"[\[\]{}",:0-9a\\ e.-]{0,40}"#) {
        let expected = serde_json::from_str::<serde_json::Value>(&text);
        let read = Json::parse(&text);
        // Numbers may be of any size here, which `Value` doesn't take; and names may stand twice
        // there.
        if let (Ok(_), Err(Unreadable::NameTwice(_))) = (&expected, &read) {
        } else if let Ok(value) = expected {
            prop_assert_eq!(serde_json::from_str::<serde_json::Value>(read.unwrap().as_str()).unwrap(), value);
        } else if let Ok(json) = read {
            prop_assert!(json.as_str().contains('e'));
        }
    }
}
