//! jq's regular expressions, in place of jaq's: `test`, `match`, `capture`, `scan`, `split`, `sub`
//! and `gsub`.
//!
//! jaq's compile a pattern at each call, keep every intermediate text of a replacement, and panic
//! where a group that stands later in the pattern matches earlier in the text. These take time and
//! memory in proportion to the text.

use std::cell::RefCell;
use std::collections::HashMap;
use std::ops::Range;
use std::rc::Rc;

use bytes::Bytes;
use jaq_core::box_iter::box_once;
use jaq_core::native::{Filter, Fun, bome, run, v};
use jaq_core::{Bind, Cv, Error, Exn, RunPtr, ValXs};
use jaq_json::Val;
use jaq_std::ValT as _;
use regex_bites::bytes::{Regex, RegexBuilder};

use super::program::Kind;

/// The most patterns that a delivery keeps compiled, and the most memory of one: a payload may hold
/// any number.
const PATTERNS: usize = 32;
const PATTERN_MEMORY: usize = 256 << 10;

/// The longest text that a replacement makes, in bytes: four times the largest body.
const LONGEST_TEXT: usize = 4 << 20;

/// The most texts that a replacement with several outputs makes.
const TEXTS: usize = 100;

/// The most parts that a text is split into.
const PARTS: usize = 100_000;

/// jaq's definitions that have no place any more, with the number of their arguments.
pub(super) const REPLACED: [(&str, usize); 10] = [
    ("capture_of_match", 0),
    ("test", 2),
    ("scan_", 2),
    ("scan", 2),
    ("match", 2),
    ("capture", 2),
    ("split", 1),
    ("split", 2),
    ("sub", 3),
    ("gsub", 3),
];

/// The functions, by name, arguments and implementation.
pub(super) fn all() -> impl Iterator<Item = Fun<Kind>> {
    let replacement = || Box::from([Bind::Var(()), Bind::Fun(()), Bind::Var(())]);
    let functions: [Filter<RunPtr<Kind>>; 8] = [
        ("test", v(2), |cv| {
            bome(Matches::of(cv, false).map(|mut matches| Val::from(matches.next().is_some())))
        }),
        ("match", v(2), |cv| stream(Matches::of(cv, false), Matches::description)),
        ("capture", v(2), |cv| stream(Matches::of(cv, false), Matches::captured)),
        ("scan", v(2), |cv| stream(Matches::of(cv, true), Matches::scanned)),
        ("split", v(2), |cv| bome(Matches::of(cv, true).and_then(Matches::gaps))),
        ("split", v(1), |mut cv| {
            let separator = cv.0.pop_var();
            bome(split(cv.1, separator))
        }),
        ("sub", replacement(), |cv| replace(cv, false)),
        ("gsub", replacement(), |cv| replace(cv, true)),
    ];
    functions.into_iter().map(run::<Kind>)
}

/// Compiled patterns, by themselves and their flags.
#[derive(Default)]
pub(super) struct Patterns(RefCell<HashMap<(String, String), Rc<Pattern>>>);

struct Pattern {
    regex: Regex,
    /// Of its groups, of which the first is the whole match.
    names: Vec<Option<String>>,
    is_global: bool,
    skips_empty: bool,
}

impl Patterns {
    /// The compiled pattern. As in jq, the two may come as an array, and no flags may be null.
    fn get(&self, pattern: &Val, flags: &Val) -> Result<Rc<Pattern>, Error<Val>> {
        let (pattern, flags) = match pattern {
            Val::Arr(both) => {
                (both.first().unwrap_or(&Val::Null), both.get(1).unwrap_or(&Val::Null))
            }
            pattern => (pattern, flags),
        };
        let flags = if matches!(flags, Val::Null) { String::new() } else { text(flags)? };
        let key = (text(pattern)?, flags);
        if let Some(known) = self.0.borrow().get(&key) {
            return Ok(Rc::clone(known));
        }
        let compiled = Rc::new(Pattern::compile(&key.0, &key.1)?);
        let mut kept = self.0.borrow_mut();
        if kept.len() == PATTERNS {
            kept.clear();
        }
        kept.insert(key, Rc::clone(&compiled));
        Ok(compiled)
    }
}

