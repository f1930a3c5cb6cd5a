//! `taskhook check`: is everything right with the source files?

use std::path::Path;

use super::cases::Secrets;
use super::check_portal::Portal;
use super::judge::judge;
use super::{doubtful_secrets, own_properties, payload};
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

pub(super) fn run(arguments: &Arguments) -> Result<(), String> {
    let path = payload::path();
    let files = files::read(&path).map_err(|problem| problem.to_string())?;
    let sources = Sources::read(&files);
    warn(&files, &sources, arguments.portal.is_named())?;
    let mut problems: Vec<_> = sources.problems().iter().map(Problem::to_string).collect();
    problems.extend(arguments.portal.check(&path, &files).err());
    let live: Vec<_> = sources.iter().collect();
    if problems.is_empty() || !live.is_empty() {
        super::print(&format!("{}{}", table(&live), ready(&path, &sources)))?;
    }
    if problems.is_empty() { Ok(()) } else { Err(problems.join("\n")) }
}

/// Tells the warnings about each file, and about the secrets that lie beside the samples.
fn warn(files: &[SourceFile], sources: &Sources, is_portal_known: bool) -> Result<(), String> {
    let own = own_properties::definitions()?;
    let shared = shared_secrets(files);
    for file in files {
        let mut found: Vec<_> =
            shared.iter().filter(|Warning(problem)| problem.file == file.file).cloned().collect();
        if !is_portal_known {
            found.extend(own_properties::warnings(file, &own));
        }
        let judged = judge(file);
        found.extend(judged.iter().flatten().cloned());
        found.sort_by_key(|Warning(problem)| (problem.line, problem.column));
        for warning in found {
            eprintln!("{warning}");
        }
        if let Err(remark) = judged {
            eprintln!("{remark}");
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
        let secrets = samples.of(source).unwrap_or_default();
        if let Some(doubt) = doubtful_secrets::doubt(source, &secrets, true) {
            eprintln!("{SAMPLES}/secrets.json: warning: {doubt}");
        }
    }
    Ok(())
}

/// The folder of the samples, whose secrets the desk knows.
const SAMPLES: &str = "events";

/// The sources that work, one a line: name, path, scheme, and the name of the secret.
fn table(sources: &[&Source]) -> String {
    let row = |source: &&Source| {
        let secret = source
            .verify
            .secret
            .as_ref()
            .map_or_else(|| "no secret".to_owned(), ToString::to_string);
        [source.name.clone(), source.path.clone(), source.verify.name.clone(), secret]
    };
    let rows: Vec<_> = sources.iter().map(row).collect();
    let width = |column: usize| {
        rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default()
    };
    let (names, paths, schemes) = (width(0), width(1), width(2));
    let line = |[name, path, scheme, secret]: &[String; 4]| {
        format!("  {name:names$}  {path:paths$}  {scheme:schemes$}  {secret}\n")
    };
    let lines: String = rows.iter().map(line).collect();
    match rows.len() {
        1 => format!("1 source is sound:\n{lines}"),
        count => format!("{count} sources are sound:\n{lines}"),
    }
}

/// The sources in the folder `available` that can be enabled, as one line, if there is such a
/// folder.
fn ready(path: &Path, sources: &Sources) -> String {
    let folder = path.join("available");
    let files = files::read(&folder).unwrap_or_default();
    let names = files.iter().map(|file| file.name.as_str());
    let names: Vec<_> =
        names.filter(|name| !sources.iter().any(|source| source.name == *name)).collect();
    if names.is_empty() {
        return String::new();
    }
    format!(
        "\nReady in {}, to be copied to {}: {}\n",
        folder.display(),
        path.display(),
        names.join(", ")
    )
}
