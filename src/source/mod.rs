//! A source file becomes a running [`Source`]; a verified delivery and a source give updates.
//!
//! Pure: no files, no network, no clock. jq lives in `jq` and nowhere else.
//!
//! ```text
//! file, problem ── table ── spec ──┬── build ── links ── map ── trace ── Sources
//!                                  ├── demand
//!                                  └── remark ── verification ── warnings
//! ```
//!
//! `table` reads TOML key by key, with places. `spec` is the file as it is written. `build` makes
//! the running source of it, which `map` follows, with `links` for `[task.associate]`; `trace` shows
//! a person how. `demand` finds its demands on the portal, `warnings` the keys that are allowed and
//! hardly meant.

mod build;
mod demand;
mod file;
mod jq;
mod links;
mod map;
mod problem;
mod remark;
mod spec;
mod table;
#[cfg(test)]
mod tests;
mod trace;
mod verification;
mod warnings;

pub use build::{Proof, Source, Verify};
pub use demand::{Asks, Creation, Demand, LinkDemand, creation, demands, link_demands};
pub use file::{NoText, SourceFile};
pub use map::{Event, Mapped, NotMapped};
pub use problem::{Problem, Warning};
pub use trace::{LinkTrace, PropertyEnd, PropertyTrace, Step, TaskTrace, Trace};
pub use verification::shared_secrets;
pub use warnings::warnings;

use std::collections::BTreeMap;

use build::Draft;
use jq::{Expressions, Program, Scope, Val, json};
use trace::Tracer;

use crate::delivery::{NotRead, Tolerance, Verified};
use crate::secrets::SecretRef;

/// Every source, by its path, with one program for all their expressions.
pub struct Sources {
    program: Program,
    /// By path; `None` where the file has problems.
    by_path: BTreeMap<String, Option<Source>>,
    problems: Vec<Problem>,
}

/// The source of a path.
pub enum Found<'s> {
    /// A source that works.
    Source(&'s Source),
    /// A source whose file has problems; or a path that no source has while there is such a file,
    /// since its path may be what is wrong with it.
    Broken,
    /// No source has this path.
    Nothing,
}

impl Sources {
    /// Reads and compiles all source files. A file with problems is reported, and doesn't keep the
    /// others from working.
    #[must_use]
    pub fn read(files: &[SourceFile]) -> Self {
        Self::read_beside(files, |_| {})
    }

    /// The same. Between reading and compiling, which takes most of the time, `beside` is told the
    /// secrets of the files without problems so far, and runs while a thread compiles.
    #[must_use]
    pub fn read_beside(files: &[SourceFile], beside: impl FnOnce(&[SecretRef])) -> Self {
        let mut expressions = Expressions::default();
        let mut problems = Vec::new();
        let mut drafts = Vec::new();
        for file in files {
            if let Err(why) = &file.text {
                problems.push(Problem::of_file(&file.file, why.to_string()));
            }
            drafts.extend(Draft::read(file, &mut expressions));
        }
        let mut secrets = Vec::new();
        for draft in drafts.iter().filter(|draft| draft.problems.is_empty()) {
            let proof = draft.source.as_ref().and_then(|source| source.verify.proof.as_ref());
            secrets.extend(proof.map(|proof| proof.secret.clone()));
        }
        let program = compile(&mut expressions, &drafts, || beside(&secrets));
        let mut by_path = BTreeMap::new();
        let mut first_files = BTreeMap::new();
        for draft in drafts {
            let is_sound = draft.problems.is_empty();
            if let Some(path) = draft.path {
                if let Some(first) = first_files.get(&path.value) {
                    let message =
                        format!("{first} has the path {:?} too; write another `path`", path.value);
                    draft.problems.add(path.start, message);
                    by_path.insert(path.value, None);
                } else {
                    first_files.insert(path.value.clone(), draft.problems.file);
                    by_path.insert(path.value, draft.source.filter(|_| is_sound));
                }
            }
            problems.extend(draft.problems.into_vec());
        }
        Self { program, by_path, problems }
    }

