//! Logs, as Lambda's own settings ask for them: a JSON object a line. Texts of strangers are cut, and
//! stay on one line.

use std::any::Any;
use std::fmt;
use std::panic::PanicHookInfo;

use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::Layer as _;
use tracing_subscriber::filter::{FilterExt as _, Targets, filter_fn};
use tracing_subscriber::fmt::format::{JsonFields, Writer};
use tracing_subscriber::fmt::time::{FormatTime as _, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, FormattedFields};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt as _;

/// The field of the Lambda runtime's span by which Lambda, support and our replies call an
/// invocation.
const REQUEST_ID: &str = "requestId";

/// The field by which our own lines say their fields as one JSON object: `tracing` knows no fields
/// that are there only now and then, and no nested ones. In a line of JSON they stand beside the
/// others.
const FIELDS: &str = "fields";

/// The longest panic that is logged, in characters.
const PANIC: usize = 1000;

/// Starts logging to standard output, as `RUST_LOG`, `AWS_LAMBDA_LOG_LEVEL` and
/// `AWS_LAMBDA_LOG_FORMAT` say. A panic becomes a line of the log, too.
///
/// Other crates are capped at debug, whatever `RUST_LOG` says: at trace, `lambda_runtime` logs
/// whole events, and HTTP clients log headers. Nothing happens when logging was started before.
pub fn init() {
    let variable = |name| std::env::var(name).ok().filter(|value: &String| !value.is_empty());
    let level = match variable("AWS_LAMBDA_LOG_LEVEL").as_deref() {
        // Lambda's least level, which `tracing` doesn't have.
        Some("FATAL") => LevelFilter::ERROR,
        level => level.and_then(|level| level.parse().ok()).unwrap_or(LevelFilter::INFO),
    };
    let asked = variable("RUST_LOG").and_then(|directives| directives.parse::<Targets>().ok());
    let asked = asked.unwrap_or_else(|| Targets::new().with_default(level));
    // Whatever the level is, since the span has the request id.
    let invocation =
        filter_fn(|metadata| metadata.is_span() && metadata.fields().field(REQUEST_ID).is_some())
            .with_max_level_hint(LevelFilter::INFO);
    let capped = filter_fn(|metadata| *metadata.level() <= Level::DEBUG || is_ours(metadata));
    let format = tracing_subscriber::fmt::layer().with_ansi(false);
    let layer = if variable("AWS_LAMBDA_LOG_FORMAT")
        .is_some_and(|format| format.eq_ignore_ascii_case("json"))
    {
        format.event_format(JsonLine).fmt_fields(JsonFields::new()).boxed()
    } else {
        // CloudWatch adds the time itself.
        format.without_time().boxed()
    };
    let layer = layer.with_filter(capped).with_filter(asked.or(invocation));
    // An error means that logging was started before, as in a test.
    if tracing_subscriber::registry().with(layer).try_init().is_ok() {
        std::panic::set_hook(Box::new(log_panic));
    }
}

/// Whether a line is Taskhook's own, and no other crate's.
fn is_ours(metadata: &Metadata<'_>) -> bool {
    metadata.target().starts_with("taskhook")
}

/// Text of somebody else for the log: cut to so many characters, and on one line, so that nobody
/// writes lines of ours.
#[must_use]
pub fn one_line(text: &str, longest: usize) -> String {
    let breaks_the_line = |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}');
    text.chars().take(longest).map(|c| if breaks_the_line(c) { ' ' } else { c }).collect()
}

/// An error's text without what it quotes, from the first quotation mark to the last: that may be a
/// ticket's.
#[must_use]
pub fn without_quotes(error: &str) -> String {
    let is_mark = |c: char| matches!(c, '"' | '`');
    match (error.find(is_mark), error.rfind(is_mark)) {
        (Some(first), Some(last)) => format!("{}…{}", &error[..first], &error[last + 1..]),
        _ => error.to_owned(),
    }
}

fn log_panic(panic: &PanicHookInfo<'_>) {
    let place = panic.location().map(ToString::to_string).unwrap_or_default();
    tracing::error!(place, reason = panic_text(panic.payload()), "a panic; please report it");
}

/// What a panic says. Of a text that was put together only the part before the first quotation
/// mark: what is quoted may be a ticket's.
fn panic_text(payload: &dyn Any) -> String {
    let literal = payload.downcast_ref::<&'static str>().copied();
    let formatted = || {
        Some(payload.downcast_ref::<String>()?.split(['`', '"', '\'']).next().unwrap_or_default())
    };
    one_line(literal.or_else(formatted).unwrap_or("it says nothing").trim_end(), PANIC)
}

/// An event as one line of JSON: `timestamp`, `level`, the `requestId` of the invocation, `target`,
/// and the event's own fields, among them `message`. No name stands there twice, whatever a crate
/// calls its fields.
struct JsonLine;

impl<S, N> FormatEvent<S, N> for JsonLine
where
    S: Subscriber + for<'span> LookupSpan<'span>,
    N: for<'writer> FormatFields<'writer> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut time = String::new();
        SystemTime.format_time(&mut Writer::new(&mut time))?;
        let metadata = event.metadata();
        let mut line = Fields::default();
        line.add("timestamp", time.into());
        line.add("level", metadata.level().as_str().into());
        let spans = context.event_scope().into_iter().flatten();
        let request_id = spans.into_iter().find_map(|span| {
            let fields = span.extensions().get::<FormattedFields<N>>()?.fields.clone();
            serde_json::from_str::<Map<String, Value>>(&fields).ok()?.remove(REQUEST_ID)
        });
        if let Some(request_id) = request_id {
            line.add(REQUEST_ID, request_id);
        }
        line.add("target", metadata.target().into());
        event.record(&mut line);
        line.0.entry("message").or_insert_with(|| metadata.name().into());
        let own = if is_ours(metadata) { line.0.shift_remove(FIELDS) } else { None };
        let mut line = Value::Object(line.0).to_string();
        if let Some(own) = own.as_ref().and_then(Value::as_str) {
            // Both are objects, and neither is empty.
            line.truncate(line.len() - 1);
            line.push(',');
            line.push_str(&own[1..]);
        }
        writeln!(writer, "{line}")
    }
}

