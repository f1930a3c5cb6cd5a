//! The deliveries that `taskhook dev --save` keeps as samples.

use std::fs;
use std::path::PathBuf;

use anyhow::{Result, bail};

use super::payloads::Hidden;
use super::serving::Serving;
use crate::cli::{cases, payload, samples};
use crate::delivery::{Delivery, is_secret_header, names_a_secret};
use crate::source::Source;

/// Keeps deliveries in the folders of a folder, which are named after the sources.
pub(super) struct Saver {
    folder: PathBuf,
}

impl Saver {
    /// Saves into this folder, which is made if it isn't there.
    pub(super) fn new(folder: PathBuf) -> Result<Self> {
        samples::make_folder(&folder)?;
        Ok(Self { folder })
    }

    /// Saves a delivery whose signature was right, with the result that it must have. A failure is
    /// told, and keeps nobody from being answered.
    pub(super) fn save(
        &self,
        serving: &Serving,
        source: &Source,
        delivery: &Delivery,
        what: &str,
        hidden: &Hidden,
    ) {
        match self.write(serving, source, delivery, what, hidden) {
            Ok(Some(path)) => eprintln!("saved {}", path.display()),
            Ok(None) => {}
            Err(why) => eprintln!("A delivery could not be saved: {why:#}"),
        }
    }

    fn write(
        &self,
        serving: &Serving,
        source: &Source,
        delivery: &Delivery,
        what: &str,
        hidden: &Hidden,
    ) -> Result<Option<PathBuf>> {
        if hidden.is_in(&String::from_utf8_lossy(&delivery.body)) {
            bail!("its body holds a secret");
        }
        let mut sample = delivery.clone();
        for (name, value) in &delivery.headers {
            let holds_secret = hidden.is_in(&String::from_utf8_lossy(value.as_bytes()));
            if is_secret_header(name.as_str()) || holds_secret {
                sample.headers.remove(name);
            }
        }
        sample.query.retain(|(name, value)| !names_a_secret(name) && !hidden.is_in(value));
        let is_kept = |path: &PathBuf| {
            let bytes = fs::read(path).unwrap_or_default();
            payload::from_event(&bytes).is_ok_and(|known| known.body == sample.body)
        };
        samples::make_folder(&self.folder.join(&source.name))?;
        if cases::of_source(&self.folder, &source.name)?.iter().any(|case| is_kept(&case.event)) {
            return Ok(None);
        }
        samples::keep(&self.folder, serving.sources(), source, sample, what).map(Some)
    }
}
