//! Taskhook.

pub mod sim;
