//! jq's regular expressions, in place of jaq's: `test`, `match`, `capture`, `scan`, `split`, `sub`
//! and `gsub`.
//!
//! jaq's compile a pattern at each call, keep every intermediate text of a replacement, and panic
//! where a group that stands later in the pattern matches earlier in the text. These take time and
//! memory in proportion to the text.

use std::ops::Range;
use std::rc::Rc;

use bytes::Bytes;
use jaq_core::box_iter::box_once;
use jaq_core::native::{Filter, Fun, bome, run, v};
use jaq_core::{Bind, Cv, Error, Exn, RunPtr, ValXs};
use jaq_json::{Map, Val};
use jaq_std::ValT as _;

use super::data::Kind;
use super::pattern::{Match, Pattern, Patterns};

/// The longest text that a replacement makes, in bytes: four times the largest body.
const LONGEST_TEXT: usize = 4 << 20;

/// The most texts that a replacement with several outputs makes.
const TEXTS: usize = 100;

/// The most parts that a text is split into.
const PARTS: usize = 100_000;

/// The functions, by name, arguments and implementation.
pub(super) fn all() -> impl Iterator<Item = Fun<Kind>> {
    let replacement = || Box::from([Bind::Var(()), Bind::Fun(()), Bind::Var(())]);
    let functions: [Filter<RunPtr<Kind>>; 8] = [
        ("test", v(2), |cv| {
            bome(
                Matches::from_call(cv, false)
                    .map(|mut matches| Val::from(matches.next().is_some())),
            )
        }),
        ("match", v(2), |cv| stream(Matches::from_call(cv, false), Matches::describe)),
        ("capture", v(2), |cv| stream(Matches::from_call(cv, false), Matches::named_groups)),
        ("scan", v(2), |cv| stream(Matches::from_call(cv, true), Matches::groups)),
        ("split", v(2), |cv| bome(Matches::from_call(cv, true).and_then(Matches::gaps))),
        ("split", v(1), |mut cv| {
            let separator = cv.0.pop_var();
            bome(split(cv.1, separator))
        }),
        ("sub", replacement(), |cv| replace(cv, false)),
        ("gsub", replacement(), |cv| replace(cv, true)),
    ];
    functions.into_iter().map(run::<Kind>)
}

/// The matches of a pattern in a text, one after the other.
struct Matches {
    pattern: Rc<Pattern>,
    is_global: bool,
    value: Val,
    text: Bytes,
    /// Where the search goes on; `None` at its end.
    at: Option<usize>,
    last_end: Option<usize>,
    counted: Counted,
}

/// A place in a text up to which the characters are counted, so that none is counted twice.
#[derive(Default)]
struct Counted {
    bytes: usize,
    characters: usize,
}

impl Matches {
    /// The matches for a call of a function: its input is the text, its arguments are the pattern
    /// and the flags.
    fn from_call(mut cv: Cv<'_, Kind>, is_global: bool) -> Result<Self, Error<Val>> {
        let flags = cv.0.pop_var();
        let pattern = cv.0.pop_var();
        Self::new(&cv.0.data().shared.patterns, cv.1, &pattern, &flags, is_global)
    }

    fn new(
        patterns: &Patterns,
        value: Val,
        pattern: &Val,
        flags: &Val,
        is_global: bool,
    ) -> Result<Self, Error<Val>> {
        let pattern = patterns.get(pattern, flags)?;
        let Val::TStr(text) = &value else { return Err(Error::typ(value, "string")) };
        Ok(Self {
            is_global: is_global || pattern.is_global,
            pattern,
            text: Bytes::clone(text),
            value,
            at: Some(0),
            last_end: None,
            counted: Counted::default(),
        })
    }

    /// A part of the text, which shares its bytes.
    fn part(&self, range: &Range<usize>) -> Val {
        Val::utf8_str(self.text.slice(range.clone()))
    }

