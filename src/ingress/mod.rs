//! Where events come in. HTTP is the only place that knows status codes.

pub mod http;
mod reply;
