//! Problems of a source file as an editor in a browser marks them: in UTF-16 units. Pure.

use serde_json::{Value, json};

use crate::source::Problem;

/// A problem of this text, as JSON.
pub(super) fn problem(problem: &Problem, text: &str) -> Value {
    let Problem { line, column, message, .. } = problem;
    let (offset, length) = span(text, *line, *column);
    json!({
        "line": line,
        "column": column,
        "offset": offset,
        "length": length,
        "message": message,
        "level": "error",
    })
}

/// The word that begins at this place, at least one character where there is one: its offset and
/// its length.
fn span(text: &str, line: usize, column: usize) -> (usize, usize) {
    let Some(index) = line.checked_sub(1) else { return (0, 0) };
    let mut lines = text.split_inclusive('\n');
    let before: usize = lines.by_ref().take(index).map(units).sum();
    let line = lines.next().unwrap_or_default();
    let start: usize = line.chars().take(column.saturating_sub(1)).map(char::len_utf16).sum();
    let rest: Vec<char> = line.trim_end().chars().skip(column.saturating_sub(1)).collect();
    if rest.is_empty() && start > 0 {
        // Something is missing at the end of the line: its last character is marked.
        let last = line.trim_end().chars().last().map_or(1, char::len_utf16);
        return (before + start.saturating_sub(last), last.min(start));
    }
    let is_word = |c: &&char| c.is_alphanumeric() || matches!(c, '_' | '-' | '$');
    let word = rest.iter().take_while(is_word).count().max(rest.len().min(1));
    (before + start, rest[..word].iter().map(|c| c.len_utf16()).sum())
}

fn units(text: &str) -> usize {
    text.chars().map(char::len_utf16).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_counted_as_a_browser_counts() {
        let text = "# 😀 ä\nid = 'x | tset(1)'\n";
        assert_eq!(span(text, 2, 11), (7 + 10, 4), "the word tset");
        assert_eq!(span(text, 1, 3), (2, 2), "an emoji has two units");
        assert_eq!(span(text, 0, 0), (0, 0), "the file as a whole");
        assert_eq!(span("x = \n", 1, 5), (3, 1), "the end of a line");
        assert_eq!(span(text, 9, 9), (26, 0), "beyond the end");
    }
}
