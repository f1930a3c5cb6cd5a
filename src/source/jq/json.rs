//! Checked JSON as jq's values, in as little memory as these allow.
//!
//! jaq's own reader takes up to 70 times the text, and a third of a second for each MiB. Here text
//! shares the body's bytes, arrays and objects are made in their final size, and empty ones are
//! shared. A body whose values would still take too much is refused before any value is made.
//!
//! A `DeserializeSeed` over `serde_json` would take over the syntax and the escapes, some 80 lines.
//! It doesn't know how many elements come, so the pass that counts them would stay, and a number
//! keeps its digits only through `RawValue`, whose copies of it are what this is to avoid. A
//! property test holds it against `serde_json` instead.

use bytes::Bytes;
use jaq_core::ValT as _;
use jaq_json::Val;
use jaq_json::{Map, Rc};

use crate::delivery::{Json, Unreadable};

/// The most elements of an array, and fields of an object: each may cost an expression some
/// microseconds. An event has half as many updates at most, so that one with too many is told
/// so.
const ELEMENTS: u32 = 20_000;

/// The most memory that the values of one body take, in bytes. With the body itself, and its text,
/// that stays below ten times the largest body.
const MEMORY: usize = 15 << 19;

/// The bytes that jaq's values take beyond a place of 16 bytes in their container.
const TEXT: usize = 32;
const LONG_NUMBER: usize = 64;
const ARRAY: usize = 40;
const OBJECT: usize = 80;
const PLACE: usize = 16;
const FIELD: usize = 40;

/// Reads checked JSON. The values share its text.
pub(crate) fn read(json: Json) -> Result<Val, Unreadable> {
    let text = Bytes::from(json.into_string());
    let sizes = sizes(&text)?;
    let mut reader = Reader {
        text,
        at: 0,
        sizes: sizes.into_iter(),
        empty_array: Val::Arr(Rc::default()),
        empty_object: Val::Obj(Rc::default()),
    };
    reader.value().ok_or_else(|| Unreadable::NotJson("it ends too early".to_owned()))
}

/// How many elements each array and object has, in the order in which they begin.
fn sizes(json: &[u8]) -> Result<Vec<u32>, Unreadable> {
    let mut sizes: Vec<u32> = Vec::new();
    let mut open: Vec<usize> = Vec::new();
    let mut memory = 0;
    let mut is_empty = false;
    let mut at = 0;
    while let Some(byte) = json.get(at) {
        let mut length = 1;
        match byte {
            b' ' | b'\t' | b'\n' | b'\r' | b':' => {
                at += 1;
                continue;
            }
            b'[' | b'{' => {
                open.push(sizes.len());
                sizes.push(0);
            }
            b',' | b']' | b'}' => {
                let Some(elements) = open.last().and_then(|index| sizes.get_mut(*index)) else {
                    return Err(Unreadable::NotJson("a bracket is missing".to_owned()));
                };
                *elements += u32::from(*byte == b',' || !is_empty);
                if *elements > ELEMENTS {
                    return Err(Unreadable::TooManyValues);
                }
                if *byte != b',' {
                    memory += size_of_container(*byte == b'}', *elements as usize);
                    open.pop();
                }
            }
            b'"' => {
                length = length_of_string(&json[at..]);
                memory += TEXT;
                // A string with escapes is a copy.
                if json[at..at + length].contains(&b'\\') {
                    memory += length;
                }
            }
            _ => {
                let rest = &json[at..];
                let end = rest.iter().position(|byte| b",]} \t\r\n".contains(byte));
                length = end.unwrap_or(rest.len());
                let is_integer = !rest[..length].iter().any(|byte| b".eE".contains(byte));
                if !is_integer || length >= 19 {
                    memory += LONG_NUMBER + length;
                }
            }
        }
        is_empty = matches!(byte, b'[' | b'{');
        at += length;
        if memory > MEMORY {
            return Err(Unreadable::TooManyValues);
        }
    }
    Ok(sizes)
}

/// The bytes of an array or an object with its places, without its values.
fn size_of_container(is_object: bool, elements: usize) -> usize {
    match (is_object, elements) {
        (_, 0) => 0,
        (false, elements) => ARRAY + PLACE * elements,
        (true, fields) => {
            // A hash table has a power of two of buckets, of which a seventh stays free, of nine
            // bytes each.
            let buckets = (fields * 8 / 7 + 1).next_power_of_two().max(4);
            OBJECT + FIELD * fields + 9 * buckets + 16
        }
    }
}

