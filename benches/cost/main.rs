//! What a body of 1 MiB costs at most, through every shipped source: CPU and memory.
//!
//! `make bench` runs it; `docs/performance.md` says what is measured and why. `make test` holds the
//! allocations. `cargo bench --bench cost -- shortcut` measures the sources with this in their names.

#[expect(
    dead_code,
    clippy::expect_used,
    reason = "the tests use the rest; a sample that is not as it must be ends the bench"
)]
mod bodies;

use std::collections::BTreeMap;

/// Bytes of a body: the most that is taken.
const SIZE: usize = (1 << 20) - 10_000;

/// The worst figure of a source, and what gave it.
type Worst = (f64, String);

fn main() {
    let mut worst: BTreeMap<String, (Worst, Worst)> = BTreeMap::new();
    // Smaller bodies show in seconds what a build for development makes of a change.
    let size = std::env::var("SIZE").ok().and_then(|size| size.parse().ok()).unwrap_or(SIZE);
    let wanted: Vec<_> = std::env::args().skip(1).filter(|word| !word.starts_with("--")).collect();
    bodies::each_case(&[size], &wanted, |sources, cases| {
        let case = &cases[0];
        // The little that each body costs is no matter of its size.
        if case.size() < size / 2 {
            return;
        }
        let before = cpu();
        let updates = bodies::map(sources, case);
        let milliseconds = cpu() - before;
        let memory = allocation_counter::measure(|| _ = bodies::map(sources, case));
        #[expect(clippy::cast_precision_loss, reason = "no body is that large")]
        let (bytes, peak) = (case.size() as f64, memory.bytes_max as f64);
        let name = format!("{}, {updates} updates, {} allocations", case.name, memory.count_total);
        let (slowest, largest) = worst.entry(case.source.clone()).or_default();
        keep(slowest, milliseconds / (bytes / f64::from(1 << 20)), &name);
        keep(largest, peak / bytes, &name);
    });
    println!("{:18}{:>9}", "source", "worst");
    for (source, (slowest, largest)) in worst {
        println!("{source:18}{:9.1} ms/MiB  {}", slowest.0, slowest.1);
        println!("{:18}{:9.1} times   {}", "", largest.0, largest.1);
    }
}

fn keep(worst: &mut Worst, figure: f64, name: &str) {
    if figure > worst.0 {
        *worst = (figure, name.to_owned());
    }
}

/// Milliseconds that this thread had a processor.
fn cpu() -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanoseconds =
        text.split(' ').next().and_then(|first| first.parse::<f64>().ok()).unwrap_or(f64::NAN);
    nanoseconds / 1e6
}
