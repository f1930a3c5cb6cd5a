//! Answers for faults: the body that HubSpot, or the proxy before it, sends with a status.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::{
    answer::{Answer, Body},
    limits::Policy,
    refusal::{self, Refusal, expired},
};

/// The answer with a status that no request brought about.
pub(super) fn answer(status: u16, policy: Policy, now: Timestamp) -> Answer {
    let error = |category, message: &str| Refusal::new(status, category, message);
    let refusal = match status {
        ..=399 => return Answer::json(status, json!({})),
        401 => expired(now - SignedDuration::from_hours(3), now),
        403 => refusal::missing_scopes(&SCOPES),
        409 => error("CONFLICT", "Conflict: another write to one of these objects is under way"),
        423 => error("LOCKED", "This resource is locked, try again later"),
        429 => return Answer::json(429, rate_limit(policy)),
        477 => {
            let message = "This account is being moved to another data center";
            let answer: Answer = error("MIGRATION_IN_PROGRESS", message).into();
            return answer.header("Retry-After", "3600");
        }
        500.. => {
            return Answer {
                status,
                headers: Vec::new(),
                body: Body::Html(format!(
                    "<html>\r\n<head><title>{status}</title></head>\r\n<body><center><h1>{status}</h1></center><hr><center>cloudflare</center></body>\r\n</html>\r\n"
                )),
            };
        }
        _ => error("VALIDATION_ERROR", "The request was refused"),
    };
    refusal.into()
}

/// Unlike the others this body has an `errorType` and no `category`.
fn rate_limit(policy: Policy) -> Value {
    let name = policy.name();
    let message = format!("You have reached your {} limit.", name.to_lowercase());
    json!({"status": "error", "message": message, "errorType": "RATE_LIMIT", "policyName": name})
}

/// The scopes that a token needs for everything that Taskhook does.
const SCOPES: [&str; 3] =
    ["crm.objects.contacts.write", "crm.objects.contacts.read", "crm.objects.owners.read"];
