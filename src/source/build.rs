//! The running source: a [`Spec`] with its expressions in the program of all sources.

use std::time::Duration;

use secrecy::SecretString;

use super::file::{Problems, SourceFile};
use super::jq::{Code, Expression, Expressions, Mistake};
use super::spec::{
    self, AssociateSpec, ByEvent, Form, MissingSpec, PropertySpec, SchemeSpec, Spec, TaskSpec,
    VerifySpec,
};
use super::table::{Placed, Row, unplaced};
use crate::delivery::{
    Algorithm, Delivery, Encoding, Format, Handshake, Hmac, NoOp, Refused, Scheme, Template,
    TimeFormat, Timestamp, Tolerance, Verified,
};
use crate::secrets::SecretRef;
use crate::time::{Clock, Zone};
use crate::update::{Missing, Object, OnMissing, Unknown, When, Write};

/// The tolerance when a file doesn't say it, as Slack, Stripe and the Standard Webhooks recommend.
const TOLERANCE: Duration = Duration::from_mins(5);

/// A system that sends webhooks: how it signs, and how its events are mapped.
pub struct Source {
    /// The file's name without its ending.
    pub name: String,
    /// Where its deliveries arrive.
    pub path: String,
    /// How they are verified.
    pub verify: Verify,
    /// Whether everything is done but the writing.
    pub observe: bool,
    pub(super) zone: Zone,
    pub(super) when: Option<Expression>,
    pub(super) id: Option<Expression>,
    pub(super) time: Option<Expression>,
    pub(super) task: TaskRules,
    pub(super) properties: Vec<Property>,
}

impl Source {
    /// Whether the event decides what is done about an id that no task has.
    #[must_use]
    pub fn chooses_on_missing(&self) -> bool {
        matches!(self.task.on_missing, MissingRule::ByEvent { .. })
    }

    /// The kinds of records that its tasks are to hang on, in the order of the file.
    #[must_use]
    pub fn links_to(&self) -> Vec<Object> {
        let rules = self.task.associate.iter();
        rules.flat_map(|rules| &rules.links).map(|link| link.to).collect()
    }
}

/// How the deliveries of a source are verified.
pub struct Verify {
    /// The name of the scheme in the file.
    pub name: String,
    /// The proof that a sender has to give; `None` with the scheme `none`.
    pub proof: Option<Proof>,
    /// How far a signed time may be from ours.
    pub tolerance: Tolerance,
    /// How the sender writes bodies.
    pub format: Format,
    /// The sender's request before it sends events, and the answer to it.
    pub handshake: Option<&'static Handshake>,
    /// The sender's events without a meaning, which test the connection.
    pub no_op: Option<&'static NoOp>,
}

/// How a sender proves that it knows the secret.
pub struct Proof {
    /// The scheme of the signature, or the form in which the secret is sent.
    pub scheme: Scheme,
    /// The secret.
    pub secret: SecretRef,
    /// A secret that the sender's documentation publishes, and that is refused therefore.
    pub published: Option<&'static str>,
}

impl Verify {
    /// Checks a delivery against every secret that is accepted; none is needed without a proof.
    pub fn verify<'d>(
        &'d self,
        delivery: &'d Delivery,
        secrets: &[SecretString],
        tolerance: Tolerance,
    ) -> Result<Verified<'d>, Refused> {
        match &self.proof {
            Some(proof) => proof.scheme.verify(delivery, secrets, tolerance),
            None => Ok(Verified::without_proof(delivery)),
        }
    }
}

/// Which tasks an event updates.
pub(super) struct TaskRules {
    pub(super) each: Option<Expression>,
    pub(super) id: Expression,
    pub(super) time: Option<Expression>,
    pub(super) id_property: String,
    pub(super) on_missing: MissingRule,
    pub(super) updated_at_property: Option<String>,
    pub(super) associate: Option<AssociateRules>,
}

/// The rule for an id that no task has.
pub(super) enum MissingRule {
    Always(OnMissing),
    /// By the value of an expression; `otherwise` for none and for one that no row has.
    ByEvent {
        from: Expression,
        rows: Vec<MapRow<OnMissing>>,
        otherwise: OnMissing,
    },
}

/// What the task is to hang on.
pub(super) struct AssociateRules {
    pub(super) when: When,
    pub(super) missing: Missing,
    pub(super) links: Vec<LinkRule>,
}

