//! What a stranger who knows a secret can make a delivery cost: counted in allocations, as times
//! say nothing.

use allocation_counter::{AllocationInfo, measure};

#[expect(dead_code, reason = "the bench uses the rest")]
#[path = "../../benches/cost/bodies.rs"]
mod bodies;

use bodies::{Case, case, each_case, each_unread_case, map};
use serde_json::{Value, json};
use taskhook::source::{Found, SourceFile, Sources};

fn cost(sources: &Sources, case: &Case) -> AllocationInfo {
    measure(|| {
        map(sources, case);
    })
}

#[test]
fn what_a_body_costs_grows_no_faster_than_the_body() {
    let mut problems = Vec::new();
    let mut measured = 0;
    each_case(&[2 << 10, 8 << 10], &[], |sources, cases| {
        let [small, large] = cases else { panic!("two sizes") };
        let (few, many) = (cost(sources, small), cost(sources, large));
        // What is hostile is four times as long; some slack for what doubles its size now and then.
        let is_linear = |few: u64, many: u64, slack: u64| many <= few * 4 * 5 / 4 + slack;
        if !is_linear(few.count_total, many.count_total, 500)
            || !is_linear(few.bytes_total, many.bytes_total, 300_000)
        {
            problems.push(format!("{}, {}: {few:?} became {many:?}", small.source, small.name));
        }
        measured += 1;
    });
    assert!(problems.is_empty(), "{}", problems.join("\n"));
    assert!(measured > 500, "{measured}");
}

#[test]
fn a_body_of_one_mebibyte_takes_at_most_ten_times_its_size_whatever_it_holds() {
    let mut problems = Vec::new();
    each_unread_case((1 << 20) - 10_000, |sources, case| {
        let memory = cost(sources, case).bytes_max;
        // What thousands of updates take is another matter.
        let most = if case.name == "long arrays" { 48 << 20 } else { 10 << 20 };
        if memory > most {
            problems.push(format!("{}, {}: {memory} bytes", case.source, case.name));
        }
    });
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[test]
fn the_pattern_of_the_documentation_costs_what_its_text_does() {
    let text = r#"
        [verify]
        scheme = "none"
        [task]
        id = '.id'
        id_property = "ticket"
        [properties]
        hs_task_subject = '.body | gsub("\\s+"; " ") | cut(100)'
    "#;
    let file = SourceFile::from_text("desk", "desk", text);
    let sources = Sources::read(&[file]);
    let Found::Source(source) = sources.find("/desk") else { panic!("{:?}", sources.problems()) };
    let of = |words: usize| {
        let body = json!({"id": 1, "body": "word  ".repeat(words)});
        cost(&sources, &case(source, "", &Value::Null, &body))
    };
    let (few, many) = (of(10_000), of(80_000));
    assert!(many.bytes_total <= few.bytes_total * 8 * 5 / 4, "{few:?} became {many:?}");
    assert!(many.bytes_max <= 10 * 6 * 80_000, "{many:?}");
}
