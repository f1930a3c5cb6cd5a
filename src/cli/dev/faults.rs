//! The faults that a person can switch on. Each counts down, and then it is off.

use anyhow::{Result, bail};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::sim::{Endpoint, Fault, Moment, Policy, Sim};

/// A fault by its name.
struct Kind {
    name: &'static str,
    title: &'static str,
    what: &'static str,
    fault: fn() -> Fault,
}

/// How many calls a fault strikes unless that is said.
const TIMES: u32 = 9;

/// The most calls that a fault strikes.
const MOST: u32 = 999;

const KINDS: [Kind; 5] = [
    Kind {
        name: "rate_limited",
        title: "Too many requests",
        what: "429 with Retry-After: waits, tries again, else 503",
        fault: || Fault { policy: Policy::Secondly, ..Fault::status(429) },
    },
    Kind {
        name: "down",
        title: "HubSpot is down",
        what: "500: tries again, else 503",
        fault: || Fault::status(500),
    },
    Kind {
        name: "slow",
        title: "Slow",
        what: "answers after 3 s",
        fault: || Fault { delay_ms: 3000, ..Fault::default() },
    },
    Kind {
        name: "dropped",
        title: "Dropped",
        what: "the connection closes after the call was carried out",
        fault: || Fault { drop: Some(Moment::After), ..Fault::default() },
    },
    Kind {
        name: "refused",
        title: "Write refused",
        what: "400: HubSpot takes no write; the update fails, and is kept as a dead letter",
        fault: || Fault { on: Endpoint::Update, ..Fault::status(400) },
    },
];

/// A fault to switch on.
#[derive(Deserialize)]
pub(super) struct Wanted {
    name: String,
    times: Option<u32>,
}

/// Every fault with the calls that are left to it; none are, where it is off.
pub(super) fn list(sim: &Sim) -> Value {
    let waiting = sim.faults();
    let mut list = Vec::new();
    for kind in &KINDS {
        let is_it = |fault: &&Fault| Fault { times: None, ..(*fault).clone() } == (kind.fault)();
        let left = waiting.iter().find(is_it).and_then(|fault| fault.times).unwrap_or(0);
        list.push(json!({
            "name": kind.name,
            "title": kind.title,
            "what": kind.what,
            "times": if left == 0 { TIMES } else { left },
            "left": left,
        }));
    }
    Value::Array(list)
}

/// Switches these faults on, and all others off.
pub(super) fn set(sim: &Sim, wanted: &[Wanted]) -> Result<()> {
    let mut faults = Vec::new();
    for Wanted { name, times } in wanted {
        let Some(kind) = KINDS.iter().find(|kind| kind.name == name) else {
            let known: Vec<_> = KINDS.iter().map(|kind| kind.name).collect();
            bail!("There is no fault {name:?}; there are: {}.", known.join(", "));
        };
        let times = times.unwrap_or(TIMES).clamp(1, MOST);
        faults.push(Fault { times: Some(times), ..(kind.fault)() });
    }
    sim.clear_faults();
    for fault in faults {
        sim.fault(fault);
    }
    Ok(())
}

/// Switches the next fault on: off, then each in turn. Returns what is on, as a sentence.
pub(super) fn next(sim: &Sim) -> Result<String> {
    let list = list(sim);
    let on = list.as_array().into_iter().flatten().position(|fault| fault["left"] != json!(0));
    let next = on.map_or(0, |index| index + 1);
    let Some(kind) = KINDS.get(next) else {
        set(sim, &[])?;
        return Ok("faults: off".to_owned());
    };
    set(sim, &[Wanted { name: kind.name.to_owned(), times: None }])?;
    Ok(format!("fault: {} for the next {TIMES} calls ({})", kind.title, kind.what))
}
