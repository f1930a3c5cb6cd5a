//! What a file asks of the portal's properties, with the places.

use super::super::{Asks, SourceFile, demands};
use super::file;

/// A line for each demand, such as `5:15 ticket UniqueValues`.
fn asked(file: &SourceFile) -> Vec<String> {
    let line = |demand: super::super::Demand| {
        let place = demand.problem("").to_string();
        let place = place.strip_prefix(&file.file).and_then(|place| place.strip_prefix(':'));
        let asks = match demand.asks {
            Asks::Text(text) => format!("{text:?}"),
            asks => format!("{asks:?}"),
        };
        format!("{} {} {asks}", place.unwrap_or_default().trim_end_matches(": "), demand.property)
    };
    demands(file).into_iter().map(line).collect()
}

#[test]
fn every_property_and_every_constant_is_a_demand_with_its_place() {
    let toml = r#"[verify]
scheme = "none"
[task]
id = '.id'
id_property = "ticket"
updated_at_property = "ticket_at"
[properties]
kind = '"TODO"'
subject = '.subject'
count = ' 5 '
fraction = '5.50'
paid = { from = 'true', otherwise = "n/a" }
status = { from = '.status', map = { open = "OPEN", done = "DONE" }, otherwise = "" }
day = { from = '.day', map = { today = "2026-03-05" }, as = "date", otherwise = "never" }
due = { from = '"2026-03-05"', as = "datetime" }
person = { owner = '"ada@acme.example"', map = { ada = "ada@acme.example" }, otherwise = "101" }
[properties.priority]
from = '.priority | "\(.)"'
[properties.priority.map]
high = "HIGH"
"#;
    assert_eq!(
        asked(&file("desk", toml)),
        [
            "5:15 ticket UniqueValues",
            "6:23 ticket_at EventTime",
            "8:1 kind Writing",
            "8:8 kind \"TODO\"",
            "9:1 subject Writing",
            "10:1 count Writing",
            "10:9 count \"5\"",
            "11:1 fraction Writing",
            "12:1 paid Writing",
            "12:17 paid \"true\"",
            "12:37 paid \"n/a\"",
            "13:1 status Writing",
            "13:45 status \"OPEN\"",
            "13:60 status \"DONE\"",
            "13:82 status \"\"",
            "14:1 day Writing",
            "14:61 day Date",
            "14:81 day \"never\"",
            "15:1 due Writing",
            "15:37 due DateTime",
            "16:1 person Writing",
            "16:90 person \"101\"",
            "17:13 priority Writing",
            "20:8 priority \"HIGH\"",
        ]
    );
}

#[test]
fn what_can_be_read_of_a_broken_file_is_asked_all_the_same() {
    let toml = "[task]\nid_property = \"hs_object_id\"\n[properties]\nBad = '.a'\na = { from = '.a |', otherwise = 1 }\nb = 7\n";
    assert_eq!(asked(&file("desk", toml)), ["5:1 a Writing", "6:1 b Writing"]);
    assert_eq!(asked(&file("desk", "not TOML")), [""; 0]);
    let unreadable = SourceFile::from_bytes("desk", "desk", Ok(b"\xff".to_vec()));
    assert_eq!(asked(&unreadable), [""; 0]);
}
