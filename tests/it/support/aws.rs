//! Emulators of AWS, shared by all tests, and gateways before them that count and fail.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, LazyLock, Mutex};

use bytes::Bytes;
use http::{Request, Response};
use serde_json::Value;

use super::server::Server;

/// A process that plays AWS. It ends when this process does, since it then finds its standard input
/// closed.
pub struct Emulator {
    _process: Child,
    /// What it said when it was ready.
    pub ready: Value,
}

static MOTO: LazyLock<Emulator> = LazyLock::new(|| Emulator::moto(&[]));

static MINISTACK: LazyLock<Emulator> =
    LazyLock::new(|| Emulator::start(".venv-ministack", "ministack.py", &[]));

impl Emulator {
    pub fn moto(arguments: &[&str]) -> Self {
        Self::start(".venv", "secrets_manager.py", arguments)
    }

    fn start(environment: &str, script: &str, arguments: &[&str]) -> Self {
        let root = env!("CARGO_MANIFEST_DIR");
        let mut process = Command::new(format!("{root}/{environment}/bin/python"))
            .arg(format!("{root}/tests/it/{script}"))
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("an emulator starts; `make setup` installs it");
        let mut line = String::new();
        let output = process.stdout.take().expect("standard output");
        BufReader::new(output).read_line(&mut line).expect("an emulator says its port");
        let ready = serde_json::from_str(&line).expect("an emulator says its port");
        Self { _process: process, ready }
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.ready["port"])
    }
}

/// A service of AWS as one test sees it: moto behind a gateway that counts and fails.
pub struct Gateway {
    server: Server,
    state: Arc<Mutex<State>>,
    /// Whose turn it is: moto gives a message out twice where two ask at the same moment.
    pub turn: Turn,
}

pub type Turn = Arc<tokio::sync::Mutex<()>>;

/// The emulator behind a gateway.
struct Behind {
    url: String,
    http: reqwest::Client,
    turn: Turn,
}

/// Secrets Manager behind a gateway.
pub struct SecretsManager {
    gateway: Gateway,
    client: aws_sdk_secretsmanager::Client,
}

#[derive(Default)]
struct State {
    /// The operations that were called, such as `GetSecretValue`, and what they were told.
    calls: Vec<(String, Value)>,
    /// A status to answer with instead of asking the emulator.
    failing: Option<u16>,
    /// How many calls more are answered so; `None`: all.
    failing_times: Option<usize>,
    /// How long the next answer takes, in milliseconds.
    slow: u64,
    /// Whether answers never come.
    silent: bool,
    /// With what code calls with this text in a message are refused as a whole.
    poison: Option<(&'static str, &'static str)>,
    /// How many entries of the next batches of messages are refused, while the others are taken.
    refused: usize,
    /// What SQS says of them: the code, and whether it is the sender's fault.
    refusal: (&'static str, bool),
    /// The end of the name of a secret that answers to batches don't speak of.
    hidden: Option<String>,
    /// What becomes of the next calls of an operation.
    losses: Vec<(&'static str, Loss)>,
    /// The operations of which something was lost.
    lost: Vec<&'static str>,
    /// The answers to `ReceiveMessage` by their attempt ids. No emulator knows these ids.
    attempts: BTreeMap<String, Bytes>,
    /// The receipts of all messages that were received.
    receipts: Vec<Receipt>,
    /// Whether no message that was received comes back by itself.
    hides_for_good: bool,
}

/// What is lost of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// SQS doesn't hear of it.
    Call,
    /// SQS does what it says, and the caller doesn't hear of it.
    Answer,
}

/// A message that was received through the gateway.
#[derive(Clone, Debug)]
pub struct Receipt {
    pub queue: String,
    pub handle: String,
}

impl Gateway {
    /// A gateway before the emulator at this address.
    pub async fn before(emulator: &str) -> Self {
        let state = Arc::new(Mutex::new(State::default()));
        let turn = Turn::default();
        let emulator = Arc::new(Behind {
            url: emulator.to_owned(),
            http: taskhook::outbound::client(true),
            turn: Arc::clone(&turn),
        });
        let shared = Arc::clone(&state);
        let server = Server::start(move |request: Request<Bytes>| {
            let (state, emulator) = (Arc::clone(&shared), Arc::clone(&emulator));
            // It goes on where the caller dies, as SQS does.
            let forwarded = tokio::spawn(async move { forward(request, &state, &emulator).await });
            async move { forwarded.await.expect("no panic") }
        })
        .await;
        Self { server, state, turn }
    }

