//! The findings of `taskhook check`: problems and warnings with their places, for a person or for a
//! machine.

use anyhow::{Result, anyhow};
use serde_json::{Value, json};

use super::shared;
use crate::source::{Problem, Warning};

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
            eprintln!("{warning}");
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

    /// Fails with problems, and if `strict` with warnings.
    pub(super) fn into_result(self, format: Format, strict: bool) -> Result<()> {
        let (problems, warnings) = (self.problems.len(), self.warnings.len());
        if problems == 0 && !(strict && warnings > 0) {
            return Ok(());
        }
        match format {
            Format::Text if problems > 0 => Err(shared::join(&self.problems)),
            _ => Err(anyhow!("{} and {}", count(problems, "problem"), count(warnings, "warning"))),
        }
    }
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
