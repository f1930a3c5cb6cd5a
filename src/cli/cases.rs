//! The sample deliveries in `events/`: one folder for each source, and beside each event a file
//! with the result that it must have. Results don't depend on the clock, because an event arrives
//! at the time that it says and may have been signed at any time.

use std::collections::BTreeMap;
use std::fs::DirEntry;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};

use super::shared;
use super::{payload, story};
use crate::delivery::{NotRead, Tolerance};
use crate::source::{Proof, Source, Sources};

/// The samples in a folder, by the names of their sources.
pub(super) type Cases = BTreeMap<String, Vec<Case>>;

/// A sample delivery.
pub(super) struct Case {
    /// A complete Lambda event.
    pub(super) event: PathBuf,
    /// The file with the result that it must have.
    pub(super) expected: PathBuf,
}

/// The result of an event.
pub(super) struct Given {
    /// The result in the form of the expected file.
    pub(super) value: Value,
    /// The reason, if the event was refused.
    pub(super) refused: Option<String>,
}

/// The secrets that the samples are signed with: texts by the names that they have in Secrets
/// Manager.
pub(super) struct Secrets {
    /// The files, as a message names them.
    files: String,
    texts: BTreeMap<String, SecretString>,
}

/// For events that were signed some time ago.
pub(super) const ANY_AGE: Tolerance = Tolerance(Duration::MAX);

const EXPECTED: &str = ".expected.json";

/// The samples in the folders of `events`, which are named after the sources.
pub(super) fn read(events: &Path) -> Result<Cases> {
    let folders = list(events)
        .map_err(|problem| anyhow!("{problem} Name the folder of the samples with --events."))?;
    let mut cases = Cases::new();
    for folder in folders {
        if !folder.is_dir() {
            continue;
        }
        let name = folder.file_name().unwrap_or_default().to_string_lossy();
        let samples = of_source(events, &name)?;
        cases.insert(name.into_owned(), samples);
    }
    Ok(cases)
}

/// The samples of one source.
pub(super) fn of_source(events: &Path, name: &str) -> Result<Vec<Case>> {
    let mut samples = Vec::new();
    for event in list(&events.join(name))? {
        let name = event.to_string_lossy();
        if name.ends_with(".json") && !name.ends_with(EXPECTED) {
            samples.push(Case { expected: event.with_extension("expected.json"), event });
        }
    }
    Ok(samples)
}

/// The paths in a folder, sorted.
fn list(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(folder)
        .and_then(Iterator::collect::<io::Result<Vec<_>>>)
        .map_err(|error| anyhow!("{} can't be read: {error}.", folder.display()))?;
    let mut paths: Vec<_> = entries.iter().map(DirEntry::path).collect();
    paths.sort();
    Ok(paths)
}

impl Secrets {
    /// Reads `secrets.json` in the folder of the samples. There need not be one, because some
    /// schemes have no secret.
    pub(super) fn read(events: &Path) -> Result<Self> {
        let file = events.join("secrets.json");
        let mut secrets = Self { files: file.display().to_string(), texts: BTreeMap::new() };
        if file.exists() {
            secrets.read_file(&file)?;
        }
        Ok(secrets)
    }

    /// Adds the secrets of a file, which take the place of others of the same name.
    pub(super) fn add(&mut self, file: &Path) -> Result<()> {
        self.files = format!("Neither {} nor {}", file.display(), self.files);
        self.read_file(file)
    }

    fn read_file(&mut self, file: &Path) -> Result<()> {
        let json = serde_json::from_str(&shared::read_text(file)?);
        // Without the error's own words, which quote what may be a secret.
        let json: BTreeMap<String, String> = json.map_err(|error| {
            let (line, column) = (error.line(), error.column());
            anyhow!(
                "{}:{line}:{column}: it has to be a JSON object of texts, such as \
                 {{\"taskhook/github\": \"the secret\"}}.",
                file.display()
            )
        })?;
        self.texts.extend(json.into_iter().map(|(name, text)| (name, SecretString::from(text))));
        Ok(())
    }

    /// Whether these are the same secrets.
    pub(super) fn are_same(&self, other: &Self) -> bool {
        let pairs = |secrets: &Self| {
            let texts = secrets.texts.iter();
            texts
                .map(|(name, text)| (name.clone(), text.expose_secret().to_owned()))
                .collect::<Vec<_>>()
        };
        pairs(self) == pairs(other)
    }

    /// Every secret by its name.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&String, &SecretString)> {
        self.texts.iter()
    }

    /// The text of a secret.
    pub(super) fn named(&self, name: &str) -> Result<&SecretString> {
        let file = &self.files;
        self.texts.get(name).with_context(|| format!("{file} has no secret {name:?}."))
    }

    /// The secrets that a source accepts from its sender.
    pub(super) fn of_source(&self, source: &Source) -> Result<Vec<SecretString>> {
        let Some(Proof { secret, .. }) = &source.verify.proof else { return Ok(Vec::new()) };
        let file = &self.files;
        let Some(text) = self.texts.get(secret.id()) else {
            bail!(
                "{file} has {}secret {id:?}; add the one that the sender signs with, as a line \
                 {id:?}: \"...\".",
                if file.starts_with("Neither ") { "the " } else { "no " },
                id = secret.id()
            );
        };
        secret.read(text).map_err(|error| anyhow!("{file}: {error}."))
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
    ) -> Result<Given> {
        let bytes =
            std::fs::read(&self.event).map_err(|error| anyhow!("It can't be read: {error}."))?;
        let delivery = payload::from_event(&bytes)?;
        let verified = match source.verify.verify(&delivery, secrets, ANY_AGE) {
            Ok(verified) => verified,
            Err(why) => return Ok(Given::refused(401, why.to_string())),
        };
        let event = match sources.map(source, &verified, ANY_AGE) {
            Ok(event) => event,
            Err(NotRead::Refused(why)) => return Ok(Given::refused(401, why.to_string())),
            Err(NotRead::Unreadable(why)) if source.verify.proof.is_none() => {
                return Ok(Given::refused(400, why.to_string()));
            }
            Err(NotRead::Unreadable(why)) => source.unreadable(&verified, &why),
        };
        let mut value = story::to_json(source, &event);
        let problems = story::problems(&event);
        if !problems.is_empty() {
            value["failed"] = json!(problems);
        }
        Ok(Given { value, refused: None })
    }
}

impl Given {
    fn refused(status: u16, why: String) -> Self {
        Self { value: json!({"refused": status}), refused: Some(why) }
    }
}
