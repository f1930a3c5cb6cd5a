//! Taskhook.
