//! The first line of a source file, by which editors find the schema that completes and checks it.

use std::path::Path;

use crate::source::{Problem, SourceFile, Warning};

/// What the line begins with. <https://taplo.tamasfe.dev/configuration/directives.html>
const DIRECTIVE: &str = "#:schema ";

/// Where the schema is, from the folder of the sources.
const SCHEMA: &str = "../schema/source.schema.json";

/// The text with the line that a file in this folder needs; without one where there is no schema.
pub(super) fn name_schema(folder: &Path, text: &str) -> String {
    let rest = match text.split_once('\n') {
        Some((first, rest)) if first.starts_with(DIRECTIVE) => rest,
        _ => text,
    };
    if folder.join(SCHEMA).is_file() {
        format!("{DIRECTIVE}{SCHEMA}\n{rest}")
    } else {
        rest.to_owned()
    }
}

/// The warning about a line that names a schema which isn't there, as after a file was copied to
/// another folder.
pub(super) fn warning(file: &SourceFile) -> Option<Warning> {
    let text = file.text.as_ref().ok()?;
    let named = text.lines().next()?.strip_prefix(DIRECTIVE)?.trim();
    let folder = Path::new(&file.file).parent()?;
    if named.contains("://") || folder.join(named).is_file() {
        return None;
    }
    let cure = if folder.join(SCHEMA).is_file() {
        format!("write `{DIRECTIVE}{SCHEMA}`")
    } else {
        "remove the line".to_owned()
    };
    let message = format!("editors don't find the schema {named}; {cure}");
    Some(Warning(Problem { file: file.file.clone(), line: 1, column: 1, message }))
}
