//! The body of a failed call's answer, from HubSpot or a proxy: fit for the log, and in words of
//! ours. Pure.
//!
//! HubSpot quotes values in its sentences, and a value is a ticket's text, which the log must not
//! hold.

use std::collections::BTreeSet;

use serde::Deserialize as _;
use serde_json::Value;

use super::answer::Complaint;
use crate::text::cut;

/// The body of an answer that is no success.
#[derive(Debug, Default)]
pub(super) struct Said {
    /// The error in HubSpot's shape, as far as it is one.
    pub(super) complaint: Complaint,
    /// HubSpot's id of the call, which its support asks for; empty where there is none.
    pub(super) correlation_id: String,
    /// The kinds that it names, the outermost first: `MISSING_SCOPES`.
    kinds: Vec<String>,
    /// The title of a web page that came instead of JSON; HubSpot's API sends none.
    page: Option<String>,
}

/// How much of HubSpot's words is logged, in characters.
const LONGEST: usize = 300;

/// How much of a body is searched for the title of a web page, in bytes.
const PAGE: usize = 16 * 1024;

/// The most properties that are logged.
const PROPERTIES: usize = 10;

/// Stands in place of words that the request holds too.
const HIDDEN: &str = "…";

/// Words of HubSpot's sentences, which say nothing of a ticket that holds them as well.
const HARMLESS: &str = "a access account allowed already an and another any api app are as at authentication \
    batch be been by call can cannot conflict contacts could date datetime did do does doesn't duplicate each enter error \
    exist exists expired failed following for format found from granted had has hasn't have id ids if in input inputs \
    invalid is isn't it its json leading least letters limit long make message missing more must no non not number object \
    objects of on one only option options or owner permission permissions portal properties property provided rate read \
    reached record request required scope scopes set some status task tasks than that the there these this time to token \
    trailing unable unique unknown update upsert user valid value values was were whitespace with write you your";

/// Why HubSpot forbids a call, and the remedy.
#[derive(Debug, thiserror::Error)]
pub(super) enum Forbidden {
    /// With the scopes.
    #[error("the HubSpot token lacks a scope: {0}")]
    LacksScopes(String),
    #[error(
        "the HubSpot token lacks a scope, and HubSpot doesn't say which: compare its scopes with \
         those that docs/deploy.md asks for"
    )]
    LacksSomeScope,
    #[error("whoever made the HubSpot token has left, or lost the permission: rotate the token")]
    UserLacksPermission,
    #[error(
        "a web page forbids it in HubSpot's place: a firewall (Cloudflare) or a proxy blocks this \
         network; if it stays so, ask HubSpot's support"
    )]
    WebPage,
    #[error(
        "the HubSpot account is suspended or closed: an administrator has to settle that with \
         HubSpot"
    )]
    AccountClosed,
    /// With HubSpot's kind of error, in parentheses after a space; empty where it names none.
    #[error(
        "HubSpot forbids it{0}: look at the token's scopes, its user and the account in HubSpot"
    )]
    Other(String),
}

impl Said {
    /// Reads a body. `header` is `X-HubSpot-Correlation-Id`.
    pub(super) fn read(body: &[u8], header: Option<&str>) -> Self {
        let json: Value = serde_json::from_slice(body).unwrap_or_default();
        let complaint = Complaint::deserialize(&json).unwrap_or_default();
        let start = String::from_utf8_lossy(&body[..body.len().min(PAGE)]);
        let is_page = start.trim_start().starts_with('<');
        let ids = [json["correlationId"].as_str(), header];
        let correlation_id = ids.into_iter().flatten().find(|id| is_name(id)).unwrap_or_default();
        Self {
            correlation_id: correlation_id.to_owned(),
            kinds: kinds(&json, &complaint),
            page: is_page.then(|| format!("a web page: {}", title(&start))),
            complaint,
        }
    }

