//! A JSON Web Token in the `Authorization` header: HS256, with `exp` and `aud`. It says who sends,
//! not what: the body is not part of it.

use http::HeaderMap;
use http::header::AUTHORIZATION;
use jsonwebtoken::crypto::{CryptoProvider, JwtSigner, JwtVerifier, KeyUtils};
use jsonwebtoken::errors::{self, ErrorKind};
use jsonwebtoken::signature::{self, Signer, Verifier};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, encode};
use secrecy::SecretString;
use serde_json::{Map, Value, json};
use subtle::ConstantTimeEq as _;

use super::check::{Refused, Tolerance, accepted_texts, header_once};
use super::encoding;
use crate::time::Time;

/// How long a token is good that we make ourselves, in seconds: as long as monday.com's are.
const LIFE: i64 = 300;

/// Checks the token of a delivery against every secret that is accepted. `audience` is the address
/// that was registered with the sender; `tolerance` is how long after its `exp` a token is still
/// taken.
pub(super) fn verify(
    headers: &HeaderMap,
    secrets: &[SecretString],
    audience: &str,
    tolerance: Tolerance,
    arrived: Time,
) -> Result<(), Refused> {
    install_crypto();
    let written = header_once(headers, &AUTHORIZATION)?;
    let token = match written.split_at_checked("bearer ".len()) {
        Some((start, token)) if start.eq_ignore_ascii_case("bearer ") => token.trim(),
        _ => written.trim(),
    };
    let mut validation = Validation::new(Algorithm::HS256);
    validation.set_audience(&[audience]);
    validation.set_required_spec_claims(&["aud", "exp"]);
    // Against the time of arrival, below: the library asks the clock.
    validation.validate_exp = false;
    let mut claims = Err(Refused::Mismatch);
    for secret in secrets.iter().flat_map(accepted_texts) {
        let key = DecodingKey::from_secret(secret.as_bytes());
        match decode::<Map<String, Value>>(token, &key, &validation) {
            Ok(data) => claims = Ok(data.claims),
            Err(error) if matches!(error.kind(), ErrorKind::InvalidSignature) => {}
            Err(error) => return Err(refused(&error)),
        }
    }
    let expires = claims?.get("exp").map(Value::to_string).unwrap_or_default();
    let expires =
        Time::parse(&expires).map_err(|_| Refused::Malformed("exp of the token".to_owned()))?;
    let late = arrived.milliseconds().saturating_sub(expires.milliseconds());
    if u128::try_from(late).is_ok_and(|late| late > tolerance.0.as_millis()) {
        return Err(Refused::OutOfTolerance(format!("the token expired {} s ago", late / 1000)));
    }
    Ok(())
}

/// A token as the sender makes it.
pub(super) fn sign(secret: &str, audience: &str, now: Time) -> errors::Result<String> {
    install_crypto();
    let claims = json!({"aud": audience, "exp": now.milliseconds() / 1000 + LIFE});
    let key = EncodingKey::from_secret(secret.as_bytes());
    encode(&Header::new(Algorithm::HS256), &claims, &key)
}

fn refused(error: &errors::Error) -> Refused {
    match error.kind() {
        ErrorKind::InvalidAudience => Refused::Audience,
        ErrorKind::MissingRequiredClaim(claim) => Refused::Missing(format!("{claim} of the token")),
        _ => Refused::Malformed(AUTHORIZATION.to_string()),
    }
}

/// Gives the library the one HMAC that the other schemes use. (Its own choices bring RSA and
/// elliptic curves along.)
fn install_crypto() {
    static PROVIDER: CryptoProvider = CryptoProvider {
        signer_factory: |algorithm, key| Ok(Box::new(Hs256::new(*algorithm, key.as_bytes())?)),
        verifier_factory: |algorithm, key| {
            Ok(Box::new(Hs256::new(*algorithm, key.try_get_as_bytes()?)?))
        },
        key_utils: KeyUtils::new_unimplemented(),
    };
    // It is there already from the second time on.
    let _ = PROVIDER.install_default();
}

struct Hs256 {
    key: Vec<u8>,
}

impl Hs256 {
    fn new(algorithm: Algorithm, key: &[u8]) -> errors::Result<Self> {
        if algorithm == Algorithm::HS256 {
            Ok(Self { key: key.to_vec() })
        } else {
            Err(ErrorKind::InvalidAlgorithm.into())
        }
    }
}

impl Signer<Vec<u8>> for Hs256 {
    fn try_sign(&self, message: &[u8]) -> Result<Vec<u8>, signature::Error> {
        Ok(encoding::Algorithm::Sha256.sign(&self.key, &[message]))
    }
}

impl Verifier<Vec<u8>> for Hs256 {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> Result<(), signature::Error> {
        let expected = self.sign(message);
        if bool::from(expected.ct_eq(signature)) { Ok(()) } else { Err(signature::Error::new()) }
    }
}

impl JwtSigner for Hs256 {
    fn algorithm(&self) -> Algorithm {
        Algorithm::HS256
    }
}

impl JwtVerifier for Hs256 {
    fn algorithm(&self) -> Algorithm {
        Algorithm::HS256
    }
}
