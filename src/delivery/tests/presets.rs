//! Deliveries of every named scheme, right and wrong.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;

use super::super::presets::{preset, preset_names};
use super::super::{Encoding, Refused, Scheme, Template};
use super::{ARRIVED, Sender, VECTORS, delivery, hmac, named, senders, take, written};

#[test]
fn every_named_scheme_believes_a_delivery_that_python_signed() {
    for name in preset_names() {
        let (_, secret, headers, body) = VECTORS
            .iter()
            .find(|(vector, ..)| *vector == name)
            .unwrap_or_else(|| panic!("{name} has no vector"));
        assert_eq!(take(&named(name), &delivery(headers, *body), &[secret]), Ok(()), "{name}");
        assert!(take(&named(name), &delivery(headers, *body), &["another"]).is_err(), "{name}");
    }
}

#[test]
fn what_we_sign_as_a_sender_is_believed() {
    for name in preset_names() {
        let (_, secret, _, body) = VECTORS.iter().find(|(vector, ..)| *vector == name).unwrap();
        let mut signed = delivery(&[], *body);
        named(name).sign(&mut signed, &(*secret).to_owned().into()).unwrap();
        assert_eq!(take(&named(name), &signed, &[secret]), Ok(()), "{name}");
        assert!(take(&named(name), &signed, &["another"]).is_err(), "{name}");
    }
}

#[test]
fn the_templates_of_all_presets_can_be_read() {
    for sender in senders() {
        let Scheme::Hmac(hmac) = named(sender.name) else { panic!("{}", sender.name) };
        assert_eq!(Template::parse(sender.row.signed), Ok(hmac.signed), "{}", sender.name);
    }
}

#[test]
fn the_senders_whose_events_carry_only_what_changed_are_marked() {
    let partial = ["asana", "clickup", "monday", "shortcut", "trello"];
    for name in preset_names() {
        assert_eq!(preset(name).unwrap().partial_events, partial.contains(&name), "{name}");
    }
    assert!(preset_names().filter(|name| partial.contains(name)).count() >= 5);
}

#[test]
fn a_right_delivery_is_believed_and_a_signature_may_be_in_upper_case_hex() {
    for sender in senders() {
        assert_eq!(sender.is_believed(&sender.right()), Ok(()), "{}", sender.name);
        if sender.row.encoding == Encoding::Hex {
            let upper = format!("{}{}", sender.row.prefix, sender.signature().to_uppercase());
            assert_eq!(sender.is_believed(&sender.sends(&upper)), Ok(()), "{}", sender.name);
        } else {
            let unpadded =
                format!("{}{}", sender.row.prefix, sender.signature().trim_end_matches('='));
            assert_eq!(sender.is_believed(&sender.sends(&unpadded)), Ok(()), "{}", sender.name);
        }
    }
}

#[test]
fn a_wrong_signature_is_refused() {
    for sender in senders() {
        let (prefix, signature) = (sender.row.prefix, sender.signature());
        let bytes = hmac(sender.row.algorithm, &sender.key, b"something else");
        let other_encoding = match sender.row.encoding {
            Encoding::Hex => STANDARD.encode(hex::decode(&signature).unwrap()),
            _ => hex::encode(STANDARD.decode(&signature).unwrap()),
        };
        let mut values = vec![
            ("empty", String::new()),
            ("only the prefix", prefix.to_owned()),
            ("of something else", format!("{prefix}{}", written(sender.row.encoding, &bytes))),
            (
                "truncated by two characters",
                format!("{prefix}{}", &signature[..signature.len() - 2]),
            ),
            ("truncated to half", format!("{prefix}{}", &signature[..signature.len() / 2])),
            ("longer", format!("{prefix}{signature}00")),
            ("in another encoding", format!("{prefix}{other_encoding}")),
            ("with a wrong prefix", format!("sha999={signature}")),
            ("twice without a separator", format!("{prefix}{signature}{prefix}{signature}")),
            ("the secret itself", format!("{prefix}{}", sender.secret())),
            ("not an encoding at all", format!("{prefix}%%%")),
            ("a separator alone", sender.row.separator.unwrap_or(",").to_owned()),
        ];
        if !prefix.is_empty() {
            values.push(("without its prefix", signature.clone()));
            values.push((
                "another version only",
                format!("{}{signature}", prefix.replace(['0', '1', '2'], "9")),
            ));
        }
        for (what, value) in values {
            assert!(sender.is_believed(&sender.sends(&value)).is_err(), "{}: {what}", sender.name);
        }
    }
}

