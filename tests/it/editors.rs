//! The schema by which editors complete and check source files, held against the reader itself: the
//! reader says which keys and words it knows when it meets one that it doesn't.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use taskhook::source::{SourceFile, Sources};

use crate::support::shipped::{self, LIVE, PROMISED, root};

fn schema() -> Value {
    serde_json::from_str(include_str!("../../schema/source.schema.json")).unwrap()
}

/// The problems of a source file with these lines in its tables.
fn problems(verify: &str, event: &str, task: &str, properties: &str) -> String {
    let text = format!(
        "[verify]\n{verify}\n[event]\n{event}\n[task]\nid = '.id'\nid_property = \"ticket\"\n{task}\n\
         [properties]\n{properties}\n"
    );
    let sources = Sources::read(&[SourceFile::from_text("sources/desk.toml", "desk", text)]);
    told(&sources)
}

fn told(sources: &Sources) -> String {
    let lines: Vec<_> = sources.problems().iter().map(ToString::to_string).collect();
    lines.join("\n")
}

/// The words in a list that ends a message, such as `known here: `.
fn listed(problems: &str, before: &str) -> BTreeSet<String> {
    let list = problems.split(before).nth(1).unwrap_or_else(|| panic!("no {before} in {problems}"));
    let words = list.lines().next().unwrap().split(", ");
    words.map(|word| word.trim_matches(['`', '"']).to_owned()).collect()
}

fn keys(schema: &Value) -> BTreeSet<String> {
    schema["properties"].as_object().unwrap().keys().cloned().collect()
}

fn words(schema: &Value) -> BTreeSet<String> {
    let words = schema["enum"].as_array().unwrap().iter();
    words.map(|word| word.as_str().unwrap().to_owned()).collect()
}

const NONE: &str = "scheme = \"none\"";
const HMAC: &str = "scheme = \"hmac\"\nsecret = \"s\"\nheader = \"x-signature\"";
const UNKNOWN: &str = "zzzzzzzz = 1";

#[test]
fn the_schema_for_editors_has_the_keys_that_the_reader_knows() {
    let schema = schema();
    let known = |problems: &str| listed(problems, "known here: ");
    let tables = &schema["properties"];
    let event = known(&problems(NONE, UNKNOWN, "", "a = '.a'"));
    assert_eq!(keys(&tables["event"]), event);
    assert_eq!(keys(&tables["task"]), known(&problems(NONE, "", UNKNOWN, "a = '.a'")));
    let in_task = |line: &str| known(&problems(NONE, "", line, "a = '.a'"));
    let task = &tables["task"]["properties"];
    let by_event = format!("on_missing = {{ from = '.a', map = {{}}, {UNKNOWN} }}");
    assert_eq!(keys(&task["on_missing"]["oneOf"][1]), in_task(&by_event));
    let links = format!("[task.associate]\ncontact = '.a'\n{UNKNOWN}");
    assert_eq!(keys(&task["associate"]), in_task(&links));
    for (kind, schema) in task["associate"]["properties"].as_object().unwrap() {
        let schema = if kind == "contact" { &schema["oneOf"][1] } else { schema };
        if schema["type"] == "object" {
            let link = format!("associate.{kind} = {{ by = \"b\", from = '.a', {UNKNOWN} }}");
            assert_eq!(keys(schema), in_task(&link), "{kind}");
        }
    }
    let step = format!("a = {{ from = '.a', {UNKNOWN} }}");
    let of_a_property = &tables["properties"]["additionalProperties"]["oneOf"][1];
    assert_eq!(keys(of_a_property), known(&problems(NONE, "", "", &step)));
    let root = Sources::read(&[SourceFile::from_text("desk.toml", "desk", UNKNOWN)]);
    assert_eq!(keys(&schema), known(&told(&root)));

    // Each scheme has keys of its own; the schema has those of all.
    let mut of_verify = BTreeSet::new();
    let named = "scheme = \"trello\"\nsecret = \"s\"\nurl = \"https://a.example\"";
    let token = "scheme = \"token\"\nsecret = \"s\"\nheader = \"x-token\"";
    for verify in [NONE, HMAC, named, token] {
        of_verify.extend(known(&problems(&format!("{verify}\n{UNKNOWN}"), "", "", "a = '.a'")));
    }
    assert_eq!(keys(&tables["verify"]), of_verify);
}

