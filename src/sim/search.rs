//! `objects/tasks/search` and its like: records by their values.

use std::cmp::Ordering;

use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    answer::Answer,
    object::ObjectType,
    objects::Object,
    portal::Portal,
    records::Record,
    refusal::{self, Refusal},
    schema::Schema,
    view,
};

/// A search. Only `filterGroups` matters to HubSpot; its own examples leave the rest out.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Search {
    filter_groups: Vec<FilterGroup>,
    /// Words that must be in a record's title or text.
    query: String,
    /// `"property"`, `"-property"`, or `{"propertyName": …, "direction": "DESCENDING"}`.
    sorts: Vec<Value>,
    properties: Vec<String>,
    limit: usize,
    after: Value,
}

/// Filters that must all let a record through; one group of several is enough.
#[derive(Debug, Deserialize)]
struct FilterGroup {
    filters: Vec<Filter>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Filter {
    property_name: String,
    operator: String,
    value: String,
    high_value: String,
    values: Vec<String>,
}

/// Answers a search.
pub(super) fn answer(portal: &Portal, object: ObjectType, body: &[u8]) -> Result<Answer, Refusal> {
    let search: Search = serde_json::from_slice(body).map_err(|e| refusal::bad_json(&e))?;
    let Object { schema, records } = &portal.objects[object];
    check(schema, &search)?;
    let finds = |record: &&Record| search.finds(object, record);
    let mut found: Vec<&Record> = records.all().filter(finds).collect();
    for sort in search.sorts.iter().rev() {
        let (name, descends) = direction(sort);
        found.sort_by(|one, other| {
            let order = compare(value(one, name), value(other, name));
            if descends { order.reverse() } else { order }
        });
    }
    let after = match &search.after {
        Value::String(text) => text.parse().unwrap_or(0),
        other => usize::try_from(other.as_u64().unwrap_or(0)).unwrap_or(usize::MAX),
    };
    let names = portal.readable(object, &search.properties);
    let mut results = Vec::new();
    for record in found.iter().skip(after).take(search.limit) {
        results.push(view::read(object, record, &names));
    }
    let mut body = json!({"total": found.len(), "results": results});
    let next = after.saturating_add(search.limit);
    if next < found.len() {
        body["paging"] = json!({"next": {"after": next.to_string()}});
    }
    Ok(Answer::json(200, body))
}

fn check(schema: &Schema, search: &Search) -> Result<(), Refusal> {
    if !(1..=MOST_RESULTS).contains(&search.limit) {
        return Err(refusal::validation(format!(
            "limit must be between 1 and {MOST_RESULTS}, not {}",
            search.limit
        )));
    }
    let mut filters: Vec<&Filter> = Vec::new();
    for group in &search.filter_groups {
        filters.extend(&group.filters);
    }
    if search.filter_groups.len() > MOST_GROUPS || filters.len() > MOST_FILTERS {
        let message = format!(
            "A search can have at most {MOST_GROUPS} filter groups and {MOST_FILTERS} filters"
        );
        return Err(refusal::validation(message));
    }
    for Filter { property_name, operator, .. } in filters {
        if schema.get(property_name).is_none() {
            return Err(refusal::validation(format!(
                "Property \"{property_name}\" does not exist"
            )));
        }
        if !OPERATORS.contains(&operator.as_str()) {
            return Err(refusal::validation(format!("{operator} is not an operator of a filter")));
        }
    }
    Ok(())
}

impl Search {
    fn finds(&self, object: ObjectType, record: &Record) -> bool {
        let mut text = String::new();
        for name in object.searched() {
            text += value(record, name).unwrap_or_default();
            text.push(' ');
        }
        let text = text.to_lowercase();
        if !self.query.to_lowercase().split_whitespace().all(|word| text.contains(word)) {
            return false;
        }
        let passes = |group: &FilterGroup| group.filters.iter().all(|filter| filter.passes(record));
        self.filter_groups.is_empty() || self.filter_groups.iter().any(passes)
    }
}

impl Filter {
    fn passes(&self, record: &Record) -> bool {
        let value = value(record, &self.property_name);
        let order = |other: &str| value.map(|value| compare(Some(value), Some(other)));
        let is_one = || self.values.iter().any(|other| order(other) == Some(Ordering::Equal));
        let has_word = || value.is_some_and(|value| has_token(value, &self.value));
        match self.operator.as_str() {
            "EQ" => order(&self.value) == Some(Ordering::Equal),
            "NEQ" => order(&self.value) != Some(Ordering::Equal),
            "LT" => order(&self.value).is_some_and(Ordering::is_lt),
            "LTE" => order(&self.value).is_some_and(Ordering::is_le),
            "GT" => order(&self.value).is_some_and(Ordering::is_gt),
            "GTE" => order(&self.value).is_some_and(Ordering::is_ge),
            "BETWEEN" => {
                order(&self.value).is_some_and(Ordering::is_ge)
                    && order(&self.high_value).is_some_and(Ordering::is_le)
            }
            "IN" => is_one(),
            "NOT_IN" => value.is_some() && !is_one(),
            "HAS_PROPERTY" => value.is_some(),
            "NOT_HAS_PROPERTY" => value.is_none(),
            "CONTAINS_TOKEN" => has_word(),
            _ => !has_word(),
        }
    }
}

impl Default for Search {
    fn default() -> Self {
        Self {
            filter_groups: Vec::new(),
            query: String::new(),
            sorts: Vec::new(),
            properties: Vec::new(),
            limit: 10,
            after: Value::Null,
        }
    }
}

fn value<'a>(record: &'a Record, name: &str) -> Option<&'a str> {
    record.properties.get(name).map(String::as_str)
}

