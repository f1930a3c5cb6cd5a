//! What can be tried by hand while `make dev` runs.

use super::super::terminal::bold;
use super::Stage;
use anyhow::Result;

/// The sample that the commands send.
const SAMPLE: &str = "events/github/closed.json";

/// Prints commands that work as they stand.
pub(super) fn tell(stage: &Stage) -> Result<()> {
    let Stage { hubspot, aws, dead_letters, function_url, .. } = stage;
    let about = if stage.mode == "durable" {
        "Durable mode: `webhook` queues updates and answers 202; `worker` takes them to HubSpot."
    } else {
        "Direct mode: the function updates HubSpot itself. `make dev MODE=durable` puts a queue in between."
    };
    let text = format!(
        "\n{about}\n\
         The functions read {sources}, copies of the source files that let a signature of any age pass;\n\
         after a change in sources/, start `make dev` again. Logs: tail -f {logs}\n\n\
         {send}\n  {invoke} --data-file {SAMPLE}\n\n\
         {sign}\n  target/debug/taskhook send github {SAMPLE} \\\n    \
         --secret local-github-webhook-secret --url {function_url}/github\n\n\
         {look}\n  curl -s {hubspot}/_sim/tasks\n  curl -s {hubspot}/_sim/calls\n\n\
         {down}\n  curl -s {hubspot}/_sim/faults -d '{{\"status\": 503, \"forever\": true}}'\n  \
         curl -s {hubspot}/_sim/faults -X DELETE\n",
        sources = stage.sources.display(),
        logs = stage.logs.join(" "),
        invoke = stage.invoke.join(" "),
        send = bold("Send a sample"),
        sign = bold("Sign one afresh and send it as its sender does"),
        look = bold("What HubSpot has, and what it was asked"),
        down = bold("HubSpot is down, and back"),
    );
    let letters = format!(
        "\n{}\n  AWS_REGION=eu-central-1 AWS_ACCESS_KEY_ID=local AWS_SECRET_ACCESS_KEY=local \\\n    \
         AWS_ENDPOINT_URL_SQS={aws} \\\n    target/debug/taskhook replay --dry-run \\\n    \
         --queue {dead_letters}\n",
        bold("Dead letters (events/tickets/unknown-task.json makes one)"),
    );
    let is_durable = stage.mode == "durable";
    super::super::print(&if is_durable { text + &letters } else { text })
}
