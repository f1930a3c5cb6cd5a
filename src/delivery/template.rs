//! What a sender signs, as a template such as `{id}.{timestamp}.{body}`.

use std::fmt;

use super::scheme::single;
use super::{Delivery, Refused};

/// The bytes that are signed: text, and parts of the delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template(Vec<Part>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Body,
    Timestamp,
    Id,
    Method,
    Url,
    Header(http::HeaderName),
}

/// Values that a template takes from the configuration of a scheme instead of from the delivery.
pub(super) struct Values<'a> {
    pub(super) timestamp: Option<&'a str>,
    pub(super) id: Option<&'a str>,
    pub(super) url: Option<&'a str>,
}

impl Template {
    /// Reads a template; the error is a sentence that says what is wrong.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            if !before.is_empty() {
                parts.push(Part::Text(before.to_owned()));
            }
            let (name, after) = after.split_once('}').ok_or("a `{` is not closed by `}`")?;
            parts.push(match name {
                "body" => Part::Body,
                "timestamp" => Part::Timestamp,
                "id" => Part::Id,
                "method" => Part::Method,
                "url" => Part::Url,
                _ => match name.strip_prefix("header:").map(str::parse) {
                    Some(Ok(header)) => Part::Header(header),
                    Some(Err(_)) => return Err(format!("{{{name}}} does not name a header")),
                    None => {
                        return Err(format!(
                            "{{{name}}} is not one of {{body}}, {{timestamp}}, {{id}}, {{method}}, {{url}}, {{header:NAME}}"
                        ));
                    }
                },
            });
            rest = after;
        }
        if !rest.is_empty() {
            parts.push(Part::Text(rest.to_owned()));
        }
        Ok(Self(parts))
    }

    /// The body and nothing else.
    #[must_use]
    pub fn body() -> Self {
        Self(vec![Part::Body])
    }

    /// Whether the body is signed at all.
    #[must_use]
    pub fn signs_body(&self) -> bool {
        self.0.contains(&Part::Body)
    }

    /// Whether the time of signing is signed.
    #[must_use]
    pub fn signs_timestamp(&self) -> bool {
        self.0.contains(&Part::Timestamp)
    }

    /// Whether the delivery id is signed.
    #[must_use]
    pub fn signs_id(&self) -> bool {
        self.0.contains(&Part::Id)
    }

    /// Whether the registered address is signed.
    #[must_use]
    pub fn signs_url(&self) -> bool {
        self.0.contains(&Part::Url)
    }

    /// The signed pieces in order. They have to show where one ends: whoever replays a delivery
    /// could else move bytes from one into the next.
    pub(super) fn pieces<'a>(
        &'a self,
        delivery: &'a Delivery,
        values: &Values<'a>,
    ) -> Result<Vec<&'a [u8]>, Refused> {
        let mut pieces = Vec::with_capacity(self.0.len());
        for (index, part) in self.0.iter().enumerate() {
            let piece = part.piece(delivery, values)?;
            if part.reaches_into(piece, &self.0[index + 1..]) {
                return Err(Refused::Ambiguous(part.to_string()));
            }
            pieces.push(piece);
        }
        Ok(pieces)
    }
}

impl Part {
    fn piece<'a>(
        &'a self,
        delivery: &'a Delivery,
        values: &Values<'a>,
    ) -> Result<&'a [u8], Refused> {
        let missing = || Refused::Missing(self.to_string());
        match self {
            Self::Text(text) => Ok(text.as_bytes()),
            Self::Body => Ok(delivery.body.as_ref()),
            Self::Method => Ok(delivery.method.as_str().as_bytes()),
            Self::Timestamp => values.timestamp.map(str::as_bytes).ok_or_else(missing),
            Self::Id => values.id.map(str::as_bytes).ok_or_else(missing),
            Self::Url => values.url.map(str::as_bytes).ok_or_else(missing),
            Self::Header(name) => single(&delivery.headers, name).map(str::as_bytes),
        }
    }

    /// Whether what a stranger chose for this part holds what ends it, and so may hold some of the
    /// parts that follow.
    fn reaches_into(&self, piece: &[u8], next: &[Self]) -> bool {
        if matches!(self, Self::Text(_) | Self::Body | Self::Url) {
            return false;
        }
        // The end of a piece and the beginning of the text may make the text as well.
        let holds = |text: &[u8]| {
            let joined = [piece, text].concat();
            joined.windows(text.len()).position(|window| window == text) != Some(piece.len())
        };
        match next {
            // A body begins as no time goes on, so that a time may have a fraction or colons.
            [Self::Text(_), Self::Body, ..] if *self == Self::Timestamp => false,
            [Self::Text(text), ..] => holds(text.as_bytes()),
            // Without text between, JSON itself shows where it begins.
            [Self::Body, ..] => piece.contains(&b'{') || piece.contains(&b'['),
            _ => false,
        }
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Body => f.write_str("body"),
            Self::Timestamp => f.write_str("timestamp"),
            Self::Id => f.write_str("id"),
            Self::Method => f.write_str("method"),
            Self::Url => f.write_str("url"),
            Self::Header(name) => f.write_str(name.as_str()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_templates_and_says_what_is_wrong() {
        let template = Template::parse("v0:{timestamp}:{body}").unwrap();
        assert_eq!(
            template.0,
            [Part::Text("v0:".into()), Part::Timestamp, Part::Text(":".into()), Part::Body]
        );
        assert!(Template::parse("{header:X-Thing}{url}{method}{id}").unwrap().signs_url());
        assert!(Template::parse("{bodi}").unwrap_err().contains("{bodi} is not one of {body}"));
        assert!(Template::parse("{body").unwrap_err().contains("not closed"));
        assert!(Template::parse("{header:a b}").unwrap_err().contains("does not name a header"));
    }
}
