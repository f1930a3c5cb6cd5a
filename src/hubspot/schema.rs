//! What a portal's task properties take, as `taskhook schema pull` tells it. Pure.
//!
//! Values are checked and normalised before they are sent, so that a bad one costs no call. What
//! the definitions don't settle, such as the options of a property that keeps them elsewhere, is
//! left to HubSpot.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer};

use crate::outcome::FailReason;
use crate::time::Time;
use crate::update::{RECORD_ID, Unknown, Update, Value};

/// The task properties of a portal.
#[derive(Debug)]
pub struct Schema {
    properties: BTreeMap<String, Property>,
    /// Whether the portal may have sensitive properties that its definitions lack.
    lacks_sensitive: bool,
}

/// Why the portal doesn't take something, and a sentence that names the property, the value and
/// what is allowed.
pub type Unfit = (FailReason, String);

#[derive(Debug)]
struct Property {
    kind: String,
    takes: Takes,
    is_read_only: bool,
    has_unique_value: bool,
}

/// The values that a property takes.
#[derive(Debug)]
enum Takes {
    Text,
    Number,
    Date,
    DateTime,
    /// One or several points in time, as milliseconds alone.
    Milliseconds,
    Option(Vec<Choice>),
    Options(Vec<Choice>),
    /// Options that the definition doesn't list, such as owners.
    Unlisted,
}

#[derive(Deserialize)]
struct Answer {
    results: Vec<Definition>,
    /// The sensitive properties that the token might not see.
    #[serde(default, deserialize_with = "null_is_default")]
    unseen: Vec<String>,
}

/// A property as the file has it; fields that are of no use here are left out.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Definition {
    name: String,
    #[serde(default, rename = "type", deserialize_with = "null_is_default")]
    kind: String,
    #[serde(default, deserialize_with = "null_is_default")]
    field_type: String,
    #[serde(default, deserialize_with = "null_is_default")]
    options: Vec<Choice>,
    #[serde(default, deserialize_with = "null_is_default")]
    external_options: bool,
    #[serde(default, deserialize_with = "null_is_default")]
    referenced_object_type: String,
    #[serde(default, deserialize_with = "null_is_default")]
    archived: bool,
    #[serde(default, deserialize_with = "null_is_default")]
    has_unique_value: bool,
    #[serde(default, deserialize_with = "null_is_default")]
    modification_metadata: ModificationMetadata,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ModificationMetadata {
    #[serde(default, deserialize_with = "null_is_default")]
    read_only_value: bool,
}

/// An allowed value. Hidden ones are not told apart: people don't see them, the API takes them.
#[derive(Debug, Deserialize)]
struct Choice {
    value: String,
    #[serde(default, deserialize_with = "null_is_default")]
    label: String,
}

/// Typed as text by HubSpot, but it takes milliseconds only.
const REMINDERS: &str = "hs_task_reminders";

const DAY: i64 = 24 * 60 * 60 * 1000;

/// How much of a value a failure shows, in characters: enough to recognise it.
const SHOWN: usize = 60;

/// How much room a list of options gets in a failure, in bytes; the summary cuts details at 300
/// characters.
const LIST: usize = 160;

impl Schema {
    /// Reads what `taskhook schema pull` and HubSpot's list of properties give, or the list in it.
    /// The error is the rest of a sentence that begins with the file.
    pub fn parse(text: &str) -> Result<Self, String> {
        // Windows tools put a byte order mark before a file that they save.
        let text = text.trim_start_matches('\u{feff}');
        let answer = if text.trim_start().starts_with('[') {
            serde_json::from_str(text).map(|results| Answer { results, unseen: Vec::new() })
        } else {
            serde_json::from_str(text)
        };
        let answer =
            answer.map_err(|error| format!("is not a list of property definitions: {error}"))?;
        let definitions = answer.results.into_iter().filter(|definition| !definition.archived);
        let properties: BTreeMap<_, _> =
            definitions.map(|it| (it.name.clone(), Property::from(it))).collect();
        if properties.is_empty() {
            return Err("has no properties".to_owned());
        }
        Ok(Self { properties, lacks_sensitive: !answer.unseen.is_empty() })
    }

