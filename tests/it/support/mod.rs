//! The language in which the tests tell their stories: a world with a Secrets Manager, a HubSpot
//! and the built function; webhooks that come in; what the sender gets, and what HubSpot has and
//! was asked.

pub mod alarms;
pub mod aws;
pub mod event;
pub mod insights;
pub mod lambda;
pub mod metrics;
pub mod portal;
pub mod queue;
pub mod server;
pub mod shipped;
pub mod template;
pub mod tls;
pub mod tool;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};
use taskhook::sim::{Endpoint, Fault, Seed, Sim};

use aws::SecretsManager;
use event::Event;
use lambda::Function;
use queue::Queues;
use rustls::SupportedProtocolVersion;
use tls::{Tls, Wanted};

/// The webhook secret of [`SOURCE`].
pub const SECRET: &str = "the webhook secret of the tests";

/// The HubSpot token.
pub const TOKEN: &str = "pat-test-0000";

/// A source as simple as can be. `{tests}` is a name of the test's own, since moto is shared by
/// all.
pub const SOURCE: &str = r#"
[verify]
scheme = "github"
secret = "{tests}/shop"
[event]
id = '.event'
time = '.at'
when = '.kind != "noise"'
[task]
each = 'if has("tickets") then .tickets[] else . end'
id = '.id'
time = '.at'
id_property = "ticket"
[properties]
hs_task_subject = '.subject'
hs_task_status = { from = '.status', map = { open = "NOT_STARTED", done = "COMPLETED" } }
hs_task_priority = '.priority'
hubspot_owner_id = { owner = '.owner' }
"#;

/// A world on its way.
pub struct Builder {
    sources: Vec<(String, String)>,
    schema: Option<String>,
    secrets: Vec<(String, String)>,
    variables: Vec<(String, String)>,
    seed: Value,
    program: &'static str,
    slow_secrets: u64,
    is_durable: bool,
    is_on_ministack: bool,
    keeps_letters: bool,
    tls: Option<Wanted>,
}

/// Everything that a story needs.
pub struct World {
    pub function: Function,
    pub hubspot: Sim,
    pub secrets: SecretsManager,
    /// The worker and the queues, in the durable mode.
    pub worker: Option<Function>,
    pub queues: Option<Queues>,
    /// What ends TLS before the servers.
    pub tls: Option<Tls>,
    variables: BTreeMap<String, String>,
    /// The prefix of this test's secrets.
    pub tests: String,
    folder: PathBuf,
}

/// What the sender got.
#[derive(Debug)]
pub struct Reply {
    pub status: u64,
    pub headers: BTreeMap<String, String>,
    pub body: Value,
}

/// The usual world: [`SOURCE`] at `/shop`, tasks 1 to 3, an owner.
pub fn world() -> Builder {
    let task = |id: &str| json!({"properties": {"ticket": id, "hs_task_subject": "before", "hs_timestamp": "1790000000000"}});
    Builder {
        sources: vec![("shop".to_owned(), SOURCE.to_owned())],
        schema: None,
        secrets: vec![
            ("shop".to_owned(), SECRET.to_owned()),
            ("hubspot".to_owned(), TOKEN.to_owned()),
        ],
        variables: Vec::new(),
        seed: json!({
            "token": TOKEN,
            "properties": [
                {"name": "ticket", "label": "Ticket", "type": "string", "fieldType": "text", "hasUniqueValue": true},
                {"name": "ticket_at", "label": "Ticket at", "type": "datetime", "fieldType": "date"},
            ],
            "owners": [{"id": "101", "email": "ada@acme.example"}],
            "tasks": [task("1"), task("2"), task("3")],
        }),
        program: env!("CARGO_BIN_EXE_webhook"),
        slow_secrets: 0,
        is_durable: false,
        is_on_ministack: false,
        keeps_letters: false,
        tls: None,
    }
}

/// The same, with functions that log as on Lambda.
pub fn logging() -> Builder {
    world().variable("AWS_LAMBDA_LOG_FORMAT", "JSON")
}