#[test]
fn a_right_signature_of_another_body_secret_id_or_time_is_refused() {
    for sender in senders() {
        let name = sender.name;
        let mut other_body = sender.right();
        other_body.body = format!("{} ", sender.body).into();
        assert_eq!(sender.is_believed(&other_body), Err(Refused::Mismatch), "{name}: body");
        let other_secret =
            Sender { key: b"another key, but just as long!!".to_vec(), ..sender.clone() };
        assert_eq!(
            sender.is_believed(&other_secret.right()),
            Err(Refused::Mismatch),
            "{name}: secret"
        );
        assert_eq!(
            take(&named(name), &sender.right(), &[]),
            Err(Refused::Mismatch),
            "{name}: no secret"
        );
        if let Some(header) = sender.timestamp_header() {
            let mut other_time = sender.right();
            let later = sender.clone().signing_at(ARRIVED + 1000);
            other_time.headers.insert(header, later.timestamp.parse().unwrap());
            assert_eq!(sender.is_believed(&other_time), Err(Refused::Mismatch), "{name}: time");
        }
        if sender.row.signed.contains("{id}") {
            let mut other_id = sender.right();
            other_id.headers.insert(sender.id_header.unwrap(), HeaderValue::from_static("msg_8"));
            assert_eq!(sender.is_believed(&other_id), Err(Refused::Mismatch), "{name}: id");
        }
    }
}

#[test]
fn a_header_that_is_missing_repeated_or_not_text_is_refused() {
    for sender in senders() {
        let id_header = sender.id_header.filter(|_| sender.row.signed.contains("{id}"));
        for header in
            [Some(sender.row.header), sender.timestamp_header(), id_header].into_iter().flatten()
        {
            let mut missing = sender.right();
            let value = missing.headers.remove(header).unwrap();
            assert_eq!(
                sender.is_believed(&missing),
                Err(Refused::Missing(header.to_owned())),
                "{header}"
            );
            let mut twice = sender.right();
            twice.headers.append(header, value);
            assert_eq!(
                sender.is_believed(&twice),
                Err(Refused::Repeated(header.to_owned())),
                "{header}"
            );
            for odd in [&b""[..], b"\xff\xfe", "ä".as_bytes()] {
                let mut not_text = sender.right();
                not_text.headers.insert(header, HeaderValue::from_bytes(odd).unwrap());
                assert!(sender.is_believed(&not_text).is_err(), "{header}: {odd:?}");
            }
        }
    }
}

#[test]
fn a_time_of_signing_may_be_five_minutes_off_in_both_directions() {
    for sender in senders() {
        if sender.row.timestamp.is_none() {
            continue;
        }
        for (offset, right) in [
            (-300_000, true),
            (-299_999, true),
            (299_999, true),
            (300_000, true),
            (-300_001, false),
            (300_001, false),
            (-86_400_000, false),
            (86_400_000, false),
        ] {
            let sender = sender.clone().signing_at(ARRIVED + offset);
            let believed = sender.is_believed(&sender.right());
            match believed {
                Ok(()) => assert!(right, "{}: {offset} ms", sender.name),
                Err(Refused::OutOfTolerance(_)) => assert!(!right, "{}: {offset} ms", sender.name),
                Err(other) => panic!("{}: {offset} ms: {other}", sender.name),
            }
        }
    }
}

#[test]
fn a_signed_time_that_is_no_time_is_refused() {
    for sender in senders() {
        let beside = sender.timestamp_prefix().map(|_| sender.row.header);
        let Some(header) = sender.timestamp_header().or(beside) else { continue };
        for timestamp in
            ["soon", "", "0", "-1", "1e99", "99999999999999999999", "2026-03-05T25:00:00Z"]
        {
            let sender = Sender { timestamp: timestamp.to_owned(), ..sender.clone() };
            let refused = Err(Refused::Malformed(header.to_owned()));
            assert_eq!(
                sender.is_believed(&sender.right()),
                refused,
                "{}: {timestamp}",
                sender.name
            );
        }
    }
}

