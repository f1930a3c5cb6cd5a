//! `taskhook verify`: what would make a signature right.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::{root, taskhook, text};

/// GitHub's first sample, changed.
fn changed(test: &str, change: impl FnOnce(&mut Value)) -> PathBuf {
    let sample = std::fs::read_to_string(root().join("events/github/closed.json")).unwrap();
    let mut event: Value = serde_json::from_str(&sample).unwrap();
    change(&mut event);
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let file = folder.join(format!("verify-{test}-{}.json", std::process::id()));
    std::fs::write(&file, event.to_string()).unwrap();
    file
}

async fn verify(delivery: &Path, arguments: &[&str]) -> (i32, String) {
    let delivery = delivery.to_str().unwrap();
    let all = [&["verify", "github", delivery], arguments].concat();
    let output = taskhook(&root().join("sources"), &all).await;
    (output.status.code().unwrap(), text(&output.stdout) + &text(&output.stderr))
}

#[tokio::test]
async fn a_right_signature_is_right() {
    let (code, told) = verify(&changed("right", |_| {}), &[]).await;
    assert_eq!((code, told.as_str()), (0, "The signature is right.\n"));
}

#[tokio::test]
async fn a_body_that_an_editor_changed_is_told_with_the_cure() {
    let with_break = changed("break", |event| {
        event["body"] = (event["body"].as_str().unwrap().to_owned() + "\n").into();
    });
    let (code, told) = verify(&with_break, &[]).await;
    assert_eq!(code, 1);
    assert!(told.contains("without the line break at the end of the body"), "{told}");
}

#[tokio::test]
async fn a_secret_that_is_wrong_is_told_without_being_shown() {
    let right = changed("secret", |_| {});
    let (code, told) = verify(&right, &["--secret", "\"local-github-webhook-secret\""]).await;
    assert_eq!(code, 1);
    assert!(told.contains("without the quotation marks around it"), "{told}");
    let (code, told) = verify(&right, &["--secret", "hunter2-hunter2-hunter2-hunter2"]).await;
    assert_eq!(code, 1);
    assert!(told.contains("compare the secret with the sender's"), "{told}");
    assert!(!told.contains("hunter2"), "{told}");
}

#[tokio::test]
async fn a_signature_in_another_form_is_told_with_the_key_that_reads_it() {
    let without_prefix = changed("prefix", |event| {
        let signature = event["headers"]["x-hub-signature-256"].as_str().unwrap().to_owned();
        event["headers"]["x-hub-signature-256"] = signature.replace("sha256=", "").into();
    });
    let (code, told) = verify(&without_prefix, &[]).await;
    assert_eq!(code, 1);
    // The named scheme has no such key.
    let cure = "with scheme = \"hmac\" in [verify], its keys, and prefix = \"\"";
    assert!(told.contains(cure), "{told}");
}
