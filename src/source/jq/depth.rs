//! Refuses expressions that are nested so deep, or call themselves so often, that reading or
//! running them would overflow the stack, which ends the process.
//!
//! jaq lexes, parses, compiles and runs recursively: some kilobytes of stack for each level, as it
//! was built. Compiling has a stack of its own. Running has Lambda's 8 MiB. So what runs
//! within each other is counted, however flat it is written: the fields of an object, each `elif`,
//! what a definition calls. The payload counts where an expression goes into all of it, since it is
//! at most 128 levels deep. What an expression builds itself may be deeper: nothing bounds that
//! (docs/expressions.md).

use jaq_core::load::lex::{StrPart, Tok, Token};
use jaq_core::load::parse::{BinaryOp, Def, Pattern, Term};
use jaq_core::load::span;
use jaq_core::path::Part;

use super::mistake::Mistake;

/// How deep brackets, texts in texts, and words such as `if`, `def` and `try` may be nested.
const NESTED: usize = 100;

/// How many operators may stand in a chain, such as `.a | .b | .c`, with those around it.
const CHAINED: usize = 150;

/// How many levels may run within each other: all fit into the 8 MiB of a main thread.
const RUNNING: usize = 1_000;

/// The levels that a function of jq's own takes.
const CALL: usize = 6;

/// The levels of a payload, into which `..` and its like go.
const PAYLOAD: usize = 128;

/// Holds the brackets and texts of an expression against [`NESTED`]. Iterative, and so fit for any
/// text.
pub(super) fn check_brackets(text: &str) -> Result<(), Mistake> {
    /// A bracket or quotes that the end of the text would have to close.
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

/// Passes over the rest of a comment. A line that ends in an odd number of backslashes takes the
/// next one along.
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

/// Holds the words and operators of an expression against [`NESTED`] and [`CHAINED`], before it is
/// parsed.
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

/// A word that another one has to end, or that holds the terms after it.
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
                            if close(&mut words, Word::If) {
                                words.push(Word::If);
                            }
                            chain = 0;
                        }
                        "end" => {
                            close(&mut words, Word::If);
                            is_after_term = true;
                        }
                        "def" => words.push(Word::Def),
                        ";" => {
                            let is_definition = close(&mut words, Word::Def);
                            if is_definition && words.last() != Some(&Word::AfterDefs) {
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
                let message = format!(
                    "more than {CHAINED} operators in one chain: split it, or write a `map`"
                );
                return Err(Mistake { offset, message });
            }
        }
        Ok(())
    }

    /// A list within another one, of which so much stands before it.
    fn inside(
        &mut self,
        words: &[Word],
        chain: usize,
        tokens: &[Token<&str>],
        is_object: bool,
    ) -> Result<(), Mistake> {
        let (nested, chained) = (words.len() + 1, chain);
        self.nested += nested;
        self.chained += chained;
        let checked = self.list(tokens, is_object);
        self.nested -= nested;
        self.chained -= chained;
        checked
    }
}

/// Removes the innermost word of this kind with all that stands behind it, and says whether there
/// was one. Where there is none, everything is removed.
fn close(words: &mut Vec<Word>, kind: Word) -> bool {
    let start = words.iter().rposition(|word| *word == kind);
    words.truncate(start.unwrap_or(0));
    start.is_some()
}

fn is_operator(word: &str) -> bool {
    matches!(word, "and" | "or" | ",")
        || word.starts_with(['|', '=', '!', '<', '>', '+', '-', '*', '/', '%'])
}

fn is_assignment(operator: &str) -> bool {
    operator.ends_with('=') && !matches!(operator, "==" | "!=" | "<=" | ">=")
}

fn too_deep(offset: usize) -> Mistake {
    let message = format!("nested over {NESTED} deep: write it flatter, or in several expressions");
    Mistake { offset, message }
}

/// Finds a definition that calls itself, be it through another one that stands in it, and holds
/// what is run within each other against [`RUNNING`].
///
/// Nothing bounds how often a definition does that: `def f: [f]; f` overflows the stack.
pub(super) fn check_running(text: &str, term: &Term<&str>) -> Result<(), Mistake> {
    let mut definitions = Definitions { text, all: Vec::new() };
    if definitions.depth(term)?.running > RUNNING {
        let message = format!(
            "what it runs within each other is over {RUNNING} deep: write it flatter, or in \
             several expressions"
        );
        return Err(Mistake { offset: 0, message });
    }
    Ok(())
}

