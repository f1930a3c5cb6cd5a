//! A payload, signed afresh as its sender would.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use secrecy::SecretString;

use super::cases::Secrets;
use super::shared;
use super::{doubtful_secrets, payload};
use crate::delivery::Delivery;
use crate::source::Source;

/// The arguments that make up a delivery.
#[derive(Debug, clap::Args)]
pub(super) struct Signed {
    /// Name of the source: its file's name without .toml
    source: String,
    /// File with the body, a complete Lambda event, or a raw HTTP request, which is signed anew; -
    /// is standard input
    payload: PathBuf,
    #[command(flatten)]
    secret: SecretChoice,
    /// A header that the sender sets, such as "X-GitHub-Event: issues"
    #[arg(long = "header", value_name = "NAME: VALUE")]
    headers: Vec<String>,
}

/// The arguments that say the webhook's secret.
#[derive(Debug, clap::Args)]
pub(super) struct SecretChoice {
    /// The webhook's secret. Without this and --secret-file it is the source's in
    /// events/secrets.json
    #[arg(long, conflicts_with = "secret_file")]
    secret: Option<SecretString>,
    /// File with the webhook's secret, which keeps it out of the shell's history
    #[arg(long, value_name = "FILE")]
    secret_file: Option<PathBuf>,
}

impl Signed {
    /// The delivery, to the path of its source.
    pub(super) fn delivery(&self) -> Result<Delivery> {
        let sources = payload::sources_with(&payload::files()?, &self.source)?;
        let source = payload::source(&sources, &self.source)?;
        let mut delivery = payload::delivery(source, &self.payload, &self.headers)?;
        if let Some(proof) = &source.verify.proof {
            let secrets = self.secret.of_source(source)?;
            let secret = secrets.first().context("the source has no secret to sign with")?;
            proof.scheme.sign(&mut delivery, secret)?;
        }
        Ok(delivery)
    }
}

impl SecretChoice {
    /// The secrets that a source accepts. A doubtful one is a warning.
    pub(super) fn of_source(&self, source: &Source) -> Result<Vec<SecretString>> {
        let secrets = match (&self.secret, &self.secret_file) {
            (Some(secret), _) => vec![secret.clone()],
            (None, Some(file)) => vec![read(file)?],
            (None, None) => Secrets::read(Path::new("events"))?.of_source(source)?,
        };
        let may_be_samples = self.secret_file.is_none();
        if let Some(doubt) = doubtful_secrets::doubt(source, &secrets, may_be_samples) {
            eprintln!("warning: {doubt}");
        }
        Ok(secrets)
    }
}

/// Reads a secret. The line break with which editors end a file is not part of it.
fn read(file: &Path) -> Result<SecretString> {
    match shared::read_text(file)?.trim_end_matches(['\r', '\n']) {
        "" => bail!("{} is empty; write the webhook's secret into it.", file.display()),
        secret => Ok(SecretString::from(secret)),
    }
}
