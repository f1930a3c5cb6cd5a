//! SQS: updates on their way to the worker, and dead letters.
//!
//! [`message`] and [`letter`] say what messages hold, [`plan`] which call can hold which of them;
//! the rest of the order is SQS's: the updates of one task are one message group of a FIFO queue.

mod dead;
mod entry;
mod inbox;
mod letter;
mod message;
mod plan;
mod refusal;
mod send;
mod take;

pub use dead::{Arrived, Dead};
pub use entry::Entry;
pub use inbox::Received;
pub use letter::{Body, Content, Event, Failed, Letter};
pub use message::{Message, Unreadable, group, letter_of_delivery, letter_of_message};
pub use refusal::{CallFailed, NotSent};
pub use take::Room;

use aws_sdk_sqs::Client;

/// A queue in SQS.
#[derive(Clone, Debug)]
pub struct Queue {
    client: Client,
    url: String,
}

impl Queue {
    /// A queue by its address. Nothing is sent yet.
    #[must_use]
    pub fn new(client: Client, url: &str) -> Self {
        Self { client, url: url.to_owned() }
    }
}
