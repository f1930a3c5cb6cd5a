//! The files with the webhooks' secrets, read again as they change.

use std::path::PathBuf;

use anyhow::Result;

use crate::cli::cases::Secrets;

/// The secrets as they were read last.
pub(super) struct SecretFiles {
    /// The folder of the samples.
    events: PathBuf,
    /// The file with the real ones.
    real: Option<PathBuf>,
    pub(super) known: Secrets,
}

impl SecretFiles {
    /// Reads the secrets of the samples, and the real ones, which take their place.
    pub(super) fn read(events: PathBuf, real: Option<PathBuf>) -> Result<Self> {
        let known = read(&events, real.as_ref())?;
        Ok(Self { events, real, known })
    }

    /// Reads the files again. Returns whether a secret is another now. While a file can't be read,
    /// the secrets stay.
    pub(super) fn refresh(&mut self) -> bool {
        match read(&self.events, self.real.as_ref()) {
            Ok(known) if !known.are_same(&self.known) => {
                self.known = known;
                true
            }
            _ => false,
        }
    }
}

fn read(events: &std::path::Path, real: Option<&PathBuf>) -> Result<Secrets> {
    let mut known = Secrets::read(events)?;
    if let Some(file) = real {
        known.add(file)?;
    }
    Ok(known)
}
