//! Bodies that cost: what a holder of a source's secret can send to make reading and mapping slow
//! or large.
//!
//! They are made of the source's sample events, so that they get past `when`: in each place of a
//! sample stands something hostile in turn, filled up to a size.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value, json};
use taskhook::delivery::{Delivery, Verified};
use taskhook::source::{Found, Mapped, Source, SourceFile, Sources};
use taskhook::time::Time;

/// A delivery to a source.
pub(crate) struct Case {
    /// The source's name.
    pub(crate) source: String,
    /// What is hostile, and where.
    pub(crate) name: String,
    delivery: Delivery,
}

/// The shipped sources. They verify nothing here: what is measured is reading and mapping.
pub(crate) fn sources() -> Sources {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    for folder in ["sources", "sources/available"] {
        for file in
            taskhook::files::read(&root.join(folder)).expect("the shipped sources can be read")
        {
            let text = file.text.expect("a shipped source can be read");
            files.push(SourceFile { text: Ok(without_verification(&text)), ..file });
        }
    }
    let sources = Sources::read(&files);
    assert!(sources.problems().is_empty(), "{:?}", sources.problems());
    sources
}

fn without_verification(text: &str) -> String {
    let (before, rest) = text.split_once("\n[verify]").expect("a source has [verify]");
    let after = rest.find("\n[").map_or("", |next| &rest[next..]);
    format!("{before}\n[verify]\nscheme = \"none\"{after}")
}

/// Hostile bodies for every source, handed to `measure` one after the other: the same one in each
/// of the sizes. Something hostile stands in every place that the source reads. `wanted` are parts
/// of sources' names; without any, all sources are gone through.
pub(crate) fn each_case(
    sizes: &[usize],
    wanted: &[String],
    mut measure: impl FnMut(&Sources, &[Case]),
) {
    let sources = sources();
    for source in sources.iter() {
        if !wanted.is_empty() && !wanted.iter().any(|part| source.name.contains(part.as_str())) {
            continue;
        }
        let mut tried: BTreeMap<String, usize> = BTreeMap::new();
        for (file, event) in samples(&source.name) {
            let Some(sample) = body(&event) else { continue };
            let original = updates(&sources, source, &event, &sample);
            for path in places(&sample).into_iter().filter(|path| !path.is_empty()) {
                let tried = tried.entry(shape(&path)).or_default();
                if *tried >= SAMPLES {
                    continue;
                }
                let other = json!([{ "name": "p1" }]);
                let is_read =
                    updates(&sources, source, &event, &with(&sample, &path, &other)) != original;
                *tried += if is_read { SAMPLES } else { 1 };
                if !is_read {
                    continue;
                }
                let replaced = sample.pointer(&path).unwrap_or(&Value::Null);
                let of_sizes: Vec<_> = sizes.iter().map(|size| hostile(replaced, *size)).collect();
                for (at, (what, _)) in of_sizes[0].iter().enumerate() {
                    let name = format!("{file}{path}: {what}");
                    let bodies =
                        of_sizes.iter().map(|hostile| with(&sample, &path, &hostile[at].1));
                    let cases: Vec<_> =
                        bodies.map(|body| case(source, &name, &event, &body)).collect();
                    measure(&sources, &cases);
                }
            }
        }
        each_long(&sources, source, sizes, &mut measure);
    }
}

/// In how many samples a place is tried until it counts as one that nobody reads.
const SAMPLES: usize = 2;

/// The first sample of a source with all its arrays as long as the body may be.
fn each_long(
    sources: &Sources,
    source: &Source,
    sizes: &[usize],
    measure: &mut impl FnMut(&Sources, &[Case]),
) {
    let sample =
        samples(&source.name).into_iter().find_map(|(_, event)| Some((body(&event)?, event)));
    let Some((sample, event)) = sample else { return };
    let bodies = sizes.iter().map(|size| with_long_arrays(&sample, *size));
    let cases: Vec<_> = bodies.map(|body| case(source, "long arrays", &event, &body)).collect();
    measure(sources, &cases);
}

/// Each source's sample with long arrays, and hostile bodies of which a source reads nothing but
/// what it did before.
pub(crate) fn each_unread_case(size: usize, mut measure: impl FnMut(&Sources, &Case)) {
    let sources = sources();
    for source in sources.iter() {
        each_long(&sources, source, &[size], &mut |sources, cases| measure(sources, &cases[0]));
    }
    let Found::Source(source) = sources.find("/github") else { panic!("GitHub's source is there") };
    let (sample, event) = samples("github")
        .into_iter()
        .find_map(|(_, event)| Some((body(&event)?, event)))
        .unwrap_or_default();
    for (what, hostile) in hostile(&Value::Null, size) {
        let mut body = sample.clone();
        body["not_read"] = hostile;
        measure(&sources, &case(source, what, &event, &body));
    }
}

fn updates(sources: &Sources, source: &Source, event: &Value, body: &Value) -> String {
    format!("{:?}", mapped(sources, &case(source, "", event, body)))
}

/// The sample with something else in a place.
fn with(sample: &Value, path: &str, other: &Value) -> Value {
    let mut body = sample.clone();
    *body.pointer_mut(path).expect("the place is there") = other.clone();
    body
}

/// Reads and maps a delivery; how many updates it gives.
pub(crate) fn map(sources: &Sources, case: &Case) -> usize {
    match mapped(sources, case) {
        Some(Mapped::Updates(updates)) => updates.len(),
        Some(Mapped::Filtered) | None => 0,
    }
}

