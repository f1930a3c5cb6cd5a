//! The text of an expression.

use jaq_core::load::parse::Term;
use jaq_core::load::{Lexer, Parser, lex, span};

use super::depth;
use super::mistake::Mistake;
use crate::text::cut;

/// The function of which each expression of a program is an argument. It notes where the expression
/// is, and no expression may use it.
pub(super) const NOTE: &str = "__note";

/// How much of an expression a message shows, in characters.
const SHOWN: usize = 20;

/// The text of an expression, which may have mistakes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Code(String);

impl Code {
    pub(crate) fn new(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// The expression, which is not nested too deep. It may still use a function that isn't there.
    ///
    /// It is parsed alone, so that a mistake has its place in it, and it can't run into the next
    /// one.
    pub(super) fn parse(&self) -> Result<Term<&str>, Mistake> {
        let text = self.as_str();
        if let Some(offset) = text.find(NOTE) {
            return Err(Mistake { offset, message: format!("there is no function {NOTE}") });
        }
        depth::check_brackets(text)?;
        let tokens = Lexer::new(text).lex().map_err(|errors| {
            let found = errors.iter().map(|(expected, found)| (expected.as_str(), *found));
            first_mistake(text, found)
        })?;
        depth::check_tokens(text, &tokens)?;
        let term = Parser::new(&tokens).parse(Parser::term).map_err(|errors| {
            let found = errors
                .iter()
                .map(|(expected, token)| (expected.as_str(), lex::Token::opt_as_str(*token, text)));
            first_mistake(text, found)
        })?;
        depth::check_running(text, &term)?;
        Ok(term)
    }

    /// The expression without any output.
    pub(super) fn empty() -> Self {
        Self("empty".to_owned())
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// The first of jaq's errors, each of which is the thing it expected and the text it found.
fn first_mistake<'t>(text: &str, errors: impl Iterator<Item = (&'t str, &'t str)>) -> Mistake {
    let Some((expected, found)) = errors.min_by_key(|(_, found)| span(text, found).start) else {
        return Mistake { offset: 0, message: "not a jq expression".to_owned() };
    };
    let shown = match cut(found, SHOWN) {
        "" => "the end".to_owned(),
        start => format!("{start:?}"),
    };
    Mistake {
        offset: span(text, found).start,
        message: format!("not a jq expression: expected {expected}, found {shown}"),
    }
}
