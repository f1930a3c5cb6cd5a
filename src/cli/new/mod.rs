//! `taskhook new`: a source file, written from a payload.

mod assignee;
mod change;
pub(super) mod decisions;
mod draft;
mod form;
mod guess;
mod kind;
mod link;
mod mapped;
mod names;
mod page;
mod path;
mod places;
mod priorities;
mod properties;
mod report;
mod shipped;
#[cfg(test)]
mod tests;
mod ticket;
mod tree;
mod tried;
mod verification;
mod view;
mod vocabulary;
mod words;

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, anyhow, bail};

use self::draft::Frame;
use self::shipped::{Sample, Shipped};
use super::cases::ANY_AGE;
use super::editor_schema::name_schema;
use super::payload::{self, Payload};
use super::shared;
use crate::delivery::{Delivery, Format, Verified};
use crate::files;
use crate::source::{Problem, SourceFile, Sources};

/// The largest body that the function takes, in bytes.
const LARGEST: usize = 1024 * 1024;

/// The longest name of a source, in characters.
const LONGEST_NAME: usize = 64;

/// Write a source file from a payload of a ticket system
///
/// Where the sender is one that Taskhook ships a file for, that file is written; else one of
/// guesses by names and values: id, time, status with the values that were seen, title, priority,
/// due date, assignee. What a person has to decide is marked in it by DECIDE. The file lands in
/// `TASKHOOK_SOURCES`, else in the folder `sources`; an existing one is never overwritten.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Name of the source, which gives the file's name and the path of its deliveries
    name: String,
    /// File with a body, a complete Lambda event, or a raw HTTP request; - is standard input. Of
    /// several, the first says where the ticket is, and the values of all are seen. Not needed where
    /// the name is that of a shipped file
    #[arg(long = "from", value_name = "PAYLOAD")]
    from: Vec<PathBuf>,
    /// A header that the sender sets, such as "X-Desk-Signature: sha256=..."
    #[arg(long = "header", value_name = "NAME: VALUE")]
    headers: Vec<String>,
    /// Guess, even where the sender is one that Taskhook ships a file for
    #[arg(long)]
    guess: bool,
    /// Print the file instead of writing it
    #[arg(long)]
    print: bool,
}

pub(super) fn run(arguments: &Arguments) -> Result<()> {
    let name = &arguments.name;
    check_name(name)?;
    let folder = payload::path();
    if folder.is_file() {
        bail!("TASKHOOK_SOURCES is one file, {}; name its folder.", folder.display());
    }
    let file = folder.join(format!("{name}.toml"));
    if !arguments.print && file.exists() {
        return Err(is_there(&file));
    }
    let (text, report) = make(&folder, arguments)?;
    check(&folder, &file, name, &text)?;
    if arguments.print {
        return shared::print(&text);
    }
    write(&file, &text)?;
    let next = report::next(name, &arguments.from);
    shared::print(&format!("Wrote {}.\n\n{report}\n{next}", file.display()))
}

/// The text of the file, and what a person has to know of it.
fn make(folder: &Path, arguments: &Arguments) -> Result<(String, String)> {
    let name = &arguments.name;
    if arguments.from.is_empty() {
        let (shipped, text) = shipped::named(name).with_context(|| {
            format!(
                "No file {name}.toml is shipped; name a payload with --from. Shipped are: {}.",
                shipped::names().join(", ")
            )
        })?;
        let report = format!("This is the shipped file for {}.\n", shipped.sender);
        return Ok((name_schema(folder, &text), report));
    }
    let mut samples = Vec::new();
    for payload in payload::read_all(&arguments.from)? {
        samples.push(sample(&payload, arguments)?);
    }
    let first = samples.first().context("The payload is empty.")?;
    let shipped = if arguments.guess { None } else { shipped::recognise(first) };
    let shipped = shipped.and_then(|shipped| Some((shipped, shipped.text(name)?)));
    Ok(file_of(folder, shipped, name, &samples))
}

/// The text of a source file for a delivery, and what a person has to know of it.
pub(super) fn from_delivery(
    folder: &Path,
    name: &str,
    delivery: &Delivery,
) -> Result<(String, String)> {
    check_name(name)?;
    let sample = read(delivery, "The payload")?;
    let shipped = shipped::recognise(&sample);
    let shipped = shipped.and_then(|shipped| Some((shipped, shipped.text(name)?)));
    Ok(file_of(folder, shipped, name, &[sample]))
}

/// The shipped file, else one of guesses, and what is said of it.
fn file_of(
    folder: &Path,
    shipped: Option<(&'static Shipped, String)>,
    name: &str,
    samples: &[Sample],
) -> (String, String) {
    let Some((shipped, text)) = shipped else { return guess_file(folder, name, samples) };
    let text = name_schema(folder, &text);
    let ends = tried::run(name, &text, samples);
    let report = format!("{}\n{}", report_of(shipped, name), tried::tell(samples, &ends));
    (text, report)
}

/// The names of the shipped files.
pub(super) fn shipped_names() -> Vec<&'static str> {
    shipped::names()
}

