//! The warnings about a source file, found in a process of its own.
//!
//! They come from running its expressions on an event without fields. An expression that never ends
//! can't be interrupted, and one that overflows the stack or takes all memory ends the process: so
//! a second process takes the risk.

use std::io::{Read as _, Write as _};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use anyhow::{Result, anyhow};

use super::shared;
use crate::source::{Problem, SourceFile, Warning, warnings};

/// The name of the command that [`run`] is, which no help shows.
const COMMAND: &str = "judge";

/// How long the expressions of a file may take. Some milliseconds are usual.
const PATIENCE: Duration = Duration::from_secs(3);

/// A warning as the other process tells it: line, column, message.
type Told = Vec<(usize, usize, String)>;

/// Print the warnings about the source file on standard input, as JSON
#[derive(Debug, clap::Args)]
#[command(hide = true)]
pub(super) struct Arguments {}

pub(super) fn run(_: &Arguments) -> Result<()> {
    let mut text = String::new();
    std::io::stdin()
        .read_to_string(&mut text)
        .map_err(|error| anyhow!("It can't be read: {error}."))?;
    let file = SourceFile::from_text("", "", text);
    let mut told: Told = Vec::new();
    for Warning(problem) in warnings(&[file]) {
        told.push((problem.line, problem.column, problem.message));
    }
    shared::print(&serde_json::json!(told).to_string())
}

/// The warnings about a file: one about the file as a whole, if its expressions could not be run to
/// their end.
pub(super) fn judge(file: &SourceFile) -> Result<Vec<Warning>> {
    let Ok(text) = &file.text else { return Ok(Vec::new()) };
    let name = &file.file;
    let mut child =
        start().map_err(|error| anyhow!("{name}: its expressions can't be tried: {error}"))?;
    let answer = answer(&mut child, text);
    // The process is of no further use, whatever it answered.
    let _ = child.kill();
    let _ = child.wait();
    let Some(json) = answer else {
        let message = "an expression of this file doesn't end on an event without fields";
        return Ok(vec![Warning::of_file(name, &message)]);
    };
    let Ok(told) = serde_json::from_str::<Told>(&json) else {
        let message = "an expression of this file takes all stack or memory on an event without \
                       fields, which would end the function; bound what it builds";
        return Ok(vec![Warning::of_file(name, &message)]);
    };
    let mut warnings = Vec::new();
    for (line, column, message) in told {
        warnings.push(Warning(Problem { file: name.clone(), line, column, message }));
    }
    Ok(warnings)
}

/// Starts a process that runs [`COMMAND`].
fn start() -> std::io::Result<Child> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg(COMMAND).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()
}

/// The output of the process for a file; `None` if it takes too long.
fn answer(child: &mut Child, text: &str) -> Option<String> {
    if let Some(mut input) = child.stdin.take() {
        // This fails if the process ended early, which its output says as well.
        let _ = input.write_all(text.as_bytes());
    }
    let mut output = child.stdout.take()?;
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        let mut text = String::new();
        let _ = output.read_to_string(&mut text);
        sender.send(text)
    });
    receiver.recv_timeout(PATIENCE).ok()
}
