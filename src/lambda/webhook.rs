//! The function that senders call: behind a Function URL, an API Gateway or a load balancer.

use std::collections::VecDeque;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use futures_util::FutureExt as _;
use http::{Method, Response};
use lambda_runtime::{Context, LambdaEvent, service_fn};
use secrecy::ExposeSecret as _;
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use tokio::runtime::Runtime;
use tokio::time::Instant;

use super::dispatch::{Destination, Dispatch, Dispatched};
pub use super::event::NotHttp;
use super::event::{self, Request};
use super::letters::DeadLetters;
use super::lines::{self, Lines, RefusedLine};
use super::receive::{self, Received, Rejected};
use super::reply::{self, BODY, ProblemReply};
use super::{REASON, or_log};
use crate::delivery::{Answer, Delivery, Kept};
use crate::hubspot::{Hubspot, Schema, Usage};
use crate::secrets::{SecretRef, Secrets};
use crate::services::Services;
use crate::settings::{self, WebhookSettings};
use crate::source::{Event, Proof, Source, Sources};
use crate::time::Time;
use crate::{deadline, files, telemetry};

/// How long the first fetch of the secrets and the first handshake with HubSpot may take. What
/// isn't ready then is done by the first delivery, whose sender waits for both and may give up
/// after ten seconds.
const WARM_UP: Duration = Duration::from_secs(1);

/// How many secrets of handshakes are remembered, so that none is logged twice in a row.
const HANDSHAKES: usize = 100;

/// The longest text of a stranger in the log, such as a path, in characters.
const STRANGERS: usize = 200;

/// The time that is kept free for writing the reply.
const MARGIN: Duration = Duration::from_millis(200);

/// The function, set up.
pub struct Function {
    reply_within: Duration,
    sources: Arc<Sources>,
    secrets: Arc<Secrets>,
    dispatch: Dispatch,
    lines: Lines,
}

/// The parts of the function that are made of settings alone.
struct Parts {
    reply_within: Duration,
    secrets: Arc<Secrets>,
    /// The secret of the HubSpot token, if HubSpot is called.
    token: Option<SecretRef>,
    dispatch: Dispatch,
    lines: Lines,
}

/// Runs the function until Lambda ends it. It starts with a broken set-up too, and says so to every
/// request.
pub fn run(runtime: &Runtime) -> Result<(), lambda_runtime::Error> {
    let function = Function::set_up(&|name| std::env::var(name).ok(), runtime);
    let function = function.as_ref();
    runtime.block_on(lambda_runtime::run(service_fn(move |event: LambdaEvent<Box<RawValue>>| {
        handle(function, event)
    })))
}

impl Parts {
    /// Nothing is sent yet.
    fn new(settings: WebhookSettings, schema: Option<Schema>) -> Self {
        let services = Services::new(settings.aws, &settings.network, settings.secret_ttl);
        let mut token = None;
        let destination = match settings.destination {
            settings::Destination::Queue(url) => Destination::Queue(services.queue(&url)),
            settings::Destination::Hubspot(hubspot, secret) => {
                token = Some(secret.clone());
                Destination::Hubspot(services.hubspot(&hubspot, secret))
            }
        };
        let dead_letters = settings.dead_letter_url.map(|url| services.queue(&url));
        let dispatch = Dispatch {
            destination,
            schema,
            dead_letters: DeadLetters::new(dead_letters),
            observe: settings.observe,
        };
        Self {
            reply_within: settings.reply_within,
            secrets: services.secrets(),
            token,
            dispatch,
            lines: Lines::new(settings.metrics),
        }
    }

    /// Fetches the secrets and connects to HubSpot, side by side, while Lambda gives a whole
    /// processor to the start.
    async fn warm_up(&self, secrets: &[SecretRef]) {
        let deadline = Instant::now() + WARM_UP;
        let secrets = secrets.iter().chain(&self.token);
        let connection = async {
            if let Destination::Hubspot(hubspot) = &self.dispatch.destination {
                hubspot.warm_up(deadline).await;
            }
        };
        tokio::join!(self.secrets.prefetch(secrets, deadline), connection);
    }
}

