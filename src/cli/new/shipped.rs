//! The source files that come with Taskhook, and whose payloads they are for.

use std::path::Path;

use serde_json::Value;

use crate::delivery::Delivery;

/// A payload as it came.
pub(super) struct Sample {
    /// The name of its file.
    pub(super) name: String,
    pub(super) delivery: Delivery,
    pub(super) body: Value,
    /// Whether the body was a form.
    pub(super) is_form: bool,
}

/// A shipped source file, and how its sender is recognised.
pub(super) struct Shipped {
    pub(super) name: &'static str,
    /// What its sender is called.
    pub(super) sender: &'static str,
    is_sender: fn(&Sample) -> bool,
}

/// The files that an installed tool has in itself: names and texts.
const EMBEDDED: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/shipped.rs"));

/// Where the others are, of a tool that was built and not installed.
const FOLDERS: [&str; 2] = [
    concat!(env!("CARGO_MANIFEST_DIR"), "/sources"),
    concat!(env!("CARGO_MANIFEST_DIR"), "/sources/available"),
];

/// The first row whose test passes is the sender.
static ALL: [Shipped; 22] = [
    row("github", "GitHub, issues", |sample| is_github(sample) && sample.has("/issue/node_id")),
    row("github-pulls", "GitHub, pull requests", |sample| {
        is_github(sample) && sample.has("/pull_request/node_id")
    }),
    row("gitlab", "GitLab", |sample| {
        sample.header("x-gitlab-event")
            || sample.has("/object_kind") && sample.has("/project/path_with_namespace")
    }),
    row("jira", "Jira", |sample| {
        sample.starts("/webhookEvent", "jira:") || sample.header("x-atlassian-webhook-identifier")
    }),
    row("zendesk", "Zendesk, events", |sample| sample.starts("/type", "zen:event-type:")),
    row("zendesk-trigger", "Zendesk, by a trigger", |sample| {
        sample.header("x-zendesk-webhook-signature")
    }),
    row("linear", "Linear", |sample| {
        sample.header("linear-signature")
            || sample.has("/webhookTimestamp") && sample.has("/organizationId")
    }),
    row("pagerduty", "PagerDuty", |sample| {
        sample.header("x-pagerduty-signature") || sample.starts("/event/event_type", "incident.")
    }),
    row("intercom", "Intercom", |sample| sample.is("/type", "notification_event")),
    row("asana", "Asana", |sample| {
        sample.header("x-hook-signature") || sample.has("/events/0/resource/gid")
    }),
    row("trello", "Trello", |sample| {
        sample.header("x-trello-webhook")
            || sample.has("/action/data/board") && sample.has("/action/idMemberCreator")
    }),
    row("clickup", "ClickUp", |sample| {
        sample.has("/webhook_id") && sample.starts("/event", "task")
    }),
    row("monday", "monday.com", |sample| {
        sample.has("/event/pulseId") || sample.has("/event/itemId") && sample.has("/event/boardId")
    }),
    row("sentry", "Sentry", |sample| {
        sample.header("sentry-hook-signature") || sample.has("/data/issue/shortId")
    }),
    row("helpscout", "Help Scout", |sample| {
        sample.header("x-helpscout-signature")
            || sample.starts("/_links/self/href", "https://api.helpscout.net/")
    }),
    row("shortcut", "Shortcut", |sample| {
        sample.has("/primary_id") && sample.has("/actions/0/entity_type")
    }),
    row("notion", "Notion", |sample| {
        sample.header("x-notion-signature")
            || sample.has("/integration_id") && sample.has("/entity/id")
    }),
    row("front", "Front", |sample| {
        sample.header("x-front-signature")
            || sample.starts("/payload/_links/self", "https://api2.frontapp.com/")
    }),
    row("servicenow", "ServiceNow", |sample| {
        sample.has("/sys_id") && sample.has("/sys_updated_on")
    }),
    row("freshservice", "Freshservice", |sample| {
        is_fresh(sample) && sample.header("x-taskhook-token")
    }),
    row("freshdesk", "Freshdesk", is_fresh),
    row("tickets", "the generic ticket of Standard Webhooks", |sample| {
        sample.starts("/type", "ticket.")
            && (sample.header("webhook-signature") || sample.header("svix-signature"))
    }),
];

