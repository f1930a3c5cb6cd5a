//! Letters kept in a folder: events as samples, all others as lines of JSON.

use std::collections::HashSet;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Error, Result, anyhow};
use serde_json::{Value, json};

use super::letters::Item;
use crate::cli::{payload, samples};
use crate::files;
use crate::source::Sources;

/// The file of the letters that hold no event. Each line can be sent into the queue of updates.
const LETTERS: &str = "letters.jsonl";

/// A folder in which letters are kept.
pub(super) struct Keeper {
    folder: PathBuf,
    /// Those that can be read; a letter of another is kept unsigned.
    sources: Sources,
    /// The ids of the letters in the file.
    there: HashSet<String>,
}

impl Keeper {
    /// Makes the folder if it isn't there, and reads which letters it has.
    pub(super) fn new(folder: &Path) -> Result<Self> {
        samples::make_folder(folder)?;
        let sources = Sources::read(&files::read(&payload::path()).unwrap_or_default());
        let text = std::fs::read_to_string(folder.join(LETTERS)).unwrap_or_default();
        let mut there = HashSet::new();
        for line in text.lines() {
            let letter: Value = serde_json::from_str(line).unwrap_or_default();
            there.extend(letter["id"].as_str().map(str::to_owned));
        }
        Ok(Self { folder: folder.to_owned(), sources, there })
    }

    /// Keeps a letter, unless it is there already. Returns its file.
    pub(super) fn keep(&mut self, item: &Item) -> Result<PathBuf> {
        let name = item.source();
        let source = self.sources.iter().find(|source| source.name == name);
        // The name of a source that isn't there is a stranger's text.
        let folder = samples::file_name(name);
        let path = source.map_or(format!("/{folder}"), |source| source.path.clone());
        let Some(delivery) = item.delivery(&path) else { return self.add_line(item) };
        let what = format!("{} {}", item.reason(), item.short_id());
        match source {
            Some(source) => samples::keep(&self.folder, &self.sources, source, delivery?, &what),
            None => samples::keep_unsigned(&self.folder.join(folder), delivery?, &what),
        }
    }

    fn add_line(&mut self, item: &Item) -> Result<PathBuf> {
        let file = self.folder.join(LETTERS);
        let id = &item.received.id;
        if self.there.contains(id) {
            return Ok(file);
        }
        let mut letter = match item.content() {
            Value::Object(letter) => Value::Object(letter),
            other => json!({"text": other}),
        };
        letter["id"] = json!(id);
        let opened = samples::private().append(true).create(true).open(&file);
        let written = opened.and_then(|mut file| file.write_all(format!("{letter}\n").as_bytes()));
        written.map_err(|error| anyhow!("{} can't be written: {error}.", file.display()))?;
        self.there.insert(id.clone());
        Ok(file)
    }
}

/// Keeps letters, and tells of those that can't be kept. Returns whether each is kept now.
pub(super) fn keep_all(keeper: &mut Keeper, items: &[Item]) -> Vec<Result<PathBuf, Error>> {
    let mut kept = Vec::new();
    for item in items {
        let result = keeper.keep(item);
        if let Err(why) = &result {
            eprintln!("{} can't be saved: {why:#}", item.short_id());
        }
        kept.push(result);
    }
    kept
}
