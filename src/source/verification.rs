//! Remarks about `[verify]`: keys that are allowed and most likely not meant.

use std::collections::BTreeMap;
use std::time::Duration;

use super::file::SourceFile;
use super::problem::Warning;
use super::remark::Remark;
use super::spec::{self, SchemeSpec, Signed, VerifySpec};
use super::table::Placed;

/// An honest delivery takes some seconds: a shorter tolerance is remarked upon.
const SHORTEST_TOLERANCE: Duration = Duration::from_secs(10);

/// Whoever catches a delivery can send it again for as long as the tolerance: a longer one is
/// remarked upon.
const LONGEST_TOLERANCE: Duration = Duration::from_hours(1);

/// The schemes of `Authorization`. A space follows each.
/// <https://www.iana.org/assignments/http-authschemes>
const AUTHORIZATION: [&str; 7] =
    ["basic", "bearer", "token", "digest", "hmac", "apikey", "api-key"];

/// The remarks about the `[verify]` of a file.
pub(super) fn remarks(spec: &VerifySpec) -> Vec<Remark> {
    let mut remarks = Vec::new();
    if let Some(scheme) = &spec.scheme {
        remarks.extend(unverified(scheme));
        if let Some(prefix) = &spec.prefix {
            remarks.extend(doubtful_prefix(scheme.value, prefix));
        }
    }
    if let Some(tolerance) = &spec.tolerance {
        remarks.extend(doubtful_tolerance(tolerance));
    }
    if let Some(signed) = &spec.signed {
        remarks.extend(ambiguous(signed));
    }
    if let Some(url) = &spec.url {
        remarks.extend(placeholder(url));
    }
    remarks
}

fn unverified(scheme: &Placed<SchemeSpec>) -> Option<Remark> {
    if !matches!(scheme.value, SchemeSpec::None) {
        return None;
    }
    Some(Remark::about(
        scheme,
        "`scheme` \"none\" verifies nothing: whoever knows the address can change tasks; if the \
         sender can send a header of yours, write \"token\", if it takes a user and a password, \
         \"basic\"",
    ))
}

/// A prefix that doesn't end as senders write it.
fn doubtful_prefix(scheme: SchemeSpec, prefix: &Placed<String>) -> Option<Remark> {
    let text = prefix.value.as_str();
    let is_token = matches!(scheme, SchemeSpec::Token);
    let word = text.trim();
    let bare = word.trim_end_matches([':', '=']).trim_end().to_lowercase();
    let is_authorization = AUTHORIZATION.contains(&bare.as_str());
    let ends_in_word = text.ends_with(char::is_alphanumeric);
    let message = if text.starts_with(char::is_whitespace) {
        "`prefix` begins with a space, and no header's value does; leave it out".to_owned()
    } else if is_token && bare == "basic" {
        "after \"Basic\" comes a user and a password in base64, never the secret as it is; write \
         `scheme = \"basic\"`, without `header` and `prefix`"
            .to_owned()
    } else if is_authorization && word.ends_with(':') {
        let name = word.trim_end_matches(':');
        format!(
            "no colon stands after {name} in a header, so every real delivery is 401; write \
             \"{name} \""
        )
    } else if is_token && ends_in_word {
        format!(
            "`prefix` {text:?} has no space at its end; senders write \"{word} SECRET\", and both \
             are taken; write \"{word} \""
        )
    } else if ends_in_word {
        format!(
            "`prefix` {text:?} ends in a letter or a digit, and what parts it from the signature \
             belongs to it; write it as the sender does, such as \"{word}=\" or \"{word} \""
        )
    } else if word.ends_with('=') && text != word {
        format!(
            "`prefix` {text:?} has a space after the `=`, which no sender writes; write {word:?}"
        )
    } else {
        return None;
    };
    Some(Remark::about(prefix, message))
}

fn doubtful_tolerance(tolerance: &Placed<Duration>) -> Option<Remark> {
    let message = if tolerance.value < SHORTEST_TOLERANCE {
        "a delivery is older than this when it arrives, or clocks differ by more, so real ones are \
         401; write \"5m\""
    } else if tolerance.value > LONGEST_TOLERANCE {
        "whoever gets hold of a delivery can send it again for this long; write \"5m\", which \
         senders recommend"
    } else {
        return None;
    };
    Some(Remark::about(tolerance, message))
}

/// Two values in `signed` that nothing parts: the same bytes are signed where a piece of one is
/// moved to the other.
///
/// A time is recognised by its form, and the sender doesn't choose the address and the method.
fn ambiguous(signed: &Placed<Signed>) -> Option<Remark> {
    let is_free = |name: &str| matches!(name, "id" | "body") || name.starts_with("header:");
    // Each name with the text behind it.
    let parts = signed.value.text.split('{').skip(1);
    let mut values = parts.map(|part| part.split_once('}').unwrap_or((part, "")));
    let (mut left, mut between) = values.next()?;
    for (name, after) in values {
        let may_be_moved = is_free(name) || name == "timestamp" && left != "body";
        if between.is_empty() && is_free(left) && may_be_moved {
            return Some(Remark::about(
                signed,
                format!(
                    "nothing parts {{{left}}} from {{{name}}}: the same signature is right where a \
                     piece of one is moved to the other; if the sender lets you choose, sign them \
                     with a text between, as in \"{{{left}}}.{{{name}}}\", else leave {{{left}}} \
                     to be what nobody relies on"
                ),
            ));
        }
        (left, between) = (name, after);
    }
    None
}

/// The address of the shipped samples, where the sender's own is to be written.
fn placeholder(url: &Placed<String>) -> Option<Remark> {
    let (_, host) = url.value.split_once("://")?;
    if !host.starts_with("taskhooklocal") {
        return None;
    }
    Some(Remark::about(url, "write the address that you registered with the sender"))
}

/// The warnings about secrets that several of these files name.
#[must_use]
pub fn shared_secrets(files: &[SourceFile]) -> Vec<Warning> {
    let mut first_files = BTreeMap::new();
    let mut warnings = Vec::new();
    for file in files {
        let Some((problems, Some(spec))) = spec::read(file) else { continue };
        let Some(secret) = spec.verify.secret else { continue };
        let name = secret_name(&secret.value.to_string());
        let Some(first) = first_files.get(&name) else {
            first_files.insert(name, &file.file);
            continue;
        };
        let message = format!(
            "{first} has this secret too, so whoever may send to one of them can send to the \
             other; store one for each, or name two fields of it, such as \"{}#field\"",
            secret.value.id()
        );
        warnings.push(Warning(problems.at(secret.start, message)));
    }
    warnings
}

/// The name of a secret, whether it is meant by its name or its ARN, which ends in a hyphen and
/// six characters of AWS.
fn secret_name(secret: &str) -> String {
    let (id, field) = secret.split_once('#').unwrap_or((secret, ""));
    let name = match id.split_once(":secret:") {
        Some((_, with_random)) => match with_random.rsplit_once('-') {
            Some((name, random)) if random.len() == 6 => name,
            _ => with_random,
        },
        None => id,
    };
    format!("{name}#{field}")
}
