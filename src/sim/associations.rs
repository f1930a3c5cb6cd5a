//! `associations`: the calls that hang tasks on contacts, companies, deals and tickets, show what
//! hangs together, and take it apart.
//!
//! HubSpot's specification knows the shapes, its guides what a success says. Nobody has published
//! how a pair is refused whose records aren't there, so it is done as in the batches of records:
//! one error for the pair, and the others go through. For `batch/associate/default` the
//! specification has a 200 alone, with `errors` in it, where its sisters have a 207: here it is a
//! 207, and with `errors_in_200` the other.

use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};

use super::{
    answer::Answer,
    fault::Fault,
    inputs::{Id, check_size, kept},
    object::ObjectType,
    outcome::Outcome,
    portal::Portal,
    refusal::{self, Refusal},
    request::Request,
    route::Ends,
    version::Version,
};

/// Two records to associate.
#[derive(Debug, Deserialize)]
struct Pair {
    from: Id,
    to: Id,
}

/// Associates a batch of pairs: `batch/associate/default`.
pub(super) fn associate(
    portal: &mut Portal,
    ends: Ends,
    body: &[u8],
    fault: &Fault,
) -> Result<Outcome, Refusal> {
    let pairs: Vec<Pair> = inputs(body)?;
    check_size(pairs.len(), MOST_PAIRS)?;
    associate_pairs(portal, ends, &pairs, fault)
}

/// Associates two records: `PUT …/associations/default/…`. The answer is that of a batch.
pub(super) fn associate_one(
    portal: &mut Portal,
    ends: Ends,
    from: String,
    to: String,
    fault: &Fault,
) -> Result<Outcome, Refusal> {
    let pair = Pair { from: Id { id: from }, to: Id { id: to } };
    associate_pairs(portal, ends, &[pair], fault)
}

fn associate_pairs(
    portal: &mut Portal,
    ends: Ends,
    pairs: &[Pair],
    fault: &Fault,
) -> Result<Outcome, Refusal> {
    let Ends { from, to } = ends;
    let (Some(there), Some(back)) = (default_type(from, to), default_type(to, from)) else {
        return Err(refusal::no_default_association(from, to));
    };
    check_for_twins(pairs)?;
    let mut outcome = Outcome::default();
    if portal.behaviour.associate_nothing {
        return Ok(outcome);
    }
    for pair in &pairs[..kept(pairs.len(), fault)] {
        let (from_id, to_id) = (&pair.from.id, &pair.to.id);
        let is_there =
            |object: ObjectType, id: &str| portal.objects[object].records.get(id).is_some();
        if !is_there(from, from_id) || !is_there(to, to_id) {
            outcome.add_error(refusal::nothing_to_associate(from, from_id, to, to_id));
            continue;
        }
        portal.links.add((from, from_id.clone()), (to, to_id.clone()));
        // Both directions are told, as HubSpot's guides to line items and to fees show it. For
        // tasks it is not yet proven: L55.
        outcome.results.push(associated(from_id, to_id, there));
        outcome.results.push(associated(to_id, from_id, back));
    }
    Ok(outcome)
}

/// Shows what the records of a batch are associated with: `batch/read`. A record with nothing is an
/// error, as others have recorded it.
pub(super) fn read(
    portal: &Portal,
    ends: Ends,
    version: Version,
    body: &[u8],
) -> Result<Outcome, Refusal> {
    #[derive(Deserialize)]
    struct Page {
        id: String,
        after: Option<String>,
    }
    let pages: Vec<Page> = inputs(body)?;
    check_size(pages.len(), MOST_READ)?;
    let mut outcome = Outcome::default();
    for Page { id, after } in pages {
        let linked = portal.links.of(&(ends.from, id.clone()), ends.to);
        if linked.is_empty() {
            outcome.add_error(refusal::no_associations(ends.from, &id, ends.to));
            continue;
        }
        let after = after.and_then(|after| after.parse().ok()).unwrap_or(0);
        let mut result =
            json!({"from": {"id": id}, "to": shown(ends, version, &linked, after, MOST_SHOWN)});
        let next = MOST_SHOWN.saturating_add(after);
        if next < linked.len() {
            result["paging"] = json!({"next": {"after": next.to_string()}});
        }
        outcome.results.push(result);
    }
    Ok(outcome)
}

