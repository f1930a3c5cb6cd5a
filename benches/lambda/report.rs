//! The figures, and what they say about the goals.

use std::time::Duration;

use crate::growth::Growth;

/// What was measured of one program.
pub(crate) struct Samples {
    pub(crate) name: String,
    pub(crate) starts: Vec<Duration>,
    pub(crate) start_cpu: Vec<Duration>,
    pub(crate) first: Vec<Duration>,
    pub(crate) warm: Vec<Duration>,
    pub(crate) warm_cpu: Vec<Duration>,
    /// KiB after the start.
    pub(crate) rest_memory: Vec<u64>,
    /// KiB after all events.
    pub(crate) peak_memory: Vec<u64>,
    /// Bytes of the file.
    pub(crate) size: u64,
    /// Bytes of the log for each event.
    pub(crate) logged: u64,
}

/// A goal of `docs/performance.md`, in the unit that its name says.
struct Goal {
    name: String,
    limit: f64,
    measured: f64,
}

impl Samples {
    pub(crate) fn new(name: &str) -> Self {
        let (starts, start_cpu, first, warm, warm_cpu) = Default::default();
        let (rest_memory, peak_memory) = Default::default();
        Self {
            name: name.to_owned(),
            starts,
            start_cpu,
            first,
            warm,
            warm_cpu,
            rest_memory,
            peak_memory,
            size: 0,
            logged: 0,
        }
    }

    /// The least of the starts in milliseconds: it is what a start takes, the rest is what else the
    /// machine does.
    pub(crate) fn start(&self) -> f64 {
        percentile(&self.starts, 0)
    }

    pub(crate) fn start_cpu(&self) -> f64 {
        percentile(&self.start_cpu, 0)
    }

    pub(crate) fn warm(&self) -> f64 {
        percentile(&self.warm, 50)
    }

    pub(crate) fn warm_cpu(&self) -> f64 {
        percentile(&self.warm_cpu, 50)
    }

    /// Bytes of the log for each event.
    #[expect(clippy::cast_precision_loss, reason = "no event logs that much")]
    pub(crate) fn logged(&self) -> f64 {
        self.logged as f64
    }

    /// MiB.
    pub(crate) fn peak(&self) -> f64 {
        mebibytes(self.peak_memory.iter().max().copied().unwrap_or_default() * 1024)
    }

    fn at_rest(&self) -> f64 {
        mebibytes(self.rest_memory.iter().max().copied().unwrap_or_default() * 1024)
    }

    /// Prints a row of the table of how it grows.
    pub(crate) fn print_growth(&self) {
        let (warm, cpu) = (self.warm(), self.warm_cpu());
        println!("{:44}{warm:10.2}{cpu:10.2}{:10.1}", self.name, self.peak());
    }
}

/// Prints what each program took. The ratios are those to hello world, the first.
pub(crate) fn table(samples: &[Samples], calls: &[Duration]) {
    let hello = &samples[0];
    println!(
        "\n{:44}{:>30}{:>7}{:>38}{:>15}{:>7}{:>6}",
        "milliseconds", "start", "first", "warm event", "memory, MiB", "file", "log"
    );
    println!(
        "{:44}{:>8}{:>8}{:>7}{:>7}{:>7}{:>8}{:>8}{:>8}{:>7}{:>7}{:>8}{:>7}{:>7}{:>6}",
        "",
        "median",
        "least",
        "ratio",
        "CPU",
        "event",
        "p50",
        "p90",
        "CPU",
        "ratio",
        "",
        "rest",
        "peak",
        "MiB",
        "bytes"
    );
    for one in samples {
        println!(
            "{:44}{:8.2}{:8.2}{:7.1}{:7.2}{:7.2}{:8.3}{:8.3}{:8.3}{:7.1}{:7}{:8.1}{:7.1}{:7.1}{:6}",
            one.name,
            percentile(&one.starts, 50),
            one.start(),
            one.start() / hello.start(),
            one.start_cpu(),
            percentile(&one.first, 50),
            one.warm(),
            percentile(&one.warm, 90),
            one.warm_cpu(),
            one.warm() / hello.warm(),
            "",
            one.at_rest(),
            one.peak(),
            mebibytes(one.size),
            one.logged,
        );
    }
    let (median, most) = (percentile(calls, 50), percentile(calls, 90));
    println!("{:44}{median:45.3}{most:8.3}", "one call to the HubSpot stand-in");
}

/// Prints which goals are reached.
pub(crate) fn goals(
    samples: &[Samples],
    calls: &[Duration],
    round_trip: Duration,
    growth: &Growth,
) {
    let named = |name: &str| samples.iter().find(|one| one.name == name);
    let (Some(hello), Some(one_call), Some(two_calls), Some(six), Some(far)) = (
        named("hello world"),
        named("webhook, one source, one call"),
        named("webhook, one source, two calls"),
        named("webhook, six sources, two calls"),
        named("webhook, six sources, two calls, TLS, 5 ms"),
    ) else {
        return;
    };
    let call = percentile(calls, 50);
    // A connection, its TLS, and the call for the secrets; HubSpot's three are made side by side.
    let round_trips = 3.0 * round_trip.as_secs_f64() * 1000.0;
    let goal = |name: String, limit, measured| Goal { name, limit, measured };
    let goals = [
        goal(
            format!("4: start far away: hello world + 3 round trips ({round_trips:.2}) + 0.5 ms"),
            hello.start() + round_trips + 0.5,
            far.start(),
        ),
        goal(
            "5: CPU of a start with one source: 2 times hello world, ms".to_owned(),
            2.0 * hello.start_cpu(),
            two_calls.start_cpu(),
        ),
        goal(
            "5: CPU of a start with six sources: 2.5 times hello world, ms".to_owned(),
            2.5 * hello.start_cpu(),
            six.start_cpu(),
        ),
        goal(
            "6: warm event with one call: hello world + the call + 0.1 ms".to_owned(),
            hello.warm() + call + 0.1,
            one_call.warm(),
        ),
        goal(
            "6: warm event with two calls: hello world + the calls + 0.1 ms".to_owned(),
            hello.warm() + 2.0 * call + 0.1,
            two_calls.warm(),
        ),
        goal("7: memory at rest, MiB".to_owned(), 10.0, six.peak()),
        goal(
            "7: memory for a body of 1 MiB of text, MiB".to_owned(),
            10.0 + six.peak(),
            growth.largest_body,
        ),
        goal("7: memory for 10,000 updates, MiB".to_owned(), 48.0, growth.most_updates),
        goal("9: bootstrap, MiB (for x86-64)".to_owned(), 8.0, mebibytes(six.size)),
    ];
    println!("\n{:76}{:>8}{:>10}", "goal", "limit", "measured");
    for Goal { name, limit, measured } in goals {
        let verdict = if measured <= limit { "reached" } else { "missed" };
        println!("{name:76}{limit:8.2}{measured:10.2}  {verdict}");
    }
}

/// Milliseconds; 0 is the least.
fn percentile(samples: &[Duration], percent: usize) -> f64 {
    let mut samples = samples.to_vec();
    samples.sort_unstable();
    let index = (samples.len() * percent / 100).min(samples.len().saturating_sub(1));
    samples.get(index).map_or(f64::NAN, |sample| sample.as_secs_f64() * 1000.0)
}

#[expect(clippy::cast_precision_loss, reason = "no file and no memory is that large")]
fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / 1024.0 / 1024.0
}
