//! Region and credentials of a profile or of single sign-on: the AWS command line is asked for them.
//!
//! So whatever it knows works here: profiles, single sign-on, roles, second factors, processes. The
//! crate `aws-config` would be 14 crates more in every build of the tool, and know less.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::process::{Command, Output, Stdio};

use anyhow::{Result, anyhow, bail};
use serde_json::Value;

use super::shared;

const KEY_ID: &str = "AWS_ACCESS_KEY_ID";

/// What to do where there is no profile either.
const BY_HAND: &str = "set AWS_PROFILE to a profile of the AWS command line, or AWS_ACCESS_KEY_ID, \
                       AWS_SECRET_ACCESS_KEY and AWS_REGION";

/// The environment, with what the AWS command line knows.
#[derive(Default)]
pub(super) struct Environment {
    found: BTreeMap<&'static str, String>,
}

impl Environment {
    /// Asks for what the environment lacks: credentials, once, so that a command can go on for as
    /// long as they last, and the region.
    pub(super) fn read() -> Result<Self> {
        let mut found = BTreeMap::new();
        if value(KEY_ID).is_none() {
            let credentials = credentials()?;
            let fields = [
                (KEY_ID, "AccessKeyId"),
                ("AWS_SECRET_ACCESS_KEY", "SecretAccessKey"),
                ("AWS_SESSION_TOKEN", "SessionToken"),
            ];
            for (variable, field) in fields {
                let text = credentials[field].as_str().unwrap_or_default();
                found.insert(variable, text.to_owned());
            }
        }
        if value("AWS_REGION").or_else(|| value("AWS_DEFAULT_REGION")).is_none() {
            found.insert("AWS_REGION", region()?);
        }
        Ok(Self { found })
    }

    /// The value of a variable.
    pub(super) fn variable(&self, name: &str) -> Option<String> {
        self.found.get(name).cloned().or_else(|| shared::variable(name))
    }
}

/// The value of a variable that is set to something.
fn value(name: &str) -> Option<String> {
    shared::variable(name).filter(|value| !value.trim().is_empty())
}

/// <https://docs.aws.amazon.com/cli/latest/reference/configure/export-credentials.html>
fn credentials() -> Result<Value> {
    let arguments = ["configure", "export-credentials", "--format", "process"];
    let Some(output) = ask(&arguments)? else {
        bail!(
            "No AWS credentials, and no AWS command line to ask for those of a profile: {BY_HAND}."
        )
    };
    if output.status.success() {
        // Without the words of the error, which could quote a key.
        let credentials = serde_json::from_slice(&output.stdout);
        return credentials.map_err(|_| anyhow!("The AWS command line gives no credentials."));
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(anyhow!(why(&said, value("AWS_PROFILE").as_deref())))
}

/// Why the AWS command line gives no credentials, and what to do, by what it says itself.
fn why(said: &str, profile: Option<&str>) -> String {
    let option = profile.map(|name| format!(" --profile {name}")).unwrap_or_default();
    let name = profile.unwrap_or("default");
    let small = said.to_ascii_lowercase();
    if small.contains("could not be found") {
        return format!(
            "There is no profile {name:?}, which AWS_PROFILE names: `aws configure list-profiles` \
             lists those that there are."
        );
    }
    if small.contains("sso") || small.contains("expired") {
        return format!(
            "The sign-on of profile {name:?} has expired: run `aws sso login{option}`."
        );
    }
    if small.contains("invalid choice") {
        return format!(
            "The AWS command line is too old to export credentials: install version 2.9 or newer, \
             or {BY_HAND}."
        );
    }
    let last = said.trim().lines().last().unwrap_or_default().trim_end_matches('.');
    if last.is_empty() || small.contains("unable to retrieve credentials") {
        return format!("No AWS credentials in profile {name:?}: {BY_HAND}.");
    }
    format!("No AWS credentials of profile {name:?}: {last}; {BY_HAND}.")
}

fn region() -> Result<String> {
    let output = ask(&["configure", "get", "region"])?;
    let stdout = output.map(|output| output.stdout).unwrap_or_default();
    match String::from_utf8_lossy(&stdout).trim() {
        "" => bail!("No AWS region: set AWS_REGION, such as eu-central-1, or that of the profile."),
        region => Ok(region.to_owned()),
    }
}

/// Runs the AWS command line; `None`, if it isn't there. It may ask for a second factor at the
/// terminal.
fn ask(arguments: &[&str]) -> Result<Option<Output>> {
    let mut command = Command::new("aws");
    match command.args(arguments).stdin(Stdio::inherit()).output() {
        Ok(output) => Ok(Some(output)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(anyhow!("The AWS command line can't be run: {error}.")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_aws_command_line_says_becomes_what_to_do() {
        for (said, profile, expected) in [
            ("The config profile (ops) could not be found", Some("ops"), "no profile \"ops\""),
            (
                "Error when retrieving token from sso: Token has expired and refresh failed",
                Some("ops"),
                "run `aws sso login --profile ops`.",
            ),
            ("Error loading SSO Token: Token for x does not exist", None, "run `aws sso login`."),
            ("Unable to retrieve credentials: no credentials found", None, "set AWS_PROFILE"),
            (
                "aws: error: argument subcommand: Invalid choice, valid choices are:",
                None,
                "too old",
            ),
            (
                "\nAn error occurred (AccessDenied) when calling AssumeRole.\n",
                None,
                "AssumeRole; set",
            ),
        ] {
            let why = why(said, profile);
            assert!(why.contains(expected) && why.ends_with('.'), "{why}");
        }
    }
}