/// Lists what one record is associated with.
pub(super) fn list(
    portal: &Portal,
    ends: Ends,
    id: &str,
    version: Version,
    request: &Request,
) -> Result<Answer, Refusal> {
    let limit = request.number("limit", MOST_SHOWN)?;
    let after = request.number("after", 0)?;
    if !(1..=MOST_SHOWN).contains(&limit) {
        let message = format!("limit must be between 1 and {MOST_SHOWN}, not {limit}");
        return Err(refusal::validation(message));
    }
    if portal.objects[ends.from].records.get(id).is_none() {
        return Err(refusal::record_not_found(id));
    }
    let linked = portal.links.of(&(ends.from, id.to_owned()), ends.to);
    let results = shown(ends, version, &linked, after, limit);
    let next = after.saturating_add(limit);
    Ok(Answer::page(&results, (next < linked.len()).then_some(next), limit))
}

/// Takes a batch of pairs apart: `batch/archive`. Pairs that aren't associated do no harm.
pub(super) fn archive(portal: &mut Portal, ends: Ends, body: &[u8]) -> Result<(), Refusal> {
    #[derive(Deserialize)]
    struct Several {
        from: Id,
        to: Vec<Id>,
    }
    let several: Vec<Several> = inputs(body)?;
    check_size(several.len(), MOST_PAIRS)?;
    for Several { from, to } in several {
        for to in to {
            archive_one(portal, ends, &from.id, &to.id);
        }
    }
    Ok(())
}

/// Takes two records apart.
pub(super) fn archive_one(portal: &mut Portal, ends: Ends, from: &str, to: &str) {
    portal.links.remove(&(ends.from, from.to_owned()), &(ends.to, to.to_owned()));
}

fn inputs<T: DeserializeOwned>(body: &[u8]) -> Result<Vec<T>, Refusal> {
    #[derive(Deserialize)]
    struct Batch<T> {
        inputs: Vec<T>,
    }
    let batch: Batch<T> = serde_json::from_slice(body).map_err(|e| refusal::bad_json(&e))?;
    Ok(batch.inputs)
}

/// Refuses a pair that stands twice in a request, in the words of a batch of records; HubSpot's own
/// are not yet proven: L59.
fn check_for_twins(pairs: &[Pair]) -> Result<(), Refusal> {
    let mut twins = Vec::new();
    for (index, pair) in pairs.iter().enumerate() {
        let is_same = |other: &Pair| other.from.id == pair.from.id && other.to.id == pair.to.id;
        if pairs[..index].iter().any(is_same) {
            twins.push(format!("{}-{}", pair.from.id, pair.to.id));
        }
    }
    if twins.is_empty() { Ok(()) } else { Err(refusal::duplicate_ids(&twins)) }
}

/// One direction of an association that was made.
fn associated(from: &str, to: &str, type_id: u16) -> Value {
    json!({
        "from": {"id": from},
        "to": {"id": to},
        "associationSpec":
            {"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": type_id},
    })
}

/// A page of what a record is associated with.
fn shown(ends: Ends, version: Version, linked: &[&str], after: usize, limit: usize) -> Vec<Value> {
    let type_id = default_type(ends.from, ends.to);
    let types = json!([{"category": "HUBSPOT_DEFINED", "typeId": type_id, "label": null}]);
    let mut results = Vec::new();
    for id in linked.iter().skip(after).take(limit) {
        // v4 has numbers where the date versions have texts.
        let number = id.parse::<u64>().ok().filter(|_| version == Version::V4);
        let id = number.map_or_else(|| json!(id), |number| json!(number));
        results.push(json!({"toObjectId": id, "associationTypes": types}));
    }
    results
}

/// HubSpot's number of the association without a label, for those with tasks, as its guide to
/// associations lists them.
fn default_type(from: ObjectType, to: ObjectType) -> Option<u16> {
    match (from, to) {
        (ObjectType::Tasks, ObjectType::Contacts) => Some(204),
        (ObjectType::Contacts, ObjectType::Tasks) => Some(203),
        (ObjectType::Tasks, ObjectType::Companies) => Some(192),
        (ObjectType::Companies, ObjectType::Tasks) => Some(191),
        (ObjectType::Tasks, ObjectType::Deals) => Some(216),
        (ObjectType::Deals, ObjectType::Tasks) => Some(215),
        (ObjectType::Tasks, ObjectType::Tickets) => Some(230),
        (ObjectType::Tickets, ObjectType::Tasks) => Some(229),
        _ => None,
    }
}

/// The most pairs in one request. Others tell of 2,000 for `batch/create`, nobody of any number for
/// the default associations. What is right for every other batch is right here.
const MOST_PAIRS: usize = 100;

/// HubSpot's most records in one `batch/read`.
///
/// <https://developers.hubspot.com/changelog/bug-fix-batch-read-limit-for-hubspot-associations-api>
const MOST_READ: usize = 1000;

/// HubSpot's most associations of a record on one page.
const MOST_SHOWN: usize = 500;
