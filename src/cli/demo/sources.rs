//! Copies of the source files for the functions on this machine. The samples were signed at fixed
//! times, so the copies have a tolerance of a hundred years.

use anyhow::{Result, anyhow};
use std::path::Path;

use super::super::payload;
use crate::files;

const TOLERANCE: &str = "tolerance = \"876000h\"\n";

/// Writes the live source files, and those that lie ready, into a folder of their own. Of a file
/// that is in both, the live one counts.
pub(super) fn copy(folder: &Path) -> Result<()> {
    let live = payload::path();
    let mut all = files::read(&files::available(&live)).unwrap_or_default();
    all.extend(payload::files()?);
    let failed = |error: std::io::Error| anyhow!("{} can't be written: {error}.", folder.display());
    if folder.exists() {
        std::fs::remove_dir_all(folder).map_err(failed)?;
    }
    std::fs::create_dir_all(folder).map_err(failed)?;
    for file in all {
        let text = file.text.map_err(|why| anyhow!("{} {why}", file.file))?;
        std::fs::write(folder.join(format!("{}.toml", file.name)), with_wide_tolerance(&text))
            .map_err(failed)?;
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
