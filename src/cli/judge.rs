//! The warnings about a source file, found in a process of its own.
//!
//! They come from running its expressions on an event that has nothing. An expression that never
//! ends can't be interrupted, and one that overflows the stack or takes all memory ends the
//! process: so another one is at risk.

use std::io::{Read as _, Write as _};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

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

pub(super) fn run(_: &Arguments) -> Result<(), String> {
    let mut text = String::new();
    std::io::stdin()
        .read_to_string(&mut text)
        .map_err(|error| format!("It can't be read: {error}."))?;
    let file = SourceFile { file: String::new(), name: String::new(), text: Ok(text) };
    let found = warnings(&[file]).into_iter();
    let told: Told =
        found.map(|Warning(problem)| (problem.line, problem.column, problem.message)).collect();
    super::print(&serde_json::json!(told).to_string())
}

/// The warnings about a file. The error is what else is to be said about it.
pub(super) fn judge(file: &SourceFile) -> Result<Vec<Warning>, String> {
    let Ok(text) = &file.text else { return Ok(Vec::new()) };
    let failed = |why: &str| format!("{}: warning: {why}", file.file);
    let not_started = |error| failed(&format!("its expressions can't be tried: {error}"));
    let mut child = start().map_err(not_started)?;
    let answer = answer(&mut child, text);
    // Of no further use, whatever became of it.
    let _ = child.kill();
    let _ = child.wait();
    let answer = answer.ok_or_else(|| {
        failed("an expression of this file doesn't end on an event without fields")
    })?;
    let told: Told = serde_json::from_str(&answer).map_err(|_| {
        failed(
            "an expression of this file takes all stack or memory on an event without fields, which would end the \
             function; bound what it builds",
        )
    })?;
    let problem = |(line, column, message)| {
        Warning(Problem { file: file.file.clone(), line, column, message })
    };
    Ok(told.into_iter().map(problem).collect())
}

fn start() -> std::io::Result<Child> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg(COMMAND).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()
}

/// All that the process prints about this file; `None` if it takes too long.
fn answer(child: &mut Child, text: &str) -> Option<String> {
    // A process that ended reads no more, and what it printed says so.
    let _ = child.stdin.take().map(|mut input| input.write_all(text.as_bytes()));
    let mut output = child.stdout.take()?;
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        let mut text = String::new();
        let _ = output.read_to_string(&mut text);
        sender.send(text)
    });
    receiver.recv_timeout(PATIENCE).ok()
}
