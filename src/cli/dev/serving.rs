//! The function, by the source files that serve now.

use std::sync::Arc;

use anyhow::Result;

use super::portal::Portal;
use super::shelf::Shelf;
use crate::cli::cases::Secrets;
use crate::lambda::webhook::Function;
use crate::source::{SourceFile, Sources};
use crate::{files, secrets};

/// The function with the source files that it serves by.
pub(super) struct Serving {
    pub(super) function: Function,
    pub(super) files: Vec<SourceFile>,
}

impl Serving {
    /// Makes the function of the files that are sound, and of the last good text of the others.
    pub(super) fn new(shelf: &Shelf, secrets: &Secrets, portal: &Portal) -> Result<Self> {
        let served = shelf.serve();
        portal.define(&served.files);
        let schema = files::schema(shelf.folder()).map_err(anyhow::Error::msg)?;
        let texts = secrets.iter().map(|(name, text)| (name.clone(), text.clone())).collect();
        let function = Function::direct(
            served.sources,
            Arc::new(secrets::Secrets::given(texts)),
            portal.client(),
            schema,
            portal.is_online(),
        );
        Ok(Self { function, files: served.files })
    }

    /// The sources that serve.
    pub(super) fn sources(&self) -> &Sources {
        self.function.sources()
    }

    /// The file of a source.
    pub(super) fn file(&self, name: &str) -> Option<&SourceFile> {
        self.files.iter().find(|file| file.name == name)
    }
}
