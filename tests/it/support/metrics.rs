//! What CloudWatch makes of log lines: the metric filters and alarms of `template.yaml`, as far as
//! they go.
//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntaxForMetricFilters.html>

use std::collections::BTreeMap;

use serde_json::Value;

/// How often a metric is looked at here: the least period of our alarms.
const STEP: u64 = 300;

/// What the filters of a function's log group count in these lines, by the metrics' names.
pub fn counted(
    filters: &BTreeMap<&str, &Value>,
    log_group: &str,
    lines: &[Value],
) -> BTreeMap<String, f64> {
    let mut metrics = BTreeMap::new();
    for filter in filters.values().filter(|filter| filter["LogGroupName"]["Ref"] == log_group) {
        let pattern = filter["FilterPattern"].as_str().expect("a pattern");
        let transformation = &filter["MetricTransformations"][0];
        let metric = transformation["MetricName"].as_str().expect("a name");
        let value = transformation["MetricValue"].as_str().expect("a value");
        for line in lines.iter().filter(|line| matches(pattern, line)) {
            let number = match value.strip_prefix("$.") {
                Some(field) => line[field].as_f64(),
                None => value.parse().ok(),
            };
            let mut name = metric.to_owned();
            // By the one dimension that a filter may have, such as `SendersRefused of shop`.
            if let Some(field) = transformation["Dimensions"][0]["Value"].as_str() {
                let value = line[field.strip_prefix("$.").expect("a field")].as_str();
                name = format!("{metric} of {}", value.expect("a dimension"));
            }
            *metrics.entry(name).or_default() += number.expect("a number");
        }
    }
    metrics
}

/// Whether a filter pattern for JSON matches a line. Of the syntax it knows fields at the top
/// level, the comparisons of numbers and texts, `*` at the end of a text, `&&`, `||` and
/// parentheses; anything else is a panic, and so a failed test.
pub fn matches(pattern: &str, line: &Value) -> bool {
    let inside = pattern
        .trim()
        .strip_prefix('{')
        .and_then(|rest| rest.strip_suffix('}'))
        .expect("a pattern for JSON");
    let spaced = inside.replace('(', " ( ").replace(')', " ) ");
    let mut words: Vec<&str> = spaced.split_whitespace().rev().collect();
    let result = any(&mut words, line);
    assert!(words.is_empty(), "{pattern}: {words:?} is left over");
    result
}

/// The words of a pattern that are not read yet, the next one last.
type Words<'p> = Vec<&'p str>;

fn takes(words: &mut Words<'_>, word: &str) -> bool {
    let is_next = words.last() == Some(&word);
    if is_next {
        words.pop();
    }
    is_next
}

fn any(words: &mut Words<'_>, line: &Value) -> bool {
    let mut result = all(words, line);
    while takes(words, "||") {
        result |= all(words, line);
    }
    result
}

fn all(words: &mut Words<'_>, line: &Value) -> bool {
    let mut result = one(words, line);
    while takes(words, "&&") {
        result &= one(words, line);
    }
    result
}

fn one(words: &mut Words<'_>, line: &Value) -> bool {
    if takes(words, "(") {
        let result = any(words, line);
        assert!(takes(words, ")"), "a parenthesis is not closed");
        return result;
    }
    let mut word = || words.pop().expect("a field, a comparison and a value");
    let (field, comparison, value) = (word(), word(), word());
    let found = &line[field.strip_prefix("$.").expect("a field")];
    if let Some(text) = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        let found = found.as_str();
        let is_equal = match text.strip_suffix('*') {
            Some(begin) => found.is_some_and(|found| found.starts_with(begin)),
            None => found == Some(text),
        };
        assert!(["=", "!="].contains(&comparison), "{field} {comparison} {value}");
        // CloudWatch finds nothing in a line that lacks the field, whatever it is compared with.
        return found.is_some() && is_equal == (comparison == "=");
    }
    let number: f64 = value.parse().expect("a number");
    let Some(found) = found.as_f64() else { return false };
    match comparison {
        "=" => (found - number).abs() < f64::EPSILON,
        ">" => found > number,
        _ => panic!("{comparison} is not known here"),
    }
}

/// Whether an alarm is ringing after each five minutes of a story; `None` where there was nothing
/// to count.
pub fn rings(alarm: &Value, threshold: f64, story: &[Option<f64>]) -> Vec<bool> {
    let of_lag = &alarm["Metrics"][1]["MetricStat"];
    let number = |name: &str| {
        let places = [alarm, &alarm["Metrics"][0], of_lag];
        places.iter().find_map(|place| place[name].as_u64())
    };
    let steps =
        usize::try_from(number("Period").expect("a period") / STEP).expect("five minutes or more");
    let periods = usize::try_from(number("EvaluationPeriods").expect("periods")).expect("a few");
    let needed = number("DatapointsToAlarm")
        .map_or(periods, |needed| usize::try_from(needed).expect("a few"));
    let query = alarm["Metrics"][0]["Expression"]["Fn::Sub"].as_str().unwrap_or_default();
    let is_sum = alarm["Statistic"] == "Sum" || query.starts_with("SELECT SUM(");
    // Of one number the sum is as good as any other statistic.
    assert!(is_sum || steps == 1, "{alarm}");
    let is_whole = story.iter().all(Option::is_some);
    assert!(alarm["TreatMissingData"] == "notBreaching" || is_whole, "{alarm}");
    let breaches = |sum: f64| match alarm["ComparisonOperator"].as_str() {
        Some("GreaterThanThreshold") => sum > threshold,
        Some("GreaterThanOrEqualToThreshold") => sum >= threshold,
        other => panic!("{other:?} is not known here"),
    };
    let mut states = Vec::new();
    for now in 1..=story.len() {
        let ends = (0..periods).map(|back| now.saturating_sub(back * steps));
        let sums =
            ends.map(|end| story[end.saturating_sub(steps)..end].iter().flatten().sum::<f64>());
        states.push(sums.filter(|sum| breaches(*sum)).count() >= needed);
    }
    states
}

/// The values of the metrics that CloudWatch takes out of lines in its embedded metric format, by
/// their names; each value of a list is one. A line that it would not take fails the test.
/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>
pub fn embedded(namespace: &str, lines: &[Value]) -> BTreeMap<String, Vec<u64>> {
    let mut metrics: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    for line in lines.iter().filter(|line| line.get("_aws").is_some()) {
        assert!(line["_aws"]["Timestamp"].as_u64().is_some_and(|time| time > 1_700_000_000_000));
        let [directive] = &line["_aws"]["CloudWatchMetrics"].as_array().expect("a list")[..] else {
            panic!("one directive: {line}")
        };
        assert_eq!(directive["Namespace"], namespace, "{line}");
        for name in directive["Dimensions"].as_array().expect("a list").iter().flat_map(array) {
            assert!(line[name.as_str().expect("a name")].is_string(), "{name} in {line}");
        }
        let names = array(&directive["Metrics"]);
        assert!((1..=100).contains(&names.len()), "{line}");
        for metric in names {
            let name = metric["Name"].as_str().expect("a name");
            assert!(["Count", "Milliseconds"].contains(&metric["Unit"].as_str().expect("a unit")));
            let values = match &line[name] {
                Value::Array(values) => values.clone(),
                value => vec![value.clone()],
            };
            assert!((1..=100).contains(&values.len()), "{name} in {line}");
            let numbers = values.iter().map(|value| value.as_u64().expect("a number"));
            metrics.entry(name.to_owned()).or_default().extend(numbers);
        }
    }
    metrics
}

fn array(value: &Value) -> &Vec<Value> {
    value.as_array().expect("a list")
}