impl Pattern {
    fn compile(pattern: &str, flags: &str) -> Result<Self, Error<Val>> {
        let mut builder = RegexBuilder::new(pattern);
        builder.size_limit(PATTERN_MEMORY);
        let (mut is_global, mut skips_empty) = (false, false);
        for flag in flags.chars() {
            match flag {
                'g' => is_global = true,
                'n' => skips_empty = true,
                'i' => {
                    builder.case_insensitive(true);
                }
                'm' => {
                    builder.multi_line(true);
                }
                's' => {
                    builder.dot_matches_new_line(true);
                }
                'l' => {
                    builder.swap_greed(true);
                }
                'x' => {
                    builder.ignore_whitespace(true);
                }
                'p' => {
                    builder.multi_line(true).dot_matches_new_line(true);
                }
                other => return Err(Error::str(format_args!("invalid regex flag: {other}"))),
            }
        }
        let regex =
            builder.build().map_err(|error| Error::str(format_args!("invalid regex: {error}")))?;
        let names = regex.capture_names().map(|name| name.map(str::to_owned)).collect();
        Ok(Self { regex, names, is_global, skips_empty })
    }

    /// Where the next match and its groups lie.
    fn find(&self, text: &[u8], from: usize) -> Option<Match> {
        if self.names.len() == 1 {
            return Some(vec![Some(self.regex.find_at(text, from)?.range())]);
        }
        let found = self.regex.captures_at(text, from)?;
        Some(found.iter().map(|group| group.map(|group| group.range())).collect())
    }
}

/// Where a match and its groups lie; `None` for a group that takes no part in it.
type Match = Vec<Option<Range<usize>>>;

/// The matches of a pattern in a text, one after the other.
struct Matches {
    pattern: Rc<Pattern>,
    is_global: bool,
    value: Val,
    text: Bytes,
    /// Where the search goes on; `None` at its end.
    at: Option<usize>,
    last_end: Option<usize>,
    /// A place in the text as bytes, and as characters.
    counted: (usize, usize),
}

impl Matches {
    /// Of a function whose input is the text, and whose arguments are the pattern and its flags.
    fn of(mut cv: Cv<'_, Kind>, is_global: bool) -> Result<Self, Error<Val>> {
        let flags = cv.0.pop_var();
        let pattern = cv.0.pop_var();
        Self::new(cv.0.data().patterns(), cv.1, &pattern, &flags, is_global)
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
        let text = Bytes::clone(text);
        let is_global = is_global || pattern.is_global;
        Ok(Self { pattern, is_global, value, text, at: Some(0), last_end: None, counted: (0, 0) })
    }

    /// A part of the text, which shares its bytes.
    fn part(&self, range: Range<usize>) -> Val {
        Val::utf8_str(self.text.slice(range))
    }

    /// What `match` gives.
    fn description(&mut self, found: &Match) -> Val {
        let (mut byte, mut characters) = self.counted;
        let whole = range(found.first());
        characters += count(&self.text[byte..whole.start]);
        byte = whole.start;
        self.counted = (byte, characters);
        let mut groups = Vec::new();
        for (range, name) in found.iter().zip(&self.pattern.names) {
            let Some(range) = range else { continue };
            let offset = characters + count(&self.text[byte..range.start]);
            let length = count(&self.text[range.clone()]);
            let mut group = vec![
                (key("offset"), number(offset)),
                (key("length"), number(length)),
                (key("string"), self.part(range.clone())),
            ];
            group.extend(name.as_ref().map(|name| (key("name"), key(name))));
            groups.push(group);
        }
        let mut groups = groups.into_iter();
        let mut whole = groups.next().unwrap_or_default();
        let captures: Vec<_> = groups.map(|group| Val::obj(group.into_iter().collect())).collect();
        whole.push((key("captures"), Val::Arr(captures.into())));
        Val::obj(whole.into_iter().collect())
    }

    /// What `capture` gives: the texts of the groups that have names.
    fn captured(&mut self, found: &Match) -> Val {
        let groups = found.iter().zip(&self.pattern.names);
        let named = groups
            .filter_map(|(range, name)| Some((key(name.as_ref()?), self.part(range.clone()?))));
        Val::obj(named.collect())
    }

    /// What `scan` gives: the texts of the groups, or the whole match where there are none.
    fn scanned(&mut self, found: &Match) -> Val {
        let mut parts: Vec<_> =
            found.iter().flatten().map(|range| self.part(range.clone())).collect();
        if parts.len() > 1 {
            parts.remove(0);
            return Val::Arr(parts.into());
        }
        parts.pop().unwrap_or_default()
    }

