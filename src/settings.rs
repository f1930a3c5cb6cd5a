//! The environment, read once; every problem at once.

use std::time::Duration;

/// Reads a duration such as `8s`, `5m`, `24h` or `500ms`. The error is a sentence.
pub fn duration(text: &str) -> Result<Duration, String> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let milliseconds = match unit {
        "ms" => Some(1),
        "s" => Some(1000),
        "m" => Some(60_000),
        "h" => Some(3_600_000),
        "d" => Some(86_400_000),
        _ => None,
    };
    let number: Option<u64> = number.parse().ok();
    let total = number.zip(milliseconds).and_then(|(number, unit)| number.checked_mul(unit));
    total
        .map(Duration::from_millis)
        .ok_or_else(|| format!("{text:?} is not a duration; write one such as 8s, 5m or 24h"))
}
