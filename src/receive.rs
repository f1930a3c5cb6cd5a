//! The first story: a delivery is verified and mapped to updates.

use std::fmt;

use secrecy::{ExposeSecret as _, SecretString};
use tokio::time::Instant;

use crate::delivery::{Answer, Delivery, Kept, NotRead, Refused, Stage, Unreadable, Verified};
use crate::secrets::{SecretError, Secrets};
use crate::source::{Event, Found, Source, Sources};

/// A delivery that was understood.
pub enum Received {
    /// An event that was believed, what its source made of it, and what may be kept of it.
    Event(Event, Kept),
    /// What a sender asks before it sends events.
    Handshake(Answer),
}

/// Why a delivery was not taken.
#[derive(Debug)]
pub enum Rejected {
    /// No source has this path.
    NoSource,
    /// The source of this path, or a file that might have it, has problems, which were logged at
    /// the start.
    BrokenSource,
    /// The sender is not believed.
    Refused(Refused),
    /// The body can't be read, and nobody signed it.
    Unreadable(Unreadable),
    /// The source's secret can't be had, or can't be used.
    Secret(SecretError),
}

impl fmt::Display for Rejected {
    /// For the log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSource => f.write_str("no source has this path"),
            Self::BrokenSource => {
                f.write_str("set-up: the source file has problems, which were logged at the start")
            }
            Self::Refused(why) => write!(f, "not believed: {why}"),
            Self::Unreadable(why) => write!(f, "{why}"),
            Self::Secret(error) if error.is_passing() => write!(f, "{error}"),
            Self::Secret(error) => write!(f, "set-up: {error}"),
        }
    }
}

/// Finds the source of a delivery, whatever comes of it then.
pub fn find<'s>(sources: &'s Sources, delivery: &Delivery) -> Result<&'s Source, Rejected> {
    match sources.find(&delivery.path) {
        Found::Source(source) => Ok(source),
        Found::Broken => Err(Rejected::BrokenSource),
        Found::Nothing => Err(Rejected::NoSource),
    }
}

/// Verifies a delivery, reads its body, and maps it; or answers the sender's handshake.
pub async fn receive(
    sources: &Sources,
    source: &Source,
    secrets: &Secrets,
    delivery: &Delivery,
    deadline: Instant,
) -> Result<Received, Rejected> {
    let handshake =
        |stage| source.verify.handshake?.answer(delivery, stage).map(Received::Handshake);
    if let Some(answer) = handshake(Stage::Unverified) {
        return Ok(answer);
    }
    let verified = match verify(source, secrets, delivery, deadline).await {
        Err(Rejected::Secret(error)) if error.is_missing() => {
            return handshake(Stage::BeforeSecret).ok_or(Rejected::Secret(error));
        }
        verified => verified?,
    };
    if let Some(answer) = handshake(Stage::Verified) {
        return Ok(answer);
    }
    let event = match sources.map(source, &verified, source.verify.tolerance) {
        Ok(event) => event,
        Err(NotRead::Refused(why)) => return Err(Rejected::Refused(why)),
        // Whoever knows no more than the address can't fill the dead letters.
        Err(NotRead::Unreadable(why)) if !source.verify.scheme.needs_secret() => {
            return Err(Rejected::Unreadable(why));
        }
        Err(NotRead::Unreadable(why)) => source.unreadable(&verified, &why),
    };
    Ok(Received::Event(event, verified.kept()))
}

async fn verify<'d>(
    source: &'d Source,
    secrets: &Secrets,
    delivery: &'d Delivery,
    deadline: Instant,
) -> Result<Verified<'d>, Rejected> {
    let (scheme, tolerance) = (&source.verify.scheme, source.verify.tolerance);
    let Some(secret) = &source.verify.secret else {
        return scheme.verify(delivery, &[], tolerance).map_err(Rejected::Refused);
    };
    let accepted = secrets.get(secret, deadline).await.map_err(Rejected::Secret)?;
    let accepted = usable(source, accepted).map_err(Rejected::Secret)?;
    match scheme.verify(delivery, &accepted, tolerance) {
        // The secret may have been changed since it was fetched.
        Err(Refused::Mismatch) => {
            let newer =
                secrets.get_again(secret, &accepted, deadline).await.map_err(Rejected::Secret)?;
            let newer = newer.ok_or_else(|| Rejected::Refused(Refused::mismatch(&accepted)))?;
            let newer = usable(source, newer).map_err(Rejected::Secret)?;
            scheme.verify(delivery, &newer, tolerance).map_err(Rejected::Refused)
        }
        result => result.map_err(Rejected::Refused),
    }
}

/// The secrets that protect anything, if all can be used.
fn usable(source: &Source, secrets: Vec<SecretString>) -> Result<Vec<SecretString>, SecretError> {
    let name = source.verify.secret.as_ref().map(ToString::to_string).unwrap_or_default();
    for secret in &secrets {
        if source
            .verify
            .published
            .is_some_and(|published| published == secret.expose_secret().trim_end())
        {
            return Err(SecretError::SetUp(format!(
                "the secret {name} is the one that the sender's documentation publishes; store the webhook's own"
            )));
        }
        if let Some(why) = source.verify.scheme.unusable(secret) {
            return Err(SecretError::SetUp(format!("the secret {name} can't be used: {why}")));
        }
    }
    Ok(secrets)
}
