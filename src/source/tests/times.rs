//! Time, by `as`, by `[event] time` and by `[task] time`.

use super::{ARRIVED, Mapped, Stage, property, unverified};

/// Every form: what it is as `datetime` and as `date`, where the zone is Berlin.
const FORMS: [(&str, &str, &str); 30] = [
    // Seconds and milliseconds, by the digits before the point.
    ("123456789", "1973-11-29T21:33:09.000Z", "1973-11-29"),
    ("1772712000", "2026-03-05T12:00:00.000Z", "2026-03-05"),
    ("1772753400", "2026-03-05T23:30:00.000Z", "2026-03-06"),
    ("\"1772753400\"", "2026-03-05T23:30:00.000Z", "2026-03-06"),
    ("1772712000.25", "2026-03-05T12:00:00.250Z", "2026-03-05"),
    ("\"1772712000.9999\"", "2026-03-05T12:00:00.999Z", "2026-03-05"),
    ("99999999999", "5138-11-16T09:46:39.000Z", "5138-11-16"),
    ("100000000000", "1973-03-03T09:46:40.000Z", "1973-03-03"),
    ("1772753400123", "2026-03-05T23:30:00.123Z", "2026-03-06"),
    ("\"1772753400123.9\"", "2026-03-05T23:30:00.123Z", "2026-03-06"),
    ("1.7727534e9", "2026-03-05T23:30:00.000Z", "2026-03-06"),
    ("99999999999999", "5138-11-16T09:46:39.999Z", "5138-11-16"),
    // Microseconds and nanoseconds.
    ("123456789012345", "1973-11-29T21:33:09.012Z", "1973-11-29"),
    ("\"1772753400123456\"", "2026-03-05T23:30:00.123Z", "2026-03-06"),
    ("1772753400123456789", "2026-03-05T23:30:00.123Z", "2026-03-06"),
    // The last day that there is.
    ("\"9999-12-31T12:00:00Z\"", "9999-12-31T12:00:00.000Z", "9999-12-31"),
    ("\"9999-12-31\"", "9999-12-30T23:00:00.000Z", "9999-12-31"),
    // Text: in the zone where it has no offset, the date as written.
    ("\"2026-03-05\"", "2026-03-04T23:00:00.000Z", "2026-03-05"),
    ("\"2026-07-05\"", "2026-07-04T22:00:00.000Z", "2026-07-05"),
    ("\"2026-03-05T00:30\"", "2026-03-04T23:30:00.000Z", "2026-03-05"),
    ("\"2026-03-05 00:30:59\"", "2026-03-04T23:30:59.000Z", "2026-03-05"),
    ("\"2026-03-05T00:30:59.5\"", "2026-03-04T23:30:59.500Z", "2026-03-05"),
    ("\"2026-03-05T23:30:00.123456789Z\"", "2026-03-05T23:30:00.123Z", "2026-03-05"),
    ("\"2026-03-05 23:30Z\"", "2026-03-05T23:30:00.000Z", "2026-03-05"),
    ("\"2026-03-05 23:30:00 UTC\"", "2026-03-05T23:30:00.000Z", "2026-03-05"),
    ("\"2026-03-05 23:30:00 GMT\"", "2026-03-05T23:30:00.000Z", "2026-03-05"),
    ("\"2026-03-05T23:30:00-05:00\"", "2026-03-06T04:30:00.000Z", "2026-03-05"),
    ("\"2026-03-05T01:30:00.000+0530\"", "2026-03-04T20:00:00.000Z", "2026-03-05"),
    ("\"2026-03-05T01:30:00+14\"", "2026-03-04T11:30:00.000Z", "2026-03-05"),
    ("\"2024-02-29\"", "2024-02-28T23:00:00.000Z", "2024-02-29"),
];

const NO_TIMES: [&str; 26] = [
    "true",
    "12345678",
    "12345678901234567890",
    "\"0000-01-01T00:00:00+01:00\"",
    "\"0001-01-01T00:00:00+01:00\"",
    "-1772712000",
    "\"-1772712000\"",
    "\"1772712000.\"",
    "\"1.772712e9\"",
    "\"soon\"",
    "\"2026\"",
    "\"2026-03\"",
    "\"2026-02-29\"",
    "\"2026-13-01\"",
    "\"05.03.2026\"",
    "\"03/05/2026\"",
    "\"2026-03-05T\"",
    "\"2026-03-05T10\"",
    "\"2026-03-05T24:00\"",
    "\"2026-03-05T10:60\"",
    "\"2026-03-05T10:00:00+2\"",
    "\"2026-03-05T10:00:00 CET\"",
    "\"2026-03-05T10:00:00+02:00:00\"",
    "\"2026-03-05T10:00:00Z and more\"",
    "\"20260305T100000Z\"",
    "{}",
];

