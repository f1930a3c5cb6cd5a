//! A source file becomes a checked [`Source`]; a verified delivery and a source give updates.
//!
//! Pure: no files, no network, no clock. jq lives here and nowhere else.

mod demand;
mod depth;
mod file;
mod functions;
mod jq;
mod json;
mod map;
mod problem;
mod reader;
mod regex;
mod rich_text;
mod syntax;
#[cfg(test)]
mod tests;
mod text;
mod trial;
mod value;
mod verification;
mod warnings;

pub use demand::{Asks, Demand, demands};
pub use problem::{Problem, Warning};
pub use verification::shared_secrets;
pub use warnings::warnings;

use std::collections::BTreeMap;

use jq::{Expression, Expressions, Program, Val};
use reader::{Notes, Reader};

use crate::delivery::{Format, Handshake, NoOp, NotRead, Scheme, Tolerance, Unreadable, Verified};
use crate::outcome::FailReason;
use crate::secrets::SecretRef;
use crate::time::{Clock, Time, Zone};
use crate::update::{OnMissing, Unknown, Update};

/// Every source, by its path, with one program for all their expressions.
pub struct Sources {
    program: Program,
    /// By path; `None` where the file has problems.
    by_path: BTreeMap<String, Option<Source>>,
    problems: Vec<Problem>,
}

/// A system that sends webhooks: how it signs, and how its events are mapped.
pub struct Source {
    /// The file's name without its ending.
    pub name: String,
    /// Where its deliveries arrive.
    pub path: String,
    /// How they are verified.
    pub verify: Verify,
    zone: Zone,
    when: Option<Expression>,
    id: Option<Expression>,
    time: Option<Expression>,
    task: TaskRules,
    properties: Vec<Property>,
}

/// How the deliveries of a source are verified.
pub struct Verify {
    /// What the file calls the scheme.
    pub name: String,
    /// The scheme.
    pub scheme: Scheme,
    /// The secret; `None` with the scheme `none` alone.
    pub secret: Option<SecretRef>,
    /// How far a signed time may be from ours.
    pub tolerance: Tolerance,
    /// A secret that the sender's documentation publishes, and that is refused therefore.
    pub published: Option<&'static str>,
    /// How the sender writes bodies.
    pub format: Format,
    /// What the sender asks before it sends events.
    pub handshake: Option<&'static Handshake>,
    /// What the sender sends to see whether anybody is there.
    pub no_op: Option<&'static NoOp>,
}

struct TaskRules {
    each: Option<Expression>,
    id: Expression,
    time: Option<Expression>,
    id_property: String,
    on_missing: OnMissing,
    updated_at_property: Option<String>,
}

/// How one property gets its value.
struct Property {
    name: String,
    expression: Expression,
    map: Option<Vec<(String, String)>>,
    input: Input,
    otherwise: Option<String>,
    unknown: Unknown,
}

/// What the value of a property is, and so how it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Input {
    Text,
    /// A point in time; a date without one is at this hour.
    DateTime(Clock),
    Date,
    Owner,
}

/// What a source made of a delivery.
#[derive(Debug)]
pub struct Event {
    /// The sender's id of the delivery, or the id of our request.
    pub id: String,
    /// When the change happened; `None` when that was not asked, because the event was filtered or
    /// failed before.
    pub time: Option<Time>,
    /// The updates.
    pub mapped: Mapped,
}

/// The updates of an event.
#[derive(Debug)]
pub enum Mapped {
    /// It is none of our business.
    Filtered,
    /// In the order of the payload, at least one.
    Updates(Vec<Result<Update, NotMapped>>),
}

/// An update that the payload doesn't give.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotMapped {
    /// The value of the unique property, if that much is known.
    pub id: Option<String>,
    /// The unique property.
    pub id_property: String,
    /// Whether the body can't be read, or doesn't fit the source file.
    pub reason: FailReason,
    /// Everything that is wrong, fit for the summary.
    pub detail: String,
}

/// What is known about a path.
pub enum Found<'s> {
    /// A source that works.
    Source(&'s Source),
    /// A source whose file has problems; or a path that no source has while there is such a file,
    /// since its path may be what is wrong with it.
    Broken,
    /// No source has this path.
    Nothing,
}

