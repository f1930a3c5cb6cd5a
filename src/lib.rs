//! Taskhook.
pub mod aws;
pub mod cli;
pub mod delivery;
pub mod engine;
pub mod files;
pub mod hubspot;
pub mod ingress;
pub mod outbound;
pub mod receive;
pub mod secrets;
pub mod settings;
pub mod sim;
pub mod source;
pub mod summary;
pub mod telemetry;
pub mod time;
pub mod update;
