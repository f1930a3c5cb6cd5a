//! What somebody is told: the metric filters and alarms of `template.yaml`, over the log lines of the
//! built functions.

use std::collections::BTreeMap;

use serde_json::Value;

use super::lambda::Function;
use super::metrics::{counted, rings};
use super::template::facts;

/// The stack, as far as it counts and rings.
pub struct Stack(pub Value);

impl Stack {
    pub async fn new(name: &str) -> Self {
        Self(facts(name, &[]).await)
    }

    pub fn resources(&self, kind: &str) -> BTreeMap<&str, &Value> {
        let resources = self.0["template"]["Resources"].as_object().unwrap().iter();
        let of_kind = resources.filter(|(_, resource)| resource["Type"] == kind);
        of_kind.map(|(name, resource)| (name.as_str(), &resource["Properties"])).collect()
    }

    /// What is counted in the webhook's log.
    pub fn webhook(&self, lines: &[Value]) -> BTreeMap<String, f64> {
        counted(&self.resources("AWS::Logs::MetricFilter"), "WebhookLogGroup", lines)
    }

    /// What is counted in the worker's log.
    pub fn worker(&self, lines: &[Value]) -> BTreeMap<String, f64> {
        counted(&self.resources("AWS::Logs::MetricFilter"), "WorkerLogGroup", lines)
    }

    /// Whether the alarm about a metric rings after each five minutes of a story.
    pub fn rings(&self, alarm: &str, story: &[Option<f64>]) -> Vec<bool> {
        let alarm = self.resources("AWS::CloudWatch::Alarm")[alarm];
        let parameter = || {
            &self.0["template"]["Parameters"][alarm["Threshold"]["Ref"].as_str().unwrap()]["Default"]
        };
        let threshold = alarm["Threshold"].as_f64().or_else(|| parameter().as_f64());
        rings(alarm, threshold.unwrap(), story)
    }
}

/// The lines since the log had this many, once it has `count` of them with this message.
pub async fn lines_since(
    function: &Function,
    begin: usize,
    message: &str,
    count: usize,
) -> Vec<Value> {
    let is_meant = |line: &&Value| line["message"] == message;
    let wait = async {
        loop {
            let lines = function.lines().split_off(begin);
            if lines.iter().filter(is_meant).count() >= count {
                return lines;
            }
            function.logs_more().await;
        }
    };
    // Only ends a test that hangs.
    let lines = tokio::time::timeout(std::time::Duration::from_mins(1), wait).await;
    lines.unwrap_or_else(|_| panic!("not {count} lines {message}:\n{}", function.log()))
}
