//! A payload, signed afresh as its sender would.

use std::path::PathBuf;

use secrecy::SecretString;

use super::payload;
use crate::delivery::Delivery;

/// What a delivery is made of.
#[derive(Debug, clap::Args)]
pub(super) struct Signed {
    /// Name of the source: its file's name without .toml
    source: String,
    /// File with the body, or with a complete Lambda event, which is signed anew; - is standard input
    payload: PathBuf,
    /// The webhook's secret
    #[arg(long)]
    secret: SecretString,
    /// A header that the sender sets, such as "X-GitHub-Event: issues"
    #[arg(long = "header", value_name = "NAME: VALUE")]
    headers: Vec<String>,
}

impl Signed {
    /// The delivery, to the path of its source.
    pub(super) fn delivery(&self) -> Result<Delivery, String> {
        let sources = payload::sources()?;
        let source = payload::source(&sources, &self.source)?;
        let mut delivery = payload::delivery(source, &self.payload, &self.headers)?;
        source.verify.scheme.sign(&mut delivery, &self.secret)?;
        Ok(delivery)
    }
}
