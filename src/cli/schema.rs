//! `taskhook schema`: fetches the portal's task properties, and creates the ones that sources need.

use std::collections::BTreeMap;

use anyhow::Result;
use serde_json::Value;

use super::demand::Definitions;
use super::shared;
use super::{payload, portal};
use crate::hubspot::{Error, Hubspot, NewProperty, Refusal, Unfit};
use crate::outcome::FailReason;
use crate::source::{Asks, Demand, demands};

/// Fetch the portal's task properties, or create those that the sources need
///
/// The token is that of `HUBSPOT_TOKEN`, or of the secret that `HUBSPOT_TOKEN_SECRET` names.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Print everything that HubSpot says about the portal's task properties, sorted by name
    Pull,
    /// Create the properties that `id_property` and `updated_at_property` of the sources name and
    /// the portal lacks
    ///
    /// What exists is left as it is.
    Apply {
        /// Say what would be created, and create nothing
        #[arg(long)]
        dry_run: bool,
    },
}

/// A property that the portal is to have, and the source files that ask for it.
type Wanted = BTreeMap<String, Vec<Demand>>;

/// The state of a property after the command.
enum State {
    Exists,
    Created,
    WouldCreate,
    /// It is not as it is wanted, or HubSpot refuses it.
    Wrong(String),
    /// Nobody knows: the portal can't be reached any more.
    Unknown(String),
}

pub(super) fn run(arguments: &Arguments) -> Result<()> {
    match arguments.command {
        Command::Pull => shared::block_on(pull())?,
        Command::Apply { dry_run } => {
            let wanted = wanted()?;
            if wanted.is_empty() {
                return shared::print("No source needs a property of its own.\n");
            }
            shared::block_on(apply(&wanted, dry_run))?
        }
    }
}

async fn pull() -> Result<()> {
    let answer = portal::pull(&portal::connect().await?).await?;
    shared::print(&format!("{answer:#}\n"))
}

/// The unique and datetime properties that the live sources name, once each.
fn wanted() -> Result<Wanted> {
    // Nothing is created for files with mistakes: a name may be one of them.
    payload::sources()?;
    let mut wanted = Wanted::new();
    for demand in payload::files()?.iter().flat_map(demands) {
        if matches!(demand.asks, Asks::UniqueValues | Asks::EventTime) {
            wanted.entry(demand.property.clone()).or_default().push(demand);
        }
    }
    Ok(wanted)
}

async fn apply(wanted: &Wanted, dry_run: bool) -> Result<()> {
    let hubspot = portal::connect().await?;
    let answer = portal::pull(&hubspot).await?;
    let portal = Definitions { schema: portal::schema(&answer)?, is_deployed: false };
    let width = wanted.keys().map(String::len).max().unwrap_or_default();
    let mut problems = Vec::new();
    for (name, demands) in wanted {
        let state = match state(demands, &portal) {
            None if dry_run => State::WouldCreate,
            None => create(&hubspot, demands, &answer).await,
            Some(state) => state,
        };
        let kind = demands.first().map_or("", |demand| kind(&demand.asks));
        shared::print(&format!("{:12}  {name:width$}  {kind}\n", state.word()))?;
        match state {
            State::Wrong(problem) => problems.push(problem),
            State::Unknown(problem) => {
                problems.push(problem);
                break;
            }
            _ => {}
        }
    }
    if problems.is_empty() { Ok(()) } else { Err(shared::join(&problems)) }
}

/// Whether the portal has a property as it is wanted; `None` if it has none of this name.
fn state(demands: &[Demand], portal: &Definitions) -> Option<State> {
    let mut is_missing = false;
    for demand in demands {
        match portal.check(demand) {
            Ok(()) => {}
            Err(Unfit { reason: FailReason::UnknownProperty, .. }) => is_missing = true,
            Err(Unfit { detail: problem, .. }) => {
                return Some(State::Wrong(demand.problem(problem).to_string()));
            }
        }
    }
    if !is_missing {
        return Some(State::Exists);
    }
    let first = demands.first()?;
    let other = demands.iter().find(|demand| demand.asks != first.asks)?;
    let problem = format!(
        "{} is an id_property and an updated_at_property; name two properties",
        other.property
    );
    Some(State::Wrong(other.problem(problem).to_string()))
}

/// Creates a property.
async fn create(hubspot: &Hubspot, demands: &[Demand], answer: &Value) -> State {
    let Some(demand) = demands.first() else { return State::Exists };
    let property = match demand.asks {
        Asks::UniqueValues => NewProperty::unique_text(&demand.property, answer),
        _ => NewProperty::datetime(&demand.property, answer),
    };
    let Err(error) = hubspot.create_property(&property, portal::deadline()).await else {
        return State::Created;
    };
    let problem = |rest: String| {
        demand.problem(format!("{} can't be created: {rest}", demand.property)).to_string()
    };
    let said = portal::sentence(&error);
    match error {
        Error::Refused(refusal) => match hint(&refusal) {
            Some(hint) => State::Wrong(problem(format!("{said} ({hint})"))),
            None => State::Wrong(problem(said)),
        },
        _ => State::Unknown(problem(said)),
    }
}

/// The cure of a refusal, where HubSpot's words don't say it.
fn hint(refusal: &Refusal) -> Option<&'static str> {
    let complaint = &refusal.complaint;
    let words = [&complaint.category, &complaint.code, &complaint.message]
        .map(|text| text.to_lowercase())
        .join(" ");
    let says = |parts: &[&str]| parts.iter().any(|part| words.contains(part));
    if refusal.status == 409 || says(&["already exists", "already_exists"]) {
        Some(
            "it may be archived, or sensitive: restore it in HubSpot or let the token see it, or \
             name another property",
        )
    } else if says(&["unique"]) && says(&["limit", "at most", "maximum", "exceed", "too many"]) {
        Some(
            "ten properties of an object can have unique values; if they are used up, archive one \
             that nobody needs",
        )
    } else {
        None
    }
}

fn kind(asks: &Asks) -> &'static str {
    match asks {
        Asks::UniqueValues => "text with unique values",
        _ => "date and time",
    }
}

impl State {
    fn word(&self) -> &'static str {
        match self {
            Self::Exists => "exists",
            Self::Created => "created",
            Self::WouldCreate => "would create",
            Self::Wrong(_) => "WRONG",
            Self::Unknown(_) => "UNKNOWN",
        }
    }
}
