//! The findings of `taskhook check`: problems and warnings with their places, for a person or for a
//! machine.

use anyhow::{Result, anyhow};
use serde_json::{Value, json};

use super::{shared, terminal};
use crate::source::{Problem, SourceFile, Warning};
use crate::text::shorten;

/// The longest line that is shown, in characters.
const WIDTH: usize = 120;

/// The form in which findings are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Format {
    /// Sentences for a person
    #[default]
    Text,
    /// A JSON array: level, file, line, column and message of each
    Json,
    /// Annotations of GitHub Actions
    Github,
}

/// Everything that was found.
#[derive(Default)]
pub(super) struct Findings {
    problems: Vec<Problem>,
    warnings: Vec<Warning>,
}

impl Findings {
    pub(super) fn add_problems(&mut self, problems: impl IntoIterator<Item = Problem>) {
        self.problems.extend(problems);
    }

    pub(super) fn add_warnings(&mut self, warnings: impl IntoIterator<Item = Warning>) {
        self.warnings.extend(warnings);
    }

    /// Whether there is no problem, whatever the warnings say.
    pub(super) fn are_without_problems(&self) -> bool {
        self.problems.is_empty()
    }

    /// Prints the warnings for a person.
    pub(super) fn print_warnings(&self) {
        for warning in &self.warnings {
            eprintln!("{}", terminal::warning(&warning.to_string()));
        }
    }

    /// Prints everything for a machine.
    pub(super) fn print(&self, format: Format) -> Result<()> {
        let mut lines = Vec::new();
        let mut list = Vec::new();
        let warnings = self.warnings.iter().map(|Warning(problem)| ("warning", problem));
        for (level, problem) in
            self.problems.iter().map(|problem| ("error", problem)).chain(warnings)
        {
            lines.push(annotation(level, problem));
            list.push(to_json(level, problem));
        }
        match format {
            Format::Json => shared::print(&format!("{:#}\n", Value::from(list))),
            Format::Github | Format::Text => shared::print(&lines.concat()),
        }
    }

    /// Fails with problems, each with its line of the files, and if `strict` with warnings.
    pub(super) fn into_result(
        self,
        files: &[SourceFile],
        format: Format,
        strict: bool,
    ) -> Result<()> {
        let (problems, warnings) = (self.problems.len(), self.warnings.len());
        if problems == 0 && !(strict && warnings > 0) {
            return Ok(());
        }
        match format {
            Format::Text if problems > 0 => {
                let with_line = |problem: &Problem| {
                    let told = terminal::problem(&problem.to_string());
                    format!("{told}{}", excerpt(problem, files))
                };
                Err(shared::join(&self.problems.iter().map(with_line).collect::<Vec<_>>()))
            }
            _ => Err(anyhow!("{} and {}", count(problems, "problem"), count(warnings, "warning"))),
        }
    }
}

/// The line of a problem, with a caret below its column; nothing where that is too far to the
/// right, or the file as a whole is meant.
fn excerpt(problem: &Problem, files: &[SourceFile]) -> String {
    let file = files.iter().find(|file| file.file == problem.file);
    let Some(Ok(text)) = file.map(|file| &file.text) else { return String::new() };
    let Some(line) = problem.line.checked_sub(1).and_then(|index| text.lines().nth(index)) else {
        return String::new();
    };
    if problem.column > WIDTH {
        return String::new();
    }
    // A tab stays one, so that the caret stands below its character.
    let before = line.chars().take(problem.column.saturating_sub(1));
    let indent: String = before.map(|c| if c == '\t' { '\t' } else { ' ' }).collect();
    format!("\n    {}\n    {indent}^", shorten(line, WIDTH))
}

fn count(number: usize, thing: &str) -> String {
    let ending = if number == 1 { "" } else { "s" };
    format!("{number} {thing}{ending}")
}

fn to_json(level: &str, problem: &Problem) -> Value {
    let Problem { file, line, column, message } = problem;
    let place = |number: usize| if *line == 0 { Value::Null } else { json!(number) };
    json!({
        "level": level,
        "file": file,
        "line": place(*line),
        "column": place(*column),
        "message": message,
    })
}

/// <https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands>
fn annotation(level: &str, problem: &Problem) -> String {
    let Problem { file, line, column, message } = problem;
    let file = escape(file).replace(':', "%3A").replace(',', "%2C");
    let place = match line {
        0 => String::new(),
        line => format!(",line={line},col={column}"),
    };
    format!("::{level} file={file}{place}::{}\n", escape(message))
}

fn escape(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}