/// The shipped file of this name.
pub(super) fn shipped_text(name: &str) -> Option<String> {
    Some(shipped::named(name)?.1)
}

/// The shipped source that a delivery seems to be for.
pub(super) fn recognise(delivery: &Delivery) -> Option<&'static str> {
    let sample = read(delivery, "The payload").ok()?;
    Some(shipped::recognise(&sample)?.name)
}

/// Refuses what can't be the name of a file and of a path.
fn check_name(name: &str) -> Result<()> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    let starts_well = name.starts_with(|c: char| c.is_ascii_alphanumeric());
    if !starts_well || !name.chars().all(is_plain) || name.len() > LONGEST_NAME {
        bail!(
            "{name:?} can't be the name of a source, which is part of an address: write letters, \
             digits, - and _, such as zammad; at most {LONGEST_NAME}."
        );
    }
    if name == "health" {
        bail!("The path /health is Taskhook's own; choose another name than health.");
    }
    Ok(())
}

fn is_there(file: &Path) -> anyhow::Error {
    anyhow!("{} is there already: choose another name, or delete it first.", file.display())
}

/// Reads a payload.
fn sample(payload: &Payload, arguments: &Arguments) -> Result<Sample> {
    let delivery = payload::deliver("/", payload, &arguments.headers, &[])?;
    read(&delivery, &payload.name)
}

/// Reads a delivery. `name` is what it is called where it can't be read.
fn read(delivery: &Delivery, name: &str) -> Result<Sample> {
    if delivery.body.len() > LARGEST {
        bail!("{name} has a body of over 1 MiB, which the function doesn't take.");
    }
    let verified = Verified::without_proof(delivery);
    let json = verified
        .read(Format::JsonOrForm, ANY_AGE)
        .map_err(|why| anyhow!("{name} can't be read: {why}."))?;
    let body = serde_json::from_str(json.as_str())
        .map_err(|error| anyhow!("{name} can't be read: {error}."))?;
    let begins = delivery.body.iter().find(|byte| !byte.is_ascii_whitespace());
    let is_form = !matches!(begins, Some(b'{' | b'[' | 0xef));
    Ok(Sample { name: name.to_owned(), delivery: delivery.clone(), body, is_form })
}

/// A file of guesses, and what is said of it. Of guesses that fail on payloads of their own, those
/// that do on the fewest are written.
fn guess_file(folder: &Path, name: &str, samples: &[Sample]) -> (String, String) {
    let bodies: Vec<_> = samples.iter().map(|sample| sample.body.clone()).collect();
    let headers = samples.first().map(|sample| sample.delivery.headers.clone()).unwrap_or_default();
    let verification = verification::guess(&headers);
    let is_form = samples.iter().any(|sample| sample.is_form);
    let frame = Frame { name, is_form, verification: &verification };
    let mut best: Option<(usize, String, String)> = None;
    for guess in guess::guesses(&bodies) {
        let text = name_schema(folder, &draft::write(&frame, &guess));
        let ends = tried::run(name, &text, samples);
        let failures = tried::failures(&ends);
        if best.as_ref().is_none_or(|(fewest, ..)| failures < *fewest) {
            let tried = tried::tell(samples, &ends);
            let report = report::guesses(&guess, &verification, &tried, &text);
            best = Some((failures, text, report));
        }
        if failures == 0 {
            break;
        }
    }
    best.map(|(_, text, report)| (text, report)).unwrap_or_default()
}

fn report_of(shipped: &Shipped, name: &str) -> String {
    let Shipped { name: known, sender, .. } = shipped;
    let adapted = if *known == name {
        String::new()
    } else {
        format!(" Its path is /{name} and its secret taskhook/{name}.")
    };
    format!(
        "The sender looks like {sender}, so this is the shipped file {known}.toml.{adapted} Its \
         head says what to set up; --guess guesses instead.\n"
    )
}

/// Fails with the problems that the new file would have among the others.
fn check(folder: &Path, file: &Path, name: &str, text: &str) -> Result<()> {
    let mut files = files::read(folder).unwrap_or_default();
    files.retain(|other| other.name != name);
    let file = file.display().to_string();
    files.push(SourceFile::from_text(&file, name, text));
    let sources = Sources::read(&files);
    let of_new = |problem: &&Problem| problem.file == file;
    let problems: Vec<_> = sources.problems().iter().filter(of_new).collect();
    if problems.is_empty() { Ok(()) } else { Err(shared::join(&problems)) }
}

/// Writes a file that isn't there yet.
fn write(file: &Path, text: &str) -> Result<()> {
    let failed = |error: &std::io::Error| anyhow!("{} can't be written: {error}.", file.display());
    if let Some(folder) = file.parent() {
        std::fs::create_dir_all(folder).map_err(|error| failed(&error))?;
    }
    let opened = OpenOptions::new().write(true).create_new(true).open(file);
    let mut new = match opened {
        Ok(new) => new,
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            return Err(is_there(file));
        }
        Err(error) => return Err(failed(&error)),
    };
    new.write_all(text.as_bytes()).map_err(|error| failed(&error))
}
