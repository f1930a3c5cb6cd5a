//! A draft of a source file, tried in a process of its own: an expression that is half written may
//! never end, or take all memory.

use std::io::{Read as _, Write as _};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow};
use serde::{Deserialize, Serialize};

use crate::cli::payload;
use crate::cli::shared;
use crate::cli::story::Explained;
use crate::source::{Problem, SourceFile, Sources};

/// The name of the command that [`run`] is, which no help shows.
const COMMAND: &str = "draft";

/// How long a draft may take. Some milliseconds are usual.
pub(super) const PATIENCE: Duration = Duration::from_secs(1);

/// How much memory it may take where the system can say so, in KiB.
const MEMORY: &str = "524288";

/// A draft and the event to try it on.
#[derive(Serialize, Deserialize)]
pub(super) struct Draft {
    /// The source's name.
    pub(super) name: String,
    /// The file's name for messages.
    pub(super) file: String,
    /// The text of the file.
    pub(super) toml: String,
    /// A complete Lambda event. Its signature makes no difference.
    pub(super) event: String,
}

/// What became of a draft.
#[derive(Serialize, Deserialize)]
pub(super) enum Tried {
    /// The file has problems.
    Broken(Vec<Told>),
    /// The event can't be read.
    Unreadable(String),
    /// The event was read.
    Explained(Box<Explained>),
}

/// A problem as the other process tells it: line, column, message.
#[derive(Serialize, Deserialize)]
pub(super) struct Told(usize, usize, String);

/// A line of the other process's output.
#[derive(Serialize, Deserialize)]
enum Line {
    /// The expression that runs now, by its key and line.
    Running(String, usize),
    Done(Tried),
}

/// Try the draft of a source file on standard input
#[derive(Debug, clap::Args)]
#[command(hide = true)]
pub(in crate::cli) struct Arguments {}

pub(in crate::cli) fn run(_: &Arguments) -> Result<()> {
    let mut text = String::new();
    std::io::stdin()
        .read_to_string(&mut text)
        .map_err(|error| anyhow!("It can't be read: {error}."))?;
    let draft = serde_json::from_str(&text).context("It is no draft.")?;
    let tried = try_here(&draft)?;
    tell(&Line::Done(tried))
}

fn tell(line: &Line) -> Result<()> {
    shared::print(&format!("{}\n", serde_json::to_string(line)?))
}

fn try_here(draft: &Draft) -> Result<Tried> {
    let file = SourceFile::from_text(&draft.file, &draft.name, draft.toml.as_str());
    let sources = Sources::read(std::slice::from_ref(&file));
    if !sources.problems().is_empty() {
        let mut told = Vec::new();
        for Problem { line, column, message, .. } in sources.problems() {
            told.push(Told(*line, *column, message.clone()));
        }
        return Ok(Tried::Broken(told));
    }
    let source = payload::source(&sources, &draft.name)?;
    let mut delivery = payload::from_event(draft.event.as_bytes())?;
    delivery.path.clone_from(&source.path);
    let announce = |key: &str, line| {
        // Nobody may listen any more.
        _ = tell(&Line::Running(key.to_owned(), line));
    };
    match payload::explain(&sources, &file, source, delivery, &announce) {
        Ok(explained) => Ok(Tried::Explained(Box::new(explained))),
        Err(why) => Ok(Tried::Unreadable(why.to_string())),
    }
}

impl Draft {
    /// Tries the draft. An expression that doesn't end, or takes all memory, is a problem of its
    /// line.
    pub(super) fn run(&self, patience: Duration) -> Result<Tried> {
        let mut child = start().map_err(|error| anyhow!("The draft can't be tried: {error}."))?;
        let input = serde_json::to_string(self)?;
        let tried = listen(&mut child, input, patience);
        // The process is of no further use, whatever it answered.
        _ = child.kill();
        _ = child.wait();
        tried
    }
}

impl Told {
    /// The problem, of this file.
    pub(super) fn problem(&self, file: &str) -> Problem {
        let Self(line, column, message) = self;
        Problem { file: file.to_owned(), line: *line, column: *column, message: message.clone() }
    }
}

/// Starts a process that runs [`COMMAND`], with little memory where there is a shell that can say
/// so.
fn start() -> std::io::Result<Child> {
    let program = std::env::current_exe()?;
    let mut command = if cfg!(unix) {
        let mut command = Command::new("sh");
        let script = format!("ulimit -v {MEMORY} 2>/dev/null; exec \"$0\" {COMMAND}");
        command.args(["-c", &script]).arg(program);
        command
    } else {
        let mut command = Command::new(program);
        command.arg(COMMAND);
        command
    };
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()
}

/// The answer of the process.
fn listen(child: &mut Child, input: String, patience: Duration) -> Result<Tried> {
    let (mut stdin, stdout) = (child.stdin.take(), child.stdout.take());
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        // This fails if the process ended early, which its output says as well.
        _ = stdin.as_mut().map(|stdin| stdin.write_all(input.as_bytes()));
    });
    std::thread::spawn(move || {
        let lines = stdout.into_iter().flat_map(|stdout| {
            std::io::BufRead::lines(std::io::BufReader::new(stdout)).map_while(Result::ok)
        });
        for line in lines {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    let until = Instant::now() + patience;
    let mut running = None;
    loop {
        let left = until.saturating_duration_since(Instant::now());
        match receiver.recv_timeout(left).map(|line| serde_json::from_str(&line)) {
            Ok(Ok(Line::Running(key, line))) => running = Some((key, line)),
            Ok(Ok(Line::Done(tried))) => return Ok(tried),
            Ok(Err(error)) => return Err(anyhow!("The draft can't be tried: {error}.")),
            Err(mpsc::RecvTimeoutError::Timeout) => return Ok(endless(running, "doesn't end")),
            Err(mpsc::RecvTimeoutError::Disconnected) => {
                return Ok(endless(running, "takes all stack or memory"));
            }
        }
    }
}

/// The problem of an expression that has to be stopped.
fn endless(running: Option<(String, usize)>, what: &str) -> Tried {
    let (line, message) = match running {
        Some((key, line)) => {
            (line, format!("{key}: the expression {what} on this payload; bound what it builds"))
        }
        None => (0, format!("an expression of this file {what} on this payload")),
    };
    Tried::Broken(vec![Told(line, 1, message)])
}
