//! What is allowed in `[verify]` and most likely not meant.

use std::collections::BTreeMap;
use std::time::Duration;

use toml::de::DeTable;

use super::SourceFile;
use super::problem::{Problem, Warning};
use super::warnings::{Remark, Written, written};
use crate::time;

/// The shortest and the longest tolerance that is not remarked upon: an honest delivery takes some
/// seconds, and whoever catches one can send it again for as long as it lasts.
const TOLERANCES: [Duration; 2] = [Duration::from_secs(10), Duration::from_hours(1)];

/// The schemes of `Authorization`, which a space parts from what follows.
/// <https://www.iana.org/assignments/http-authschemes>
const AUTHORIZATION: [&str; 7] =
    ["basic", "bearer", "token", "digest", "hmac", "apikey", "api-key"];

/// What is to be said about the `[verify]` of a file.
pub(super) fn remarks(table: &DeTable<'_>) -> Vec<Remark> {
    let key = |key| written(table, &["verify", key]);
    let scheme = key("scheme").map_or("", |scheme| scheme.text);
    let mut found = Vec::new();
    found.extend(key("scheme").and_then(unverified));
    found.extend(key("prefix").and_then(|prefix| doubtful_prefix(scheme, prefix)));
    found.extend(key("tolerance").and_then(doubtful_tolerance));
    found.extend(key("signed").and_then(ambiguous));
    found.extend(key("url").and_then(placeholder));
    found
}

fn unverified(scheme: Written<'_>) -> Option<Remark> {
    (scheme.text == "none").then(|| {
        scheme.remark(
            "`scheme` \"none\" verifies nothing: whoever knows the address can change tasks; if the sender can send a \
             header of yours, write \"token\", if it takes a user and a password, \"basic\"",
        )
    })
}

/// A prefix that doesn't end as senders write it.
fn doubtful_prefix(scheme: &str, prefix: Written<'_>) -> Option<Remark> {
    let word = prefix.text.trim();
    let bare = word.trim_end_matches([':', '=']).trim_end().to_lowercase();
    let is_authorization = AUTHORIZATION.contains(&bare.as_str());
    let ends_in_word = prefix.text.ends_with(char::is_alphanumeric);
    let message = if prefix.text.starts_with(char::is_whitespace) {
        "`prefix` begins with a space, and no header's value does; leave it out".to_owned()
    } else if scheme == "token" && bare == "basic" {
        "after \"Basic\" comes a user and a password in base64, never the secret as it is; write `scheme = \"basic\"`, \
         without `header` and `prefix`"
            .to_owned()
    } else if is_authorization && word.ends_with(':') {
        let name = word.trim_end_matches(':');
        format!(
            "no colon stands after {name} in a header, so every real delivery is 401; write \"{name} \""
        )
    } else if scheme == "token" && ends_in_word {
        format!(
            "`prefix` {:?} has no space at its end; senders write \"{word} SECRET\", and both are taken; write \"{word} \"",
            prefix.text
        )
    } else if ends_in_word {
        format!(
            "`prefix` {:?} ends in a letter or a digit, and what parts it from the signature belongs to it; write it as \
             the sender does, such as \"{word}=\" or \"{word} \"",
            prefix.text
        )
    } else if word.ends_with('=') && prefix.text != word {
        format!(
            "`prefix` {:?} has a space after the `=`, which no sender writes; write {word:?}",
            prefix.text
        )
    } else {
        return None;
    };
    Some(prefix.remark(message))
}

fn doubtful_tolerance(tolerance: Written<'_>) -> Option<Remark> {
    let [shortest, longest] = TOLERANCES;
    let duration = time::duration(tolerance.text).ok()?;
    let message = if duration < shortest {
        "a delivery is older than this when it arrives, or clocks differ by more, so real ones are 401; write \"5m\""
    } else if duration > longest {
        "whoever gets hold of a delivery can send it again for this long; write \"5m\", which senders recommend"
    } else {
        return None;
    };
    Some(tolerance.remark(message))
}

/// Two values in `signed` that nothing parts: the same bytes are signed where a piece of one is
/// moved to the other.
///
/// A time is told from what surrounds it by its form, and the address and the method are not the
/// sender's to choose.
fn ambiguous(signed: Written<'_>) -> Option<Remark> {
    let mut names =
        signed.text.split('{').skip(1).map(|part| part.split_once('}').unwrap_or((part, "")));
    let is_free = |name: &str| matches!(name, "id" | "body") || name.starts_with("header:");
    let (mut left, mut between) = names.next()?;
    for (name, after) in names {
        let is_doubtful = is_free(left) && (is_free(name) || name == "timestamp" && left != "body");
        if between.is_empty() && is_doubtful {
            return Some(signed.remark(format!(
                "nothing parts {{{left}}} from {{{name}}}: the same signature is right where a piece of one is moved to \
                 the other; if the sender lets you choose, sign them with a text between, as in \"{{{left}}}.{{{name}}}\", \
                 else leave {{{left}}} to be what nobody relies on"
            )));
        }
        (left, between) = (name, after);
    }
    None
}

/// The address of the shipped samples, where the sender's own is to be written.
fn placeholder(url: Written<'_>) -> Option<Remark> {
    let (_, host) = url.text.split_once("://")?;
    host.starts_with("taskhooklocal")
        .then(|| url.remark("write the address that you registered with the sender"))
}

/// The warnings about secrets that several of these files name.
#[must_use]
pub fn shared_secrets(files: &[SourceFile]) -> Vec<Warning> {
    let mut first_files = BTreeMap::new();
    let mut found = Vec::new();
    for SourceFile { file, text, .. } in files {
        let Ok(text) = text else { continue };
        let Ok(table) = DeTable::parse(text) else { continue };
        let Some(secret) = written(table.get_ref(), &["verify", "secret"]) else { continue };
        if let Some(first) = first_files.get(&name(secret.text)) {
            let message = format!(
                "{first} has this secret too, so whoever may send to one of them can send to the other; store one for \
                 each, or name two fields of it, such as \"{}#field\"",
                secret.text.split('#').next().unwrap_or_default()
            );
            found.push(Warning(Problem::at(file, text, secret.start, message)));
        } else {
            first_files.insert(name(secret.text), file);
        }
    }
    found
}

/// What a secret is called, whether it is meant by its name or its ARN, which ends in a hyphen and
/// six characters of AWS.
fn name(secret: &str) -> String {
    let (id, field) = secret.trim().split_once('#').unwrap_or((secret.trim(), ""));
    let name = id.split_once(":secret:").map_or(id, |(_, name)| match name.rsplit_once('-') {
        Some((start, random)) if random.len() == 6 => start,
        _ => name,
    });
    format!("{name}#{field}")
}
