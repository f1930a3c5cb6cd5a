//! The command-line tool for the person who sets Taskhook up. It never ships in a Lambda package.

use std::process::ExitCode;

fn main() -> ExitCode {
    taskhook::cli::main()
}