    pub fn url(&self) -> String {
        self.server.url()
    }

    /// The operations that were called.
    pub fn calls(&self) -> Vec<String> {
        self.state
            .lock()
            .expect("no panic")
            .calls
            .iter()
            .map(|(operation, _)| operation.clone())
            .collect()
    }

    /// What the calls of an operation were told.
    pub fn told(&self, operation: &str) -> Vec<Value> {
        let state = self.state.lock().expect("no panic");
        state
            .calls
            .iter()
            .filter(|(other, _)| other == operation)
            .map(|(_, body)| body.clone())
            .collect()
    }

    /// From now on every call is answered with this status; `None`: by moto again.
    pub fn fails_with(&self, status: Option<u16>) {
        let mut state = self.state.lock().expect("no panic");
        (state.failing, state.failing_times) = (status, None);
    }

    /// The next calls, so many, are answered with this status.
    pub fn fails_times(&self, times: usize, status: u16) {
        let mut state = self.state.lock().expect("no panic");
        (state.failing, state.failing_times) = (Some(status), Some(times));
    }

    /// The next answer takes this many milliseconds.
    pub fn takes(&self, milliseconds: u64) {
        self.state.lock().expect("no panic").slow = milliseconds;
    }

    /// So many entries of the next batches of messages are refused, while the others are taken.
    pub fn refuses_entries(&self, count: usize) {
        self.refuses_entries_with(count, "InternalError", false);
    }

    /// The same, with this code, as the sender's fault or not.
    pub fn refuses_entries_with(&self, count: usize, code: &'static str, is_senders_fault: bool) {
        let mut state = self.state.lock().expect("no panic");
        (state.refused, state.refusal) = (count, (code, is_senders_fault));
    }

    /// From now on calls with this text in a message are refused as a whole, with this code.
    pub fn refuses_calls_with(&self, text: &'static str, code: &'static str) {
        self.state.lock().expect("no panic").poison = Some((text, code));
    }

    /// From now on answers to batches don't speak of the secret whose name ends so.
    pub fn hides(&self, name: &str) {
        self.state.lock().expect("no panic").hidden = Some(name.to_owned());
    }

    /// The next call of an operation, or its answer, is lost, with the SDK's second try.
    pub fn loses(&self, operation: &'static str, loss: Loss) {
        self.loses_one_try(operation, loss);
        self.loses_one_try(operation, loss);
    }

    /// The same, but the second try succeeds.
    pub fn loses_one_try(&self, operation: &'static str, loss: Loss) {
        self.state.lock().expect("no panic").losses.push((operation, loss));
    }

    /// From now on nothing is lost any more.
    pub fn loses_nothing(&self) {
        self.state.lock().expect("no panic").losses.clear();
    }

    /// How many tries of an operation, or their answers, were lost.
    pub fn lost(&self, operation: &str) -> usize {
        let state = self.state.lock().expect("no panic");
        state.lost.iter().filter(|lost| **lost == operation).count()
    }

    /// From now on what is hidden stays hidden until the test says so: moto gives out the last of a
    /// group first when the timeouts of several expire.
    pub fn hides_for_good(&self) {
        self.state.lock().expect("no panic").hides_for_good = true;
    }

    /// Takes the receipts of what was received through the gateway.
    pub fn take_receipts(&self) -> Vec<Receipt> {
        std::mem::take(&mut self.state.lock().expect("no panic").receipts)
    }

    /// From now on no call is answered.
    pub fn falls_silent(&self) {
        self.state.lock().expect("no panic").silent = true;
    }
}

impl SecretsManager {
    pub async fn start() -> Self {
        Self::before(&moto().await).await
    }

    /// The Secrets Manager of the moto at this address.
    pub async fn before(moto: &str) -> Self {
        let client = taskhook::aws::secrets_manager(&aws(moto), taskhook::outbound::client(true));
        Self { gateway: Gateway::before(moto).await, client }
    }

