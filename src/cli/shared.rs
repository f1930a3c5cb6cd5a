//! Helpers of the commands: standard output, errors of several lines, files, and the environment.

use std::fmt::Display;
use std::future::Future;
use std::io::{ErrorKind, Write as _};
use std::path::Path;

use anyhow::{Error, Result, anyhow};

/// Runs a command that calls HubSpot, AWS or a function.
pub(super) fn block_on<T>(command: impl Future<Output = T>) -> Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| anyhow!("The runtime can't be started: {error}."))?;
    let result = runtime.block_on(command);
    // A thread that doesn't end, as one with an expression that doesn't, holds nobody up.
    runtime.shutdown_background();
    Ok(result)
}

/// An argument that can't be meant: the command was used wrongly.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct UsedWrongly(pub(super) String);

/// One error with every problem on a line of its own.
pub(super) fn join<P: Display>(problems: &[P]) -> Error {
    let lines: Vec<_> = problems.iter().map(P::to_string).collect();
    Error::msg(lines.join("\n"))
}

/// The text of a file.
pub(super) fn read_text(file: &Path) -> Result<String> {
    std::fs::read_to_string(file)
        .map_err(|error| anyhow!("{} can't be read: {error}.", file.display()))
}

/// The value of an environment variable.
pub(super) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Writes to standard output. A closed pipe is no failure, because its reader may have had enough,
/// as `head` has.
pub(super) fn print(text: &str) -> Result<()> {
    let mut output = std::io::stdout();
    match output.write_all(text.as_bytes()).and_then(|()| output.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(anyhow!("Nothing can be printed: {error}."))
        }
        _ => Ok(()),
    }
}
