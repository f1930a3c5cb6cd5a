//! The commands of `taskhook`, their arguments, and their exit codes.

mod cases;
mod check;
mod check_creation;
mod check_links;
mod check_portal;
mod completions;
mod credentials;
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
mod samples;
mod schema;
mod send;
mod shared;
mod signed;
mod sim;
mod story;
mod terminal;
mod test;
mod trace;
mod verify;

use std::process::ExitCode;

use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand};

/// What help ends with.
const START: &str = "Start: taskhook new NAME --from payload.http";

/// Turns webhooks of ticket systems into updates of HubSpot tasks.
#[derive(Debug, Parser)]
#[command(name = "taskhook", version, after_help = START)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

/// The commands in the order in which one comes to need them, and those that help doesn't show.
#[derive(Debug, Subcommand)]
enum Command {
    New(new::Arguments),
    Check(check::Arguments),
    Explain(explain::Arguments),
    Dev(dev::Arguments),
    Test(test::Arguments),
    Verify(verify::Arguments),
    Event(event::Arguments),
    Send(send::Arguments),
    Schema(schema::Arguments),
    Trace(trace::Arguments),
    Replay(replay::Arguments),
    Sim(sim::Arguments),
    Completions(completions::Arguments),
    Judge(judge::Arguments),
    Draft(dev::draft::Arguments),
    Demo(demo::Arguments),
}

/// The texts of a command, of its arguments and of its commands without the marks that they have as
/// documentation.
fn unmark(command: clap::Command) -> clap::Command {
    let plain = |text: &clap::builder::StyledStr| text.to_string().replace('`', "");
    let (about, long) = (command.get_about().map(plain), command.get_long_about().map(plain));
    let command = command.about(about.unwrap_or_default());
    let command = match long {
        Some(long) => command.long_about(long),
        None => command,
    };
    let command = command.mut_args(|argument| {
        let (help, long) = (argument.get_help().map(plain), argument.get_long_help().map(plain));
        let argument = argument.help(help.unwrap_or_default());
        match long {
            Some(long) => argument.long_help(long),
            None => argument,
        }
    });
    command.mut_subcommands(unmark)
}

/// Runs the command that the process was started with. A problem goes to stderr as one sentence and
/// ends with 1; arguments that can't be read end with 2.
#[must_use]
pub fn main() -> ExitCode {
    let matches = unmark(Arguments::command()).get_matches();
    let arguments = Arguments::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    let result = match arguments.command {
        Command::New(arguments) => new::run(&arguments),
        Command::Check(arguments) => check::run(&arguments),
        Command::Explain(arguments) => explain::run(&arguments),
        Command::Dev(arguments) => dev::run(&arguments),
        Command::Test(arguments) => test::run(&arguments),
        Command::Verify(arguments) => verify::run(&arguments),
        Command::Event(arguments) => event::run(&arguments),
        Command::Send(arguments) => send::run(&arguments),
        Command::Schema(arguments) => schema::run(&arguments),
        Command::Trace(arguments) => trace::run(&arguments),
        Command::Replay(arguments) => replay::run(&arguments),
        Command::Sim(arguments) => sim::run(&arguments),
        Command::Completions(arguments) => {
            completions::run(&arguments, &unmark(Arguments::command()))
        }
        Command::Judge(arguments) => judge::run(&arguments),
        Command::Draft(arguments) => dev::draft::run(&arguments),
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

#[cfg(test)]
mod tests {
    use super::*;

    /// The help of a command and of its commands.
    fn helps(command: &mut clap::Command) -> Vec<String> {
        let mut texts = vec![command.render_long_help().to_string()];
        for command in command.get_subcommands_mut() {
            texts.extend(helps(command));
        }
        texts
    }

    #[test]
    fn help_has_no_marks_of_documentation_and_says_where_to_start() {
        let helps = helps(&mut unmark(Arguments::command()));
        assert!(
            helps.len() > 14
                && helps[0].ends_with("\n\nStart: taskhook new NAME --from payload.http\n"),
            "{}",
            helps[0]
        );
        for help in helps {
            assert!(!help.contains('`'), "{help}");
        }
    }
}
