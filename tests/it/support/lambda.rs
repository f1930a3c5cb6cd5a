//! A Lambda Runtime API in this process, and the built function that talks to it.
//! <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html>

use std::collections::BTreeMap;
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::{Request, Response};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::{Mutex as AsyncMutex, Notify, mpsc, oneshot};

use super::server::Server;

/// No test waits longer for anything: this only ends a test that hangs.
const HANGS: Duration = Duration::from_mins(1);

/// A running function.
pub struct Function {
    _process: Child,
    _runtime_api: Server,
    events: mpsc::UnboundedSender<Value>,
    answers: Answers,
    next_id: Mutex<usize>,
    /// How long the function is told that it has for an event.
    pub time_limit: Duration,
    log: Arc<Mutex<String>>,
}

type Answers = Arc<Mutex<BTreeMap<String, oneshot::Sender<Result<Value, Value>>>>>;

impl Function {
    /// Starts a built program with these variables and no others.
    pub async fn start(program: &str, variables: &BTreeMap<String, String>) -> Self {
        let (events, queue) = mpsc::unbounded_channel();
        let answers = Answers::default();
        let ready = Arc::new(Notify::new());
        let runtime_api = runtime_api(queue, Arc::clone(&answers), Arc::clone(&ready)).await;
        let mut process = Command::new(program)
            .env_clear()
            .env("AWS_LAMBDA_RUNTIME_API", runtime_api.address.to_string())
            .env("AWS_LAMBDA_FUNCTION_NAME", "webhook")
            .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256")
            .env("AWS_LAMBDA_LOG_GROUP_NAME", "/aws/lambda/webhook")
            .env("AWS_LAMBDA_LOG_STREAM_NAME", "stream")
            .envs(variables)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("the built program starts");
        let log = Arc::new(Mutex::new(String::new()));
        collect(process.stdout.take().expect("standard output"), Arc::clone(&log));
        collect(process.stderr.take().expect("standard error"), Arc::clone(&log));
        // From here on its start is behind it: what a test changes now is news to the function.
        assert!(
            tokio::time::timeout(HANGS, ready.notified()).await.is_ok(),
            "the function doesn't start"
        );
        let time_limit = Duration::from_secs(30);
        let next_id = Mutex::new(0);
        Self {
            _process: process,
            _runtime_api: runtime_api,
            events,
            answers,
            next_id,
            time_limit,
            log,
        }
    }

    /// How often it was invoked, counted on from its predecessor.
    pub fn invocations(&self) -> usize {
        *self.next_id.lock().expect("no panic")
    }

    /// Counts invocations on from so many.
    pub fn count_on(&self, invocations: usize) {
        *self.next_id.lock().expect("no panic") = invocations;
    }

    /// Invokes the function as Lambda does.
    pub async fn invoke(&self, event: &Value) -> Value {
        let answer = self.try_invoke(event).await;
        answer.unwrap_or_else(|error| panic!("the invocation failed: {error}\n{}", self.log()))
    }

    /// The answer of the function, or its error.
    pub async fn try_invoke(&self, event: &Value) -> Result<Value, Value> {
        let id = {
            let mut next = self.next_id.lock().expect("no panic");
            *next += 1;
            format!("request-{next}")
        };
        let (sender, receiver) = oneshot::channel();
        self.answers.lock().expect("no panic").insert(id.clone(), sender);
        let start = SystemTime::now();
        let deadline = start + self.time_limit;
        let deadline =
            deadline.duration_since(SystemTime::UNIX_EPOCH).expect("after 1970").as_millis();
        let message =
            serde_json::json!({"id": id, "deadline": deadline.to_string(), "event": event});
        self.events.send(message).expect("the Runtime API is there");
        let answer = tokio::time::timeout(HANGS, receiver).await;
        match answer {
            // Lambda takes no answer after that, and ends the process.
            Ok(Ok(answer)) => {
                let took = start.elapsed().unwrap_or_default();
                assert!(took < self.time_limit, "the answer took {took:?}\n{}", self.log());
                answer
            }
            other => panic!("the function gave no answer: {other:?}\n{}", self.log()),
        }
    }

    /// What the function has logged so far.
    pub fn log(&self) -> String {
        self.log.lock().expect("no panic").clone()
    }

