//! The text of a source file while it is written: lines, comments, and texts of strangers.

use std::fmt::Write as _;

use crate::text::shorten;

/// The most characters of a line of comment.
const WIDTH: usize = 110;

/// The width of the labels in a file's head.
const LABEL: usize = 14;

/// A file as far as it is written.
#[derive(Default)]
pub(super) struct Page {
    /// The lines that are written.
    pub(super) text: String,
}

impl Page {
    /// A line as it is.
    pub(super) fn line(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
    }

    /// A comment of as many lines as it takes.
    pub(super) fn comment(&mut self, comment: &str) {
        self.wrap("#", "#", comment);
    }

    /// A comment behind a label, below whose end all of its lines begin.
    pub(super) fn labelled(&mut self, label: &str, comment: &str) {
        self.wrap(&format!("# {label:LABEL$}"), &format!("# {:LABEL$}", ""), comment);
    }

    /// Breaks a text into lines: the first begins with `head`, the others with `indent`.
    fn wrap(&mut self, head: &str, indent: &str, text: &str) {
        let mut line = head.to_owned();
        for word in text.split(' ') {
            if line.chars().count() + word.chars().count() >= WIDTH {
                self.line(&line);
                indent.clone_into(&mut line);
            }
            line.push(' ');
            line.push_str(word);
        }
        self.line(&line);
    }

    /// A comment with a value of the payload: none that a customer wrote.
    pub(super) fn seen(&mut self, seen: Option<&str>) {
        if let Some(seen) = seen {
            self.line(&format!("# Seen: {}", one_line(&shorten(seen, 80))));
        }
    }
}

/// A text within a comment, which is one line.
pub(super) fn one_line(text: &str) -> String {
    let escaped = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    escaped.collect()
}

/// An expression within a comment.
pub(super) fn quoted(expression: &str) -> String {
    format!("'{}'", one_line(expression))
}

/// An expression as TOML: in single quotes, where nothing is escaped, if that is possible.
pub(super) fn expression(expression: &str) -> String {
    if expression.contains('\'') || expression.contains(char::is_control) {
        return toml_text(expression);
    }
    format!("'{expression}'")
}

/// A text as TOML. <https://toml.io/en/v1.0.0#string>
pub(super) fn toml_text(text: &str) -> String {
    let mut quoted = "\"".to_owned();
    for character in text.chars() {
        match character {
            '"' | '\\' => {
                quoted.push('\\');
                quoted.push(character);
            }
            c if c.is_control() => {
                let _ = write!(quoted, "\\u{:04X}", u32::from(c));
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

/// A key as TOML.
pub(super) fn toml_key(key: &str) -> String {
    let is_bare = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
    if !key.is_empty() && key.chars().all(is_bare) { key.to_owned() } else { toml_text(key) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::new::path;

    #[test]
    fn texts_of_strangers_are_quoted() {
        assert_eq!(toml_text("a\"b\\c\nd\u{7f}"), "\"a\\\"b\\\\c\\u000Ad\\u007F\"");
        assert_eq!(toml_key("on hold"), "\"on hold\"");
        assert_eq!(toml_key("on_hold-2"), "on_hold-2");
        assert_eq!(expression(".a"), "'.a'");
        assert_eq!(expression(&format!(".[{}]", path::text("it's"))), "\".[\\\"it's\\\"]\"");
    }
}