    /// Whether a web page came instead of JSON.
    pub(super) fn is_page(&self) -> bool {
        self.page.is_some()
    }

    /// The kind of error, such as `VALIDATION_ERROR`; the limit, of a 429.
    pub(super) fn category(&self) -> &str {
        let policy = self.complaint.policy_name.as_str();
        if is_name(policy) {
            return policy;
        }
        self.kinds.first().map_or("", String::as_str)
    }

    /// The properties that it names.
    pub(super) fn properties(&self) -> String {
        let mut names = BTreeSet::new();
        for error in self.complaint.all() {
            names.extend(error.property_names().map(str::to_owned));
            for entry in error.listed() {
                names.extend(entry["name"].as_str().map(str::to_owned));
            }
        }
        names.retain(|name| is_name(name));
        names.into_iter().take(PROPERTIES).collect::<Vec<_>>().join(", ")
    }

    /// Its words in a line, without those that the request sent: `request` is its body, `query` the
    /// query of its address.
    pub(super) fn words(&self, request: &[u8], query: &str) -> String {
        let message = one_line(self.page.as_ref().unwrap_or(&self.complaint.message));
        let harmless: BTreeSet<&str> = HARMLESS.split_whitespace().collect();
        let mut sent = Sent::default();
        for word in words(&message) {
            let word = word.to_lowercase();
            if !harmless.contains(word.as_str()) {
                sent.asked.insert(word);
            }
        }
        let body: Value = serde_json::from_slice(request).unwrap_or_default();
        sent.add_values(&body["inputs"]);
        for (_, value) in form_urlencoded::parse(query.as_bytes()) {
            sent.add(&value);
        }
        hide(&message, &sent.found)
    }

    /// The reason of a 403.
    pub(super) fn why_forbidden(&self) -> Forbidden {
        let scopes = self.required_scopes();
        if !scopes.is_empty() {
            return Forbidden::LacksScopes(scopes.join(", "));
        }
        if self.is_kind("USER_DOES_NOT_HAVE_PERMISSIONS") {
            return Forbidden::UserLacksPermission;
        }
        if self.is_page() {
            return Forbidden::WebPage;
        }
        let message = self.complaint.message.to_lowercase();
        let kinds = self.kinds.join(" ").to_lowercase();
        for word in ["suspended", "deactivated", "disabled"] {
            if message.contains(word) || kinds.contains(word) {
                return Forbidden::AccountClosed;
            }
        }
        if self.is_kind("MISSING_SCOPES") || message.contains("scope") {
            return Forbidden::LacksSomeScope;
        }
        Forbidden::Other(match self.category() {
            "" => String::new(),
            kind => format!(" ({kind})"),
        })
    }

    fn required_scopes(&self) -> Vec<&str> {
        let mut scopes = Vec::new();
        for error in self.complaint.all() {
            for field in ["requiredGranularScopes", "requiredScopes"] {
                scopes.extend(error.context(field).iter().map(String::as_str));
            }
        }
        scopes.retain(|scope| is_name(scope));
        scopes
    }

    /// Whether it is of this kind, which HubSpot may say in its words alone.
    fn is_kind(&self, kind: &str) -> bool {
        self.kinds.iter().any(|known| known == kind) || self.complaint.message.contains(kind)
    }
}

/// The kinds of error that a body names, the outermost first, each once.
fn kinds(json: &Value, complaint: &Complaint) -> Vec<String> {
    let mut all = Vec::new();
    for field in ["category", "subCategory", "errorType"] {
        all.extend(json[field].as_str());
    }
    for error in complaint.all() {
        all.extend([error.category.as_str(), error.code.as_str()]);
    }
    let mut kinds: Vec<String> = Vec::new();
    for kind in all {
        if is_name(kind) && !kinds.iter().any(|known| known == kind) {
            kinds.push(kind.to_owned());
        }
    }
    kinds
}