    /// The lines that the function has logged so far as JSON. Each has no name twice, and says
    /// when, how bad, and what.
    pub fn lines(&self) -> Vec<Value> {
        let log = self.log();
        // The last one may not be complete.
        let complete = log.rfind('\n').map_or("", |end| &log[..end]);
        let read = |line: &str| {
            let Line(line) =
                serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
            for name in ["timestamp", "level", "message"] {
                assert!(line[name].is_string(), "no {name} in {line}");
            }
            line
        };
        complete.lines().map(read).collect()
    }

    /// Waits until the function has logged more than now.
    pub async fn logs_more(&self) {
        let before = self.log().len();
        let wait = async {
            while self.log().len() == before {
                tokio::task::yield_now().await;
            }
        };
        assert!(
            tokio::time::timeout(HANGS, wait).await.is_ok(),
            "nothing more is logged:\n{}",
            self.log()
        );
    }

    /// Waits until the log has a text: the process writes it before it answers, but through a pipe.
    pub async fn logs(&self, text: &str) {
        let wait = async {
            while !self.log().contains(text) {
                tokio::task::yield_now().await;
            }
        };
        assert!(
            tokio::time::timeout(HANGS, wait).await.is_ok(),
            "{text:?} is not in the log:\n{}",
            self.log()
        );
    }
}

/// A JSON object in which no name stands twice.
struct Line(Value);

impl<'de> serde::Deserialize<'de> for Line {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Names;
        impl<'de> serde::de::Visitor<'de> for Names {
            type Value = Line;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: serde::de::MapAccess<'de>>(
                self,
                mut entries: A,
            ) -> Result<Line, A::Error> {
                let mut line = serde_json::Map::new();
                while let Some((name, value)) = entries.next_entry::<String, Value>()? {
                    if line.insert(name.clone(), value).is_some() {
                        return Err(serde::de::Error::custom(format!("{name} stands there twice")));
                    }
                }
                Ok(Line(line.into()))
            }
        }
        from.deserialize_map(Names)
    }
}

fn collect(output: impl tokio::io::AsyncRead + Unpin + Send + 'static, log: Arc<Mutex<String>>) {
    tokio::spawn(async move {
        let mut lines = BufReader::new(output).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            let mut log = log.lock().expect("no panic");
            log.push_str(&line);
            log.push('\n');
        }
    });
}

async fn runtime_api(
    queue: mpsc::UnboundedReceiver<Value>,
    answers: Answers,
    ready: Arc<Notify>,
) -> Server {
    let queue = Arc::new(AsyncMutex::new(queue));
    Server::start(move |request: Request<Bytes>| {
        let (queue, answers, ready) =
            (Arc::clone(&queue), Arc::clone(&answers), Arc::clone(&ready));
        async move {
            let path = request.uri().path().to_owned();
            let parts: Vec<_> = path.split('/').collect();
            match parts[..] {
                [.., "invocation", "next"] => {
                    ready.notify_one();
                    next(&queue).await
                }
                [.., "invocation", id, kind @ ("response" | "error")] => {
                    let body = serde_json::from_slice(request.body()).unwrap_or(Value::Null);
                    let answer = if kind == "response" { Ok(body) } else { Err(body) };
                    if let Some(sender) = answers.lock().expect("no panic").remove(id) {
                        let _ = sender.send(answer);
                    }
                    status(202)
                }
                _ => status(404),
            }
        }
    })
    .await
}

async fn next(queue: &AsyncMutex<mpsc::UnboundedReceiver<Value>>) -> Response<Bytes> {
    let Some(message) = queue.lock().await.recv().await else { return status(410) };
    let header = |name: &str| message[name].as_str().unwrap_or_default().to_owned();
    Response::builder()
        .header("lambda-runtime-aws-request-id", header("id"))
        .header("lambda-runtime-deadline-ms", header("deadline"))
        .header("lambda-runtime-trace-id", format!("Root=1-{};Sampled=1", header("id")))
        .header(
            "lambda-runtime-invoked-function-arn",
            "arn:aws:lambda:us-east-1:123456789012:function:webhook",
        )
        .body(Bytes::from(message["event"].to_string()))
        .expect("a response")
}

fn status(code: u16) -> Response<Bytes> {
    Response::builder().status(code).body(Bytes::new()).expect("a response")
}
