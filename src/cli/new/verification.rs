//! How a sender signs, by the headers of a delivery.

use http::HeaderMap;

/// `[verify]` without its secret: keys with their values, and what a person has to check.
pub(super) struct Verification {
    pub(super) keys: Vec<(&'static str, String)>,
    pub(super) check: String,
}

/// Named schemes for senders of every kind, by the header of their signature.
const NAMED: [(&str, &str); 3] = [
    ("webhook-signature", "standard-webhooks"),
    ("svix-signature", "svix"),
    ("x-hubspot-signature-v3", "hubspot"),
];

/// The headers of signatures that are known, the best first, and the form that each has.
const SIGNATURES: [&str; 6] = [
    "x-hub-signature-256",
    "x-forgejo-signature",
    "x-gitea-signature",
    "x-gogs-signature",
    "x-hub-signature",
    "x-signature",
];

/// Words of headers with a signature, and of those with a secret.
const SIGNS: [&str; 3] = ["signature", "hmac", "sign"];
const SECRETS: [&str; 5] = ["token", "secret", "api-key", "apikey", "password"];

/// How headers end that have the id of a delivery.
const DELIVERY_IDS: [&str; 5] =
    ["-delivery", "-delivery-id", "-delivery-uuid", "-event-id", "-webhook-id"];

/// An algorithm and an encoding, by how long a signature is.
const LENGTHS: [(usize, &str, &str); 6] = [
    (40, "sha1", "hex"),
    (64, "sha256", "hex"),
    (128, "sha512", "hex"),
    (28, "sha1", "base64"),
    (44, "sha256", "base64"),
    (88, "sha512", "base64"),
];

/// Headers that proxies add.
const OF_PROXIES: [&str; 4] = ["x-amzn-", "x-forwarded-", "x-amz-", "cf-"];

/// The guess about the headers of a delivery.
pub(super) fn guess(headers: &HeaderMap) -> Verification {
    for (header, scheme) in NAMED {
        if headers.contains_key(header) {
            return named(scheme);
        }
    }
    let signature = SIGNATURES.iter().find(|name| headers.contains_key(**name));
    let signature = signature.map(|name| (*name).to_owned());
    if let Some(header) = signature.or_else(|| find(headers, &SIGNS)) {
        let mut verification = hmac(&header, value(headers, &header));
        if let Some(id) = delivery_id(headers) {
            verification.keys.push(("id_header", canonical(&id)));
        }
        return verification;
    }
    if headers.contains_key("authorization") {
        return authorization(value(headers, "authorization"));
    }
    if let Some(header) = find(headers, &SECRETS) {
        let check = "That the value of this header is a secret of yours, and the same each time.";
        return token(&header, "", check);
    }
    let check = "Whether the sender signs its bodies: then write scheme = \"hmac\" with its header \
                 (docs/source-files.md). Else let it send a secret of yours in this header; \
                 scheme = \"basic\" where it takes a user and a password.";
    token("X-Taskhook-Token", "", check)
}

fn named(scheme: &str) -> Verification {
    let mut keys = vec![("scheme", scheme.to_owned())];
    let mut check = "That the secret is the one that the sender signs with.";
    if scheme == "hubspot" {
        keys.push(("url", "https://taskhooklocal.example/PATH".to_owned()));
        check = "`url`: the address that is registered with the sender, letter by letter. The \
                 secret is the app's client secret.";
    }
    Verification { keys, check: check.to_owned() }
}

fn hmac(header: &str, signature: &str) -> Verification {
    let (prefix, signature) = split_prefix(signature);
    let length = signature.len();
    let is_hex = signature.bytes().all(|byte| byte.is_ascii_hexdigit());
    let known = LENGTHS
        .iter()
        .find(|(known, _, encoding)| *known == length && (is_hex || *encoding == "base64"));
    let (algorithm, encoding) =
        known.map_or(("sha256", "hex"), |(_, algorithm, encoding)| (*algorithm, *encoding));
    let mut keys = vec![("scheme", "hmac".to_owned()), ("header", canonical(header))];
    if !prefix.is_empty() {
        keys.push(("prefix", prefix.to_owned()));
    }
    keys.push(("algorithm", algorithm.to_owned()));
    keys.push(("encoding", encoding.to_owned()));
    let mut check = "That the sender signs the body alone, and with this algorithm: `taskhook \
                     verify` tries it on a delivery."
        .to_owned();
    if known.is_none() {
        check.push_str(" The form of the signature is not known.");
    }
    Verification { keys, check }
}

/// The text that stands before a signature, such as `sha256=`.
fn split_prefix(signature: &str) -> (&str, &str) {
    for prefix in ["sha1=", "sha256=", "sha512=", "v0=", "v1=", "v1,"] {
        if let Some(rest) = signature.strip_prefix(prefix) {
            return (prefix, rest);
        }
    }
    ("", signature)
}

fn authorization(value: &str) -> Verification {
    let (word, rest) = value.split_once(' ').unwrap_or(("", value));
    if word.eq_ignore_ascii_case("basic") {
        let keys = vec![("scheme", "basic".to_owned())];
        let check =
            "The secret is the user and the password that the sender has, as USER:PASSWORD.";
        return Verification { keys, check: check.to_owned() };
    }
    let is_word = word.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') && !rest.is_empty();
    let prefix = if is_word && !word.is_empty() { format!("{word} ") } else { String::new() };
    let check = "That what follows in Authorization is a secret of yours, and the same each time.";
    token("Authorization", &prefix, check)
}

fn token(header: &str, prefix: &str, check: &str) -> Verification {
    let mut keys = vec![("scheme", "token".to_owned()), ("header", canonical(header))];
    if !prefix.is_empty() {
        keys.push(("prefix", prefix.to_owned()));
    }
    Verification { keys, check: check.to_owned() }
}

/// The first header with one of these words in its name. A time of signing is none.
fn find(headers: &HeaderMap, words: &[&str]) -> Option<String> {
    let is_time = |name: &str| name.ends_with("timestamp") || name.ends_with("time");
    let is_it = |name: &&str| !is_time(name) && words.iter().any(|word| name.contains(word));
    of_sender(headers).find(is_it).map(str::to_owned)
}

/// The header with the sender's id of the delivery, by its name.
fn delivery_id(headers: &HeaderMap) -> Option<String> {
    let is_it = |name: &&str| DELIVERY_IDS.iter().any(|end| name.ends_with(end));
    of_sender(headers).find(is_it).map(str::to_owned)
}

/// The names of the headers that no proxy added.
fn of_sender(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    let names = headers.keys().map(http::HeaderName::as_str);
    names.filter(|name| !OF_PROXIES.iter().any(|start| name.starts_with(start)))
}

fn value<'h>(headers: &'h HeaderMap, name: &str) -> &'h str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

