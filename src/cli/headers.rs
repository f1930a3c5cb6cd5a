//! Headers as a person or a file writes them.

use anyhow::{Result, bail};
use http::{HeaderMap, HeaderName, HeaderValue, header};

/// The headers of the connection that an event came by, which are not part of the event.
pub(super) const OF_THE_CONNECTION: [HeaderName; 6] = [
    header::ACCEPT_ENCODING,
    header::CONNECTION,
    header::CONTENT_LENGTH,
    header::HOST,
    header::TE,
    header::TRANSFER_ENCODING,
];

/// Sets a header.
pub(super) fn insert(headers: &mut HeaderMap, name: &str, value: &str) -> Result<()> {
    match (name.parse::<HeaderName>(), HeaderValue::from_str(value)) {
        (Ok(name), Ok(value)) => {
            headers.insert(name, value);
            Ok(())
        }
        _ => bail!("{name}: {value} is not a header."),
    }
}
