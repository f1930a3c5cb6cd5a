//! The batch calls: they write, read and archive many records at once.

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::json;

use super::{
    answer::Answer,
    draft::{Draft, Failure},
    fault::Fault,
    inputs::{Batch, Id, Input, MOST_INPUTS, check_size, kept},
    invalid::Invalid,
    object::ObjectType,
    outcome::Outcome,
    portal::Portal,
    refusal::{self, Refusal},
    request::Request,
    route::Operation,
    seed::{Behaviour, TakenValue},
    version::Version,
    view,
};

/// Writes a batch: `batch/create`, `batch/update`, `batch/upsert`.
pub(super) fn write(
    portal: &mut Portal,
    object: ObjectType,
    operation: Operation,
    version: Version,
    body: &[u8],
    fault: &Fault,
    now: Timestamp,
) -> Result<Outcome, Refusal> {
    let batch: Batch = serde_json::from_slice(body).map_err(|e| refusal::bad_json(&e))?;
    let id_property = batch.check(portal, object, operation)?;
    let traced = batch.fails_alone(portal.behaviour.trace_ids, operation);
    let inputs = &batch.inputs[..kept(batch.inputs.len(), fault)];

    let behaviour = &portal.behaviour;
    let mut draft = Draft::new(portal, object, version, now);
    let mut written = Vec::new();
    let mut missing = Vec::new();
    let mut failures = Vec::new();
    for input in inputs {
        match write_one(&mut draft, operation, id_property.as_deref(), input, fault) {
            Ok(Some((id, new))) => written.push((id, new, input)),
            Ok(None) => missing.push(input.id().to_owned()),
            Err(failure) => failures.push((input, failure)),
        }
    }
    if !failures.is_empty() && !traced {
        let failures = failures.into_iter().map(|(_, failure)| failure);
        return Err(refuse(object, failures, behaviour));
    }

    let echo = behaviour.echo_id_property && !fault.no_echo;
    let mut outcome = Outcome::default();
    for (id, new, input) in written {
        let Some(record) = draft.get(&id) else { continue };
        let names = input.properties.keys().map(String::as_str);
        let mut result = match &id_property {
            Some(name) if echo => view::written(object, record, names.chain([name.as_str()])),
            Some(name) => view::written(object, record, names.filter(|other| other != name)),
            None => view::written(object, record, names),
        };
        if operation == Operation::Upsert {
            result["new"] = new.into();
        }
        if let (true, Some(trace_id)) = (behaviour.echo_trace_ids, &input.object_write_trace_id) {
            result["objectWriteTraceId"] = trace_id.as_str().into();
        }
        if let Some(warning) = fault.warning.as_ref().filter(|_| version.has_warnings()) {
            result["warnings"] =
                json!([{"category": "VALIDATION_ERROR", "message": warning, "context": {}}]);
        }
        outcome.results.push(result);
    }
    outcome.add_missing(object, &missing);
    for (input, failure) in failures {
        let trace_id = input.object_write_trace_id.as_slice();
        let refusal = refuse(object, [failure], behaviour);
        outcome.add_error(refusal.context("objectWriteTraceId", trace_id));
    }
    portal.objects[object].records = draft.finish();
    Ok(outcome)
}

