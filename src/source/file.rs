//! A source file as text: its places, and its problems.

use std::cell::RefCell;
use std::io;

use super::problem::Problem;

/// How many problems of one file are told.
const PROBLEMS: usize = 100;

/// The largest source file, in bytes; the largest shipped one has 7 KB. A larger file would hold up
/// the start.
const LARGEST: usize = 256 * 1024;

/// A file as it was read.
pub struct SourceFile {
    /// The file's name for messages, such as `sources/zendesk.toml`.
    pub file: String,
    /// The source's name: the file's name without its ending.
    pub name: String,
    /// The text, or why it can't be read.
    pub text: Result<String, NoText>,
}

/// Why a source file has no text. The rest of a sentence that begins with the file.
#[derive(Debug, thiserror::Error)]
pub enum NoText {
    /// The file can't be read.
    #[error("can't be read: {0}")]
    Unreadable(#[from] io::Error),
    /// With its size in bytes.
    #[error("has {0} bytes, and a source file has at most {max}; is it one?", max = LARGEST)]
    TooLarge(usize),
    /// Its bytes are no text.
    #[error("is not UTF-8 text")]
    NotUtf8(#[from] std::string::FromUtf8Error),
}

impl SourceFile {
    /// A file by its bytes, or by the error of reading them.
    #[must_use]
    pub fn from_bytes(file: &str, name: &str, bytes: io::Result<Vec<u8>>) -> Self {
        Self { file: file.to_owned(), name: name.to_owned(), text: text(bytes) }
    }

    /// A file by its text.
    #[must_use]
    pub fn from_text(file: &str, name: &str, text: impl Into<String>) -> Self {
        Self { file: file.to_owned(), name: name.to_owned(), text: Ok(text.into()) }
    }
}

fn text(bytes: io::Result<Vec<u8>>) -> Result<String, NoText> {
    let bytes = bytes?;
    if bytes.len() > LARGEST {
        return Err(NoText::TooLarge(bytes.len()));
    }
    Ok(String::from_utf8(bytes)?)
}

/// The problems of a file, collected while it is read.
pub(super) struct Problems<'f> {
    pub(super) file: &'f str,
    pub(super) text: &'f str,
    found: RefCell<Vec<Problem>>,
}

impl<'f> Problems<'f> {
    pub(super) fn new(file: &'f str, text: &'f str) -> Self {
        Self { file, text, found: RefCell::default() }
    }

    /// A problem at a byte of the text, which is not added.
    pub(super) fn at(&self, start: usize, message: impl Into<String>) -> Problem {
        Problem::at(self.file, self.text, start, message)
    }

    /// Adds a problem at a byte of the text. Of very many the first ones are kept, because finding
    /// each one's line takes time.
    pub(super) fn add(&self, start: usize, message: impl Into<String>) {
        let mut found = self.found.borrow_mut();
        match found.len() {
            ..PROBLEMS => found.push(self.at(start, message)),
            PROBLEMS => {
                found.push(Problem::of_file(self.file, "and more; put these right first"));
            }
            _ => {}
        }
    }

    /// Where the byte at this offset of a string's value stands in the file. The string begins at
    /// `start`.
    pub(super) fn within(&self, start: usize, offset: usize) -> usize {
        let written = self.text.get(start..).unwrap_or_default();
        let all_quotes = ["'''", "\"\"\"", "'", "\""];
        let opening = all_quotes.into_iter().find(|quotes| written.starts_with(quotes));
        let quotes = opening.unwrap_or_default();
        let mut rest = &written[quotes.len()..];
        if quotes.len() == 3 {
            // A line break right after three quotes is not part of the value.
            rest = rest.strip_prefix("\r\n").or_else(|| rest.strip_prefix('\n')).unwrap_or(rest);
        }
        let mut passed = 0;
        while let Some(character) = rest.chars().next() {
            let piece = if character == '\\' && quotes.starts_with('"') {
                Piece::escape(rest)
            } else {
                Piece { written: character.len_utf8(), value: character.len_utf8() }
            };
            if passed + piece.value > offset {
                break;
            }
            passed += piece.value;
            rest = &rest[piece.written..];
        }
        start + written.len() - rest.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.found.borrow().is_empty()
    }

    /// The problems in the order of their places. That there are more comes last.
    pub(super) fn into_vec(self) -> Vec<Problem> {
        let mut found = self.found.into_inner();
        found.sort_by_key(|problem| (problem.line == 0, problem.line, problem.column));
        found
    }
}

/// A piece of a string in the file: how many bytes it takes there, and how many in the value.
struct Piece {
    written: usize,
    value: usize,
}

impl Piece {
    /// The escape at the start of this text.
    fn escape(text: &str) -> Self {
        let digits = match text.as_bytes().get(1) {
            Some(b'x') => 2,
            Some(b'u') => 4,
            Some(b'U') => 8,
            // The rest of the line and the white space that the next ones begin with.
            Some(b' ' | b'\t' | b'\r' | b'\n') => {
                let rest = text[1..].trim_start_matches([' ', '\t', '\r', '\n']);
                return Self { written: text.len() - rest.len(), value: 0 };
            }
            _ => 0,
        };
        let written = 2 + digits;
        let code = text.get(2..written).and_then(|digits| u32::from_str_radix(digits, 16).ok());
        let value = code.and_then(char::from_u32).map_or(1, char::len_utf8);
        Self { written, value }
    }
}