impl Function {
    /// Reads the environment and the source files. What is wrong is logged, everything at once.
    ///
    /// While a thread compiles the expressions, the secrets are fetched and HubSpot is connected.
    fn set_up(variable: &dyn Fn(&str) -> Option<String>, runtime: &Runtime) -> Option<Self> {
        let path = files::path(variable);
        let settings = or_log(WebhookSettings::read(variable));
        let files = or_log(files::read(&path).map_err(|problem| [problem]));
        let schema = or_log(files::schema(&path).map_err(|problem| [problem]));
        let mut parts = None;
        let sources = Sources::read_beside(&files?, |secrets| {
            let Some((settings, schema)) = settings.zip(schema) else { return };
            let made = Parts::new(settings, schema);
            runtime.block_on(made.warm_up(secrets));
            parts = Some(made);
        });
        for problem in sources.problems() {
            tracing::error!("set-up: {problem}");
        }
        let Parts { reply_within, secrets, dispatch, lines, .. } = parts?;
        for source in sources.iter().filter(|source| source.verify.proof.is_none()) {
            tracing::warn!(
                source = source.name,
                "scheme = \"none\": whoever knows the address is believed"
            );
        }
        Some(Self { reply_within, sources: Arc::new(sources), secrets, dispatch, lines })
    }

    /// The function in the direct mode, of parts that are at hand, without a queue for dead letters.
    /// With `observe` everything is done but the writing.
    #[must_use]
    pub fn direct(
        sources: Arc<Sources>,
        secrets: Arc<Secrets>,
        hubspot: Hubspot,
        schema: Option<Schema>,
        observe: bool,
    ) -> Self {
        let destination = Destination::Hubspot(hubspot);
        let dead_letters = DeadLetters::new(None);
        let dispatch = Dispatch { destination, schema, dead_letters, observe };
        Self {
            reply_within: settings::REPLY_WITHIN,
            sources,
            secrets,
            dispatch,
            lines: Lines::default(),
        }
    }

    /// Until when a delivery has to be answered, if Lambda leaves this much time.
    fn deadline(&self, left: Option<Duration>) -> Instant {
        let limit = left.map_or(self.reply_within, |left| left.min(self.reply_within));
        deadline::before(Instant::now() + limit, MARGIN)
    }

    async fn deliver(&self, delivery: &Delivery, deadline: Instant) -> Response<String> {
        let source = match receive::find(&self.sources, delivery) {
            Ok(source) => source,
            Err(rejected) => return self.reject(&rejected, None, delivery),
        };
        if delivery.method == Method::HEAD {
            return reply::probe();
        }
        if delivery.method != Method::POST {
            let reason = format!("webhooks are sent by POST, and this is {}", delivery.method);
            return refuse(&self.lines, ProblemReply::method(), &reason, Some(source), delivery);
        }
        if delivery.body.len() > BODY {
            let reason =
                format!("the body has {} bytes, and {BODY} are the most", delivery.body.len());
            return refuse(&self.lines, ProblemReply::too_large(), &reason, Some(source), delivery);
        }
        match receive::receive(&self.sources, source, &self.secrets, delivery, deadline).await {
            Ok(Received::Event(event, kept)) => {
                self.apply(source, event, delivery, kept, deadline).await
            }
            Ok(Received::Handshake(answer)) => shake_hands(source, answer),
            Err(rejected) => self.reject(&rejected, Some(source), delivery),
        }
    }

    /// The second story: the updates of a delivery go their way, and the sender gets the summary.
    async fn apply(
        &self,
        source: &Source,
        event: Event,
        delivery: &Delivery,
        kept: Kept,
        deadline: Instant,
    ) -> Response<String> {
        match self.dispatch.run(&source.name, event, delivery, kept, deadline).await {
            Ok(dispatched) => self.finish(&dispatched, delivery),
            Err(error) => {
                let reason = format!("set-up: cannot get the HubSpot token: {error}");
                refuse(&self.lines, ProblemReply::set_up(), &reason, Some(source), delivery)
            }
        }
    }

    /// Logs what became of a delivery and of each update, once, and answers.
    fn finish(&self, dispatched: &Dispatched, delivery: &Delivery) -> Response<String> {
        let Dispatched { summary, unwritten, .. } = dispatched;
        let (is_queue, usage) = match &self.dispatch.destination {
            Destination::Queue(_) => (true, Usage::default()),
            Destination::Hubspot(hubspot) => (false, hubspot.take_usage()),
        };
        let response = reply::dispatched(dispatched, is_queue, &delivery.request_id);
        if let Some(why) = unwritten {
            tracing::error!(reason = why.to_string(), "a dead letter could not be written");
        }
        for row in &summary.rows {
            lines::update(&summary.source, summary.event.as_deref(), row, None);
        }
        let status = response.status().as_u16();
        self.lines.delivery(summary, Some(status), delivery.arrived, &usage);
        response
    }

