//! `taskhook check --online`: whether the portal's contacts, companies, deals and tickets can be
//! found by the properties that the source files name.

use anyhow::Result;

use super::findings::Findings;
use super::portal;
use super::shared;
use crate::hubspot::Schema;
use crate::outcome::FailReason;
use crate::settings::ApiVersion;
use crate::source::{LinkDemand, Problem, SourceFile, link_demands};
use crate::update::Object;

/// Adds a problem for each property that isn't there, or isn't unique. Returns a line for each
/// kind of record whose properties can't be read.
pub(super) fn check(sources: &[SourceFile], findings: &mut Findings) -> Result<String> {
    let demands: Vec<_> = sources.iter().flat_map(link_demands).collect();
    if demands.is_empty() {
        return Ok(String::new());
    }
    let schemas = shared::block_on(read(&demands))??;
    let mut lines = Vec::new();
    for (object, schema) in &schemas {
        let asked = demands.iter().filter(|demand| demand.object == *object);
        match schema {
            Ok(schema) => findings.add_problems(asked.filter_map(|demand| problem(demand, schema))),
            Err(why) => {
                let what = object.plural();
                lines.push(format!("the properties of {what} can't be checked: {why}\n"));
            }
        }
    }
    Ok(lines.concat())
}

/// What the portal says of each kind of record that is asked for, or why it can't be read.
async fn read(demands: &[LinkDemand]) -> Result<Vec<(Object, Result<Schema, String>)>> {
    let version = ApiVersion::read(&shared::variable)?;
    let hubspot = portal::connect().await?;
    let mut schemas = Vec::new();
    for object in Object::ALL {
        if !demands.iter().any(|demand| demand.object == object) {
            continue;
        }
        let schema = match hubspot.properties_of(object, &version, portal::deadline()).await {
            Ok(answer) => portal::schema(&answer).map_err(|error| error.to_string()),
            Err(error) => Err(portal::sentence(&error)),
        };
        schemas.push((object, schema));
    }
    Ok(schemas)
}

/// What is wrong with a property, and what to do.
fn problem(demand: &LinkDemand, schema: &Schema) -> Option<Problem> {
    let (name, what) = (&demand.property, demand.object.plural());
    let reason = schema.check_id_property(name).err()?.reason;
    Some(demand.problem(match (reason, schema.nearest(name)) {
        (FailReason::UnknownProperty, Some(meant)) => {
            format!("{name}: the portal's {what} have no such property; did you mean `{meant}`?")
        }
        (FailReason::UnknownProperty, None) => format!(
            "{name}: the portal's {what} have no such property; create it with unique values, or \
             correct the name"
        ),
        _ => format!(
            "{name} of {what} is not a property with unique values, and that can't be changed \
             later; name another one, or \"hs_object_id\""
        ),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_property_has_to_be_there_and_unique() {
        let toml = "[task.associate]\ncontact = '.a'\ncompany = { by = \"desk_id\", from = '.b' }\n\
                    deal = { by = \"hs_object_id\", from = '.c' }\n";
        let demands = link_demands(&SourceFile::from_text("desk.toml", "desk", toml));
        assert_eq!(demands.len(), 1, "the others are in every portal: {demands:?}");
        let said = |portal: &str| {
            let schema = Schema::parse(portal).unwrap();
            problem(&demands[0], &schema).map(|problem| problem.to_string())
        };
        assert_eq!(said(r#"[{"name": "desk_id", "hasUniqueValue": true}]"#), None);
        for (portal, expected) in [
            (
                r#"[{"name": "desk_id"}]"#,
                "desk.toml:3:18: desk_id of companies is not a property with unique values, and \
                 that can't be changed later; name another one, or \"hs_object_id\"",
            ),
            (
                r#"[{"name": "desk_ids"}]"#,
                "desk.toml:3:18: desk_id: the portal's companies have no such property; did you \
                 mean `desk_ids`?",
            ),
            (
                r#"[{"name": "domain"}]"#,
                "desk.toml:3:18: desk_id: the portal's companies have no such property; create it \
                 with unique values, or correct the name",
            ),
        ] {
            assert_eq!(said(portal).as_deref(), Some(expected));
        }
    }
}
