//! The program: all expressions of all sources, compiled, and their runs.
//!
//! They are one program because compiling jq's standard library costs more than compiling an
//! expression.

use std::collections::{BTreeMap, BTreeSet};

use jaq_core::compile::TermId;
use jaq_core::load::{Arena, File, Loader};
use jaq_core::native::Fun;
use jaq_core::{Bind, Compiler, Ctx, Vars, compile, load};
use jaq_json::Val;

use super::code::{Code, NOTE};
use super::data::{Data, Kind, Shared};
use super::mistake::Mistake;
use super::{functions, regex};
use crate::text::{nearest, shorten_display};
use crate::time::Time;

/// The longest message of a failed expression that is passed on, in characters: jaq quotes the
/// value, which may be a whole ticket.
const LONGEST_MESSAGE: usize = 161;

/// Functions of jq's standard library that reach outside of the expression.
const ABSENT: [&str; 8] =
    ["debug", "debug_empty", "env", "halt", "halt_error", "now", "stderr", "stderr_empty"];

/// The stack that expressions are compiled with; only what is touched of it takes memory.
const STACK: usize = 32 * 1024 * 1024;

/// An expression's place in the [`Program`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Expression(usize);

/// Expressions on their way to a [`Program`].
#[derive(Default)]
pub(crate) struct Expressions(Vec<Code>);

/// Every expression of every source, compiled.
pub(crate) struct Program {
    filter: jaq_core::Filter<Kind>,
    /// Where in the filter each expression is.
    expressions: Vec<TermId>,
}

/// A program with the values that its expressions see besides their input.
pub(crate) struct Scope<'p> {
    program: &'p Program,
    variables: Vars<Val>,
    shared: Shared,
}

const VARIABLES: [&str; 3] = ["$headers", "$query", "$event"];

/// Why an expression gives no value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Failure {
    /// The message of an error, cut.
    #[error("{0}")]
    Error(String),
    #[error("the expression was halted")]
    Halted,
    #[error("it has more than one output")]
    ManyOutputs,
}

impl Expressions {
    /// Parses an expression and adds it.
    pub(crate) fn add(&mut self, text: &str) -> Result<Expression, Mistake> {
        Ok(self.push(Code::parse(text)?))
    }

    /// Adds an expression.
    pub(crate) fn push(&mut self, code: Code) -> Expression {
        self.0.push(code);
        Expression(self.0.len() - 1)
    }

    /// Leaves expressions out of the program, since others of the same source have mistakes.
    pub(crate) fn leave_out(&mut self, expressions: impl IntoIterator<Item = Expression>) {
        for Expression(index) in expressions {
            self.0[index] = Code::empty();
        }
    }

    /// Compiles all, or names every expression that uses something undefined.
    ///
    /// Compiling takes the most stack of all: some kilobytes for each level, as the compiler of jaq
    /// was built. So it has a stack of its own, whatever the caller has.
    pub(crate) fn compile(&self) -> Result<Program, Vec<(Expression, Mistake)>> {
        self.compile_beside(|| {})
    }

    /// The same, while `beside` runs on the caller's thread.
    pub(crate) fn compile_beside(
        &self,
        beside: impl FnOnce(),
    ) -> Result<Program, Vec<(Expression, Mistake)>> {
        std::thread::scope(|scope| {
            let builder = std::thread::Builder::new().stack_size(STACK);
            let thread = builder.spawn_scoped(scope, || self.compile_here());
            beside();
            let Ok(thread) = thread else { return self.compile_here() };
            match thread.join() {
                Ok(compiled) => compiled,
                Err(panic) => std::panic::resume_unwind(panic),
            }
        })
    }

    fn compile_here(&self) -> Result<Program, Vec<(Expression, Mistake)>> {
        let mut text = String::new();
        let mut starts = Vec::new();
        self.write(0..self.0.len(), &mut text, &mut starts);
        let arena = Arena::default();
        let loader = Loader::new(definitions());
        let Ok(modules) = loader.load(&arena, File { code: text.as_str(), path: () }) else {
            // Each expression was parsed alone and stands in parentheses of its own.
            return Err(Vec::new());
        };
        let compiler = Compiler::default().with_global_vars(VARIABLES).with_funs(functions());
        match compiler.compile(modules) {
            Ok(filter) => Program::new(filter, self.0.len()).ok_or_else(Vec::new),
            Err(errors) => {
                let mut mistakes = Vec::new();
                for (name, what) in errors.into_iter().flat_map(|(_, undefined)| undefined) {
                    mistakes.push(locate(&text, &starts, name, &what));
                }
                Err(mistakes)
            }
        }
    }

