//! Problems of source files, with their places.

use std::fmt;

/// One problem of one source file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The file.
    pub file: String,
    /// Line, from 1; 0 when the file as a whole is meant.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// The mistake, and the cure.
    pub message: String,
}

/// Something that is allowed and most likely not meant. It keeps nothing from working.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning(pub Problem);

impl Problem {
    pub(super) fn at(file: &str, text: &str, offset: usize, message: impl Into<String>) -> Self {
        let before = text.get(..offset).unwrap_or(text);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        Self { file: file.to_owned(), line, column, message: message.into() }
    }

    pub(super) fn of_file(file: &str, message: impl Into<String>) -> Self {
        Self { file: file.to_owned(), line: 0, column: 0, message: message.into() }
    }
}

impl Warning {
    /// A warning about a file as a whole.
    #[must_use]
    pub fn of_file(file: &str, message: &impl ToString) -> Self {
        Self(Problem::of_file(file, message.to_string()))
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}", self.file, self.message),
            line => write!(f, "{}:{line}:{}: {}", self.file, self.column, self.message),
        }
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Problem { file, line, column, message } = &self.0;
        match line {
            0 => write!(f, "{file}: warning: {message}"),
            line => write!(f, "{file}:{line}:{column}: warning: {message}"),
        }
    }
}
