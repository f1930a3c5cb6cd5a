//! `taskhook check`: is everything right with the source files?

use std::path::Path;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use super::check_portal::Portal;
use super::payload;
use crate::files;
use crate::source::{Problem, Source, SourceFile, Sources, warnings};

/// Read every source file and compile every expression
///
/// All problems are reported at once, each with file, line and column, what is wrong and what to do; so are warnings
/// about what is allowed and most likely not meant, which are no failure. The sources that work are listed with their
/// path, scheme and secret. The files are those of `TASKHOOK_SOURCES`, else of the folder `sources`.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    portal: Portal,
}

pub(super) fn run(arguments: &Arguments) -> Result<(), String> {
    let path = payload::path();
    let files: Arc<[_]> = files::read(&path).map_err(|problem| problem.to_string())?.into();
    let sources = Sources::read(&files);
    warn(&files);
    let mut problems: Vec<_> = sources.problems().iter().map(Problem::to_string).collect();
    problems.extend(arguments.portal.check(&path, &files).err());
    if !problems.is_empty() {
        return Err(problems.join("\n"));
    }
    super::print(&format!("{}{}", live(&sources.iter().collect::<Vec<_>>()), ready(&path, &sources)))
}

/// How long the expressions of a file may take on an event that has nothing. Some milliseconds are usual.
const PATIENCE: Duration = Duration::from_secs(2);

/// Tells the warnings about each file.
///
/// They come from running its expressions, and nothing interrupts one that never ends: a thread with such an
/// expression is left behind, and ends with the process.
fn warn(files: &Arc<[SourceFile]>) {
    for (at, SourceFile { file, .. }) in files.iter().enumerate() {
        let (sender, receiver) = mpsc::channel();
        let files = Arc::clone(files);
        std::thread::spawn(move || sender.send(warnings(&files[at..=at])));
        match receiver.recv_timeout(PATIENCE) {
            Ok(warnings) => warnings.iter().for_each(|warning| eprintln!("{warning}")),
            Err(mpsc::RecvTimeoutError::Timeout) => {
                eprintln!("{file}: warning: an expression of this file doesn't end on an event without fields");
            }
            // A panic, whose message stands above.
            Err(mpsc::RecvTimeoutError::Disconnected) => eprintln!("{file}: warning: this file can't be judged"),
        }
    }
}

/// The sources that work, one a line: name, path, scheme, and the name of the secret.
fn live(sources: &[&Source]) -> String {
    let row = |source: &&Source| {
        let secret = source.verify.secret.as_ref().map_or_else(|| "no secret".to_owned(), ToString::to_string);
        [source.name.clone(), source.path.clone(), source.verify.name.clone(), secret]
    };
    let rows: Vec<_> = sources.iter().map(row).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default();
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

/// The sources in the folder `available` that can be enabled, as one line, if there is such a folder.
fn ready(path: &Path, sources: &Sources) -> String {
    let folder = path.join("available");
    let files = files::read(&folder).unwrap_or_default();
    let names = files.iter().map(|file| file.name.as_str());
    let names: Vec<_> = names.filter(|name| !sources.iter().any(|source| source.name == *name)).collect();
    if names.is_empty() {
        return String::new();
    }
    format!("\nReady in {}, to be copied to {}: {}\n", folder.display(), path.display(), names.join(", "))
}