    /// Whether the portal may have a property that its definitions lack, since it is sensitive and
    /// the token that read them lacked the scope. HubSpot's own task properties are not.
    #[must_use]
    pub fn may_have(&self, name: &str) -> bool {
        let is_hubspots = name.starts_with("hs_") || name.starts_with("hubspot_");
        self.lacks_sensitive && !is_hubspots && !self.properties.contains_key(name)
    }

    /// Checks an update, and puts its values as HubSpot takes them. Everything that is wrong with
    /// it is told together. A property that the portal [may have](Self::may_have) is left to
    /// HubSpot.
    ///
    /// The id of an owner is HubSpot's own and needs no check.
    pub fn check(&self, update: &mut Update) -> Result<(), Unfit> {
        let mut unfit = Vec::new();
        // Without properties it is not sent.
        if !update.properties.is_empty() {
            let id_property = Some(&update.task.id_property).filter(|name| !self.may_have(name));
            unfit.extend(id_property.and_then(|name| self.check_id_property(name).err()));
            let updated_at =
                update.updated_at_property.as_ref().filter(|name| !self.may_have(name));
            unfit.extend(updated_at.and_then(|name| self.check_updated_at_property(name).err()));
        }
        for (name, value) in update.properties.iter_mut().filter(|(name, _)| !self.may_have(name)) {
            let checked = match value {
                Value::Text(text) => self.check_value(name, text).map(|fit| *text = fit),
                Value::Owner { unknown, .. } => self.writable(name).map(|property| {
                    // It may never be written; if it is and is wrong, HubSpot says so.
                    if let Unknown::Write(text) = unknown
                        && let Ok(fit) = property.takes.normalise(text)
                    {
                        *text = fit;
                    }
                }),
            };
            unfit.extend(checked.err());
        }
        let Some((reason, _)) = unfit.first() else { return Ok(()) };
        let details: Vec<_> = unfit.iter().map(|(_, detail)| detail.as_str()).collect();
        Err((*reason, details.join("; ")))
    }

    /// The value of a property as HubSpot takes it.
    pub fn check_value(&self, name: &str, value: &str) -> Result<String, Unfit> {
        let fit = self.writable(name)?.takes.normalise(value);
        fit.map_err(|why| (FailReason::InvalidValue, format!("{name}: {why}")))
    }

    /// Whether a property can be written, whatever the value is.
    pub fn check_writable(&self, name: &str) -> Result<(), Unfit> {
        self.writable(name).map(|_| ())
    }

    /// Whether tasks can be told apart by a property.
    pub fn check_id_property(&self, name: &str) -> Result<(), Unfit> {
        if name == RECORD_ID || self.property(name)?.has_unique_value {
            return Ok(());
        }
        let detail = format!("{name} is not a property with unique values; id_property needs one");
        Err((FailReason::NotUniqueProperty, detail))
    }

    /// Whether a property can keep the newest event time.
    pub fn check_updated_at_property(&self, name: &str) -> Result<(), Unfit> {
        match self.writable(name)? {
            Property { takes: Takes::DateTime, .. } => Ok(()),
            Property { kind, .. } => {
                let detail = format!(
                    "{name} is a {kind} property; updated_at_property needs a datetime one"
                );
                Err((FailReason::InvalidValue, detail))
            }
        }
    }

    /// The property that somebody may have meant who wrote a name that the portal doesn't know.
    #[must_use]
    pub fn nearest(&self, name: &str) -> Option<&str> {
        let distance = |other: &String| strsim::damerau_levenshtein(name, other);
        // The distance of long names takes long, and none is meant by them.
        let nearest = self
            .properties
            .keys()
            .filter(|_| name.len() <= 100)
            .min_by_key(|other| distance(other))?;
        Some(nearest.as_str()).filter(|_| distance(nearest) <= (name.len() / 4).max(2))
    }