/// A header's name as senders write it, such as `X-Hub-Signature`.
fn canonical(name: &str) -> String {
    let mut text = String::new();
    let mut begins = true;
    for character in name.chars() {
        text.push(if begins { character.to_ascii_uppercase() } else { character });
        begins = character == '-';
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(name: &'static str, value: &str) -> String {
        let mut headers = HeaderMap::new();
        headers.insert(name, value.parse().unwrap());
        let keys = guess(&headers).keys;
        keys.into_iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn the_id_of_a_delivery_is_the_senders_and_no_proxys() {
        let mut headers = HeaderMap::new();
        for name in ["x-amzn-event-id", "x-desk-signature", "x-desk-delivery"] {
            headers.insert(name, "a".repeat(64).parse().unwrap());
        }
        let keys = guess(&headers).keys;
        assert_eq!(keys.last(), Some(&("id_header", "X-Desk-Delivery".to_owned())));
    }

    #[test]
    fn schemes_are_told_by_headers() {
        let sha1 = format!("sha1={}", "a".repeat(40));
        let (sha256, base64) = ("a".repeat(64), format!("{}=", "k/".repeat(21) + "k"));
        for (name, value, expected) in [
            (
                "x-hub-signature",
                sha1.as_str(),
                "scheme=hmac header=X-Hub-Signature prefix=sha1= algorithm=sha1 encoding=hex",
            ),
            (
                "x-forgejo-signature",
                &sha256,
                "scheme=hmac header=X-Forgejo-Signature algorithm=sha256 encoding=hex",
            ),
            (
                "x-desk-hmac",
                &base64,
                "scheme=hmac header=X-Desk-Hmac algorithm=sha256 encoding=base64",
            ),
            ("webhook-signature", "v1,abc", "scheme=standard-webhooks"),
            ("authorization", "Basic YTpi", "scheme=basic"),
            ("authorization", "Bearer x", "scheme=token header=Authorization prefix=Bearer "),
            ("authorization", "x", "scheme=token header=Authorization"),
            ("x-desk-token", "x", "scheme=token header=X-Desk-Token"),
            ("x-forwarded-for", "x", "scheme=token header=X-Taskhook-Token"),
        ] {
            assert_eq!(keys(name, value), expected);
        }
    }
}
