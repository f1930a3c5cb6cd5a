//! The source files, as they lie in a folder, and the portal's schema beside them.

use std::ffi::OsStr;
use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::{fs, io};

use crate::hubspot::Schema;
use crate::settings::WrongSetting;
use crate::source::SourceFile;

/// The file beside the sources with the portal's task properties, as `taskhook schema pull` prints
/// them.
const SCHEMA: &str = "hubspot-schema.json";

/// Where Lambda unpacks the layer of the source files, which `make layer` puts together.
/// <https://docs.aws.amazon.com/lambda/latest/dg/packaging-layers.html#packaging-layers-paths>
const LAYER: &str = "/opt/sources";

/// Where the source files are: `TASKHOOK_SOURCES`, else the first that exists of the layer, `sources`
/// beside the binary, and `sources` in the working folder.
#[must_use]
pub fn path(variable: &dyn Fn(&str) -> Option<String>) -> PathBuf {
    path_with(Path::new(LAYER), variable)
}

/// The same, with the layer at this path.
fn path_with(layer: &Path, variable: &dyn Fn(&str) -> Option<String>) -> PathBuf {
    if let Some(path) = variable("TASKHOOK_SOURCES")
        && !path.trim().is_empty()
    {
        return PathBuf::from(path.trim());
    }
    if layer.is_dir() {
        return layer.to_owned();
    }
    if let Some(root) = variable("LAMBDA_TASK_ROOT") {
        let beside = Path::new(&root).join("sources");
        if beside.is_dir() {
            return beside;
        }
    }
    PathBuf::from("sources")
}

/// Reads a folder of source files (its `*.toml`, without the folders in it), or one file.
///
/// A file that can't be read is reported by its text; the error is a folder that can't be read or
/// has no files.
pub fn read(path: &Path) -> Result<Vec<SourceFile>, WrongSetting> {
    let files = read_any(path)?;
    if files.is_empty() {
        return Err(problem(format!(
            "{} has no source files; put a .toml file for each ticket system into it",
            path.display()
        )));
    }
    Ok(files)
}

/// The same, where there need not be a file.
pub fn read_any(path: &Path) -> Result<Vec<SourceFile>, WrongSetting> {
    let paths = list(path)
        .map_err(|error| problem(format!("{} can't be read: {error}", path.display())))?;
    Ok(paths.iter().map(|path| source_file(path)).collect())
}

/// The folder of the source files that lie ready, but are not live. It is beside the live ones in
/// `path`, a folder or one file.
#[must_use]
pub fn available(path: &Path) -> PathBuf {
    folder(path).join("available")
}

/// Reads the schema beside the sources in `path`, a folder or one file. `None` where there is no
/// such file.
pub fn schema(path: &Path) -> Result<Option<Schema>, WrongSetting> {
    let file = folder(path).join(SCHEMA);
    let text = match fs::read_to_string(&file) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(no_schema(&file, &format!("can't be read: {error}"))),
    };
    Schema::parse(&text).map(Some).map_err(|why| no_schema(&file, &why))
}

fn no_schema(file: &Path, why: &impl Display) -> WrongSetting {
    problem(format!(
        "{} {why}; save what `taskhook schema pull` prints as this file, or remove it",
        file.display()
    ))
}

fn problem(message: String) -> WrongSetting {
    WrongSetting { variable: "TASKHOOK_SOURCES", message }
}

fn folder(path: &Path) -> &Path {
    if path.is_dir() { path } else { path.parent().unwrap_or(path) }
}

/// The paths of the source files in a folder, sorted; or the one file.
fn list(path: &Path) -> io::Result<Vec<PathBuf>> {
    if !path.is_dir() {
        fs::metadata(path)?;
        return Ok(vec![path.to_owned()]);
    }
    let mut files = Vec::new();
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        let is_hidden = entry.file_name().to_string_lossy().starts_with('.');
        if !is_hidden && entry.path().extension() == Some(OsStr::new("toml")) {
            files.push(entry.path());
        }
    }
    files.sort();
    Ok(files)
}

fn source_file(path: &Path) -> SourceFile {
    let name = path.file_stem().unwrap_or_default().to_string_lossy();
    SourceFile::from_bytes(&path.display().to_string(), &name, fs::read(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_layer_comes_before_the_zip_and_the_zip_before_the_working_folder() {
        let root = std::env::temp_dir().join(format!("taskhook-files-{}", std::process::id()));
        let (layer, beside) = (root.join("opt"), root.join("sources"));
        let set = |name: &str| (name == "TASKHOOK_SOURCES").then(|| " /mine ".to_owned());
        let task_root = root.display().to_string();
        let unset = |name: &str| (name == "LAMBDA_TASK_ROOT").then(|| task_root.clone());
        assert_eq!(path_with(&layer, &unset), Path::new("sources"));
        fs::create_dir_all(&beside).unwrap();
        assert_eq!(path_with(&layer, &unset), beside);
        fs::create_dir_all(&layer).unwrap();
        assert_eq!(path_with(&layer, &unset), layer);
        assert_eq!(path_with(&layer, &|_| None), layer);
        assert_eq!(path_with(&layer, &set), Path::new("/mine"));
        fs::remove_dir_all(root).unwrap();
    }
}
