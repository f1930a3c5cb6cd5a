//! The commands of `taskhook`, their arguments, and their exit codes.

mod cases;
mod check;
mod check_portal;
mod completions;
mod dead_letters;
mod demand;
mod demo;
mod dev;
mod doubtful_secrets;
mod editor_schema;
mod event;
mod explain;
mod findings;
mod headers;
mod judge;
mod junit;
mod new;
mod own_properties;
mod payload;
mod portal;
mod raw_request;
mod replay;
mod schema;
mod send;
mod shared;
mod signed;
mod sim;
mod story;
mod terminal;
mod test;
mod verify;

use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand};

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
    New(new::Arguments),
    Explain(explain::Arguments),
    Test(test::Arguments),
    Event(event::Arguments),
    Send(send::Arguments),
    Verify(verify::Arguments),
    Schema(schema::Arguments),
    Replay(replay::Arguments),
    Dev(dev::Arguments),
    Draft(dev::draft::Arguments),
    Sim(sim::Arguments),
    Completions(completions::Arguments),
    Demo(demo::Arguments),
}

/// Runs the command that the process was started with. A problem goes to stderr as one sentence and
/// ends with 1; arguments that can't be read end with 2.
#[must_use]
pub fn main() -> ExitCode {
    let result = match Arguments::parse().command {
        Command::Check(arguments) => check::run(&arguments),
        Command::Judge(arguments) => judge::run(&arguments),
        Command::New(arguments) => new::run(&arguments),
        Command::Explain(arguments) => explain::run(&arguments),
        Command::Test(arguments) => test::run(&arguments),
        Command::Event(arguments) => event::run(&arguments),
        Command::Send(arguments) => send::run(&arguments),
        Command::Verify(arguments) => verify::run(&arguments),
        Command::Schema(arguments) => schema::run(&arguments),
        Command::Replay(arguments) => replay::run(&arguments),
        Command::Dev(arguments) => dev::run(&arguments),
        Command::Draft(arguments) => dev::draft::run(&arguments),
        Command::Sim(arguments) => sim::run(&arguments),
        Command::Completions(arguments) => completions::run(&arguments, &Arguments::command()),
        Command::Demo(arguments) => demo::run(&arguments),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("{problem:#}");
            if problem.is::<shared::UsedWrongly>() { ExitCode::from(2) } else { ExitCode::FAILURE }
        }
    }
}
