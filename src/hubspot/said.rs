//! What HubSpot, or who speaks in its place, says to a call that failed: fit for the log, and in
//! words of ours. Pure.
//!
//! HubSpot quotes values in its sentences, and a value is a ticket's text, which the log must not
//! hold.

use std::collections::BTreeSet;

use serde::Deserialize as _;
use serde_json::Value;

use super::answer::Complaint;

/// The body of an answer that is no success.
#[derive(Debug, Default)]
pub(super) struct Said {
    /// The error in HubSpot's shape, as far as it is one.
    pub(super) complaint: Complaint,
    /// What HubSpot's support asks for; empty where there is none.
    pub(super) correlation_id: String,
    /// The kinds that it names, the outermost first: `MISSING_SCOPES`.
    kinds: Vec<String>,
    /// The title of a web page that came instead of JSON; HubSpot's API sends none.
    page: Option<String>,
}

/// How much of HubSpot's words is logged, in characters.
const LONGEST: usize = 300;

/// What stands in place of words that the request holds too.
const HIDDEN: &str = "…";

/// Words of HubSpot's sentences, which say nothing of a ticket that holds them as well.
const HARMLESS: &str = "a access account allowed already an and another any api app are as at authentication \
    batch be been by call can cannot conflict contacts could date datetime did do does doesn't duplicate each enter error \
    exist exists expired failed following for format found from granted had has hasn't have id ids if in input inputs \
    invalid is isn't it its json leading least letters limit long make message missing more must no non not number object \
    objects of on one only option options or owner permission permissions portal properties property provided rate read \
    reached record request required scope scopes set some status task tasks than that the there these this time to token \
    trailing unable unique unknown update upsert user valid value values was were whitespace with write you your";

impl Said {
    /// Reads a body. `header` is `X-HubSpot-Correlation-Id`.
    pub(super) fn of(body: &[u8], header: Option<&str>) -> Self {
        let json: Value = serde_json::from_slice(body).unwrap_or_default();
        let complaint = Complaint::deserialize(&json).unwrap_or_default();
        let outer = ["category", "subCategory", "errorType"]
            .map(|name| json[name].as_str().unwrap_or_default());
        let inner = complaint
            .all()
            .into_iter()
            .flat_map(|error| [error.category.as_str(), error.code.as_str()]);
        let mut kinds: Vec<String> = Vec::new();
        for kind in outer.into_iter().chain(inner).filter(|kind| is_name(kind)) {
            if !kinds.iter().any(|known| known == kind) {
                kinds.push(kind.to_owned());
            }
        }
        let ids = [json["correlationId"].as_str(), header];
        let correlation_id =
            ids.into_iter().flatten().find(|id| is_name(id)).unwrap_or_default().to_owned();
        let text = String::from_utf8_lossy(&body[..body.len().min(16 * 1024)]);
        let page = text.trim_start().starts_with('<').then(|| title(&text));
        Self { complaint, correlation_id, kinds, page }
    }

    /// Whether a web page came instead of JSON.
    pub(super) fn is_page(&self) -> bool {
        self.page.is_some()
    }

    /// The kind of error, such as `VALIDATION_ERROR`; the limit, of a 429.
    pub(super) fn category(&self) -> &str {
        let policy = Some(self.complaint.policy_name.as_str()).filter(|name| is_name(name));
        policy.or(self.kinds.first().map(String::as_str)).unwrap_or_default()
    }

    /// The properties that it names.
    pub(super) fn properties(&self) -> String {
        let errors = self.complaint.all();
        let in_context = errors.iter().flat_map(|error| {
            ["propertyName", "propertyNames", "properties"]
                .into_iter()
                .flat_map(|name| error.context(name))
        });
        let inside = errors.iter().flat_map(|error| inside(&error.message));
        let names: BTreeSet<String> =
            in_context.cloned().chain(inside).filter(|name| is_name(name)).collect();
        names.into_iter().take(10).collect::<Vec<_>>().join(", ")
    }

    /// Its words in a line, without those that the request sent: `request` is its body, `query`
    /// what stood in its address.
    pub(super) fn words(&self, request: &[u8], query: &str) -> String {
        let message = self.page.as_ref().unwrap_or(&self.complaint.message);
        // What follows is a list of values.
        let message = message.split(['{', '[']).next().unwrap_or_default();
        let message: String =
            message.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        let message = message.split_whitespace().collect::<Vec<_>>().join(" ");
        let mut asked: BTreeSet<String> =
            parts(&message).filter(is_word).map(str::to_lowercase).collect();
        let harmless: BTreeSet<&str> = HARMLESS.split_whitespace().collect();
        asked.retain(|word| !harmless.contains(word.as_str()));
        let body: Value = serde_json::from_slice(request).unwrap_or_default();
        let mut sent = BTreeSet::new();
        values(&body["inputs"], &mut |value| note(value, &asked, &mut sent));
        for (_, value) in form_urlencoded::parse(query.as_bytes()) {
            note(&value, &asked, &mut sent);
        }
        hide(&message, &sent)
    }

