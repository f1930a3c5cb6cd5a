//! Sets up the stand-ins before the functions start: copies of the source files, the secrets that
//! the samples are signed with, and the queues.

use std::path::Path;

use anyhow::{Context as _, Result};
use secrecy::ExposeSecret as _;
use serde_json::json;

use super::sources;
use super::stage::{REGION, Stage, queue_name, show, tasks};
use crate::cli::cases::Secrets;
use crate::{aws, outbound};

/// A queue as `template.yaml` makes it.
const QUEUE: [(&str, &str); 5] = [
    ("FifoQueue", "true"),
    ("ContentBasedDeduplication", "false"),
    ("DeduplicationScope", "messageGroup"),
    ("FifoThroughputLimit", "perMessageGroupId"),
    ("MessageRetentionPeriod", "1209600"),
];

/// Six times the timeout of the worker, in seconds.
const VISIBILITY_TIMEOUT: &str = "180";

/// How often SQS gives a message out before it moves it to the dead letters.
const MAX_RECEIVE_COUNT: u32 = 1000;

/// Sets everything up, and shows where the stand-ins are.
pub(super) async fn run(stage: &Stage) -> Result<()> {
    sources::copy(&stage.sources)?;
    let secrets = create_secrets(stage).await.context("The secrets can't be created")?;
    create_queues(stage).await.context("The queues can't be created")?;
    show("AWS (moto)", &stage.aws, &format!("{secrets} secrets, 2 queues"));
    show("HubSpot stand-in", &stage.hubspot, &format!("{} tasks", tasks(stage).await?.len()));
    Ok(())
}

/// Creates the secrets of `events/secrets.json`. Returns their number.
async fn create_secrets(stage: &Stage) -> Result<usize> {
    let client = aws::secrets_manager(&stage.aws(), outbound::client(true));
    let secrets = Secrets::read(Path::new("events"))?;
    for (name, text) in secrets.iter() {
        client.create_secret().name(name).secret_string(text.expose_secret()).send().await?;
    }
    Ok(secrets.iter().count())
}

/// Creates the queue of updates, from which SQS moves messages to that of dead letters.
async fn create_queues(stage: &Stage) -> Result<()> {
    let client = aws::sqs(&stage.aws(), outbound::client(true));
    let mut dead_letters = client.create_queue().queue_name(queue_name(&stage.dead_letters));
    let mut updates = client.create_queue().queue_name(queue_name(&stage.updates));
    for (attribute, value) in QUEUE {
        dead_letters = dead_letters.attributes(attribute.into(), value);
        updates = updates.attributes(attribute.into(), value);
    }
    dead_letters.send().await?;
    let account = stage.dead_letters.rsplit('/').nth(1).unwrap_or_default();
    let target = format!("arn:aws:sqs:{REGION}:{account}:{}", queue_name(&stage.dead_letters));
    let policy = json!({"deadLetterTargetArn": target, "maxReceiveCount": MAX_RECEIVE_COUNT});
    updates
        .attributes("VisibilityTimeout".into(), VISIBILITY_TIMEOUT)
        .attributes("RedrivePolicy".into(), policy.to_string())
        .send()
        .await?;
    Ok(())
}
