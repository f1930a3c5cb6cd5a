//! What an expression may not be: nested so deep, or calling itself so often, that reading or running it would
//! overflow the stack, which ends the process.
//!
//! jaq lexes, parses, compiles and runs recursively: some kilobytes of stack for each level, as it was built. Compiling has
//! a stack of its own; the rest fits into the 8 MiB of a main thread by far.

use jaq_core::load::lex::{StrPart, Tok, Token};
use jaq_core::load::parse::{BinaryOp, Def, Pattern, Term};
use jaq_core::load::span;
use jaq_core::path::Part;

use super::jq::Mistake;

/// How deep brackets, texts in texts, and words such as `if`, `def` and `try` may be nested.
const NESTED: usize = 100;

/// How many operators may stand in a chain, such as `.a | .b | .c`, with those around it.
const CHAINED: usize = 150;

/// Holds the brackets and texts of an expression against [`NESTED`]. Iterative, and so fit for any text.
pub(super) fn check_brackets(text: &str) -> Result<(), Mistake> {
    /// What the end of the text would have to close.
    #[derive(PartialEq)]
    enum Open {
        Bracket,
        Quotes,
    }
    let mut open = Vec::new();
    let mut bytes = text.bytes().enumerate();
    while let Some((offset, byte)) = bytes.next() {
        if open.last() == Some(&Open::Quotes) {
            match byte {
                b'"' => drop(open.pop()),
                b'\\' if matches!(bytes.next(), Some((_, b'('))) => open.push(Open::Bracket),
                _ => {}
            }
        } else {
            match byte {
                b'"' => open.push(Open::Quotes),
                b'(' | b'[' | b'{' => open.push(Open::Bracket),
                b')' | b']' | b'}' => drop(open.pop()),
                b'#' => skip_comment(&mut bytes),
                _ => {}
            }
        }
        if open.len() > NESTED {
            return Err(too_deep(offset));
        }
    }
    Ok(())
}

/// Passes over the rest of a comment. A line that ends in an odd number of backslashes takes the next one along.
fn skip_comment(bytes: &mut impl Iterator<Item = (usize, u8)>) {
    let mut is_continued = false;
    for (_, byte) in bytes {
        match byte {
            b'\\' => is_continued = !is_continued,
            b'\n' if !is_continued => return,
            // Of a line break of two characters.
            b'\r' => {}
            _ => is_continued = false,
        }
    }
}

/// Holds the words and operators of an expression against [`NESTED`] and [`CHAINED`], before it is parsed.
pub(super) fn check_tokens(text: &str, tokens: &[Token<&str>]) -> Result<(), Mistake> {
    let mut levels = Levels { text, nested: 0, chained: 0 };
    levels.list(tokens, false)
}

/// How deep the lists of tokens around a place are.
struct Levels<'t> {
    text: &'t str,
    nested: usize,
    chained: usize,
}

/// A word that has to be ended by another one, or that holds what comes after it.
#[derive(Clone, Copy, PartialEq)]
enum Word {
    If,
    Def,
    /// Takes the next term: `try`, `catch`, `reduce`, `foreach`, and a minus sign.
    Prefix,
    /// Takes the rest of the list: `label`, `as`, and assignments.
    Rest,
    /// The same; of several definitions there is one.
    AfterDefs,
}