#[test]
fn the_schema_for_editors_has_the_words_that_the_reader_takes() {
    let schema = schema();
    let tables = &schema["properties"];
    let verify = &tables["verify"]["properties"];
    let schemes = problems("scheme = \"zzz\"\nsecret = \"s\"", "", "", "a = '.a'");
    assert_eq!(words(&verify["scheme"]), listed(&schemes, "known: "));
    for key in ["algorithm", "encoding", "secret_encoding"] {
        let told = problems(&format!("{HMAC}\n{key} = \"zzz\""), "", "", "a = '.a'");
        assert_eq!(words(&verify[key]), listed(&told, "write one of "), "{key}");
    }
    let told = problems(NONE, "", "on_missing = \"zzz\"", "a = '.a'");
    let task = &tables["task"]["properties"];
    let on_missing = &task["on_missing"]["oneOf"];
    assert_eq!(words(&on_missing[0]), listed(&told, "write one of "));
    let by_event = &on_missing[1]["properties"];
    for (rule, words_of) in [
        ("map = { x = \"zzz\" }", &by_event["map"]["additionalProperties"]),
        ("map = {}, otherwise = \"zzz\"", &by_event["otherwise"]),
    ] {
        let line = format!("on_missing = {{ from = '.a', {rule} }}");
        let told = problems(NONE, "", &line, "a = '.a'");
        assert_eq!(words(words_of), listed(&told, "write one of "), "{rule}");
    }
    for key in ["when", "missing"] {
        let line = format!("associate = {{ contact = '.a', {key} = \"zzz\" }}");
        let told = problems(NONE, "", &line, "a = '.a'");
        let words_of = &task["associate"]["properties"][key];
        assert_eq!(words(words_of), listed(&told, "write one of "), "{key}");
    }
    let steps = &tables["properties"]["additionalProperties"]["oneOf"][1]["properties"];
    for key in ["as", "unmapped", "write"] {
        let told = problems(NONE, "", "", &format!("a = {{ from = '.a', {key} = \"zzz\" }}"));
        assert_eq!(words(&steps[key]), listed(&told, "write one of "), "{key}");
    }
}

/// Runs taplo in a folder, as an editor does: by its `.taplo.toml`. Returns whether the files there
/// are right, and what it says.
fn taplo(folder: &Path) -> (bool, String) {
    let program = root().join(".local/node/node_modules/.bin/taplo");
    let command =
        Command::new(program).args(["check", "--colors", "never"]).current_dir(folder).output();
    let output = command.unwrap_or_else(|error| panic!("`make setup` first: {error}"));
    (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn each_shipped_file_names_the_schema_in_its_first_line() {
    let mut files = shipped::of("sources/available");
    files.extend(shipped::of("sources").into_iter().filter(|(name, _)| LIVE.contains(&&**name)));
    files.retain(|name, _| PROMISED.contains(&name.as_str()));
    for (name, path) in files {
        let text = std::fs::read_to_string(&path).unwrap();
        let first = text.lines().next().unwrap();
        let named = first.strip_prefix("#:schema ").unwrap_or_else(|| panic!("{name}: {first}"));
        assert!(path.parent().unwrap().join(named).is_file(), "{name}: {named}");
    }
}

/// A folder with the schema, and nothing in `sources` yet.
fn folder(test: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(test);
    let _ = std::fs::remove_dir_all(&folder);
    for name in ["sources/available", "schema"] {
        std::fs::create_dir_all(folder.join(name)).unwrap();
    }
    let schema = "schema/source.schema.json";
    std::fs::copy(root().join(schema), folder.join(schema)).unwrap();
    folder
}

#[test]
fn editors_find_every_file_right_by_the_rule_of_the_project() {
    let copy = folder("editors-all");
    std::fs::copy(root().join(".taplo.toml"), copy.join(".taplo.toml")).unwrap();
    for folder in ["sources", "sources/available"] {
        for (name, path) in shipped::of(folder) {
            let text = std::fs::read_to_string(path).unwrap();
            // The rule counts here, whatever the first line names.
            let text = text.replacen("#:schema", "# schema", 1);
            std::fs::write(copy.join(folder).join(format!("{name}.toml")), text).unwrap();
        }
    }
    let (is_right, said) = taplo(&copy);
    assert!(is_right && !said.contains("total=0"), "{said}");
}

#[test]
fn editors_find_a_misspelt_key_by_the_first_line_alone() {
    let copy = folder("editors-misspelt");
    let text = std::fs::read_to_string(root().join("sources/tickets.toml")).unwrap();
    std::fs::write(copy.join("sources/tickets.toml"), &text).unwrap();
    let (is_right, said) = taplo(&copy);
    assert!(is_right && !said.contains("total=0"), "{said}");
    let misspelt = text.replacen("on_missing ", "on_mising ", 1);
    std::fs::write(copy.join("sources/tickets.toml"), misspelt).unwrap();
    let (is_right, said) = taplo(&copy);
    assert!(!is_right && said.contains("on_mising"), "{said}");
}
