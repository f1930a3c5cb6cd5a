//! Taskhook.
pub mod source;
pub mod time;
