//! `taskhook check --online`: what the portal requires of the tasks that source files make.

use anyhow::Result;

use super::findings::Findings;
use super::portal;
use super::shared;
use crate::settings::ApiVersion;
use crate::source::{Creation, SourceFile, Warning, creation};

/// The due date, which HubSpot requires and Taskhook sees to.
const DUE: &str = "hs_timestamp";

/// Adds a warning for each property that the portal requires of a new task and a file never gives.
/// Returns what there is to say besides, in lines.
pub(super) fn check(sources: &[SourceFile], findings: &mut Findings) -> Result<String> {
    let mut lines = String::new();
    let mut makers = Vec::new();
    for file in sources {
        if let Some(creation) = creation(file) {
            lines.push_str(&due(&file.name, &creation));
            makers.push(creation);
        }
    }
    if makers.is_empty() {
        return Ok(lines);
    }
    match shared::block_on(required())?? {
        Some(required) => {
            for creation in &makers {
                findings.add_warnings(warnings(creation, &required));
            }
        }
        None => lines.push_str(
            "HubSpot doesn't tell this token what else the portal requires of a new task: make one \
             first, and look at what becomes of it\n",
        ),
    }
    Ok(lines)
}

/// What the portal requires of a new task; `None` where HubSpot doesn't tell.
async fn required() -> Result<Option<Vec<String>>> {
    let version = ApiVersion::read(&shared::variable)?;
    let hubspot = portal::connect().await?;
    Ok(hubspot.required_properties(&version, portal::deadline()).await.ok())
}

/// The due date of the tasks that a source makes, in a line.
fn due(name: &str, creation: &Creation) -> String {
    let when = if creation.gives.iter().any(|given| given == DUE) {
        "where `hs_timestamp` gives none, they are due at the time of the event"
    } else {
        "no line gives `hs_timestamp`, so they are due at the time of the event"
    };
    format!("{name} makes tasks: {when}\n")
}

fn warnings(creation: &Creation, required: &[String]) -> Vec<Warning> {
    let mut warnings = Vec::new();
    for name in required {
        if name != DUE && !creation.gives.contains(name) {
            warnings.push(Warning(creation.problem(format!(
                "the portal requires {name} of a new task, and no line of [properties] gives it: \
                 HubSpot may refuse to make the task"
            ))));
        }
    }
    warnings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(on_missing: &str, property: &str) -> Option<Creation> {
        let toml = format!(
            "[task]\nid_property = \"ticket\"\non_missing = {on_missing}\n[properties]\n{property} = '.a'\n"
        );
        creation(&SourceFile::from_text("desk.toml", "desk", toml))
    }

    #[test]
    fn what_the_portal_requires_and_the_file_never_gives_is_told() {
        let required = ["ticket", "hs_timestamp", "hs_task_subject"].map(str::to_owned);
        let told = |property: &str| {
            let creation = made("\"create\"", property).unwrap();
            warnings(&creation, &required).iter().map(Warning::to_string).collect::<Vec<_>>()
        };
        assert_eq!(told("hs_task_subject"), [""; 0]);
        assert_eq!(
            told("hs_task_body"),
            ["desk.toml:3:14: warning: the portal requires hs_task_subject of a new task, and no \
              line of [properties] gives it: HubSpot may refuse to make the task"]
        );
    }

    #[test]
    fn a_source_that_makes_tasks_is_told_their_due_date() {
        let by_event = "{ from = '.v', map = { new = \"create\" } }";
        let told = |property: &str| due("desk", &made(by_event, property).unwrap());
        assert!(told("hs_timestamp").contains("where `hs_timestamp` gives none"));
        assert!(told("a").starts_with("desk makes tasks: no line gives `hs_timestamp`"));
        for makes_none in ["\"fail\"", "\"skip\"", "{ from = '.v', map = { old = \"skip\" } }"] {
            assert_eq!(made(makes_none, "a"), None, "{makes_none}");
        }
    }
}