impl Builder {
    /// Replaces the source of the tests, or adds another.
    pub fn source(mut self, name: &str, text: &str) -> Self {
        self.sources.retain(|(other, _)| other != name);
        self.sources.push((name.to_owned(), text.to_owned()));
        self
    }

    /// Lays a portal's schema beside the sources.
    pub fn schema(mut self, text: &str) -> Self {
        self.schema = Some(text.to_owned());
        self
    }

    /// Sets a secret of this test; its name is `{tests}/name`.
    pub fn secret(mut self, name: &str, value: &str) -> Self {
        self.secrets.retain(|(other, _)| other != name);
        self.secrets.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Makes Secrets Manager take this many milliseconds for its first answer.
    pub fn slow_secrets(mut self, milliseconds: u64) -> Self {
        self.slow_secrets = milliseconds;
        self
    }

    /// Puts a queue between the webhook and HubSpot, a worker behind it, and keeps dead letters.
    pub fn durable(mut self) -> Self {
        (self.is_durable, self.keeps_letters) = (true, true);
        self
    }

    /// The same with another SQS than moto's.
    pub fn durable_on_ministack(mut self) -> Self {
        self.is_on_ministack = true;
        self.durable()
    }

    /// Keeps dead letters in the direct mode.
    pub fn with_dead_letters(mut self) -> Self {
        self.keeps_letters = true;
        self
    }

    /// Puts TLS before HubSpot, Secrets Manager and SQS, which speak this version alone.
    pub fn over_tls(mut self, version: &'static SupportedProtocolVersion) -> Self {
        self.tls = Some(Wanted { version, has_proxy: false });
        self
    }

    /// Puts a proxy on that way, too, and the functions reach them by their own names.
    pub fn by_proxy(mut self) -> Self {
        self.tls.as_mut().expect("TLS").has_proxy = true;
        self
    }

    pub fn without_secret(mut self, name: &str) -> Self {
        self.secrets.retain(|(other, _)| other != name);
        self
    }

    /// Sets a variable of the function; an empty value removes it.
    pub fn variable(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Changes what HubSpot starts with.
    pub fn seed(mut self, change: impl FnOnce(&mut Value)) -> Self {
        change(&mut self.seed);
        self
    }

    pub async fn start(self) -> World {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let tests =
            format!("test-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(&tests);
        std::fs::create_dir_all(&folder).expect("a folder");
        for (name, text) in &self.sources {
            std::fs::write(folder.join(format!("{name}.toml")), text.replace("{tests}", &tests))
                .expect("a source file");
        }
        if let Some(text) = &self.schema {
            std::fs::write(folder.join("hubspot-schema.json"), text).expect("a schema");
        }
        let secrets = SecretsManager::start().await;
        for (name, value) in &self.secrets {
            secrets.store(&format!("{tests}/{name}"), value).await;
        }
        secrets.takes(self.slow_secrets);
        let seed: Seed = serde_json::from_value(self.seed).expect("a seed");
        let hubspot = Sim::start(seed, 0).await.expect("the stand-in starts");
        let mut variables = BTreeMap::from([
            ("AWS_REGION", "us-east-1".to_owned()),
            ("AWS_ACCESS_KEY_ID", "test".to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "a secret key".to_owned()),
            ("AWS_ENDPOINT_URL_SECRETS_MANAGER", secrets.url()),
            ("HUBSPOT_BASE_URL", hubspot.url()),
            ("HUBSPOT_TOKEN_SECRET", format!("{tests}/hubspot")),
            ("TASKHOOK_SOURCES", folder.display().to_string()),
        ])
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect::<BTreeMap<_, _>>();
        let queues = match (self.keeps_letters, self.is_on_ministack) {
            (false, _) => None,
            (true, false) => Some(Queues::start(&tests).await),
            (true, true) => Some(Queues::on_ministack(&tests).await),
        };
        if let Some(queues) = &queues {
            variables.insert("AWS_ENDPOINT_URL_SQS".to_owned(), queues.sqs.url());
        }
        let tls = match self.tls {
            Some(wanted) => {
                let sqs = queues.as_ref().map(|queues| queues.sqs.url());
                let tls = Tls::before(&wanted, [&hubspot.url(), &secrets.url()], sqs).await;
                let roots = folder.join("roots.pem");
                std::fs::write(&roots, tls.authority.pem()).expect("a file");
                let of_tls = tls.variables();
                variables.extend(of_tls.into_iter().map(|(name, value)| (name.to_owned(), value)));
                variables.entry("SSL_CERT_FILE".to_owned()).or_insert(roots.display().to_string());
                Some(tls)
            }
            None => None,
        };
        for (name, value) in self.variables {
            variables.insert(name, value.replace("{tests}", &tests));
        }
        if let Some(queues) = &queues {
            variables
                .entry("TASKHOOK_DEAD_LETTER_URL".to_owned())
                .or_insert(queues.dead_letters.clone());
        }
        if let Some(queues) = queues.as_ref().filter(|_| self.is_durable) {
            variables.entry("TASKHOOK_QUEUE_URL".to_owned()).or_insert(queues.updates.clone());
        }
        variables.retain(|_, value| !value.is_empty());
        let function = Function::start(self.program, &variables).await;
        let mut world = World {
            function,
            hubspot,
            secrets,
            worker: None,
            queues,
            tls,
            variables,
            tests,
            folder,
        };
        if self.is_durable {
            world.start_worker().await;
        }
        world
    }
}

impl World {
    /// Starts the worker, anew if it runs.
    pub async fn start_worker(&mut self) {
        self.worker = Some(self.another_worker().await);
    }

    /// Kills the worker once a call is under way that writes, which HubSpot never answers, and starts
    /// another one.
    pub async fn kill_the_worker_in_the_middle(&mut self) {
        self.hubspot.fault(Fault { on: Endpoint::Update, delay_ms: 60_000, ..Fault::default() });
        {
            // The call is under way, and HubSpot has done what it says, when the worker dies.
            let is_called = async {
                while self.calls("batch/update").is_empty() {
                    tokio::task::yield_now().await;
                }
            };
            tokio::select! {
                _ = self.poll() => panic!("the worker can't be done"),
                () = is_called => {}
            }
        }
        self.start_worker().await;
    }

    /// Starts another instance of the worker.
    pub async fn another_worker(&self) -> Function {
        Function::start(env!("CARGO_BIN_EXE_worker"), &self.variables).await
    }

    /// Deploys the webhook anew, with the settings that a stack has for it.
    pub async fn deploy(&mut self, stack: &Value) {
        let is_of_stack = |name: &str| {
            name != "TASKHOOK_SOURCES"
                && ["HUBSPOT_", "TASKHOOK_"].iter().any(|of| name.starts_with(of))
        };
        self.variables.retain(|name, _| !is_of_stack(name));
        let variables =
            stack["functions"]["WebhookFunction"]["Environment"]["Variables"].as_object();
        for (name, value) in variables.expect("an environment") {
            self.variables.insert(name.clone(), value.as_str().expect("a text").to_owned());
        }
        self.start_webhook().await;
    }

    /// Starts the webhook anew, as each deployment does.
    pub async fn start_webhook(&mut self) {
        let before = self.function.invocations();
        self.function = Function::start(env!("CARGO_BIN_EXE_webhook"), &self.variables).await;
        // No two invocations have the same request id.
        self.function.count_on(before);
    }

    pub fn queues(&self) -> &Queues {
        self.queues.as_ref().expect("a world with queues")
    }

    /// Lambda hands up to ten messages to the worker: how many, and how many of them come back.
    pub async fn poll(&self) -> (usize, usize) {
        self.queues().poll(self.worker.as_ref().expect("a durable world")).await
    }

    /// Lambda hands everything to the worker that the queue gives out. Returns the number of
    /// batches.
    pub async fn drain(&self) -> usize {
        self.queues().drain(self.worker.as_ref().expect("a durable world")).await
    }

    /// Sends a webhook.
    pub async fn send(&self, event: &Event) -> Reply {
        self.invoke(&event.to_json()).await
    }

    /// Sends a signed webhook to the source of the tests.
    pub async fn deliver(&self, body: Value) -> Reply {
        self.send(&Event::post("/shop", body.to_string()).signed()).await
    }

    /// Invokes the function with a complete event.
    pub async fn invoke(&self, event: &Value) -> Reply {
        let answer = self.function.invoke(event).await;
        let headers = answer["headers"].as_object().into_iter().flatten();
        let headers = headers
            .map(|(name, value)| (name.clone(), value.as_str().unwrap_or_default().to_owned()));
        let body = answer["body"].as_str().unwrap_or_default();
        let body = serde_json::from_str(body).unwrap_or_else(|_| json!(body));
        Reply {
            status: answer["statusCode"].as_u64().unwrap_or_default(),
            headers: headers.collect(),
            body,
        }
    }

    /// The settings of the functions.
    pub fn variables(&self) -> &BTreeMap<String, String> {
        &self.variables
    }

    /// Where the source files lie.
    pub fn folder(&self) -> &std::path::Path {
        &self.folder
    }

    /// A property of the task with this ticket.
    pub fn task(&self, ticket: &str, property: &str) -> Option<String> {
        self.hubspot
            .task_by("ticket", ticket)
            .and_then(|task| task.properties.get(property).cloned())
    }

    /// The calls of this kind that HubSpot got, such as `batch/update`.
    pub fn calls(&self, kind: &str) -> Vec<taskhook::sim::Call> {
        self.hubspot.calls().into_iter().filter(|call| call.path.contains(kind)).collect()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

impl Reply {
    /// A summary with this status and these counts, such as `updated 1, failed 2`, whose sum is
    /// right.
    #[track_caller]
    pub fn is(&self, status: u64, counts: &str) -> &Self {
        assert_eq!(self.status, status, "{self:#?}");
        let names = [
            "updated",
            "created",
            "unchanged",
            "stale",
            "merged",
            "filtered",
            "queued",
            "retry",
            "failed",
        ];
        let count = |name: &str| {
            self.body[name].as_u64().unwrap_or_else(|| panic!("no {name} in {self:#?}"))
        };
        let found: Vec<_> = names
            .iter()
            .filter(|name| count(name) > 0)
            .map(|name| format!("{name} {}", count(name)))
            .collect();
        assert_eq!(found.join(", "), counts, "{self:#?}");
        assert_eq!(
            count("received"),
            names.iter().map(|name| count(name)).sum::<u64>(),
            "{self:#?}"
        );
        self
    }

    /// A problem in the sense of RFC 9457 with this status.
    #[track_caller]
    pub fn is_problem(&self, status: u64) -> &Self {
        assert_eq!(self.status, status, "{self:#?}");
        assert_eq!(
            self.headers.get("content-type").map(String::as_str),
            Some("application/problem+json"),
            "{self:#?}"
        );
        assert_eq!(self.body["status"], json!(status), "{self:#?}");
        for field in ["type", "title", "detail"] {
            assert!(
                self.body[field].as_str().is_some_and(|text| !text.is_empty()),
                "no {field} in {self:#?}"
            );
        }
        assert!(
            self.body["instance"].as_str().is_some_and(|id| id.starts_with("request-")),
            "{self:#?}"
        );
        self
    }

    /// A row of the summary: its outcome and reason, such as `failed not_found`.
    #[track_caller]
    pub fn row(&self, index: usize, outcome: &str) -> &Self {
        let row = &self.body["tasks"][index];
        let found = [&row["outcome"], &row["reason"]]
            .into_iter()
            .filter_map(Value::as_str)
            .collect::<Vec<_>>()
            .join(" ");
        assert_eq!(found, outcome, "{self:#?}");
        self
    }

    /// The detail of a row.
    #[track_caller]
    pub fn detail(&self, index: usize) -> &str {
        self.body["tasks"][index]["detail"]
            .as_str()
            .unwrap_or_else(|| panic!("no detail in {self:#?}"))
    }

    /// `Retry-After`, in seconds.
    #[track_caller]
    pub fn retry_after(&self) -> u64 {
        let seconds = self.headers.get("retry-after").and_then(|value| value.parse().ok());
        seconds
            .filter(|seconds| (1..=55).contains(seconds))
            .unwrap_or_else(|| panic!("no Retry-After in {self:#?}"))
    }
}
