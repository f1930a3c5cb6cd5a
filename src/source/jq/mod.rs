//! Expressions: jq by the crate `jaq`, which has its only home here.

mod depth;
mod functions;
pub(super) mod html;
pub(super) mod json;
mod program;
mod regex;
mod rich_text;
pub(super) mod syntax;
mod trial;
pub(super) mod value;

pub(super) use jaq_json::Val;
pub(super) use program::{Expression, Expressions, Mistake, Program, Scope};
pub(super) use trial::Trial;