    /// An output of `match`.
    fn describe(&mut self, found: &Match) -> Val {
        let start = found.whole.start;
        let passed = &self.text[self.counted.bytes..start];
        let offset = self.counted.characters + count(passed);
        self.counted = Counted { bytes: start, characters: offset };
        let mut captures = Vec::new();
        for (range, name) in found.groups.iter().zip(&self.pattern.names) {
            let Some(range) = range else { continue };
            let mut capture = self.fields(range, offset + count(&self.text[start..range.start]));
            if let Some(name) = name {
                capture.insert(string("name"), string(name));
            }
            captures.push(Val::obj(capture));
        }
        let mut description = self.fields(&found.whole, offset);
        description.insert(string("captures"), Val::Arr(captures.into()));
        Val::obj(description)
    }

    /// The fields that a match and its groups have in common. The offset is in characters.
    fn fields(&self, range: &Range<usize>, offset: usize) -> Map {
        let mut fields = Map::default();
        fields.insert(string("offset"), Val::from(offset));
        fields.insert(string("length"), Val::from(count(&self.text[range.clone()])));
        fields.insert(string("string"), self.part(range));
        fields
    }

    /// An output of `capture`: the texts of the groups that have names.
    fn named_groups(&mut self, found: &Match) -> Val {
        let mut named = Map::default();
        for (range, name) in found.groups.iter().zip(&self.pattern.names) {
            if let (Some(range), Some(name)) = (range, name) {
                named.insert(string(name), self.part(range));
            }
        }
        Val::obj(named)
    }

    /// An output of `scan`: the texts of the groups, or the whole match where there are none.
    fn groups(&mut self, found: &Match) -> Val {
        let groups: Vec<_> = found.groups.iter().flatten().map(|range| self.part(range)).collect();
        if groups.is_empty() { self.part(&found.whole) } else { Val::Arr(groups.into()) }
    }

    /// The output of `split`: the text between the matches.
    fn gaps(mut self) -> Result<Val, Error<Val>> {
        let mut gaps = Vec::new();
        let mut end = 0;
        while let Some(found) = self.next() {
            if gaps.len() + 1 >= PARTS {
                return Err(too_many_parts());
            }
            gaps.push(self.part(&(end..found.whole.start)));
            end = found.whole.end;
        }
        gaps.push(self.part(&(end..self.text.len())));
        Ok(Val::Arr(gaps.into()))
    }
}

impl Iterator for Matches {
    type Item = Match;

    fn next(&mut self) -> Option<Match> {
        loop {
            let from = self.at.take()?;
            if from > self.text.len() {
                return None;
            }
            let found = self.pattern.find(&self.text, from)?;
            let Range { start, end } = found.whole;
            // An empty match right behind another one doesn't count.
            if start == end && (self.pattern.skips_empty || self.last_end == Some(end)) {
                self.at = Some(next_character(&self.text, end));
                continue;
            }
            if self.is_global {
                self.at = Some(end);
            }
            self.last_end = Some(end);
            return Some(found);
        }
    }
}

/// The outputs of a function with one for each match.
fn stream<'a>(
    matches: Result<Matches, Error<Val>>,
    output: impl Fn(&mut Matches, &Match) -> Val + 'a,
) -> ValXs<'a, Val> {
    match matches {
        Ok(mut matches) => Box::new(std::iter::from_fn(move || {
            let found = matches.next()?;
            Some(Ok(output(&mut matches, &found)))
        })),
        Err(error) => box_once(Err(error.into())),
    }
}

/// `sub(pattern; replacement; flags)` and `gsub`.
fn replace(mut cv: Cv<'_, Kind>, is_global: bool) -> ValXs<'_, Val> {
    let flags = cv.0.pop_var();
    let (replacement, context) = cv.0.pop_fun();
    let pattern = cv.0.pop_var();
    let patterns = &cv.0.data().shared.patterns;
    let outputs =
        |groups: Val| replacement.run((context.clone(), groups)).take(TEXTS + 1).collect();
    let texts = match Matches::new(patterns, cv.1, &pattern, &flags, is_global) {
        Ok(matches) => replaced(matches, outputs),
        Err(error) => Err(error.into()),
    };
    match texts {
        Ok(texts) => Box::new(texts.into_iter().map(Ok)),
        Err(error) => box_once(Err(error)),
    }
}

/// The text with its matches replaced; several where the replacement has several outputs, none
/// where it has none.
fn replaced<'a>(
    mut matches: Matches,
    replacement: impl Fn(Val) -> Result<Vec<Val>, Exn<'a, Val>>,
) -> Result<Vec<Val>, Exn<'a, Val>> {
    // Without names each match is replaced by the same.
    let is_constant = matches.pattern.names.iter().all(Option::is_none);
    let mut known = None;
    let mut texts = vec![Vec::new()];
    let mut end = 0;
    while let Some(found) = matches.next() {
        let pieces = match known.take() {
            Some(pieces) if is_constant => pieces,
            _ => as_texts(replacement(matches.named_groups(&found))?)?,
        };
        texts = extend(texts, &matches.text[end..found.whole.start], &pieces)?;
        end = found.whole.end;
        known = Some(pieces);
    }
    if matches.last_end.is_none() {
        return Ok(vec![matches.value]);
    }
    let whole_texts = extend(texts, &matches.text[end..], &[Bytes::new()])?;
    Ok(whole_texts.into_iter().map(Val::utf8_str).collect())
}

