//! A raw HTTP request as text, as proxies and webhook testers show it.

use anyhow::{Result, anyhow, bail};
use bytes::Bytes;
use http::{HeaderMap, Method, Uri};

use super::headers::insert;

const VERSIONS: [&str; 5] = ["HTTP/1.0", "HTTP/1.1", "HTTP/2", "HTTP/2.0", "HTTP/3"];

/// The parts of a request that make a delivery.
pub(super) struct RawRequest {
    pub(super) method: Method,
    /// The decoded fields of the query.
    pub(super) query: Vec<(String, String)>,
    pub(super) headers: HeaderMap,
    /// At most as long as `Content-Length` says, because editors add a line break.
    pub(super) body: Bytes,
}

/// Reads a request: `POST /desk HTTP/1.1`, a header in each line, an empty line, and the body.
/// `None` of what doesn't begin with such a line.
pub(super) fn parse(bytes: &[u8]) -> Result<Option<RawRequest>> {
    let (line, mut rest) = split_line(bytes);
    let Some((method, uri)) = request_line(line) else { return Ok(None) };
    let mut headers = HeaderMap::new();
    let mut number = 1;
    while !rest.is_empty() {
        let (line, after) = split_line(rest);
        rest = after;
        number += 1;
        if line.is_empty() {
            break;
        }
        let text = String::from_utf8_lossy(line);
        let Some((name, value)) = text.split_once(':') else {
            bail!(
                "Line {number} of the request is not a header: write Name: value, and an empty \
                 line before the body."
            );
        };
        insert(&mut headers, name.trim(), value.trim())?;
    }
    let query = uri.query().unwrap_or_default().as_bytes();
    let query = form_urlencoded::parse(query).into_owned().collect();
    let body = body(&headers, rest)?;
    Ok(Some(RawRequest { method, query, headers, body }))
}

/// The first line without its end, and what follows.
fn split_line(bytes: &[u8]) -> (&[u8], &[u8]) {
    let end = bytes.iter().position(|byte| *byte == b'\n');
    let (line, rest) = match end {
        Some(end) => (&bytes[..end], &bytes[end + 1..]),
        None => (bytes, &[][..]),
    };
    (line.strip_suffix(b"\r").unwrap_or(line), rest)
}

/// The method and the address of the line that begins a request.
fn request_line(line: &[u8]) -> Option<(Method, Uri)> {
    let mut words = std::str::from_utf8(line).ok()?.split(' ');
    let (method, target, version) = (words.next()?, words.next()?, words.next()?);
    if words.next().is_some() || !VERSIONS.contains(&version) {
        return None;
    }
    Some((method.parse().ok()?, target.parse().ok()?))
}

fn body(headers: &HeaderMap, rest: &[u8]) -> Result<Bytes> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if text("transfer-encoding").is_some_and(|value| value.eq_ignore_ascii_case("chunked")) {
        return chunks(rest);
    }
    let length = text("content-length").and_then(|value| value.parse().ok());
    let length = length.unwrap_or(rest.len()).min(rest.len());
    Ok(Bytes::copy_from_slice(&rest[..length]))
}

/// A body in chunks, unless whoever wrote the request down has joined them already.
/// <https://www.rfc-editor.org/rfc/rfc9112#section-7.1>
fn chunks(bytes: &[u8]) -> Result<Bytes> {
    let mut body = Vec::new();
    let mut rest = bytes;
    loop {
        let (line, after) = split_line(rest);
        let digits = String::from_utf8_lossy(line);
        let digits = digits.split(';').next().unwrap_or_default().trim();
        let Ok(length) = usize::from_str_radix(digits, 16) else {
            if body.is_empty() {
                return Ok(Bytes::copy_from_slice(bytes));
            }
            bail!("The request's body is not in chunks, as Transfer-Encoding says.");
        };
        if length == 0 {
            return Ok(body.into());
        }
        let chunk = after.get(..length);
        let chunk = chunk.ok_or_else(|| anyhow!("The last chunk of the body is too short."))?;
        body.extend_from_slice(chunk);
        (_, rest) = split_line(&after[length..]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<(String, Vec<(String, String)>, String)> {
        let request = parse(text.as_bytes()).unwrap()?;
        let body = String::from_utf8(request.body.to_vec()).unwrap();
        Some((request.method.to_string(), request.query, body))
    }

    #[test]
    fn requests_are_read_with_either_line_break_and_other_text_is_none() {
        let query = vec![("team".to_owned(), "a b".to_owned())];
        for end in ["\n", "\r\n"] {
            let text = ["POST /desk?team=a+b HTTP/1.1", "Host: x", "", "{\"id\":\n 1}"].join(end);
            let expected = ("POST".to_owned(), query.clone(), "{\"id\":\n 1}".to_owned());
            assert_eq!(read(&text), Some(expected));
        }
        for none in ["", "{\"a\": 1}", "POST /x", "POST /x HTTP/9", "a=1&b=2 HTTP/1.1"] {
            assert_eq!(read(none), None, "{none}");
        }
        assert_eq!(read("POST / HTTP/2").unwrap().2, "");
    }

    #[test]
    fn a_body_ends_where_the_request_says() {
        let body = |text: &str| read(text).unwrap().2;
        assert_eq!(body("POST / HTTP/1.1\nContent-Length: 2\n\n{}\n"), "{}");
        assert_eq!(body("POST / HTTP/1.1\nContent-Length: 9\n\n{}\n"), "{}\n");
        let chunked = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
        assert_eq!(
            body(&format!("{chunked}2\r\n{{\"\r\n4\r\na\":1\r\n1\r\n}}\r\n0\r\n")),
            "{\"a\":1}"
        );
        assert_eq!(body(&format!("{chunked}{{\"a\":1}}")), "{\"a\":1}");
        assert!(parse(format!("{chunked}ffffffffffffffff\r\nab").as_bytes()).is_err());
        assert!(parse(b"POST / HTTP/1.1\nno header\n\n{}").is_err());
    }
}
