//! `taskhook test`: do the sample events still give what they must?

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::Value;
use similar::TextDiff;

use super::cases::{self, Case, Cases, Given, Secrets};
use super::payload;
use crate::files;
use crate::source::{Source, Sources};

/// Run every sample event against the sources, and compare with the updates that stand beside it
///
/// A folder of samples belongs to the source of its name: a live one, else one that lies ready in
/// `available` beside the live ones. How long ago an event was signed makes no difference.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Names of sources, to test these alone
    #[arg(value_name = "SOURCE")]
    only: Vec<String>,
    /// Folder of the samples, with secrets.json
    #[arg(long, value_name = "FOLDER", default_value = "events")]
    events: PathBuf,
    /// Write down what the events give now as what they must give
    #[arg(long)]
    bless: bool,
}

/// Every source that is tested: the live ones, which share a program, and some that lie ready.
struct Shelf {
    live: Sources,
    ready: BTreeMap<String, Sources>,
}

/// What became of the cases of one source.
#[derive(Default)]
struct Tally {
    cases: usize,
    updates: usize,
    filtered: usize,
    refused: usize,
    failed: usize,
    /// What there is to say about single cases, in lines.
    remarks: Vec<String>,
}

/// Fails when a case doesn't give what it must.
pub(super) fn run(arguments: &Arguments) -> Result<(), String> {
    let mut cases = cases::read(&arguments.events)?;
    let shelf = Shelf::open(cases.keys())?;
    // One row for each system, whether it has samples or not.
    for source in shelf.live.iter() {
        cases.entry(source.name.clone()).or_default();
    }
    if let Some(unknown) = arguments.only.iter().find(|name| !cases.contains_key(*name)) {
        return Err(format!("There is neither a source nor a folder of samples {unknown:?}."));
    }
    cases.retain(|name, _| arguments.only.is_empty() || arguments.only.contains(name));
    let secrets = Secrets::read(&arguments.events)?;
    let tally =
        |(name, cases): (&String, &Vec<Case>)| test(name, cases, &shelf, &secrets, arguments.bless);
    let tallies: Vec<_> = cases.iter().map(tally).collect();
    let remarks: String =
        tallies.iter().flat_map(|tally| &tally.remarks).map(String::as_str).collect();
    super::print(&format!("{remarks}{}", table(&cases, &tallies)))?;
    let count = |of: fn(&Tally) -> usize| tallies.iter().map(of).sum::<usize>();
    match (count(|tally| tally.failed), arguments.bless) {
        (0, _) => Ok(()),
        (failed, true) => Err(format!(
            "{failed} of {} cases could not be written down.",
            count(|tally| tally.cases)
        )),
        (failed, false) => Err(format!(
            "{failed} of {} cases failed. Where the new outcome is right, `taskhook test --bless` writes it down.",
            count(|tally| tally.cases)
        )),
    }
}

impl Shelf {
    /// Reads the live sources, and for each name that none of them has the one that lies ready, if
    /// there is one.
    fn open<'n>(names: impl Iterator<Item = &'n String>) -> Result<Self, String> {
        let (live, mut ready) = (payload::sources()?, BTreeMap::new());
        let available = files::available(&payload::path());
        for name in names.filter(|name| !live.iter().any(|source| source.name == **name)) {
            let file = available.join(format!("{name}.toml"));
            if file.is_file() {
                ready.insert(name.clone(), payload::read_sources(&file)?);
            }
        }
        Ok(Self { live, ready })
    }

    fn find(&self, name: &str) -> Result<(&Sources, &Source), String> {
        let sources = self.ready.get(name).unwrap_or(&self.live);
        let source = sources.iter().find(|source| source.name == name);
        source.map(|source| (sources, source)).ok_or_else(|| {
            format!(
                "there is no such source; write {name}.toml, remove its samples, or say in TASKHOOK_SOURCES where the \
                 sources are."
            )
        })
    }
}

