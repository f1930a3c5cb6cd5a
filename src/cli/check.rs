//! `taskhook check`: finds the mistakes in the source files.

use std::path::Path;

use anyhow::Result;

use super::cases::Secrets;
use super::check_portal::Portal;
use super::judge::judge;
use super::terminal::table;
use super::{doubtful_secrets, own_properties, payload, shared};
use crate::files;
use crate::source::{Problem, Source, SourceFile, Sources, Warning, shared_secrets};

/// Read every source file and compile every expression
///
/// All problems are reported at once, each with file, line and column, what is wrong and what to
/// do; so are warnings about what is allowed and most likely not meant, which are no failure.
/// Without a portal, names and values are held against HubSpot's own task properties. The sources
/// that work are listed with their path, scheme and secret, beside those with problems too. The
/// files are those of `TASKHOOK_SOURCES`, else of the folder `sources`.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    portal: Portal,
}

pub(super) fn run(arguments: &Arguments) -> Result<()> {
    let path = payload::path();
    let files = files::read(&path)?;
    let sources = Sources::read(&files);
    warn(&files, &sources, arguments.portal.is_named())?;
    let mut problems: Vec<_> = sources.problems().iter().map(Problem::to_string).collect();
    if let Err(unfit) = arguments.portal.check(&path, &files) {
        problems.push(unfit.to_string());
    }
    let live: Vec<_> = sources.iter().collect();
    if problems.is_empty() || !live.is_empty() {
        shared::print(&format!("{}{}", list(&live), list_available(&path, &sources)))?;
    }
    if problems.is_empty() { Ok(()) } else { Err(shared::join(&problems)) }
}

/// Prints the warnings about each file, and about the secrets of the samples.
fn warn(files: &[SourceFile], sources: &Sources, is_portal_known: bool) -> Result<()> {
    let own = own_properties::definitions()?;
    let same_secret = shared_secrets(files);
    for file in files {
        let mut found = Vec::new();
        for Warning(problem) in &same_secret {
            if problem.file == file.file {
                found.push(Warning(problem.clone()));
            }
        }
        if !is_portal_known {
            found.extend(own_properties::warnings(file, &own));
        }
        let judged = judge(file);
        found.extend(judged.iter().flatten().cloned());
        found.sort_by_key(|Warning(problem)| (problem.line, problem.column));
        for warning in found {
            eprintln!("{warning}");
        }
        if let Err(warning) = judged {
            eprintln!("{warning}");
        }
    }
    let samples = match Secrets::read(Path::new(SAMPLES)) {
        Ok(samples) => samples,
        Err(problem) => {
            eprintln!("warning: {problem}");
            return Ok(());
        }
    };
    for source in sources.iter() {
        // Samples of some sources need not be there.
        let secrets = samples.of_source(source).unwrap_or_default();
        if let Some(doubt) = doubtful_secrets::doubt(source, &secrets, true) {
            eprintln!("{SAMPLES}/secrets.json: warning: {doubt}");
        }
    }
    Ok(())
}

/// The folder of the samples and their secrets.
const SAMPLES: &str = "events";

/// The sources that work, one a line: name, path, scheme, and the name of the secret.
fn list(sources: &[&Source]) -> String {
    let mut rows = Vec::new();
    for source in sources {
        let secret = match &source.verify.proof {
            Some(proof) => proof.secret.to_string(),
            None => "no secret".to_owned(),
        };
        let name = format!("  {}", source.name);
        rows.push([name, source.path.clone(), source.verify.name.clone(), secret]);
    }
    let head = match rows.len() {
        1 => "1 source is sound:".to_owned(),
        count => format!("{count} sources are sound:"),
    };
    format!("{head}\n{}", table(&rows))
}

/// The sources in the folder `available` that can be enabled, as one line, if there is such a
/// folder. Whoever names one file doesn't ask for others.
fn list_available(path: &Path, sources: &Sources) -> String {
    if !path.is_dir() {
        return String::new();
    }
    let folder = files::available(path);
    let mut names = Vec::new();
    for file in files::read(&folder).unwrap_or_default() {
        if !sources.iter().any(|source| source.name == file.name) {
            names.push(file.name);
        }
    }
    if names.is_empty() {
        return String::new();
    }
    let (from, to) = (folder.display(), path.display());
    format!("\nReady in {from}, to be copied to {to}: {}\n", names.join(", "))
}
