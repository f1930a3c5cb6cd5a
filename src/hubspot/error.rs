//! Why a call to HubSpot failed.

use std::time::Duration;

use super::answer::Complaint;
use crate::outcome::RetryReason;

/// A call that was not taken.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// HubSpot refuses the request as it is: sent again it is refused again.
    #[error("HubSpot answered {}: {}", .0.status, .0.complaint.message)]
    Refused(Box<Refusal>),
    /// The answer was lost, and the request may not be sent twice without reading the tasks.
    #[error("the connection to HubSpot broke")]
    Lost,
    /// It may succeed later.
    #[error("{detail}")]
    Later {
        /// Why.
        reason: RetryReason,
        /// How long to wait before it is worth another try.
        wait: Option<Duration>,
        /// A sentence for the log and the summary.
        detail: String,
        /// Whether the detail names the scopes that the token lacks.
        names_scopes: bool,
    },
}

impl Error {
    /// The same for calls that it only keeps from being made: their own scopes may be there.
    #[must_use]
    pub fn about_no_scope(self) -> Self {
        match self {
            Self::Later { reason, wait, detail, .. } => {
                Self::Later { reason, wait, detail, names_scopes: false }
            }
            other => other,
        }
    }
}

/// HubSpot's own words about a request that it refuses.
#[derive(Clone, Debug)]
pub struct Refusal {
    /// The HTTP status.
    pub status: u16,
    /// Whether an earlier try of the same call may have been carried out.
    pub is_repeated: bool,
    /// The body, as far as it is an error in HubSpot's shape.
    pub complaint: Complaint,
}
