//! Deliveries kept as samples: signed anew with the secret of the samples, so that neither a real
//! secret nor a real signature gets into a file.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, Result, anyhow, bail};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::json;

use super::payloads::Hidden;
use super::serving::Serving;
use crate::cli::cases::{self, Case, Secrets};
use crate::cli::event::event;
use crate::cli::payload;
use crate::delivery::{Delivery, Scheme, is_secret_header, names_a_secret};
use crate::source::{Proof, Source};

/// How the headers begin that proxies add.
const PROXYS: [&str; 4] = ["x-forwarded-", "forwarded", "x-real-ip", "cf-"];

/// The file of the samples' secrets.
const SECRETS: &str = "secrets.json";

/// Keeps deliveries in the folders of a folder, which are named after the sources.
pub(super) struct Saver {
    folder: PathBuf,
}

impl Saver {
    /// Saves into this folder, which is made if it isn't there.
    pub(super) fn new(folder: PathBuf) -> Result<Self> {
        fs::create_dir_all(&folder)
            .map_err(|error| anyhow!("{} can't be made: {error}.", folder.display()))?;
        Ok(Self { folder })
    }

    /// Saves a delivery whose signature was right, with the result that it must have. A failure is
    /// told, and keeps nobody from being answered.
    pub(super) fn save(
        &self,
        serving: &Serving,
        source: &Source,
        delivery: &Delivery,
        what: &str,
        hidden: &Hidden,
    ) {
        match self.write(serving, source, delivery, what, hidden) {
            Ok(Some(path)) => eprintln!("saved {}", path.display()),
            Ok(None) => {}
            Err(why) => eprintln!("A delivery could not be saved: {why:#}"),
        }
    }

    fn write(
        &self,
        serving: &Serving,
        source: &Source,
        delivery: &Delivery,
        what: &str,
        hidden: &Hidden,
    ) -> Result<Option<PathBuf>> {
        if hidden.is_in(&String::from_utf8_lossy(&delivery.body)) {
            bail!("its body holds a secret");
        }
        let mut sample = delivery.clone();
        for (name, value) in &delivery.headers {
            let is_proxys = PROXYS.iter().any(|start| name.as_str().starts_with(start));
            let holds_secret = hidden.is_in(&String::from_utf8_lossy(value.as_bytes()));
            if is_secret_header(name.as_str()) || holds_secret || is_proxys {
                sample.headers.remove(name);
            }
        }
        sample.query.retain(|(name, value)| !names_a_secret(name) && !hidden.is_in(value));
        sample.headers.insert(http::header::HOST, http::HeaderValue::from_static("localhost"));
        let mut secrets = Vec::new();
        if let Some(proof) = &source.verify.proof {
            sample.headers.remove(proof.scheme.header());
            secrets = self.secrets(source, proof)?;
            let secret = secrets.first().context("the source has no sample secret")?;
            proof.scheme.sign(&mut sample, secret)?;
        }
        let folder = self.folder.join(&source.name);
        fs::create_dir_all(&folder)?;
        let is_kept = |path: &PathBuf| {
            let bytes = fs::read(path).unwrap_or_default();
            payload::from_event(&bytes).is_ok_and(|known| known.body == sample.body)
        };
        if cases::of_source(&self.folder, &source.name)?.iter().any(|case| is_kept(&case.event)) {
            return Ok(None);
        }
        let name = slug(what);
        let mut event_file = folder.join(format!("{name}.json"));
        for number in 2.. {
            if !event_file.exists() {
                break;
            }
            event_file = folder.join(format!("{name}-{number}.json"));
        }
        let expected = event_file.with_extension("expected.json");
        let case = Case { event: event_file, expected };
        fs::write(&case.event, format!("{:#}\n", event(&sample)))?;
        let given = case.run(serving.sources(), source, &secrets)?;
        fs::write(&case.expected, format!("{:#}\n", given.value))?;
        Ok(Some(case.event))
    }

    /// The secrets of the samples of a source. One that isn't there yet is made up, and kept.
    fn secrets(&self, source: &Source, proof: &Proof) -> Result<Vec<SecretString>> {
        if let Ok(secrets) = Secrets::read(&self.folder)?.of_source(source) {
            return Ok(secrets);
        }
        let file = self.folder.join(SECRETS);
        let mut texts: BTreeMap<String, String> = match fs::read_to_string(&file) {
            Ok(text) => serde_json::from_str(&text)
                .map_err(|_| anyhow!("{} is no JSON object of texts", file.display()))?,
            Err(_) => BTreeMap::new(),
        };
        let secret = made_up(source, &proof.scheme);
        let text = match proof.secret.to_string().split_once('#') {
            Some((_, field)) => json!({field: secret.expose_secret()}).to_string(),
            None => secret.expose_secret().to_owned(),
        };
        texts.insert(proof.secret.id().to_owned(), text);
        fs::write(&file, format!("{:#}\n", json!(texts)))?;
        Secrets::read(&self.folder)?.of_source(source)
    }
}

/// A secret that the scheme takes, and that nobody may use.
fn made_up(source: &Source, scheme: &Scheme) -> SecretString {
    let plain = format!("local-{}-webhook-secret", source.name);
    let forms = [
        plain.clone(),
        format!("taskhook:{plain}"),
        // "local-taskhook-secret"
        "bG9jYWwtdGFza2hvb2stc2VjcmV0".to_owned(),
        plain,
    ];
    let taken = forms.into_iter().map(SecretString::from);
    let mut taken = taken.filter(|secret| scheme.check_secret(secret).is_ok());
    taken.next().unwrap_or_else(|| SecretString::from("local-webhook-secret"))
}

/// What a delivery is about as a file's name.
fn slug(what: &str) -> String {
    let mut slug = String::new();
    for character in what.chars().take(40) {
        if character.is_ascii_alphanumeric() {
            slug.push(character.to_ascii_lowercase());
        } else if !slug.ends_with('-') && !slug.is_empty() {
            slug.push('-');
        }
    }
    match slug.trim_end_matches('-') {
        "" => "delivery".to_owned(),
        name => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_a_sender_become_the_name_of_a_file() {
        let rows = [
            ("issues, closed", "issues-closed"),
            ("../../etc/passwd", "etc-passwd"),
            ("ä", "delivery"),
            ("", "delivery"),
            ("Issue Hook", "issue-hook"),
        ];
        for (what, expected) in rows {
            assert_eq!(slug(what), expected);
        }
    }
}
