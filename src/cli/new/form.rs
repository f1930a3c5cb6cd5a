//! The forms that values have: times, addresses, ids, texts.

use serde_json::Value;

use crate::time::Time;

/// Times from 2001 to 2100, in milliseconds: other numbers of that length are ids.
const PLAUSIBLE: std::ops::Range<i64> = 978_307_200_000..4_102_444_800_000;

/// The longest text that is taken for an id or a word.
const SHORT: usize = 80;

/// Whether a value is a point in time or a date.
pub(super) fn is_time(value: &Value) -> bool {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        _ => return false,
    };
    Time::parse(&text).is_ok_and(|time| PLAUSIBLE.contains(&time.milliseconds()))
}

/// Whether a value is an e-mail address.
pub(super) fn is_email(value: &Value) -> bool {
    let Some((user, host)) = value.as_str().and_then(|text| text.split_once('@')) else {
        return false;
    };
    let is_plain = |text: &str| {
        !text.is_empty() && !text.contains(|c: char| c.is_whitespace() || "<>@:/".contains(c))
    };
    is_plain(user) && is_plain(host) && host.contains('.') && !host.ends_with(".localdomain")
}

/// Whether a text is an address of a system on itself, as of Znuny's first user.
pub(super) fn is_nobody(text: &str) -> bool {
    text.ends_with("@localhost") || text.ends_with(".localdomain")
}

/// Whether a value is a name with an e-mail address, such as `Ada Lovelace <ada@acme.example>`.
pub(super) fn is_named_email(value: &Value) -> bool {
    let text = value.as_str().and_then(|text| text.trim_end().strip_suffix('>'));
    let address = text.and_then(|text| text.rsplit_once('<'));
    address.is_some_and(|(_, address)| is_email(&Value::from(address)))
}

/// Whether a value may be the id of something: a whole number, or a text without spaces.
pub(super) fn is_id(value: &Value) -> bool {
    match value {
        Value::Number(number) => number.is_u64(),
        Value::String(text) => {
            !text.is_empty() && text.chars().count() <= SHORT && !text.contains(char::is_whitespace)
        }
        _ => false,
    }
}

/// Whether a text is an id that people read aloud, such as `SUP-7`, `INC0010042` or `SHOP-1F`.
pub(super) fn is_readable_id(value: &Value) -> bool {
    let Some(text) = value.as_str() else { return false };
    let digits = text.chars().filter(char::is_ascii_digit).count();
    let is_capital = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || "-_".contains(c);
    text.starts_with(|c: char| c.is_ascii_uppercase())
        && (1..=10).contains(&digits)
        && text.len() <= 20
        && text.chars().all(is_capital)
}

/// Whether a value is a word or a few, or a small number, as a status and a priority are.
pub(super) fn is_word(value: &Value) -> bool {
    match value {
        Value::Number(number) => number.as_u64().is_some_and(|number| number < 1_000_000),
        Value::String(text) => {
            let length = text.chars().count();
            (1..=SHORT).contains(&length)
                && !text.contains(['\n', '\r', '@'])
                && !text.contains("://")
                && !is_time(value)
        }
        _ => false,
    }
}

/// Whether a value is a text for people of one line: no address, id of a machine, or time.
pub(super) fn is_line(value: &Value) -> bool {
    let Some(text) = value.as_str() else { return false };
    !text.trim().is_empty() && !text.contains("://") && !is_time(value) && !is_email(value)
}

/// Whether a value is Atlassian's rich text.
pub(super) fn is_rich_text(value: &Value) -> bool {
    value["type"] == "doc" && value["content"].is_array()
}

/// Whether a text has tags of HTML.
pub(super) fn is_html(value: &Value) -> bool {
    let Some(text) = value.as_str() else { return false };
    ["</", "<br", "<p>", "<div"].iter().any(|tag| text.contains(tag))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn forms_are_told_apart() {
        for value in [
            json!("2026-10-05T09:12:44Z"),
            json!(1_791_191_564_827_i64),
            json!("1791191564"),
            json!(1_791_271_865.678),
            json!("2026-10-05"),
        ] {
            assert!(is_time(&value), "{value}");
        }
        for value in [json!(42), json!("8447388090494"), json!("open"), json!(null), json!(-7)] {
            assert!(!is_time(&value), "{value}");
        }
        assert!(is_email(&json!("ada@acme.example")) && !is_email(&json!("acct:ada@acme.example")));
        assert!(is_named_email(&json!("Ada <ada@acme.example>")));
        for id in ["SUP-7", "INC0010042", "SHOP-1F", "T-1042"] {
            assert!(is_readable_id(&json!(id)), "{id}");
        }
        for id in ["HIGH", "1042", "Q2 7", "cnv_1acme7", "2026-10-05"] {
            assert!(!is_readable_id(&json!(id)), "{id}");
        }
    }
}
