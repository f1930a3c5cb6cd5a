//! Headers as a person or a file writes them.

use anyhow::{Result, bail};
use http::{HeaderMap, HeaderName, HeaderValue};

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
