//! The first story: a delivery is verified and mapped to updates.

use secrecy::{ExposeSecret as _, SecretString};
use tokio::time::Instant;

use crate::delivery::{Answer, Delivery, Kept, NotRead, Refused, Stage, Unreadable, Verified};
use crate::secrets::{SecretError, Secrets};
use crate::source::{Event, Found, Proof, Source, Sources, Verify};

/// A delivery that was understood.
pub(super) enum Received {
    /// An event that was believed, what its source made of it, and what may be kept of it.
    Event(Event, Kept),
    /// The answer to a question of the sender before it sends events.
    Handshake(Answer),
}

/// Why a delivery was not taken; for the log.
#[derive(Debug, thiserror::Error)]
pub(super) enum Rejected {
    /// No source has this path.
    #[error("no source has this path")]
    NoSource,
    /// The source of this path, or a file that might have it, has problems, which were logged at
    /// the start.
    #[error("set-up: the source file has problems, which were logged at the start")]
    BrokenSource,
    /// The sender is not believed.
    #[error("not believed: {0}")]
    Refused(#[from] Refused),
    /// The body can't be read, and nobody signed it.
    #[error("{0}")]
    Unreadable(Unreadable),
    /// The source's secret cannot be fetched, or cannot be used.
    #[error("{at_fault}{0}", at_fault = if .0.is_passing() { "" } else { "set-up: " })]
    Secret(#[from] SecretError),
}

/// Finds the source of a delivery by its path.
pub(super) fn find<'s>(sources: &'s Sources, delivery: &Delivery) -> Result<&'s Source, Rejected> {
    match sources.find(&delivery.path) {
        Found::Source(source) => Ok(source),
        Found::Broken => Err(Rejected::BrokenSource),
        Found::Nothing => Err(Rejected::NoSource),
    }
}

/// Verifies a delivery, reads its body, and maps it; or answers the sender's handshake.
pub(super) async fn receive(
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
        // Without a proof it is not kept: anybody could fill the dead letters.
        Err(NotRead::Unreadable(why)) if source.verify.proof.is_none() => {
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
    let Verify { proof, tolerance, .. } = &source.verify;
    let Some(proof) = proof else { return Ok(source.verify.verify(delivery, &[], *tolerance)?) };
    let secret = &proof.secret;
    let known = usable(proof, secrets.get(secret, deadline).await?)?;
    match source.verify.verify(delivery, &known, *tolerance) {
        Err(Refused::Mismatch) => {
            // The secret may have been changed since it was fetched.
            let Some(newer) = secrets.get_again(secret, &known, deadline).await? else {
                return Err(Rejected::Refused(Refused::mismatch(&known)));
            };
            Ok(source.verify.verify(delivery, &usable(proof, newer)?, *tolerance)?)
        }
        verified => Ok(verified?),
    }
}

/// The secrets, unless one of them protects nothing or cannot be used.
fn usable(proof: &Proof, secrets: Vec<SecretString>) -> Result<Vec<SecretString>, SecretError> {
    let name = &proof.secret;
    for secret in &secrets {
        if proof.published == Some(secret.expose_secret().trim_end()) {
            return Err(SecretError::SetUp(format!(
                "the secret {name} is the one that the sender's documentation publishes; store the \
                 webhook's own"
            )));
        }
        if let Err(why) = proof.scheme.check_secret(secret) {
            return Err(SecretError::SetUp(format!("the secret {name} can't be used: {why}")));
        }
    }
    Ok(secrets)
}
