//! Logs: what Lambda's own settings ask for, and nothing that a stranger sent.

use tracing::Level;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::Layer as _;
use tracing_subscriber::filter::{Targets, filter_fn};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

/// Starts logging to standard output, as `RUST_LOG`, `AWS_LAMBDA_LOG_LEVEL` and `AWS_LAMBDA_LOG_FORMAT` say.
///
/// Other crates are capped at debug, whatever `RUST_LOG` says: at trace, `lambda_runtime` logs whole events, and HTTP
/// clients log headers. Nothing happens when logging was started before.
pub fn init() {
    let variable = |name| std::env::var(name).ok().filter(|value: &String| !value.is_empty());
    let level = match variable("AWS_LAMBDA_LOG_LEVEL").as_deref() {
        // Lambda's least level, which `tracing` doesn't have.
        Some("FATAL") => LevelFilter::ERROR,
        level => level.and_then(|level| level.parse().ok()).unwrap_or(LevelFilter::INFO),
    };
    let asked = variable("RUST_LOG").and_then(|directives| directives.parse::<Targets>().ok());
    let asked = asked.unwrap_or_else(|| Targets::new().with_default(level));
    let capped = filter_fn(|metadata| *metadata.level() <= Level::DEBUG || metadata.target().starts_with("taskhook"));
    let format = tracing_subscriber::fmt::layer().with_ansi(false);
    let layer = if variable("AWS_LAMBDA_LOG_FORMAT").is_some_and(|format| format.eq_ignore_ascii_case("json")) {
        format.json().flatten_event(true).with_span_list(false).boxed()
    } else {
        // CloudWatch adds the time itself.
        format.without_time().boxed()
    };
    // An error means that logging was started before, as in a test.
    let _ = tracing_subscriber::registry().with(layer.with_filter(capped).with_filter(asked)).try_init();
}
