//! The stories through `cargo lambda watch` and `cargo lambda invoke`, as a user runs them: the
//! demo in both modes.

use std::path::Path;
use std::process::Stdio;

use tokio::process::Command;

#[tokio::test]
async fn the_demo_sends_every_sample_through_cargo_lambda_and_sits_out_an_outage() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let tools = root.join(".venv/bin");
    let mut demo = Command::new(tools.join("python"));
    // What cargo tells its tests would make it build anew for `cargo lambda watch`.
    let is_ours = |name: &str| {
        name.starts_with("CARGO") && name != "CARGO_HOME" && name != "CARGO_TARGET_DIR"
    };
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
    let (output, errors) =
        (String::from_utf8_lossy(&demo.stdout), String::from_utf8_lossy(&demo.stderr));
    assert!(demo.status.success(), "{output}\n{errors}");
    // The demo itself compares each reply and each task with what is expected; here it is enough
    // that it did, and that tasks really changed.
    for part in [
        "as expected",
        "failed, as it must",
        "401  refused, as it must",
        "→ DEFERRED",
        "✓ nothing lost",
    ] {
        assert!(output.contains(part), "no {part:?} in:\n{output}");
    }
    assert!(!output.contains('✗'), "{output}");
    let longest = output.lines().map(|line| line.chars().count()).max();
    assert!(longest.is_some_and(|length| length <= 100), "{output}");
}
