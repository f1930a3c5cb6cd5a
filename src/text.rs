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

/// The longest word for which another is looked for that may have been meant, in bytes: the distance
/// of long words takes long, and none is meant by them.
const LONGEST_WORD: usize = 100;

/// The known word that somebody may have meant who wrote another: the first of those that are least
/// different from it, if that is little.
#[must_use]
pub fn nearest<'k>(word: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    if word.len() > LONGEST_WORD {
        return None;
    }
    let most = match word.len() {
        0..=2 => return None,
        3..=4 => 1,
        length => (length / 4).max(2),
    };
    let mut found = None;
    for other in known {
        let distance = strsim::damerau_levenshtein(word, other);
        if distance <= most && found.is_none_or(|(least, _)| distance < least) {
            found = Some((distance, other));
        }
    }
    found.map(|(_, nearest)| nearest)
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

    #[test]
    fn a_word_that_is_little_different_may_have_been_meant() {
        let known = ["test", "split", "github", "hs_task_status"];
        for (word, meant) in [
            ("tset", Some("test")),
            ("spilt", Some("split")),
            ("gihtub", Some("github")),
            ("hs_tsk_sttus", Some("hs_task_status")),
            ("x", None),
            ("frobnicate", None),
        ] {
            assert_eq!(nearest(word, known), meant, "{word}");
        }
        assert_eq!(nearest(&"test".repeat(30), known), None);
    }
}
