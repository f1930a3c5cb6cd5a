//! Doubts about secrets that the tool gets to see: short ones, and ones that everybody can read.

use std::collections::BTreeMap;

use secrecy::{ExposeSecret as _, SecretString};

use crate::delivery::{Scheme, preset, preset_names};
use crate::source::Source;

/// Shorter ones can be found by trying.
const SHORTEST: usize = 16;

/// Secrets that the documentation of GitHub, Slack and the Standard Webhooks shows. The presets
/// know others.
const PUBLISHED: [&str; 4] = [
    "It's a Secret to Everybody",
    "8f742231b10e8888abcd99yyyzzz85a5",
    "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLw",
    "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLw",
];

/// The secrets of this project's samples, which everybody can read.
const SAMPLES: &str = include_str!("../../events/secrets.json");

/// The sentence about the first doubtful secret of a source, if there is one. `may_be_samples` says
/// whether the secrets of the samples are all right here.
pub(super) fn doubt(
    source: &Source,
    secrets: &[SecretString],
    may_be_samples: bool,
) -> Option<String> {
    let proof = source.verify.proof.as_ref()?;
    for secret in secrets {
        let text = secret.expose_secret().trim();
        // Of a user and a password only the password is secret.
        let hidden = match (&proof.scheme, text.split_once(':')) {
            (Scheme::Basic, Some((_, password))) => password,
            _ => text,
        };
        let length = hidden.chars().count();
        let why = if is_published(text) || is_published(hidden) {
            "stands in public documentation".to_owned()
        } else if !may_be_samples && is_sample(text) {
            "is that of Taskhook's own samples, which everybody can read".to_owned()
        } else if length < SHORTEST {
            format!("has {length} characters, which can be guessed")
        } else {
            continue;
        };
        let name = &source.name;
        return Some(format!(
            "the secret of {name} {why}; store one of {SHORTEST} or more random characters"
        ));
    }
    None
}

fn is_published(text: &str) -> bool {
    let of_presets = preset_names().filter_map(|name| preset(name)?.published_secret);
    PUBLISHED.into_iter().chain(of_presets).any(|published| published == text)
}

/// A sample's secret is one text, or several as a JSON list.
fn is_sample(text: &str) -> bool {
    let samples: BTreeMap<String, String> = serde_json::from_str(SAMPLES).unwrap_or_default();
    samples.values().any(|sample| match serde_json::from_str::<Vec<String>>(sample) {
        Ok(several) => several.iter().any(|sample| sample == text),
        Err(_) => sample == text,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::{SourceFile, Sources};

    #[test]
    fn short_and_published_secrets_are_doubted_and_those_of_samples_where_they_protect_something() {
        let text = "[verify]\nscheme = \"github\"\nsecret = \"taskhook/desk\"\n[task]\nid = '.id'\nid_property = \"desk_id\"\n\
                    [properties]\nhs_task_subject = '.x'\n";
        let file = SourceFile::from_text("", "desk", text);
        let sources = Sources::read(&[file]);
        let source = sources.iter().next().unwrap_or_else(|| panic!("{:?}", sources.problems()));
        let doubt = |secret: &str, may_be_samples| {
            doubt(source, &[secret.into()], may_be_samples).unwrap_or_default()
        };
        assert!(doubt("a-short-secret", true).contains("has 14 characters"));
        assert!(
            doubt("It's a Secret to Everybody", true).contains("stands in public documentation")
        );
        assert!(
            doubt("local-jira-webhook-secret-before-rotation", false)
                .contains("Taskhook's own samples")
        );
        assert_eq!(doubt("local-jira-webhook-secret-before-rotation", true), "");
        assert_eq!(doubt("0d4c1f6e8a2b5c7d9e0f", false), "");
    }
}
