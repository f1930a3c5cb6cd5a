//! The records that tasks hang on, and the links to them.
//! <https://developers.hubspot.com/docs/api-reference/crm-associations-v4/guide>

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::answer::{Answer, Complaint, list, text};
use super::{Error, Hubspot, READ, ReadInputs};
use crate::settings::ApiVersion;
use crate::update::{Link, Object, RECORD_ID, TaskKey};

/// The call that links tasks to records, below the path of two kinds of records.
const ASSOCIATE: &str = "batch/associate/default";

/// A link, by HubSpot's record ids.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pair {
    /// The task.
    pub task: String,
    /// What it hangs on.
    pub record: String,
}

/// The most links that are remembered.
const REMEMBERED: usize = 2_000;

/// What this process knows of links that it was to make: those that were confirmed, which the events
/// that follow don't make anew, and those that are open, which are tried again.
#[derive(Default)]
pub struct LinksBefore(Mutex<BTreeMap<(TaskKey, Link), LinkBefore>>);

#[derive(Clone, Copy, PartialEq)]
enum LinkBefore {
    Open,
    Confirmed,
}

impl LinksBefore {
    /// Whether HubSpot confirmed the link.
    pub fn is_confirmed(&self, task: &TaskKey, link: &Link) -> bool {
        self.get(task, link) == Some(LinkBefore::Confirmed)
    }

    /// Whether the link could not be made, and may be made later.
    pub fn is_open(&self, task: &TaskKey, link: &Link) -> bool {
        self.get(task, link) == Some(LinkBefore::Open)
    }

    /// Remembers how a link ended. Of too many all are forgotten.
    pub fn keep(&self, task: &TaskKey, link: &Link, is_open: bool, is_confirmed: bool) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= REMEMBERED {
            known.clear();
        }
        let key = (task.clone(), link.clone());
        match (is_open, is_confirmed) {
            (true, _) => _ = known.insert(key, LinkBefore::Open),
            (false, true) => _ = known.insert(key, LinkBefore::Confirmed),
            (false, false) => _ = known.remove(&key),
        }
    }

    fn get(&self, task: &TaskKey, link: &Link) -> Option<LinkBefore> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.is_empty() {
            return None;
        }
        known.get(&(task.clone(), link.clone())).copied()
    }
}

/// The answer to a call that links.
#[derive(Debug, Default, Deserialize)]
pub struct Linked {
    #[serde(default, deserialize_with = "list")]
    results: Vec<Ends>,
    /// Errors, in a 207 and in any other 2xx.
    #[serde(default, deserialize_with = "list")]
    pub errors: Vec<Complaint>,
}

/// The two ends of a link.
#[derive(Debug, Deserialize, Serialize)]
struct Ends {
    from: Id,
    to: Id,
}

#[derive(Debug, Deserialize, Serialize)]
struct Id {
    #[serde(deserialize_with = "text")]
    id: String,
}

#[derive(Serialize)]
struct Inputs<T> {
    inputs: Vec<T>,
}

/// The body of the call that links.
#[derive(Serialize)]
pub struct Pairs(Inputs<Ends>);

impl Pairs {
    /// Links up to [`BATCH`](super::BATCH) pairs, none twice.
    #[must_use]
    pub fn new(pairs: &[Pair]) -> Self {
        let mut inputs = Vec::new();
        for Pair { task, record } in pairs {
            inputs.push(Ends { from: Id { id: task.clone() }, to: Id { id: record.clone() } });
        }
        Self(Inputs { inputs })
    }
}

/// The path of the call that links tasks to records of an object.
#[must_use]
pub fn associate_path(version: &ApiVersion, to: Object) -> String {
    format!("{}/tasks/{}/{ASSOCIATE}", super::associations_path(version), to.plural())
}

/// The answer to the question what tasks hang on.
#[derive(Debug, Default, Deserialize)]
struct Hanging {
    #[serde(default, deserialize_with = "list")]
    results: Vec<HangingOn>,
}

#[derive(Debug, Deserialize)]
struct HangingOn {
    from: Id,
    #[serde(default, deserialize_with = "list")]
    to: Vec<Target>,
}

#[derive(Debug, Deserialize)]
struct Target {
    #[serde(rename = "toObjectId", deserialize_with = "text")]
    id: String,
}

impl Linked {
    /// The links that HubSpot confirms.
    #[must_use]
    pub fn pairs(&self) -> Vec<Pair> {
        let mut pairs = Vec::new();
        for Ends { from, to } in &self.results {
            pairs.push(Pair { task: from.id.clone(), record: to.id.clone() });
        }
        pairs
    }
}

impl Hubspot {
    /// Reads up to [`BATCH`](super::BATCH) records of an object by a unique property: of each, that
    /// property.
    pub async fn read_records(
        &self,
        object: Object,
        by: &str,
        ids: &[&str],
        deadline: Instant,
    ) -> Result<Answer, Error> {
        let properties = if by == RECORD_ID { Vec::new() } else { vec![by] };
        let body = ReadInputs::new(by, ids, properties);
        let path = format!("{}/{}/{READ}", self.objects, object.plural());
        Ok(self.transport.post(&path, &body, true, deadline).await?.answer)
    }

    /// Links tasks to records of an object, up to [`BATCH`](super::BATCH), none twice. What is linked
    /// already stays so.
    pub async fn associate(
        &self,
        object: Object,
        pairs: &[Pair],
        deadline: Instant,
    ) -> Result<Linked, Error> {
        let path = format!("{}/tasks/{}/{ASSOCIATE}", self.associations, object.plural());
        Ok(self.transport.post(&path, &Pairs::new(pairs), true, deadline).await?.answer)
    }

    /// The links that up to [`BATCH`](super::BATCH) tasks have to records of an object.
    pub async fn associations(
        &self,
        object: Object,
        tasks: &[&str],
        deadline: Instant,
    ) -> Result<Vec<Pair>, Error> {
        let mut inputs = Vec::new();
        for task in tasks {
            inputs.push(Id { id: (*task).to_owned() });
        }
        let path = format!("{}/tasks/{}/{READ}", self.associations, object.plural());
        let reply = self.transport.post(&path, &Inputs { inputs }, true, deadline).await?;
        let answer: Hanging = reply.answer;
        let mut pairs = Vec::new();
        for HangingOn { from, to } in answer.results {
            for target in to {
                pairs.push(Pair { task: from.id.clone(), record: target.id });
            }
        }
        Ok(pairs)
    }
}