    /// What `split` gives: the text between the matches.
    fn gaps(mut self) -> Result<Val, Error<Val>> {
        let mut gaps = Vec::new();
        let mut end = 0;
        while let Some(found) = self.next() {
            if gaps.len() + 1 >= PARTS {
                return Err(too_many_parts());
            }
            let whole = range(found.first());
            gaps.push(self.part(end..whole.start));
            end = whole.end;
        }
        gaps.push(self.part(end..self.text.len()));
        Ok(Val::Arr(gaps.into()))
    }
}

impl Iterator for Matches {
    type Item = Match;

    fn next(&mut self) -> Option<Match> {
        loop {
            let from = self.at.take().filter(|from| *from <= self.text.len())?;
            let found = self.pattern.find(&self.text, from)?;
            let whole = range(found.first());
            // An empty match right behind another match is none.
            if whole.is_empty() && (self.pattern.skips_empty || self.last_end == Some(whole.end)) {
                self.at = Some(next_character(&self.text, whole.end));
                continue;
            }
            self.at = self.is_global.then_some(whole.end);
            self.last_end = Some(whole.end);
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
    let matches = Matches::new(cv.0.data().patterns(), cv.1, &pattern, &flags, is_global);
    let outputs =
        |captured: Val| replacement.run((context.clone(), captured)).take(TEXTS + 1).collect();
    match matches.map_err(Exn::from).and_then(|matches| replaced(matches, outputs)) {
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
    let mut constant: Option<Vec<Val>> = None;
    let mut texts = vec![Vec::new()];
    let mut end = 0;
    while let Some(found) = matches.next() {
        let pieces = match &constant {
            Some(pieces) => pieces.clone(),
            None => pieces(replacement(matches.captured(&found))?)?,
        };
        let whole = range(found.first());
        texts = extended(texts, &matches.text[end..whole.start], &pieces)?;
        end = whole.end;
        if is_constant {
            constant = Some(pieces);
        }
    }
    if matches.last_end.is_none() {
        return Ok(vec![matches.value]);
    }
    let texts = extended(texts, &matches.text[end..], &[key("")])?;
    Ok(texts.into_iter().map(Val::utf8_str).collect())
}

/// What is put in place of a match has to be text; null is none.
fn pieces(values: Vec<Val>) -> Result<Vec<Val>, Error<Val>> {
    values.into_iter().map(|value| key("") + value).collect()
}

/// Each text with `gap` and each of the pieces at its end.
fn extended(
    mut texts: Vec<Vec<u8>>,
    gap: &[u8],
    pieces: &[Val],
) -> Result<Vec<Vec<u8>>, Error<Val>> {
    let bytes = |piece: &Val| piece.as_bytes().map(<[u8]>::to_vec).unwrap_or_default();
    let count = texts.len() * pieces.len();
    let added: usize =
        pieces.iter().map(|piece| piece.as_bytes().map_or(0, <[u8]>::len) + gap.len()).sum();
    let length = texts.iter().map(Vec::len).sum::<usize>() * pieces.len() + added * texts.len();
    if count > TEXTS {
        return Err(Error::str(format_args!("the replacement gives more than {TEXTS} texts")));
    }
    if length > LONGEST_TEXT {
        return Err(Error::str("the replacement makes a text of more than 4 MiB"));
    }
    if let [piece] = pieces {
        for text in &mut texts {
            text.extend_from_slice(gap);
            text.extend_from_slice(piece.as_bytes().unwrap_or_default());
        }
        return Ok(texts);
    }
    let each = |text: &Vec<u8>| {
        pieces.iter().map(|piece| [text, gap, &bytes(piece)].concat()).collect::<Vec<_>>()
    };
    Ok(texts.iter().flat_map(each).collect())
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

fn text(value: &Val) -> Result<String, Error<Val>> {
    let bytes = value.as_utf8_bytes().ok_or_else(|| Error::typ(value.clone(), "string"))?;
    std::str::from_utf8(bytes).map(str::to_owned).map_err(Error::str)
}

fn range(group: Option<&Option<Range<usize>>>) -> Range<usize> {
    group.cloned().flatten().unwrap_or_default()
}

fn key(name: &str) -> Val {
    Val::from(name.to_owned())
}

fn number(number: usize) -> Val {
    Val::from(number)
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
