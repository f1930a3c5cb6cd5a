//! What an expression's text says about what it gives, without running it.
//!
//! By jaq's own tokens and tree, so that nothing inside of a text in quotes is taken for code.

use jaq_core::load::lex::{StrPart, Tok, Token};
use jaq_core::load::parse::{BinaryOp, Term};
use jaq_core::load::{self, Lexer, Parser};
use jaq_core::path;

/// Functions that give empty text for empty text, as far as this is likely to be written.
const KEEP_EMPTY: [&str; 18] = [
    "@html",
    "@text",
    "@uri",
    "ascii_downcase",
    "ascii_upcase",
    "cut",
    "gsub",
    "html",
    "ltrim",
    "ltrimstr",
    "plain",
    "rtrim",
    "rtrimstr",
    "strings",
    "sub",
    "tostring",
    "trim",
    "values",
];

/// Stands for the `""` of one `// ""` while it is followed. Nobody writes it: a character for private use.
const MARK: &str = "\u{f8ff}";

/// Byte offsets of each `// ""` whose empty text can be what the expression gives: not those in a condition, say.
pub(super) fn empty_alternatives(text: &str) -> Vec<usize> {
    let mut found = Vec::new();
    if let Ok(tokens) = Lexer::new(text).lex() {
        alternatives(&tokens, &mut |operator, empty| {
            let (operator, empty) = (load::span(text, operator), load::span(text, empty));
            let marked = format!("{}\"{MARK}\"{}", &text[..empty.start], &text[empty.end..]);
            if parsed(&marked, gives_mark) {
                found.push(operator.start);
            }
        });
    }
    found
}

/// Whether the expression puts values into text, as `"\(.a)"` does.
pub(super) fn interpolates(text: &str) -> bool {
    fn any(tokens: &[Token<&str>]) -> bool {
        tokens.iter().any(|Token(_, token)| match token {
            Tok::Str(parts) => parts.iter().any(|part| matches!(part, StrPart::Term(_))),
            Tok::Block(tokens) => any(tokens),
            _ => false,
        })
    }
    Lexer::new(text).lex().is_ok_and(|tokens| any(&tokens))
}

/// Calls `on` with the tokens of each `// ""`.
fn alternatives<'t>(tokens: &[Token<&'t str>], on: &mut impl FnMut(&'t str, &'t str)) {
    for pair in tokens.windows(2) {
        if let [Token(operator @ "//", Tok::Sym), Token(empty @ "\"\"", Tok::Str(_))] = pair {
            on(operator, empty);
        }
    }
    for Token(_, token) in tokens {
        match token {
            Tok::Block(tokens) => alternatives(tokens, on),
            Tok::Str(parts) => parts.iter().for_each(|part| {
                if let StrPart::Term(token) = part {
                    alternatives(std::slice::from_ref(token), on);
                }
            }),
            _ => {}
        }
    }
}

fn parsed(text: &str, question: impl FnOnce(&Term<&str>) -> bool) -> bool {
    let Ok(tokens) = Lexer::new(text).lex() else { return false };
    Parser::new(&tokens).parse(Parser::term).is_ok_and(|term| question(&term))
}

/// Whether the marked text can be an output of the term.
fn gives_mark(term: &Term<&str>) -> bool {
    match term {
        Term::Str(_, parts) => match parts.as_slice() {
            [StrPart::Str(text)] => *text == MARK,
            parts => {
                parts.iter().any(|part| matches!(part, StrPart::Term(term) if gives_mark(term))) && no_words(parts)
            }
        },
        Term::BinOp(left, BinaryOp::Pipe(None), right) => gives_mark(right) || gives_mark(left) && keeps_empty(right),
        Term::BinOp(_, BinaryOp::Pipe(Some(_)), right) => gives_mark(right),
        Term::BinOp(left, BinaryOp::Alt | BinaryOp::Comma, right) => gives_mark(left) || gives_mark(right),
        Term::IfThenElse(branches, otherwise) => {
            branches.iter().any(|(_, then)| gives_mark(then)) || otherwise.as_deref().is_some_and(gives_mark)
        }
        Term::TryCatch(term, caught) => gives_mark(term) || caught.as_deref().is_some_and(gives_mark),
        Term::Path(term, path) => gives_mark(term) && slices(path),
        Term::Def(_, term) | Term::Label(_, term) => gives_mark(term),
        _ => false,
    }
}

