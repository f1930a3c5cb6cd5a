//! Where a value stands in a payload, and the jq path that leads there.

use std::fmt::Write as _;

use serde_json::Value;

/// One step down into a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Into the field of an object.
    Key(String),
    /// Into the elements of an array.
    Items,
    /// To the ticket, where it stands at several places.
    Ticket,
}

/// The steps from the whole payload to a value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Path(pub(super) Vec<Step>);

impl Path {
    /// The path of a field of the value here.
    pub(super) fn field(&self, key: &str) -> Self {
        let mut steps = self.0.clone();
        steps.push(Step::Key(key.to_owned()));
        Self(steps)
    }

    /// The path of the elements of the array here.
    pub(super) fn items(&self) -> Self {
        let mut steps = self.0.clone();
        steps.push(Step::Items);
        Self(steps)
    }

    /// The path up to and with its last step into an array; `None` without such a step.
    pub(super) fn last_items(&self) -> Option<Self> {
        let last = self.0.iter().rposition(|step| *step == Step::Items)?;
        Some(Self(self.0[..=last].to_vec()))
    }

    /// The path from `base` on; `None` if it doesn't lead through `base`.
    pub(super) fn below(&self, base: &Self) -> Option<Self> {
        self.0.strip_prefix(base.0.as_slice()).map(|steps| Self(steps.to_vec()))
    }

    /// The last name on the way.
    pub(super) fn last_key(&self) -> Option<&str> {
        self.keys().last()
    }

    /// The names on the way.
    pub(super) fn keys(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|step| match step {
            Step::Key(key) => Some(key.as_str()),
            Step::Items | Step::Ticket => None,
        })
    }

    /// Whether a step leads into an array.
    pub(super) fn has_items(&self) -> bool {
        self.0.contains(&Step::Items)
    }

    /// The path as jq has it, such as `.issue["due date"]`. Steps into arrays pass over what is no
    /// array.
    pub(super) fn jq(&self) -> String {
        let mut jq = String::new();
        for step in &self.0 {
            match step {
                Step::Key(key) if is_plain(key) => {
                    let _ = write!(jq, ".{key}");
                }
                Step::Key(key) => {
                    let dot = if jq.is_empty() { "." } else { "" };
                    let _ = write!(jq, "{dot}[{}]", text(key));
                }
                Step::Items if jq.is_empty() => jq.push_str(".[]?"),
                Step::Items => jq.push_str("[]?"),
                // Expressions begin at the ticket.
                Step::Ticket => {}
            }
        }
        if jq.is_empty() { ".".to_owned() } else { jq }
    }
}

/// A text as jq has it. JSON's escapes are jq's, and a backslash is doubled, so that nothing in the
/// text is put in as a value.
pub(super) fn text(text: &str) -> String {
    Value::from(text).to_string().replace('\u{7f}', "\\u007f")
}

fn is_plain(key: &str) -> bool {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    !key.is_empty()
        && key.chars().all(is_name)
        && !key.starts_with(|c: char| c.is_ascii_digit())
        && !key.starts_with("__")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_plain_name_is_quoted() {
        let jq =
            |keys: &[&str]| keys.iter().fold(Path::default(), |path, key| path.field(key)).jq();
        assert_eq!(jq(&["issue", "dueDate"]), ".issue.dueDate");
        assert_eq!(jq(&["fields", "System.State"]), r#".fields["System.State"]"#);
        assert_eq!(jq(&["Root cause", "a"]), r#".["Root cause"].a"#);
        assert_eq!(jq(&["end", "__x"]), r#".end["__x"]"#);
        assert_eq!(jq(&["a\"b\\(.c)\n"]), r#".["a\"b\\(.c)\n"]"#);
        assert_eq!(jq(&[]), ".");
        assert_eq!(Path::default().items().field("id").jq(), ".[]?.id");
        assert_eq!(Path::default().field("a").items().jq(), ".a[]?");
    }
}
