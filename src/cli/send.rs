//! `taskhook send`: a webhook as its sender would send it, to a function that runs.

use std::time::Duration;

use anyhow::{Result, anyhow};
use http::{HeaderMap, Uri};
use serde_json::Value;

use super::headers::OF_THE_CONNECTION;
use super::shared::{self, UsedWrongly};
use super::signed::Signed;
use crate::outbound::{self, Http};
use crate::settings;

/// Sign a payload and post it, and print the status and the summary
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    signed: Signed,
    /// Address of the function, to which the source's path is added; one with a path is taken as it
    /// is
    #[arg(long)]
    url: Uri,
}

/// A function answers within 8 s unless it is told otherwise; the longest that API Gateway waits
/// for is 30 s.
const ANSWERS_WITHIN: Duration = Duration::from_mins(1);

/// Fails when the answer is not a 2xx.
pub(super) fn run(arguments: &Arguments) -> Result<()> {
    let delivery = arguments.signed.delivery()?;
    let url = address(&arguments.url, &delivery.path, &delivery.query)?;
    let mut headers = delivery.headers;
    for name in &OF_THE_CONNECTION {
        headers.remove(name);
    }
    let network =
        settings::network(&shared::variable).map_err(|problems| shared::join(&problems))?;
    let http = Http::new(&network);
    let (status, body) = shared::block_on(post(&http, &url, headers, delivery.body))??;
    let summary = serde_json::from_str::<Value>(&body).unwrap_or_default();
    let body = if summary.is_null() { body } else { format!("{summary:#}") };
    shared::print(&format!("{status}\n{body}\n"))?;
    if let Some(failed) = summary["failed"].as_u64().filter(|failed| *failed > 0) {
        let first = summary["tasks"].as_array().into_iter().flatten();
        let first = first.clone().find(|row| row["outcome"] == "failed").unwrap_or(&Value::Null);
        let (reason, detail) = (first["reason"].as_str(), first["detail"].as_str());
        eprintln!(
            "It was accepted, but {failed} failed: {}: {}.",
            reason.unwrap_or_default(),
            detail.unwrap_or_default()
        );
    }
    let what_to_do = match status.as_u16() {
        200..=299 => return Ok(()),
        401 => "compare --secret with the secret that the function has.",
        404 | 405 => {
            "--url is the address of the function, or that followed by the path of the source."
        }
        400 | 413 => "the body is not what the source takes.",
        503 => "the same event can succeed later.",
        _ => "the function's log says why.",
    };
    Err(anyhow!("{url} answered {status}: {what_to_do}"))
}

/// The address as it is given if it has a path, else with that of the source and, besides its own,
/// the event's query.
fn address(given: &Uri, path: &str, query: &[(String, String)]) -> Result<String> {
    let (Some("http" | "https"), Some(authority)) = (given.scheme_str(), given.authority()) else {
        let why = format!("--url is {given}; write an address with https:// or http://.");
        return Err(UsedWrongly(why).into());
    };
    if authority.as_str().contains('@') {
        return Err(anyhow!(
            "--url names a user before the @ of {}, who is not sent; leave it out.",
            authority.host()
        ));
    }
    if given.path() != "/" {
        return Ok(given.to_string());
    }
    let base = format!("{}://{authority}{path}", given.scheme_str().unwrap_or_default());
    let asked = given.query().unwrap_or_default().to_owned();
    let query = form_urlencoded::Serializer::new(asked).extend_pairs(query).finish();
    Ok(if query.is_empty() { base } else { format!("{base}?{query}") })
}

async fn post(
    http: &Http,
    url: &str,
    headers: HeaderMap,
    body: bytes::Bytes,
) -> Result<(http::StatusCode, String)> {
    let request = http.fresh().post(url).headers(headers).body(body).timeout(ANSWERS_WITHIN);
    let unreachable = |error| anyhow!("{url} can't be reached: {}.", outbound::causes(&error));
    let answer = request.send().await.map_err(unreachable)?;
    Ok((answer.status(), answer.text().await.map_err(unreachable)?))
}