fn as_in_berlin(form: &str, json: &str) -> String {
    let mut stage = Stage::with(&format!(
        "zone = \"Europe/Berlin\"\n[properties]\np = {{ from = '.v', as = \"{form}\" }}"
    ));
    stage.gives(&format!(r#"{{"id": 1, "v": {json}}}"#)).concat()
}

#[test]
fn every_form_of_a_time_is_written_as_datetime_and_as_date() {
    for (json, datetime, date) in FORMS {
        assert_eq!(as_in_berlin("datetime", json), format!("1: p={datetime}"), "{json}");
        assert_eq!(as_in_berlin("date", json), format!("1: p={date}"), "{json}");
    }
}

#[test]
fn every_form_of_a_time_is_taken_as_the_time_of_an_event() {
    let mut stage = Stage::with("zone = \"Europe/Berlin\"\n[event]\ntime = '.v'");
    for (json, datetime, _) in FORMS {
        let expected = datetime.min(ARRIVED);
        let time = stage.event(&format!(r#"{{"id": 1, "v": {json}}}"#)).time;
        assert_eq!(time.map(|time| time.to_string()).as_deref(), Some(expected), "{json}");
    }
}

#[test]
fn anything_else_is_no_time() {
    for json in NO_TIMES {
        let failed = as_in_berlin("datetime", json);
        assert!(failed.starts_with("1 failed: p: "), "{json}: {failed}");
        let failed = Stage::with("[event]\ntime = '.v'")
            .gives(&format!(r#"{{"id": 1, "v": {json}}}"#))
            .concat();
        assert!(failed.starts_with("null failed: [event] time: "), "{json}: {failed}");
    }
}

#[test]
fn a_source_without_a_zone_is_in_utc() {
    let step = "{ from = '.v', as = \"datetime\" }";
    assert_eq!(property(step, r#"{"v": "2026-07-05 10:00"}"#), "p=2026-07-05T10:00:00.000Z");
}

#[test]
fn the_event_time_is_the_time_of_arrival_when_it_is_absent_or_later() {
    for (value, expected) in [
        ("\"2026-03-05T11:59:59.999Z\"", "2026-03-05T11:59:59.999Z"),
        ("\"2026-03-05T12:00:00.001Z\"", ARRIVED),
        ("\"2026-03-06\"", ARRIVED),
        ("null", ARRIVED),
    ] {
        let time = Stage::with("[event]\ntime = '.at'")
            .event(&format!(r#"{{"id": 1, "at": {value}}}"#))
            .time;
        assert_eq!(time.unwrap().to_string(), expected, "{value}");
    }
    for expression in ["", "time = '.absent'", "time = 'empty'", "time = 'given(.absent)'"] {
        let time = Stage::with(&format!("[event]\n{expression}")).event(r#"{"id": 1}"#).time;
        assert_eq!(time.unwrap().to_string(), ARRIVED, "{expression}");
    }
}

#[test]
fn a_task_has_a_time_of_its_own_and_else_the_time_of_the_event() {
    let toml = unverified(
        "[event]\ntime = '.at'\n[task]\neach = '.items[]'\nid = '.id'\ntime = 'given(.at)'\nid_property = \"ticket\"",
    );
    let event = Stage::of(&toml).event(
        r#"{"at": "2026-03-04", "items": [{"id": 1, "at": "2026-03-03"}, {"id": 2}, {"id": 3, "at": null},
            {"id": 4, "at": "2027-01-01"}, {"id": 5, "at": "2026-03-05"}]}"#,
    );
    let Mapped::Updates(updates) = event.mapped else { panic!("filtered") };
    let times: Vec<_> =
        updates.iter().map(|update| update.as_ref().unwrap().time.to_string()).collect();
    let expected = [
        "2026-03-03T00:00",
        "2026-03-04T00:00",
        "2026-03-04T00:00",
        "2026-03-05T12:00",
        "2026-03-05T00:00",
    ];
    assert_eq!(times, expected.map(|time| format!("{time}:00.000Z")));
}