/// The property of a sort, and whether it goes down.
fn direction(sort: &Value) -> (&str, bool) {
    let Some(text) = sort.as_str() else {
        let name = sort["propertyName"].as_str().unwrap_or_default();
        return (name, sort["direction"] == "DESCENDING");
    };
    match text.strip_prefix('-') {
        Some(name) => (name, true),
        None => (text, false),
    }
}

/// Compares numbers and times as such, and everything else as text.
fn compare(one: Option<&str>, other: Option<&str>) -> Ordering {
    match (one.and_then(number), other.and_then(number)) {
        (Some(one), Some(other)) => one.total_cmp(&other),
        _ => one.cmp(&other),
    }
}

/// A number, or a point in time as milliseconds.
fn number(value: &str) -> Option<f64> {
    if let Ok(number) = value.parse() {
        return Some(number);
    }
    let time: jiff::Timestamp = value.parse().ok()?;
    #[expect(clippy::cast_precision_loss, reason = "milliseconds of this age fit")]
    Some(time.as_millisecond() as f64)
}

/// Whether a word of the text is this one; `*` stands for its beginning or its end.
fn has_token(text: &str, token: &str) -> bool {
    let (text, token) = (text.to_lowercase(), token.to_lowercase());
    let bare = token.trim_matches('*');
    text.split(|c: char| !c.is_alphanumeric()).any(|word| {
        match (token.starts_with('*'), token.ends_with('*')) {
            (true, true) => word.contains(bare),
            (true, false) => word.ends_with(bare),
            (false, true) => word.starts_with(bare),
            (false, false) => word == bare,
        }
    })
}

// https://developers.hubspot.com/docs/api-reference/search/guide
const MOST_RESULTS: usize = 200;
const MOST_GROUPS: usize = 5;
const MOST_FILTERS: usize = 18;

const OPERATORS: [&str; 13] = [
    "BETWEEN",
    "CONTAINS_TOKEN",
    "EQ",
    "GT",
    "GTE",
    "HAS_PROPERTY",
    "IN",
    "LT",
    "LTE",
    "NEQ",
    "NOT_CONTAINS_TOKEN",
    "NOT_HAS_PROPERTY",
    "NOT_IN",
];
