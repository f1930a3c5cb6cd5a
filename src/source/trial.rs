//! What expressions give for an event that has nothing: an empty body, no headers, no query.

use std::collections::BTreeMap;

use super::jq::{Expression, Expressions, Program, Val};
use crate::time::Time;

/// Expressions, by their text, that can be run on `{}`.
pub(super) struct Trial<'t> {
    expressions: BTreeMap<&'t str, Expression>,
    program: Program,
}

impl<'t> Trial<'t> {
    /// Compiles these expressions; those with mistakes give nothing.
    pub(super) fn of(texts: impl IntoIterator<Item = &'t str>) -> Self {
        let mut all = Expressions::default();
        let mut expressions: BTreeMap<_, _> =
            texts.into_iter().filter_map(|text| Some((text, all.add(text).ok()?))).collect();
        let program = all.compile().or_else(|mistakes| {
            let wrong = || mistakes.iter().map(|(expression, _)| *expression);
            expressions.retain(|_, expression| wrong().all(|wrong| wrong != *expression));
            all.leave_out(wrong());
            all.compile()
        });
        Self { expressions, program: program.unwrap_or_else(|_| Program::empty()) }
    }

    /// The first output, if there is one and it is no error.
    ///
    /// The others are not asked for, so `repeat(.)` comes to an end here. `last(repeat(.))` doesn't: nothing
    /// interrupts jaq.
    pub(super) fn gives(&self, text: &str) -> Option<Val> {
        let empty = || Val::obj(std::iter::empty().collect());
        let scope = self.program.scope(empty(), empty(), empty(), Time::from_milliseconds(0));
        scope.run(*self.expressions.get(text)?, empty()).next()?.ok()
    }
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
        let trial = Trial::of(expected.map(|(text, _)| text));
        for (text, gives) in expected {
            assert_eq!(trial.gives(text).map(|value| value.to_string()).as_deref(), gives, "{text}");
        }
    }

    #[test]
    fn mistakes_keep_no_other_expression_from_being_run() {
        let trial = Trial::of(["1", ".a |", "$nobody", "2", "nothing_of_this_name", "break $out", "1"]);
        let given =
            ["1", ".a |", "$nobody", "2", "nothing_of_this_name", "break $out", "3"].map(|text| trial.gives(text));
        let given = given.map(|value| value.map(|value| value.to_string()));
        assert_eq!(given.each_ref().map(Option::as_deref), [Some("1"), None, None, Some("2"), None, None, None]);
    }
}
