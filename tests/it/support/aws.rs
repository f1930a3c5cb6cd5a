//! moto as Secrets Manager, shared by all tests, and a gateway before it that counts and fails.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, LazyLock, Mutex};

use bytes::Bytes;
use http::{Request, Response};
use serde_json::Value;

use super::server::Server;

/// A moto process. It ends when this process does, since it then finds its standard input closed.
pub struct Moto {
    _process: Child,
    /// What it said when it was ready.
    pub ready: Value,
}

static MOTO: LazyLock<Moto> = LazyLock::new(|| Moto::start(&[]));

impl Moto {
    pub fn start(arguments: &[&str]) -> Self {
        let root = env!("CARGO_MANIFEST_DIR");
        let mut process = Command::new(format!("{root}/.venv/bin/python"))
            .arg(format!("{root}/tests/it/secrets_manager.py"))
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("moto starts; `make setup` installs it");
        let mut line = String::new();
        let output = process.stdout.take().expect("standard output");
        BufReader::new(output).read_line(&mut line).expect("moto says its port");
        Self { _process: process, ready: serde_json::from_str(&line).expect("moto says its port") }
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.ready["port"])
    }
}

/// Secrets Manager as one test sees it: moto behind a gateway.
pub struct SecretsManager {
    server: Server,
    state: Arc<Mutex<State>>,
    client: aws_sdk_secretsmanager::Client,
}

#[derive(Default)]
struct State {
    /// The operations that were called, such as `GetSecretValue`.
    calls: Vec<String>,
    /// A status to answer with instead of asking moto.
    failing: Option<u16>,
    /// How long the next answer takes, in milliseconds.
    slow: u64,
    /// Whether answers never come.
    silent: bool,
}

impl SecretsManager {
    pub async fn start() -> Self {
        // moto starts in a thread of its own, so that the runtime of the first test is not blocked.
        let moto = tokio::task::spawn_blocking(|| MOTO.url()).await.expect("moto");
        Self::before(&moto).await
    }

    /// A gateway before the Secrets Manager at this address.
    pub async fn before(moto: &str) -> Self {
        let state = Arc::new(Mutex::new(State::default()));
        let client = secrets_manager(moto);
        let (shared, moto, http) = (Arc::clone(&state), moto.to_owned(), taskhook::outbound::client(true));
        let server = Server::start(move |request: Request<Bytes>| {
            let (state, moto, http) = (Arc::clone(&shared), moto.clone(), http.clone());
            async move { forward(request, &state, &moto, &http).await }
        })
        .await;
        Self { server, state, client }
    }

    pub fn url(&self) -> String {
        self.server.url()
    }

    /// Stores a value, whether the secret was there or not.
    pub async fn store(&self, name: &str, value: &str) {
        let created = self.client.create_secret().name(name).secret_string(value).send().await;
        if created.is_err() {
            self.client.put_secret_value().secret_id(name).secret_string(value).send().await.expect("stored");
        }
    }

    pub async fn delete(&self, name: &str) {
        let delete = self.client.delete_secret().secret_id(name).force_delete_without_recovery(true);
        delete.send().await.expect("deleted");
    }

    /// The operations that the function called.
    pub fn calls(&self) -> Vec<String> {
        self.state.lock().expect("no panic").calls.clone()
    }

    /// From now on every call is answered with this status; `None`: by moto again.
    pub fn fails_with(&self, status: Option<u16>) {
        self.state.lock().expect("no panic").failing = status;
    }

    /// The next answer takes this many milliseconds.
    pub fn takes(&self, milliseconds: u64) {
        self.state.lock().expect("no panic").slow = milliseconds;
    }

    /// From now on no call is answered.
    pub fn falls_silent(&self) {
        self.state.lock().expect("no panic").silent = true;
    }
}

async fn forward(request: Request<Bytes>, state: &Mutex<State>, moto: &str, http: &reqwest::Client) -> Response<Bytes> {
    let target = request.headers().get("x-amz-target").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let operation = target.rsplit('.').next().unwrap_or_default().to_owned();
    let (failing, silent, slow) = {
        let mut state = state.lock().expect("no panic");
        state.calls.push(operation);
        (state.failing, state.silent, std::mem::take(&mut state.slow))
    };
    tokio::time::sleep(std::time::Duration::from_millis(slow)).await;
    if silent {
        std::future::pending::<()>().await;
    }
    if let Some(status) = failing {
        let body = Bytes::from_static(br#"{"__type": "InternalServiceError"}"#);
        return Response::builder().status(status).body(body).expect("a response");
    }
    let mut forwarded = http.post(moto).body(request.body().clone());
    for (name, value) in request.headers().iter().filter(|(name, _)| *name != "host" && *name != "content-length") {
        forwarded = forwarded.header(name, value);
    }
    let answer = forwarded.send().await.expect("moto answers");
    let status = answer.status();
    Response::builder().status(status).body(answer.bytes().await.expect("a body")).expect("a response")
}

fn secrets_manager(url: &str) -> aws_sdk_secretsmanager::Client {
    let aws = taskhook::settings::Aws {
        region: "us-east-1".to_owned(),
        access_key_id: "test".to_owned(),
        secret_access_key: "test".to_owned(),
        session_token: None,
        secrets_manager_url: Some(url.to_owned()),
    };
    taskhook::aws::secrets_manager(&aws, taskhook::outbound::client(true))
}