fn mapped(sources: &Sources, case: &Case) -> Option<Mapped> {
    let Found::Source(source) = sources.find(&case.delivery.path) else {
        panic!("no source {}", case.source)
    };
    let verified = Verified::without_proof(&case.delivery);
    sources.map(source, &verified, source.verify.tolerance).ok().map(|event| event.mapped)
}

impl Case {
    /// Bytes of the body.
    pub(crate) fn size(&self) -> usize {
        self.delivery.body.len()
    }
}

/// A delivery with this body, and the headers of an event that tell its kind.
pub(crate) fn case(source: &Source, name: &str, event: &Value, body: &Value) -> Case {
    let mut delivery = Delivery {
        method: http::Method::POST,
        path: source.path.clone(),
        query: Vec::new(),
        headers: http::HeaderMap::new(),
        body: body.to_string().into(),
        arrived: Time::from_milliseconds(1_790_000_000_000),
        request_id: "request".to_owned(),
        trace_header: None,
        source_ip: None,
    };
    for (name, value) in headers(event) {
        let name = http::HeaderName::from_bytes(name.as_bytes()).expect("a sample's header");
        delivery.headers.insert(name, value.parse().expect("a sample's header"));
    }
    Case { source: source.name.clone(), name: name.to_owned(), delivery }
}

/// The sample events of a source, by their names.
fn samples(source: &str) -> Vec<(String, Value)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("events").join(source);
    let mut samples = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if let Some(name) = name
            .strip_suffix(".json")
            .filter(|name| !name.contains('.') && *name != "bad-signature")
        {
            let text = std::fs::read_to_string(entry.path()).expect("a sample can be read");
            samples.push((name.to_owned(), serde_json::from_str(&text).expect("a sample is JSON")));
        }
    }
    samples.sort_by(|(one, _), (other, _)| one.cmp(other));
    samples
}

fn body(event: &Value) -> Option<Value> {
    serde_json::from_str(event["body"].as_str()?).ok()
}

/// The headers that tell one kind of event from another.
fn headers(event: &Value) -> Vec<(String, String)> {
    let headers = event["headers"].as_object().into_iter().flatten();
    let tells = |name: &str| name.ends_with("event") || name.ends_with("resource");
    headers
        .filter(|(name, _)| tells(name))
        .map(|(name, value)| (name.clone(), value.as_str().unwrap_or_default().to_owned()))
        .collect()
}

/// Every place of a value, as a JSON pointer.
fn places(value: &Value) -> Vec<String> {
    fn walk(value: &Value, path: &str, places: &mut Vec<String>) {
        places.push(path.to_owned());
        match value {
            Value::Object(fields) => {
                for (name, value) in fields {
                    let name = name.replace('~', "~0").replace('/', "~1");
                    walk(value, &format!("{path}/{name}"), places);
                }
            }
            Value::Array(items) => {
                for (at, item) in items.iter().enumerate() {
                    walk(item, &format!("{path}/{at}"), places);
                }
            }
            _ => {}
        }
    }
    let mut places = Vec::new();
    walk(value, "", &mut places);
    places
}

/// A place, whichever element of an array it is in.
fn shape(path: &str) -> String {
    path.split('/')
        .map(|part| if part.parse::<usize>().is_ok() { "*" } else { part })
        .collect::<Vec<_>>()
        .join("/")
}

/// What may stand in place of a value, in `size` bytes.
fn hostile(value: &Value, size: usize) -> Vec<(&'static str, Value)> {
    let text = |unit: &str| Value::from(unit.repeat(size / unit.len()));
    // No array is longer than is read, so there are arrays of arrays.
    let array = |item: Value| {
        let length = size / (item.to_string().len() + 1);
        if length <= 10_000 {
            return Value::from(vec![item; length]);
        }
        Value::from(vec![Value::from(vec![item; 10_000]); length / 10_000])
    };
    let nested = |levels: usize| {
        let innermost = json!({});
        (0..levels).fold(innermost, |inner, level| {
            if level % 2 == 0 { json!([inner]) } else { json!({ "": inner }) }
        })
    };
    let mut all = vec![
        ("dashes", text("-")),
        ("spaces and signs", text("- \n<b>&p0")),
        ("empty objects", array(json!({}))),
        ("empty arrays", array(json!([]))),
        ("small objects", array(json!({ "": 0 }))),
        ("names", array(json!({ "name": "p" }))),
        ("numbers", array(json!(0))),
        ("letters", array(json!("a"))),
        ("deep nesting", array(nested(100))),
        (
            "many fields",
            (0..size / 12)
                .map(|n| (format!("{n:07}"), json!(n % 10)))
                .collect::<serde_json::Map<_, _>>()
                .into(),
        ),
    ];
    if let Value::Array(items) = value
        && let Some(first) = items.first()
    {
        all.push(("many of its items", array(first.clone())));
    }
    all
}

/// The sample with the items of all its arrays repeated until the body has `size` bytes.
fn with_long_arrays(sample: &Value, size: usize) -> Value {
    let mut body = sample.clone();
    let is_filled = |path: &String| {
        sample.pointer(path).and_then(Value::as_array).is_some_and(|items| !items.is_empty())
    };
    let arrays: Vec<_> = places(sample).into_iter().filter(is_filled).collect();
    let share = size / arrays.len().max(1);
    // The innermost first, as the outer ones repeat them.
    for path in arrays.iter().rev() {
        let Some(Value::Array(items)) = body.pointer_mut(path) else { continue };
        let length = items.iter().map(|item| item.to_string().len() + 1).sum::<usize>();
        let wanted = items.len() * (share / length).max(1);
        *items = items.iter().cloned().cycle().take(wanted).collect();
    }
    body
}
