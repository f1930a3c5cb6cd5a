//! Deliveries kept as samples: signed anew with the secret of the samples, so that neither a real
//! secret nor a real signature gets into a file. They hold personal data: their owner alone can read
//! them.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, anyhow};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::json;

use super::cases::{Case, Secrets};
use super::event::event;
use crate::delivery::{Delivery, Scheme};
use crate::source::{Proof, Source, Sources};

/// How the headers begin that proxies add.
const PROXYS: [&str; 4] = ["x-forwarded-", "forwarded", "x-real-ip", "cf-"];

/// The file of the samples' secrets.
const SECRETS: &str = "secrets.json";

/// Keeps a delivery, without what proved it, in the folder of its source, with the result that it
/// must have. Returns the file of the event; `what` becomes its name. One that is there already,
/// the same byte for byte, is not written again.
pub(super) fn keep(
    events: &Path,
    sources: &Sources,
    source: &Source,
    mut sample: Delivery,
    what: &str,
) -> Result<PathBuf> {
    clean(&mut sample);
    let mut secrets = Vec::new();
    if let Some(proof) = &source.verify.proof {
        sample.headers.remove(proof.scheme.header());
        secrets = secrets_of(events, source, proof)?;
        let secret = secrets.first().context("the source has no sample secret")?;
        proof.scheme.sign(&mut sample, secret)?;
    }
    let (file, is_new) = write(&events.join(&source.name), &sample, what)?;
    if is_new {
        let case = Case { expected: file.with_extension("expected.json"), event: file.clone() };
        let given = case.run(sources, source, &secrets)?;
        write_new(&case.expected, &format!("{:#}\n", given.value))?;
    }
    Ok(file)
}

/// Keeps a delivery of which no source is known: unsigned, and without a result.
pub(super) fn keep_unsigned(folder: &Path, mut sample: Delivery, what: &str) -> Result<PathBuf> {
    clean(&mut sample);
    let (file, _) = write(folder, &sample, what)?;
    Ok(file)
}

/// Takes out what says by which way a delivery came.
fn clean(sample: &mut Delivery) {
    let mut added = Vec::new();
    for name in sample.headers.keys() {
        if PROXYS.iter().any(|start| name.as_str().starts_with(start)) {
            added.push(name.clone());
        }
    }
    for name in added {
        sample.headers.remove(name);
    }
    sample.headers.insert(http::header::HOST, http::HeaderValue::from_static("localhost"));
}

/// Writes an event into a folder, under a name that is free. Returns the file, and whether it was
/// written: the same event may be there already.
fn write(folder: &Path, sample: &Delivery, what: &str) -> Result<(PathBuf, bool)> {
    let text = format!("{:#}\n", event(sample));
    let name = file_name(what);
    make_folder(folder)?;
    let mut file = folder.join(format!("{name}.json"));
    for number in 2.. {
        if !file.exists() {
            write_new(&file, &text)?;
            break;
        }
        if fs::read(&file).is_ok_and(|there| there == text.as_bytes()) {
            return Ok((file, false));
        }
        file = folder.join(format!("{name}-{number}.json"));
    }
    Ok((file, true))
}

/// Makes a folder, if it isn't there, that its owner alone can look into.
pub(super) fn make_folder(folder: &Path) -> Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder).map_err(|error| anyhow!("{} can't be made: {error}.", folder.display()))
}

/// Options for files that their owner alone can read.
pub(super) fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// Writes a file that must not be there yet.
fn write_new(file: &Path, text: &str) -> Result<()> {
    let written = private().create_new(true).open(file);
    let written = written.and_then(|mut file| file.write_all(text.as_bytes()));
    written.map_err(|error| anyhow!("{} can't be written: {error}.", file.display()))
}

/// The secrets of the samples of a source. One that isn't there yet is made up, and kept.
fn secrets_of(events: &Path, source: &Source, proof: &Proof) -> Result<Vec<SecretString>> {
    if let Ok(secrets) = Secrets::read(events)?.of_source(source) {
        return Ok(secrets);
    }
    let file = events.join(SECRETS);
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
    make_folder(events)?;
    fs::write(&file, format!("{:#}\n", json!(texts)))?;
    Secrets::read(events)?.of_source(source)
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

/// A stranger's words as the name of a file or folder.
pub(super) fn file_name(what: &str) -> String {
    let mut name = String::new();
    for character in what.chars().take(40) {
        if character.is_ascii_alphanumeric() {
            name.push(character.to_ascii_lowercase());
        } else if !name.ends_with('-') && !name.is_empty() {
            name.push('-');
        }
    }
    match name.trim_end_matches('-') {
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
            assert_eq!(file_name(what), expected);
        }
    }
}
