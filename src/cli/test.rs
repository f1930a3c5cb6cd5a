//! `taskhook test`: whether the sample events still have the expected results.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::{Result, anyhow, bail};
use serde_json::Value;
use similar::TextDiff;

use super::cases::{self, Case, Given, Secrets};
use super::junit::{CaseResult, Suite, to_xml};
use super::payload;
use super::shared;
use super::terminal::table;
use crate::files;
use crate::source::{Problem, Source, Sources};

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
    #[arg(long, conflicts_with = "format")]
    bless: bool,
    /// Test again whenever a source file or a sample changes, until it is stopped
    #[arg(long, conflicts_with_all = ["bless", "format"])]
    watch: bool,
    /// How the results are printed
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// The form in which results are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// A table for a person, after the differences
    #[default]
    Text,
    #[value(help = "The XML of JUnit")]
    Junit,
}

/// Every source that is tested: the live ones, which share a program, and some that lie ready.
struct Shelf {
    live: Sources,
    ready: BTreeMap<String, Sources>,
}

/// The columns of the table. Numbers stand to the right, below the ends of these words.
const HEAD: [&str; 6] = ["source", "cases", "updates", "filtered", "refused", ""];

/// The results of the cases of one source.
#[derive(Default)]
struct Tally {
    cases: usize,
    updates: usize,
    filtered: usize,
    refused: usize,
    failed: usize,
    /// Remarks on single cases, in lines.
    remarks: Vec<String>,
    results: Vec<CaseResult>,
}

/// How often the files are looked at with --watch.
const LOOK: Duration = Duration::from_millis(300);

/// Fails when a case doesn't have the expected result.
pub(super) fn run(arguments: &Arguments) -> Result<()> {
    if !arguments.watch {
        return test_all(arguments);
    }
    let mut tested = None;
    loop {
        let folders = [payload::path(), arguments.events.clone()];
        let now = folders.map(|folder| newest(&folder));
        if tested != Some(now) {
            tested = Some(now);
            if let Err(why) = test_all(arguments) {
                eprintln!("{why:#}");
            }
            shared::print("\nWaiting for a change.\n")?;
        }
        std::thread::sleep(LOOK);
    }
}

/// When a file of a folder, or of the folders in it, was changed last, and how many there are.
fn newest(folder: &Path) -> Option<(usize, SystemTime)> {
    let mut newest = None;
    let mut folders = vec![folder.to_owned()];
    let mut count = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let Ok(about) = entry.metadata() else { continue };
            count += 1;
            newest = newest.max(about.modified().ok());
            if about.is_dir() {
                folders.push(entry.path());
            }
        }
    }
    Some((count, newest?))
}

fn test_all(arguments: &Arguments) -> Result<()> {
    let mut cases = cases::read(&arguments.events)?;
    let shelf = Shelf::open(cases.keys(), &arguments.only)?;
    // One row for each system, whether it has samples or not.
    for source in shelf.live.iter() {
        cases.entry(source.name.clone()).or_default();
    }
    if let Some(unknown) = arguments.only.iter().find(|name| !cases.contains_key(*name)) {
        return Err(anyhow!("There is neither a source nor a folder of samples {unknown:?}."));
    }
    cases.retain(|name, _| arguments.only.is_empty() || arguments.only.contains(name));
    let secrets = Secrets::read(&arguments.events)?;
    let mut remarks = String::new();
    let mut rows = vec![HEAD.map(str::to_owned)];
    let mut total = Tally::default();
    let mut suites = Vec::new();
    for (name, cases) in &cases {
        let tally = test(name, cases, &shelf, &secrets, arguments.bless);
        remarks += &tally.remarks.concat();
        rows.push(tally.row(name));
        total.cases += tally.cases;
        total.failed += tally.failed;
        suites.push(Suite { name: name.clone(), cases: tally.results });
    }
    match arguments.format {
        Format::Text => shared::print(&format!("{remarks}{}", table(&rows)))?,
        Format::Junit => shared::print(&to_xml(&suites))?,
    }
    let Tally { cases, failed, .. } = total;
    if failed == 0 {
        return Ok(());
    }
    if arguments.bless {
        bail!("{failed} of {cases} cases could not be written down.");
    }
    bail!(
        "{failed} of {cases} cases failed. Where the new outcome is right, `taskhook test \
         --bless` writes it down."
    )
}

impl CaseResult {
    fn new(case: &Case, failure: Option<String>) -> Self {
        let name = case.event.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        Self { name, failure }
    }
}