    /// Stores a value, whether the secret was there or not.
    pub async fn store(&self, name: &str, value: &str) {
        let created = self.client.create_secret().name(name).secret_string(value).send().await;
        if created.is_err() {
            self.client
                .put_secret_value()
                .secret_id(name)
                .secret_string(value)
                .send()
                .await
                .expect("stored");
        }
    }

    /// Makes a secret that has no value yet.
    pub async fn create_empty(&self, name: &str) {
        self.client.create_secret().name(name).send().await.expect("created");
    }

    pub async fn delete(&self, name: &str) {
        let delete =
            self.client.delete_secret().secret_id(name).force_delete_without_recovery(true);
        delete.send().await.expect("deleted");
    }
}

impl std::ops::Deref for SecretsManager {
    type Target = Gateway;

    fn deref(&self) -> &Gateway {
        &self.gateway
    }
}

async fn forward(
    request: Request<Bytes>,
    state: &Mutex<State>,
    emulator: &Behind,
) -> Response<Bytes> {
    let target = request
        .headers()
        .get("x-amz-target")
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let operation = target.rsplit('.').next().unwrap_or_default().to_owned();
    let (failing, silent, slow, refused, refusal, poison, hidden) = {
        let mut state = state.lock().expect("no panic");
        let body = serde_json::from_slice(request.body()).unwrap_or_default();
        let operation_sends = operation == "SendMessageBatch";
        state.calls.push((operation.clone(), body));
        let entries = serde_json::from_slice::<Value>(request.body()).unwrap_or_default();
        let entries = entries["Entries"].as_array().map_or(0, Vec::len);
        let refused = if operation_sends { entries.min(state.refused) } else { 0 };
        state.refused -= refused;
        let failing = match &mut state.failing_times {
            Some(0) => None,
            Some(times) => {
                *times -= 1;
                state.failing
            }
            None => state.failing,
        };
        (
            failing,
            state.silent,
            std::mem::take(&mut state.slow),
            refused,
            state.refusal,
            state.poison,
            state.hidden.clone(),
        )
    };
    tokio::time::sleep(std::time::Duration::from_millis(slow)).await;
    if silent {
        std::future::pending::<()>().await;
    }
    if let Some(status) = failing {
        return no_answer(status);
    }
    let loss = state.lock().expect("no panic").loss(&operation);
    if loss == Some(Loss::Call) {
        return no_answer(502);
    }
    let has = |text: &str| request.body().windows(text.len()).any(|part| part == text.as_bytes());
    if let Some((_, code)) = poison.filter(|(text, _)| has(text)) {
        return answer(
            400,
            &serde_json::json!({"__type": format!("com.amazonaws.sqs#{code}"), "message": "no"}),
        );
    }
    let mut body: Value = serde_json::from_slice(request.body()).unwrap_or_default();
    let attempt = body["ReceiveRequestAttemptId"].as_str().map(str::to_owned);
    let queue = body["QueueUrl"].as_str().unwrap_or_default().to_owned();
    let waits = body["WaitTimeSeconds"].as_u64().is_some_and(|seconds| seconds > 0);
    let is_changed = state.lock().expect("no panic").hide_for_good(&operation, &mut body);
    let answered =
        attempt.as_ref().and_then(|id| state.lock().expect("no panic").attempts.remove(id));
    if let Some(body) = answered {
        return Response::builder().status(200).body(body).expect("a response");
    }
    let refused: Vec<_> = body["Entries"]
        .as_array_mut()
        .map(|all| all.drain(..refused).collect())
        .unwrap_or_default();
    if !refused.is_empty() && body["Entries"] == serde_json::json!([]) {
        return answer(200, &refusals(&refused, refusal, serde_json::json!({"Successful": []})));
    }
    let mut forwarded =
        emulator.http.post(&emulator.url).body(if refused.is_empty() && !is_changed {
            request.body().clone()
        } else {
            body.to_string().into()
        });
    for (name, value) in
        request.headers().iter().filter(|(name, _)| *name != "host" && *name != "content-length")
    {
        forwarded = forwarded.header(name, value);
    }
    // A long poll would keep the others waiting.
    let turn = if waits { None } else { Some(emulator.turn.lock().await) };
    let forwarded = forwarded.send().await.expect("an emulator answers");
    let (status, body) = (forwarded.status().as_u16(), forwarded.bytes().await.expect("a body"));
    drop(turn);
    if operation == "ReceiveMessage" {
        state.lock().expect("no panic").remember(&queue, attempt, &body);
    }
    if loss == Some(Loss::Answer) {
        return no_answer(502);
    }
    let answer_to_batch =
        serde_json::from_slice(&body).ok().filter(|body: &Value| !body["SecretValues"].is_null());
    if let (Some(hidden), Some(body)) = (hidden, answer_to_batch) {
        return answer(status, &without(&hidden, body));
    }
    if refused.is_empty() {
        return Response::builder().status(status).body(body).expect("a response");
    }
    answer(status, &refusals(&refused, refusal, serde_json::from_slice(&body).expect("JSON")))
}

impl State {
    /// What is lost of a call of this operation.
    fn loss(&mut self, operation: &str) -> Option<Loss> {
        let place = self.losses.iter().position(|(other, _)| *other == operation)?;
        let (operation, loss) = self.losses.remove(place);
        self.lost.push(operation);
        Some(loss)
    }

