//! The commands of `taskhook`: what they take, and how they end.

mod cases;
mod check;
mod check_portal;
mod dead_letters;
mod demand;
mod demo;
mod doubtful_secrets;
mod event;
mod explain;
mod judge;
mod own_properties;
mod payload;
mod portal;
mod replay;
mod schema;
mod send;
mod signed;
mod sim;
mod terminal;
mod test;

use anyhow::{Error, Result, anyhow};
use std::fmt::Display;
use std::future::Future;
use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Turns webhooks of ticket systems into updates of HubSpot tasks.
#[derive(Debug, Parser)]
#[command(name = "taskhook", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Check(check::Arguments),
    Judge(judge::Arguments),
    Explain(explain::Arguments),
    Test(test::Arguments),
    Event(event::Arguments),
    Send(send::Arguments),
    Schema(schema::Arguments),
    Replay(replay::Arguments),
    Sim(sim::Arguments),
    Demo(demo::Arguments),
}

/// Runs the command that the process was started with. A problem goes to stderr as one sentence and
/// ends with 1; arguments that can't be read end with 2.
#[must_use]
pub fn main() -> ExitCode {
    let result = match Arguments::parse().command {
        Command::Check(arguments) => check::run(&arguments),
        Command::Judge(arguments) => judge::run(&arguments),
        Command::Explain(arguments) => explain::run(&arguments),
        Command::Test(arguments) => test::run(&arguments),
        Command::Event(arguments) => event::run(&arguments),
        Command::Send(arguments) => send::run(&arguments),
        Command::Schema(arguments) => schema::run(&arguments),
        Command::Replay(arguments) => replay::run(&arguments),
        Command::Sim(arguments) => sim::run(&arguments),
        Command::Demo(arguments) => demo::run(&arguments),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("{problem:#}");
            ExitCode::FAILURE
        }
    }
}

/// Runs a command that talks to others.
fn block_on<T>(command: impl Future<Output = T>) -> Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| anyhow!("The runtime can't be started: {error}."))?;
    Ok(runtime.block_on(command))
}

/// Every problem on a line of its own, as one error.
fn all<P: Display>(problems: &[P]) -> Error {
    let lines: Vec<_> = problems.iter().map(P::to_string).collect();
    Error::msg(lines.join("\n"))
}

/// The text of a file.
fn text_of(file: &Path) -> Result<String> {
    std::fs::read_to_string(file)
        .map_err(|error| anyhow!("{} can't be read: {error}.", file.display()))
}

/// The value of an environment variable.
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Writes to standard output. Whoever reads it may have had enough, as `head` has.
fn print(text: &str) -> Result<()> {
    let mut output = std::io::stdout();
    match output.write_all(text.as_bytes()).and_then(|()| output.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(anyhow!("Nothing can be printed: {error}."))
        }
        _ => Ok(()),
    }
}
