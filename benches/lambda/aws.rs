//! Lambda's Runtime API, Secrets Manager and SQS on one socket. All answer at once, so that the
//! function is what is timed.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::{Map, Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Mutex, mpsc};
use tokio::task::AbortHandle;

use crate::Result;
use crate::network::{Network, Way};

/// How long an invocation may take; Lambda's own default is 3 s.
const TIMEOUT: Duration = Duration::from_secs(30);

/// How long the function may keep us waiting.
const PATIENCE: Duration = Duration::from_secs(40);

/// What AWS is to one function, until it is dropped.
pub(crate) struct Aws {
    /// Where the Runtime API is.
    pub(crate) runtime_api: SocketAddr,
    /// The way to Secrets Manager and SQS.
    pub(crate) way: Way,
    events: mpsc::UnboundedSender<String>,
    signs: mpsc::UnboundedReceiver<Sign>,
    server: AbortHandle,
}

/// What the function does.
enum Sign {
    Next(Instant),
    Response(Instant, Bytes),
    Error(Bytes),
}

/// What one connection needs.
struct Shared {
    secrets: Map<String, Value>,
    events: Mutex<mpsc::UnboundedReceiver<String>>,
    signs: mpsc::UnboundedSender<Sign>,
}

impl Aws {
    /// Listens on any free port. `secrets` are values by name; `network` lies before the services.
    pub(crate) async fn start(secrets: Map<String, Value>, network: &Network) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let (events, to_function) = mpsc::unbounded_channel();
        let (from_function, signs) = mpsc::unbounded_channel();
        let shared =
            Arc::new(Shared { secrets, events: Mutex::new(to_function), signs: from_function });
        let server = tokio::spawn(serve(listener, shared)).abort_handle();
        let way = network.way(address).await?;
        Ok(Self { runtime_api: address, way, events, signs, server })
    }

    /// Waits until the function asks for an event, and says when it did.
    pub(crate) async fn next(&mut self) -> Result<Instant> {
        match self.sign().await? {
            Sign::Next(at) => Ok(at),
            Sign::Response(..) => Err("the function answered without having been asked".into()),
            Sign::Error(error) => {
                Err(format!("the function failed: {}", String::from_utf8_lossy(&error)).into())
            }
        }
    }

    /// Gives the function an event, and takes how long the answer took. The function asks for the
    /// next one then.
    pub(crate) async fn invoke(&mut self, event: String) -> Result<(Duration, Bytes)> {
        let start = Instant::now();
        self.events.send(event)?;
        let (at, response) = match self.sign().await? {
            Sign::Response(at, response) => (at, response),
            Sign::Next(_) => {
                return Err("the function asks for the next event before it has answered".into());
            }
            Sign::Error(error) => {
                return Err(format!("an event failed: {}", String::from_utf8_lossy(&error)).into());
            }
        };
        self.next().await?;
        Ok((at - start, response))
    }

    async fn sign(&mut self) -> Result<Sign> {
        let sign = tokio::time::timeout(PATIENCE, self.signs.recv()).await?;
        sign.ok_or_else(|| "the server has stopped".into())
    }
}

impl Drop for Aws {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = tokio::task::JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        connections.spawn(connection(stream, Arc::clone(&shared)));
    }
}

async fn connection(stream: TcpStream, shared: Arc<Shared>) {
    // A connection ends when the function is stopped.
    _ = stream.set_nodelay(true);
    let service = service_fn(|request| respond(request, &shared));
    _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

async fn respond(request: Request<Incoming>, shared: &Shared) -> Result<Response<Full<Bytes>>> {
    let at = Instant::now();
    let (head, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    if let Some(target) = head.headers.get("x-amz-target") {
        let request = serde_json::from_slice(&body)?;
        let answer = match target.to_str()? {
            "AmazonSQS.SendMessageBatch" => sent(&request),
            target => secrets_manager(target, &request, &shared.secrets)?,
        };
        let answer = Response::builder()
            .header("content-type", "application/x-amz-json-1.1")
            .body(answer.into())?;
        return Ok(answer);
    }
    let path = head.uri.path();
    if head.method == Method::GET && path.ends_with("/runtime/invocation/next") {
        shared.signs.send(Sign::Next(at))?;
        let event = shared.events.lock().await.recv().await.ok_or("there are no more events")?;
        let deadline = (SystemTime::now() + TIMEOUT).duration_since(UNIX_EPOCH)?.as_millis();
        let answer = Response::builder()
            .header("lambda-runtime-aws-request-id", "8476a536-e9f4-11e8-9739-2dfe598c3fcd")
            .header("lambda-runtime-deadline-ms", deadline.to_string())
            .header(
                "lambda-runtime-invoked-function-arn",
                "arn:aws:lambda:eu-central-1:000000000000:function:taskhook",
            )
            .header("lambda-runtime-trace-id", "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700")
            .header("content-type", "application/json");
        return Ok(answer.body(event.into())?);
    }
    shared.signs.send(if path.ends_with("/response") {
        Sign::Response(at, body)
    } else {
        Sign::Error(body)
    })?;
    Ok(Response::builder().status(202).body(Full::default())?)
}

/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessageBatch.html>
fn sent(request: &Value) -> String {
    let entries = request["Entries"].as_array().into_iter().flatten();
    let taken =
        |entry: &Value| json!({"Id": entry["Id"], "MessageId": "id", "MD5OfMessageBody": "md5"});
    json!({"Successful": entries.map(taken).collect::<Vec<_>>(), "Failed": []}).to_string()
}

/// <https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_BatchGetSecretValue.html>
fn secrets_manager(target: &str, request: &Value, secrets: &Map<String, Value>) -> Result<String> {
    let secret = |name: &Value| {
        let name = name.as_str().ok_or("a secret's name is no text")?;
        let arn = format!("arn:aws:secretsmanager:eu-central-1:000000000000:secret:{name}-AbCdEf");
        let value =
            secrets.get(name).ok_or_else(|| format!("events/secrets.json has no {name}"))?;
        Ok::<_, crate::Error>(
            json!({"ARN": arn, "Name": name, "SecretString": value, "VersionStages": ["AWSCURRENT"]}),
        )
    };
    let answer = match target {
        "secretsmanager.GetSecretValue" => secret(&request["SecretId"])?,
        "secretsmanager.BatchGetSecretValue" => {
            let names = request["SecretIdList"].as_array().ok_or("a batch without names")?;
            json!({"SecretValues": names.iter().map(secret).collect::<Result<Vec<_>>>()?, "Errors": []})
        }
        other => return Err(format!("{other} is not known here").into()),
    };
    Ok(answer.to_string())
}
