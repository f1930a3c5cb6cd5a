//! Stories about the built functions: a real Lambda protocol, moto as Secrets Manager, the HubSpot
//! stand-in.

#![allow(
    missing_docs,
    unreachable_pub,
    clippy::missing_panics_doc,
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "tests"
)]

mod alarms;
mod backlog;
mod bad_input;
mod chaos;
mod cli;
mod clients;
mod cost;
mod counts;
mod dev;
mod durable;
mod editors;
mod emulator;
mod engine;
mod handshakes;
mod happy;
mod hubspot;
mod hubspot_table;
mod imports;
mod invariants;
mod life;
mod lines;
mod links;
mod live;
mod lost;
mod modes;
mod oncall;
mod owners;
mod pages;
mod queries;
mod refused;
mod replay;
mod requests;
mod rules;
mod samples;
mod schema;
mod secrets;
mod set_up;
mod stories;
mod support;
mod systems;
mod template;
mod tls;
mod witnesses;
