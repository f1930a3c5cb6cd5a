//! Pages whose commands are run as they stand, and print what the page says.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use taskhook::sim::{Seed, Sim};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

use crate::support::shipped::root;

/// Commands that need an account, or take minutes: the first words of them.
const NOT_RUN: [&str; 4] = ["cargo install ", "aws ", "make package", "sam deploy "];

/// A block of the page.
struct Block {
    kind: String,
    text: String,
}

fn blocks(page: &str) -> Vec<Block> {
    let page = std::fs::read_to_string(root().join("docs").join(page)).unwrap();
    let mut blocks = Vec::new();
    for block in page.split("\n```").skip(1).step_by(2) {
        let (kind, text) = block.split_once('\n').unwrap();
        blocks.push(Block { kind: kind.to_owned(), text: text.to_owned() });
    }
    blocks
}

/// A copy of what the page takes from the repository.
fn folder(page: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let folder = folder.join(format!("{page}-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    for name in ["sources", "schema", "events", "tests/it/new"] {
        copy(&root().join(name), &folder.join(name));
    }
    // As `aws logs tail` wrote them.
    copy(&root().join("tests/it/trace"), &folder);
    folder
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let to = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &to);
        } else {
            std::fs::copy(&path, to).unwrap();
        }
    }
}

/// A shell with `taskhook` on its path and HubSpot's stand-in as the portal.
fn shell(command: &str, folder: &Path, hubspot: &str) -> Command {
    let tool = Path::new(env!("CARGO_BIN_EXE_taskhook")).parent().unwrap();
    let path = format!("{}:{}", tool.display(), std::env::var("PATH").unwrap());
    let mut shell = Command::new("sh");
    shell.args(["-c", command]).current_dir(folder).env("PATH", path);
    shell.env("HUBSPOT_TOKEN", "pat-test").env("HUBSPOT_BASE_URL", hubspot);
    shell.env_remove("TASKHOOK_SOURCES").stdin(Stdio::null()).kill_on_drop(true);
    shell
}

/// Starts a desk, and waits for its first line.
async fn start(command: &str, folder: &Path, hubspot: &str) -> (Child, String) {
    let mut child = shell(&format!("exec {command} --port 0"), folder, hubspot)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let first = lines.next_line().await.unwrap().unwrap();
    tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
    (child, first.strip_prefix("taskhook dev: ").unwrap().to_owned())
}

/// Holds what was printed against the page, in which `...` stands for any lines.
fn compare(expected: &str, printed: &str, command: &str) {
    let mut rest = printed;
    for (index, part) in expected.split("...\n").enumerate() {
        let part = part.trim_end_matches("...\n").trim_end_matches("...");
        let found = rest.find(part);
        let fits = if index == 0 { found == Some(0) } else { found.is_some() };
        assert!(fits, "{command}\n--- the page says\n{part}\n--- it prints\n{rest}");
        rest = &rest[found.unwrap_or(0) + part.len()..];
    }
    let is_open = expected.trim_end().ends_with("...");
    assert!(is_open || rest.trim().is_empty(), "{command} prints more:\n{rest}");
}

/// Applies the lines of a change to the source file.
fn change(diff: &str, file: &Path) {
    let lines = |sign| {
        let lines: Vec<_> = diff.lines().filter_map(|line| line.strip_prefix(sign)).collect();
        format!("{}\n", lines.join("\n"))
    };
    let text = std::fs::read_to_string(file).unwrap();
    let before = lines('-');
    assert_eq!(text.matches(&before).count(), 1, "{before:?} in {text}");
    std::fs::write(file, text.replace(&before, &lines('+'))).unwrap();
}

/// What was done with the blocks of a page.
#[derive(Debug, PartialEq, Eq)]
struct Done {
    ran: usize,
    compared: usize,
    changed: usize,
}

/// Runs a page in a folder.
async fn run(page: &str, folder: &Path) -> Done {
    let seed = std::fs::read_to_string(root().join("events/portal.json")).unwrap();
    let seed = Seed { token: None, ..serde_json::from_str(&seed).unwrap() };
    let sim = Sim::start(seed, 0).await.unwrap();
    let mut desk: Option<(Child, String)> = None;
    let mut printed = (String::new(), String::new());
    let mut done = Done { ran: 0, compared: 0, changed: 0 };
    for Block { kind, text } in blocks(page) {
        match kind.as_str() {
            "sh" => {
                for command in text.lines() {
                    if NOT_RUN.iter().any(|start| command.starts_with(start)) {
                        continue;
                    }
                    done.ran += 1;
                    if command.starts_with("taskhook dev") {
                        desk = Some(start(command, folder, &sim.url()).await);
                        let said = "taskhook dev: http://127.0.0.1:8787\n".to_owned();
                        printed = (command.to_owned(), said);
                        continue;
                    }
                    let address = desk.as_ref().map_or("", |(_, address)| address);
                    let here = command.replace("http://127.0.0.1:8787", address);
                    let output = shell(&here, folder, &sim.url()).output().await.unwrap();
                    let said = String::from_utf8_lossy(&output.stderr);
                    let is_meant = command == "taskhook check broken";
                    assert!(output.status.success() || is_meant, "{command}: {said}");
                    let mut out = String::from_utf8_lossy(&output.stdout).into_owned();
                    if is_meant {
                        out.push_str(&said);
                    }
                    printed = (command.to_owned(), out);
                }
            }
            "text" => {
                compare(&format!("{text}\n"), &printed.1, &printed.0);
                done.compared += 1;
            }
            "diff" => {
                change(&text, &folder.join("sources/forgejo.toml"));
                done.changed += 1;
            }
            other => panic!("a block of {other}"),
        }
    }
    done
}

#[tokio::test]
async fn every_command_of_the_tutorial_does_what_the_page_says() {
    let folder = folder("tutorial");
    let done = run("tutorial.md", &folder).await;
    assert_eq!(done, Done { ran: 10, compared: 6, changed: 3 });
    let saved = std::fs::read_to_string(folder.join("events/secrets.json")).unwrap();
    assert!(saved.contains("taskhook/forgejo") && !saved.contains("Zw8rJ4pQ1sXn6tLb"));
}

#[tokio::test]
async fn every_command_of_the_page_about_the_tool_prints_what_it_says() {
    let done = run("cli.md", &folder("cli")).await;
    assert_eq!(done, Done { ran: 16, compared: 11, changed: 0 });
}
