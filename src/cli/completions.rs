//! `taskhook completions`: a script that completes commands and options in a shell.

use anyhow::{Result, anyhow};
use clap::Command;
use clap_complete::Shell;

use super::shared;

/// Print the completions of a shell
///
/// For bash: `taskhook completions bash > ~/.local/share/bash-completion/completions/taskhook`.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

/// Prints the completions of a command, but for the subcommands that its help hides.
pub(super) fn run(arguments: &Arguments, command: &Command) -> Result<()> {
    let shown = command.get_subcommands().filter(|command| !command.is_hide_set()).cloned();
    let mut command = Command::new("taskhook").subcommands(shown);
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut command, "taskhook", &mut script);
    let text = String::from_utf8(script).map_err(|_| anyhow!("The completions are no text."))?;
    shared::print(&text)
}
