//! The words of names and values: `dueDate`, `due_date` and `System.DueDate` have two in common.

/// The things that ticket systems call a ticket, in lower case.
const KINDS: [&str; 19] = [
    "ticket",
    "issue",
    "task",
    "incident",
    "case",
    "alert",
    "conversation",
    "convo",
    "story",
    "card",
    "item",
    "workitem",
    "pulse",
    "bug",
    "problem",
    "page",
    "entity",
    "request",
    "work",
];

/// Words before a name that say whose it is and not what it is.
const QUALIFIERS: [&str; 11] = [
    "system",
    "sys",
    "default",
    "current",
    "microsoft",
    "vsts",
    "tcm",
    "common",
    "scheduling",
    "hs",
    "object",
];

/// Whether a word stands for a ticket, in the singular or the plural.
pub(super) fn is_kind(word: &str) -> bool {
    KINDS.contains(&word) || KINDS.contains(&word.trim_end_matches('s'))
}

/// The words of a text in lower case: parted by whatever is no letter or digit, and by a capital
/// letter after a small one.
pub(super) fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut follows_small = false;
    for character in text.chars() {
        let is_next = character.is_uppercase() && follows_small;
        if (is_next || !character.is_alphanumeric()) && !word.is_empty() {
            words.push(std::mem::take(&mut word));
        }
        if character.is_alphanumeric() {
            word.extend(character.to_lowercase());
        }
        follows_small = character.is_lowercase() || character.is_ascii_digit();
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
}

/// The words of a name without those before it that say whose it is: `title` of `ticket_title`.
pub(super) fn bare(words: &[String]) -> &[String] {
    let mut rest = words;
    while let [first, others @ ..] = rest {
        let is_qualifier = is_kind(first) || QUALIFIERS.contains(&first.as_str());
        if !is_qualifier || others.is_empty() {
            break;
        }
        rest = others;
    }
    rest
}

/// Whether these words hold a phrase, one word after the other.
pub(super) fn holds(words: &[String], phrase: &str) -> bool {
    let phrase: Vec<_> = phrase.split(' ').collect();
    words.windows(phrase.len()).any(|window| window == phrase)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_the_same_words_however_they_are_written() {
        for name in ["dueDate", "due_date", "due-date", "Due date", "DueDate"] {
            assert_eq!(words(name), ["due", "date"], "{name}");
        }
        assert_eq!(words("WAITING_ON_CUSTOMER"), ["waiting", "on", "customer"]);
        assert_eq!(words("Ärger größer"), ["ärger", "größer"]);
        assert!(words("--").is_empty());
    }

    #[test]
    fn whose_a_name_is_makes_no_difference() {
        for (name, rest) in [
            ("Microsoft.VSTS.Scheduling.DueDate", "due date"),
            ("ticket_subject", "subject"),
            ("_default_title_", "title"),
            ("workItemId", "id"),
            ("ticket", "ticket"),
            ("parent_id", "parent id"),
        ] {
            assert_eq!(bare(&words(name)).join(" "), rest);
        }
    }
}