    fn property(&self, name: &str) -> Result<&Property, Unfit> {
        let unknown =
            || (FailReason::UnknownProperty, format!("{name}: the portal has no such property"));
        self.properties.get(name).ok_or_else(unknown)
    }

    fn writable(&self, name: &str) -> Result<&Property, Unfit> {
        let property = self.property(name)?;
        if property.is_read_only {
            return Err((FailReason::ReadOnlyProperty, format!("{name}: it is read-only")));
        }
        Ok(property)
    }
}

impl From<Definition> for Property {
    fn from(definition: Definition) -> Self {
        let Definition { name, kind, field_type, options, .. } = definition;
        let is_unlisted = options.is_empty()
            || definition.external_options
            || !definition.referenced_object_type.is_empty();
        let takes = match kind.as_str() {
            _ if name == REMINDERS => Takes::Milliseconds,
            "number" => Takes::Number,
            "date" => Takes::Date,
            "datetime" => Takes::DateTime,
            "bool" if options.is_empty() => {
                Takes::Option(["true", "false"].map(Choice::from).into())
            }
            "enumeration" if is_unlisted => Takes::Unlisted,
            "enumeration" if field_type == "checkbox" => Takes::Options(options),
            "bool" | "enumeration" => Takes::Option(options),
            _ => Takes::Text,
        };
        let is_read_only = definition.modification_metadata.read_only_value;
        let kind = if kind.is_empty() { "string".to_owned() } else { kind };
        Self { kind, takes, is_read_only, has_unique_value: definition.has_unique_value }
    }
}

impl From<&str> for Choice {
    fn from(value: &str) -> Self {
        Self { value: value.to_owned(), label: String::new() }
    }
}

impl Takes {
    /// A value as HubSpot takes it; the error says what is allowed instead. `""` clears, whatever
    /// the property is, and space around a value says nothing where it is not text.
    fn normalise(&self, value: &str) -> Result<String, String> {
        let trimmed = value.trim();
        if matches!(self, Self::Text) || trimmed.is_empty() {
            return Ok(if matches!(self, Self::Text) { value.to_owned() } else { String::new() });
        }
        let fit = match self {
            Self::Text | Self::Unlisted => Ok(trimmed.to_owned()),
            Self::Number => number(trimmed).ok_or("a number; write plain digits, such as 12 or -0.5"),
            Self::Date => date(trimmed).ok_or("a date; write YYYY-MM-DD (as = \"date\" makes it)"),
            Self::DateTime => instant(trimmed)
                .map(|time| time.to_string())
                .ok_or("a time with an offset; write ISO 8601 with Z (as = \"datetime\" makes it), or milliseconds"),
            Self::Milliseconds => milliseconds(trimmed).ok_or("a time in milliseconds"),
            Self::Option(options) => return choose(options, value).map(str::to_owned),
            Self::Options(options) => return choose_several(options, trimmed),
        };
        fit.map_err(|wanted| format!("{} is not {wanted}", shown(trimmed)))
    }
}

/// Plain digits, with a sign and a fraction.
fn number(text: &str) -> Option<String> {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let is_number = digits.len() > usize::from(digits.contains('.'))
        && whole.bytes().chain(fraction.bytes()).all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.trim_start_matches('+').to_owned())
}

/// A point in time that doesn't depend on a time zone. HubSpot takes any number for milliseconds.
fn instant(text: &str) -> Option<Time> {
    if let Ok(milliseconds) = text.parse() {
        return Some(Time::from_milliseconds(milliseconds));
    }
    // `Z`, `UTC`, `GMT` or an offset, after the date.
    let has_zone = text.get(10..).is_some_and(|clock| clock.contains(['Z', 'C', 'G', '+', '-']));
    Time::parse(text).ok().filter(|_| has_zone)
}

