//! Taskhook turns webhooks of ticket systems into updates of HubSpot tasks.
//!
//! Two stories meet in a list of updates and nowhere else:
//!
//! ```text
//! ingress ── receive ── delivery (is it signed?) ── source (what does it say?) ──┐
//!    │                                                                           │ updates
//!    └── dispatch ── engine (read, drop stale, merge, send, account) ── hubspot ─┘
//!            │          │
//!            │       summary ── what the sender gets
//!            └── queue ── ingress (the worker) ── engine
//! ```
//!
//! | room | what it owns |
//! | --- | --- |
//! | [`ingress`] | Lambda and HTTP; the only place that knows status codes |
//! | [`receive`] | the first story: a delivery is verified and mapped |
//! | [`delivery`] | signature schemes, strict reading of bodies; an unverified and a verified delivery are two types |
//! | [`source`] | source files, expressions, mapping; pure; the only home of jq |
//! | [`update`], [`outcome`] | what the two stories share: what goes in, and how it ends |
//! | [`dispatch`] | where updates go: to HubSpot or into the queue; and dead letters |
//! | [`queue`] | SQS: updates, and dead letters; what they hold is pure |
//! | [`engine`] | the second story: every update ends in exactly one true outcome; its planning is pure |
//! | [`hubspot`] | HubSpot's API: calls, answers, retries, the token |
//! | [`summary`] | the ledger of a delivery |
//! | [`secrets`], [`aws`], [`outbound`] | secrets redacted and cached; the one AWS configuration; the one HTTP client |
//! | [`settings`], [`files`] | the environment and the source files, read once, every problem at once |
//! | [`time`] | points in time and every way to write them |
//! | [`text`] | texts that are cut |
//! | [`telemetry`] | logs |
//! | [`cli`], [`sim`] | the command-line tool, and the HubSpot stand-in that it runs: with the cargo feature `tool` |
//!
//! The invariants, and where to put what, are in ARCHITECTURE.md.

pub mod aws;
#[cfg(feature = "tool")]
pub mod cli;
pub mod delivery;
pub mod dispatch;
pub mod engine;
pub mod files;
pub mod hubspot;
pub mod ingress;
pub mod outbound;
pub mod outcome;
pub mod queue;
pub mod receive;
pub mod secrets;
pub mod settings;
#[cfg(feature = "tool")]
pub mod sim;
pub mod source;
pub mod summary;
pub mod telemetry;
pub mod text;
pub mod time;
pub mod update;