/// Reads a batch: `batch/read`.
pub(super) fn read(
    portal: &Portal,
    object: ObjectType,
    version: Version,
    request: &Request,
    fault: &Fault,
    now: Timestamp,
) -> Result<Outcome, Refusal> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Read {
        inputs: Vec<Id>,
        id_property: Option<String>,
        properties: Option<Vec<String>>,
        properties_with_history: Option<Vec<String>>,
    }
    let archived = request.flag("archived")?;
    let batch: Read = serde_json::from_slice(&request.body).map_err(|e| refusal::bad_json(&e))?;
    for (field, names) in [
        ("properties", &batch.properties),
        ("propertiesWithHistory", &batch.properties_with_history),
    ] {
        if names.is_none() && version.is_strict_about_reads() {
            return Err(refusal::required_field(field));
        }
    }
    check_size(batch.inputs.len(), MOST_INPUTS)?;
    let id_property = batch.id_property.as_deref();
    portal.check_id_property(object, id_property, "read")?;

    let names = portal.readable(object, &batch.properties.unwrap_or_default());
    let with_history = portal.readable(object, &batch.properties_with_history.unwrap_or_default());
    let mut draft = Draft::new(portal, object, version, now);
    let records = portal.objects[object].records.by_archived(archived);
    let mut outcome = Outcome::default();
    let mut missing = Vec::new();
    for Id { id } in batch.inputs.iter().take(kept(batch.inputs.len(), fault)) {
        let found = if archived { Some(id.clone()) } else { draft.find(id_property, id) };
        match found.and_then(|found| records.get(&found)) {
            Some(record) => {
                let mut result = view::read(object, record, &names);
                result["archived"] = archived.into();
                if !with_history.is_empty() {
                    result["propertiesWithHistory"] = view::history(object, record, &with_history);
                }
                outcome.results.push(result);
            }
            None => missing.push(id.clone()),
        }
    }
    outcome.add_missing(object, &missing);
    Ok(outcome)
}

/// Archives a batch: `batch/archive`. Ids of no record do no harm.
pub(super) fn archive(
    portal: &mut Portal,
    object: ObjectType,
    body: &[u8],
) -> Result<Answer, Refusal> {
    #[derive(Deserialize)]
    struct Archive {
        inputs: Vec<Id>,
    }
    let batch: Archive = serde_json::from_slice(body).map_err(|e| refusal::bad_json(&e))?;
    check_size(batch.inputs.len(), MOST_INPUTS)?;
    for Id { id } in &batch.inputs {
        portal.archive(object, id);
    }
    Ok(Answer::empty())
}

/// One refusal for all that is wrong: HubSpot doesn't say with which input.
pub(super) fn refuse(
    object: ObjectType,
    failures: impl IntoIterator<Item = Failure>,
    behaviour: &Behaviour,
) -> Refusal {
    let mut invalid = Vec::new();
    let mut required = None;
    for failure in failures {
        match failure {
            Failure::Values(values) => invalid.extend(values),
            Failure::Required { creating, names } => required = Some((creating, names)),
        }
    }
    let category = match behaviour.taken_value {
        TakenValue::Invalid => None,
        TakenValue::Conflict => Some("CONFLICT"),
        TakenValue::AlreadyExists => Some("OBJECT_ALREADY_EXISTS"),
    };
    if let Some(exists) = invalid.iter().find(|value| value.is_contact()) {
        return Refusal::new(409, "CONFLICT", &exists.message);
    }
    let taken = invalid.iter().find(|value| value.is_conflict());
    match (category, taken, required) {
        (Some(category), Some(taken), _) => Refusal::new(409, category, &taken.message),
        (_, _, Some((creating, names))) if invalid.is_empty() => {
            refusal::missing_required(object, creating, &names)
        }
        _ => refusal::invalid_values(&invalid, behaviour.detail()),
    }
}

/// Returns the record id and whether it is new, or nothing if there is no such record.
fn write_one(
    draft: &mut Draft<'_>,
    operation: Operation,
    id_property: Option<&str>,
    input: &Input,
    fault: &Fault,
) -> Result<Option<(String, bool)>, Failure> {
    if operation == Operation::Create {
        return Ok(Some((draft.create(&input.properties)?, true)));
    }
    if let Some(id) = draft.find(id_property, input.id()) {
        draft.update(&id, &input.properties)?;
        return Ok(Some((id, false)));
    }
    let Some(name) = id_property.filter(|_| operation == Operation::Upsert) else {
        // HubSpot looks at the values before it looks for the record. Not yet proven: L31.
        draft.check("", &input.properties)?;
        return Ok(None);
    };
    if fault.race {
        let taken = Invalid::conflict(name, input.id(), "0", "another record");
        return Err(Failure::Values(vec![taken]));
    }
    let mut properties = input.properties.clone();
    properties.entry(name.into()).or_insert_with(|| input.id().into());
    Ok(Some((draft.create(&properties)?, true)))
}