/// The outputs of a replacement, which have to be text; null is empty text.
fn as_texts(values: Vec<Val>) -> Result<Vec<Bytes>, Error<Val>> {
    let mut texts = Vec::with_capacity(values.len());
    for value in values {
        match (string("") + value)? {
            Val::TStr(text) | Val::BStr(text) => texts.push(Bytes::clone(&text)),
            other => return Err(Error::typ(other, "string")),
        }
    }
    Ok(texts)
}

/// Each text with `gap` and each of the pieces at its end.
fn extend(
    mut texts: Vec<Vec<u8>>,
    gap: &[u8],
    pieces: &[Bytes],
) -> Result<Vec<Vec<u8>>, Error<Val>> {
    let count = texts.len() * pieces.len();
    if count > TEXTS {
        return Err(Error::str(format_args!("the replacement gives more than {TEXTS} texts")));
    }
    let mut length = 0;
    for piece in pieces {
        for text in &texts {
            length += text.len() + gap.len() + piece.len();
        }
    }
    if length > LONGEST_TEXT {
        return Err(Error::str("the replacement makes a text of more than 4 MiB"));
    }
    if let [piece] = pieces {
        for text in &mut texts {
            text.extend_from_slice(gap);
            text.extend_from_slice(piece);
        }
        return Ok(texts);
    }
    let mut extended = Vec::with_capacity(count);
    for text in &texts {
        for piece in pieces {
            extended.push([text, gap, piece].concat());
        }
    }
    Ok(extended)
}

/// `split(separator)`: the parts between fixed texts.
fn split(text: Val, separator: Val) -> Result<Val, Error<Val>> {
    let (Some(whole), Some(between)) = (text.as_bytes(), separator.as_bytes()) else {
        return Err(Error::str("split input and separator must be strings"));
    };
    let parts = match (std::str::from_utf8(whole), std::str::from_utf8(between)) {
        (Ok(whole), Ok(between)) => whole.matches(between).count(),
        _ => whole.len(),
    };
    if parts >= PARTS { Err(too_many_parts()) } else { text / separator }
}

fn too_many_parts() -> Error<Val> {
    Error::str(format_args!("split gives more than {PARTS} parts"))
}

fn string(text: &str) -> Val {
    Val::from(text.to_owned())
}

/// How many characters begin in these bytes.
fn count(text: &[u8]) -> usize {
    text.iter().filter(|byte| is_first(**byte)).count()
}

/// Where the character after the one at `at` begins.
fn next_character(text: &[u8], at: usize) -> usize {
    (at + 1..text.len()).find(|next| is_first(text[*next])).unwrap_or(text.len().max(at + 1))
}

/// Whether it is the first byte of a character in UTF-8.
fn is_first(byte: u8) -> bool {
    byte & 0xC0 != 0x80
}

#[cfg(test)]
mod tests {
    use super::super::program::outputs;