impl Levels<'_> {
    fn list(&mut self, tokens: &[Token<&str>], is_object: bool) -> Result<(), Mistake> {
        let (mut words, mut chain, mut is_after_term) = (Vec::new(), 0, false);
        for Token(word, token) in tokens {
            match token {
                Tok::Block(inner) => self.inside(&words, chain, inner, word.starts_with('{'))?,
                Tok::Str(parts) => {
                    for part in parts {
                        if let StrPart::Term(part) = part {
                            self.inside(&words, chain, std::slice::from_ref(part), false)?;
                        }
                    }
                }
                Tok::Word | Tok::Sym => {
                    let was_after_term = std::mem::replace(&mut is_after_term, false);
                    match *word {
                        "if" => words.push(Word::If),
                        "then" | "elif" | "else" => {
                            let start = words.iter().rposition(|word| *word == Word::If);
                            words.truncate(start.map_or(0, |start| start + 1));
                            chain = 0;
                        }
                        "end" => {
                            let start = words.iter().rposition(|word| *word == Word::If);
                            words.truncate(start.unwrap_or(0));
                            is_after_term = true;
                        }
                        "def" => words.push(Word::Def),
                        ";" => {
                            let start = words.iter().rposition(|word| *word == Word::Def);
                            words.truncate(start.unwrap_or(0));
                            if start.is_some() && words.last() != Some(&Word::AfterDefs) {
                                words.push(Word::AfterDefs);
                            }
                            chain = 0;
                        }
                        "as" if words.last() == Some(&Word::Prefix) => drop(words.pop()),
                        "as" | "label" => words.push(Word::Rest),
                        "try" | "catch" | "reduce" | "foreach" => words.push(Word::Prefix),
                        "-" if !was_after_term => words.push(Word::Prefix),
                        "," if is_object => {
                            words.clear();
                            chain = 0;
                        }
                        operator if is_operator(operator) => {
                            while words.last() == Some(&Word::Prefix) {
                                words.pop();
                            }
                            // Each of them runs the next one from within.
                            if is_assignment(operator) {
                                words.push(Word::Rest);
                            }
                            chain += 1;
                        }
                        ":" => {}
                        _ => is_after_term = true,
                    }
                }
                Tok::Var | Tok::Fmt | Tok::Num => {}
            }
            is_after_term |= !matches!(token, Tok::Word | Tok::Sym);
            let offset = span(self.text, word).start;
            if self.nested + words.len() > NESTED {
                return Err(too_deep(offset));
            }
            if self.chained + chain > CHAINED {
                let message = format!("more than {CHAINED} operators in one chain: split it, or write a `map`");
                return Err(Mistake { offset, message });
            }
        }
        Ok(())
    }

    /// A list within another one, of which so much stands before it.
    fn inside(&mut self, words: &[Word], chain: usize, tokens: &[Token<&str>], is_object: bool) -> Result<(), Mistake> {
        let (nested, chained) = (words.len() + 1, chain);
        self.nested += nested;
        self.chained += chained;
        let checked = self.list(tokens, is_object);
        self.nested -= nested;
        self.chained -= chained;
        checked
    }
}

fn is_operator(word: &str) -> bool {
    matches!(word, "and" | "or" | ",") || word.starts_with(['|', '=', '!', '<', '>', '+', '-', '*', '/', '%'])
}

fn is_assignment(operator: &str) -> bool {
    operator.ends_with('=') && !matches!(operator, "==" | "!=" | "<=" | ">=")
}

fn too_deep(offset: usize) -> Mistake {
    let message = format!("nested over {NESTED} deep: write it flatter, or in several expressions");
    Mistake { offset, message }
}

/// Finds a definition that calls itself, be it through another one that stands in it.
///
/// Nothing bounds how often it does: `def f: [f]; f` overflows the stack.
pub(super) fn check_definitions(text: &str, term: &Term<&str>) -> Result<(), Mistake> {
    let mut walk = Walk { names: Vec::new(), marks: Vec::new(), steps: vec![Step::Visit(term)] };
    while let Some(step) = walk.steps.pop() {
        if let Some(name) = walk.take(step) {
            let message = format!(
                "`{name}` calls itself, and nothing bounds how often; write it with reduce, range, recurse, limit or \
                 until"
            );
            return Err(Mistake { offset: span(text, name).start, message });
        }
    }
    Ok(())
}

/// A way through an expression, which knows what the names at each place mean. It recurses no deeper than patterns do.
struct Walk<'a, 't> {
    /// Definitions and their arguments: the name, how many arguments it takes, and whether we are inside of it.
    names: Vec<(&'t str, usize, bool)>,
    /// How many names there were where a definition was entered.
    marks: Vec<usize>,
    /// What is still to do, the next one last.
    steps: Vec<Step<'a, 't>>,
}

#[derive(Clone, Copy)]
enum Step<'a, 't> {
    Visit(&'a Term<&'t str>),
    Enter(&'a Def<&'t str>),
    Leave(&'a Def<&'t str>),
    /// Definitions end with the term that they stand before.
    Mark,
    Forget,
}

impl<'a, 't> Walk<'a, 't> {
    /// Takes a step. Returns the place of a call of a definition from within.
    fn take(&mut self, step: Step<'a, 't>) -> Option<&'t str> {
        match step {
            Step::Mark => self.marks.push(self.names.len()),
            Step::Forget => self.forget(),
            Step::Enter(definition) => {
                self.marks.push(self.names.len());
                self.names.push((definition.name, definition.args.len(), true));
                let functions = definition.args.iter().filter(|name| !name.starts_with('$'));
                self.names.extend(functions.map(|name| (*name, 0, false)));
            }
            Step::Leave(definition) => {
                self.forget();
                self.names.push((definition.name, definition.args.len(), false));
            }
            Step::Visit(term) => {
                if let Term::Call(name, arguments) = term {
                    let called = (*name, arguments.len());
                    let meant = self.names.iter().rev().find(|(name, takes, _)| (*name, *takes) == called);
                    if meant.is_some_and(|(_, _, is_within)| *is_within) {
                        return Some(name);
                    }
                }
                let first = self.steps.len();
                self.steps_of(term);
                self.steps[first..].reverse();
            }
        }
        None
    }