/// The records of one kind that the task is to hang on.
pub(super) struct LinkRule {
    pub(super) to: Object,
    pub(super) by: String,
    pub(super) from: Expression,
}

/// How one property gets its value.
pub(super) struct Property {
    pub(super) name: String,
    pub(super) expression: Expression,
    pub(super) map: Option<Vec<MapRow<String>>>,
    pub(super) input: Input,
    pub(super) otherwise: Option<String>,
    pub(super) unknown: Unknown,
    /// `None` means always.
    pub(super) write: Option<Write>,
}

/// A row of a map: the value of the payload, and what it stands for.
pub(super) struct MapRow<T> {
    pub(super) given: String,
    pub(super) stands_for: T,
}

/// The kind of a property's value, which decides how it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Input {
    Text,
    /// A point in time; a date without one is at this hour.
    DateTime(Clock),
    Date,
    Owner,
}

/// A file on its way to a source: its expressions are added to the program, and not compiled yet.
pub(super) struct Draft<'f> {
    pub(super) problems: Problems<'f>,
    /// `None` where the file isn't TOML.
    pub(super) path: Option<Placed<String>>,
    /// `None` where a required key is missing or wrong.
    pub(super) source: Option<Source>,
    /// In the order in which they were added.
    expressions: Vec<Placed<Expression>>,
}

impl<'f> Draft<'f> {
    /// Reads a file, and adds its expressions to those of all files. `None` of a file without a
    /// text.
    pub(super) fn read(file: &'f SourceFile, expressions: &mut Expressions) -> Option<Self> {
        let (problems, spec) = spec::read(file)?;
        let mut intake = Intake { all: expressions, of_file: Vec::new() };
        let (mut path, mut source) = (None, None);
        if let Some(spec) = spec {
            path = Some(spec.path.clone());
            source = build(&file.name, spec, &mut intake);
        }
        Some(Self { problems, path, source, expressions: intake.of_file })
    }

    /// Its expressions.
    pub(super) fn expressions(&self) -> impl Iterator<Item = Expression> {
        self.expressions.iter().map(|expression| expression.value)
    }

    /// Reports a mistake if it is in one of this file's expressions.
    pub(super) fn report(&self, expression: Expression, mistake: &Mistake) {
        // They are numbered in the order in which they were added.
        let found = self.expressions.binary_search_by_key(&expression, |known| known.value);
        if let Ok(index) = found {
            let start = self.expressions[index].start;
            self.problems.add(self.problems.within(start, mistake.offset), mistake.to_string());
        }
    }
}

/// Adds the expressions of a file to those of all files.
struct Intake<'e> {
    all: &'e mut Expressions,
    of_file: Vec<Placed<Expression>>,
}

impl Intake<'_> {
    fn add(&mut self, code: Option<Placed<Code>>) -> Option<Expression> {
        let Placed { value, start } = code?;
        let expression = self.all.add(value);
        self.of_file.push(Placed { value: expression, start });
        Some(expression)
    }
}

/// The source, unless a required key is missing. Every expression is added all the same.
fn build(name: &str, spec: Spec, intake: &mut Intake<'_>) -> Option<Source> {
    let when = intake.add(spec.event.when);
    let id = intake.add(spec.event.id);
    let time = intake.add(spec.event.time);
    let task = build_task(spec.task, intake);
    let mut properties = Vec::new();
    for property in spec.properties {
        properties.extend(build_property(property, intake));
    }
    Some(Source {
        name: name.to_owned(),
        path: spec.path.value,
        verify: build_verify(spec.verify)?,
        observe: spec.observe,
        zone: unplaced(spec.zone).unwrap_or_else(Zone::utc),
        when,
        id,
        time,
        task: task?,
        properties,
    })
}

fn build_verify(mut spec: VerifySpec) -> Option<Verify> {
    let preset = spec.preset();
    let kind = spec.scheme?.value;
    let secret = spec.secret.take();
    let tolerance = unplaced(spec.tolerance).unwrap_or(TOLERANCE);
    let format = match preset {
        _ if spec.form => Format::JsonOrForm,
        Some(preset) => preset.format,
        None => Format::Json,
    };
    let proof = match kind {
        SchemeSpec::None => None,
        _ => Some(Proof {
            scheme: build_scheme(kind, spec)?,
            secret: secret?.value,
            published: preset.and_then(|preset| preset.published_secret),
        }),
    };
    Some(Verify {
        name: kind.name().to_owned(),
        proof,
        tolerance: Tolerance(tolerance),
        format,
        handshake: preset.and_then(|preset| preset.handshake.as_ref()),
        no_op: preset.and_then(|preset| preset.no_op.as_ref()),
    })
}

