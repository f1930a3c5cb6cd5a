//! What somebody is told: the metric filters and alarms of `template.yaml`, over the log lines of the
//! built functions.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::lambda::Function;
use super::metrics::{counted, embedded, rings};
use super::template::facts;

/// Five minutes of what the alarms look at: numbers by the names of their metrics, of AWS's own with
/// the resource, such as `Invocations of WebhookFunction`.
pub type Step = BTreeMap<String, f64>;

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

    /// What the log lines of five minutes count, by the filters and in the lines themselves.
    pub fn step(&self, webhook: &[Value], worker: &[Value]) -> Step {
        let mut step = self.webhook(webhook);
        for (name, number) in self.worker(worker) {
            *step.entry(name).or_default() += number;
        }
        for lines in [webhook, worker] {
            let mut own = embedded("Taskhook", lines);
            if let Some(failed) = own.remove("Failed") {
                *step.entry("Failed".to_owned()).or_default() += as_f64(failed.iter().sum());
            }
            if let Some(mut lag) = own.remove("LagMs") {
                lag.sort_unstable();
                step.insert("LagMs".to_owned(), as_f64(lag[(lag.len() * 9).div_ceil(10) - 1]));
            }
        }
        step
    }

    /// The alarms that ring after the last step of a story. That of crashes, throttles and the age
    /// of messages are none that a story here can ring.
    pub fn ringing(&self, story: &[Step]) -> Vec<&str> {
        let mut ringing = Vec::new();
        for (name, alarm) in self.resources("AWS::CloudWatch::Alarm") {
            let metric = metric(alarm);
            if metric.starts_with("ApproximateAgeOfOldestMessage") {
                continue;
            }
            // One series for each source that is refused.
            let of_source =
                |key: &&String| **key == metric || key.starts_with(&format!("{metric} of "));
            let series: BTreeSet<_> = story.iter().flat_map(Step::keys).filter(of_source).collect();
            for series in series {
                let unit = if name == "LagAlarm" { 60_000.0 } else { 1.0 };
                let numbers: Vec<_> =
                    story.iter().map(|step| step.get(series).map(|number| number / unit)).collect();
                if self.rings(name, &numbers).last() == Some(&true) && !ringing.contains(&name) {
                    ringing.push(name);
                }
            }
        }
        ringing
    }
}

/// The name of the metric that an alarm looks at, as in [`Step`].
fn metric(alarm: &Value) -> String {
    if let Some(query) = alarm["Metrics"][0]["Expression"]["Fn::Sub"].as_str() {
        let inside = query.strip_prefix("SELECT SUM(").and_then(|rest| rest.split_once(')'));
        return inside.expect("a sum").0.to_owned();
    }
    let of_lag = &alarm["Metrics"][1]["MetricStat"]["Metric"];
    let name = alarm["MetricName"].as_str().or_else(|| of_lag["MetricName"].as_str());
    let name = name.expect("a metric").to_owned();
    let value = &alarm["Dimensions"][0]["Value"];
    let resource = value["Ref"].as_str().or_else(|| value["Fn::GetAtt"][0].as_str());
    resource.map_or(name.clone(), |resource| format!("{name} of {resource}"))
}

#[expect(clippy::cast_precision_loss, reason = "small numbers")]
fn as_f64(number: u64) -> f64 {
    number as f64
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
