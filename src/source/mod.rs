//! Source
mod functions;
mod jq;
mod text;
