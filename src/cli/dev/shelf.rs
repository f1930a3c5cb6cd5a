//! The source files on disk, read again as they change. A file with problems leaves the last good
//! text of it serving.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Result, anyhow, bail};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::place;
use crate::cli::editor_schema::name_schema;
use crate::cli::new;
use crate::files;
use crate::source::{Problem, SourceFile, Sources};
use crate::time::Time;

/// The source files of a folder.
pub(super) struct Shelf {
    folder: PathBuf,
    files: BTreeMap<String, Shelved>,
}

/// One source file.
struct Shelved {
    /// The file's name for messages.
    file: String,
    /// The text on disk; `None` where it can't be read.
    text: Option<String>,
    problems: Vec<Problem>,
    /// The last text without problems, and when it was read.
    good: Option<(String, Time)>,
}

/// A change of a file that was noticed.
pub(super) enum Noticed {
    /// The file is sound, and serves.
    Good(String),
    /// The file has problems; and whether a good text of it serves on.
    Broken(Vec<Problem>, bool),
    /// The file is gone.
    Gone(String),
}

impl Shelf {
    /// No file is read yet.
    pub(super) fn new(folder: PathBuf) -> Self {
        Self { folder, files: BTreeMap::new() }
    }

    /// Reads the folder again. Returns what changed.
    pub(super) fn refresh(&mut self, now: Time) -> Result<Vec<Noticed>> {
        let files = if self.folder.exists() {
            files::read_any(&self.folder).map_err(anyhow::Error::msg)?
        } else {
            // It is made with the first file.
            Vec::new()
        };
        let mut noticed = Vec::new();
        let is_gone = |name: &String| !files.iter().any(|file| file.name == *name);
        for name in self.files.keys().filter(|name| is_gone(name)) {
            noticed.push(Noticed::Gone(name.clone()));
        }
        self.files.retain(|name, _| !is_gone(name));
        let is_new = |file: &&SourceFile| {
            let known = self.files.get(&file.name);
            known.is_none_or(|known| known.text != file.text.as_ref().ok().cloned())
        };
        let changed: Vec<_> = files.iter().filter(is_new).map(|file| file.name.clone()).collect();
        if changed.is_empty() && noticed.is_empty() {
            return Ok(noticed);
        }
        for file in files {
            if !changed.contains(&file.name) {
                continue;
            }
            let problems = self.try_beside_the_others(&file);
            let known = self.files.remove(&file.name);
            let mut good = known.and_then(|known| known.good);
            let text = file.text.ok();
            if let (Some(text), true) = (&text, problems.is_empty()) {
                let is_same = good.as_ref().is_some_and(|(known, _)| known == text);
                good = good.filter(|_| is_same).or_else(|| Some((text.clone(), now)));
            }
            noticed.push(if problems.is_empty() {
                Noticed::Good(file.name.clone())
            } else {
                Noticed::Broken(problems.clone(), good.is_some())
            });
            self.files.insert(file.name, Shelved { file: file.file, text, problems, good });
        }
        Ok(noticed)
    }

    /// The problems of a file beside the good texts of the others, one of which may have its path.
    fn try_beside_the_others(&self, file: &SourceFile) -> Vec<Problem> {
        let mut files = self.serve();
        files.retain(|other| other.name != file.name);
        let text = file.text.as_deref().unwrap_or_default();
        files.push(SourceFile::from_text(&file.file, &file.name, text));
        if let Err(why) = &file.text {
            let message = why.to_string();
            return vec![Problem { file: file.file.clone(), line: 0, column: 0, message }];
        }
        let mut problems = Sources::read(&files).problems().to_vec();
        problems.retain(|problem| problem.file == file.file);
        problems
    }

    /// What serves now: the files without problems, and the last good text of the others.
    pub(super) fn serve(&self) -> Vec<SourceFile> {
        let mut files = Vec::new();
        for (name, shelved) in &self.files {
            if let Some((text, _)) = &shelved.good {
                files.push(SourceFile::from_text(&shelved.file, name, text.clone()));
            }
        }
        files
    }

    /// The names of all files, with the first problem of each that has one, and whether a good text
    /// of it serves.
    pub(super) fn list(&self) -> Vec<(&str, &str, Option<&Problem>, bool)> {
        let mut list = Vec::new();
        for (name, shelved) in &self.files {
            let first = shelved.problems.first();
            list.push((name.as_str(), shelved.file.as_str(), first, shelved.good.is_some()));
        }
        list
    }

