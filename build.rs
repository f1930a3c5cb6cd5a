//! Puts the shipped source files into an installed tool, so that `taskhook new` has them wherever
//! it runs. A debug build reads them from the folder of the project instead, because it would have
//! to be built anew with every change of a source file.

use std::fmt::Write as _;
use std::io::Result;
use std::path::{Path, PathBuf};
use std::{env, fs};

/// Enabled ones first: a file that was copied there may have been adapted.
const FOLDERS: [&str; 2] = ["sources", "sources/available"];

fn main() -> Result<()> {
    println!("cargo::rerun-if-changed=build.rs");
    let is_tool = env::var_os("CARGO_FEATURE_TOOL").is_some();
    let is_installed = env::var("PROFILE").is_ok_and(|profile| profile == "release");
    let mut rows = String::new();
    if is_tool && is_installed {
        for folder in FOLDERS {
            println!("cargo::rerun-if-changed={folder}");
            for file in files(Path::new(folder))? {
                let name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
                let path = fs::canonicalize(&file)?;
                let _ = writeln!(rows, "({name:?}, include_str!({:?})),", path.display());
            }
        }
    }
    let output = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default());
    fs::write(output.join("shipped.rs"), format!("&[\n{rows}]\n"))
}

/// The source files of a folder. There need not be one: people delete what they don't need.
fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}