/// How many levels of jaq's functions a term takes at most, roughly.
#[derive(Clone, Copy)]
struct Depth {
    /// Where its outputs are made.
    running: usize,
    /// Where it is the left side of an assignment: each step of a path runs the next one from
    /// within.
    updating: usize,
}

impl Depth {
    const LEAF: Self = Self { running: 1, updating: 1 };

    fn plus(self, levels: usize) -> Self {
        Self {
            running: self.running.saturating_add(levels),
            updating: self.updating.saturating_add(levels),
        }
    }

    fn times(self, levels: usize) -> Self {
        Self {
            running: self.running.saturating_mul(levels),
            updating: self.updating.saturating_mul(levels),
        }
    }

    fn max(self, other: Self) -> Self {
        Self {
            running: self.running.max(other.running),
            updating: self.updating.max(other.updating),
        }
    }

    /// The depth of a term that runs this one for an output of its own, and can't be assigned to.
    fn of_deepest(self) -> usize {
        self.running.max(self.updating)
    }
}

/// The definitions and their arguments that a place of an expression sees. A term is no deeper than
/// its text, so recursion through it is bounded by [`NESTED`] and [`CHAINED`].
struct Definitions<'t> {
    text: &'t str,
    all: Vec<Definition<'t>>,
}

struct Definition<'t> {
    name: &'t str,
    arguments: usize,
    /// `None` within the definition itself.
    depth: Option<Depth>,
}

impl<'t> Definitions<'t> {
    fn depth(&mut self, term: &Term<&'t str>) -> Result<Depth, Mistake> {
        Ok(match term {
            Term::Id | Term::Num(_) | Term::Var(_) | Term::Break(_) => Depth::LEAF,
            Term::Recurse => Depth::LEAF.plus(PAYLOAD),
            Term::Str(_, parts) => {
                let mut deepest = Depth::LEAF;
                for part in parts {
                    if let StrPart::Term(term) = part {
                        deepest = deepest.max(self.depth(term)?);
                    }
                }
                deepest.plus(parts.len())
            }
            Term::Arr(term) => self.deepest(term.as_deref())?.plus(1),
            Term::Obj(entries) => {
                let mut deepest = Depth::LEAF;
                for (key, value) in entries {
                    deepest = deepest.max(self.depth(key)?).max(self.deepest(value)?);
                }
                deepest.plus(entries.len())
            }
            Term::Neg(term) | Term::Label(_, term) => self.depth(term)?.plus(1),
            Term::BinOp(left, operator, right) => {
                let (left, right) = (self.depth(left)?, self.depth(right)?);
                match operator {
                    BinaryOp::Assign
                    | BinaryOp::Update
                    | BinaryOp::UpdateMath(_)
                    | BinaryOp::UpdateAlt => {
                        let depth = left.updating.saturating_add(right.of_deepest());
                        Depth { running: depth, updating: depth }.plus(1)
                    }
                    BinaryOp::Pipe(pattern) => {
                        let mut deepest = left.max(right);
                        if let Some(pattern) = pattern {
                            deepest = deepest.max(self.pattern(pattern)?);
                        }
                        let updating = left.updating.saturating_add(right.updating);
                        Depth { updating, ..deepest }.plus(1)
                    }
                    _ => left.max(right).plus(1),
                }
            }
            Term::Fold(_, source, pattern, arguments) => {
                let inner =
                    self.depth(source)?.max(self.pattern(pattern)?).max(self.deepest(arguments)?);
                // An assignment to it goes as deep as the source has outputs.
                Depth { running: inner.running, updating: RUNNING }.plus(2)
            }
            Term::TryCatch(tried, caught) => {
                self.depth(tried)?.max(self.deepest(caught.as_deref())?).plus(1)
            }
            Term::IfThenElse(branches, otherwise) => {
                let mut deepest = self.deepest(otherwise.as_deref())?;
                for branch in branches {
                    deepest = deepest.max(self.depth(&branch.0)?).max(self.depth(&branch.1)?);
                }
                deepest.plus(branches.len())
            }
            Term::Def(definitions, term) => {
                let before = self.all.len();
                for definition in definitions {
                    self.define(definition)?;
                }
                let depth = self.depth(term)?;
                self.all.truncate(before);
                depth
            }
            Term::Call(name, arguments) => self.call(name, arguments)?,
            Term::Path(term, path) => {
                let mut depth = self.depth(term)?;
                for (part, _) in &path.0 {
                    let indices = match part {
                        Part::Index(index) => self.depth(index)?,
                        Part::Range(from, to) => self.deepest(from.iter().chain(to))?,
                    };
                    depth = depth.max(indices);
                }
                depth.plus(path.0.len())
            }
        })
    }

