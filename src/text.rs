//! Texts that are cut: what strangers send may be as long as they like.

use std::borrow::Cow;
use std::fmt::{self, Write as _};

/// At most the first `length` characters.
#[must_use]
pub fn cut(text: &str, length: usize) -> &str {
    text.char_indices().nth(length).map_or(text, |(end, _)| &text[..end])
}

/// A text of at most `length` characters: a longer one ends with `…`.
#[must_use]
pub fn shorten(text: &str, length: usize) -> Cow<'_, str> {
    if cut(text, length).len() == text.len() {
        return Cow::Borrowed(text);
    }
    Cow::Owned(format!("{}…", cut(text, length.saturating_sub(1))))
}

/// A value as a text of at most `length` characters: a longer one ends with `…`. The rest, which
/// may be very long, is not even written.
#[must_use]
pub fn shorten_display(value: &impl fmt::Display, length: usize) -> String {
    let mut beginning = Beginning { text: String::new(), room: length };
    match write!(beginning, "{value}") {
        Ok(()) => beginning.text,
        Err(_) => format!("{}…", cut(&beginning.text, length.saturating_sub(1))),
    }
}

/// Takes as many characters as there is room for, and fails with the next one.
struct Beginning {
    text: String,
    room: usize,
}

impl fmt::Write for Beginning {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for character in text.chars() {
            self.room = self.room.checked_sub(1).ok_or(fmt::Error)?;
            self.text.push(character);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_are_counted_and_not_bytes() {
        assert_eq!(cut("äöü", 2), "äö");
        assert_eq!(cut("äöü", 3), "äöü");
        assert_eq!(shorten("äöü", 3), "äöü");
        assert_eq!(shorten("äöüß", 3), "äö…");
        assert_eq!(shorten("", 0), "");
        assert_eq!(shorten_display(&"äöü", 3), "äöü");
        assert_eq!(shorten_display(&"äöüß", 3), "äö…");
    }
}
