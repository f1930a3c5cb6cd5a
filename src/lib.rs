//! Taskhook.
pub mod aws;
pub mod cli;
pub mod delivery;
pub mod engine;
pub mod hubspot;
pub mod outbound;
pub mod secrets;
pub mod settings;
pub mod sim;
pub mod source;
pub mod summary;
pub mod time;
pub mod update;