    /// The source of a path; a slash at the end makes no difference.
    #[must_use]
    pub fn find(&self, path: &str) -> Found<'_> {
        match self.by_path.get(path).or_else(|| self.by_path.get(path.trim_end_matches('/'))) {
            Some(Some(source)) => Found::Source(source),
            None if self.problems.is_empty() => Found::Nothing,
            Some(None) | None => Found::Broken,
        }
    }

    /// The sources that work.
    pub fn iter(&self) -> impl Iterator<Item = &Source> {
        self.by_path.values().flatten()
    }

    /// Everything that is wrong with the files.
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }

    /// Reads a verified delivery and maps it to updates. `source` is one of these sources.
    pub fn map(
        &self,
        source: &Source,
        verified: &Verified<'_>,
        tolerance: Tolerance,
    ) -> Result<Event, NotRead> {
        let body = self.read_body(source, verified, tolerance)?;
        Ok(map::event(source, &body.scope, &body.value, body.is_no_op, verified))
    }

    /// The same, with what each expression gave. `file` is the one of the source; `announce` is told
    /// the key of each expression, and its line, before it runs.
    pub fn trace(
        &self,
        source: &Source,
        file: &SourceFile,
        verified: &Verified<'_>,
        tolerance: Tolerance,
        announce: &dyn Fn(&str, usize),
    ) -> Result<(Event, Trace), NotRead> {
        let Body { value, scope, is_no_op } = self.read_body(source, verified, tolerance)?;
        let mapper = map::Mapper { source, scope: &scope, arrived: verified.delivery().arrived };
        let tracer = Tracer::new(file, mapper, announce);
        let trace = tracer.map(|tracer| tracer.trace(&value, is_no_op)).unwrap_or_default();
        let event = map::event(source, &scope, &value, is_no_op, verified);
        Ok((event, trace))
    }

    fn read_body(
        &self,
        source: &Source,
        verified: &Verified<'_>,
        tolerance: Tolerance,
    ) -> Result<Body<'_>, NotRead> {
        let json = verified.read(source.verify.format, tolerance)?;
        let delivery = verified.delivery();
        let is_no_op = source.verify.no_op.is_some_and(|no_op| no_op.matches(delivery, &json));
        let value = json::read(json).map_err(NotRead::Unreadable)?;
        let headers = verified.headers().into_iter().map(|(name, value)| (name.to_owned(), value));
        let query = verified.query().cloned();
        let scope =
            self.program.scope(object(headers), object(query), value.clone(), delivery.arrived);
        Ok(Body { value, scope, is_no_op })
    }
}

/// The body of a delivery, as expressions see it.
struct Body<'p> {
    value: Val,
    scope: Scope<'p>,
    /// Whether the sender only tests the connection.
    is_no_op: bool,
}

/// Compiles the expressions of all files, while `beside` runs. Where that fails, reports the undefined names and leaves
/// the files with problems out.
fn compile(expressions: &mut Expressions, drafts: &[Draft<'_>], beside: impl FnOnce()) -> Program {
    let mistakes = match expressions.compile_beside(beside) {
        Ok(program) => return program,
        Err(mistakes) => mistakes,
    };
    for draft in drafts {
        for (expression, mistake) in &mistakes {
            draft.report(*expression, mistake);
        }
        if !draft.problems.is_empty() {
            expressions.leave_out(draft.expressions());
        }
    }
    expressions.compile().unwrap_or_else(|_| {
        // No file can be blamed, so none can be trusted: the empty program would pass whole events
        // on.
        for draft in drafts {
            draft.problems.add(0, "its expressions can't be compiled");
        }
        Program::empty()
    })
}

fn object(fields: impl Iterator<Item = (String, String)>) -> Val {
    Val::obj(fields.map(|(name, value)| (Val::from(name), Val::from(value))).collect())
}
