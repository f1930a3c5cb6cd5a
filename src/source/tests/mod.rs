//! Every sentence of the contract about source files, in a small language: a source as TOML, a
//! delivery, and what comes of it as text.
//!
//! An update reads `7: status=OPEN owner=<ada@example.com or fail>`, one that is not mapped `7
//! failed: why`.

mod associate;
mod demands;
mod documented;
mod events;
mod files;
mod rules;
mod schemes;
mod steps;
mod times;
mod values;
mod warnings;
mod wild;

use http::{HeaderMap, Method};
use secrecy::SecretString;

use super::{Event, Found, Mapped, NotMapped, Source, SourceFile, Sources, Warning};
use crate::delivery::{Delivery, NotRead, Verified};
use crate::time::Time;
use crate::update::{Unknown, Update, Value};

/// When the deliveries of these tests arrive.
const ARRIVED: &str = "2026-03-05T12:00:00.000Z";

/// A source and a delivery to it.
struct Stage {
    sources: Sources,
    delivery: Delivery,
    secrets: Vec<SecretString>,
}

impl Stage {
    /// The source file `sources/desk.toml`, which has to be right.
    fn of(toml: &str) -> Self {
        let sources = Sources::read(&[file("desk", toml)]);
        assert_eq!(lines(&sources), [""; 0], "{toml}");
        let delivery = Delivery {
            method: Method::POST,
            path: "/desk".to_owned(),
            query: Vec::new(),
            headers: HeaderMap::new(),
            body: "{}".into(),
            arrived: Time::parse(ARRIVED).unwrap(),
            request_id: "request-1".to_owned(),
            trace_header: None,
            source_ip: None,
        };
        Self { sources, delivery, secrets: vec!["s3cret".to_owned().into()] }
    }

    /// A source that verifies nothing, takes `.id` for the task's id and has these lines.
    fn with(lines: &str) -> Self {
        Self::of(&unverified(lines))
    }

    fn header(mut self, name: &'static str, value: &str) -> Self {
        self.delivery.headers.append(name, value.parse().unwrap());
        self
    }

    fn query(mut self, name: &str, value: &str) -> Self {
        self.delivery.query.push((name.to_owned(), value.to_owned()));
        self
    }

    fn source(&self) -> &Source {
        match self.sources.find(&self.delivery.path) {
            Found::Source(source) => source,
            Found::Broken | Found::Nothing => {
                panic!("no source has the path {}", self.delivery.path)
            }
        }
    }

    /// What the source makes of a body.
    fn event(&mut self, body: &str) -> Event {
        self.delivery.body = body.to_owned().into();
        let source = self.source();
        let tolerance = source.verify.tolerance;
        let verified: Verified<'_> =
            source.verify.verify(&self.delivery, &self.secrets, tolerance).unwrap();
        self.sources.map(source, &verified, tolerance).unwrap_or_else(|why| match why {
            NotRead::Unreadable(why) => source.unreadable(&verified, &why),
            NotRead::Refused(why) => panic!("{why}"),
        })
    }

    /// The updates of a body, as text.
    fn gives(&mut self, body: &str) -> Vec<String> {
        match self.event(body).mapped {
            Mapped::Filtered => vec!["filtered".to_owned()],
            Mapped::Updates(updates) => updates.iter().map(update).collect(),
        }
    }
}

/// The usual lines around those that a test is about. `[properties]` is added unless the lines have
/// it.
fn unverified(lines: &str) -> String {
    let mut toml = lines.to_owned();
    for (section, usual) in [
        ("[verify]", "scheme = \"none\""),
        ("[task]", "id = '.id'\nid_property = \"ticket\""),
        ("[properties", "subject = '.subject'"),
    ] {
        if !lines.contains(section) {
            toml = format!(
                "{toml}\n{section}{}\n{usual}\n",
                if section.ends_with(']') { "" } else { "]" }
            );
        }
    }
    toml
}

/// What the property `p` gets: ` p=x`, nothing, or why not.
fn property(p: &str, body: &str) -> String {
    let mut stage = Stage::with(&format!(
        "[task]\nid = '\"1\"'\nid_property = \"ticket\"\n[properties]\np = {p}"
    ));
    stage.gives(body).concat().trim_start_matches("1:").trim_start().to_owned()
}

fn file(name: &str, toml: &str) -> SourceFile {
    SourceFile::from_text(&format!("sources/{name}.toml"), name, toml)
}

/// The warnings about a file but the one that it verifies nothing, as most of these do.
fn warnings(file: SourceFile) -> Vec<Warning> {
    let mut warnings = super::warnings(&[file]);
    warnings.retain(|Warning(problem)| {
        !problem.message.starts_with("`scheme` \"none\" verifies nothing")
    });
    warnings
}

/// Everything that is wrong with the sources.
fn lines(sources: &Sources) -> Vec<String> {
    sources.problems().iter().map(ToString::to_string).collect()
}

/// Everything that is wrong with a source file, without the file's name.
fn problems(toml: &str) -> Vec<String> {
    let lines = lines(&Sources::read(&[file("desk", toml)]));
    lines
        .iter()
        .map(|line| line.trim_start_matches("sources/desk.toml:").trim_start().to_owned())
        .collect()
}

fn update(update: &Result<Update, NotMapped>) -> String {
    match update {
        Ok(update) => {
            let property = |(name, value): &(String, Value)| match value {
                Value::Text(value) => format!(" {name}={value}"),
                Value::Owner { email, unknown } => {
                    format!(" {name}=<{email} or {}>", unknown_as_text(unknown))
                }
            };
            format!(
                "{}:{}",
                update.task.id,
                update.properties.iter().map(property).collect::<String>()
            )
        }
        Err(NotMapped { id, detail, .. }) => {
            format!("{} failed: {detail}", id.as_deref().unwrap_or("null"))
        }
    }
}

fn unknown_as_text(unknown: &Unknown) -> String {
    match unknown {
        Unknown::Fail => "fail".to_owned(),
        Unknown::Skip => "skip".to_owned(),
        Unknown::Write(text) => format!("{text:?}"),
    }
}