fn date(text: &str) -> Option<String> {
    let is_date = text.len() == 10 && text.contains('-');
    let time = if is_date { Time::parse(text).ok() } else { instant(text) };
    let midnight = time.filter(|time| time.milliseconds() % DAY == 0)?.to_string();
    midnight.split_once('T').map(|(date, _)| date.to_owned())
}

fn milliseconds(text: &str) -> Option<String> {
    let times = text.split(';').map(|part| Some(instant(part.trim())?.milliseconds().to_string()));
    times.collect::<Option<Vec<_>>>().map(|times| times.join(";"))
}

/// The option that a text means: by its value, else by its label, else by its value in another
/// case.
fn choose<'o>(options: &'o [Choice], text: &str) -> Result<&'o str, String> {
    let exactly = |text: &str| options.iter().find(|option| option.value == text);
    let folded = text.trim().to_lowercase();
    let only = |name: fn(&Choice) -> &str| {
        let mut alike =
            options.iter().filter(|option| name(option).trim().to_lowercase() == folded);
        alike.next().filter(|_| alike.next().is_none())
    };
    let option = exactly(text).or_else(|| exactly(text.trim()));
    let option =
        option.or_else(|| only(|option| &option.label)).or_else(|| only(|option| &option.value));
    option.map(|option| option.value.as_str()).ok_or_else(|| not_one_of(options, text))
}

/// Several options, joined by `;`. A `;` before them adds them to those that the task has.
fn choose_several(options: &[Choice], text: &str) -> Result<String, String> {
    let mut chosen = Vec::new();
    for part in text.split(';').filter(|part| !part.trim().is_empty()) {
        let option = choose(options, part)?;
        if !chosen.contains(&option) {
            chosen.push(option);
        }
    }
    if chosen.is_empty() {
        return Err(not_one_of(options, text));
    }
    Ok(format!("{}{}", if text.starts_with(';') { ";" } else { "" }, chosen.join(";")))
}

fn not_one_of(options: &[Choice], text: &str) -> String {
    let mut list = String::new();
    for (count, option) in options.iter().enumerate() {
        if count > 0 && list.len() + option.value.len() > LIST {
            return format!(
                "{} is not one of {list} and {} more",
                shown(text.trim()),
                options.len() - count
            );
        }
        let separator = if count > 0 { ", " } else { "" };
        list.push_str(separator);
        list.push_str(&option.value);
    }
    format!("{} is not one of {list}", shown(text.trim()))
}

fn shown(value: &str) -> String {
    match value.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &value[..end]),
        None => value.to_owned(),
    }
}