/// A file as it was read.
pub struct SourceFile {
    /// The file's name for messages, such as `sources/zendesk.toml`.
    pub file: String,
    /// The source's name: the file's name without its ending.
    pub name: String,
    /// The text, or why it can't be read.
    pub text: Result<String, String>,
}

impl Sources {
    /// Reads and compiles all source files. Those with problems are reported, and don't keep the
    /// others from working.
    #[must_use]
    pub fn read(files: &[SourceFile]) -> Self {
        let mut expressions = Expressions::default();
        let mut problems = Vec::new();
        let mut read = Vec::new();
        for SourceFile { file, name, text } in files {
            match text {
                Err(why) => problems.push(Problem::of_file(file, why.as_str())),
                Ok(text) => {
                    let mut reader = Reader::new(file, text, &mut expressions);
                    let content = file::read(name, &mut reader);
                    read.push((content, reader.finish()));
                }
            }
        }
        let program = compile(&mut expressions, &mut read);
        let mut by_path = BTreeMap::new();
        let mut first_files = BTreeMap::new();
        for (content, mut notes) in read {
            if let Some(file::Content { path, path_start, source }) = content {
                if let Some(first) = first_files.get(&path) {
                    notes.problem(
                        path_start,
                        format!("{first} has the path {path:?} too; write another `path`"),
                    );
                    by_path.insert(path, None);
                } else {
                    first_files.insert(path.clone(), notes.file);
                    by_path.insert(path, source.filter(|_| notes.problems.is_empty()));
                }
            }
            problems.extend(notes.problems);
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
        let json = verified.read(source.verify.format, tolerance)?;
        let body = json::read(&json).map_err(NotRead::Unreadable)?;
        let delivery = verified.delivery();
        let headers = verified.headers().into_iter().map(|(name, value)| (name.to_owned(), value));
        let query = verified.query().cloned();
        let scope =
            self.program.scope(object(headers), object(query), body.clone(), delivery.arrived);
        let default_id = default_id(verified);
        let is_no_op = source.verify.no_op.is_some_and(|no_op| no_op.matches(delivery, &json));
        Ok(map::event(source, &scope, &body, is_no_op, default_id, delivery.arrived))
    }
}

impl Source {
    /// The event of a rightly signed body that can't be read: one failed update.
    #[must_use]
    pub fn unreadable(&self, verified: &Verified<'_>, why: &Unreadable) -> Event {
        let not_mapped = NotMapped {
            id: None,
            id_property: self.task.id_property.clone(),
            reason: FailReason::Unreadable,
            detail: why.to_string(),
        };
        Event {
            id: default_id(verified).to_owned(),
            time: None,
            mapped: Mapped::Updates(vec![Err(not_mapped)]),
        }
    }
}

/// What a delivery is called by whose body doesn't say it: its sender's header, or what Lambda
/// calls it.
fn default_id<'d>(verified: &Verified<'d>) -> &'d str {
    verified.id().unwrap_or(&verified.delivery().request_id)
}

/// Compiles the expressions of all files; where that fails, reports what is undefined and leaves
/// the files with problems out.
fn compile(
    expressions: &mut Expressions,
    files: &mut [(Option<file::Content>, Notes<'_>)],
) -> Program {
    let mistakes = match expressions.compile() {
        Ok(program) => return program,
        Err(mistakes) => mistakes,
    };
    for (_, notes) in files.iter_mut() {
        for (expression, mistake) in &mistakes {
            notes.report(*expression, mistake);
        }
        if !notes.problems.is_empty() {
            expressions.leave_out(notes.expressions());
        }
    }
    expressions.compile().unwrap_or_else(|_| {
        // Nobody can be blamed, so nobody can be trusted: the empty program would pass whole events
        // on.
        for (_, notes) in files {
            notes.problem(0, "its expressions can't be compiled");
        }
        Program::empty()
    })
}

fn object(fields: impl Iterator<Item = (String, String)>) -> Val {
    Val::obj(fields.map(|(name, value)| (Val::from(name), Val::from(value))).collect())
}

impl Property {
    fn plain(name: String, expression: Expression) -> Self {
        Self {
            name,
            expression,
            map: None,
            input: Input::Text,
            otherwise: None,
            unknown: Unknown::Fail,
        }
    }
}
