//! How an update ends, and why: what the engine says and every other room repeats.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::update::Object;

/// How an update ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// HubSpot has the values; with HubSpot's record id where it said it.
    Updated(Option<String>),
    /// HubSpot has a new task with the values.
    Created(Option<String>),
    /// There was nothing to write.
    Unchanged,
    /// A newer event has already been applied.
    Stale,
    /// It became part of the write of a newer update, which succeeded.
    Merged,
    /// It was not meant to be written; with the reason.
    Filtered(FilterReason, String),
    /// It is in the queue.
    Queued,
    /// It is not done and may succeed later.
    Retry(RetryReason, String),
    /// It can't succeed as it is.
    Failed(FailReason, String),
    /// The other outcome, with a remark on what was not written.
    Noted(Box<Outcome>, String),
}

/// The kind of an outcome, as it is counted and named in summaries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "they are those of `Outcome`")]
pub enum Kind {
    Updated,
    Created,
    Unchanged,
    Stale,
    Merged,
    Filtered,
    Queued,
    Retry,
    Failed,
}

/// Why an update was not meant to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FilterReason {
    /// No task has the id, and the source says `on_missing = "skip"`.
    NotFound,
    /// `TASKHOOK_OBSERVE` is set, or its source says `observe = true`.
    Observed,
}

/// Why an update may succeed later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetryReason {
    /// HubSpot's rate limit.
    RateLimited,
    /// HubSpot can't be reached, or can't answer now.
    Unavailable,
    /// The time left was not enough.
    Timeout,
    /// HubSpot refuses the token.
    Unauthorized,
    /// The token lacks a scope.
    Forbidden,
}

/// Why an update can't succeed as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailReason {
    /// The payload doesn't fit the source file.
    Mapping,
    /// The body can't be read.
    Unreadable,
    /// No task has the id.
    NotFound,
    /// It was written, and what its task is to hang on isn't there.
    NotAssociated,
    /// The portal has no such property.
    UnknownProperty,
    /// The property can't be written.
    ReadOnlyProperty,
    /// HubSpot doesn't take the value.
    InvalidValue,
    /// The id property has no unique values.
    NotUniqueProperty,
    /// HubSpot has no owner with the e-mail address.
    OwnerNotFound,
    /// Another task has the unique value.
    Conflict,
    /// HubSpot neither confirmed nor refused it, and the task doesn't have the values.
    Unaccounted,
    /// HubSpot refuses it for another reason.
    Rejected,
}

/// How the links of an update ended: of each kind the worst. As JSON `{"contact": "linked"}`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Associated(BTreeMap<Object, LinkEnd>);

/// How a link ended, from the best to the worst.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LinkEnd {
    /// HubSpot confirmed it.
    Linked,
    /// There is no such record.
    Missing,
    /// The token lacks a scope.
    Forbidden,
    /// It is not made, and may be made later.
    Retry,
}

impl Associated {
    /// Adds the end of a link.
    pub fn add(&mut self, to: Object, end: LinkEnd) {
        let worst = self.0.entry(to).or_insert(end);
        *worst = end.max(*worst);
    }

    /// Whether there was no link to make.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Outcome {
    /// Its kind, whatever remark it carries.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::Updated(_) => Kind::Updated,
            Self::Created(_) => Kind::Created,
            Self::Unchanged => Kind::Unchanged,
            Self::Stale => Kind::Stale,
            Self::Merged => Kind::Merged,
            Self::Filtered(..) => Kind::Filtered,
            Self::Queued => Kind::Queued,
            Self::Retry(..) => Kind::Retry,
            Self::Failed(..) => Kind::Failed,
            Self::Noted(outcome, _) => outcome.kind(),
        }
    }

    /// Whether the task is as it should be.
    #[must_use]
    pub fn is_success(&self) -> bool {
        matches!(self.kind(), Kind::Updated | Kind::Created | Kind::Unchanged)
    }

    /// The name of its reason, if it has one.
    #[must_use]
    pub fn reason(&self) -> Option<&'static str> {
        match self.without_note() {
            Self::Filtered(reason, _) => Some(reason.as_str()),
            Self::Retry(reason, _) => Some(reason.as_str()),
            Self::Failed(reason, _) => Some(reason.as_str()),
            _ => None,
        }
    }

    /// What exactly is the matter, or was not written, if anything.
    #[must_use]
    pub fn detail(&self) -> Option<&str> {
        match self {
            Self::Filtered(_, detail)
            | Self::Retry(_, detail)
            | Self::Failed(_, detail)
            | Self::Noted(_, detail) => Some(detail.as_str()).filter(|detail| !detail.is_empty()),
            _ => None,
        }
    }

    /// The same with another detail.
    #[must_use]
    pub fn with_detail(self, change: impl FnOnce(String) -> String) -> Self {
        match self {
            Self::Filtered(reason, detail) => Self::Filtered(reason, change(detail)),
            Self::Retry(reason, detail) => Self::Retry(reason, change(detail)),
            Self::Failed(reason, detail) => Self::Failed(reason, change(detail)),
            other => other,
        }
    }

    /// HubSpot's id of the task that was written, where it said it.
    #[must_use]
    pub fn record_id(&self) -> Option<&str> {
        match self.without_note() {
            Self::Updated(id) | Self::Created(id) => id.as_deref(),
            _ => None,
        }
    }

    /// The outcome without a remark.
    #[must_use]
    pub fn without_note(&self) -> &Self {
        if let Self::Noted(outcome, _) = self { outcome.without_note() } else { self }
    }
}

impl Kind {
    /// All of them, in the order in which they are counted.
    pub const ALL: [Self; 9] = [
        Self::Updated,
        Self::Created,
        Self::Unchanged,
        Self::Stale,
        Self::Merged,
        Self::Filtered,
        Self::Queued,
        Self::Retry,
        Self::Failed,
    ];

    /// The name in summaries.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Updated => "updated",
            Self::Created => "created",
            Self::Unchanged => "unchanged",
            Self::Stale => "stale",
            Self::Merged => "merged",
            Self::Filtered => "filtered",
            Self::Queued => "queued",
            Self::Retry => "retry",
            Self::Failed => "failed",
        }
    }
}

impl FilterReason {
    /// The name in summaries.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotFound => "not_found",
            Self::Observed => "observed",
        }
    }
}

impl RetryReason {
    /// The name in summaries.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::RateLimited => "rate_limited",
            Self::Unavailable => "unavailable",
            Self::Timeout => "timeout",
            Self::Unauthorized => "unauthorized",
            Self::Forbidden => "forbidden",
        }
    }
}

impl FailReason {
    /// The name in summaries and dead letters.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Mapping => "mapping",
            Self::Unreadable => "unreadable",
            Self::NotFound => "not_found",
            Self::NotAssociated => "not_associated",
            Self::UnknownProperty => "unknown_property",
            Self::ReadOnlyProperty => "read_only_property",
            Self::InvalidValue => "invalid_value",
            Self::NotUniqueProperty => "not_unique_property",
            Self::OwnerNotFound => "owner_not_found",
            Self::Conflict => "conflict",
            Self::Unaccounted => "unaccounted",
            Self::Rejected => "rejected",
        }
    }

    /// Whether a detail may quote a value. The others speak of the id, the form of the body, or
    /// nothing of the event's.
    pub(crate) fn may_quote(self) -> bool {
        !matches!(
            self,
            Self::Unreadable | Self::NotFound | Self::NotUniqueProperty | Self::Unaccounted
        )
    }
}
