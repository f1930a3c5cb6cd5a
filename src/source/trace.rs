//! The trace of a delivery: what each expression of a source file gave for it, by the line where it
//! stands. For the desk alone: the functions don't make one.
//!
//! It runs the expressions once more, and reads properties by the mapper's own code, so that it
//! can't say anything else than what was mapped.

use std::panic::AssertUnwindSafe;

use serde::{Deserialize, Serialize};

use super::build::MissingRule;
use super::file::{Problems, SourceFile};
use super::jq::value::text;
use super::jq::{Code, Expression, Failure, Val};
use super::map::{Mapper, Reading, look_up};
use super::spec::{self, ByEvent, MissingSpec, PropertySpec, Spec};
use super::table::Placed;
use crate::text::{shorten, shorten_display};
use crate::update::{Object, Value, Write};

/// How much of an output is shown, in characters.
const SHOWN: usize = 300;

/// The most outputs of one expression that are shown.
const OUTPUTS: usize = 5;

/// The most updates of an event that are traced.
const TASKS: usize = 100;

/// What the expressions of a source gave.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trace {
    /// Whether the sender sent this to test the connection: it is filtered, whatever `when` says.
    pub is_no_op: bool,
    /// `[event] when`
    pub when: Option<Step>,
    /// `[event] id`
    pub id: Option<Step>,
    /// `[event] time`
    pub time: Option<Step>,
    /// `[task] each`
    pub each: Option<Step>,
    /// The updates in their order, the first hundred; none of an event that is filtered.
    pub tasks: Vec<TaskTrace>,
}

/// What an expression gave.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// The line of the file where the expression begins, from 1.
    pub line: usize,
    /// The expression.
    pub expression: String,
    /// Its outputs as JSON, cut; or its error.
    pub gives: Result<String, String>,
}

/// What the expressions of one update gave.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskTrace {
    /// `[task] id`
    pub id: Step,
    /// `[task] time`
    pub time: Option<Step>,
    /// `[task] on_missing`, where it goes by event.
    pub on_missing: Option<Step>,
    /// The keys of `[task.associate]` that name what the task is to hang on, in the order of the
    /// file.
    pub links: Vec<LinkTrace>,
    /// In the order of the file.
    pub properties: Vec<PropertyTrace>,
}

/// What the task is to hang on, of one kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkTrace {
    /// The kind.
    pub to: Object,
    /// The expression.
    pub step: Step,
}

/// How a property got its value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PropertyTrace {
    /// The property.
    pub name: String,
    /// Its expression.
    pub step: Step,
    /// The line of the row of its map that was used.
    pub map_line: Option<usize>,
    /// The end of it.
    pub end: PropertyEnd,
    /// The rule, where it is not always written.
    pub write: Option<Write>,
}

/// What is done with a property.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PropertyEnd {
    /// This text is written; empty text clears it.
    Written(String),
    /// The id of the owner with this e-mail address is written.
    Owner(String),
    /// It is left alone, and why.
    Alone(String),
    /// It can't be mapped, and why.
    Wrong(String),
}

/// Makes traces of one event.
pub(super) struct Tracer<'t> {
    mapper: Mapper<'t>,
    problems: Problems<'t>,
    spec: Spec,
    /// Is told the key of each expression, and its line, before it runs.
    announce: &'t dyn Fn(&str, usize),
}

impl<'t> Tracer<'t> {
    /// `file` is the one that the source was built from; `None` of a file that isn't TOML.
    pub(super) fn new(
        file: &'t SourceFile,
        mapper: Mapper<'t>,
        announce: &'t dyn Fn(&str, usize),
    ) -> Option<Self> {
        let (problems, spec) = spec::read(file)?;
        Some(Self { mapper, problems, spec: spec?, announce })
    }

    /// The trace of a body. What comes after a filter that stops the event is not run.
    pub(super) fn trace(&self, body: &Val, is_no_op: bool) -> Trace {
        let source = self.mapper.source;
        let (event, task) = (&self.spec.event, &self.spec.task);
        let mut trace = Trace { is_no_op, ..Trace::default() };
        if !is_no_op {
            trace.when = self.step("[event] when", source.when, event.when.as_ref(), body);
        }
        trace.id = self.step("[event] id", source.id, event.id.as_ref(), body);
        let passes = catch_panic(|| match source.when {
            Some(when) => self.mapper.passes(when, body).unwrap_or(false),
            None => true,
        });
        if is_no_op || passes != Some(true) {
            return trace;
        }
        trace.time = self.step("[event] time", source.time, event.time.as_ref(), body);
        trace.each = self.step("[task] each", source.task.each, task.each.as_ref(), body);
        let Some(each) = source.task.each else {
            trace.tasks.extend(self.task(body));
            return trace;
        };
        let items = catch_panic(|| {
            let outputs = self.mapper.scope.run(each, body.clone()).map_while(Result::ok);
            outputs.filter(|item| *item != Val::Null).take(TASKS).collect::<Vec<_>>()
        });
        for item in items.unwrap_or_default() {
            trace.tasks.extend(self.task(&item));
        }
        trace
    }

