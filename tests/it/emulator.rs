//! One story through `cargo lambda watch` and `cargo lambda invoke`, as a user runs them.