    /// Why a 403 forbids it, and what to do.
    pub(super) fn why_forbidden(&self) -> String {
        let errors = self.complaint.all();
        let scopes = errors.iter().flat_map(|error| {
            error.context("requiredGranularScopes").iter().chain(error.context("requiredScopes"))
        });
        let scopes: Vec<_> = scopes.map(String::as_str).filter(|scope| is_name(scope)).collect();
        let is = |kind: &str| {
            self.kinds.iter().any(|known| known == kind) || self.complaint.message.contains(kind)
        };
        let message = self.complaint.message.to_lowercase();
        let says = |words: [&str; 3]| {
            let kinds = self.kinds.join(" ").to_lowercase();
            words.iter().any(|word| message.contains(word) || kinds.contains(word))
        };
        if !scopes.is_empty() {
            format!("the HubSpot token lacks a scope: {}", scopes.join(", "))
        } else if is("USER_DOES_NOT_HAVE_PERMISSIONS") {
            "whoever made the HubSpot token has left, or lost the permission: rotate the token"
                .to_owned()
        } else if self.is_page() {
            "a web page forbids it in HubSpot's place: a firewall (Cloudflare) or a proxy blocks this network; if it \
             stays so, ask HubSpot's support"
                .to_owned()
        } else if says(["suspended", "deactivated", "disabled"]) {
            "the HubSpot account is suspended or closed: an administrator has to settle that with HubSpot".to_owned()
        } else if is("MISSING_SCOPES") || message.contains("scope") {
            "the HubSpot token lacks a scope, and HubSpot doesn't say which: compare its scopes with those that \
             docs/deploy.md asks for"
                .to_owned()
        } else {
            let kind = self.category();
            let kind = if kind.is_empty() { String::new() } else { format!(" ({kind})") };
            format!(
                "HubSpot forbids it{kind}: look at the token's scopes, its user and the account in HubSpot"
            )
        }
    }
}

/// Whether it is a name of HubSpot's, which may be shown as it is: of a kind, a property, a scope,
/// an id.
fn is_name(text: &str) -> bool {
    (1..=100).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-.".contains(&b))
}

/// The title of a web page.
fn title(page: &str) -> String {
    let after = |text: &str| text.split_once('>').map(|(_, rest)| rest.to_owned());
    let title = page.to_ascii_lowercase().find("<title").and_then(|at| after(&page[at..]));
    let title = title.and_then(|rest| rest.split('<').next().map(str::to_owned));
    format!("a web page: {}", title.unwrap_or_default())
}

/// The names of the properties in the list of errors inside of a message.
fn inside(message: &str) -> Vec<String> {
    let Some(at) = message.find("[{") else { return Vec::new() };
    let mut list = serde_json::Deserializer::from_str(&message[at..]).into_iter::<Vec<Value>>();
    let entries = list.next().and_then(Result::ok).unwrap_or_default();
    entries.iter().filter_map(|entry| entry["name"].as_str().map(str::to_owned)).collect()
}

/// Every text in the inputs of a batch, but for names of ours.
fn values(value: &Value, each: &mut impl FnMut(&str)) {
    match value {
        Value::String(text) => each(text),
        Value::Array(list) => list.iter().for_each(|value| values(value, each)),
        Value::Object(fields) => {
            let of_the_sender = fields
                .iter()
                .filter(|(name, _)| !matches!(&***name, "idProperty" | "objectWriteTraceId"));
            of_the_sender.for_each(|(_, value)| values(value, each));
        }
        _ => {}
    }
}

/// Notes which of the words `asked` about are in a value.
fn note(value: &str, asked: &BTreeSet<String>, sent: &mut BTreeSet<String>) {
    for word in parts(value).filter(is_word) {
        let word = word.to_lowercase();
        if asked.contains(&word) {
            sent.insert(word);
        }
    }
}

/// A text without the words that were sent, and those that may be a part of one. Never longer than
/// [`LONGEST`].
fn hide(message: &str, sent: &BTreeSet<String>) -> String {
    let mut shown = String::new();
    // What stands between words is shown when a word follows that is shown too.
    let mut between = "";
    let mut is_hiding = false;
    for part in parts(message) {
        if !is_word(&part) {
            between = part;
            continue;
        }
        // HubSpot writes English. A backslash is what is left of an escape.
        if !part.is_ascii() || part.contains('\\') || sent.contains(&part.to_lowercase()) {
            if !is_hiding {
                shown.push_str(between);
                shown.push_str(HIDDEN);
            }
            is_hiding = true;
        } else {
            shown.push_str(between);
            shown.push_str(part);
            is_hiding = false;
        }
        between = "";
        if shown.chars().count() > LONGEST {
            return shown.chars().take(LONGEST).chain(HIDDEN.chars()).collect();
        }
    }
    if !is_hiding {
        shown.push_str(between);
    }
    shown
}

/// A text as words and what stands between them.
fn parts(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let first = rest.chars().next()?;
        let end = rest.find(|c| in_word(c) != in_word(first)).unwrap_or(rest.len());
        let (part, after) = rest.split_at(end);
        rest = after;
        Some(part)
    })
}

fn is_word(part: &&str) -> bool {
    part.chars().next().is_some_and(in_word)
}

