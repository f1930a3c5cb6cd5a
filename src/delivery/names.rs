//! Names of headers and query fields that carry a secret: a sender may sign twice, and a proxy may
//! add a token.

/// Fragments that mark a name as secret wherever they stand, as words may be written together.
const PARTS: [&str; 22] = [
    "apikey",
    "assertion",
    "authentic",
    "authoriz",
    "bearer",
    "cookie",
    "credential",
    "csrf",
    "hmac",
    "jwt",
    "oauth",
    "oidc",
    "passcode",
    "passphrase",
    "password",
    "passwd",
    "secret",
    "session",
    "sessid",
    "signature",
    "token",
    "xsrf",
];

/// Whole words that mark a name as secret.
const WORDS: [&str; 21] = [
    "auth",
    "checksum",
    "clientcert",
    "digest",
    "hash",
    "mac",
    "md5",
    "otp",
    "pass",
    "passkey",
    "pwd",
    "saml",
    "sha1",
    "sha256",
    "sha512",
    "sid",
    "sig",
    "sign",
    "totp",
    "verification",
    "verify",
];

/// Words that make a key an ordinary one, such as the key of an issue or the event key of Bitbucket.
/// An idempotency key is the id of a delivery, GitLab's for one.
const ORDINARY_KEYS: [&str; 22] = [
    "board",
    "cache",
    "correlation",
    "dedup",
    "deduplication",
    "event",
    "group",
    "idempotency",
    "issue",
    "item",
    "message",
    "object",
    "order",
    "partition",
    "project",
    "record",
    "resource",
    "routing",
    "sort",
    "space",
    "ticket",
    "user",
];

/// Whether a header or a field has a name such as secrets and signatures have, whoever sends it.
#[must_use]
pub fn names_a_secret(name: &str) -> bool {
    let words = words(name);
    // A time of signing is no secret, whatever it is the time of.
    if words.last().is_some_and(|last| last == "timestamp") {
        return false;
    }
    for (index, word) in words.iter().enumerate() {
        if WORDS.contains(&word.as_str()) || holds_a_part(word) || is_secret_key(&words, index) {
            return true;
        }
    }
    false
}

/// Whether one of [`PARTS`] stands in the word. Cheaper for short texts than `str::contains`: this is
/// asked of every header of every delivery.
fn holds_a_part(word: &str) -> bool {
    let mut rest = word.as_bytes();
    while let [first, after @ ..] = rest {
        for part in PARTS {
            if part.as_bytes().first() == Some(first) && rest.starts_with(part.as_bytes()) {
                return true;
            }
        }
        rest = after;
    }
    false
}

/// Whether a word is a key that opens something: any but those that say what else they are.
fn is_secret_key(words: &[String], index: usize) -> bool {
    match words[index].strip_suffix("key") {
        None => false,
        // A key alone is as often that of an issue.
        Some("") if index == 0 => false,
        Some("") => !ORDINARY_KEYS.contains(&words[index - 1].as_str()),
        Some(kind) => !ORDINARY_KEYS.contains(&kind),
    }
}

/// The words of a name in lower case: `X-Api-Key`, `api_key` and `apiKey` have the same.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut follows_small = false;
    for character in name.chars() {
        let is_next = character.is_uppercase() && follows_small;
        if is_next || !character.is_alphanumeric() {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut().filter(|_| character.is_alphanumeric()) {
            word.extend(character.to_lowercase());
        }
        follows_small = character.is_lowercase() || character.is_numeric();
    }
    words.retain(|word| !word.is_empty());
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of vendors, proxies and clouds.
    const SECRET: &str = "Authorization Proxy-Authorization Cookie Set-Cookie X-Api-Key Api-Key apikey api_key apiKey
        X-Auth-Token X-Access-Token access_token accessToken X-Amz-Security-Token X-Goog-Iap-Jwt-Assertion X-Goog-Channel-Token
        X-Amzn-Oidc-Data X-Amzn-Oidc-Accesstoken X-Amz-Signature X-Amz-Credential Cf-Access-Jwt-Assertion Cf-Access-Client-Secret
        X-Ms-Token-Aad-Access-Token X-Functions-Key Ocp-Apim-Subscription-Key X-Forwarded-Access-Token X-Auth-Request-Access-Token
        X-Csrf-Token X-Xsrf-Token csrfmiddleware X-Session-Id PHPSESSID JSESSIONID connect.sid X-Hub-Signature-256 Stripe-Signature
        X-Shopify-Hmac-Sha256 X-Shopify-Access-Token X-Square-Hmacsha256-Signature X-Twilio-Signature
        Paypal-Transmission-Sig Paypal-Auth-Algo Typeform-Signature X-Todoist-Hmac-SHA256 Plaid-Verification X-Verify
        MessageBird-Signature-JWT Verif-Hash X-Webhook-Secret X-Telegram-Bot-Api-Secret-Token X-Gitlab-Token Private-Token
        Job-Token X-Figma-Passcode X-RapidAPI-Key X-Parse-Master-Key X-Algolia-API-Key Fastly-Key DD-API-KEY DD-APPLICATION-KEY
        X-Zapier-Secret X-Lark-Signature sign sig signature hmac password passwd pwd user_password client_secret clientSecret
        X-Hook-Secret Digest Content-Digest X-Body-Sha256 Content-MD5 X-Checksum X-Mac X-Saml-Response X-Otp jwt bearer auth
        x-auth oauth_token webhookKey X-License-Key sharedKey private_key X-Timestamp-Signature X-Encryption-Key X-Basic-Auth";

    const ORDINARY: &str = "X-GitHub-Event X-GitHub-Delivery X-GitHub-Hook-Id X-Gitlab-Event X-Gitlab-Event-UUID X-Gitlab-Instance
        Idempotency-Key X-Idempotency-Key X-Request-Id Request-Id User-Agent Content-Type Content-Length Accept Host X-Forwarded-For
        X-Forwarded-Proto X-Amzn-Trace-Id X-Event-Key X-Hook-UUID X-Attempt-Number Sentry-Hook-Resource Sentry-Hook-Timestamp
        Linear-Event Linear-Delivery X-Atlassian-Webhook-Identifier X-Atlassian-Webhook-Flow X-Zendesk-Webhook-Id
        X-Zendesk-Webhook-Signature-Timestamp X-Zendesk-Account-Id X-HelpScout-Event Webhook-Id Webhook-Timestamp svix-id
        svix-timestamp X-Slack-Request-Timestamp X-Slack-Retry-Num X-Shopify-Topic X-Shopify-Shop-Domain X-WC-Webhook-Topic
        X-Goog-Resource-State X-Front-Request-Timestamp X-Webhook-Id X-Author assignee design keyword issueKey issue_key
        projectKey user_key Traceparent Via X-Passenger X-Signal status state code key page cursor X-Real-Ip Date If-None-Match";

    #[test]
    fn names_of_secrets_are_told_from_ordinary_ones() {
        for name in SECRET.split_whitespace() {
            for name in [name.to_owned(), name.to_lowercase(), name.replace('-', "_")] {
                // Headers come in lower case, and with hyphens.
                assert!(names_a_secret(&name), "{name}");
            }
        }
        for name in ORDINARY.split_whitespace() {
            for name in [name.to_owned(), name.to_lowercase()] {
                assert!(!names_a_secret(&name), "{name}");
            }
        }
    }
}
