//! `taskhook verify`: whether a delivery is signed right, and what would make it right.

use std::path::PathBuf;

use anyhow::{Result, anyhow, bail};
use secrecy::{ExposeSecret as _, SecretString};

use super::cases::ANY_AGE;
use super::signed::SecretChoice;
use super::{payload, shared};
use crate::delivery::{Algorithm, Delivery, Encoding, Hmac, Refused, Scheme, Tolerance};
use crate::source::{Proof, Source};

/// Say whether a delivery's signature is right, and if not what would make it right
///
/// The delivery is a Lambda event as the function got it, a raw HTTP request, or a body with the
/// sender's headers given by --header. Nothing is sent.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Name of the source: its file's name without .toml
    source: String,
    /// File with a complete Lambda event, a raw HTTP request, or the body; - is standard input
    delivery: PathBuf,
    #[command(flatten)]
    secret: SecretChoice,
    /// A header of the sender, such as "X-Hub-Signature-256: sha256=..."
    #[arg(long = "header", value_name = "NAME: VALUE")]
    headers: Vec<String>,
}

/// Fails where the signature is not right.
pub(super) fn run(arguments: &Arguments) -> Result<()> {
    let sources = payload::sources_with(&payload::files()?, &arguments.source)?;
    let source = payload::source(&sources, &arguments.source)?;
    let delivery = payload::received(source, &arguments.delivery, &arguments.headers)?;
    let Some(proof) = &source.verify.proof else {
        return shared::print("The source verifies nothing: everybody is believed.\n");
    };
    let secrets = arguments.secret.of_source(source)?;
    for secret in &secrets {
        proof
            .scheme
            .check_secret(secret)
            .map_err(|why| anyhow!("The secret can't be used: {why}."))?;
    }
    let attempt = Attempt { scheme: proof.scheme.clone(), delivery, secrets };
    let Err(why) = attempt.verify(source.verify.tolerance) else {
        return shared::print("The signature is right.\n");
    };
    if let Refused::Missing(name) = &why {
        bail!(
            "The delivery has no {name}: give it with --header, or take the delivery with its \
             headers."
        );
    }
    if attempt.verify(ANY_AGE).is_ok() {
        bail!("The signature is right, but {why}: the delivery is old, or a clock is wrong.");
    }
    let cures = attempt.cures(proof, source.verify.name == "hmac");
    if cures.is_empty() {
        bail!(
            "The signature is not right: {why}. It would not be with a usual change of the body, \
             the secret or the scheme either: compare the secret with the sender's."
        );
    }
    bail!("The signature is not right: {why}. It would be:\n  {}", cures.join("\n  "))
}

/// A delivery, and what it is verified by.
#[derive(Clone)]
struct Attempt {
    scheme: Scheme,
    delivery: Delivery,
    secrets: Vec<SecretString>,
}

impl Attempt {
    fn verify(&self, tolerance: Tolerance) -> Result<(), Refused> {
        self.scheme.verify(&self.delivery, &self.secrets, tolerance).map(|_| ())
    }

    /// Whether it is right with this change.
    fn is_right_with(&self, change: impl FnOnce(&mut Self)) -> bool {
        let mut changed = self.clone();
        change(&mut changed);
        changed.verify(ANY_AGE).is_ok()
    }
}

/// The usual mistakes that a wrong signature is one of: each as what would make it right.
pub(super) fn cures(delivery: &Delivery, secrets: &[SecretString], source: &Source) -> Vec<String> {
    let Some(proof) = &source.verify.proof else { return Vec::new() };
    let (delivery, secrets) = (delivery.clone(), secrets.to_vec());
    let is_hmac = source.verify.name == "hmac";
    Attempt { scheme: proof.scheme.clone(), delivery, secrets }.cures(proof, is_hmac)
}

impl Attempt {
    /// `is_hmac` says that the keys of the scheme stand in the file.
    fn cures(&self, proof: &Proof, is_hmac: bool) -> Vec<String> {
        let attempt = self;
        let mut cures = Vec::new();
        for (cure, change) in BODIES {
            let changed = change(&attempt.delivery.body);
            if attempt.is_right_with(|attempt| attempt.delivery.body = changed.into()) {
                cures.push(cure.to_owned());
            }
        }
        let name = &proof.secret;
        for (cure, change) in SECRETS {
            let change_all = |attempt: &mut Attempt| {
                for secret in &mut attempt.secrets {
                    *secret = SecretString::from(change(secret.expose_secret()));
                }
            };
            if attempt.is_right_with(change_all) {
                cures.push(format!("with the secret {name} stored {cure}"));
            }
        }
        if let Scheme::Hmac(hmac) = &attempt.scheme {
            for (cure, other) in others(hmac) {
                if attempt.is_right_with(|attempt| attempt.scheme = Scheme::Hmac(Box::new(other))) {
                    cures.push(if is_hmac {
                        format!("with {cure} in [verify]")
                    } else {
                        format!("with scheme = \"hmac\" in [verify], its keys, and {cure}")
                    });
                }
            }
        }
        cures
    }
}

type ChangeBody = fn(&[u8]) -> Vec<u8>;

const BODIES: [(&str, ChangeBody); 4] = [
    ("without the line break at the end of the body, which an editor added", |body| {
        body.trim_ascii_end().to_vec()
    }),
    ("with a line break at the end of the body", |body| [body, b"\n"].concat()),
    ("with the body's line breaks as \\n", |body| {
        String::from_utf8_lossy(body).replace("\r\n", "\n").into_bytes()
    }),
    ("with the body's line breaks as \\r\\n", |body| {
        String::from_utf8_lossy(body).replace("\r\n", "\n").replace('\n', "\r\n").into_bytes()
    }),
];

type ChangeSecret = fn(&str) -> String;

const SECRETS: [(&str, ChangeSecret); 4] = [
    ("without white space around it", |secret| secret.trim().to_owned()),
    ("with a line break at its end", |secret| format!("{secret}\n")),
    ("with quotation marks around it, as the sender has it", |secret| format!("\"{secret}\"")),
    ("without the quotation marks around it", |secret| {
        secret.trim().trim_matches(['"', '\'']).to_owned()
    }),
];

/// The same scheme with one key changed, and the line that changes it.
fn others(hmac: &Hmac) -> Vec<(String, Hmac)> {
    let mut others = Vec::new();
    for (word, encoding) in [("hex", Encoding::Hex), ("base64", Encoding::Base64)] {
        others.push((format!("encoding = {word:?}"), Hmac { encoding, ..hmac.clone() }));
    }
    let algorithms =
        [("sha1", Algorithm::Sha1), ("sha256", Algorithm::Sha256), ("sha512", Algorithm::Sha512)];
    for (word, algorithm) in algorithms {
        others.push((format!("algorithm = {word:?}"), Hmac { algorithm, ..hmac.clone() }));
    }
    let encodings = [("raw", Encoding::Raw), ("base64", Encoding::Base64)];
    for (word, secret_encoding) in encodings {
        let cure = format!("secret_encoding = {word:?}");
        others.push((cure, Hmac { secret_encoding, ..hmac.clone() }));
    }
    for prefix in ["", "sha256=", "sha1=", "v1="] {
        let cure = format!("prefix = {prefix:?}");
        others.push((cure, Hmac { prefix: prefix.to_owned(), ..hmac.clone() }));
    }
    others
}
