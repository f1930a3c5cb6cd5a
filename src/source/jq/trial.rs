//! Runs expressions on an event that has nothing: an empty body, no headers, no query.

use std::collections::{BTreeMap, BTreeSet};

use jaq_json::{Map, Val};

use super::code::Code;
use super::program::{Expression, Expressions, Failure, Program, Scope};
use crate::time::Time;

/// How many outputs are looked at.
const OUTPUTS: usize = 100;

/// Expressions, by their text, that can be run on `{}`.
pub(crate) struct Trial<'t> {
    expressions: BTreeMap<&'t str, Expression>,
    program: Program,
}

impl<'t> Trial<'t> {
    /// Compiles these expressions. One with a mistake gives nothing.
    pub(crate) fn compile(texts: impl IntoIterator<Item = &'t str>) -> Self {
        let mut all = Expressions::default();
        let mut expressions = BTreeMap::new();
        for text in texts {
            expressions.insert(text, all.add(Code::new(text)));
        }
        let program = all.compile().or_else(|mistakes| {
            let wrong: BTreeSet<_> = mistakes.iter().map(|(expression, _)| *expression).collect();
            expressions.retain(|_, expression| !wrong.contains(expression));
            all.leave_out(wrong);
            all.compile()
        });
        Self { expressions, program: program.unwrap_or_else(|_| Program::empty()) }
    }

    /// The first output, if there is one and it is no error.
    ///
    /// The others are not asked for, so `repeat(.)` comes to an end here. `last(repeat(.))`
    /// doesn't: nothing interrupts jaq. Nor does anything keep it from overflowing the stack with a
    /// value that is nested deep.
    pub(crate) fn gives(&self, text: &str) -> Option<Val> {
        let expression = *self.expressions.get(text)?;
        self.scope().run(expression, nothing()).next()?.ok()
    }

    /// The first error among the first outputs.
    pub(crate) fn fails(&self, text: &str) -> Option<Failure> {
        let expression = *self.expressions.get(text)?;
        self.scope().run(expression, nothing()).take(OUTPUTS).find_map(Result::err)
    }

    /// Whether it passes an event as `when` does: by an output that is neither `false` nor `null`,
    /// after no error.
    pub(crate) fn passes(&self, text: &str) -> bool {
        let Some(expression) = self.expressions.get(text) else { return false };
        for output in self.scope().run(*expression, nothing()).take(OUTPUTS) {
            match output {
                Ok(Val::Null | Val::Bool(false)) => {}
                Ok(_) => return true,
                Err(_) => return false,
            }
        }
        false
    }

    fn scope(&self) -> Scope<'_> {
        self.program.scope(nothing(), nothing(), nothing(), Time::from_milliseconds(0))
    }
}

/// `{}`, as the body, the headers and the query of an event that has nothing.
fn nothing() -> Val {
    Val::obj(Map::default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expression_gives_its_first_output_for_an_event_that_has_nothing() {
        let expected = [
            (".", Some("{}")),
            (".a.b", Some("null")),
            ("$event, $query", Some("{}")),
            (r#"$headers["x-id"] // 7"#, Some("7")),
            ("range(infinite)", Some("0")),
            ("repeat(.)", Some("{}")),
            ("given(.a)", None),
            (".a | ascii_upcase", None),
        ];
        let trial = Trial::compile(expected.map(|(text, _)| text));
        for (text, gives) in expected {
            assert_eq!(
                trial.gives(text).map(|value| value.to_string()).as_deref(),
                gives,
                "{text}"
            );
        }
    }

    #[test]
    fn an_expression_fails_or_passes_as_the_function_takes_it() {
        let expected = [
            (".type | startswith(\"x\")", Some("cannot use null as string"), false),
            (".a, (.b | ascii_upcase)", Some("cannot use null as string"), false),
            ("1, error(\"no\")", Some("no"), true),
            ("null, false", None, false),
            ("empty", None, false),
            ("0", None, true),
            ("repeat(.)", None, true),
        ];
        let trial = Trial::compile(expected.map(|(text, _, _)| text));
        for (text, fails, passes) in expected {
            let found = trial.fails(text);
            assert_eq!(found.is_some(), fails.is_some(), "{text}: {found:?}");
            let message = found.map(|failure| failure.to_string()).unwrap_or_default();
            assert!(message.contains(fails.unwrap_or_default()), "{text}");
            assert_eq!(trial.passes(text), passes, "{text}");
        }
    }

    #[test]
    fn mistakes_keep_no_other_expression_from_being_run() {
        let trial = Trial::compile([
            "1",
            ".a |",
            "$nobody",
            "2",
            "nothing_of_this_name",
            "break $out",
            "1",
        ]);
        let given = ["1", ".a |", "$nobody", "2", "nothing_of_this_name", "break $out", "3"]
            .map(|text| trial.gives(text));
        let given = given.map(|value| value.map(|value| value.to_string()));
        assert_eq!(
            given.each_ref().map(Option::as_deref),
            [Some("1"), None, None, Some("2"), None, None, None]
        );
    }
}