/// Whether it is a name of HubSpot's, which may be shown as it is: of a kind, a property, a scope,
/// an id.
fn is_name(text: &str) -> bool {
    (1..=100).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-.".contains(&b))
}

/// The title of a web page; empty where it has none.
fn title(page: &str) -> &str {
    let Some(start) = page.to_ascii_lowercase().find("<title") else { return "" };
    let (_, rest) = page[start..].split_once('>').unwrap_or_default();
    rest.split('<').next().unwrap_or_default()
}

/// A message in one line, up to the list of values that may follow it.
fn one_line(message: &str) -> String {
    let start = message.split(['{', '[']).next().unwrap_or_default();
    let is_between = |c: char| c.is_whitespace() || c.is_control();
    start.split(is_between).filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

/// The words of a message that a request sent as well.
#[derive(Default)]
struct Sent {
    /// The words of the message, in lower case.
    asked: BTreeSet<String>,
    /// The words of the message that were sent.
    found: BTreeSet<String>,
}

impl Sent {
    /// Adds every text in the inputs of a batch, but for names of ours.
    fn add_values(&mut self, value: &Value) {
        match value {
            Value::String(text) => self.add(text),
            Value::Array(list) => {
                for value in list {
                    self.add_values(value);
                }
            }
            Value::Object(fields) => {
                for (name, value) in fields {
                    if name != "idProperty" && name != "objectWriteTraceId" {
                        self.add_values(value);
                    }
                }
            }
            _ => {}
        }
    }

    fn add(&mut self, value: &str) {
        for word in words(value) {
            let word = word.to_lowercase();
            if self.asked.contains(&word) {
                self.found.insert(word);
            }
        }
    }
}

/// A text without the words that were sent, and those that may be a part of one. Never longer than
/// [`LONGEST`].
fn hide(message: &str, sent: &BTreeSet<String>) -> String {
    let mut shown = String::new();
    // The text between two words is shown together with the second of them.
    let mut between = "";
    let mut is_hiding = false;
    for part in parts(message) {
        if !is_word(part) {
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
        let start = cut(&shown, LONGEST);
        if start.len() < shown.len() {
            return format!("{start}{HIDDEN}");
        }
    }
    if !is_hiding {
        shown.push_str(between);
    }
    shown
}

/// The words of a text.
fn words(text: &str) -> impl Iterator<Item = &str> {
    parts(text).filter(|part| is_word(part))
}

/// A text as words and the text between them.
fn parts(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let first = rest.chars().next()?;
        let end = rest.find(|c| is_in_word(c) != is_in_word(first)).unwrap_or(rest.len());
        let (part, after) = rest.split_at(end);
        rest = after;
        Some(part)
    })
}

fn is_word(part: &str) -> bool {
    part.chars().next().is_some_and(is_in_word)
}

/// Any character that is not ASCII belongs to a word: no sign of it is shown.
fn is_in_word(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '\'' | '\\') || !c.is_ascii()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use serde_json::json;

    use super::*;

    fn said(body: &Value) -> Said {
        Said::read(body.to_string().as_bytes(), None)
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
        let page = Said::read(
            b"<html><head>\n<title>Attention Required! |\nCloudflare</title>",
            Some("from-the-header"),
        );
        assert_eq!(page.correlation_id, "from-the-header");
        assert_eq!(page.words(b"", ""), "a web page: Attention Required! | Cloudflare");
        let bad =
            Said::read(br#"{"correlationId": "a\nb", "category": {"a": 1}}"#, Some("two words"));
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
            let why = said(&body).why_forbidden().to_string();
            assert!(why.contains(expected) && !why.contains("unnamed"), "{body}: {why}");
        }
        let page = Said::read(b"<!DOCTYPE html><title>Access denied</title>", None)
            .why_forbidden()
            .to_string();
        assert!(
            page.starts_with("a web page forbids it in HubSpot's place: a firewall (Cloudflare)"),
            "{page}"
        );
    }
}
