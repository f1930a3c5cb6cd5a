//! What must stay true of the code itself, and of the documents.

use std::path::{Path, PathBuf};

use taskhook::outcome::Kind;
use taskhook::source::{SourceFile, Sources, warnings};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The Rust files below a folder or file of `src`, without their tests.
fn code(place: &str) -> Vec<(PathBuf, String)> {
    let mut files = Vec::new();
    let mut queue = vec![root().join("src").join(place)];
    while let Some(path) = queue.pop() {
        if path.is_dir() {
            queue.extend(std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        } else if path.extension().is_some_and(|extension| extension == "rs")
            && !path.to_string_lossy().contains("tests")
        {
            let text = read(&path);
            let lines = text
                .lines()
                .take_while(|line| line.trim() != "#[cfg(test)]" || text.contains("mod tests;"));
            let code = lines.filter(|line| !line.trim_start().starts_with("//"));
            files.push((path, code.collect::<Vec<_>>().join("\n")));
        }
    }
    assert!(!files.is_empty(), "{place} has no files");
    files
}

#[test]
fn pure_rooms_do_no_input_or_output_and_read_no_clock() {
    let pure = [
        "delivery",
        "source",
        "update.rs",
        "outcome.rs",
        "lambda/summary.rs",
        "engine/plan.rs",
        "engine/guard.rs",
        "engine/account.rs",
        "engine/bad_value.rs",
        "engine/blame.rs",
        "engine/ledger.rs",
        "engine/linked.rs",
        "engine/matching.rs",
        "engine/row.rs",
        "engine/rules.rs",
        "engine/schedule.rs",
        "engine/preview.rs",
        "hubspot/retry.rs",
        "hubspot/said.rs",
        "hubspot/answer.rs",
        "hubspot/owner_pages.rs",
        "hubspot/schema.rs",
        "hubspot/takes.rs",
        "secrets/reference.rs",
        "queue/message.rs",
        "queue/plan.rs",
        "queue/letter.rs",
        "queue/dead.rs",
    ];
    let impure = [
        "tokio",
        "reqwest",
        "std::fs",
        "std::env",
        "std::net",
        "SystemTime",
        "Instant::",
        "Time::now",
        "async ",
    ];
    for (path, code) in pure.iter().flat_map(|place| code(place)) {
        for word in impure {
            assert!(!code.contains(word), "{} has {word:?}", path.display());
        }
    }
}

#[test]
fn only_the_functions_rooms_know_lambda_and_our_status_codes() {
    for (path, code) in code("") {
        let path = path.strip_prefix(root().join("src")).unwrap().to_owned();
        let may = ["lambda", "bin", "sim", "cli"].iter().any(|room| path.starts_with(room));
        let may_know_status = ["webhook.rs", "event.rs", "reply.rs"]
            .iter()
            .any(|file| path == Path::new("lambda").join(file));
        assert!(
            may_know_status || !path.starts_with("lambda") || !code.contains("StatusCode"),
            "{} has status codes",
            path.display()
        );
        for word in ["lambda_http", "lambda_runtime", "StatusCode"] {
            assert!(may || !code.contains(word), "{} has {word:?}", path.display());
        }
    }
}

#[test]
fn each_outside_crate_has_its_home() {
    for (word, homes) in [
        ("jaq_", &["source/jq"][..]),
        ("toml::", &["source"]),
        ("jiff", &["time.rs", "sim"]),
        ("hmac::", &["delivery"]),
        ("jsonwebtoken", &["delivery/jwt.rs"]),
        ("aws_", &["secrets", "queue", "aws.rs", "outbound.rs", "services.rs", "lambda"]),
        ("flate2", &["queue"]),
        ("reqwest", &["outbound.rs", "aws.rs", "services.rs", "hubspot"]),
        ("hyper", &["sim", "cli/dev/server.rs"]),
        ("clap", &["cli"]),
        ("similar", &["cli"]),
        ("tracing_subscriber", &["telemetry.rs"]),
    ] {
        for (path, code) in code("") {
            let path = path.strip_prefix(root().join("src")).unwrap().to_owned();
            let uses = code.lines().any(|line| {
                line.contains(&format!("use {word}")) || line.contains(&format!(" {word}"))
            });
            assert!(
                !uses || homes.iter().any(|home| path.starts_with(home)),
                "{} uses {word}",
                path.display()
            );
        }
    }
}

/// The functions are packaged without the tool, whose feature brings the command line and the
/// stand-in's server. `reqwest` brings hyper, but only its client.
#[test]
fn no_function_has_the_command_line_or_an_http_server_in_it() {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let arguments = ["tree", "--locked", "--offline", "--no-default-features", "--edges=normal"];
    let tree = std::process::Command::new(cargo)
        .args(arguments)
        .args(["--prefix=none", "--format={lib}[{f}]"])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(tree.status.success(), "{}", String::from_utf8_lossy(&tree.stderr));
    let tree = String::from_utf8(tree.stdout).unwrap();
    let hyper = tree.lines().find(|line| line.starts_with("hyper[")).unwrap();
    assert!(hyper.contains("client") && !hyper.contains("server"), "{hyper}");
    for library in ["anyhow", "clap", "clap_builder", "similar", "signal_hook_registry"] {
        let is_there = tree.lines().any(|line| line.starts_with(&format!("{library}[")));
        assert!(!is_there, "{library} is in a function");
    }
    let makefile = read(&root().join("Makefile"));
    for command in ["cargo-lambda lambda build", "cargo build --locked --release $(FUNCTIONS"] {
        let call = makefile.lines().find(|line| line.contains(command));
        assert!(call.unwrap().contains("--no-default-features"), "{call:?}");
    }
}

/// `message` is what a line says, and the others are what each line has: a field of the same name
/// would be another.
#[test]
fn no_field_of_a_log_line_has_a_name_that_lines_have_themselves() {
    for (path, code) in code("") {
        for call in code.split("tracing::").skip(1) {
            let Some((level, rest)) = call.split_once("!(") else { continue };
            if !["error", "warn", "info", "debug", "trace", "$level"].contains(&level) {
                continue;
            }
            let fields = rest
                .split('"')
                .next()
                .unwrap()
                .split(',')
                .map(|field| field.split('=').next().unwrap().trim());
            for field in fields {
                let name = field.trim_start_matches(['%', '?']);
                let own = ["message", "timestamp", "level", "target", "requestId"];
                assert!(!own.contains(&name), "{} logs a field {name}", path.display());
            }
        }
    }
}

#[test]
fn every_fault_of_the_durable_mode_has_a_test_that_shows_it() {
    let page = read(&root().join("docs/durable.md"));
    let table = page.split("| fault |").nth(1).and_then(|rest| rest.split("\n\n").next()).unwrap();
    let rows: Vec<_> = table.lines().skip(2).collect();
    assert!(rows.len() >= 20, "{} rows", rows.len());
    for row in rows {
        let last = row.trim_end_matches([' ', '|']).rsplit('|').next().unwrap();
        assert!(last.split('`').any(|word| word.matches('_').count() >= 4), "no test in: {row}");
    }
}

#[test]
fn the_complete_source_file_of_the_reference_is_sound() {
    let page = read(&root().join("docs/source-files.md"));
    let text = page.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    let file = SourceFile::from_text("example", "github", text);
    assert_eq!(Sources::read(std::slice::from_ref(&file)).problems(), []);
    assert_eq!(warnings(&[file]), []);
}

/// Fails for each name that the page doesn't have in backticks.
fn has_all(page: &str, names: impl IntoIterator<Item = String>) {
    let text = read(&root().join(page));
    let mut count = 0;
    for name in names {
        assert!(text.contains(&format!("`{name}`")), "{name} is not in {page}");
        count += 1;
    }
    assert!(count > 5, "{count} names for {page}");
}

#[test]
fn every_command_is_in_the_page_about_the_tool() {
    let code = read(&root().join("src/cli/mod.rs"));
    let commands = code.split("enum Command {").nth(1).unwrap().split('}').next().unwrap();
    let page = read(&root().join("docs/cli.md"));
    let mut count = 0;
    for variant in commands.lines().filter_map(|line| line.trim().split_once('(')) {
        let name = variant.0.to_lowercase();
        // Help doesn't show these: `check`, `dev` and `make` run them.
        if !["judge", "draft", "demo"].contains(&name.as_str()) {
            assert!(page.contains(&format!("| [`taskhook {name}`](#")), "{name}");
            count += 1;
        }
    }
    assert!(count > 7, "{count} commands");
}

#[test]
fn every_setting_is_in_the_page_about_deploying() {
    let settings = code("settings.rs").remove(0).1 + &code("files.rs").remove(0).1;
    let is_setting = |word: &&str| word.starts_with("TASKHOOK_") || word.starts_with("HUBSPOT_");
    has_all("docs/deploy.md", settings.split('"').filter(is_setting).map(str::to_owned));
}

#[test]
fn every_key_and_every_named_scheme_is_in_the_reference_of_source_files() {
    has_all("docs/source-files.md", taskhook::delivery::preset_names().map(str::to_owned));
    // A key is read by `table.text("key")` and its like.
    let spec: String = code("source/spec").into_iter().map(|(_, code)| code).collect();
    let calls = spec.split("table.").skip(1).filter_map(|rest| rest.split_once("(\""));
    let keys: std::collections::BTreeSet<_> = calls
        .filter(|(method, _)| method.chars().all(|c| c.is_ascii_lowercase() || c == '_'))
        .filter_map(|(_, rest)| rest.split('"').next())
        .map(str::to_owned)
        .collect();
    assert!(keys.len() > 25, "{keys:?}");
    let page = read(&root().join("docs/source-files.md"));
    for key in keys {
        let is_there = page.contains(&format!("`{key}`")) || page.contains(&format!("`[{key}]`"));
        assert!(is_there, "{key} is not in docs/source-files.md");
    }
}

#[test]
fn every_outcome_and_every_reason_is_in_the_page_about_replies() {
    let variants = |name: &str| -> Vec<String> {
        let outcomes = read(&root().join("src/outcome.rs"));
        let body = outcomes
            .split(&format!("pub enum {name} {{"))
            .nth(1)
            .unwrap()
            .split("\n}")
            .next()
            .unwrap()
            .to_owned();
        let lines = body
            .lines()
            .map(str::trim)
            .filter(|line| line.starts_with(|c: char| c.is_ascii_uppercase()));
        let words = lines.map(|line| {
            line.split(|c: char| !c.is_ascii_alphanumeric()).next().unwrap_or_default()
        });
        words.map(snake_case).collect()
    };
    let reasons = ["FailReason", "RetryReason", "FilterReason"].map(variants);
    has_all("docs/replies.md", reasons.into_iter().flatten());
    for kind in Kind::ALL {
        assert!(
            read(&root().join("docs/replies.md")).contains(&format!("| `{}` |", kind.as_str())),
            "{kind:?}"
        );
    }
}

fn snake_case(name: &str) -> String {
    let mut snake = String::new();
    for character in name.chars() {
        if character.is_ascii_uppercase() && !snake.is_empty() {
            snake.push('_');
        }
        snake.push(character.to_ascii_lowercase());
    }
    snake
}

#[test]
fn the_readme_is_a_first_page_and_names_every_other() {
    let readme = read(&root().join("README.md"));
    assert!(readme.lines().count() <= 140, "{} lines", readme.lines().count());
    for entry in std::fs::read_dir(root().join("docs")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "png") {
            continue; // A picture is on the page that it belongs to.
        }
        let name = path.file_name().unwrap().to_str().unwrap();
        assert!(readme.contains(&format!("(docs/{name})")), "README.md doesn't name docs/{name}");
    }
}

