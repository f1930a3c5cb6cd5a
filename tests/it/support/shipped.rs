//! The source files that come with Taskhook, as far as they are there. Whoever uses it enables
//! some, deletes others and adds his own: these tests are about what is shipped, and `taskhook
//! check` and `taskhook test` about the rest.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The systems that are promised, by the names of their source files.
pub const PROMISED: [&str; 22] = [
    "asana",
    "clickup",
    "freshdesk",
    "freshservice",
    "front",
    "github",
    "github-pulls",
    "gitlab",
    "helpscout",
    "intercom",
    "jira",
    "linear",
    "monday",
    "notion",
    "pagerduty",
    "sentry",
    "servicenow",
    "shortcut",
    "tickets",
    "trello",
    "zendesk",
    "zendesk-trigger",
];

/// Those of them that are enabled as shipped, and have an output in the template.
pub const LIVE: [&str; 6] = ["github", "gitlab", "jira", "linear", "tickets", "zendesk"];

/// The root of the project.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The source files of a folder by name; none, if there is no such folder.
pub fn of(folder: &str) -> BTreeMap<String, PathBuf> {
    let entries = std::fs::read_dir(root().join(folder)).into_iter().flatten();
    let paths = entries.map(|entry| entry.unwrap().path());
    let files = paths.filter(|path| path.extension().is_some_and(|extension| extension == "toml"));
    files.map(|path| (path.file_stem().unwrap().to_str().unwrap().to_owned(), path)).collect()
}

/// The promised source files that are there. One that was enabled is in both folders: the one in
/// sources/ counts.
pub fn sources() -> BTreeMap<String, PathBuf> {
    let mut files = of("sources/available");
    files.extend(of("sources"));
    files.retain(|name, _| PROMISED.contains(&name.as_str()));
    files
}