/// `None` where a key is missing, and for the scheme `none`.
fn build_scheme(kind: SchemeSpec, spec: VerifySpec) -> Option<Scheme> {
    let url = unplaced(spec.url);
    let prefix = unplaced(spec.prefix).unwrap_or_default();
    Some(match kind {
        SchemeSpec::Named(preset) => Scheme::from_preset(preset, url),
        SchemeSpec::Basic => Scheme::Basic,
        SchemeSpec::None => return None,
        SchemeSpec::Token => Scheme::Token { header: spec.header?.value, prefix, id_header: None },
        SchemeSpec::Hmac => Scheme::Hmac(Box::new(Hmac {
            header: spec.header?.value,
            algorithm: unplaced(spec.algorithm).unwrap_or(Algorithm::Sha256),
            encoding: unplaced(spec.encoding).unwrap_or(Encoding::Hex),
            prefix,
            separator: unplaced(spec.separator).filter(|separator| !separator.is_empty()),
            signed: spec.signed.map_or_else(Template::body, |signed| signed.value.template),
            timestamp: unplaced(spec.timestamp_header)
                .map(|name| Timestamp::Header(name, TimeFormat::Seconds)),
            id_header: unplaced(spec.id_header),
            url,
            secret_encoding: unplaced(spec.secret_encoding).unwrap_or(Encoding::Raw),
            secret_prefix: String::new(),
        })),
    })
}

fn build_task(spec: TaskSpec, intake: &mut Intake<'_>) -> Option<TaskRules> {
    let each = intake.add(spec.each);
    let id = intake.add(spec.id);
    let time = intake.add(spec.time);
    let on_missing = match unplaced(spec.on_missing) {
        Some(rule) => build_missing(rule, intake),
        None => Some(MissingRule::Always(OnMissing::Fail)),
    };
    let associate = spec.associate.map(|associate| build_associate(associate, intake));
    Some(TaskRules {
        each,
        id: id?,
        time,
        id_property: spec.id_property?.value,
        on_missing: on_missing?,
        updated_at_property: unplaced(spec.updated_at_property),
        associate,
    })
}

fn build_missing(spec: MissingSpec, intake: &mut Intake<'_>) -> Option<MissingRule> {
    let ByEvent { from, rows, otherwise } = match spec {
        MissingSpec::Always(rule) => return Some(MissingRule::Always(rule)),
        MissingSpec::ByEvent(by_event) => by_event,
    };
    let row = |(given, stands_for)| MapRow { given, stands_for };
    Some(MissingRule::ByEvent {
        from: intake.add(from)?,
        rows: rows.into_iter().map(row).collect(),
        otherwise: unplaced(otherwise).unwrap_or(OnMissing::Fail),
    })
}

fn build_associate(spec: AssociateSpec, intake: &mut Intake<'_>) -> AssociateRules {
    let mut links = Vec::new();
    for link in spec.links {
        if let Some(from) = intake.add(Some(link.from)) {
            links.push(LinkRule { to: link.to, by: link.by.value, from });
        }
    }
    AssociateRules {
        when: unplaced(spec.when).unwrap_or(When::Create),
        missing: unplaced(spec.missing).unwrap_or(Missing::Skip),
        links,
    }
}

fn build_property(spec: PropertySpec, intake: &mut Intake<'_>) -> Option<Property> {
    let input = match unplaced(spec.form) {
        _ if spec.owner.is_some() => Input::Owner,
        Some(Form::DateTime) => Input::DateTime(unplaced(spec.at).unwrap_or_else(Clock::midnight)),
        Some(Form::Date) => Input::Date,
        None => Input::Text,
    };
    let expression = intake.add(spec.owner.or(spec.from))?;
    let otherwise = unplaced(spec.otherwise);
    let unknown = match (unplaced(spec.unmapped), &otherwise) {
        (Some(unknown), _) => unknown,
        (None, Some(text)) => Unknown::Write(text.clone()),
        (None, None) => Unknown::Fail,
    };
    let map_row = |row: Row| MapRow { given: row.key, stands_for: row.text.value };
    let map = spec.map.map(|rows| rows.into_iter().map(map_row).collect());
    let write = unplaced(spec.write).flatten();
    Some(Property { name: spec.name.value, expression, map, input, otherwise, unknown, write })
}
