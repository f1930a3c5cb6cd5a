//! Who may look at the desk: this machine's browser, on the page that the desk itself served. The
//! webhook's address is open to everybody who reaches it, as the function is. Pure.

use http::{HeaderMap, header};
use subtle::ConstantTimeEq as _;

/// The header with the key that stands in the page.
const KEY: &str = "desk-key";

/// Headers that proxies and tunnels add. A tunnel reaches the sources alone.
const FORWARDED: [&str; 6] = [
    "forwarded",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-real-ip",
    "cf-connecting-ip",
];

/// Why a request may not look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Locked {
    /// Another site's name points here, or a tunnel does.
    #[error("The desk is at 127.0.0.1 and localhost alone.")]
    Host,
    /// It came through a proxy.
    #[error("The desk is for this machine alone; a tunnel reaches the webhooks' paths.")]
    Forwarded,
    /// Another site sent it.
    #[error("The desk takes requests of its own page alone.")]
    Origin,
    /// It came to the port of the webhooks.
    #[error("This port takes webhooks alone.")]
    Webhooks,
    /// It doesn't have the key of the page.
    #[error("The page's key is missing or wrong; load the page again.")]
    Key,
}

/// Whether a request may have the page.
pub(super) fn check_page(headers: &HeaderMap, port: u16) -> Result<(), Locked> {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    if !own_names(port).iter().any(|name| name == host) {
        return Err(Locked::Host);
    }
    if FORWARDED.iter().any(|name| headers.contains_key(*name)) {
        return Err(Locked::Forwarded);
    }
    let Some(origin) = headers.get(header::ORIGIN) else { return Ok(()) };
    let is_own = own_names(port).iter().any(|name| origin == format!("http://{name}").as_str());
    if is_own { Ok(()) } else { Err(Locked::Origin) }
}

/// Whether a request may have the page's data.
pub(super) fn check_data(headers: &HeaderMap, port: u16, key: &str) -> Result<(), Locked> {
    check_page(headers, port)?;
    let given = headers.get(KEY).map_or(&b""[..], http::HeaderValue::as_bytes);
    if given.ct_eq(key.as_bytes()).into() { Ok(()) } else { Err(Locked::Key) }
}

fn own_names(port: u16) -> [String; 3] {
    ["127.0.0.1", "localhost", "[::1]"].map(|name| match port {
        // Browsers leave out the port that goes without saying.
        80 => name.to_owned(),
        port => format!("{name}:{port}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(rows: &[(&'static str, &str)]) -> HeaderMap {
        rows.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    #[test]
    fn only_the_own_page_gets_in() {
        for (rows, expected) in [
            (vec![("host", "127.0.0.1:8787")], Ok(())),
            (vec![("host", "localhost:8787"), ("origin", "http://localhost:8787")], Ok(())),
            (vec![("host", "[::1]:8787"), ("origin", "http://127.0.0.1:8787")], Ok(())),
            (vec![], Err(Locked::Host)),
            (vec![("host", "127.0.0.1:9000")], Err(Locked::Host)),
            (vec![("host", "desk.example:8787")], Err(Locked::Host)),
            (vec![("host", "127.0.0.1:8787"), ("forwarded", "for=1")], Err(Locked::Forwarded)),
            (
                vec![("host", "localhost:8787"), ("origin", "http://evil.example")],
                Err(Locked::Origin),
            ),
            (vec![("host", "localhost:8787"), ("origin", "null")], Err(Locked::Origin)),
        ] {
            assert_eq!(check_page(&headers(&rows), 8787), expected, "{rows:?}");
        }
    }

    #[test]
    fn data_needs_the_key() {
        let with = |key| headers(&[("host", "localhost:1"), ("desk-key", key)]);
        assert_eq!(check_data(&with("k"), 1, "k"), Ok(()));
        assert_eq!(check_data(&with("x"), 1, "k"), Err(Locked::Key));
        assert_eq!(check_data(&headers(&[("host", "localhost:1")]), 1, "k"), Err(Locked::Key));
    }
}