    /// Writes a call of [`NOTE`] for each expression, and notes where in the text each begins. The
    /// calls are a tree: a list of hundreds would be as deep.
    fn write(&self, range: std::ops::Range<usize>, text: &mut String, starts: &mut Vec<usize>) {
        match range.len() {
            0 => text.push_str("empty"),
            1 => {
                text.extend([NOTE, "(("]);
                starts.push(text.len());
                text.push_str(self.0[range.start].as_str());
                // Two line breaks: a comment that ends in a backslash takes the next line too.
                text.push_str("\n\n))");
            }
            length => {
                let middle = range.start + length / 2;
                text.push('(');
                self.write(range.start..middle, text, starts);
                text.push_str("), (");
                self.write(middle..range.end, text, starts);
                text.push(')');
            }
        }
    }
}

impl Program {
    /// The program of no expression.
    pub(crate) fn empty() -> Self {
        Self { filter: jaq_core::Filter::default(), expressions: Vec::new() }
    }

    /// Runs the filter once: its calls of [`NOTE`] say where the expressions are. `None` unless
    /// each says it once.
    fn new(filter: jaq_core::Filter<Kind>, expressions: usize) -> Option<Self> {
        let shared = Shared::new(Time::from_milliseconds(0));
        let variables = Vars::new(VARIABLES.map(|_| Val::Null));
        let context = Ctx::<Kind>::new(Data { lut: &filter.lut, shared: &shared }, variables);
        filter.id.run((context, Val::Null)).for_each(drop);
        let places = shared.places.into_inner();
        if places.len() != expressions {
            return None;
        }
        Some(Self { filter, expressions: places })
    }

    /// Binds the values that expressions see besides their input: `$headers`, `$query`, `$event`
    /// and `now`.
    pub(crate) fn scope(&self, headers: Val, query: Val, event: Val, now: Time) -> Scope<'_> {
        Scope {
            program: self,
            variables: Vars::new([headers, query, event]),
            shared: Shared::new(now),
        }
    }
}

impl Scope<'_> {
    /// Runs an expression on an input. The outputs are made as they are asked for.
    pub(crate) fn run(
        &self,
        Expression(index): Expression,
        input: Val,
    ) -> impl Iterator<Item = Result<Val, Failure>> + '_ {
        let data = Data { lut: &self.program.filter.lut, shared: &self.shared };
        let context = Ctx::<Kind>::new(data, self.variables.clone());
        let place = self.program.expressions.get(index);
        let outputs = place.map(|expression| expression.run((context, input)));
        outputs.into_iter().flatten().map(|output| match output {
            Ok(value) => Ok(value),
            Err(exception) => Err(match exception.get_err() {
                Ok(error) => Failure::Error(shorten_display(&error, LONGEST_MESSAGE)),
                Err(_) => Failure::Halted,
            }),
        })
    }

    /// Runs an expression that has one output or none.
    pub(crate) fn run_single(
        &self,
        expression: Expression,
        input: Val,
    ) -> Result<Option<Val>, Failure> {
        let mut outputs = self.run(expression, input);
        let value = outputs.next().transpose()?;
        match outputs.next() {
            None => Ok(value),
            Some(_) => Err(Failure::ManyOutputs),
        }
    }
}

/// The functions of jq's standard library that are written in jq, and that expressions may call.
fn definitions() -> impl Iterator<Item = load::parse::Def<&'static str>> {
    let all = jaq_core::defs().chain(jaq_std::defs()).chain(jaq_json::defs());
    all.filter(|def| {
        !ABSENT.contains(&def.name) && !regex::REPLACED.contains(&(def.name, def.args.len()))
    })
}

/// The native functions that expressions may call.
fn functions() -> impl Iterator<Item = Fun<Kind>> {
    let standard = jaq_core::funs().chain(jaq_std::funs()).chain(jaq_json::funs());
    let note: Fun<Kind> = jaq_core::native::run((NOTE, [Bind::Fun(())].into(), |mut cv| {
        let (expression, _) = cv.0.pop_fun();
        cv.0.data().shared.places.borrow_mut().push(expression);
        Box::new(std::iter::empty())
    }));
    // Ours come first: of two functions with one name the first counts.
    let ours = functions::all().chain(regex::all()).chain([note]);
    ours.chain(standard.filter(|(name, ..)| !ABSENT.contains(name)))
}

