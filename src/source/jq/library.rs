//! jq's library, as far as it is written in jq: only what a program uses is read and compiled, since
//! all of it takes more than half of a start.

use std::collections::HashSet;

use jaq_core::load;

/// The definitions, in an order in which each is used by itself and later ones alone.
const LIBRARY: &str = include_str!("library.jq");

/// Functions of jq's standard library that reach outside of the expression.
const ABSENT: [&str; 8] =
    ["debug", "debug_empty", "env", "halt", "halt_error", "now", "stderr", "stderr_empty"];

/// A function that is written in jq.
pub(super) type Definition = load::parse::Def<&'static str>;

/// The words of a program, by which functions are found. Some are words of its texts, which costs
/// little.
#[derive(Default)]
pub(super) struct Words<'t>(HashSet<&'t str>);

impl<'t> Words<'t> {
    /// Adds the words of an expression, without its fields and variables: `.a.b` and `$x`.
    pub(super) fn add(&mut self, code: &'t str) {
        let is_of_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let is_part = |c: char| is_of_name(c) || ".$".contains(c);
        for word in code.split(|c| !is_part(c)) {
            let (name, _) = word.split_once('.').unwrap_or((word, ""));
            if !name.is_empty() && !name.starts_with('$') {
                self.0.insert(name);
            }
        }
        // A format may follow a dot or a word at once: `.@base64 "x"`.
        for (at, _) in code.match_indices('@') {
            let format = &code[at..];
            let end = format[1..].find(|c| !is_of_name(c)).map_or(format.len(), |end| end + 1);
            self.0.insert(&format[..end]);
        }
    }

    pub(super) fn contains(&self, word: &str) -> bool {
        self.0.contains(word)
    }
}

/// The definitions that a program with these words uses, and those that they use; their words are
/// added.
pub(super) fn used_by(words: &mut Words<'_>) -> Vec<Definition> {
    let mut used = Vec::new();
    let texts: Vec<_> = texts().collect();
    for text in texts.into_iter().rev() {
        if words.contains(name(text)) {
            words.add(text);
            used.push(text);
        }
    }
    let mut definitions = Vec::new();
    for text in used.into_iter().rev() {
        definitions.extend(parse(text));
    }
    definitions
}

/// All definitions.
pub(super) fn all() -> Vec<Definition> {
    texts().flat_map(parse).collect()
}

/// Whether expressions may call this function of jq's.
pub(super) fn is_within_reach(name: &str) -> bool {
    !ABSENT.contains(&name)
}

/// Each definition, in the order in which they stand there.
fn texts() -> impl Iterator<Item = &'static str> {
    LIBRARY.split("\n\n").filter(|text| text.starts_with("def "))
}

fn name(definition: &str) -> &str {
    let rest = definition.trim_start_matches("def ");
    rest.split(['(', ':', ' ']).next().unwrap_or_default()
}

/// None of text that isn't jq; a test holds that all of it is.
fn parse(text: &'static str) -> Vec<Definition> {
    load::parse(text, |parser| parser.defs()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Those of which `regex` has its own, with the number of their arguments.
    const REPLACED: [(&str, usize); 10] = [
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

    #[test]
    fn the_library_is_jaqs() {
        let jaqs = jaq_core::defs().chain(jaq_std::defs()).chain(jaq_json::defs());
        let jaqs = jaqs.filter(|def| {
            let is_replaced = REPLACED.contains(&(def.name, def.args.len()));
            is_within_reach(def.name) && !is_replaced
        });
        let text = |definition: Definition| format!("{definition:?}");
        let (jaqs, ours): (Vec<_>, Vec<_>) =
            (jaqs.map(text).collect(), all().into_iter().map(text).collect());
        assert_eq!(ours.len(), texts().count());
        for (ours, jaqs) in ours.iter().zip(&jaqs) {
            assert_eq!(ours, jaqs);
        }
        assert_eq!(ours.len(), jaqs.len());
    }

    #[test]
    fn only_what_is_used_is_read_and_what_that_uses() {
        let used = |code| {
            let mut words = Words::default();
            words.add(code);
            let used = used_by(&mut words);
            used.iter().map(|def| format!("{}/{}", def.name, def.args.len())).collect::<Vec<_>>()
        };
        assert_eq!(used(".a.values | .values, $values"), [""; 0]);
        assert_eq!(used("empty.a"), ["empty/0"]);
        assert_eq!(used("unknown(.a)"), [""; 0]);
        assert_eq!(used("[.[] | values]"), ["empty/0", "select/1", "null/0", "values/0"]);
        for code in ["@base64", ".a.@base64 \"x\"", "if .a then@base64 \"\\(1)\" end", "[@base64]"]
        {
            assert_eq!(used(code), ["tostring/0", "@base64/0"], "{code}");
        }
    }
}
