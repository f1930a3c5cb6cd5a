//! HubSpot, Secrets Manager and SQS over TLS, whose servers have certificates of an authority of
//! the tests' own.

use std::process::Output;

use rustls::HandshakeKind::{Full, Resumed};
use rustls::SupportedProtocolVersion;
use rustls::version::{TLS12, TLS13};
use serde_json::{Value, json};
use tokio::process::Command;

use crate::support::event::Event;
use crate::support::tls::Shows::{Expired, Good, OtherName, Stranger};
use crate::support::tls::{Front, Tls};
use crate::support::{Reply, World, world};

const VERSIONS: [&SupportedProtocolVersion; 2] = [&TLS12, &TLS13];

fn tls(world: &World) -> &Tls {
    world.tls.as_ref().unwrap()
}

async fn deliver(world: &World, subject: &str) -> Reply {
    world.deliver(json!({"id": "1", "subject": subject})).await
}

/// The subjects that HubSpot was told to write.
fn written(world: &World) -> Vec<Value> {
    let subject = |call: &taskhook::sim::Call| {
        call.body["inputs"][0]["properties"]["hs_task_subject"].clone()
    };
    world.calls("batch/update").iter().map(subject).collect()
}

/// Runs the tool with the settings of the functions.
async fn taskhook(world: &World, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_taskhook"));
    command.env_clear().envs(world.variables()).args(arguments);
    command.output().await.unwrap()
}

#[tokio::test]
async fn both_functions_and_the_tool_work_over_tls_1_2_and_1_3() {
    for version in VERSIONS {
        let world = world().durable().over_tls(version).start().await;
        deliver(&world, "a").await.is(202, "queued 1");
        assert_eq!(world.poll().await, (1, 0), "{version:?}");
        assert_eq!(written(&world), ["a"], "{version:?}");

        let pulled = taskhook(&world, &["schema", "pull"]).await;
        assert!(String::from_utf8_lossy(&pulled.stdout).contains("ticket_at"), "{pulled:?}");
        let letters = &world.queues().dead_letters;
        let listed = taskhook(&world, &["replay", "--queue", letters, "--dry-run"]).await;
        assert!(listed.status.success(), "{listed:?}");

        let of = |front: &Front| front.handshakes().len();
        let Tls { hubspot, secrets, sqs, .. } = tls(&world);
        // Webhook, worker and tool; HubSpot is not called by the webhook, nor SQS by the worker.
        let handshakes = [of(hubspot), of(secrets), of(sqs.as_ref().unwrap())];
        assert_eq!(handshakes, [2, 3, 2], "{version:?}");
    }
}

#[tokio::test]
async fn a_connection_that_was_closed_between_two_events_is_resumed_and_nothing_is_written_twice() {
    for version in VERSIONS {
        let world = world().variable("TASKHOOK_SECRET_TTL", "0s").over_tls(version).start().await;
        deliver(&world, "a").await.is(200, "updated 1");
        let Tls { hubspot, secrets, .. } = tls(&world);
        for front in [hubspot, secrets] {
            front.closes();
        }
        deliver(&world, "b").await.is(200, "updated 1");
        for front in [hubspot, secrets] {
            assert_eq!(front.handshakes(), [Full, Resumed], "{version:?}");
        }
        // Nobody closes a connection that breaks: the function learns of it when it writes.
        hubspot.breaks();
        deliver(&world, "c").await.is(200, "updated 1");
        assert_eq!(hubspot.handshakes(), [Full, Resumed, Resumed], "{version:?}");
        assert_eq!(written(&world), ["a", "b", "c"], "{version:?}");
    }
}

#[tokio::test]
async fn a_hubspot_that_cannot_be_trusted_gets_nothing_and_the_log_says_why() {
    for version in VERSIONS {
        let world = world().durable().over_tls(version).start().await;
        let Tls { hubspot, authority, .. } = tls(&world);
        let worker = world.worker.as_ref().unwrap();
        deliver(&world, "a").await.is(202, "queued 1");
        for (shows, why) in [
            (Expired, "its certificate expired on 2026-01-02T00:00:00.000Z"),
            (OtherName, "its certificate is for other.example, not for localhost"),
            (Stranger, "is signed by no authority that is known here; where a proxy inspects TLS"),
        ] {
            hubspot.speaks(authority.config(version, shows));
            assert_eq!(world.poll().await, (1, 1), "{version:?} {shows:?}");
            worker.logs(why).await;
            world.queues().time_passes().await;
        }
        worker.logs("set-up: localhost can't be trusted: its certificate").await;
        assert_eq!(hubspot.handshakes(), [Full], "of the start");
        hubspot.speaks(authority.config(version, Good));
        assert_eq!(world.poll().await, (1, 0), "{version:?}");
        assert_eq!(written(&world), ["a"], "{version:?}");
        assert!(!worker.log().contains("panic"), "{}", worker.log());
    }
}