/// The expression that uses an undefined name, and the mistake at its place there. The expressions
/// begin at `starts` in the text of the program.
fn locate(
    text: &str,
    starts: &[usize],
    name: &str,
    what: &compile::Undefined,
) -> (Expression, Mistake) {
    let place = load::span(text, name).start;
    let index = starts.partition_point(|start| *start <= place).saturating_sub(1);
    let offset = starts.get(index).map_or(0, |start| place - start);
    let message = match (what, name) {
        (_, "$ENV")
        | (
            compile::Undefined::Filter(_),
            "env" | "input" | "inputs" | "halt" | "debug" | "stderr",
        ) => {
            format!("{name} is not available here: an expression sees the event and nothing else")
        }
        (compile::Undefined::Filter(0), _) => {
            let hint = word_hint(name, text.get(place + name.len()..).unwrap_or_default());
            format!("{}{hint}", no_function(name, 0))
        }
        (compile::Undefined::Filter(arity), _) => no_function(name, *arity),
        (what, _) => format!("there is no {} {name}", what.as_str()),
    };
    (Expression(index), Mistake { offset, message })
}

/// What to do about a word that was meant as a field, or as a text; `after` is what follows it.
fn word_hint(word: &str, after: &str) -> String {
    let is_text = word.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_');
    match after.bytes().next() {
        Some(b'.' | b'[') => format!("; a field is .{word}"),
        _ if is_text => format!("; the text itself is \"{word}\", in quotation marks"),
        _ => String::new(),
    }
}

/// The mistake of a function that isn't there, or not with so many arguments.
fn no_function(name: &str, arity: usize) -> String {
    let with = match arity {
        0 => String::new(),
        1 => " with 1 argument".to_owned(),
        arity => format!(" with {arity} arguments"),
    };
    let mut arities = BTreeMap::<String, BTreeSet<usize>>::new();
    for (known, arity) in known_functions() {
        arities.entry(known).or_default().insert(arity);
    }
    if let Some(own) = arities.get(name) {
        let own: Vec<_> = own.iter().map(ToString::to_string).collect();
        return format!("there is no function {name}{with}; it takes {}", own.join(" or "));
    }
    match nearest(name, arities.keys().map(String::as_str)) {
        Some(meant) => format!("there is no function {name}{with}; did you mean {meant}?"),
        None => format!("there is no function {name}{with}"),
    }
}

/// The names of all functions that expressions may call, and how many arguments they take.
fn known_functions() -> Vec<(String, usize)> {
    let mut known = Vec::new();
    for (name, arguments, _) in functions() {
        known.push((name.to_owned(), arguments.len()));
    }
    for definition in definitions() {
        known.push((definition.name.to_owned(), definition.args.len()));
    }
    // Those that begin so are parts of others.
    known.retain(|(name, _)| !name.starts_with('_'));
    known
}

#[cfg(test)]
pub(super) use tests::outputs;

#[cfg(test)]
mod tests {
    use super::*;

    /// The outputs of an expression, as JSON or `error: ...`.
    pub(crate) fn outputs(text: &str, input: &str) -> Vec<String> {
        run(text, input)
            .into_iter()
            .map(|output| output.unwrap_or_else(|error| format!("error: {error}")))
            .collect()
    }

    fn run(text: &str, input: &str) -> Vec<Result<String, Failure>> {
        let mut expressions = Expressions::default();
        expressions.add("error(\"another expression\")").unwrap();
        let expression = expressions.add(text).unwrap();
        expressions.add("empty").unwrap();
        let program = expressions.compile().unwrap_or_else(|mistakes| panic!("{mistakes:?}"));
        let input = jaq_json::read::parse_single(input.as_bytes()).unwrap();
        let scope = program.scope(
            Val::Null,
            Val::Null,
            input.clone(),
            Time::from_milliseconds(1_700_000_000_500),
        );
        let outputs = scope.run(expression, input).collect::<Vec<_>>();
        outputs.into_iter().map(|output| output.map(|value| value.to_string())).collect()
    }

    fn undefined(text: &str) -> Vec<(Expression, Mistake)> {
        let mut expressions = Expressions::default();
        for text in [".", text, ". # a comment"] {
            expressions.add(text).unwrap();
        }
        expressions.compile().err().unwrap_or_default()
    }

    #[test]
    fn compiling_jqs_library_takes_no_more_allocations() {
        let mut expressions = Expressions::default();
        expressions.add(".").unwrap();
        let compile = || assert!(expressions.compile_here().is_ok());
        // The first one makes what the process keeps.
        compile();
        let count = allocation_counter::measure(compile);
        // With some room; what has become much better fails too, so that the limit follows.
        let limit = 2_660;
        let taken = limit * 7 / 10..=limit;
        assert!(taken.contains(&count.count_total), "{} of {limit}", count.count_total);
    }

    #[test]
    fn chooses_one_expression_of_many() {
        let mut expressions = Expressions::default();
        let all: Vec<_> =
            (0..33).map(|n| expressions.add(&format!("{n} # comment")).unwrap()).collect();
        let program = expressions.compile().unwrap_or_else(|mistakes| panic!("{mistakes:?}"));
        let scope = program.scope(Val::Null, Val::Null, Val::Null, Time::from_milliseconds(0));
        for (n, expression) in all.into_iter().enumerate() {
            assert_eq!(
                scope.run_single(expression, Val::Null).unwrap().unwrap().to_string(),
                n.to_string()
            );
        }
    }