impl Shelf {
    /// Reads the live sources, and for each name that none of them has the one that lies ready, if
    /// there is one. Of the live ones those have to work that are tested alone; all, if there are
    /// none.
    fn open<'n>(names: impl Iterator<Item = &'n String>, only: &[String]) -> Result<Self> {
        let files = payload::files()?;
        let live = Sources::read(&files);
        let is_tested = |problem: &&Problem| {
            let file = files.iter().find(|file| file.file == problem.file);
            only.is_empty() || file.is_none_or(|file| only.contains(&file.name))
        };
        let problems: Vec<_> = live.problems().iter().filter(is_tested).collect();
        if !problems.is_empty() {
            return Err(shared::join(&problems));
        }
        let mut ready = BTreeMap::new();
        let available = files::available(&payload::path());
        for name in names.filter(|name| !live.iter().any(|source| source.name == **name)) {
            let file = available.join(format!("{name}.toml"));
            if file.is_file() {
                ready.insert(name.clone(), payload::read_sources(&file)?);
            }
        }
        Ok(Self { live, ready })
    }

    fn find(&self, name: &str) -> Result<(&Sources, &Source)> {
        let sources = self.ready.get(name).unwrap_or(&self.live);
        match sources.iter().find(|source| source.name == name) {
            Some(source) => Ok((sources, source)),
            None => bail!(
                "there is no such source; write {name}.toml, remove its samples, or say in \
                 TASKHOOK_SOURCES where the sources are."
            ),
        }
    }
}

/// Runs the cases of a source, and compares their results with the expected ones, or with `bless`
/// writes them down.
fn test(name: &str, cases: &[Case], shelf: &Shelf, secrets: &Secrets, bless: bool) -> Tally {
    let mut tally = Tally { cases: cases.len(), ..Tally::default() };
    let found = match shelf.find(name) {
        Ok((sources, source)) => {
            secrets.of_source(source).map(|secrets| (sources, source, secrets))
        }
        Err(problem) => Err(problem),
    };
    let (sources, source, secrets) = match found {
        Ok(found) => found,
        Err(problem) => {
            tally.remarks.push(format!("{name}: {problem}\n\n"));
            tally.failed = tally.cases;
            for case in cases {
                tally.results.push(CaseResult::new(case, Some(problem.to_string())));
            }
            return tally;
        }
    };
    for case in cases {
        let result = case.run(sources, source, &secrets).and_then(|given| {
            tally.count(&given.value);
            if bless { write(case, &given) } else { compare(case, &given).map(|()| None) }
        });
        match result {
            Ok(remark) => {
                tally.remarks.extend(remark);
                tally.results.push(CaseResult::new(case, None));
            }
            Err(problem) => {
                tally.remarks.push(format!("{}: {problem}\n\n", case.event.display()));
                tally.failed += 1;
                tally.results.push(CaseResult::new(case, Some(problem.to_string())));
            }
        }
    }
    tally
}

/// Compares as JSON: the order of an object's fields and white space make no difference.
fn compare(case: &Case, given: &Given) -> Result<()> {
    let name = case.expected.display();
    if !case.expected.exists() {
        bail!("{name} is missing; `taskhook test --bless` writes it:\n{}", text(&given.value));
    }
    let expected: Value = serde_json::from_str(&shared::read_text(&case.expected)?)
        .map_err(|error| anyhow!("{name} is no JSON: {error}."))?;
    if expected == given.value {
        return Ok(());
    }
    let why = match &given.refused {
        Some(why) => format!(" It is refused: {why}."),
        None => String::new(),
    };
    let lines = diff(&name.to_string(), &text(&expected), &text(&given.value));
    bail!("not as expected.{why}\n{}", lines.trim_end())
}

/// Writes the result down as the expected one. Returns a remark with the difference if that changed
/// the file.
fn write(case: &Case, given: &Given) -> Result<Option<String>> {
    let (file, now) = (&case.expected, text(&given.value));
    let before = std::fs::read_to_string(file).unwrap_or_default();
    if before == now {
        return Ok(None);
    }
    let name = file.display().to_string();
    std::fs::write(file, &now).map_err(|error| anyhow!("{name} can't be written: {error}."))?;
    let lines = if before.is_empty() { String::new() } else { diff(&name, &before, &now) };
    Ok(Some(match &given.refused {
        Some(why) => format!("wrote {name}: refused, {why}\n{lines}"),
        None => format!("wrote {name}\n{lines}"),
    }))
}

/// The changed lines from one text to another.
fn diff(name: &str, before: &str, now: &str) -> String {
    let diff = TextDiff::from_lines(before, now);
    diff.unified_diff().header(name, "what it gives").to_string()
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

    /// The row of a source, below [`HEAD`].
    fn row(&self, name: &str) -> [String; 6] {
        let Self { cases, updates, filtered, refused, failed, .. } = self;
        let result = match (failed, cases) {
            (1.., _) => "FAILED",
            (0, 0) => "no cases",
            (0, _) => "ok",
        };
        [
            name.to_owned(),
            format!("{cases:5}"),
            format!("{updates:7}"),
            format!("{filtered:8}"),
            format!("{refused:7}"),
            result.to_owned(),
        ]
    }
}