/// Whether the term gives empty text for empty text.
fn keeps_empty(term: &Term<&str>) -> bool {
    match term {
        Term::Id => true,
        Term::Str(_, parts) => {
            no_words(parts) && parts.iter().all(|part| matches!(part, StrPart::Term(term) if keeps_empty(term)))
        }
        Term::Call(name, _) => KEEP_EMPTY.contains(name),
        Term::BinOp(left, BinaryOp::Pipe(None), right) => keeps_empty(left) && keeps_empty(right),
        Term::BinOp(left, BinaryOp::Alt, _) => keeps_empty(left),
        Term::IfThenElse(branches, otherwise) => {
            branches.iter().any(|(_, then)| keeps_empty(then)) || otherwise.as_deref().is_none_or(keeps_empty)
        }
        Term::TryCatch(term, _) => keeps_empty(term),
        Term::Path(term, path) => keeps_empty(term) && slices(path),
        _ => false,
    }
}

/// Whether a text consists of nothing but values that are put into it.
fn no_words<T>(parts: &[StrPart<&str, T>]) -> bool {
    parts.iter().all(|part| matches!(part, StrPart::Term(_)))
}

/// Whether a path only takes parts of a text, as `[:100]` does.
fn slices(path: &path::Path<Term<&str>>) -> bool {
    let is_slice = |part: &path::Part<_>| matches!(part, path::Part::Range(from, to) if from.is_some() || to.is_some());
    path.0.iter().all(|(part, _)| is_slice(part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alternative_of_empty_text_is_found_where_it_is_what_the_expression_gives() {
        for (text, offsets) in [
            (r#".a // """#, vec![3]),
            (r#".a//"""#, vec![2]),
            (".a\n  //  # or\n  \"\"", vec![5]),
            (r#"(.a // "") | cut(9) | html"#, vec![4]),
            (r#".a // "" | .[:9] | trim"#, vec![3]),
            (r#"(.a // "")[:9]"#, vec![4]),
            (r#".a // .b // """#, vec![9]),
            (r#"if .x then .a // "" else .b // "" end"#, vec![14, 28]),
            (r#"if .x == "" then .a // "" elif .y then 1 end"#, vec![20]),
            (r#".a // "" | if . == "x" then "y" end"#, vec![3]),
            (r#"try (.a // "") catch 1"#, vec![8]),
            (r#""\(.a // "")""#, vec![6]),
            (r#""\(.a // "")\(.b // "")""#, vec![6, 17]),
            (r#".x as $x | .a // """#, vec![14]),
            (r#".a // "", .b"#, vec![3]),
        ] {
            assert_eq!(empty_alternatives(text), offsets, "{text}");
        }
    }

    #[test]
    fn an_alternative_of_empty_text_that_the_expression_does_not_give_is_not_meant() {
        for text in [
            r#".a // "x""#,
            r#".a // " ""#,
            r#".a // "" + "x""#,
            r#""a // \"\" b""#,
            r#".a # // """#,
            r#".["// \"\""]"#,
            r#"(.a // "") | startswith("x")"#,
            r#"if (.a // "") == "x" then 1 else 2 end"#,
            r#"select((.a // "") | test("x")) | .b"#,
            r#"[.a // ""] | length"#,
            r#""\(.a // "") \(.b // "")""#,
            r#"(.a // "") == """#,
            r#".a //= """#,
            ".a |",
            r#"""#,
        ] {
            assert_eq!(empty_alternatives(text), [0; 0], "{text}");
        }
    }

    #[test]
    fn only_values_that_are_put_into_text_interpolate() {
        for (text, expected) in [
            (r#""\(.a)""#, true),
            (r#".a // ["x\(.b)"][0]"#, true),
            (r#"f("\(.a)")"#, true),
            (r#""(.a)""#, false),
            (r#""\\(.a)""#, false),
            (".a + .b", false),
            ("(", false),
        ] {
            assert_eq!(interpolates(text), expected, "{text}");
        }
    }
}