    fn define(&mut self, definition: &Def<&'t str>) -> Result<(), Mistake> {
        let (name, arguments) = (definition.name, definition.args.len());
        let before = self.all.len();
        self.all.push(Definition { name, arguments, depth: None });
        for argument in &definition.args {
            // One with a `$` is a variable, and can't be called.
            if !argument.starts_with('$') {
                let depth = Some(Depth::LEAF);
                self.all.push(Definition { name: argument, arguments: 0, depth });
            }
        }
        let depth = self.depth(&definition.body)?;
        self.all.truncate(before);
        self.all.push(Definition { name, arguments, depth: Some(depth) });
        Ok(())
    }

    fn call(&mut self, name: &'t str, arguments: &[Term<&'t str>]) -> Result<Depth, Mistake> {
        let given = self.deepest(arguments)?;
        match self.find(name, arguments.len()) {
            Some(Definition { depth: None, .. }) => {
                let message = format!(
                    "`{name}` calls itself, and nothing bounds how often; write it with reduce, \
                     range, recurse, limit or until"
                );
                Err(Mistake { offset: span(self.text, name).start, message })
            }
            // It may call an argument wherever it calls something.
            Some(Definition { depth: Some(own), arguments: 1.., .. }) => {
                Ok(own.times(given.of_deepest()).plus(1))
            }
            Some(Definition { depth: Some(own), .. }) => Ok(own.plus(1)),
            None if matches!(name, "walk" | "recurse" | "flatten") => {
                let depth = given.of_deepest();
                let updating =
                    if name == "recurse" { depth.saturating_mul(PAYLOAD) } else { depth };
                Ok(Depth { running: depth, updating }.plus(PAYLOAD))
            }
            None => {
                let depth = given.of_deepest();
                Ok(Depth { running: depth, updating: depth }.plus(CALL))
            }
        }
    }

    /// The definition that a call means: the innermost of this name and number of arguments.
    fn find(&self, name: &str, arguments: usize) -> Option<&Definition<'t>> {
        let mut visible = self.all.iter().rev();
        visible.find(|definition| definition.name == name && definition.arguments == arguments)
    }

    fn deepest<'a>(
        &mut self,
        terms: impl IntoIterator<Item = &'a Term<&'t str>>,
    ) -> Result<Depth, Mistake>
    where
        't: 'a,
    {
        let mut deepest = Depth::LEAF;
        for term in terms {
            deepest = deepest.max(self.depth(term)?);
        }
        Ok(deepest)
    }

    fn pattern(&mut self, pattern: &Pattern<&'t str>) -> Result<Depth, Mistake> {
        let mut deepest = Depth::LEAF;
        match pattern {
            Pattern::Var(_) => {}
            Pattern::Arr(patterns) => {
                for pattern in patterns {
                    deepest = deepest.max(self.pattern(pattern)?);
                }
                deepest = deepest.plus(patterns.len());
            }
            Pattern::Obj(entries) => {
                for (key, pattern) in entries {
                    deepest = deepest.max(self.depth(key)?).max(self.pattern(pattern)?);
                }
                deepest = deepest.plus(entries.len());
            }
        }
        Ok(deepest)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Code, Expressions, Val};
    use crate::time::Time;

    fn mistake(text: &str) -> Option<(usize, String)> {
        Code::new(text).parse().err().map(|mistake| (mistake.offset, mistake.message))
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
                for text in [
                    nest(n, open, close),
                    open.repeat(n),
                    format!(". # (\n| {}", nest(n, open, close)),
                ] {
                    let (_, message) =
                        mistake(&text).unwrap_or_else(|| panic!("{open} {n} times is taken"));
                    assert!(
                        message.starts_with("nested over 100 deep: "),
                        "{open} {n} times: {message}"
                    );
                }
            }
            let (offset, _) = mistake(&nest(10_000, open, close)).unwrap();
            assert!(offset > 0 && offset <= 101 * open.len(), "{open}: {offset}");
        }
        assert_eq!(mistake(&nest(200, "[", "]")).unwrap().0, 100);
    }

    /// Long without being deep: each of these is one within the other where it is run.
    fn long(n: usize) -> Vec<String> {
        let fields =
            |value: &str| (0..n).map(|n| format!("f{n}: {value}")).collect::<Vec<_>>().join(", ");
        let calls = |body: &str| {
            let definitions = (1..n)
                .map(|n| format!("def f{n}: {}; ", body.replace('_', &format!("f{}", n - 1))));
            format!("def f0: 1; {}f{}", definitions.collect::<String>(), n - 1)
        };
        vec![
            format!("if . then 1 {}end", "elif 1 then 2 ".repeat(n)),
            format!("if false then 1 {}else 2 end", "elif false then 2 ".repeat(n)),
            format!("{{{}}}", fields("1")),
            format!("[{{{}}}]", fields("[1, 2][0]")),
            format!("\"{}\"", "\\(1)".repeat(n)),
            format!("{} |= 1", ".a".repeat(n)),
            format!("try {} catch .", ".a".repeat(n)),
            calls("[_]"),
            calls("1 | _"),
            calls(".a += _"),
            calls("first(_)"),
            calls("map(_)"),
        ]
    }

    #[test]
    fn what_is_taken_is_compiled_and_run_in_the_stack_of_a_main_thread() {
        let chains = [" | ", " + ", ", ", " // ", " and ", " == "]
            .map(|operator| vec!["."; 151].join(operator));
        // Some of them are two levels.
        let nests = NESTS.map(|(open, close)| nest(49, open, close));
        let brackets = [("(", ")"), ("[", "]"), (".[.a", "]"), ("first(", ")")]
            .map(|(open, close)| format!("{}{}", nest(99, open, close), " | .".repeat(100)));
        let updates =
            ["(.. |= ", "walk(", "map_values(", "with_entries(", "map(.a += ", "(.a | .b) |= ("]
                .into_iter()
                .map(|open| {
                    (1..=99)
                        .rev()
                        .map(|n| nest(n, open, ")"))
                        .find(|text| mistake(text).is_none())
                        .unwrap()
                });
        let flat = [
            format!("[{}]", vec!["{a: - 1, b: (. | 2)}"; 150].join(", ")),
            format!("{} g", "def g: 1; ".repeat(300)),
            format!("[{}]", vec!["reduce .[] as $x (0; .)"; 150].join(", ")),
            // Nothing in a comment, and nothing in quotes, is code.
            format!("1 # {}\n", "(".repeat(1_000)),
            format!("1 # \\\\\\\n {}\n", "(".repeat(1_000)),
            format!("\"{}\"", "( [ \\\" ".repeat(400)),
        ];
        // As many as are taken of each.
        let longest = (0..long(1).len()).filter_map(|at| {
            (1..=50).rev().map(|n| long(n * 20)[at].clone()).find(|text| mistake(text).is_none())
        });
        let texts = chains
            .into_iter()
            .chain(nests)
            .chain(brackets)
            .chain(flat)
            .chain(longest)
            .chain(updates);
        let texts: Vec<_> = texts.collect();
        let run = move || {
            for text in texts {
                let mut all = Expressions::default();
                let short: String = text.chars().take(60).collect();
                let expression = all.add(Code::new(&text));
                let program = all.compile().unwrap_or_else(|_| panic!("{short}"));
                for input in ["{}".to_owned(), nest(120, "[", "]"), nest(120, "{\"a\":", "}")] {
                    let input = jaq_json::read::parse_single(input.as_bytes()).unwrap();
                    let scope =
                        program.scope(Val::Null, Val::Null, Val::Null, Time::from_milliseconds(0));
                    scope.run(expression, input).take(10).for_each(drop);
                }
            }
        };
        let main = std::thread::Builder::new().stack_size(8 * 1024 * 1024);
        main.spawn(run).unwrap().join().unwrap();
    }

    #[test]
    fn what_runs_too_deep_is_a_mistake_however_flat_it_is_written() {
        for n in [1_001, 10_000] {
            for text in long(n) {
                let short: String = text.chars().take(60).collect();
                let (_, message) =
                    mistake(&text).unwrap_or_else(|| panic!("{short} is taken {n} times"));
                assert!(message.contains("over 1000 deep"), "{short}: {message}");
            }
        }
        for text in [
            nest(20, "walk(", ")"),
            nest(20, "(.. |= ", ")"),
            "(reduce .[] as $x (.; .a)) |= 1".to_owned(),
        ] {
            assert!(mistake(&text).unwrap().1.contains("over 1000 deep"), "{text}");
        }
    }

    #[test]
    fn a_chain_without_end_is_a_mistake() {
        for operator in [" | ", "+", ",", " // ", " or ", " == "] {
            for n in [152, 60_000] {
                let (_, message) = mistake(&vec!["1"; n].join(operator)).unwrap();
                assert!(
                    message.starts_with("more than 150 operators in one chain"),
                    "{operator}: {message}"
                );
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
