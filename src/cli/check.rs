//! `taskhook check`: is everything right with the source files?

use super::check_portal::Portal;
use super::payload;

/// Read every source file and compile every expression
///
/// All problems are reported at once, each with file, line and column, what is wrong and what to do. The files are those
/// of `TASKHOOK_SOURCES`, else of the folder `sources`.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    portal: Portal,
}

pub(super) fn run(arguments: &Arguments) -> Result<(), String> {
    let sources = match (payload::sources(), arguments.portal.check()) {
        (Err(problems), Err(more)) => return Err(format!("{problems}\n{more}")),
        (sources, portal) => portal.and(sources)?,
    };
    for source in sources.iter() {
        println!("{} is sound: {}", source.name, source.path);
    }
    Ok(())
}
