//! Why SQS doesn't take a message or a call, and whether that passes.

use aws_sdk_sqs::error::{ProvideErrorMetadata, SdkError};

use crate::outbound;

/// Why a message is not in the queue.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotSent {
    /// It is larger than SQS takes; that doesn't pass.
    #[error("it is larger than the 1 MiB that SQS takes")]
    TooLarge,
    /// SQS refuses it for what it is; that doesn't pass either.
    #[error("{0}")]
    Refused(String),
    /// SQS can't be reached, or refuses it for now.
    #[error("{0}")]
    Later(String),
}

impl NotSent {
    /// Whether it would be so as often as the message is sent.
    #[must_use]
    pub fn is_final(&self) -> bool {
        matches!(self, Self::TooLarge | Self::Refused(_))
    }
}

/// A call to SQS that failed, with the reason. A set-up that is wrong was logged.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct CallFailed(pub(super) String);

impl<E> From<SdkError<E, aws_sdk_sqs::config::http::HttpResponse>> for CallFailed
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    fn from(error: SdkError<E, aws_sdk_sqs::config::http::HttpResponse>) -> Self {
        let refusal = Refusal::of_call(&error);
        refusal.report();
        Self(refusal.why)
    }
}

/// Why SQS did not take an entry, or a whole call.
#[derive(Clone)]
pub(super) struct Refusal {
    pub(super) why: String,
    pub(super) kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// It may pass.
    Passing,
    /// The queue isn't there, or may not be used: somebody has to change the set-up.
    SetUp,
    /// A whole call is refused for what is in it, and SQS doesn't say for which message.
    OneOfThem,
    /// The message itself is refused.
    Final,
}

impl Refusal {
    /// Codes, or parts of them, that are about the queue or who calls it. Those of a key are `KMS.`
    /// with a word, or `Kms`.
    const SET_UP: [&str; 8] = [
        "AccessDenied",
        "DoesNotExist",
        "InvalidAddress",
        "InvalidSecurity",
        "Kms",
        "KMS",
        "NonExistent",
        "UnsupportedOperation",
    ];

    /// Codes, or parts of them, of a call that is refused for the messages in it.
    const OF_CONTENT: [&str; 4] = [
        "BatchRequestTooLong",
        "InvalidMessageContents",
        "InvalidParameterValue",
        "MessageTooLong",
    ];

    /// Codes, or parts of them, that pass, whosever fault they are said to be: too many calls, and
    /// credentials or clocks of a moment.
    const PASSING: [&str; 7] = [
        "Expired",
        "InFlight",
        "OverLimit",
        "RequestTimeout",
        "Signature",
        "Throttl",
        "Unavailable",
    ];

    pub(super) fn passing(why: String) -> Self {
        Self { why, kind: Kind::Passing }
    }

    /// Why an entry of a call was refused, by its error code.
    pub(super) fn of_entry(code: &str, is_senders_fault: bool) -> Self {
        let kind = if has(code, &Self::PASSING) {
            Kind::Passing
        } else if has(code, &Self::SET_UP) {
            Kind::SetUp
        } else if is_senders_fault || has(code, &Self::OF_CONTENT) {
            Kind::Final
        } else {
            Kind::Passing
        };
        Self { why: format!("SQS refuses it: {code}"), kind }
    }

    /// Why a whole call failed.
    pub(super) fn of_call<E: ProvideErrorMetadata + std::error::Error + 'static>(
        error: &SdkError<E, aws_sdk_sqs::config::http::HttpResponse>,
    ) -> Self {
        let SdkError::ServiceError(refused) = error else {
            return Self::passing(outbound::causes(error));
        };
        let code = refused.err().code().unwrap_or("an error");
        let status = refused.raw().status().as_u16();
        let kind = if has(code, &Self::PASSING) || status >= 500 {
            Kind::Passing
        } else if has(code, &Self::SET_UP) || status == 403 {
            Kind::SetUp
        } else if has(code, &Self::OF_CONTENT) {
            Kind::OneOfThem
        } else {
            Kind::Passing
        };
        Self { why: format!("SQS answered {status} {code}"), kind }
    }

    /// Whether the message is refused for good; `is_alone` in its call, it is the one that the call
    /// is refused for.
    pub(super) fn is_final(&self, is_alone: bool) -> bool {
        self.kind == Kind::Final || self.kind == Kind::OneOfThem && is_alone
    }

    /// Logs what somebody has to put right.
    pub(super) fn report(&self) {
        if self.kind == Kind::SetUp {
            let reason = &self.why;
            tracing::error!(
                reason,
                "set-up: SQS refuses the queue; check its address, and the function's permissions"
            );
        }
    }
}

/// Whether a code has one of these parts.
fn has(code: &str, parts: &[&str]) -> bool {
    parts.iter().any(|part| code.contains(part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_refused_for_good_for_what_it_is_and_for_nothing_else() {
        let kind = |code, is_senders_fault| Refusal::of_entry(code, is_senders_fault).kind;
        for code in
            ["InvalidMessageContents", "InvalidParameterValue", "MessageTooLong", "SomethingNew"]
        {
            assert!(kind(code, true) == Kind::Final, "{code}");
        }
        for code in [
            "RequestThrottled",
            "ThrottlingException",
            "KmsThrottled",
            "KMS.ThrottlingException",
            "OverLimit",
        ] {
            assert!(kind(code, true) == Kind::Passing, "{code}");
        }
        for code in ["AccessDenied", "KmsAccessDenied", "AWS.SimpleQueueService.NonExistentQueue"] {
            assert!(kind(code, true) == Kind::SetUp, "{code}");
        }
        assert!(kind("InternalError", false) == Kind::Passing);
    }
}