    fn forget(&mut self) {
        let length = self.marks.pop().unwrap_or_default();
        self.names.truncate(length);
    }

    /// Adds the steps through what a term consists of, the first one first.
    fn steps_of(&mut self, term: &'a Term<&'t str>) {
        match term {
            Term::Id | Term::Recurse | Term::Num(_) | Term::Var(_) | Term::Break(_) => {}
            Term::Str(_, parts) => {
                for part in parts {
                    if let StrPart::Term(term) = part {
                        self.visit([term]);
                    }
                }
            }
            Term::Arr(term) => self.visit(term.as_deref()),
            Term::Obj(entries) => {
                for (key, value) in entries {
                    self.visit([key]);
                    self.visit(value);
                }
            }
            Term::Neg(term) | Term::Label(_, term) => self.visit([&**term]),
            Term::BinOp(left, operator, right) => {
                self.visit([&**left]);
                if let BinaryOp::Pipe(Some(pattern)) = operator {
                    self.pattern(pattern);
                }
                self.visit([&**right]);
            }
            Term::Fold(_, source, pattern, arguments) => {
                self.visit([&**source]);
                self.pattern(pattern);
                self.visit(arguments);
            }
            Term::TryCatch(tried, caught) => {
                self.visit([&**tried]);
                self.visit(caught.as_deref());
            }
            Term::IfThenElse(branches, otherwise) => {
                for (condition, then) in branches {
                    self.visit([condition, then]);
                }
                self.visit(otherwise.as_deref());
            }
            Term::Def(definitions, term) => {
                self.steps.push(Step::Mark);
                for definition in definitions {
                    self.steps.extend([
                        Step::Enter(definition),
                        Step::Visit(&definition.body),
                        Step::Leave(definition),
                    ]);
                }
                self.steps.extend([Step::Visit(term), Step::Forget]);
            }
            Term::Call(_, arguments) => self.visit(arguments),
            Term::Path(term, path) => {
                self.visit([&**term]);
                for (part, _) in &path.0 {
                    match part {
                        Part::Index(index) => self.visit([index]),
                        Part::Range(from, to) => self.visit(from.iter().chain(to)),
                    }
                }
            }
        }
    }

    fn visit(&mut self, terms: impl IntoIterator<Item = &'a Term<&'t str>>) {
        self.steps.extend(terms.into_iter().map(Step::Visit));
    }

