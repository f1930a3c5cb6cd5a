//! The places of a source file that a person has to decide.

/// What begins a comment about something that a person decides. A few words follow that say what,
/// up to the first sign that ends a phrase.
pub(in crate::cli) const DECIDE: &str = "DECIDE:";

/// A place that a person has to decide.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::cli) struct Decision {
    /// Its line, from 1.
    pub(in crate::cli) line: usize,
    /// What there is to decide, in a few words.
    pub(in crate::cli) what: String,
}

/// The decisions of a file in their order.
pub(in crate::cli) fn of(text: &str) -> Vec<Decision> {
    let mut decisions = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let Some((before, comment)) = line.split_once(&format!("# {DECIDE}")) else { continue };
        let mut what = phrase(comment).to_owned();
        match before.split_once('=') {
            Some((key, _)) => what = format!("{}: {what}", key.trim()),
            None if !before.trim().is_empty() => continue,
            None => {}
        }
        decisions.push(Decision { line: index + 1, what });
    }
    decisions
}

/// The words up to a sign that is followed by a space, or ends the line.
fn phrase(text: &str) -> &str {
    let text = text.trim();
    for (index, sign) in text.match_indices(['.', ':', ';', ',']) {
        let rest = &text[index + sign.len()..];
        if rest.is_empty() || rest.starts_with(' ') {
            return &text[..index];
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decision_is_told_by_its_line_and_its_first_words() {
        let text = "# Marked DECIDE; delete it.\n# DECIDE: the signature. Try it.\na = \"b\"\n\
                    # Seen: # DECIDE: no\nopen = \"WAITING\"   # DECIDE: what this is\n";
        let decision = |line, what: &str| Decision { line, what: what.to_owned() };
        assert_eq!(of(text), [decision(2, "the signature"), decision(5, "open: what this is")]);
    }
}