const fn row(name: &'static str, sender: &'static str, is_sender: fn(&Sample) -> bool) -> Shipped {
    Shipped { name, sender, is_sender }
}

/// Forgejo and Gitea send GitHub's headers besides their own.
fn is_github(sample: &Sample) -> bool {
    !sample.header("x-gitea-event") && !sample.header("x-forgejo-event")
}

fn is_fresh(sample: &Sample) -> bool {
    sample.has("/ticket_id") && sample.has("/ticket_subject") && sample.has("/ticket_status")
}

impl Sample {
    fn header(&self, name: &str) -> bool {
        self.delivery.headers.contains_key(name)
    }

    fn has(&self, pointer: &str) -> bool {
        self.body.pointer(pointer).is_some()
    }

    fn is(&self, pointer: &str, text: &str) -> bool {
        self.body.pointer(pointer).is_some_and(|value| value == text)
    }

    fn starts(&self, pointer: &str, start: &str) -> bool {
        let text = self.body.pointer(pointer).and_then(Value::as_str);
        text.is_some_and(|text| text.starts_with(start))
    }
}

/// The shipped file for a payload.
pub(super) fn recognise(sample: &Sample) -> Option<&'static Shipped> {
    ALL.iter().find(|shipped| (shipped.is_sender)(sample))
}

/// The shipped file of this name.
pub(super) fn named(name: &str) -> Option<(&'static Shipped, String)> {
    let shipped = ALL.iter().find(|shipped| shipped.name == name)?;
    Some((shipped, shipped.text(name)?))
}

/// The names of the shipped files.
pub(super) fn names() -> Vec<&'static str> {
    ALL.iter().map(|shipped| shipped.name).collect()
}

impl Shipped {
    /// The file, for a source of this name. `None` where the tool has no such file any more.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        let embedded = EMBEDDED.iter().find(|(known, _)| *known == self.name);
        let text = match embedded {
            Some((_, text)) => (*text).to_owned(),
            None => FOLDERS.iter().find_map(|folder| {
                let file = Path::new(folder).join(format!("{}.toml", self.name));
                std::fs::read_to_string(file).ok()
            })?,
        };
        Some(adapt(&text, self.name, name))
    }
}

/// Writes another name wherever the file speaks of its own: path, secret, address, commands.
fn adapt(text: &str, from: &str, to: &str) -> String {
    let mut adapted = text.to_owned();
    for (before, after) in [
        ("\"/", "\""),
        ("/", "\""),
        ("\"taskhook/", "\""),
        ("name taskhook/", "."),
        ("followed by /", "."),
        ("followed by /", " "),
        ("https://ADDRESS/", " "),
        ("taskhook explain ", " "),
    ] {
        adapted =
            adapted.replace(&format!("{before}{from}{after}"), &format!("{before}{to}{after}"));
    }
    adapted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_gets_the_name_of_its_new_source() {
        let text = "# URL: the address followed by /trello.\n# name taskhook/trello.\n\
                    path = \"/trello\"\nsecret = \"taskhook/trello\"\n\
                    url = \"https://x.example/trello\"\nid_property = \"trello_card\"\n";
        let adapted = "# URL: the address followed by /cards.\n# name taskhook/cards.\n\
                       path = \"/cards\"\nsecret = \"taskhook/cards\"\n\
                       url = \"https://x.example/cards\"\nid_property = \"trello_card\"\n";
        assert_eq!(adapt(text, "trello", "cards"), adapted);
    }
}