    fn reject(
        &self,
        rejected: &Rejected,
        source: Option<&Source>,
        delivery: &Delivery,
    ) -> Response<String> {
        let problem = ProblemReply::rejected(rejected);
        refuse(&self.lines, problem, &rejected.to_string(), source, delivery)
    }
}

/// Answers one event, whatever happens. An error means that it is no request: to say that it is
/// done would lose it.
pub async fn handle(
    function: Option<&Function>,
    event: LambdaEvent<Box<RawValue>>,
) -> Result<Value, NotHttp> {
    let LambdaEvent { payload, context } = event;
    let read = event::read(payload.get(), context.request_id.clone(), Time::now());
    // The body was copied: the event is not needed any more.
    drop(payload);
    let Request { mut delivery, form } = read.inspect_err(|reason| {
        tracing::error!(%reason, "set-up: an event of another kind");
    })?;
    delivery.trace_header.clone_from(&context.xray_trace_id);
    Ok(event::answer(respond(function, &delivery, &context).await, form))
}

async fn respond(
    function: Option<&Function>,
    delivery: &Delivery,
    context: &Context,
) -> Response<String> {
    let left = context.deadline().duration_since(SystemTime::now()).ok();
    let Some(function) = function else {
        let reason = "set-up: the settings or the source files have problems, which were logged at the start";
        return refuse(&Lines::default(), ProblemReply::set_up(), reason, None, delivery);
    };
    if delivery.path == "/health" && matches!(delivery.method, Method::GET | Method::HEAD) {
        return reply::health();
    }
    let deadline = function.deadline(left);
    // One bad event must not take the others down; the panic itself has its own line in the log.
    let answer = AssertUnwindSafe(function.deliver(delivery, deadline)).catch_unwind().await;
    answer.unwrap_or_else(|_| {
        let source = receive::find(&function.sources, delivery).ok();
        let reason = "a panic while the delivery was handled";
        refuse(&function.lines, ProblemReply::internal(), reason, source, delivery)
    })
}

/// Answers a sender's handshake. A secret that it brings is logged, once, for the person who has to
/// store it: the one secret that ever is.
fn shake_hands(source: &Source, answer: Answer) -> Response<String> {
    static TOLD: Mutex<VecDeque<String>> = Mutex::new(VecDeque::new());
    tracing::info!(source = source.name, "handshake");
    if let (Answer::Secret(value), Some(Proof { secret, .. })) = (&answer, &source.verify.proof) {
        let value = value.expose_secret();
        let mut told = TOLD.lock().unwrap_or_else(PoisonError::into_inner);
        let is_new = remember(&mut told, format!("{} {value}", source.name));
        // A stranger can make some up, and fill the log with them no faster than with any other
        // request.
        if is_new {
            tracing::warn!(
                source = source.name,
                value,
                "store this value as the secret {secret}, and confirm it in the sender's system; of several such values \
                 it is the one that the sender's system takes"
            );
        }
    }
    reply::handshake(answer)
}

/// Remembers what was told, and forgets the oldest. Returns whether it is new.
fn remember(told: &mut VecDeque<String>, what: String) -> bool {
    let is_new = !told.contains(&what);
    if is_new {
        told.push_back(what);
        if told.len() > HANDSHAKES {
            told.pop_front();
        }
    }
    is_new
}

/// Answers a delivery that is not taken, and logs why, once.
fn refuse(
    lines: &Lines,
    problem: ProblemReply,
    reason: &str,
    source: Option<&Source>,
    delivery: &Delivery,
) -> Response<String> {
    let id = source.and_then(|source| {
        let header = delivery.headers.get(source.verify.proof.as_ref()?.scheme.id_header()?)?;
        header.to_str().ok().filter(|id| !id.is_empty())
    });
    let source_ip = delivery.source_ip.as_ref();
    lines.refused(RefusedLine {
        is_error: problem.is_error(),
        is_scan: problem.is_scan(),
        status: problem.status(),
        reason: telemetry::one_line(reason, REASON),
        path: telemetry::one_line(&delivery.path, STRANGERS),
        source: source.map(|source| source.name.as_str()),
        event: id.map(|id| telemetry::one_line(id, STRANGERS)),
        source_ip: source_ip.map(|address| telemetry::one_line(address, STRANGERS)),
        metrics: Map::new(),
    });
    problem.reply(&delivery.request_id)
}
