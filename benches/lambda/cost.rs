//! What a million events cost, computed from the run and AWS's published prices.

use crate::report::Samples;

/// USD of us-east-1 as of June 2026, without the free tiers.
/// <https://aws.amazon.com/lambda/pricing/>
const X86_GB_SECOND: f64 = 0.000_016_666_7;
const ARM_GB_SECOND: f64 = 0.000_013_333_4;
const INVOCATION: f64 = 0.20 / MILLION;
/// <https://aws.amazon.com/sqs/pricing/>
const FIFO_CALL: f64 = 0.50 / MILLION;
/// <https://aws.amazon.com/secrets-manager/pricing/>
const SECRET_MONTH: f64 = 0.40;
const SECRET_CALL: f64 = 0.05 / 10_000.0;
/// For each GB of the log. <https://aws.amazon.com/cloudwatch/pricing/>
const LOG_GB: f64 = 0.50;

const MILLION: f64 = 1_000_000.0;

/// Of the template: memory in GB, and the share of a processor that Lambda gives for it.
const MEMORY: f64 = 256.0 / 1024.0;
const PROCESSOR: f64 = 256.0 / 1_769.0;

/// Seconds that a call is waited for. HubSpot takes 0.1 to 0.8 s.
const HUBSPOT: f64 = 0.2;
const SQS: f64 = 0.01;

/// Lambda's own lines about an invocation: `START`, `END` and `REPORT` as JSON.
const PLATFORM_LOG: f64 = 900.0;

/// How often the secrets are fetched in a month by one instance that is never idle, which is more
/// than any that sleeps.
const FETCHES: f64 = 30.0 * 24.0 * 12.0;

/// The invocations of one kind.
struct Invocations<'s> {
    /// How many for each event.
    share: f64,
    of: &'s Samples,
    /// Seconds of waiting in each.
    waits: f64,
}

/// Prints a table for events of a month, of one update each.
pub(crate) fn print(samples: &[Samples]) {
    let named = |name: &str| samples.iter().find(|one| one.name == name);
    let (Some(direct), Some(queued), Some(one), Some(five)) = (
        named("webhook, one source, two calls, log"),
        named("webhook, one source, queue, log"),
        named("worker, 1 update, two calls, log"),
        named("worker, 5 updates, two calls, log"),
    ) else {
        return;
    };
    let webhook = |of, waits| Invocations { share: 1.0, of, waits };
    // Guarded updates: a batch is one read and one write.
    let direct = [webhook(direct, 2.0 * HUBSPOT)];
    let batched =
        |share, of| [webhook(queued, SQS), Invocations { share, of, waits: 2.0 * HUBSPOT }];
    println!(
        "\n{:44}{:>10}{:>10}{:>10}{:>10}{:>10}{:>10}{:>10}",
        "USD for a million events",
        "requests",
        "GB-s arm",
        "GB-s x86",
        "SQS",
        "log",
        "secrets",
        "sum, arm"
    );
    row("direct", &direct, 0.0);
    // A batch is sent, received and deleted.
    row("durable, quiet: a batch for each event", &batched(1.0, one), 3.0);
    row("durable, busy: batches of five", &batched(0.2, five), 1.4);
}

fn row(name: &str, invocations: &[Invocations<'_>], sqs_calls: f64) {
    let (mut requests, mut seconds, mut log) = (0.0, 0.0, 0.0);
    for Invocations { share, of, waits } in invocations {
        requests += share;
        seconds += share * (of.warm_cpu() / 1000.0 / PROCESSOR + waits);
        log += share * (of.logged() + PLATFORM_LOG);
    }
    let secrets = 2.0 * SECRET_MONTH + FETCHES * SECRET_CALL;
    let (arm, x86) =
        (seconds * MEMORY * ARM_GB_SECOND * MILLION, seconds * MEMORY * X86_GB_SECOND * MILLION);
    let requests = requests * INVOCATION * MILLION;
    let sqs = sqs_calls * FIFO_CALL * MILLION;
    let log = log * MILLION / 1e9 * LOG_GB;
    let sum = requests + arm + sqs + log + secrets;
    println!(
        "{name:44}{requests:10.2}{arm:10.2}{x86:10.2}{sqs:10.2}{log:10.2}{secrets:10.2}{sum:10.2}"
    );
}