#[test]
fn every_test_that_a_page_names_exists() {
    let tests: String = std::fs::read_dir(root().join("tests/it"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .map(|path| read(&path))
        .collect();
    for (page, at_least) in
        [("docs/durable.md", 26), ("docs/operate.md", 15), ("ARCHITECTURE.md", 5)]
    {
        let text = read(&root().join(page));
        // A test is named by a sentence, as nothing else is that stands in backticks.
        let is_test = |word: &&str| {
            word.matches('_').count() >= 4 && word.chars().all(|c| c == '_' || c.is_lowercase())
        };
        let named = text.split(['`', ':', '[', ']']).filter(is_test).collect::<Vec<_>>();
        assert!(named.len() >= at_least, "{page} names {} tests", named.len());
        for name in named {
            assert!(tests.contains(&format!("fn {name}(")), "{page}: there is no test {name}");
        }
    }
}

/// The anchor that GitHub gives a heading.
fn anchor(heading: &str) -> String {
    let is_kept = |c: &char| c.is_alphanumeric() || "-_ ".contains(*c);
    heading.trim().to_lowercase().chars().filter(is_kept).collect::<String>().replace(' ', "-")
}

#[test]
fn every_link_between_the_pages_leads_to_a_heading() {
    let mut pages = vec!["README.md".to_owned(), "CONTRIBUTING.md".to_owned()];
    for entry in std::fs::read_dir(root().join("docs")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "md") {
            pages.push(format!("docs/{}", path.file_name().unwrap().to_str().unwrap()));
        }
    }
    let mut count = 0;
    for page in &pages {
        let file = root().join(page);
        let text = read(&file);
        let links = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
        for link in links.filter(|link| !link.starts_with("http")) {
            let Some((target, place)) = link.split_once('#') else { continue };
            let target =
                if target.is_empty() { file.clone() } else { file.parent().unwrap().join(target) };
            let there = read(&target);
            let headings = there.lines().filter(|line| line.starts_with('#'));
            let mut anchors = headings.map(|line| anchor(line.trim_start_matches('#')));
            assert!(anchors.any(|anchor| anchor == place), "{page}: {link}");
            count += 1;
        }
    }
    assert!(count > 20, "{count} links");
}
