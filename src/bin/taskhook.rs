//! taskhook
fn main() {}
