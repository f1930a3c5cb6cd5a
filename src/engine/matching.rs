//! Which row a record of HubSpot's belongs to, and whether it shows the values that were written.
//! Pure. That records show the id property is not yet proven: L17, L18.

use std::collections::BTreeMap;

use crate::hubspot::Record;
use crate::time::Time;
use crate::update::{RECORD_ID, canonical_id};

/// The rows of a request by their ids.
pub(super) struct Ids<'r> {
    exact: BTreeMap<&'r str, usize>,
    /// By the form that HubSpot may take for the same; `None` where several rows share it.
    canonical: BTreeMap<String, Option<usize>>,
}

impl<'r> Ids<'r> {
    /// `ids` are those of the rows, in their order.
    pub(super) fn new(ids: impl Iterator<Item = &'r str>) -> Self {
        let mut exact = BTreeMap::new();
        let mut canonical = BTreeMap::new();
        for (row, id) in ids.enumerate() {
            exact.entry(id).or_insert(row);
            canonical.entry(canonical_id(id)).and_modify(|row| *row = None).or_insert(Some(row));
        }
        Self { exact, canonical }
    }

    /// The row of an id as HubSpot writes it: the one with exactly this id, else the only one with
    /// an id that HubSpot may take for the same.
    pub(super) fn row(&self, id: &str) -> Option<usize> {
        if let Some(row) = self.exact.get(id) {
            return Some(*row);
        }
        *self.canonical.get(&canonical_id(id))?
    }
}

/// The value of the id property in a record, if the record says it.
pub(super) fn id_in<'r>(id_property: &str, record: &'r Record) -> Option<&'r str> {
    if id_property == RECORD_ID { Some(&record.id) } else { record.text(id_property) }
}

/// What HubSpot says of a task besides its values.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) record_id: Option<String>,
    /// When it was made, as HubSpot writes it; only links need it.
    pub(super) created_at: String,
}

impl From<&Record> for Found {
    fn from(record: &Record) -> Self {
        Self { record_id: record_id(record), created_at: record.created_at.clone() }
    }
}

/// The record id, if the record says it.
pub(super) fn record_id(record: &Record) -> Option<String> {
    if record.id.is_empty() { None } else { Some(record.id.clone()) }
}

/// Whether HubSpot shows a value that was written, be it without the space around it, as another
/// form of the same number, or as cleaned HTML. For values that were written a moment ago: any
/// other may have been different before.
pub(super) fn matches_leniently(current: &str, written: &str) -> bool {
    matches_strictly(current, written)
        || current.trim() == written.trim()
        || is_same_number(current, written)
        || (written.contains(['<', '&']) && words(current) == words(written))
}

/// Whether HubSpot shows a value that was written: it writes times in its own format, and adds a
/// value that begins with `;` to those that several checkboxes have.
pub(super) fn matches_strictly(current: &str, written: &str) -> bool {
    current == written || is_same_time(current, written) || is_added(current, written)
}

fn is_same_number(current: &str, written: &str) -> bool {
    let (Ok(current), Ok(written)) = (current.trim().parse::<f64>(), written.trim().parse::<f64>())
    else {
        return false;
    };
    current.is_finite() && written.is_finite() && current.total_cmp(&written).is_eq()
}

fn is_same_time(current: &str, written: &str) -> bool {
    // Digits may be a number, a telephone number, anything: as a time they are compared with a
    // calendar's time only.
    let is_calendar = current.contains('-') || written.contains('-');
    if !is_calendar || current.len() < 10 || written.len() < 10 {
        return false;
    }
    match (Time::parse(current), Time::parse(written)) {
        (Ok(current), Ok(written)) => current == written,
        _ => false,
    }
}

/// Whether the current value has each of the checkboxes that were added to it.
fn is_added(current: &str, written: &str) -> bool {
    let has = |part| current.split(';').any(|current| current == part);
    written.starts_with(';') && written.split(';').all(|part| part.is_empty() || has(part))
}

/// The words of HTML, without its tags.
fn words(html: &str) -> Vec<String> {
    let mut text = String::with_capacity(html.len());
    for part in html.split('<') {
        // The first part has no tag before it, and no `>` that ends one.
        text.push_str(part.split_once('>').map_or(part, |(_, rest)| rest));
        text.push(' ');
    }
    html_escape::decode_html_entities(&text).split_whitespace().map(str::to_owned).collect()
}
