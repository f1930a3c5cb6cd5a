//! Texts that are cut: what strangers send may be as long as they like.

use std::borrow::Cow;

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
    }
}
