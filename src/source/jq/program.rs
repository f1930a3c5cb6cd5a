//! The program: all expressions of all sources, compiled, and their runs.
//!
//! They are one program because compiling jq's functions costs more than compiling an expression.

use std::collections::{BTreeMap, BTreeSet};

use jaq_core::compile::TermId;
use jaq_core::load::parse::{BinaryOp, Def, Term};
use jaq_core::load::{Arena, File, Loader};
use jaq_core::native::Fun;
use jaq_core::{Bind, Compiler, Ctx, Vars, compile, load};
use jaq_json::Val;

use super::code::{Code, NOTE};
use super::data::{Data, Kind, Shared};
use super::library::{self, Words};
use super::mistake::Mistake;
use super::{functions, regex};
use crate::text::{nearest, shorten_display};
use crate::time::Time;

/// The longest message of a failed expression that is passed on, in characters: jaq quotes the
/// value, which may be a whole ticket.
const LONGEST_MESSAGE: usize = 161;

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

/// The definition of which the calls of [`NOTE`] are the body; no expression may use it.
const NOTES: &str = "__notes";

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
    /// Adds an expression.
    pub(crate) fn add(&mut self, code: Code) -> Expression {
        self.0.push(code);
        Expression(self.0.len() - 1)
    }

    /// Leaves expressions out of the program, since they or others of the same source have mistakes.
    pub(crate) fn leave_out(&mut self, expressions: impl IntoIterator<Item = Expression>) {
        for Expression(index) in expressions {
            self.0[index] = Code::empty();
        }
    }

    /// Compiles all, or names every expression that can't be parsed or uses something undefined.
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
        let mut mistakes = Vec::new();
        let mut terms = Vec::new();
        let mut words = Words::default();
        for (index, code) in self.0.iter().enumerate() {
            match code.parse() {
                Ok(term) => terms.push(term),
                Err(mistake) => mistakes.push((Expression(index), mistake)),
            }
            words.add(code.as_str());
        }
        let used = library::used_by(&mut words);
        words.add(NOTES);
        words.add(NOTE);
        let notes = Def { name: NOTES, args: Vec::new(), body: notes(terms) };
        let arena = Arena::default();
        let loader = Loader::new(used.into_iter().chain([notes]));
        let Ok(modules) = loader.load(&arena, File { code: NOTES, path: () }) else {
            return Err(mistakes);
        };
        let native = functions().filter(|(name, ..)| words.contains(name));
        let compiler = Compiler::default().with_global_vars(VARIABLES).with_funs(native);
        match compiler.compile(modules) {
            Ok(filter) if mistakes.is_empty() => {
                return Program::new(filter, self.0.len()).ok_or_else(Vec::new);
            }
            Ok(_) => {}
            Err(errors) => {
                for (name, what) in errors.into_iter().flat_map(|(_, undefined)| undefined) {
                    mistakes.extend(self.locate(name, &what));
                }
            }
        }
        Err(mistakes)
    }

    /// The expression that uses an undefined name, which is a part of its text, and the mistake at
    /// its place there.
    fn locate(&self, name: &str, what: &compile::Undefined) -> Option<(Expression, Mistake)> {
        let start = name.as_ptr();
        let is_within = |code: &Code| code.as_str().as_bytes().as_ptr_range().contains(&start);
        let index = self.0.iter().position(is_within)?;
        Some((Expression(index), undefined(self.0[index].as_str(), name, what)))
    }
}

/// A call of [`NOTE`] for each expression. The calls are a tree: a list of hundreds would be as
/// deep.
fn notes(mut terms: Vec<Term<&str>>) -> Term<&str> {
    if terms.len() < 2 {
        // Without an expression it notes nothing.
        return terms.pop().map_or(Term::Id, |term| Term::Call(NOTE, vec![term]));
    }
    let right = notes(terms.split_off(terms.len() / 2));
    Term::BinOp(Box::new(notes(terms)), BinaryOp::Comma, Box::new(right))
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
    ours.chain(standard.filter(|(name, ..)| library::is_within_reach(name)))
}

/// The mistake of an undefined name in the text of an expression.
fn undefined(text: &str, name: &str, what: &compile::Undefined) -> Mistake {
    let offset = load::span(text, name).start;
    let message = match (what, name) {
        (_, "$ENV")
        | (
            compile::Undefined::Filter(_),
            "env" | "input" | "inputs" | "halt" | "debug" | "stderr",
        ) => {
            format!("{name} is not available here: an expression sees the event and nothing else")
        }
        (compile::Undefined::Filter(0), _) => {
            let hint = word_hint(name, text.get(offset + name.len()..).unwrap_or_default());
            format!("{}{hint}", no_function(name, 0))
        }
        (compile::Undefined::Filter(arity), _) => no_function(name, *arity),
        (what, _) => format!("there is no {} {name}", what.as_str()),
    };
    Mistake { offset, message }
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
    for definition in library::all() {
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
        expressions.add(Code::new("error(\"another expression\")"));
        let expression = expressions.add(Code::new(text));
        expressions.add(Code::new("empty"));
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
            expressions.add(Code::new(text));
        }
        expressions.compile().err().unwrap_or_default()
    }

    #[test]
    fn compiling_takes_no_more_allocations() {
        let mut expressions = Expressions::default();
        let text = "[.a[]? | select(.b | test(\"x\"; \"i\"))] | map(.c | tostring) | join(\", \")";
        expressions.add(Code::new(text));
        let compile = || assert!(expressions.compile_here().is_ok());
        // The first one makes what the process keeps.
        compile();
        let count = allocation_counter::measure(compile);
        // With some room; what has become much better fails too, so that the limit follows.
        let limit = 360;
        let taken = limit * 7 / 10..=limit;
        assert!(taken.contains(&count.count_total), "{} of {limit}", count.count_total);
    }

    #[test]
    fn chooses_one_expression_of_many() {
        let mut expressions = Expressions::default();
        let all: Vec<_> =
            (0..33).map(|n| expressions.add(Code::new(&format!("{n} # comment")))).collect();
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
            assert!(Code::new(text).parse().is_err(), "{text}");
        }
    }

    #[test]
    fn a_mistake_has_a_place_and_says_what_was_expected() {
        assert_eq!(
            Code::new(".a | ]").parse().unwrap_err(),
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
