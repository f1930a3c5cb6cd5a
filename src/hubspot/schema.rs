//! The schema of a portal's task properties, as `taskhook schema pull` prints it. Pure.
//!
//! Values are checked and normalised before they are sent, so that a bad one costs no call. HubSpot
//! is left to judge where the definitions don't, such as the options of a property that keeps them
//! elsewhere.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::takes::{Choice, NotTaken, Takes, null_is_default};
use crate::outcome::FailReason;
use crate::text::nearest;
use crate::update::{RECORD_ID, Unknown, Update, Value};

/// The task properties of a portal.
#[derive(Debug)]
pub struct Schema {
    properties: BTreeMap<String, Property>,
    /// Whether the portal may have sensitive properties that its definitions lack.
    lacks_sensitive: bool,
}

/// Why the portal doesn't take an update, a property or a value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct Unfit {
    /// The kind of failure.
    pub reason: FailReason,
    /// A sentence that names the property, the value and the values that are allowed.
    pub detail: String,
    /// Whether the detail lists the options that the property takes.
    pub lists_options: bool,
}

/// Why a text holds no schema. The rest of a sentence that begins with the file.
#[derive(Debug, thiserror::Error)]
pub enum NoSchema {
    /// It is not JSON of this form.
    #[error("is not a list of property definitions: {0}")]
    NotDefinitions(#[from] serde_json::Error),
    /// With no property every update would fail.
    #[error("has no properties")]
    Empty,
}

#[derive(Debug)]
struct Property {
    kind: String,
    takes: Takes,
    is_read_only: bool,
    has_unique_value: bool,
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

/// Typed as text by HubSpot, but it takes milliseconds only.
const REMINDERS: &str = "hs_task_reminders";

impl Schema {
    /// Reads the JSON of `taskhook schema pull`, HubSpot's list of properties, or the list in it.
    pub fn parse(text: &str) -> Result<Self, NoSchema> {
        // Windows tools put a byte order mark before a file that they save.
        let text = text.trim_start_matches('\u{feff}');
        let answer = if text.trim_start().starts_with('[') {
            Answer { results: serde_json::from_str(text)?, unseen: Vec::new() }
        } else {
            serde_json::from_str(text)?
        };
        let mut properties = BTreeMap::new();
        for definition in answer.results {
            if !definition.archived {
                properties.insert(definition.name.clone(), Property::from(definition));
            }
        }
        if properties.is_empty() {
            return Err(NoSchema::Empty);
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

    /// Checks an update and rewrites its values in HubSpot's form. Everything that is wrong with
    /// it is told together. A property that the portal [may have](Self::may_have) is left to
    /// HubSpot.
    ///
    /// The id of an owner is HubSpot's own and needs no check.
    pub fn fit(&self, update: &mut Update) -> Result<(), Unfit> {
        let mut unfit = Vec::new();
        // Without properties it is not sent.
        if !update.properties.is_empty() {
            let id_property = &update.task.id_property;
            if !self.may_have(id_property) {
                unfit.extend(self.check_id_property(id_property).err());
            }
            if let Some(name) = &update.updated_at_property
                && !self.may_have(name)
            {
                unfit.extend(self.check_updated_at_property(name).err());
            }
        }
        for (name, value) in &mut update.properties {
            if !self.may_have(name) {
                unfit.extend(self.normalise(name, value).err());
            }
        }
        let Some(first) = unfit.first() else { return Ok(()) };
        let details: Vec<_> = unfit.iter().map(|unfit| unfit.detail.as_str()).collect();
        Err(Unfit { detail: details.join("; "), ..*first })
    }

    /// Puts a value as HubSpot takes it.
    fn normalise(&self, name: &str, value: &mut Value) -> Result<(), Unfit> {
        match value {
            Value::Text(text) => *text = self.check_value(name, text)?,
            Value::Owner { unknown, .. } => {
                let property = self.writable(name)?;
                // It may never be written; if it is and is wrong, HubSpot says so.
                if let Unknown::Write(text) = unknown
                    && let Ok(fit) = property.takes.normalise(text)
                {
                    *text = fit;
                }
            }
        }
        Ok(())
    }

    /// The value of a property as HubSpot takes it.
    pub fn check_value(&self, name: &str, value: &str) -> Result<String, Unfit> {
        let fit = self.writable(name)?.takes.normalise(value);
        fit.map_err(|why| Unfit {
            reason: FailReason::InvalidValue,
            detail: format!("{name}: {why}"),
            lists_options: matches!(why, NotTaken::NotAnOption(..)),
        })
    }

    /// Whether a property can be written, whatever the value is.
    pub fn check_writable(&self, name: &str) -> Result<(), Unfit> {
        self.writable(name)?;
        Ok(())
    }

    /// Whether tasks can be told apart by a property.
    pub fn check_id_property(&self, name: &str) -> Result<(), Unfit> {
        if name == RECORD_ID || self.property(name)?.has_unique_value {
            return Ok(());
        }
        let detail = format!("{name} is not a property with unique values; id_property needs one");
        Err(unfit(FailReason::NotUniqueProperty, detail))
    }

    /// Whether a property can keep the newest event time.
    pub fn check_updated_at_property(&self, name: &str) -> Result<(), Unfit> {
        let Property { takes, kind, .. } = self.writable(name)?;
        if matches!(takes, Takes::DateTime) {
            return Ok(());
        }
        let detail =
            format!("{name} is a {kind} property; updated_at_property needs a datetime one");
        Err(unfit(FailReason::InvalidValue, detail))
    }

    /// The property that somebody may have meant who wrote a name that the portal doesn't know.
    #[must_use]
    pub fn nearest(&self, name: &str) -> Option<&str> {
        nearest(name, self.properties.keys().map(String::as_str))
    }

    fn property(&self, name: &str) -> Result<&Property, Unfit> {
        self.properties.get(name).ok_or_else(|| {
            unfit(FailReason::UnknownProperty, format!("{name}: the portal has no such property"))
        })
    }

    fn writable(&self, name: &str) -> Result<&Property, Unfit> {
        let property = self.property(name)?;
        if property.is_read_only {
            return Err(unfit(FailReason::ReadOnlyProperty, format!("{name}: it is read-only")));
        }
        Ok(property)
    }
}

fn unfit(reason: FailReason, detail: String) -> Unfit {
    Unfit { reason, detail, lists_options: false }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Time;
    use crate::update::TaskKey;

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
        schema().check_value(name, value).map_err(|unfit| unfit.detail)
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
            unfit(FailReason::UnknownProperty, format!("{name}: the portal has no such property"))
        };
        for name in ["hs_foo", "old"] {
            assert_eq!(schema.check_value(name, "x"), Err(unknown(name)));
            assert_eq!(schema.check_id_property(name), Err(unknown(name)));
            assert_eq!(schema.check_updated_at_property(name), Err(unknown(name)));
        }
        let read_only =
            unfit(FailReason::ReadOnlyProperty, "hs_createdate: it is read-only".to_owned());
        assert_eq!(schema.check_value("hs_createdate", ""), Err(read_only.clone()));
        assert_eq!(schema.check_updated_at_property("hs_createdate"), Err(read_only));
        assert_eq!(schema.check_updated_at_property("datetime"), Ok(()));
        let detail =
            "text is a string property; updated_at_property needs a datetime one".to_owned();
        assert_eq!(
            schema.check_updated_at_property("text"),
            Err(unfit(FailReason::InvalidValue, detail))
        );
        assert_eq!(schema.check_id_property("ticket"), Ok(()));
        assert_eq!(schema.check_id_property(RECORD_ID), Ok(()));
        let detail = "text is not a property with unique values; id_property needs one".to_owned();
        assert_eq!(
            schema.check_id_property("text"),
            Err(unfit(FailReason::NotUniqueProperty, detail))
        );
    }

