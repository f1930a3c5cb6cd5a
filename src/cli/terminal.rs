//! What a person sees at the terminal: colour, progress, and lines that fit.

use std::io::{IsTerminal, Write as _};
use std::time::{Duration, Instant};

use crate::text::cut;

/// The width that lines are made for. Wider terminals get the same lines; none is cut.
pub(super) const WIDTH: usize = 100;

/// Where no terminal is, progress is told this often.
const WITHOUT_TERMINAL: Duration = Duration::from_secs(10);

/// Green text on standard output, for success.
pub(super) fn green(text: &str) -> String {
    paint(text, "32", &std::io::stdout())
}

/// Red text on standard output, for failure.
pub(super) fn red(text: &str) -> String {
    paint(text, "31", &std::io::stdout())
}

/// Bold text on standard output, for headings.
pub(super) fn bold(text: &str) -> String {
    paint(text, "1", &std::io::stdout())
}

/// Red text on standard error, for a problem.
pub(super) fn problem(text: &str) -> String {
    paint(text, "31", &std::io::stderr())
}

/// Yellow text on standard error, for a warning.
pub(super) fn warning(text: &str) -> String {
    paint(text, "33", &std::io::stderr())
}

/// Colours text on a terminal, unless `NO_COLOR` is set. <https://no-color.org>
fn paint(text: &str, code: &str, stream: &impl IsTerminal) -> String {
    let is_wanted = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    if is_wanted && stream.is_terminal() {
        format!("\x1b[{code}m{text}\x1b[0m")
    } else {
        text.to_owned()
    }
}

/// Breaks text into lines of at most [`WIDTH`] characters, the first after `head`, the others below
/// its end: at spaces, and within words that are longer than a line.
pub(super) fn wrap(head: &str, text: &str) -> String {
    let indent = head.chars().count();
    let next_line = format!("\n{}", " ".repeat(indent));
    let mut lines = head.to_owned();
    let mut column = indent;
    for word in text.split(' ') {
        let length = word.chars().count();
        if column > indent && column + 1 + length > WIDTH {
            lines.push_str(&next_line);
            column = indent;
        } else if column > indent {
            lines.push(' ');
            column += 1;
        }
        for character in word.chars() {
            if column == WIDTH {
                lines.push_str(&next_line);
                column = indent;
            }
            lines.push(character);
            column += 1;
        }
    }
    lines
}

/// Rows in columns that are as wide as their longest cell, two spaces apart.
pub(super) fn table<const COLUMNS: usize>(rows: &[[String; COLUMNS]]) -> String {
    let mut widths = [0; COLUMNS];
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut table = String::new();
    for row in rows {
        let cells = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}"));
        table.push_str(cells.collect::<Vec<_>>().join("  ").trim_end());
        table.push('\n');
    }
    table
}

/// A number with a comma before each three digits: `2,500`.
pub(super) fn count(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// One line with the progress of a long step. It is overwritten, and gone at the end.
pub(super) struct Progress {
    is_terminal: bool,
    told: Instant,
}

impl Progress {
    pub(super) fn new() -> Self {
        Self { is_terminal: std::io::stderr().is_terminal(), told: Instant::now() }
    }

    /// Shows how far it is.
    pub(super) fn show(&mut self, text: &str) {
        let mut stderr = std::io::stderr();
        let shown = if self.is_terminal {
            write!(stderr, "\r\x1b[K{}", cut(text, WIDTH - 1))
        } else if self.told.elapsed() >= WITHOUT_TERMINAL {
            self.told = Instant::now();
            writeln!(stderr, "{text}")
        } else {
            Ok(())
        };
        // Nobody may be there to read it.
        let _ = shown.and_then(|()| stderr.flush());
    }
}

impl Progress {
    /// Clears the line, before something else is printed.
    pub(super) fn clear(&mut self) {
        if self.is_terminal {
            let _ = write!(std::io::stderr(), "\r\x1b[K");
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_longest_cell() {
        let rows = [["ä", "b", ""], ["a", "long cell", "c"]].map(|row| row.map(str::to_owned));
        assert_eq!(table(&rows), "ä  b\na  long cell  c\n");
    }

    #[test]
    fn large_numbers_can_be_read() {
        let texts = [0, 999, 1000, 20_500, 1_234_567].map(count);
        assert_eq!(texts, ["0", "999", "1,000", "20,500", "1,234,567"]);
    }

    #[test]
    fn long_text_is_broken_and_never_cut() {
        assert_eq!(wrap("✓ a  ", "short text"), "✓ a  short text");
        let words = vec!["word"; 40].join(" ");
        let wrapped = wrap("✓ a  ", &words);
        assert!(wrapped.lines().count() > 1);
        assert!(wrapped.lines().all(|line| line.chars().count() <= WIDTH));
        assert!(wrapped.lines().skip(1).all(|line| line.starts_with("     word")));
        assert_eq!(wrapped.matches("word").count(), 40);
        let long = wrap("  ", &"x".repeat(200));
        assert!(
            long.lines().all(|line| line.chars().count() <= WIDTH)
                && long.matches('x').count() == 200,
            "{long}"
        );
    }
}
