//! What happened, numbered, for pages that follow it: the newest thousand.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use serde_json::Value;
use tokio::sync::watch;
use tokio::time::timeout;

/// How many events are kept for a page that comes back.
const KEPT: usize = 1000;

/// How many bytes these may have.
const BYTES: usize = 16 * 1024 * 1024;

/// How often a silent stream says that it is alive.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// The events so far.
pub(super) struct Events {
    kept: Mutex<VecDeque<(u64, Bytes)>>,
    last: watch::Sender<u64>,
}

impl Events {
    pub(super) fn new() -> Self {
        Self { kept: Mutex::default(), last: watch::Sender::new(0) }
    }

    /// Adds an event.
    pub(super) fn add(&self, kind: &str, data: &Value) {
        let mut kept = self.kept();
        let id = *self.last.borrow() + 1;
        // JSON has no line breaks here, as a line of a stream must not.
        kept.push_back((id, format!("id: {id}\nevent: {kind}\ndata: {data}\n\n").into()));
        while kept.len() > KEPT || kept.iter().map(|(_, event)| event.len()).sum::<usize>() > BYTES
        {
            kept.pop_front();
        }
        drop(kept);
        self.last.send_replace(id);
    }

    /// The number of the newest event.
    pub(super) fn last(&self) -> u64 {
        *self.last.borrow()
    }

    /// A place from which a page is told of new events.
    pub(super) fn subscribe(&self) -> watch::Receiver<u64> {
        self.last.subscribe()
    }

    /// The event after this number, as a server-sent event with its number, once there is one; or a
    /// comment with the same number. `None` at the end.
    /// <https://html.spec.whatwg.org/multipage/server-sent-events.html>
    pub(super) async fn next(
        &self,
        after: u64,
        newest: &mut watch::Receiver<u64>,
    ) -> Option<(Bytes, u64)> {
        loop {
            let found = self.kept().iter().find(|(id, _)| *id > after).cloned();
            if let Some((id, event)) = found {
                return Some((event, id));
            }
            match timeout(HEARTBEAT, newest.changed()).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) => return None,
                Err(_) => return Some((Bytes::from_static(b": still here\n\n"), after)),
            }
        }
    }

    fn kept(&self) -> MutexGuard<'_, VecDeque<(u64, Bytes)>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
