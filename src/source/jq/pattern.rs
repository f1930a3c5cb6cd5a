//! Compiled regular expressions, and where they match.

use std::cell::RefCell;
use std::collections::HashMap;
use std::ops::Range;
use std::rc::Rc;

use jaq_core::Error;
use jaq_json::Val;
use jaq_std::ValT as _;
use regex_bites::bytes::{Regex, RegexBuilder};

/// The most patterns that a delivery keeps compiled, and the most memory of one in bytes: a payload
/// may hold any number.
const PATTERNS: usize = 32;
const PATTERN_MEMORY: usize = 256 << 10;

/// Compiled patterns, by themselves and their flags.
#[derive(Default)]
pub(super) struct Patterns(RefCell<HashMap<(String, String), Rc<Pattern>>>);

/// A compiled pattern with its flags.
pub(super) struct Pattern {
    regex: Regex,
    /// The names of its groups, without the whole match.
    pub(super) names: Vec<Option<String>>,
    /// The flag `g`: all matches count, not the first alone.
    pub(super) is_global: bool,
    /// The flag `n`: empty matches don't count.
    pub(super) skips_empty: bool,
}

/// Where in a text a match lies, in bytes.
pub(super) struct Match {
    pub(super) whole: Range<usize>,
    /// Where its groups lie; `None` for a group that takes no part in it.
    pub(super) groups: Vec<Option<Range<usize>>>,
}

impl Patterns {
    /// The compiled pattern. As in jq, the two may come as an array, and null means no flags.
    pub(super) fn get(&self, pattern: &Val, flags: &Val) -> Result<Rc<Pattern>, Error<Val>> {
        if let Val::Arr(both) = pattern {
            let item = |index: usize| both.get(index).unwrap_or(&Val::Null);
            return self.get_text(item(0), item(1));
        }
        self.get_text(pattern, flags)
    }

    fn get_text(&self, pattern: &Val, flags: &Val) -> Result<Rc<Pattern>, Error<Val>> {
        let flags_text = if *flags == Val::Null { String::new() } else { text(flags)? };
        let key = (text(pattern)?, flags_text);
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
                'i' => drop(builder.case_insensitive(true)),
                'm' => drop(builder.multi_line(true)),
                's' => drop(builder.dot_matches_new_line(true)),
                'l' => drop(builder.swap_greed(true)),
                'x' => drop(builder.ignore_whitespace(true)),
                'p' => drop(builder.multi_line(true).dot_matches_new_line(true)),
                other => return Err(Error::str(format_args!("invalid regex flag: {other}"))),
            }
        }
        let regex = match builder.build() {
            Ok(regex) => regex,
            Err(error) => return Err(Error::str(format_args!("invalid regex: {error}"))),
        };
        let names = regex.capture_names().skip(1).map(|name| name.map(str::to_owned)).collect();
        Ok(Self { regex, names, is_global, skips_empty })
    }

    /// The first match at this byte or behind it.
    pub(super) fn find(&self, text: &[u8], from: usize) -> Option<Match> {
        if self.names.is_empty() {
            let whole = self.regex.find_at(text, from)?.range();
            return Some(Match { whole, groups: Vec::new() });
        }
        let captures = self.regex.captures_at(text, from)?;
        let mut ranges = captures.iter().map(|group| group.map(|group| group.range()));
        let whole = ranges.next().flatten()?;
        Some(Match { whole, groups: ranges.collect() })
    }
}

fn text(value: &Val) -> Result<String, Error<Val>> {
    let Some(bytes) = value.as_utf8_bytes() else {
        return Err(Error::typ(value.clone(), "string"));
    };
    std::str::from_utf8(bytes).map(str::to_owned).map_err(Error::str)
}
