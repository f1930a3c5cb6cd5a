//! The signed text of a sender as a template, such as `{id}.{timestamp}.{body}`.

use std::fmt;

use super::Delivery;
use super::check::{Refused, header_once};

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

/// Why a text is no template.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoTemplate {
    /// A brace is open at the end.
    #[error("a `{{` is not closed by `}}`")]
    Unclosed,
    /// The name of a header is none.
    #[error("{{{0}}} does not name a header")]
    Header(String),
    /// There is no part of this name.
    #[error(
        "{{{0}}} is not one of {{body}}, {{timestamp}}, {{id}}, {{method}}, {{url}}, {{header:NAME}}"
    )]
    Unknown(String),
}

impl Template {
    /// Reads a template.
    pub fn parse(text: &str) -> Result<Self, NoTemplate> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            if !before.is_empty() {
                parts.push(Part::Text(before.to_owned()));
            }
            let (name, after) = after.split_once('}').ok_or(NoTemplate::Unclosed)?;
            parts.push(Part::named(name)?);
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

    /// The signed pieces in order. It has to be clear where each ends, because bytes could be moved
    /// from one into the next when a delivery is replayed.
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
    /// The part with this name in braces.
    fn named(name: &str) -> Result<Self, NoTemplate> {
        match name {
            "body" => Ok(Self::Body),
            "timestamp" => Ok(Self::Timestamp),
            "id" => Ok(Self::Id),
            "method" => Ok(Self::Method),
            "url" => Ok(Self::Url),
            _ => match name.strip_prefix("header:") {
                Some(header) => match header.parse() {
                    Ok(header) => Ok(Self::Header(header)),
                    Err(_) => Err(NoTemplate::Header(name.to_owned())),
                },
                None => Err(NoTemplate::Unknown(name.to_owned())),
            },
        }
    }

    /// The bytes that stand for the part in this delivery.
    fn piece<'a>(
        &'a self,
        delivery: &'a Delivery,
        values: &Values<'a>,
    ) -> Result<&'a [u8], Refused> {
        let text = match self {
            Self::Text(text) => Some(text.as_str()),
            Self::Body => return Ok(&delivery.body),
            Self::Method => Some(delivery.method.as_str()),
            Self::Timestamp => values.timestamp,
            Self::Id => values.id,
            Self::Url => values.url,
            Self::Header(name) => Some(header_once(&delivery.headers, name)?),
        };
        text.map(str::as_bytes).ok_or_else(|| Refused::Missing(self.to_string()))
    }

    /// Whether a stranger's text for this part holds the text that ends it, and so may hold some of
    /// the parts that follow.
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
            // No time goes on with `{` or `[`, so the text between may stand inside of the time, too,
            // as in a fraction.
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
        assert!(
            Template::parse("{bodi}")
                .unwrap_err()
                .to_string()
                .contains("{bodi} is not one of {body}")
        );
        assert!(Template::parse("{body").unwrap_err().to_string().contains("not closed"));
        assert!(
            Template::parse("{header:a b}")
                .unwrap_err()
                .to_string()
                .contains("does not name a header")
        );
    }
}