/// Runs the cases of a source, and tells what is not as it must be. With `bless` it is made to be.
fn test(name: &str, cases: &[Case], shelf: &Shelf, secrets: &Secrets, bless: bool) -> Tally {
    let mut tally = Tally { cases: cases.len(), ..Tally::default() };
    let found =
        shelf.find(name).and_then(|(sources, source)| Ok((sources, source, secrets.of(source)?)));
    let (sources, source, secrets) = match found {
        Ok(found) => found,
        Err(problem) => {
            tally.remarks.push(format!("{name}: {problem}\n\n"));
            tally.failed = tally.cases;
            return tally;
        }
    };
    for case in cases {
        let result = case.run(sources, source, &secrets).and_then(|given| {
            tally.count(&given.value);
            if bless { write(case, &given) } else { compare(case, &given).map(|()| None) }
        });
        match result {
            Ok(remark) => tally.remarks.extend(remark),
            Err(problem) => {
                tally.remarks.push(format!("{}: {problem}\n\n", case.event.display()));
                tally.failed += 1;
            }
        }
    }
    tally
}

/// Compares as JSON: the order of an object's fields and white space make no difference.
fn compare(case: &Case, given: &Given) -> Result<(), String> {
    let name = case.expected.display();
    if !case.expected.exists() {
        return Err(format!(
            "{name} is missing; `taskhook test --bless` writes it:\n{}",
            text(&given.value)
        ));
    }
    let expected = std::fs::read_to_string(&case.expected)
        .map_err(|error| format!("{name} can't be read: {error}."))?;
    let expected: Value =
        serde_json::from_str(&expected).map_err(|error| format!("{name} is no JSON: {error}."))?;
    if expected == given.value {
        return Ok(());
    }
    let why =
        given.refused.as_ref().map(|why| format!(" It is refused: {why}.")).unwrap_or_default();
    let (expected, found) = (text(&expected), text(&given.value));
    let diff = TextDiff::from_lines(&expected, &found);
    let diff = diff.unified_diff().header(&name.to_string(), "what it gives").to_string();
    Err(format!("not as expected.{why}\n{}", diff.trim_end()))
}

/// Gives back what is to be said, if anything was written.
fn write(case: &Case, given: &Given) -> Result<Option<String>, String> {
    let (file, text) = (&case.expected, text(&given.value));
    if std::fs::read_to_string(file).is_ok_and(|old| old == text) {
        return Ok(None);
    }
    std::fs::write(file, text)
        .map_err(|error| format!("{} can't be written: {error}.", file.display()))?;
    let why = given.refused.as_ref().map(|why| format!(": refused, {why}")).unwrap_or_default();
    Ok(Some(format!("wrote {}{why}\n", file.display())))
}

fn text(value: &Value) -> String {
    format!("{value:#}\n")
}

impl Tally {
    fn count(&mut self, given: &Value) {
        self.updates += given["updates"].as_array().map_or(0, Vec::len);
        self.filtered += usize::from(given["filtered"] == true);
        self.refused += usize::from(!given["refused"].is_null());
    }

    fn result(&self) -> &'static str {
        match self {
            Self { failed: 1.., .. } => "FAILED",
            Self { cases: 0, .. } => "no cases",
            Self { .. } => "ok",
        }
    }
}

fn table(cases: &Cases, tallies: &[Tally]) -> String {
    let width = cases.keys().map(String::len).max().unwrap_or_default().max("source".len());
    let head = format!("{:width$}  cases  updates  filtered  refused\n", "source");
    let rows = cases.keys().zip(tallies).map(|(name, tally)| {
        let Tally { cases, updates, filtered, refused, .. } = tally;
        format!(
            "{name:width$}  {cases:5}  {updates:7}  {filtered:8}  {refused:7}  {}\n",
            tally.result()
        )
    });
    head + &rows.collect::<String>()
}