    fn update(id_property: &str, properties: &[(&str, Value)]) -> Update {
        Update {
            updated_at_property: Some("datetime".to_owned()),
            properties: properties
                .iter()
                .map(|(name, value)| ((*name).to_owned(), value.clone()))
                .collect(),
            ..Update::new(
                TaskKey { id_property: id_property.to_owned(), id: "1".to_owned() },
                Time::from_milliseconds(0),
            )
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
        assert_eq!(schema().fit(&mut found), Ok(()));
        assert_eq!(found, update("ticket", &after));
    }

    #[test]
    fn everything_that_is_wrong_with_an_update_is_told_at_once() {
        let properties =
            [("number", text("x")), ("text", text("fine")), ("hs_createdate", owner(""))];
        let Unfit { reason, detail, .. } =
            schema().fit(&mut update("text", &properties)).unwrap_err();
        let details: Vec<_> =
            detail.split("; ").map(|part| part.split(' ').next().unwrap()).collect();
        assert_eq!(reason, FailReason::NotUniqueProperty);
        assert_eq!(details, ["text", "id_property", "number:", "write", "hs_createdate:"]);
        assert_eq!(schema().fit(&mut update("text", &[])), Ok(()), "it is not sent");
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
                found.to_string(),
                format!("is not a list of property definitions: {problem}"),
                "{text}"
            );
        }
        for text in [r#"{"results": []}"#, r#"[{"name": "a", "archived": true}]"#] {
            assert_eq!(
                Schema::parse(text).unwrap_err().to_string(),
                "has no properties",
                "every update would fail: {text}"
            );
        }
    }
}
