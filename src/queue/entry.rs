//! A message to send: its text, and what SQS orders and deduplicates it by.

use std::collections::HashMap;

use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::message::{self, BYTES, Message, deduplication, group};
use crate::delivery::Delivery;
use crate::update::{Update, Value};

/// What a message has besides its updates, in bytes: its version, and the names around the rest.
const AROUND: usize = 100;

/// A message to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub(super) body: String,
    /// The message group, of a FIFO queue.
    pub(super) group: Option<String>,
    /// The deduplication id, of a FIFO queue.
    pub(super) deduplication: Option<String>,
    /// The header of AWS X-Ray's that joins the worker's invocation to the webhook's.
    pub(super) trace_header: Option<String>,
}

/// Updates of one task that go in one message.
#[derive(Default)]
struct Together {
    group: String,
    /// Their JSON, one after the other.
    json: String,
    /// Their places in the delivery.
    places: Vec<usize>,
}

impl Entry {
    /// The updates of a delivery on their way to the worker. Those of one task go in one message, as
    /// many as fit, in their order: so they are one write, and one call to SQS. Each entry comes with
    /// the places of its updates. `event` is as in [`deduplication`].
    ///
    /// An update that adds to a value goes alone: each is a write of its own, and a message is done
    /// only when all of it is.
    #[must_use]
    pub fn updates(
        source: &str,
        event: &str,
        delivery: &Delivery,
        updates: &[Update],
    ) -> Vec<(Self, Vec<usize>)> {
        let head = message::text(&[source, event, &delivery.request_id]).len() + AROUND;
        let digest = Sha256::digest(&delivery.body);
        let mut entries = Vec::new();
        for Together { group, json, places } in together(updates, BYTES.saturating_sub(head)) {
            let mut of_task = Vec::new();
            for place in &places {
                of_task.push(updates[*place].clone());
            }
            let message = Message::new(source, event, of_task).of_request(&delivery.request_id);
            let entry = Self {
                body: message::text(&message),
                group: Some(group),
                deduplication: Some(deduplication(event, &digest, places[0], &json)),
                trace_header: delivery.trace_header.clone(),
            };
            entries.push((entry, places));
        }
        entries
    }

    /// A message that is sent through again: SQS must not take it for the one that it was.
    #[must_use]
    pub fn again(message: &Message) -> Self {
        Self {
            body: message::text(message),
            group: message.task().map(group),
            deduplication: Some(Uuid::new_v4().to_string()),
            trace_header: None,
        }
    }

    /// The text of a dead letter. It is a group of its own, and within five minutes SQS takes no
    /// other with this `id`, which is [`letter_of_delivery`](super::letter_of_delivery) or
    /// [`letter_of_message`](super::letter_of_message); a standard
    /// queue takes all.
    #[must_use]
    pub fn letter(id: &str, body: String) -> Self {
        let id = Some(id.to_owned());
        Self { body, group: id.clone(), deduplication: id, trace_header: None }
    }

    /// Whether it is larger than SQS takes.
    #[must_use]
    pub fn is_too_large(&self) -> bool {
        self.body.len() > BYTES
    }
}

/// The updates by the messages in which they go; the JSON of each message's has at most `most` bytes,
/// unless it is of a single one.
fn together(updates: &[Update], most: usize) -> Vec<Together> {
    let mut all: Vec<Together> = Vec::new();
    let mut last_of_group: HashMap<String, usize> = HashMap::new();
    for (place, update) in updates.iter().enumerate() {
        let (group, json) = (group(&update.task), message::text(update));
        let fits = |last: &usize| all[*last].json.len() + json.len() < most;
        match last_of_group.get(&group).copied().filter(fits) {
            Some(last) if !adds(update) => {
                all[last].json.push(',');
                all[last].json.push_str(&json);
                all[last].places.push(place);
            }
            _ => {
                if adds(update) {
                    last_of_group.remove(&group);
                } else {
                    last_of_group.insert(group.clone(), all.len());
                }
                all.push(Together { group, json, places: vec![place] });
            }
        }
    }
    all
}

/// Whether an update has a value that HubSpot may add to what is there.
fn adds(update: &Update) -> bool {
    update.properties.iter().any(|(_, value)| match value {
        Value::Text(text) => text.starts_with(';'),
        Value::Owner { .. } => false,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::time::Time;
    use crate::update::TaskKey;

    fn update(task: usize, size: usize) -> Update {
        Update {
            properties: vec![("hs_task_body".to_owned(), Value::Text("x".repeat(size)))],
            ..Update::new(
                TaskKey { id_property: "ticket".to_owned(), id: task.to_string() },
                Time::from_milliseconds(0),
            )
        }
    }

    #[test]
    fn what_is_added_to_a_value_goes_alone() {
        let with = |text: &str| Update {
            properties: vec![("labels".to_owned(), Value::Text(text.to_owned()))],
            ..update(1, 0)
        };
        let updates = ["a", "b", ";c", ";d", "e", "f"].map(with);
        let places: Vec<_> =
            together(&updates, 1000).into_iter().map(|message| message.places).collect();
        assert_eq!(places, [vec![0, 1], vec![2], vec![3], vec![4, 5]]);
    }

    proptest! {
        #[test]
        fn each_update_travels_once_behind_those_of_its_task_in_as_few_messages_as_fit(
            updates in prop::collection::vec((0..5_usize, 0..400_usize), 0..60),
        ) {
            let updates: Vec<_> = updates.into_iter().map(|(task, size)| update(task, size)).collect();
            let all = together(&updates, 1000);
            let mut places: Vec<_> = all.iter().flat_map(|message| message.places.clone()).collect();
            for message in &all {
                prop_assert!(message.json.len() <= 1000 || message.places.len() == 1);
                for place in &message.places {
                    prop_assert_eq!(&group(&updates[*place].task), &message.group);
                }
            }
            for task in 0..5 {
                let of_task: Vec<_> = all.iter().filter(|message| message.group == group(&update(task, 0).task)).collect();
                let in_order: Vec<_> = of_task.iter().flat_map(|message| message.places.clone()).collect();
                prop_assert!(in_order.is_sorted());
                for pair in of_task.windows(2) {
                    prop_assert!(pair[0].json.len() + message::text(&updates[pair[1].places[0]]).len() + 1 > 1000);
                }
            }
            places.sort_unstable();
            prop_assert_eq!(places, (0..updates.len()).collect::<Vec<_>>());
        }
    }
}