    /// A file with its text and problems.
    pub(super) fn view(&self, name: &str) -> Result<Value> {
        let Some(shelved) = self.files.get(name) else {
            bail!("There is no source {name:?}.");
        };
        let text = shelved.text.clone().unwrap_or_default();
        let problems: Vec<_> =
            shelved.problems.iter().map(|problem| place::problem(problem, &text)).collect();
        Ok(json!({
            "name": name,
            "file": shelved.file,
            "toml": text,
            "etag": etag(&text),
            "problems": problems,
            "served": shelved.good.as_ref().map(|(_, since)| since.to_string()),
        }))
    }

    /// The text of a file as it is on disk, as far as it was noticed.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.files.get(name)?.text.as_deref()
    }

    /// The name of a file for messages, be it there or not.
    pub(super) fn file(&self, name: &str) -> String {
        let known = self.files.get(name).map(|shelved| shelved.file.clone());
        known.unwrap_or_else(|| self.path(name).display().to_string())
    }

    /// Writes a file, if it still has the text with this tag. `Ok(false)` where it has another.
    pub(super) fn save(&self, name: &str, known_tag: &str, text: &str) -> Result<bool> {
        if !self.files.contains_key(name) {
            bail!("There is no source {name:?}.");
        }
        let path = self.path(name);
        let on_disk = fs::read_to_string(&path)
            .map_err(|error| anyhow!("{} can't be read: {error}.", path.display()))?;
        if etag(&on_disk) != known_tag {
            return Ok(false);
        }
        write(&path, text)?;
        Ok(true)
    }

    /// Writes a new file. `Ok(false)` where there is one of this name.
    pub(super) fn create(&self, name: &str, text: &str) -> Result<bool> {
        if !is_plain(name) {
            bail!("{name:?} is no name of a source: write letters, digits, - and _.");
        }
        if self.folder.is_file() {
            bail!("TASKHOOK_SOURCES is one file; name its folder to have more sources.");
        }
        let path = self.path(name);
        if path.exists() {
            return Ok(false);
        }
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)
                .map_err(|error| anyhow!("{} can't be made: {error}.", folder.display()))?;
        }
        write(&path, &name_schema(&self.folder, text))?;
        Ok(true)
    }

    /// The sources that lie ready and are not live, by name: in the folder, or in the tool itself.
    pub(super) fn ready(&self) -> Vec<String> {
        let files = files::read(&files::available(&self.folder)).unwrap_or_default();
        let mut names: BTreeSet<_> = files.into_iter().map(|file| file.name).collect();
        if names.is_empty() {
            names.extend(new::shipped_names().into_iter().map(str::to_owned));
        }
        names.retain(|name| !self.files.contains_key(name));
        names.into_iter().collect()
    }

    /// The text of a source that lies ready.
    pub(super) fn ready_text(&self, name: &str) -> Option<String> {
        let files = files::read(&files::available(&self.folder)).unwrap_or_default();
        let found = files.into_iter().find(|file| file.name == name);
        found.and_then(|file| file.text.ok()).or_else(|| new::shipped_text(name))
    }

    /// The folder of the files.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    fn path(&self, name: &str) -> PathBuf {
        if self.folder.is_file() {
            self.folder.clone()
        } else {
            self.folder.join(format!("{name}.toml"))
        }
    }
}

/// Whether a name is one of a file in the folder, and no way out of it.
fn is_plain(name: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    !name.is_empty() && name.len() <= 64 && name.chars().all(is_plain)
}

/// Writes a file beside its old self, and puts it in its place: a reader sees one or the other.
fn write(path: &Path, text: &str) -> Result<()> {
    // A link stays one: what it points to is written.
    let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let new = path.with_extension("toml.new");
    let permissions = fs::metadata(&path).map(|known| known.permissions());
    fs::write(&new, text)
        .and_then(|()| permissions.map_or(Ok(()), |known| fs::set_permissions(&new, known)))
        .and_then(|()| fs::rename(&new, &path))
        .map_err(|error| anyhow!("{} can't be written: {error}.", path.display()))
}

/// The tag of a text, by which a change of it is noticed.
fn etag(text: &str) -> String {
    format!("\"{}\"", hex::encode(&Sha256::digest(text)[..16]))
}
