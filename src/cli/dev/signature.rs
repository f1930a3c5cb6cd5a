//! What the desk says about signatures: whether one is right, and what would make it right.

use super::desk::Desk;
use super::payloads::Kept;
use crate::cli::cases::ANY_AGE;
use crate::cli::story::{Fact, FactState, Note};
use crate::cli::verify::cures;
use crate::delivery::Delivery;
use crate::source::Source;

/// The signature of a delivery: a word for the list, and a fact for the story.
pub(super) fn check(desk: &Desk, source: &Source, delivery: &Delivery) -> (&'static str, Fact) {
    let fact = |state, value: &str, notes| Fact::new("Signature", state, value, notes);
    let Some(proof) = &source.verify.proof else {
        let note = Note::new("whoever knows the address is believed");
        return ("none", fact(FactState::Calm, "none", vec![note]));
    };
    let secrets = match desk.secrets_of(source) {
        Ok(secrets) => secrets,
        Err(why) => {
            let note = Note::new(why.to_string());
            return ("no secret", fact(FactState::Bad, "no secret", vec![note]));
        }
    };
    let (header, secret) = (proof.scheme.header(), &proof.secret);
    let Err(why) = source.verify.verify(delivery, &secrets, source.verify.tolerance) else {
        let note = Note::new(format!("{header}, by the secret {secret}"));
        return ("right", fact(FactState::Ok, "right", vec![note]));
    };
    let mut why = why.to_string();
    if !why.contains(header) {
        why = format!("{header}: {why}");
    }
    let mut notes = vec![Note::new(format!("{why}; the secret is {secret}"))];
    for cure in cures(delivery, &secrets, source) {
        notes.push(Note::new(format!("it would be right {cure}")));
    }
    ("wrong", fact(FactState::Bad, "wrong", notes))
}

/// The signature that a payload came with, if it has one. How old it is makes no difference here.
pub(super) fn own(desk: &Desk, source: &Source, payload: &Kept) -> Option<Fact> {
    let proof = source.verify.proof.as_ref()?;
    let secrets = desk.secrets_of(source).ok()?;
    payload.delivery.headers.get(proof.scheme.header())?;
    let delivery = payload.to(&source.path);
    let Err(why) = proof.scheme.verify(&delivery, &secrets, ANY_AGE) else {
        return Some(Fact::new("It came", FactState::Ok, "rightly signed", Vec::new()));
    };
    let mut notes = vec![Note::new(why.to_string())];
    for cure in cures(&delivery, &secrets, source) {
        notes.push(Note::new(format!("it would be right {cure}")));
    }
    Some(Fact::new("It came", FactState::Bad, "wrongly signed", notes))
}