    #[test]
    fn one_expression_cannot_run_into_the_next() {
        for text in [
            ". ) | (.",
            "",
            "include \"a\"; .",
            "if . then",
            ". as $x",
            "\"open",
            "def f: 1;",
            "1 2",
        ] {
            assert!(Expressions::default().add(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_mistake_has_a_place_and_says_what_was_expected() {
        assert_eq!(
            Expressions::default().add(".a | ]").unwrap_err(),
            Mistake {
                offset: 5,
                message: "not a jq expression: expected token, found \"]\"".to_owned()
            }
        );
        let (expression, mistake) = undefined(".a | frobnicate(1; 2)").remove(0);
        assert_eq!((expression, mistake.offset), (Expression(1), 5));
        assert_eq!(mistake.message, "there is no function frobnicate with 2 arguments");
        assert_eq!(undefined("$nobody").remove(0).1.message, "there is no variable $nobody");
    }

    #[test]
    fn nothing_outside_of_the_event_is_in_reach() {
        for text in [
            "env",
            "$ENV",
            "repl",
            "input",
            "inputs",
            "halt",
            "halt(1)",
            "halt_error",
            "debug",
            "stderr",
            "a::b",
        ] {
            assert_eq!(undefined(text).len(), 1, "{text}");
        }
    }

    #[test]
    fn json_inside_of_text_is_read_as_strictly_as_a_body() {
        assert_eq!(outputs("fromjson", r#""{\"a\": [1.50]}""#), [r#"{"a":[1.50]}"#]);
        assert_eq!(outputs("tonumber", r#""12""#), ["12"]);
        assert_eq!(outputs("[1, 2] | index(2), (transpose? // \"no\")", "null").len(), 2);
        for text in [r#""NaN""#, r#""007""#, r#""1 2""#, r#""""#, "{}"] {
            assert!(outputs("fromjson", text)[0].starts_with("error: "), "{text}");
        }
        let deep = format!("\"{}\"", "[".repeat(100_000));
        for text in ["fromjson", "tonumber", "toboolean"] {
            assert!(outputs(text, &deep)[0].starts_with("error: "), "{text}");
        }
    }

    #[test]
    fn now_is_the_time_of_arrival() {
        assert_eq!(outputs("now", "null"), ["1700000000.5"]);
    }

    #[test]
    fn a_message_is_cut() {
        let long = format!("\"{}\"", "x".repeat(1000));
        let message = run(". + 1", &long).remove(0).unwrap_err().to_string();
        assert_eq!(message.chars().count(), LONGEST_MESSAGE);
    }

    #[test]
    fn the_functions_of_the_contract() {
        let event = r#"{"a": {"b": null, "c": [1], "s": "x"}, "n": null, "t": "a<b\n&c"}"#;
        for (text, expected) in [
            ("given(.a.c[0])", vec!["1"]),
            ("given(.a.c[1])", vec![]),
            ("given(.a.b)", vec!["null"]),
            ("given(.a.b.x.y)", vec!["null"]),
            ("given(.n.x)", vec!["null"]),
            ("given(.a.missing)", vec![]),
            ("given(.missing.x)", vec![]),
            ("given(.a.c[-1])", vec!["1"]),
            ("given(.a.c[])", vec!["1"]),
            ("given(.a[\"s\"])", vec!["\"x\""]),
            (".a | given(.s)", vec!["\"x\""]),
            (".a.s | IN(\"y\", \"x\")", vec!["true"]),
            (".a.s | IN(\"y\")", vec!["false"]),
            (".a.c[0] | IN(1)", vec!["true"]),
            (".t | html", vec![r#""a&lt;b<br>&amp;c""#]),
            (".t | cut(3)", vec![r#""a<b""#]),
            (".t | cut(2) | html", vec![r#""a&lt;""#]),
            ("3 | html, cut(1)", vec!["3", "3"]),
            ("null | html, cut(1), plain", vec!["null", "null", "null"]),
            ("\"<p>a &amp; b</p><p>c<br/>d</p>\" | plain", vec![r#""a & b\nc\nd""#]),
        ] {
            assert_eq!(outputs(text, event), expected, "{text}");
        }
    }

    #[test]
    fn given_says_what_it_takes() {
        assert!(outputs("given(1)", "null")[0].starts_with("error: "));
        assert!(outputs("given(.a.b)", r#"{"a": "text"}"#)[0].starts_with("error: "));
        assert!(outputs("\"x\" | cut(-1)", "null")[0].starts_with("error: "));
    }
}
