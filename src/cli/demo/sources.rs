//! Copies of the source files for the functions on this machine. The samples were signed at fixed
//! times, so the copies have a tolerance of a hundred years.

use std::path::Path;

use anyhow::{Context as _, Result, anyhow};

use crate::cli::payload;
use crate::files;
use crate::source::SourceFile;

const TOLERANCE: &str = "tolerance = \"876000h\"\n";

/// Writes the live source files, and the available ones, into a folder of their own. A live file
/// counts over an available one of the same name.
pub(super) fn copy(folder: &Path) -> Result<()> {
    let ready = files::available(&payload::path());
    let mut all = files::read(&ready).unwrap_or_default();
    all.extend(payload::files()?);
    let (name, text) = super::life::SOURCE;
    all.push(SourceFile::from_text("life.toml", name, text));
    write(folder, &all).with_context(|| format!("{} can't be written", folder.display()))
}

fn write(folder: &Path, files: &[SourceFile]) -> Result<()> {
    if folder.exists() {
        std::fs::remove_dir_all(folder)?;
    }
    std::fs::create_dir_all(folder)?;
    for SourceFile { file, name, text } in files {
        let text = text.as_ref().map_err(|why| anyhow!("{file} {why}"))?;
        std::fs::write(folder.join(format!("{name}.toml")), with_wide_tolerance(text))?;
    }
    Ok(())
}

/// The text of a source file with [`TOLERANCE`] in place of its own.
fn with_wide_tolerance(text: &str) -> String {
    let mut copy = String::new();
    let mut in_verify = false;
    for line in text.split_inclusive('\n') {
        let code = line.split('#').next().unwrap_or_default().replace([' ', '\t'], "");
        if code.starts_with('[') {
            in_verify = code.trim() == "[verify]";
            copy.push_str(line);
            if in_verify {
                copy.push_str(TOLERANCE);
            }
        } else if !(in_verify && code.starts_with("tolerance=")) {
            copy.push_str(line);
        }
    }
    copy
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tolerance_of_verify_is_replaced_and_nothing_else() {
        let text = "path = \"/a\"\n[verify]  # who\nscheme = \"slack\"\n  tolerance = \"5m\"\n[task]\ntolerance = 1\nid = \".id\"";
        let copy = "path = \"/a\"\n[verify]  # who\ntolerance = \"876000h\"\nscheme = \"slack\"\n[task]\ntolerance = 1\nid = \".id\"";
        assert_eq!(with_wide_tolerance(text), copy);
    }
}
