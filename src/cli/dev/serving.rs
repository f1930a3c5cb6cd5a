//! What serves now: the sources, with the secrets of their senders.

use std::path::Path;
use std::sync::Arc;

use anyhow::Result;

use super::portal::Portal;
use super::shelf::Shelf;
use crate::cli::cases::Secrets;
use crate::lambda::webhook::Function;
use crate::source::{SourceFile, Sources};
use crate::{files, secrets};

/// The sources that serve.
pub(super) struct Serving {
    sources: Arc<Sources>,
    files: Vec<SourceFile>,
    secrets: Arc<secrets::Secrets>,
}

impl Serving {
    /// The files that are sound, and the last good text of the others.
    pub(super) fn new(shelf: &Shelf, secrets: &Secrets, portal: &Portal) -> Self {
        let files = shelf.serve();
        portal.define(&files);
        let texts = secrets.iter().map(|(name, text)| (name.clone(), text.clone())).collect();
        let secrets = Arc::new(secrets::Secrets::given(texts));
        Self { sources: Arc::new(Sources::read(&files)), files, secrets }
    }

    /// The function for one delivery, with the schema in this folder, whose calls to the stand-in are told apart by its id.
    pub(super) fn function(&self, folder: &Path, portal: &Portal, id: u64) -> Result<Function> {
        let schema = files::schema(folder).map_err(anyhow::Error::msg)?;
        let (sources, secrets) = (Arc::clone(&self.sources), Arc::clone(&self.secrets));
        Ok(Function::direct(sources, secrets, portal.client(id), schema, portal.is_online()))
    }

    /// The sources that serve.
    pub(super) fn sources(&self) -> &Sources {
        &self.sources
    }

    /// The file of a source.
    pub(super) fn file(&self, name: &str) -> Option<&SourceFile> {
        self.files.iter().find(|file| file.name == name)
    }

    /// The files of the sources.
    pub(super) fn files(&self) -> &[SourceFile] {
        &self.files
    }
}
