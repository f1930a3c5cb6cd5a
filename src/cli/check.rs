//! `taskhook check`: finds the mistakes in the source files.

use std::path::Path;

use anyhow::Result;

use super::cases::Secrets;
use super::check_portal::Portal;
use super::findings::{Findings, Format};
use super::judge::judge;
use super::new::decisions;
use super::terminal::table;
use super::{doubtful_secrets, editor_schema, own_properties, payload, shared};
use crate::files;
use crate::source::{Source, SourceFile, Sources, Warning, shared_secrets};
use crate::update::Object;

/// Read every source file and compile every expression
///
/// All problems are reported at once, each with file, line and column, what is wrong and what to
/// do; so are warnings about what is allowed and most likely not meant, which are no failure unless
/// --strict says so. What a new file leaves to decide is noted, and is neither.
///
/// Without a portal, names and values are held against HubSpot's own task properties. The sources
/// that work are listed with their path, scheme and secret, beside those with problems too. The
/// files are those of `TASKHOOK_SOURCES`, else of the folder `sources`.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Names of sources, to check these alone
    #[arg(value_name = "SOURCE")]
    only: Vec<String>,
    #[command(flatten)]
    portal: Portal,
    /// Fail with warnings, too
    #[arg(long)]
    strict: bool,
    /// How problems and warnings are printed
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub(super) fn run(arguments: &Arguments) -> Result<()> {
    let path = payload::path();
    let files = payload::only(files::read(&path)?, &arguments.only)?;
    let sources = Sources::read(&files);
    let mut findings = Findings::default();
    findings.add_problems(sources.problems().iter().cloned());
    findings.add_warnings(warnings(&files, &sources, arguments.portal.is_named())?);
    let suits = arguments.portal.check(&path, &files, &mut findings)?;
    if arguments.format == Format::Text {
        findings.print_warnings();
        let live: Vec<_> = sources.iter().collect();
        if findings.are_without_problems() || !live.is_empty() {
            let undecided = list_undecided(&files);
            let available = list_available(&path, &sources);
            let (observing, scopes) = (list_observing(&live), list_scopes(&live));
            let list = list(&live);
            shared::print(&format!("{list}{observing}{scopes}{undecided}{available}"))?;
        }
        shared::print(&suits)?;
    } else {
        findings.print(arguments.format)?;
    }
    findings.into_result(&files, arguments.format, arguments.strict)
}

/// The warnings about each file, and about the secrets of the samples.
fn warnings(
    files: &[SourceFile],
    sources: &Sources,
    is_portal_known: bool,
) -> Result<Vec<Warning>> {
    let own = own_properties::definitions()?;
    let same_secret = shared_secrets(files);
    let mut all = Vec::new();
    for file in files {
        let mut found = judge(file)?;
        found.extend(editor_schema::warning(file));
        for Warning(problem) in &same_secret {
            if problem.file == file.file {
                found.push(Warning(problem.clone()));
            }
        }
        if !is_portal_known {
            found.extend(own_properties::warnings(file, &own));
        }
        found.sort_by_key(|Warning(problem)| (problem.line, problem.column));
        all.extend(found);
    }
    let samples = match Secrets::read(Path::new(SAMPLES)) {
        Ok(samples) => samples,
        Err(problem) => {
            all.push(Warning::of_file(SECRETS, &problem));
            return Ok(all);
        }
    };
    for source in sources.iter() {
        // Samples of some sources need not be there.
        let secrets = samples.of_source(source).unwrap_or_default();
        if let Some(doubt) = doubtful_secrets::doubt(source, &secrets, true) {
            all.push(Warning::of_file(SECRETS, &doubt));
        }
    }
    Ok(all)
}

/// The folder of the samples and their secrets.
const SAMPLES: &str = "events";

const SECRETS: &str = "events/secrets.json";

/// The sources that work, one a line: name, path, scheme, and the name of the secret.
fn list(sources: &[&Source]) -> String {
    let mut rows = Vec::new();
    for source in sources {
        let secret = match &source.verify.proof {
            Some(proof) => proof.secret.to_string(),
            None => "no secret".to_owned(),
        };
        let name = format!("  {}", source.name);
        rows.push([name, source.path.clone(), source.verify.name.clone(), secret]);
    }
    let head = match rows.len() {
        1 => "1 source is sound:".to_owned(),
        count => format!("{count} sources are sound:"),
    };
    format!("{head}\n{}", table(&rows))
}

/// The sources of which nothing is written, a line each.
fn list_observing(sources: &[&Source]) -> String {
    let mut lines = Vec::new();
    for source in sources.iter().filter(|source| source.observe) {
        lines.push(format!(
            "{} only observes: everything is done but the writing, until `observe = true` is gone\n",
            source.name
        ));
    }
    apart(&lines)
}

/// The scopes that the links of the sources need besides those of tasks, a line for each source
/// that needs some.
fn list_scopes(sources: &[&Source]) -> String {
    let mut lines = Vec::new();
    for source in sources {
        let scopes: Vec<_> = source.links_to().into_iter().filter_map(scopes_of).collect();
        if !scopes.is_empty() {
            let (name, scopes) = (&source.name, scopes.join(", "));
            lines.push(format!("{name} links tasks: the HubSpot token needs {scopes}, too\n"));
        }
    }
    apart(&lines)
}

/// The scopes that a link to such a record needs; `None` where those of tasks will do.
fn scopes_of(object: Object) -> Option<&'static str> {
    match object {
        Object::Contact => None,
        Object::Company => Some("crm.objects.companies.read"),
        Object::Deal => Some("crm.objects.deals.read"),
        Object::Ticket => Some("tickets"),
    }
}

/// Lines after an empty one, if there are any.
fn apart(lines: &[String]) -> String {
    if lines.is_empty() { String::new() } else { format!("\n{}", lines.concat()) }
}

/// The places that a person still has to decide, a line for each file that has some.
fn list_undecided(files: &[SourceFile]) -> String {
    let mut lines = Vec::new();
    for file in files {
        let decisions = file.text.as_deref().map(decisions::of).unwrap_or_default();
        let places: Vec<_> = decisions.iter().map(|place| place.line.to_string()).collect();
        let name = &file.file;
        match places.len() {
            0 => {}
            1 => lines.push(format!("{name} has 1 place to decide: line {}\n", places[0])),
            count => {
                let places = places.join(", ");
                lines.push(format!("{name} has {count} places to decide: lines {places}\n"));
            }
        }
    }
    apart(&lines)
}

/// The sources in the folder `available` that can be enabled, as one line, if there is such a
/// folder. Whoever names one file doesn't ask for others.
fn list_available(path: &Path, sources: &Sources) -> String {
    if !path.is_dir() {
        return String::new();
    }
    let folder = files::available(path);
    let mut names = Vec::new();
    for file in files::read(&folder).unwrap_or_default() {
        if !sources.iter().any(|source| source.name == file.name) {
            names.push(file.name);
        }
    }
    if names.is_empty() {
        return String::new();
    }
    let (from, to) = (folder.display(), path.display());
    format!("\nReady in {from}; `taskhook new NAME` puts one into {to}: {}\n", names.join(", "))
}
