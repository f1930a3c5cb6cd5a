//! Why a call to HubSpot came to nothing.

use std::fmt;
use std::time::Duration;

use super::answer::Complaint;
use crate::outcome::RetryReason;

/// A call that was not taken.
#[derive(Clone, Debug)]
pub enum Error {
    /// HubSpot refuses the request as it is: sent again it is refused again.
    Refused(Box<Refusal>),
    /// The answer was lost, and what was sent may not be sent twice without looking.
    Lost,
    /// It may succeed later.
    Later {
        /// Why.
        reason: RetryReason,
        /// How long to wait before it is worth another try.
        wait: Option<Duration>,
        /// What happened, for the log and the summary.
        detail: String,
    },
}

/// HubSpot's own words about a request that it refuses.
#[derive(Clone, Debug)]
pub struct Refusal {
    /// The HTTP status.
    pub status: u16,
    /// The body, as far as it is an error in HubSpot's shape.
    pub complaint: Complaint,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(refusal) => {
                write!(f, "HubSpot answered {}: {}", refusal.status, refusal.complaint.message)
            }
            Self::Lost => f.write_str("the connection to HubSpot broke"),
            Self::Later { detail, .. } => f.write_str(detail),
        }
    }
}
