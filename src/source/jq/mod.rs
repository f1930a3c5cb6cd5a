//! Expressions: jq by the crate `jaq`, which has its only home here.
//!
//! In layers, each of which uses the layers above it alone:
//!
//! | file | content |
//! | --- | --- |
//! | `html`, `value`, `rich_text`, `json` | values: as text, of documents, of a body |
//! | `pattern`, `data` | regular expressions, and the other state that runs share |
//! | `functions`, `regex` | the functions that jaq lacks, or that take the place of its own |
//! | `library` | jq's own functions, as far as they are written in jq |
//! | `mistake`, `depth`, `code`, `syntax` | the text of an expression, its parts and its mistakes |
//! | `program` | all expressions as one program, which runs them |
//! | `trial` | runs of expressions on an event that has nothing |

mod code;
mod data;
mod depth;
mod functions;
pub(super) mod html;
pub(super) mod json;
mod library;
mod mistake;
mod pattern;
mod program;
mod regex;
mod rich_text;
pub(super) mod syntax;
mod trial;
pub(super) mod value;

pub(super) use code::Code;
pub(super) use jaq_json::Val;
pub(super) use mistake::Mistake;
pub(super) use program::{Expression, Expressions, Failure, Program, Scope};
pub(super) use trial::Trial;