fn null_is_default<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(
    deserializer: D,
) -> Result<T, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::update::{OnMissing, TaskKey};

    /// The properties of a portal, cut down to what matters here.
    fn schema() -> Schema {
        let options = r#"[{"value": "NONE", "label": "None"}, {"value": "LOW", "label": "Low"},
            {"value": "HIGH", "label": "Urgent", "hidden": true}]"#;
        let tags = r#"[{"value": "a", "label": "Same"}, {"value": "b", "label": "Same"}, {"value": "B", "label": "c"},
            {"value": "c", "label": null}, {"value": " spaced ", "label": "Spaced"}]"#;
        let yes_no = r#"[{"value": "true", "label": "Yes"}, {"value": "false", "label": "No"}]"#;
        let many: Vec<_> =
            (100..200).map(|id| serde_json::json!({"value": format!("option-{id}")})).collect();
        let many = serde_json::Value::from(many);
        let text = format!(
            r#"{{"results": [
                {{"name": "ticket", "type": "string", "hasUniqueValue": true}},
                {{"name": "text", "type": "string", "label": "Text", "createdAt": "2026-01-01T00:00:00Z"}},
                {{"name": "number", "type": "number", "fieldType": "number", "options": []}},
                {{"name": "plain_bool", "type": "bool", "fieldType": "booleancheckbox"}},
                {{"name": "bool", "type": "bool", "options": {yes_no}}},
                {{"name": "date", "type": "date", "fieldType": "date"}},
                {{"name": "datetime", "type": "datetime", "fieldType": "date"}},
                {{"name": "hs_task_reminders", "type": "string"}},
                {{"name": "hs_task_priority", "type": "enumeration", "fieldType": "select", "options": {options}}},
                {{"name": "tags", "type": "enumeration", "fieldType": "checkbox", "options": {tags}}},
                {{"name": "tag", "type": "enumeration", "fieldType": "radio", "options": {tags}}},
                {{"name": "many", "type": "enumeration", "options": {many}}},
                {{"name": "hubspot_owner_id", "type": "enumeration", "fieldType": "select", "options": [],
                  "externalOptions": true, "referencedObjectType": "OWNER"}},
                {{"name": "reviewer", "type": "enumeration", "options": {tags}, "referencedObjectType": "OWNER"}},
                {{"name": "hs_createdate", "type": "datetime", "modificationMetadata": {{"readOnlyValue": true}}}},
                {{"name": "old", "type": "string", "archived": true}},
                {{"name": "future", "type": "object_coordinates", "modificationMetadata": null}}
            ]}}"#
        );
        Schema::parse(&text).unwrap()
    }

    fn check(name: &str, value: &str) -> Result<String, String> {
        schema().check_value(name, value).map_err(|(_, detail)| detail)
    }

    #[test]
    fn values_become_what_hubspot_takes() {
        for (name, value, expected) in [
            ("text", " as it is ", " as it is "),
            ("text", " ", " "),
            ("number", " 12 ", "12"),
            ("number", "-0.50", "-0.50"),
            ("number", "+7", "7"),
            ("number", ".5", ".5"),
            ("number", "123456789012345678901234567890", "123456789012345678901234567890"),
            ("plain_bool", "TRUE", "true"),
            ("plain_bool", " false", "false"),
            ("bool", "yes", "true"),
            ("bool", "False", "false"),
            ("date", "2026-03-05", "2026-03-05"),
            ("date", " 2026-03-05", "2026-03-05"),
            ("date", "1772668800000", "2026-03-05"),
            ("date", "2026-03-05T02:00:00+02:00", "2026-03-05"),
            ("date", "1969-12-31", "1969-12-31"),
            ("datetime", "2026-03-05T14:02:11Z", "2026-03-05T14:02:11.000Z"),
            ("datetime", "2026-03-05T14:02:11.1239+02:00", "2026-03-05T12:02:11.123Z"),
            ("datetime", "2026-03-05 14:02 UTC", "2026-03-05T14:02:00.000Z"),
            ("datetime", "2026-03-05T14:02-0500", "2026-03-05T19:02:00.000Z"),
            ("datetime", "1772668800001", "2026-03-05T00:00:00.001Z"),
            ("datetime", "0", "1970-01-01T00:00:00.000Z"),
            ("datetime", "9223372036854775807", "9223372036854775807"),
            ("hs_task_reminders", "1772668800000; 1772668800001", "1772668800000;1772668800001"),
            ("hs_task_reminders", "2026-03-05T00:00:00Z", "1772668800000"),
            ("hs_task_priority", "LOW", "LOW"),
            ("hs_task_priority", " low ", "LOW"),
            ("hs_task_priority", "urgent", "HIGH"),
            ("hs_task_priority", "HIGH", "HIGH"),
            ("hs_task_priority", "High", "HIGH"),
            ("tag", "b", "b"),
            ("tag", "C", "B"),
            ("tag", "c", "c"),
            ("tag", " spaced ", " spaced "),
            ("tag", "A", "a"),
            ("tags", "a; Spaced ;;a", "a; spaced "),
            ("tags", ";a;B", ";a;B"),
            ("tags", " ;A", ";a"),
            ("hubspot_owner_id", " 101 ", "101"),
            ("reviewer", "102", "102"),
            ("future", " x ", " x "),
        ] {
            assert_eq!(check(name, value).as_deref(), Ok(expected), "{name} = {value:?}");
        }
    }

    #[test]
    fn nothing_clears() {
        let schema = schema();
        for name in schema.properties.keys().filter(|name| *name != "hs_createdate") {
            assert_eq!(check(name, "").as_deref(), Ok(""), "{name}");
        }
        for name in
            ["number", "bool", "date", "datetime", "hs_task_priority", "tags", "hubspot_owner_id"]
        {
            assert_eq!(check(name, " \n").as_deref(), Ok(""), "{name}");
        }
    }

    #[test]
    fn what_hubspot_does_not_take_is_told_with_what_it_takes() {
        let datetime = "is not a time with an offset; write ISO 8601 with Z (as = \"datetime\" makes it), or milliseconds";
        let date = "is not a date; write YYYY-MM-DD (as = \"date\" makes it)";
        let number = "is not a number; write plain digits, such as 12 or -0.5";
        for (name, value, expected) in [
            ("hs_task_priority", "P9", "P9 is not one of NONE, LOW, HIGH"),
            ("hs_task_priority", "LOW;HIGH", "LOW;HIGH is not one of NONE, LOW, HIGH"),
            ("plain_bool", "yes", "yes is not one of true, false"),
            ("bool", "1", "1 is not one of true, false"),
            ("tag", "same", "same is not one of a, b, B, c,  spaced "),
            ("tags", "a; d ;e", "d is not one of a, b, B, c,  spaced "),
            ("tags", ";", "; is not one of a, b, B, c,  spaced "),
            ("hs_task_reminders", "tomorrow", "tomorrow is not a time in milliseconds"),
            ("hs_task_reminders", "1772668800000;", "1772668800000; is not a time in milliseconds"),
        ] {
            assert_eq!(
                check(name, value),
                Err(format!("{name}: {expected}")),
                "{name} = {value:?}"
            );
        }
        for value in ["twelve", "1e5", "1,000", "1.2.3", "NaN", "0x1F", "-", ".", "+-1", "１２"] {
            assert_eq!(check("number", value), Err(format!("number: {value} {number}")));
        }
        for value in [
            "soon",
            "2026-03-05",
            "2026-03-05T14:02:11",
            "2026-02-30T00:00:00Z",
            "1.5",
            "2026-03-0é",
        ] {
            assert_eq!(check("datetime", value), Err(format!("datetime: {value} {datetime}")));
        }
        for value in [
            "soon",
            "2026-02-30",
            "05.03.2026",
            "1772668800001",
            "2026-03-05T00:00:00",
            "9223372036854720000",
        ] {
            assert_eq!(check("date", value), Err(format!("date: {value} {date}")));
        }
    }

    #[test]
    fn a_long_value_and_a_long_list_are_cut() {
        let detail = check("many", &"é".repeat(200)).unwrap_err();
        let (value, list) =
            detail.strip_prefix("many: ").unwrap().split_once("… is not one of ").unwrap();
        assert_eq!(value, "é".repeat(60));
        assert!(
            list.starts_with("option-100, option-101, ")
                && list.ends_with("option-112 and 87 more"),
            "{list}"
        );
    }

    #[test]
    fn properties_that_are_not_there_or_can_not_be_written_are_told() {
        let schema = schema();
        let unknown = |name: &str| {
            (FailReason::UnknownProperty, format!("{name}: the portal has no such property"))
        };
        for name in ["hs_foo", "old"] {
            assert_eq!(schema.check_value(name, "x"), Err(unknown(name)));
            assert_eq!(schema.check_id_property(name), Err(unknown(name)));
            assert_eq!(schema.check_updated_at_property(name), Err(unknown(name)));
        }
        let read_only = (FailReason::ReadOnlyProperty, "hs_createdate: it is read-only".to_owned());
        assert_eq!(schema.check_value("hs_createdate", ""), Err(read_only.clone()));
        assert_eq!(schema.check_updated_at_property("hs_createdate"), Err(read_only));
        assert_eq!(schema.check_updated_at_property("datetime"), Ok(()));
        let detail =
            "text is a string property; updated_at_property needs a datetime one".to_owned();
        assert_eq!(
            schema.check_updated_at_property("text"),
            Err((FailReason::InvalidValue, detail))
        );
        assert_eq!(schema.check_id_property("ticket"), Ok(()));
        assert_eq!(schema.check_id_property(RECORD_ID), Ok(()));
        let detail = "text is not a property with unique values; id_property needs one".to_owned();
        assert_eq!(schema.check_id_property("text"), Err((FailReason::NotUniqueProperty, detail)));
    }

    fn update(id_property: &str, properties: &[(&str, Value)]) -> Update {
        Update {
            task: TaskKey { id_property: id_property.to_owned(), id: "1".to_owned() },
            time: Time::from_milliseconds(0),
            on_missing: OnMissing::Fail,
            updated_at_property: Some("datetime".to_owned()),
            properties: properties
                .iter()
                .map(|(name, value)| ((*name).to_owned(), value.clone()))
                .collect(),
        }
    }

    fn text(text: &str) -> Value {
        Value::Text(text.to_owned())
    }

    fn owner(otherwise: &str) -> Value {
        Value::Owner {
            email: "ada@acme.example".to_owned(),
            unknown: Unknown::Write(otherwise.to_owned()),
        }
    }

    #[test]
    fn an_update_is_put_as_hubspot_takes_it() {
        let before =
            [("number", text(" 1 ")), ("hs_task_priority", owner("low")), ("tag", owner("nobody"))];
        let after =
            [("number", text("1")), ("hs_task_priority", owner("LOW")), ("tag", owner("nobody"))];
        let mut found = update("ticket", &before);
        assert_eq!(schema().check(&mut found), Ok(()));
        assert_eq!(found, update("ticket", &after));
    }

    #[test]
    fn everything_that_is_wrong_with_an_update_is_told_at_once() {
        let properties =
            [("number", text("x")), ("text", text("fine")), ("hs_createdate", owner(""))];
        let (reason, detail) = schema().check(&mut update("text", &properties)).unwrap_err();
        let details: Vec<_> =
            detail.split("; ").map(|part| part.split(' ').next().unwrap()).collect();
        assert_eq!(reason, FailReason::NotUniqueProperty);
        assert_eq!(details, ["text", "id_property", "number:", "write", "hs_createdate:"]);
        assert_eq!(schema().check(&mut update("text", &[])), Ok(()), "it is not sent");
    }

    #[test]
    fn a_schema_is_an_answer_of_hubspot_or_the_list_in_it() {
        for text in [
            r#"[{"name": "a"}]"#,
            "\u{feff}{\"results\": [{\"name\": \"a\", \"options\": null, \"fieldType\": null, \"new\": [1]}]}\r\n",
        ] {
            assert_eq!(
                Schema::parse(text).unwrap().check_value("a", "x").as_deref(),
                Ok("x"),
                "{text}"
            );
        }
        for (text, problem) in [
            ("", "EOF while parsing a value at line 1 column 0"),
            ("name,type\n", "expected ident at line 1 column 2"),
            (
                r#"{"status": "error", "category": "MISSING_SCOPES"}"#,
                "missing field `results` at line 1 column 49",
            ),
            (r#"[{"label": "A"}]"#, "missing field `name` at line 1 column 15"),
            (r#"[{"name": "a"}"#, "EOF while parsing a list at line 1 column 14"),
        ] {
            let found = Schema::parse(text).unwrap_err();
            assert_eq!(
                found,
                format!("is not a list of property definitions: {problem}"),
                "{text}"
            );
        }
        for text in [r#"{"results": []}"#, r#"[{"name": "a", "archived": true}]"#] {
            assert_eq!(
                Schema::parse(text).unwrap_err(),
                "has no properties",
                "every update would fail: {text}"
            );
        }
    }
}
