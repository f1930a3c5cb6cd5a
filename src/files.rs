//! The source files, as they lie in a folder, and the portal's schema beside them.

use std::path::{Path, PathBuf};

use crate::hubspot::Schema;
use crate::settings::Problem;
use crate::source::SourceFile;

/// Where the source files are: `TASKHOOK_SOURCES`, else `sources` beside the binary, else in the
/// working folder.
#[must_use]
pub fn path(variable: &dyn Fn(&str) -> Option<String>) -> PathBuf {
    if let Some(path) = variable("TASKHOOK_SOURCES").filter(|path| !path.trim().is_empty()) {
        return PathBuf::from(path.trim());
    }
    let beside = variable("LAMBDA_TASK_ROOT").map(|root| Path::new(&root).join("sources"));
    beside.filter(|folder| folder.is_dir()).unwrap_or_else(|| PathBuf::from("sources"))
}

/// Reads a folder of source files (its own `*.toml`, not those of folders in it), or one file.
///
/// A file that can't be read is reported by its text; the error is a folder that can't be read or
/// has no files.
pub fn read(path: &Path) -> Result<Vec<SourceFile>, Problem> {
    let problem = |message: String| Problem { variable: "TASKHOOK_SOURCES", message };
    let unreadable =
        |error: std::io::Error| problem(format!("{} can't be read: {error}", path.display()));
    let mut paths = Vec::new();
    if path.is_dir() {
        for entry in std::fs::read_dir(path).map_err(unreadable)? {
            paths.push(entry.map_err(unreadable)?.path());
        }
        let visible = |path: &PathBuf| {
            !path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'))
        };
        paths.retain(|path| {
            path.extension().is_some_and(|extension| extension == "toml") && visible(path)
        });
        paths.sort();
    } else {
        std::fs::metadata(path).map_err(unreadable)?;
        paths.push(path.to_owned());
    }
    if paths.is_empty() {
        return Err(problem(format!(
            "{} has no source files; put a .toml file for each ticket system into it",
            path.display()
        )));
    }
    Ok(paths.iter().map(|path| source_file(path)).collect())
}

/// The folder with the source files that lie ready, but are not live: beside those in `path`, a
/// folder or one file.
#[must_use]
pub fn available(path: &Path) -> PathBuf {
    folder(path).join("available")
}

/// The file beside the sources with the portal's task properties, as `taskhook schema pull` prints
/// them.
const SCHEMA: &str = "hubspot-schema.json";

/// Reads the schema beside the sources in `path`, a folder or one file. `None` where there is no
/// such file.
pub fn schema(path: &Path) -> Result<Option<Schema>, Problem> {
    let file = folder(path).join(SCHEMA);
    let parsed = match std::fs::read_to_string(&file) {
        Ok(text) => Schema::parse(&text).map_err(|error| error.to_string()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => Err(format!("can't be read: {error}")),
    };
    let problem = |why: String| Problem {
        variable: "TASKHOOK_SOURCES",
        message: format!(
            "{} {why}; save what `taskhook schema pull` prints as this file, or remove it",
            file.display()
        ),
    };
    parsed.map(Some).map_err(problem)
}

fn folder(path: &Path) -> &Path {
    if path.is_dir() { path } else { path.parent().unwrap_or(path) }
}

/// The size of a source file; the largest shipped one has 7 KB. A larger file would hold up the
/// start.
const LARGEST: usize = 256 * 1024;

fn source_file(path: &Path) -> SourceFile {
    let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let text = std::fs::read(path).map_err(|error| format!("can't be read: {error}"));
    let text = text.and_then(|bytes| match bytes.len() {
        ..=LARGEST => Ok(bytes),
        length => {
            Err(format!("has {length} bytes, and a source file has at most {LARGEST}; is it one?"))
        }
    });
    let text =
        text.and_then(|bytes| String::from_utf8(bytes).map_err(|_| "is not UTF-8 text".to_owned()));
    SourceFile { file: path.display().to_string(), name, text }
}
