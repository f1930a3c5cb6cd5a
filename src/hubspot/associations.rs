//! The records that tasks hang on, and the links to them.
//! <https://developers.hubspot.com/docs/api-reference/crm-associations-v4/guide>

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::answer::{Answer, Complaint, list, text};
use super::{Error, Hubspot, READ, ReadInputs};
use crate::settings::ApiVersion;
use crate::update::{Link, Object, RECORD_ID};

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

/// Links that were confirmed while this process runs, so that none is made anew by each of the events
/// that follow the one that made the task.
#[derive(Default)]
pub struct Confirmed(Mutex<BTreeSet<(String, Link)>>);

impl Confirmed {
    /// Whether the link of a task, by its record id, was confirmed.
    pub fn has(&self, task: &str, link: &Link) -> bool {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.contains(&(task.to_owned(), link.clone()))
    }

    /// Remembers a link. Of too many all are forgotten: then they are made once more.
    pub fn keep(&self, task: &str, link: &Link) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= REMEMBERED {
            known.clear();
        }
        known.insert((task.to_owned(), link.clone()));
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