/// The fields of a line.
#[derive(Default)]
struct Fields(Map<String, Value>);

impl Fields {
    /// Adds a field; one whose name is taken gets an underscore.
    fn add(&mut self, name: &str, value: Value) {
        let mut name = name.to_owned();
        while self.0.contains_key(&name) {
            name.push('_');
        }
        self.0.insert(name, value);
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.add(field.name(), format!("{value:?}").into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.add(field.name(), value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.add(field.name(), value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.add(field.name(), value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.add(field.name(), value.into());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.add(field.name(), value.into());
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use serde_json::json;

    use super::*;

    #[test]
    fn a_strangers_text_is_cut_and_stays_on_its_line() {
        assert_eq!(one_line("/a\r\nERROR\u{2028}b\u{85}\u{1b}[2J", 200), "/a  ERROR b  [2J");
        assert_eq!(one_line(&"é".repeat(300), 200), "é".repeat(200));
    }

    #[test]
    fn an_error_is_logged_without_what_it_quotes() {
        let error = "invalid type: string \"it's \"so\"\", expected a map at line 1";
        assert_eq!(without_quotes(error), "invalid type: string …, expected a map at line 1");
        assert_eq!(without_quotes("unknown variant `x`, expected `fail`"), "unknown variant …");
        assert_eq!(without_quotes("expected value at line 1"), "expected value at line 1");
    }

    /// A text that the compiler can't put into a literal.
    fn formatted(text: &str) -> String {
        text.to_owned()
    }

    #[test]
    fn a_panic_says_what_is_ours_and_quotes_nobody() {
        let said = |panic: fn()| panic_text(&*std::panic::catch_unwind(panic).unwrap_err());
        assert_eq!(said(|| panic!("it's \"over\"")), "it's \"over\"");
        assert_eq!(
            said(|| panic!("index {}\nof a `{}`", formatted("3"), "ticket's")),
            "index 3 of a"
        );
        assert_eq!(said(|| std::panic::panic_any(7)), "it says nothing");
    }

    /// The lines that a process of its own logs, since logging and the panic hook are of a whole
    /// process.
    fn logged(level: &str) -> Vec<Map<String, Value>> {
        let output = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "telemetry::tests::a_story_for_the_log", "--nocapture"])
            .env("TASKHOOK_TELLS_ITS_STORY", "1")
            .env("AWS_LAMBDA_LOG_FORMAT", "JSON")
            .env("AWS_LAMBDA_LOG_LEVEL", level)
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert_eq!(String::from_utf8(output.stderr).unwrap(), "", "nothing goes past the log");
        let lines = text.lines().filter(|line| line.starts_with('{'));
        lines.map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    #[test]
    fn a_story_for_the_log() {
        if std::env::var_os("TASKHOOK_TELLS_ITS_STORY").is_none() {
            return;
        }
        init();
        let span = tracing::info_span!("Lambda runtime invoke", requestId = "r-1");
        let _invocation = span.entered();
        let _call = tracing::info_span!("a call inside").entered();
        tracing::warn!(
            level = 7,
            message = "a field",
            timestamp = true,
            requestId = "r-2",
            "the message"
        );
        let own = json!({"_aws": {"Timestamp": 7}, "note": "{}"});
        tracing::info!(fields = %own, "ours");
        tracing::warn!(target: "another crate", fields = "no JSON", "theirs");
        let _ = std::panic::catch_unwind(|| panic!("out of {}\n\"words\"", formatted("luck")));
    }

    #[test]
    fn a_line_has_each_name_once_and_the_request_id_and_a_panic_is_a_line() {
        let [line, ours, theirs, panic] = &logged("INFO")[..] else { panic!("four lines") };
        let own: Vec<_> =
            line.iter().filter(|(name, _)| *name != "timestamp" && *name != "target").collect();
        let expected = json!({
            "level": "WARN", "requestId": "r-1", "message": "the message", "level_": 7, "message_": "a field",
            "timestamp_": true, "requestId_": "r-2",
        });
        assert_eq!(
            own.into_iter().map(|(name, value)| (name.clone(), value.clone())).collect::<Value>(),
            expected
        );
        assert!(line["timestamp"].as_str().is_some_and(|time| time.ends_with('Z')));
        assert_eq!((&ours["_aws"], &ours["note"]), (&json!({"Timestamp": 7}), &json!("{}")));
        assert_eq!((&ours["message"], &ours["requestId"]), (&json!("ours"), &json!("r-1")));
        assert_eq!((ours.get("fields"), &theirs["fields"]), (None, &json!("no JSON")));
        assert_eq!((&panic["level"], &panic["requestId"]), (&json!("ERROR"), &json!("r-1")));
        assert_eq!(
            (&panic["message"], &panic["reason"]),
            (&json!("a panic; please report it"), &json!("out of luck"))
        );
        assert!(
            panic["place"].as_str().is_some_and(|place| place.starts_with("src/telemetry.rs:")),
            "{panic:?}"
        );
    }

    #[test]
    fn errors_know_their_request_at_every_level() {
        let [panic] = &logged("ERROR")[..] else { panic!("one line") };
        assert_eq!(panic["requestId"], json!("r-1"));
    }
}