/// How long the string at the start of the text is, with its quotes.
fn length_of_string(json: &[u8]) -> usize {
    let mut at = 1;
    while let Some(byte) = json.get(at) {
        match byte {
            b'"' => return at + 1,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    json.len()
}

/// Reads values one after the other. `None` where the text ends too early, which checked JSON
/// doesn't.
struct Reader {
    text: Bytes,
    at: usize,
    sizes: std::vec::IntoIter<u32>,
    empty_array: Val,
    empty_object: Val,
}

impl Reader {
    fn value(&mut self) -> Option<Val> {
        match self.peek()? {
            b'n' => Some(self.literal("null", Val::Null)),
            b't' => Some(self.literal("true", Val::Bool(true))),
            b'f' => Some(self.literal("false", Val::Bool(false))),
            b'"' => self.string(),
            b'[' => self.array(),
            b'{' => self.object(),
            _ => self.number(),
        }
    }

    /// The next byte that isn't white space.
    fn peek(&mut self) -> Option<u8> {
        while self.text.get(self.at)?.is_ascii_whitespace() {
            self.at += 1;
        }
        self.text.get(self.at).copied()
    }

    /// Passes over white space and a bracket, comma or colon.
    fn sign(&mut self) -> Option<u8> {
        let sign = self.peek()?;
        self.at += 1;
        Some(sign)
    }

    fn literal(&mut self, word: &str, value: Val) -> Val {
        self.at += word.len();
        value
    }

    fn number(&mut self) -> Option<Val> {
        let rest = self.text.get(self.at..)?;
        let ends = |byte: &u8| !byte.is_ascii_digit() && !b"+-.eE".contains(byte);
        let length = rest.iter().position(ends).unwrap_or(rest.len());
        if length == 0 {
            return None;
        }
        let number = Val::from_num(std::str::from_utf8(&rest[..length]).ok()?).ok();
        self.at += length;
        number
    }

    fn array(&mut self) -> Option<Val> {
        self.sign()?;
        let size = self.sizes.next()?;
        if size == 0 {
            self.sign()?;
            return Some(self.empty_array.clone());
        }
        let mut items = Vec::with_capacity(size as usize);
        for _ in 0..size {
            items.push(self.value()?);
            self.sign()?;
        }
        Some(Val::Arr(items.into()))
    }

    fn object(&mut self) -> Option<Val> {
        self.sign()?;
        let size = self.sizes.next()?;
        if size == 0 {
            self.sign()?;
            return Some(self.empty_object.clone());
        }
        let mut fields = Map::default();
        fields.reserve(size as usize);
        for _ in 0..size {
            self.peek()?;
            let name = self.string()?;
            self.sign()?;
            fields.insert(name, self.value()?);
            self.sign()?;
        }
        Some(Val::obj(fields))
    }

    /// A string shares the body's bytes, unless it has escapes.
    fn string(&mut self) -> Option<Val> {
        let start = self.at + 1;
        let length = length_of_string(self.text.get(self.at..)?);
        if length < 2 {
            return None;
        }
        self.at += length;
        let end = self.at - 1;
        let has_escapes = self.text[start..end].contains(&b'\\');
        let inside = self.text.slice(start..end);
        Some(Val::utf8_str(if has_escapes { unescape(&inside)? } else { inside }))
    }
}

fn unescape(text: &[u8]) -> Option<Bytes> {
    let mut plain = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.iter().position(|byte| *byte == b'\\') {
        plain.extend_from_slice(&rest[..at]);
        let (character, length) = escape(&rest[at..])?;
        plain.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
        rest = &rest[at + length..];
    }
    plain.extend_from_slice(rest);
    Some(plain.into_boxed_slice().into())
}

/// The character of the escape at the start of the text, and how many bytes the escape takes.
fn escape(text: &[u8]) -> Option<(char, usize)> {
    let character = match text.get(1)? {
        b'n' => '\n',
        b'r' => '\r',
        b't' => '\t',
        b'b' => '\u{8}',
        b'f' => '\u{c}',
        b'u' => return unicode(text),
        other => char::from(*other),
    };
    Some((character, 2))
}

/// `\uXXXX`, or two of them as a surrogate pair. Half of a pair is the replacement character.
fn unicode(text: &[u8]) -> Option<(char, usize)> {
    let unit = |at: usize| {
        let digits = text.get(at..at + 6)?.strip_prefix(b"\\u")?;
        u32::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
    };
    let first = unit(0)?;
    if let (0xD800..=0xDBFF, Some(second @ 0xDC00..=0xDFFF)) = (first, unit(6)) {
        return Some((
            char::from_u32(0x1_0000 + ((first - 0xD800) << 10) + (second - 0xDC00))?,
            12,
        ));
    }
    Some((char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER), 6))
}

#[cfg(test)]
mod tests {
    use proptest::collection::{btree_map, vec};
    use proptest::prelude::*;

    use super::*;

    fn parse(text: &str) -> Result<Val, Unreadable> {
        read(Json::parse(text).unwrap())
    }

    #[test]
    fn values_are_those_that_jaq_reads() {
        for text in [
            "null",
            " true ",
            "false",
            "0",
            "-0",
            "-12",
            "1.50",
            "1E400",
            "123456789012345678901234567890",
            "\"\"",
            "[]",
            "[ ]",
            "{ }",
            "[1,2 , [ ], {}]",
            r#"{"a": {"b": [null, "x"]}, "c\n": "\"\\\/\b\f\n\r\t"}"#,
            r#""\u00e9\u20ac\ud83d\ude00 \ud83d\udE00""#,
            "\"ä€😀\"",
            "[[[[1]]]]",
            r#"[{"a":1},{"a":[{"b":{}}]}]"#,
        ] {
            let expected = jaq_json::read::parse_single(text.as_bytes()).unwrap();
            let read = parse(text).unwrap();
            assert_eq!(read, expected, "{text}");
            assert_eq!(read.to_string(), expected.to_string(), "{text}");
        }
    }

    /// A text as JSON: as it is, or escaped throughout.
    fn quoted((characters, is_escaped): (Vec<char>, bool)) -> String {
        let text = characters.into_iter().collect::<String>();
        if !is_escaped {
            return serde_json::Value::from(text).to_string();
        }
        let units: Vec<_> = text.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect();
        format!("\"{}\"", units.concat())
    }

    fn any_json() -> impl Strategy<Value = String> {
        let text = (vec(any::<char>(), 0..8), any::<bool>()).prop_map(quoted);
        // jaq knows no negative zero.
        let number = "(0|-?[1-9][0-9]{0,30})(\\.[0-9]{1,20})?([eE][+-]?[0-9]{1,2})?";
        let word = prop_oneof![Just("null"), Just("true"), Just("false")].prop_map(str::to_owned);
        let leaf = prop_oneof![word, text, number];
        leaf.prop_recursive(6, 100, 8, move |inner| {
            let space = || "[ \t\r\n]{0,2}";
            let items = vec((space(), inner.clone(), space()), 0..8);
            let fields = btree_map(vec(any::<char>(), 0..8), (any::<bool>(), space(), inner), 0..8);
            prop_oneof![
                items.prop_map(|items| {
                    let items =
                        items.into_iter().map(|(before, item, after)| before + &item + &after);
                    format!("[{}]", items.collect::<Vec<_>>().join(","))
                }),
                fields.prop_map(|fields| {
                    let fields = fields.into_iter().map(|(name, (is_escaped, space, value))| {
                        format!("{space}{}{space}:{space}{value}", quoted((name, is_escaped)))
                    });
                    format!("{{{}}}", fields.collect::<Vec<_>>().join(","))
                }),
            ]
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn values_are_those_that_serde_reads(text in any_json()) {
            let read = parse(&text).unwrap().to_string();
            let expected: serde_json::Value = serde_json::from_str(&text).unwrap();
            prop_assert_eq!(serde_json::from_str::<serde_json::Value>(&read).unwrap(), expected);
        }
    }

    #[test]
    fn half_of_a_surrogate_pair_is_the_replacement_character() {
        for (escape, text) in
            [("\\ud83d", "\u{fffd}"), ("\\ude00x", "\u{fffd}x"), ("\\ud83d\\u0041", "\u{fffd}A")]
        {
            assert_eq!(unescape(escape.as_bytes()).unwrap(), text);
        }
    }

    #[test]
    fn a_body_of_too_many_values_is_refused_before_they_are_made() {
        let array = |item: &str, length: usize| format!("[{}]", vec![item; length].join(","));
        assert!(parse(&array("{}", ELEMENTS as usize)).is_ok());
        assert_eq!(parse(&array("{}", ELEMENTS as usize + 1)), Err(Unreadable::TooManyValues));
        let fields = |fields: usize| {
            format!(
                "{{{}}}",
                (0..fields).map(|n| format!("\"{n}\":{n}")).collect::<Vec<_>>().join(",")
            )
        };
        assert!(parse(&fields(ELEMENTS as usize)).is_ok());
        assert_eq!(parse(&fields(ELEMENTS as usize + 1)), Err(Unreadable::TooManyValues));
        let small_objects = array(&array(r#"{"":0}"#, 1000), 100);
        assert_eq!(parse(&small_objects), Err(Unreadable::TooManyValues));
        // As many updates as an event may have, in a body of 1 MiB.
        let ticket = r#"{"id":1000000,"status":"open","priority":"normal","subject":"Parcel lost","due_at":"2026-10-09"}"#;
        assert!(parse(&array(ticket, 10_000)).is_ok());
    }
}
