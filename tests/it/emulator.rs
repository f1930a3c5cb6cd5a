//! The stories through `cargo lambda watch` and `cargo lambda invoke`, as a user runs them: the demo in both modes.

use std::path::Path;
use std::process::Stdio;

use tokio::process::Command;

#[tokio::test]
async fn the_demo_sends_every_sample_through_cargo_lambda_and_sits_out_an_outage() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let tools = root.join(".venv/bin");
    let mut demo = Command::new(tools.join("python"));
    // What cargo tells its tests would make it build anew for `cargo lambda watch`.
    let is_ours = |name: &str| name.starts_with("CARGO") && name != "CARGO_HOME" && name != "CARGO_TARGET_DIR";
    for (name, _) in std::env::vars().filter(|(name, _)| is_ours(name)) {
        demo.env_remove(name);
    }
    let demo = demo
        .arg(root.join("scripts/local.py"))
        .arg("demo")
        .current_dir(root)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let demo = demo.await.expect("the demo runs; `make setup` installs what it needs");
    let (output, errors) = (String::from_utf8_lossy(&demo.stdout), String::from_utf8_lossy(&demo.stderr));
    assert!(demo.status.success(), "{output}\n{errors}");
    for line in ["✓ github/closed ", "✓ zendesk/solved ", "✓ jira/done ", "✓ tickets/bad-signature ", "✓ nothing lost"]
    {
        assert!(output.contains(line), "no {line:?} in:\n{output}");
    }
    // The demo itself compares each reply and each task with what is expected; here it is enough that a task really
    // changed.
    let cells: Vec<Vec<_>> = output.lines().map(|line| line.split_whitespace().collect()).collect();
    let before = cells.iter().position(|cells| cells.starts_with(&["9009", "35436", "IN_PROGRESS"]));
    assert!(before.is_some_and(|row| cells[row + 1].starts_with(&["→", "COMPLETED"])), "{output}");
}
