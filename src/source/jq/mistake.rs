//! A mistake in the text of an expression.

/// A mistake in the text of an expression. As text it says what is wrong and what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub(crate) struct Mistake {
    /// Byte offset in the expression's text.
    pub(crate) offset: usize,
    pub(crate) message: String,
}
