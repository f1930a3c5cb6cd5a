//! One story through `cargo lambda watch` and `cargo lambda invoke`, as a user runs them: the demo.

use std::path::Path;
use std::process::Stdio;

use tokio::process::Command;

#[tokio::test]
async fn the_demo_sends_every_sample_through_cargo_lambda_and_changes_tasks() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let tools = root.join(".venv/bin");
    let demo = Command::new(tools.join("python"))
        .arg(root.join("scripts/local.py"))
        .arg("demo")
        .current_dir(root)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let demo = demo.await.expect("the demo runs; `make setup` installs what it needs");
    let (output, errors) = (String::from_utf8_lossy(&demo.stdout), String::from_utf8_lossy(&demo.stderr));
    assert!(demo.status.success(), "{output}\n{errors}");
    for line in ["✓ github/closed ", "✓ zendesk/solved ", "✓ jira/done ", "✓ tickets/bad-signature "] {
        assert!(output.contains(line), "no {line:?} in:\n{output}");
    }
    // The demo itself compares each reply with what is expected; here it is enough that a task really changed.
    assert!(output.contains("9009  35436         IN_PROGRESS"), "{output}");
    assert!(output.contains("→                COMPLETED"), "{output}");
}
