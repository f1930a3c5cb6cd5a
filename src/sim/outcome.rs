//! The outcome of a batch, and the answer that tells it.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{
    answer::Answer,
    fault::Fault,
    object::ObjectType,
    refusal::{self, Refusal},
    seed::{Behaviour, Order},
};

/// Results and errors: each input is in one of them, unless a fault passed over it.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    pub(super) results: Vec<Value>,
    pub(super) errors: Vec<Value>,
}

impl Outcome {
    /// Adds the one error that names every id that was not found.
    pub(super) fn add_missing(&mut self, object: ObjectType, ids: &[String]) {
        if !ids.is_empty() {
            self.add_error(refusal::records_not_found(object, ids));
        }
    }

    /// Adds an error, with the fields that an error of a batch has to have.
    pub(super) fn add_error(&mut self, refusal: Refusal) {
        let mut error = refusal.error;
        for (name, nothing) in [("context", json!({})), ("errors", json!([])), ("links", json!({}))]
        {
            if error.get(name).is_none() {
                error[name] = nothing;
            }
        }
        self.errors.push(error);
    }

    /// The answer with the status `success` if nothing failed, else with the status `partial`.
    pub(super) fn answer(
        mut self,
        success: u16,
        partial: u16,
        behaviour: &Behaviour,
        fault: &Fault,
        now: Timestamp,
    ) -> Answer {
        if (behaviour.order == Order::Reversed) != fault.reverse {
            self.results.reverse();
        }
        let told = self.results.len().saturating_sub(fault.omit);
        self.results.truncate(told);
        let at = format!("{now:.3}");
        let mut body = json!({
            "status": fault.state.map_or_else(|| "COMPLETE".into(), |state| json!(state)),
            "results": self.results,
            "requestedAt": at,
            "startedAt": at,
            "completedAt": at,
        });
        if self.errors.is_empty() {
            return Answer::json(success, body);
        }
        // HubSpot counts error objects, not the inputs that they concern.
        body["numErrors"] = self.errors.len().into();
        body["errors"] = self.errors.into();
        Answer::json(partial, body)
    }
}
