//! Taskhook turns webhooks of ticket systems into updates of HubSpot tasks.
//!
//! Two stories meet in a list of updates and nowhere else:
//!
//! ```text
//! lambda::receive ── delivery (is it signed?) ── source (what does it say?) ──┐
//!                                                                             │ updates
//! lambda::dispatch ── engine (read, drop stale, merge, send, account) ────────┤
//!        │                 └── hubspot                                        │
//!        └── queue ── lambda::worker ── engine                  outcomes ◄────┘
//! ```
//!
//! Each room uses those behind it in this map, and none before it: a test holds that.
//!
//! | room | what it owns |
//! | --- | --- |
//! | [`cli`], [`sim`] | the command-line tool, and the HubSpot stand-in that it runs: with the cargo feature `tool` |
//! | [`lambda`] | the two functions: Lambda's events, the two stories, dead letters, replies, summaries |
//! | [`services`] | clients of AWS and HubSpot, made of settings once for every program |
//! | [`engine`] | the second story: every update ends in exactly one true outcome; its planning is pure |
//! | [`queue`] | SQS: updates, and dead letters; what they hold is pure |
//! | [`files`] | the folder of source files, and the portal's properties beside it |
//! | [`hubspot`] | HubSpot's API: calls, answers, retries, the token |
//! | [`source`] | source files, expressions, mapping; pure; the only home of jq |
//! | [`delivery`] | signature schemes, strict reading of bodies; an unverified and a verified delivery are two types |
//! | [`aws`] | the one AWS configuration |
//! | [`settings`] | the environment, read once, every problem at once |
//! | [`secrets`] | secrets, redacted and cached |
//! | [`outbound`] | the one HTTP client |
//! | [`outcome`], [`update`] | what the two stories share: how it ends, and what goes in |
//! | [`time`], [`deadline`], [`text`] | points in time and every way to write them; time kept free; texts that are cut |
//! | [`telemetry`] | logs |
//!
//! The invariants, and where to put what, are in ARCHITECTURE.md.

pub mod aws;
#[cfg(feature = "tool")]
pub mod cli;
pub mod deadline;
pub mod delivery;
pub mod engine;
pub mod files;
pub mod hubspot;
pub mod lambda;
pub mod outbound;
pub mod outcome;
pub mod queue;
pub mod secrets;
pub mod services;
pub mod settings;
#[cfg(feature = "tool")]
pub mod sim;
pub mod source;
pub mod telemetry;
pub mod text;
pub mod time;
pub mod update;