#[test]
fn stripes_time_of_signing_stands_beside_the_signature() {
    let stripe = Sender::of("stripe").unwrap();
    let (time, signature) = (&stripe.timestamp, stripe.signature());
    let refused = |value: &str| {
        let mut delivery = stripe.right();
        delivery.headers.insert("stripe-signature", value.parse().unwrap());
        stripe.is_believed(&delivery)
    };
    assert_eq!(refused(&format!("t={time},v1={signature}")), Ok(()));
    assert_eq!(refused(&format!("v1={signature},t={time}")), Ok(()));
    for value in
        [format!("v1={signature}"), format!("v1={signature},t"), format!("T={time},v1={signature}")]
    {
        assert_eq!(
            refused(&value),
            Err(Refused::Missing("t= of stripe-signature".to_owned())),
            "{value}"
        );
    }
    let twice = refused(&format!("t={time},t={time},v1={signature}"));
    assert_eq!(twice, Err(Refused::Repeated("t= of stripe-signature".to_owned())));
}

#[test]
fn linears_time_of_signing_stands_in_the_body() {
    let linear = Sender::of("linear").unwrap();
    for (body, refused) in [
        ("{}", Refused::Missing("webhookTimestamp".to_owned())),
        ("[1]", Refused::Missing("webhookTimestamp".to_owned())),
        (
            r#"{"data": {"webhookTimestamp": 1772712000000}}"#,
            Refused::Missing("webhookTimestamp".to_owned()),
        ),
        (r#"{"webhookTimestamp": null}"#, Refused::Missing("webhookTimestamp".to_owned())),
        (r#"{"webhookTimestamp": "soon"}"#, Refused::Malformed("webhookTimestamp".to_owned())),
    ] {
        let sender = Sender { body: body.to_owned(), ..linear.clone() };
        assert_eq!(sender.is_believed(&sender.right()), Err(refused), "{body}");
    }
    for body in [r#"{"webhookTimestamp": 1772712000}"#, r#"{"webhookTimestamp": "1772712000123"}"#]
    {
        let sender = Sender { body: body.to_owned(), ..linear.clone() };
        assert_eq!(sender.is_believed(&sender.right()), Ok(()), "{body}");
    }
}

#[test]
fn any_of_several_secrets_is_accepted() {
    for sender in senders() {
        let old = Sender { key: b"the key before the rotation...!".to_vec(), ..sender.clone() };
        let (new, old) = (sender.secret(), old.secret());
        for secrets in [[new.as_str(), old.as_str()], [old.as_str(), new.as_str()]] {
            assert_eq!(
                take(&named(sender.name), &sender.right(), &secrets),
                Ok(()),
                "{}",
                sender.name
            );
        }
        assert_eq!(
            take(&named(sender.name), &sender.right(), &[&old, &old]),
            Err(Refused::Mismatch)
        );
    }
}

#[test]
fn any_of_several_signatures_in_one_header_is_accepted() {
    for sender in senders() {
        let Some(separator) = sender.row.separator else { continue };
        let (prefix, signature) = (sender.row.prefix, sender.signature());
        let wrong = written(sender.row.encoding, &hmac(sender.row.algorithm, b"x", b"y"));
        for (value, right) in [
            (format!("{prefix}{signature}{separator}{prefix}{wrong}"), true),
            (format!("{prefix}{wrong}{separator}{prefix}{signature}"), true),
            (format!("v9,%%%{separator}{prefix}{signature}"), true),
            (format!("{separator}{prefix}{signature}{separator}"), true),
            (format!("{prefix}{wrong}{separator}{prefix}{wrong}"), false),
            (format!("{prefix}{wrong}{separator}v9{signature}"), false),
            (format!("{prefix}{wrong}{separator}{signature}"), false),
        ] {
            assert_eq!(
                sender.is_believed(&sender.sends(&value)).is_ok(),
                right,
                "{}: {value}",
                sender.name
            );
        }
    }
}
