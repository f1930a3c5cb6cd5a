//! A remark about a place in a source file: the text of a warning.

use super::file::Problems;
use super::table::Placed;

/// A remark about a value of the file.
pub(super) struct Remark {
    start: usize,
    /// A byte of the value that starts there; `None` means the value itself.
    offset: Option<usize>,
    pub(super) message: String,
}

impl Remark {
    /// About a value as a whole.
    pub(super) fn about<T>(value: &Placed<T>, message: impl Into<String>) -> Self {
        Self { start: value.start, offset: None, message: message.into() }
    }

    /// About the byte at this offset of a text, if there is one, else about the text as a whole.
    pub(super) fn within<T>(
        value: &Placed<T>,
        offset: Option<usize>,
        message: impl Into<String>,
    ) -> Self {
        Self { offset, ..Self::about(value, message) }
    }

    /// The byte of the file that it is about.
    pub(super) fn place(&self, problems: &Problems<'_>) -> usize {
        match self.offset {
            Some(offset) => problems.within(self.start, offset),
            None => self.start,
        }
    }
}
