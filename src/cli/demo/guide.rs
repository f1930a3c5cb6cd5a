//! Commands to try by hand, for the person who has run `make dev` or `make demo`.

use anyhow::Result;

use super::stage::{REGION, Stage};
use crate::cli::shared;
use crate::cli::terminal::bold;

/// The sample that the commands send.
const SAMPLE: &str = "events/github/closed.json";

const NEXT: &str = "
What to do next
  make dev                          leaves it running, and prints commands to try
  sources/tickets.toml              is the file to copy for a system of your own
  taskhook explain github events/github/closed.json    shows how a payload is read
  README.md                         goes on with \"Your own system in ten minutes\"
";

/// Prints commands that work as they stand while `make dev` runs.
pub(super) fn tell(stage: &Stage) -> Result<()> {
    stage.show_functions();
    let Stage { hubspot, aws, dead_letters, function_url, .. } = stage;
    let is_durable = stage.mode == "durable";
    let about = if is_durable {
        "Durable mode: `webhook` queues updates and answers 202; `worker` takes them to HubSpot."
    } else {
        "Direct mode: the function updates HubSpot itself. `make dev MODE=durable` puts a queue \
         in between."
    };
    let mut text = format!(
        "\n{about}\n\
         The functions read {}, copies of the source files that let a signature of any age pass;\n\
         after a change in sources/, start `make dev` again.\n\
         Logs: tail -f {}\n",
        stage.sources.display(),
        stage.logs.join(" "),
    );
    let invoke = stage.invoke.join(" ");
    text += &section("Send a sample", &[&format!("{invoke} \\\n    --data-file {SAMPLE}")]);
    text += &section(
        "Sign one afresh and send it as its sender does",
        &[&format!(
            "target/debug/taskhook send github {SAMPLE} \\\n    \
             --secret local-github-webhook-secret --url {function_url}/github"
        )],
    );
    text += &section(
        "What HubSpot has, and what it was asked",
        &[&format!("curl -s {hubspot}/_sim/tasks"), &format!("curl -s {hubspot}/_sim/calls")],
    );
    text += &section(
        "HubSpot is down, and back",
        &[
            &format!("curl -s {hubspot}/_sim/faults -d '{{\"status\": 503, \"forever\": true}}'"),
            &format!("curl -s {hubspot}/_sim/faults -X DELETE"),
        ],
    );
    if is_durable {
        text += &section(
            "Dead letters (events/tickets/unknown-task.json makes one)",
            &[&format!(
                "AWS_REGION={REGION} AWS_ACCESS_KEY_ID=local AWS_SECRET_ACCESS_KEY=local \\\n    \
                 AWS_ENDPOINT_URL_SQS={aws} \\\n    target/debug/taskhook replay --dry-run \\\n   \
                  --queue {dead_letters}"
            )],
        );
    }
    shared::print(&format!("{text}\nCtrl-C stops everything.\n"))
}

/// Prints the end of `make demo`.
pub(super) fn tell_next() -> Result<()> {
    shared::print(NEXT)
}

fn section(heading: &str, commands: &[&str]) -> String {
    format!("\n{}\n  {}\n", bold(heading), commands.join("\n  "))
}