/// What is not ASCII belongs to a word, whatever it is: no sign of it is shown.
fn in_word(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '\'' | '\\') || !c.is_ascii()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use serde_json::json;

    use super::*;

    fn said(body: &Value) -> Said {
        Said::of(body.to_string().as_bytes(), None)
    }

    #[test]
    fn a_tickets_text_is_hidden_and_hubspots_own_words_are_shown() {
        let request = json!({"inputs": [
            {"id": "T-17", "idProperty": "ticket", "objectWriteTraceId": "0", "properties": {
                "hs_task_subject": "Meier's \"invoice\"\nis not valid", "amount": "9q", "mail": "ada@acme.example"}},
        ]});
        let request = request.to_string();
        for (message, expected) in [
            (
                "This app hasn't been granted all required scopes",
                "This app hasn't been granted all required scopes",
            ),
            ("9q was not a valid number.", "… was not a valid number."),
            ("Meier's \"invoice\"\nis not valid\r\n is too long", "…\" is not valid is too long"),
            ("Meier's \"inv", "… \"inv"),
            ("ada@acme.example is locked", "… is locked"),
            ("Line\u{2028}break\tand\u{0}nul", "Line break and nul"),
            ("Müller was here", "… was here"),
            (r"M\u00fcller\nwas here", "… here"),
            (
                "Duplicate IDs found in batch input: [T-17]. IDs must be unique",
                "Duplicate IDs found in batch input:",
            ),
            ("Property \"ticket\" does not exist", "Property \"ticket\" does not exist"),
            (
                r#"Property values were not valid: [{"message": "x"}]"#,
                "Property values were not valid:",
            ),
            ("", ""),
        ] {
            let said = said(&json!({"message": message}));
            assert_eq!(said.words(request.as_bytes(), ""), expected, "{message}");
        }
        let said = said(&json!({"message": "no owner with ada@acme.example in this portal"}));
        assert_eq!(
            said.words(b"", "limit=100&email=ada%40acme.example"),
            "no owner with … in this portal"
        );
    }

    #[test]
    fn words_are_cut() {
        let long = "locked ".repeat(1_000);
        let words = said(&json!({"message": long})).words(b"", "");
        assert_eq!((words.chars().count(), words.ends_with(HIDDEN)), (LONGEST + 1, true));
    }

    #[test]
    fn what_support_asks_for_is_found() {
        let body = json!({"category": "VALIDATION_ERROR", "correlationId": "4f2071b3-bf52", "message":
            r#"Property values were not valid: [{"name": "amount", "error": "INVALID_LONG"}]"#,
            "errors": [{"code": "X", "context": {"propertyName": ["ticket", "not a name"]}}]});
        let said = said(&body);
        assert_eq!((said.category(), &*said.correlation_id), ("VALIDATION_ERROR", "4f2071b3-bf52"));
        assert_eq!(said.properties(), "amount, ticket");
        let page = Said::of(
            b"<html><head>\n<title>Attention Required! |\nCloudflare</title>",
            Some("from-the-header"),
        );
        assert_eq!(page.correlation_id, "from-the-header");
        assert_eq!(page.words(b"", ""), "a web page: Attention Required! | Cloudflare");
        let bad =
            Said::of(br#"{"correlationId": "a\nb", "category": {"a": 1}}"#, Some("two words"));
        assert_eq!((&*bad.correlation_id, bad.category()), ("", ""));
    }

    #[test]
    fn why_it_is_forbidden_is_told_in_words() {
        let scope = json!({"category": "MISSING_SCOPES", "errors": [{"context": {"requiredGranularScopes": ["a.b", "c"]}}]});
        for (body, expected) in [
            (scope, "the HubSpot token lacks a scope: a.b, c"),
            (
                json!({"category": "MISSING_SCOPES"}),
                "the HubSpot token lacks a scope, and HubSpot doesn't say which",
            ),
            (json!({"category": "USER_DOES_NOT_HAVE_PERMISSIONS"}), "rotate the token"),
            (
                json!({"subCategory": "USER_DOES_NOT_HAVE_PERMISSIONS", "category": "BANNED"}),
                "rotate the token",
            ),
            (json!({"message": "USER_DOES_NOT_HAVE_PERMISSIONS"}), "rotate the token"),
            (
                json!({"message": "This account has been suspended."}),
                "the HubSpot account is suspended",
            ),
            (json!({"category": "ACCOUNT_DEACTIVATED"}), "the HubSpot account is suspended"),
            (
                json!({"category": "BANNED"}),
                "HubSpot forbids it (BANNED): look at the token's scopes",
            ),
            (json!({}), "HubSpot forbids it: look at the token's scopes"),
        ] {
            let why = said(&body).why_forbidden();
            assert!(why.contains(expected) && !why.contains("unnamed"), "{body}: {why}");
        }
        let page = Said::of(b"<!DOCTYPE html><title>Access denied</title>", None).why_forbidden();
        assert!(
            page.starts_with("a web page forbids it in HubSpot's place: a firewall (Cloudflare)"),
            "{page}"
        );
    }
}
