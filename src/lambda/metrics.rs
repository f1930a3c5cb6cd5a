//! Metrics inside of log lines, in CloudWatch's embedded metric format: CloudWatch takes them out
//! of the log, without a call. A metric that would be zero is not written, and costs nothing.
//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>

use serde_json::{Map, Value, json};

use super::summary::Summary;
use crate::hubspot::Usage;
use crate::outcome::Kind;
use crate::settings;
use crate::time::Time;

/// The most values of a metric in one line.
const VALUES: usize = 100;

/// The fields of one line that CloudWatch reads as metrics.
#[derive(Default)]
pub(super) struct Metrics {
    names: Vec<Value>,
    values: Map<String, Value>,
}

impl Metrics {
    /// Of a delivery, or of the updates of a source in a batch: how the updates ended, and how long
    /// after the events they were written.
    pub(super) fn of_summary(summary: &Summary, lags: &[u64]) -> Self {
        let mut metrics = Self::default();
        for kind in Kind::ALL {
            let mut name = kind.as_str().to_owned();
            name[..1].make_ascii_uppercase();
            metrics.count(&name, summary.count(kind));
        }
        metrics.milliseconds("LagMs", lags);
        metrics
    }

    /// Adds what calls to HubSpot took.
    pub(super) fn add_usage(&mut self, usage: &Usage) {
        self.count("Calls", usage.took.len());
        self.count("RateLimited", usage.rate_limited);
        self.milliseconds("HubspotMs", &usage.took);
    }

    /// Adds a number, unless it is zero.
    pub(super) fn count(&mut self, name: &str, count: usize) {
        if count > 0 {
            self.add(name, "Count", json!(count));
        }
    }

    /// Adds some values; of too many, some that are spread evenly.
    fn milliseconds(&mut self, name: &str, values: &[u64]) {
        let kept = values.len().min(VALUES);
        let spread: Vec<_> = (0..kept).map(|at| values[at * values.len() / kept]).collect();
        if kept > 0 {
            self.add(name, "Milliseconds", json!(spread));
        }
    }

    fn add(&mut self, name: &str, unit: &str, value: Value) {
        self.names.push(json!({"Name": name, "Unit": unit}));
        self.values.insert(name.to_owned(), value);
    }

    /// The fields for the line; none without metrics.
    pub(super) fn fields(self, settings: &settings::Metrics, source: &str) -> Map<String, Value> {
        let Self { names, mut values } = self;
        if names.is_empty() {
            return values;
        }
        let dimensions = if settings.by_source { json!([[], ["Source"]]) } else { json!([[]]) };
        let directive = json!({
            "Namespace": settings.namespace, "Dimensions": dimensions, "Metrics": names
        });
        let about = json!({
            "Timestamp": Time::now().milliseconds(), "CloudWatchMetrics": [directive]
        });
        values.insert("_aws".to_owned(), about);
        if settings.by_source {
            values.insert("Source".to_owned(), json!(source));
        }
        values
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_thousand_values_a_hundred_are_kept_that_are_spread_evenly() {
        let mut metrics = Metrics::default();
        metrics.milliseconds("LagMs", &(0..1000).collect::<Vec<_>>());
        let kept = metrics.values["LagMs"].as_array().unwrap();
        assert_eq!((kept.len(), &kept[0], &kept[99]), (100, &json!(0), &json!(990)));
        metrics.milliseconds("HubspotMs", &[3, 1]);
        assert_eq!(metrics.values["HubspotMs"], json!([3, 1]));
    }

    #[test]
    fn what_is_zero_is_not_there() {
        let mut metrics = Metrics::default();
        metrics.count("Calls", 0);
        metrics.milliseconds("LagMs", &[]);
        let settings = settings::Metrics { namespace: "Taskhook".to_owned(), by_source: true };
        assert!(metrics.fields(&settings, "desk").is_empty());
    }
}