    /// Makes the timeouts of a call so long that nothing comes back by itself, if that is wanted.
    fn hide_for_good(&self, operation: &str, body: &mut Value) -> bool {
        if !self.hides_for_good || operation != "ChangeMessageVisibilityBatch" {
            return false;
        }
        for entry in body["Entries"].as_array_mut().into_iter().flatten() {
            entry["VisibilityTimeout"] = 3600.into();
        }
        true
    }

    /// Remembers an answer with messages.
    fn remember(&mut self, queue: &str, attempt: Option<String>, body: &Bytes) {
        let answer: Value = serde_json::from_slice(body).unwrap_or_default();
        for message in answer["Messages"].as_array().into_iter().flatten() {
            let handle = message["ReceiptHandle"].as_str().expect("a receipt").to_owned();
            self.receipts.push(Receipt { queue: queue.to_owned(), handle });
        }
        if let Some(attempt) = attempt {
            self.attempts.insert(attempt, body.clone());
        }
    }
}

/// An answer to a batch that doesn't speak of the secret whose name ends so.
fn without(hidden: &str, mut answer: Value) -> Value {
    for list in ["SecretValues", "Errors"] {
        if let Some(entries) = answer[list].as_array_mut() {
            entries.retain(|entry| !entry.to_string().contains(hidden));
        }
    }
    answer
}

/// The answer of a load balancer, say, that got none.
fn no_answer(status: u16) -> Response<Bytes> {
    let body = Bytes::from_static(br#"{"__type": "InternalServiceError"}"#);
    Response::builder().status(status).body(body).expect("a response")
}

fn answer(status: u16, body: &Value) -> Response<Bytes> {
    Response::builder().status(status).body(body.to_string().into()).expect("a response")
}

/// An answer of SQS that says of some entries that they were refused.
fn refusals(entries: &[Value], (code, is_senders_fault): (&str, bool), mut answer: Value) -> Value {
    let failed = |entry: &Value| serde_json::json!({"Id": entry["Id"], "Code": code, "SenderFault": is_senders_fault});
    answer["Failed"] = entries.iter().map(failed).collect();
    answer
}

/// How the tests themselves reach moto.
pub fn aws(url: &str) -> taskhook::settings::Aws {
    taskhook::settings::Aws {
        region: "us-east-1".to_owned(),
        access_key_id: "test".to_owned(),
        secret_access_key: "test".to_owned(),
        session_token: None,
        secrets_manager_url: Some(url.to_owned()),
        sqs_url: Some(url.to_owned()),
    }
}

/// Where the moto is that all tests share.
pub async fn moto() -> String {
    // It starts in a thread of its own, so that the runtime of the first test is not blocked.
    tokio::task::spawn_blocking(|| MOTO.url()).await.expect("moto")
}

/// Where the other SQS is, which others have written.
pub async fn ministack() -> String {
    tokio::task::spawn_blocking(|| MINISTACK.url()).await.expect("ministack")
}
