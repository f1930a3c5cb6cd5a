//! The figures, and what they say about the goals.

use std::time::Duration;

/// What was measured of one program.
pub(crate) struct Samples {
    pub(crate) name: &'static str,
    pub(crate) starts: Vec<Duration>,
    pub(crate) start_cpu: Vec<Duration>,
    pub(crate) first: Vec<Duration>,
    pub(crate) warm: Vec<Duration>,
    pub(crate) warm_cpu: Vec<Duration>,
    /// KiB.
    pub(crate) peak_memory: Vec<u64>,
    /// Bytes.
    pub(crate) size: u64,
}

/// A goal of `docs/performance.md`, in the unit that its name says.
struct Goal {
    name: &'static str,
    limit: f64,
    measured: f64,
}

impl Samples {
    pub(crate) fn new(name: &'static str) -> Self {
        let (starts, start_cpu, first, warm, warm_cpu) = Default::default();
        Self { name, starts, start_cpu, first, warm, warm_cpu, peak_memory: Vec::new(), size: 0 }
    }
}

/// Prints two tables. `samples`: hello world, one source with one call, one source with two, six
/// sources with two, one source with the queue.
pub(crate) fn print(samples: &[Samples; 5], calls: &[Duration]) {
    println!();
    println!(
        "{:34}{:>22}{:>9}{:>26}{:>9}{:>9}",
        "milliseconds", "start", "first", "warm event", "peak", "file"
    );
    println!(
        "{:34}{:>8}{:>8}{:>6}{:>9}{:>9}{:>9}{:>8}{:>9}{:>9}",
        "", "median", "least", "CPU", "event", "p50", "p90", "CPU", "MiB", "MiB"
    );
    for program in samples {
        println!(
            "{:34}{:8.2}{:8.2}{:6.2}{:9.2}{:9.3}{:9.3}{:8.3}{:9.1}{:9.1}",
            program.name,
            percentile(&program.starts, 50),
            percentile(&program.starts, 0),
            percentile(&program.start_cpu, 50),
            percentile(&program.first, 50),
            percentile(&program.warm, 50),
            percentile(&program.warm, 90),
            percentile(&program.warm_cpu, 50),
            program.peak(),
            mebibytes(program.size),
        );
    }
    println!(
        "{:34}{:40.3}{:9.3}",
        "one call to the HubSpot stand-in",
        percentile(calls, 50),
        percentile(calls, 90)
    );
    println!();
    println!("{:66}{:>8}{:>10}", "goal", "limit", "measured");
    for Goal { name, limit, measured } in goals(samples, percentile(calls, 50)) {
        let verdict = if measured <= limit { "reached" } else { "missed" };
        println!("{name:66}{limit:8.2}{measured:10.2}  {verdict}");
    }
}

fn goals([hello, one_call, two_calls, six, _]: &[Samples; 5], call: f64) -> [Goal; 6] {
    // The least is what a start takes; the rest is what else the machine does.
    let start = |samples: &Samples| percentile(&samples.starts, 0);
    let warm = |samples: &Samples| percentile(&samples.warm, 50);
    [
        Goal {
            name: "start with six sources: 2 times hello world, ms",
            limit: 2.0 * start(hello),
            measured: start(six),
        },
        Goal {
            name: "start with one source: 1.5 times hello world, ms",
            limit: 1.5 * start(hello),
            measured: start(two_calls),
        },
        Goal {
            name: "warm event with one call: hello world + the call + 0.1 ms",
            limit: warm(hello) + call + 0.1,
            measured: warm(one_call),
        },
        Goal {
            name: "warm event with two calls: hello world + the calls + 0.1 ms",
            limit: warm(hello) + 2.0 * call + 0.1,
            measured: warm(six),
        },
        Goal { name: "peak memory, MiB", limit: 10.0, measured: six.peak() },
        Goal { name: "bootstrap, MiB (for x86-64)", limit: 8.0, measured: mebibytes(six.size) },
    ]
}

impl Samples {
    fn peak(&self) -> f64 {
        mebibytes(self.peak_memory.iter().max().copied().unwrap_or_default() * 1024)
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