    fn pattern(&mut self, pattern: &'a Pattern<&'t str>) {
        match pattern {
            Pattern::Var(_) => {}
            Pattern::Arr(patterns) => patterns.iter().for_each(|pattern| self.pattern(pattern)),
            Pattern::Obj(entries) => {
                for (key, pattern) in entries {
                    self.visit([key]);
                    self.pattern(pattern);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::jq::Expressions;

    fn mistake(text: &str) -> Option<(usize, String)> {
        Expressions::default().add(text).err().map(|mistake| (mistake.offset, mistake.message))
    }

    /// `n` times `open`, then `1`, then `n` times `close`.
    fn nest(n: usize, open: &str, close: &str) -> String {
        format!("{}1{}", open.repeat(n), close.repeat(n))
    }

    const NESTS: [(&str, &str); 23] = [
        (". |= ", ""),
        (".a += ", ""),
        ("(", ")"),
        ("[", "]"),
        ("{a:", "}"),
        ("\"\\(", ")\""),
        (".[", "]"),
        ("first(", ")"),
        ("if . then ", " else 2 end"),
        ("if 1 then 2 else ", " end"),
        ("if ", " then 1 else 2 end"),
        ("def f: ", "; f"),
        ("def f: 1; [", "]"),
        ("- ", ""),
        ("-", ""),
        ("try ", ""),
        ("try 1 catch ", ""),
        (". as $x | ", ""),
        (". as [$x] | ", ""),
        ("label $x | ", ""),
        ("reduce ", " as $x (0; .)"),
        ("reduce .[] as $x (0; ", ")"),
        ("foreach ", " as $x (0; .)"),
    ];

    #[test]
    fn what_is_nested_deep_is_a_mistake_and_never_the_end_of_the_process() {
        for (open, close) in NESTS {
            for n in [101, 1_000, 10_000, 100_000] {
                for text in [nest(n, open, close), open.repeat(n), format!(". # (\n| {}", nest(n, open, close))] {
                    let (_, message) = mistake(&text).unwrap_or_else(|| panic!("{open} {n} times is taken"));
                    assert!(message.starts_with("nested over 100 deep: "), "{open} {n} times: {message}");
                }
            }
            let (offset, _) = mistake(&nest(10_000, open, close)).unwrap();
            assert!(offset > 0 && offset <= 101 * open.len(), "{open}: {offset}");
        }
        assert_eq!(mistake(&nest(200, "[", "]")).unwrap().0, 100);
    }

    #[test]
    fn a_hundred_levels_and_a_hundred_and_fifty_links_are_taken_and_compiled() {
        let chains = [" | ", " + ", ", ", " // ", " and ", " == "].map(|operator| vec!["."; 151].join(operator));
        // Some of them are two levels.
        let nests = NESTS.map(|(open, close)| nest(49, open, close));
        let brackets = [("(", ")"), ("[", "]"), (".[.a", "]"), ("first(", ")")]
            .map(|(open, close)| format!("{}{}", nest(99, open, close), " | .".repeat(100)));
        let flat = [
            format!("[{}]", vec!["{a: - 1, b: (. | 2)}"; 150].join(", ")),
            format!("if . then 1 {} end", "elif . == - 1 then try 2 catch 3 ".repeat(300)),
            format!("{} g", "def g: 1; ".repeat(300)),
            format!("[{}]", vec!["reduce .[] as $x (0; .)"; 150].join(", ")),
            // Nothing in a comment, and nothing in quotes, is code.
            format!("1 # {}\n", "(".repeat(1_000)),
            format!("1 # \\\\\\\n {}\n", "(".repeat(1_000)),
            format!("\"{}\"", "( [ \\\" ".repeat(1_000)),
        ];
        let texts: Vec<_> = chains.into_iter().chain(nests).chain(brackets).chain(flat).collect();
        let run = move || {
            for text in texts {
                let mut all = Expressions::default();
                let short: String = text.chars().take(60).collect();
                all.add(&text).unwrap_or_else(|mistake| panic!("{short}: {mistake:?}"));
                let compiled = all.compile();
                assert!(compiled.is_ok(), "{short}");
            }
        };
        let main = std::thread::Builder::new().stack_size(8 * 1024 * 1024);
        main.spawn(run).unwrap().join().unwrap();
    }

    #[test]
    fn a_chain_without_end_is_a_mistake() {
        for operator in [" | ", "+", ",", " // ", " or ", " == "] {
            for n in [152, 60_000] {
                let (_, message) = mistake(&vec!["1"; n].join(operator)).unwrap();
                assert!(message.starts_with("more than 150 operators in one chain"), "{operator}: {message}");
            }
        }
    }

    #[test]
    fn a_definition_that_calls_itself_is_a_mistake_with_its_place() {
        for (text, offset) in [
            ("def f: [f]; f", 8),
            ("def f: f; 1", 7),
            ("def f: if . > 5 then . else . + 1 | f end; 0 | f", 36),
            ("def f(g): f(g); f(.)", 10),
            ("def f: def g: f; g; f", 14),
            ("def a: 1; def f: \"\\(f)\"; f", 20),
            ("def f: {a: f}; f", 11),
            ("def f: .[f]; f", 9),
            ("def f: . as {(f): $x} | $x; f", 14),
            ("def f: first(f); f", 13),
            ("def f: reduce f as $x (0; .); f", 14),
            ("def f: def g: 1; try g catch - f; f", 31),
            ("def a($a): a(1); a(1)", 11),
            ("[def f: [f]; f]", 9),
        ] {
            let (at, message) = mistake(text).unwrap_or_else(|| panic!("{text} is taken"));
            assert_eq!(at, offset, "{text}");
            assert!(message.contains("calls itself"), "{message}");
        }
        for text in [
            "def f: 1; def g: f; g",
            "def f: 1; def f: f; f(1)?",
            "def f(f): f; f(1)",
            "def f(g): g; f(f(1))",
            "def f: f(1); f",
            "def f: def f: 1; f; f",
            "def f: 1; f | f",
            "def g: def f: 1; f; def f: g; f",
        ] {
            let is_own = |mistake: (usize, String)| mistake.1.contains("calls itself");
            let expected = text == "def f: 1; def f: f; f(1)?";
            assert_eq!(mistake(text).is_some_and(is_own), expected, "{text}");
        }
    }
}
