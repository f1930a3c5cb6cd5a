//! The sample deliveries in `events/`: one folder for each source, and beside each event the file
//! that says what it must give. What an event gives doesn't depend on the clock: it arrives when it
//! says, and may have been signed at any time.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use secrecy::SecretString;
use serde_json::{Value, json};

use super::{explain, payload};
use crate::delivery::{NotRead, Tolerance};
use crate::source::{Source, Sources};

/// The samples in a folder, by the names of their sources.
pub(super) type Cases = BTreeMap<String, Vec<Case>>;

/// A sample delivery.
pub(super) struct Case {
    /// A complete Lambda event.
    pub(super) event: PathBuf,
    /// What it must give.
    pub(super) expected: PathBuf,
}

/// What a source makes of an event.
pub(super) struct Given {
    /// As the expected file says it.
    pub(super) value: Value,
    /// Why the event was refused, if it was.
    pub(super) refused: Option<String>,
}

/// The secrets that the samples are signed with: texts by the names that they have in Secrets
/// Manager.
pub(super) struct Secrets {
    file: PathBuf,
    texts: BTreeMap<String, SecretString>,
}

const ANY_AGE: Tolerance = Tolerance(Duration::MAX);

const EXPECTED: &str = ".expected.json";

/// The samples in the folders of `events`, which are named after the sources.
pub(super) fn read(events: &Path) -> Result<Cases, String> {
    let paths = list(events)
        .map_err(|problem| format!("{problem} Name the folder of the samples with --events."))?;
    let mut cases = Cases::new();
    for path in paths.into_iter().filter(|path| path.is_dir()) {
        let files = list(&path)?.into_iter();
        let events =
            files.filter(|file| file.extension().is_some_and(|extension| extension == "json"));
        let events = events.filter(|file| !file.to_string_lossy().ends_with(EXPECTED));
        let case = |event: PathBuf| Case { expected: event.with_extension("expected.json"), event };
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        cases.insert(name, events.map(case).collect());
    }
    Ok(cases)
}

fn list(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let unreadable =
        |error: std::io::Error| format!("{} can't be read: {error}.", folder.display());
    let entries = std::fs::read_dir(folder).map_err(unreadable)?;
    let paths: Result<Vec<_>, _> = entries.map(|entry| entry.map(|entry| entry.path())).collect();
    let mut paths = paths.map_err(unreadable)?;
    paths.sort();
    Ok(paths)
}

impl Secrets {
    /// Reads `secrets.json` in the folder of the samples. There need not be one: some schemes have
    /// no secret.
    pub(super) fn read(events: &Path) -> Result<Self, String> {
        let file = events.join("secrets.json");
        let texts: BTreeMap<String, String> = match std::fs::read_to_string(&file) {
            Ok(text) => serde_json::from_str(&text).map_err(|error| {
                format!("{} is no JSON object of texts: {error}.", file.display())
            })?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => BTreeMap::new(),
            Err(error) => return Err(format!("{} can't be read: {error}.", file.display())),
        };
        let texts =
            texts.into_iter().map(|(name, text)| (name, SecretString::from(text))).collect();
        Ok(Self { file, texts })
    }

    /// The text of a secret.
    pub(super) fn named(&self, name: &str) -> Result<&SecretString, String> {
        self.texts
            .get(name)
            .ok_or_else(|| format!("{} has no secret {name:?}.", self.file.display()))
    }

    /// What is accepted from the sender of a source.
    pub(super) fn of(&self, source: &Source) -> Result<Vec<SecretString>, String> {
        let Some(secret) = &source.verify.secret else { return Ok(Vec::new()) };
        let file = self.file.display();
        let text = self.texts.get(secret.id()).ok_or_else(|| {
            format!("{file} has no secret {:?}; write the one into it that these events are signed with.", secret.id())
        })?;
        secret.read(text).map_err(|error| format!("{file}: {error}."))
    }
}

impl Case {
    /// What a source makes of the event, which was signed with one of these secrets. The error is
    /// about the sample, not about the source.
    pub(super) fn run(
        &self,
        sources: &Sources,
        source: &Source,
        secrets: &[SecretString],
    ) -> Result<Given, String> {
        let bytes =
            std::fs::read(&self.event).map_err(|error| format!("It can't be read: {error}."))?;
        let delivery = payload::from_event(&bytes)?;
        let refused = |status: u16, why: String| Given {
            value: json!({"refused": status}),
            refused: Some(why),
        };
        let verified = match source.verify.scheme.verify(&delivery, secrets, ANY_AGE) {
            Ok(verified) => verified,
            Err(why) => return Ok(refused(401, why.to_string())),
        };
        let event = match sources.map(source, &verified, ANY_AGE) {
            Ok(event) => event,
            Err(NotRead::Refused(why)) => return Ok(refused(401, why.to_string())),
            Err(NotRead::Unreadable(why)) if !source.verify.scheme.needs_secret() => {
                return Ok(refused(400, why.to_string()));
            }
            Err(NotRead::Unreadable(why)) => source.unreadable(&verified, &why),
        };
        let mut value = explain::to_json(&event);
        let problems = explain::problems(&event);
        if !problems.is_empty() {
            value["failed"] = json!(problems);
        }
        Ok(Given { value, refused: None })
    }
}
