//! Several payloads as one tree: at each place, every value that was seen there.

use std::collections::BTreeMap;

use serde_json::Value;

use super::path::{Path, Step};
use super::words::words;

/// What is looked at of a payload, so that a large one costs no more than a person's patience.
const DEPTH: usize = 8;
const FIELDS: usize = 200;
const ITEMS: usize = 50;
const NAME: usize = 100;

/// A place in the payloads.
pub(super) struct Node<'p> {
    /// The name of the field; empty for the whole payload and for elements of an array.
    pub(super) key: &'p str,
    /// The words of the name.
    pub(super) words: Vec<String>,
    pub(super) path: Path,
    /// Every value that was seen here.
    pub(super) values: Vec<&'p Value>,
    /// The fields of the objects here.
    pub(super) fields: Vec<Node<'p>>,
    /// The elements of the arrays here.
    pub(super) items: Option<Box<Node<'p>>>,
}

impl<'p> Node<'p> {
    /// The tree of these payloads.
    pub(super) fn of(payloads: &'p [Value]) -> Self {
        merge("", Path::default(), payloads.iter().collect())
    }

    /// The tree of values at one place.
    pub(super) fn with(key: &'p str, path: Path, values: Vec<&'p Value>) -> Self {
        merge(key, path, values)
    }

    /// Whether an object was seen here.
    pub(super) fn is_object(&self) -> bool {
        self.values.iter().any(|value| value.is_object())
    }

    /// Whether nothing but null was seen here.
    pub(super) fn is_null(&self) -> bool {
        self.values.iter().all(|value| value.is_null())
    }

    /// Whether a value of this form was seen here.
    pub(super) fn has(&self, form: fn(&Value) -> bool) -> bool {
        self.values.iter().any(|value| form(value))
    }

    /// The texts and numbers that were seen here, as text, each once.
    pub(super) fn texts(&self) -> Vec<String> {
        let mut texts = Vec::new();
        for value in &self.values {
            let text = match value {
                Value::String(text) => text.clone(),
                Value::Number(number) => number.to_string(),
                _ => continue,
            };
            if !texts.contains(&text) {
                texts.push(text);
            }
        }
        texts
    }

    /// The field of this name.
    pub(super) fn field(&self, key: &str) -> Option<&Node<'p>> {
        self.fields.iter().find(|field| field.key == key)
    }

    /// The field of this name, written in any way: `emailAddress` is `email_address` too.
    pub(super) fn like(&self, name: &str) -> Option<&Node<'p>> {
        let wanted = words(name).concat();
        self.fields.iter().find(|field| field.words.concat() == wanted)
    }

    /// The node at a path below this one.
    pub(super) fn at(&self, path: &Path) -> Option<&Node<'p>> {
        let mut node = self;
        for step in &path.0 {
            node = match step {
                Step::Key(key) => node.field(key)?,
                Step::Items => node.items.as_deref()?,
                Step::Ticket => return None,
            };
        }
        Some(node)
    }

    /// This node and all below it, from top to bottom.
    pub(super) fn all(&self) -> Vec<&Node<'p>> {
        let mut all = vec![self];
        for field in &self.fields {
            all.extend(field.all());
        }
        if let Some(items) = &self.items {
            all.extend(items.all());
        }
        all
    }
}

fn merge<'p>(key: &'p str, path: Path, values: Vec<&'p Value>) -> Node<'p> {
    let mut order = Vec::new();
    let mut by_key: BTreeMap<&str, Vec<&Value>> = BTreeMap::new();
    let mut elements = Vec::new();
    if path.0.len() < DEPTH {
        for value in &values {
            for (name, field) in value.as_object().into_iter().flatten().take(FIELDS) {
                if name.len() > NAME {
                    continue;
                }
                let seen = by_key.entry(name).or_default();
                if seen.is_empty() {
                    order.push(name.as_str());
                }
                seen.push(field);
            }
            elements.extend(value.as_array().into_iter().flatten().take(ITEMS));
        }
    }
    let mut fields = Vec::new();
    for name in order {
        let seen = by_key.remove(name).unwrap_or_default();
        fields.push(merge(name, path.field(name), seen));
    }
    let items =
        if elements.is_empty() { None } else { Some(Box::new(merge("", path.items(), elements))) };
    Node { key, words: words(key), path, values, fields, items }
}