    fn task(&self, item: &Val) -> Option<TaskTrace> {
        let (rules, spec) = (&self.mapper.source.task, &self.spec.task);
        let mut properties = Vec::new();
        for (index, spec) in self.spec.properties.iter().enumerate() {
            properties.extend(self.property(index, spec, item));
        }
        Some(TaskTrace {
            id: self.step("[task] id", Some(rules.id), spec.id.as_ref(), item)?,
            time: self.step("[task] time", rules.time, spec.time.as_ref(), item),
            on_missing: self.on_missing(item),
            links: self.links(item),
            properties,
        })
    }

    /// `None` of a rule that is one for every event.
    fn on_missing(&self, item: &Val) -> Option<Step> {
        let MissingRule::ByEvent { from, .. } = &self.mapper.source.task.on_missing else {
            return None;
        };
        let MissingSpec::ByEvent(ByEvent { from: code, .. }) =
            &self.spec.task.on_missing.as_ref()?.value
        else {
            return None;
        };
        self.step("[task] on_missing", Some(*from), code.as_ref(), item)
    }

    fn links(&self, item: &Val) -> Vec<LinkTrace> {
        let (Some(rules), Some(spec)) =
            (&self.mapper.source.task.associate, &self.spec.task.associate)
        else {
            return Vec::new();
        };
        let mut links = Vec::new();
        for (rule, spec) in rules.links.iter().zip(&spec.links) {
            let key = format!("[task.associate] {}", rule.to.as_str());
            if let Some(step) = self.step(&key, Some(rule.from), Some(&spec.from), item) {
                links.push(LinkTrace { to: rule.to, step });
            }
        }
        links
    }

    fn property(&self, index: usize, spec: &PropertySpec, item: &Val) -> Option<PropertyTrace> {
        let property = self.mapper.source.properties.get(index)?;
        let step = self.step(&property.name, Some(property.expression), spec.code(), item)?;
        let reading = catch_panic(|| self.mapper.reading(property, item));
        let end = match reading {
            Some(Ok(Reading::Value(Value::Text(text)))) => PropertyEnd::Written(text),
            Some(Ok(Reading::Value(Value::Owner { email, .. }))) => PropertyEnd::Owner(email),
            Some(Ok(Reading::Alone(why))) => PropertyEnd::Alone(why.to_string()),
            Some(Err(why)) => PropertyEnd::Wrong(why.to_string()),
            None => PropertyEnd::Wrong("jq failed in itself".to_owned()),
        };
        let map_line = catch_panic(|| {
            let output = self.mapper.scope.run_single(property.expression, item.clone()).ok()??;
            let given = text(&output).ok()??;
            let row = look_up(property.map.as_deref()?, &given)?;
            Some(self.line(spec.map.as_ref()?.get(row)?.text.start))
        });
        let name = property.name.clone();
        let (map_line, write) = (map_line.flatten(), property.write);
        Some(PropertyTrace { name, step, map_line, end, write })
    }

    /// `None` where the file has no such expression.
    fn step(
        &self,
        key: &str,
        expression: Option<Expression>,
        code: Option<&Placed<Code>>,
        input: &Val,
    ) -> Option<Step> {
        let (expression, code) = (expression?, code?);
        let line = self.line(code.start);
        (self.announce)(key, line);
        let gives = catch_panic(|| self.outputs(expression, input));
        Some(Step {
            line,
            expression: code.value.as_str().trim().to_owned(),
            gives: match gives {
                Some(outputs) => outputs.map_err(|failure| failure.to_string()),
                None => Err("jq failed in itself".to_owned()),
            },
        })
    }

    /// The first outputs of an expression: text in quotes.
    fn outputs(&self, expression: Expression, input: &Val) -> Result<String, Failure> {
        let mut outputs = Vec::new();
        for output in self.mapper.scope.run(expression, input.clone()) {
            if outputs.len() == OUTPUTS {
                outputs.push("…".to_owned());
                break;
            }
            outputs.push(shorten_display(&output?, SHOWN));
        }
        Ok(shorten(&outputs.join(", "), SHOWN).into_owned())
    }

    fn line(&self, start: usize) -> usize {
        self.problems.at(start, "").line
    }
}

/// `None` after a panic of jaq, which the mapping runs into and tells of as well.
fn catch_panic<T>(run: impl FnOnce() -> T) -> Option<T> {
    std::panic::catch_unwind(AssertUnwindSafe(run)).ok()
}
