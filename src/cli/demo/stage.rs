//! The stage of the demo: where the functions and the stand-ins are, and the calls to them.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Result, anyhow};
use serde::Deserialize;
use serde_json::Value;

use crate::settings::Aws;
use crate::{files, outbound};

/// Where everything is.
#[derive(Deserialize)]
pub(super) struct Stage {
    pub(super) mode: String,
    /// The command that invokes `webhook`, to which `--data-file FILE` is added.
    pub(super) invoke: Vec<String>,
    /// The address of the function `webhook`.
    pub(super) function_url: String,
    pub(super) hubspot: String,
    pub(super) aws: String,
    pub(super) updates: String,
    pub(super) dead_letters: String,
    /// The source files that the functions read.
    pub(super) sources: PathBuf,
    /// The files with the logs of what runs.
    pub(super) logs: Vec<String>,
}

/// How long the stand-ins and the functions may take to answer; they need milliseconds.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);

/// The region of the stand-in for AWS. Any will do.
pub(super) const REGION: &str = "eu-central-1";

impl Stage {
    /// The stand-in for AWS.
    pub(super) fn aws(&self) -> Aws {
        Aws {
            region: REGION.to_owned(),
            access_key_id: "local".to_owned(),
            secret_access_key: "local".to_owned(),
            session_token: None,
            secrets_manager_url: Some(self.aws.clone()),
            sqs_url: Some(self.aws.clone()),
        }
    }

    /// Shows which functions run, and where.
    pub(super) fn show_functions(&self) {
        let sources = files::read(&self.sources).unwrap_or_default().len();
        show(
            "Function webhook",
            &self.function_url,
            &format!("{} mode, {sources} sources", self.mode),
        );
        if self.mode == "durable" {
            show("Function worker", "behind the queue", queue_name(&self.updates));
        }
    }
}

/// A row of the table of everything that runs.
pub(super) fn show(name: &str, place: &str, about: &str) {
    println!("{name:<18} {place:<42} {about}");
}

/// The name of a queue: the end of its address.
pub(super) fn queue_name(address: &str) -> &str {
    address.rsplit('/').next().unwrap_or_default()
}

/// One call to a server on this machine; `body` is sent as JSON. Gives its answer, null where it
/// has none.
pub(super) async fn call(
    method: http::Method,
    url: &str,
    token: Option<&str>,
    body: Option<&Value>,
) -> Result<Value> {
    let mut request = outbound::client(false).request(method, url).timeout(PATIENCE);
    if let Some(token) = token {
        request = request.bearer_auth(token);
    }
    if let Some(body) = body {
        request =
            request.header(http::header::CONTENT_TYPE, "application/json").body(body.to_string());
    }
    let failed = |error| anyhow!("{url} can't be reached: {}.", outbound::causes(&error));
    let answer = request.send().await.map_err(failed)?;
    let status = answer.status();
    let text = answer.text().await.map_err(failed)?;
    if !status.is_success() {
        return Err(anyhow!("{url} answered {status}: {text}"));
    }
    Ok(serde_json::from_str(&text).unwrap_or_default())
}

pub(super) async fn get(url: &str) -> Result<Value> {
    call(http::Method::GET, url, None, None).await
}

/// The tasks of the stand-in.
pub(super) async fn tasks(stage: &Stage) -> Result<Vec<Value>> {
    let tasks = get(&format!("{}/_sim/tasks", stage.hubspot)).await?;
    Ok(tasks.as_array().cloned().unwrap_or_default())
}

/// The calls that the stand-in got: method, path, status, and body.
pub(super) async fn hubspot_calls(stage: &Stage) -> Result<Vec<Value>> {
    let calls = get(&format!("{}/_sim/calls", stage.hubspot)).await?;
    Ok(calls.as_array().cloned().unwrap_or_default())
}

/// The purpose of a call, such as `batch/update` or `owners`, whatever the version of the API.
pub(super) fn kind(call: &Value) -> String {
    let path = call["path"].as_str().unwrap_or_default();
    let path = path.split('?').next().unwrap_or_default();
    match path.split_once("/tasks/") {
        Some((_, id)) if id.bytes().all(|byte| byte.is_ascii_digit()) => "edit".to_owned(),
        Some((_, operation)) => operation.to_owned(),
        None if path.contains("/owners") => "owners".to_owned(),
        // The function connects before its first call.
        None if path == "/" => "connection".to_owned(),
        None => match path.split_once("/contacts/") {
            Some((_, operation)) => format!("contacts/{operation}"),
            None => path.to_owned(),
        },
    }
}

/// How many calls there were of each kind, the most frequent first.
pub(super) fn kinds(calls: &[Value]) -> String {
    let mut counts = std::collections::BTreeMap::new();
    for call in calls {
        *counts.entry(kind(call)).or_insert(0_usize) += 1;
    }
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let words: Vec<_> = counts.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
    words.join(", ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn calls_are_counted_by_what_they_do_in_every_version_of_the_api() {
        let call = |path: &str| json!({"path": path});
        let calls = [
            call("/crm/v3/objects/tasks/batch/read"),
            call("/crm/v3/owners?limit=100"),
            call("/crm/objects/2026-03/tasks/batch/read"),
            call("/crm/objects/2026-03/tasks/40000000001"),
            call("/crm/objects/2026-03/contacts/batch/read"),
        ];
        assert_eq!(kinds(&calls), "2 batch/read, 1 contacts/batch/read, 1 edit, 1 owners");
    }
}
