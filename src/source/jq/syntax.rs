//! Searches the text of an expression by jaq's own tokens, so that nothing inside of a text in
//! quotes is taken for code.

use jaq_core::load::Lexer;
use jaq_core::load::lex::{StrPart, Tok, Token};

use super::depth;

/// The values that the expression puts into text, as `"\(.a)"` does, in their order; each in its
/// parentheses.
pub(crate) fn interpolated(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    walk(text, &mut |tokens| {
        for Token(_, token) in tokens {
            found.extend(parts(token).iter().map(|Token(term, _)| *term));
        }
    });
    found
}

/// The byte offset of the first `// ""` or `// []`.
pub(crate) fn empty_alternative(text: &str) -> Option<usize> {
    let mut found = Vec::new();
    walk(text, &mut |tokens| {
        for pair in tokens.windows(2) {
            if let [Token(operator @ "//", Tok::Sym), Token(other, _)] = pair
                && matches!(other.trim_matches(['(', ' ', ')']), "\"\"" | "[]")
            {
                found.push(jaq_core::load::span(text, operator).start);
            }
        }
    });
    found.into_iter().min()
}

/// Whether one of these words stands in the expression as code.
pub(crate) fn uses(text: &str, words: &[&str]) -> bool {
    let mut found = false;
    walk(text, &mut |tokens| {
        for Token(word, token) in tokens {
            found |= matches!(token, Tok::Word) && words.contains(word);
        }
    });
    found
}

/// Visits the tokens of the text, and the tokens of each block and each interpolated value within
/// it.
fn walk<'t>(text: &'t str, visit: &mut impl FnMut(&[Token<&'t str>])) {
    fn walk_list<'t>(tokens: &[Token<&'t str>], visit: &mut impl FnMut(&[Token<&'t str>])) {
        visit(tokens);
        for Token(_, token) in tokens {
            if let Tok::Block(inner) = token {
                walk_list(inner, visit);
            }
            for part in parts(token) {
                walk_list(std::slice::from_ref(part), visit);
            }
        }
    }
    if depth::check_brackets(text).is_ok()
        && let Ok(tokens) = Lexer::new(text).lex()
    {
        walk_list(&tokens, visit);
    }
}

/// The interpolated values of a text in quotes.
fn parts<'a, 't>(token: &'a Tok<&'t str>) -> Vec<&'a Token<&'t str>> {
    let mut values = Vec::new();
    if let Tok::Str(parts) = token {
        for part in parts {
            if let StrPart::Term(value) = part {
                values.push(value);
            }
        }
    }
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_values_that_are_put_into_text_are_interpolated() {
        for (text, expected) in [
            (r#""\(.a)#\( .b // empty )""#, vec!["(.a)", "( .b // empty )"]),
            (r#".a // ["x\(.b)"][0]"#, vec!["(.b)"]),
            (r#"f("\(.a | "\(.b)")")"#, vec![r#"(.a | "\(.b)")"#, "(.b)"]),
            (r#"@uri "\(.a)""#, vec!["(.a)"]),
            (r#""(.a)""#, vec![]),
            (r#""\\(.a)""#, vec![]),
            (".a + .b", vec![]),
            ("(", vec![]),
        ] {
            assert_eq!(interpolated(text), expected, "{text}");
        }
    }

    #[test]
    fn the_first_alternative_that_is_empty_is_found_wherever_it_stands() {
        for (text, expected) in [
            (r#".a // """#, Some(3)),
            (".a//[]", Some(2)),
            (r#".a // ("")"#, Some(3)),
            (".a\n  //  # or\n  \"\"", Some(5)),
            (r#"[(.a // "") + (.b // "")]"#, Some(5)),
            (r#""\(.a // "")""#, Some(6)),
            (r#"f(.a // "x"; .b // "")"#, Some(16)),
            (r#".a // "x""#, None),
            (r#".a // " ""#, None),
            (r#""a // \"\" b""#, None),
            (r#".a # // """#, None),
            (r#".["// \"\""]"#, None),
            (r#".a //= """#, None),
            (r#"""#, None),
        ] {
            assert_eq!(empty_alternative(text), expected, "{text}");
        }
    }
}