    #[test]
    fn they_give_what_jq_gives() {
        for (expression, input, expected) in [
            (
                r#"[test("B"), test("B"; "i"), test("B"; null), test(["B", "i"])]"#,
                "abc",
                "[false,true,false,true]",
            ),
            (
                r#"[match("b(?<n>.)?"; "g")]"#,
                "äbc b",
                r#"[{"offset":1,"length":2,"string":"bc","captures":[{"offset":2,"length":1,"string":"c","name":"n"}]},{"offset":4,"length":1,"string":"b","captures":[]}]"#,
            ),
            (r#"[match(""; "g").offset]"#, "äb", "[0,1,2]"),
            (r#"[match("a*"; "g").length]"#, "aab", "[2,0]"),
            (r#"[match("a*"; "gn").length]"#, "aab", "[2]"),
            (r#"capture("(?<key>[A-Z]+)-(?<n>\\d+)")"#, "see SUP-7", r#"{"key":"SUP","n":"7"}"#),
            (r#"[capture("x")]"#, "a", "[]"),
            (r#"[scan("[a-c]")]"#, "abcd", r#"["a","b","c"]"#),
            (r#"[scan("(a)(.)")]"#, "abac", r#"[["a","b"],["a","c"]]"#),
            (r#"split(", *"; null)"#, "a,b, c", r#"["a","b","c"]"#),
            (r#"[splits("-")]"#, "a-b-", r#"["a","b",""]"#),
            (r#"split("-")"#, "a-b", r#"["a","b"]"#),
            (r#"split("")"#, "äb", r#"["ä","b"]"#),
            (r#"sub("b"; "x")"#, "abb", r#""axb""#),
            (r#"sub("b"; "x"; "g")"#, "abb", r#""axx""#),
            (r#"sub("z"; error)"#, "abb", r#""abb""#),
            (r#"gsub("(?<d>\\d)"; "<\(.d)>")"#, "a1b2", r#""a<1>b<2>""#),
            (r#"gsub(""; "-")"#, "äb", r#""-ä-b-""#),
            (r#"gsub("^"; ">")"#, "a", r#"">a""#),
            (
                r#"gsub("\\s+"; " ")"#,
                "a 	 b
",
                r#""a b ""#,
            ),
            (r#"[gsub("a"; "b", "c")]"#, "aa", r#"["bb","bc","cb","cc"]"#),
            (r#"[gsub("a"; empty)]"#, "aa", "[]"),
            (r#"gsub("a"; null)"#, "aba", r#""b""#),
            // A group that stands later in the pattern matches earlier in the text.
            (r#"[match("(?:(b)|(a))*").captures[].string]"#, "ab", r#"["b","a"]"#),
            (r#"gsub("(?:(?<x>b)|(?<y>a))+"; .x + .y)"#, "ab", r#""ba""#),
        ] {
            let input = format!("\"{}\"", input.replace('\t', "\\t").replace('\n', "\\n"));
            assert_eq!(outputs(expression, &input), [expected], "{expression}");
        }
    }

    #[test]
    fn what_is_wrong_is_told() {
        for (expression, error) in [
            (r#"test("(")"#, "error: \"invalid regex: "),
            (r#"test("a"; "q")"#, "error: \"invalid regex flag: q"),
            ("test(1)", "error: cannot use 1 as string"),
            (r#"1 | test("a")"#, "error: cannot use 1 as string"),
            (r#"gsub("a"; 1)"#, "error: cannot calculate"),
            (r#"gsub("a"; error("no"))"#, "error: \"no\""),
            (r#"gsub("a"; repeat("b"))"#, "error: \"the replacement gives more than 100 texts"),
            (
                r#"gsub(""; "b" * 1000000)"#,
                "error: \"the replacement makes a text of more than 4 MiB",
            ),
            (
                r#"[range(200000) | ""] | join("-") | split("-")"#,
                "error: \"split gives more than 100000 parts",
            ),
            (r#"test("(a{1000}){1000}")"#, "error: \"invalid regex: "),
            (r#"1 | split("a")"#, "error: \"split input and separator must be strings"),
        ] {
            let outputs = outputs(expression, "\"aaaaaaaaaaa\"");
            assert!(outputs[0].starts_with(error), "{expression}: {outputs:?}");
        }
    }

    #[test]
    fn a_pattern_is_compiled_once_and_not_for_ever() {
        let many = r#"[range(100) as $n | test("\($n)")] | length"#;
        assert_eq!(outputs(many, "\"a\""), ["100"]);
    }
}