#[tokio::test]
async fn a_sender_is_told_to_come_back_while_hubspot_or_sqs_cannot_be_trusted() {
    let direct = world().over_tls(&TLS13).start().await;
    let durable = world().durable().over_tls(&TLS12).start().await;
    for (world, front, version, counts) in [
        (&direct, &tls(&direct).hubspot, &TLS13, "updated 1"),
        (&durable, tls(&durable).sqs.as_ref().unwrap(), &TLS12, "queued 1"),
    ] {
        let authority = &tls(world).authority;
        front.speaks(authority.config(version, Expired));
        let reply = deliver(world, "a").await;
        reply.is(503, "retry 1").row(0, "retry unavailable").retry_after();
        world.function.logs("its certificate expired on 2026-01-02").await;
        front.speaks(authority.config(version, Good));
        let reply = deliver(world, "a").await;
        reply.is(if counts == "updated 1" { 200 } else { 202 }, counts);
    }
}

#[tokio::test]
async fn a_secrets_manager_that_cannot_be_trusted_is_for_later_and_the_log_says_why() {
    let world = world().variable("SSL_CERT_FILE", "").over_tls(&TLS13).start().await;
    deliver(&world, "a").await.is_problem(503).retry_after();
    world.function.logs("HubSpot can't be reached yet").await;
    world.function.logs("Secrets Manager: ").await;
    let host = format!("url (https://127.0.0.1:{}/)", tls(&world).secrets.address.port());
    world.function.logs(&host).await;
    world.function.logs("signed by no authority that is known here").await;
}

#[tokio::test]
async fn a_file_of_roots_that_gives_none_is_told_with_every_other_problem() {
    let empty = format!("{}/no-roots.pem", env!("CARGO_TARGET_TMPDIR"));
    std::fs::write(&empty, "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")
        .unwrap();
    let broken = format!("{}/broken-roots.pem", env!("CARGO_TARGET_TMPDIR"));
    std::fs::write(&broken, "-----BEGIN CERTIFICATE-----\n!!!\n-----END CERTIFICATE-----\n")
        .unwrap();
    for (file, why) in [
        ("/nowhere/roots.pem", "can't be read (No such file or directory"),
        (&empty, "holds no root certificate; put some in"),
        (&broken, "has a certificate that is no PEM"),
    ] {
        let world =
            world().variable("SSL_CERT_FILE", file).variable("TASKHOOK_OBSERVE", "x").start().await;
        world.send(&Event::new("GET", "/health")).await.is_problem(500);
        world.function.logs(&format!("SSL_CERT_FILE: {file} {why}")).await;
        world.function.logs("TASKHOOK_OBSERVE: ").await;
    }
}

#[tokio::test]
async fn hubspot_and_aws_are_reached_by_a_proxy_under_their_own_names() {
    let world = world().durable().over_tls(&TLS13).by_proxy().start().await;
    deliver(&world, "a").await.is(202, "queued 1");
    assert_eq!(world.poll().await, (1, 0));
    assert_eq!(written(&world), ["a"]);
    let heads = tls(&world).proxy.as_ref().unwrap().heads();
    let mut targets: Vec<_> = heads.iter().map(|head| head.split(' ').nth(1).unwrap()).collect();
    targets.sort_unstable();
    let secrets = "secretsmanager.us-east-1.amazonaws.com:443";
    assert_eq!(
        targets,
        ["api.hubapi.com:443", secrets, secrets, "sqs.us-east-1.amazonaws.com:443"]
    );
    for head in heads {
        assert!(
            head.to_lowercase().contains("proxy-authorization: basic bwu6ahvudgvymg=="),
            "{head}"
        );
    }
    assert!(!world.function.log().contains("hunter2"));
}

#[tokio::test]
async fn this_machine_and_what_no_proxy_names_are_never_reached_by_the_proxy() {
    let nobody = "http://127.0.0.1:9";
    let world = world().variable("HTTPS_PROXY", nobody).over_tls(&TLS13).start().await;
    deliver(&world, "a").await.is(200, "updated 1");

    let world = crate::support::world()
        .over_tls(&TLS13)
        .by_proxy()
        .variable("HUBSPOT_BASE_URL", "https://api.hubspot.invalid")
        .variable("NO_PROXY", "example.com, hubspot.invalid")
        .start()
        .await;
    deliver(&world, "a").await.is(503, "retry 1");
    world.function.logs("dns error").await;
    let heads = tls(&world).proxy.as_ref().unwrap().heads();
    assert!(heads.len() == 1 && heads[0].contains("secretsmanager"), "{heads:?}");
}
