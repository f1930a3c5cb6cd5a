//! The desk on a socket of this machine: the page, its data, and the webhook's address.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt as _;
use http::{Method, StatusCode, header};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, Limited, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Handle;
use tokio::time::timeout;

use super::api::{self, Asked, Failed, Given};
use super::deliver::{Answered, Origin, deliver};
use super::desk::Desk;
use super::locks;
use super::tell;
use crate::cli::payload;
use crate::delivery::Delivery;
use crate::time::Time;

/// The page.
const PAGE: &str = include_str!("page.html");

/// The largest request that is read: the function says itself that more than 1 MiB is too much.
const LARGEST: usize = 6 * 1024 * 1024;

/// How long the function may take. In AWS it answers within eight seconds, and then Lambda ends it.
const PATIENCE: Duration = Duration::from_secs(15);

type Body = UnsyncBoxBody<Bytes, Infallible>;
type Response = hyper::Response<Body>;

/// What a port is for.
#[derive(Clone, Copy)]
pub(super) enum Door {
    /// The page, its data, and webhooks: on this port.
    Desk(u16),
    /// Webhooks alone.
    Webhooks,
}

/// Serves until the process ends.
pub(super) async fn serve(listener: TcpListener, desk: Arc<Desk>, door: Door) {
    loop {
        if let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(connection(stream, Arc::clone(&desk), door));
        }
    }
}

async fn connection(stream: TcpStream, desk: Arc<Desk>, door: Door) {
    // A connection that breaks is the client's business.
    _ = stream.set_nodelay(true);
    let service = service_fn(move |request| {
        let desk = Arc::clone(&desk);
        async move { Ok::<_, Infallible>(respond(&desk, door, request).await) }
    });
    _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

async fn respond(desk: &Arc<Desk>, door: Door, request: hyper::Request<Incoming>) -> Response {
    let (head, body) = request.into_parts();
    let path = head.uri.path().to_owned();
    let is_page = path == "/" && matches!(head.method, Method::GET | Method::HEAD);
    let is_data = path.starts_with("/_desk/");
    let lock = match door {
        Door::Desk(port) if is_page => locks::check_page(&head.headers, port),
        Door::Desk(port) if is_data => locks::check_data(&head.headers, port, &desk.key),
        Door::Webhooks if is_page || is_data => Err(locks::Locked::Webhooks),
        Door::Desk(_) | Door::Webhooks => Ok(()),
    };
    if let Err(locked) = lock {
        let status = match locked {
            locks::Locked::Host => StatusCode::MISDIRECTED_REQUEST,
            _ => StatusCode::FORBIDDEN,
        };
        return problem(status, &locked.to_string());
    }
    if is_page {
        return page(desk);
    }
    let body = match Limited::new(body, LARGEST).collect().await {
        Ok(body) => body.to_bytes(),
        Err(_) => return problem(StatusCode::PAYLOAD_TOO_LARGE, "The body is too large."),
    };
    let query = query(head.uri.query());
    if is_data {
        let path = path.trim_start_matches("/_desk/").to_owned();
        let if_match = head.headers.get(header::IF_MATCH);
        let if_match = if_match.and_then(|value| value.to_str().ok()).map(str::to_owned);
        let asked = Asked { method: head.method, path, query, if_match, body };
        return data(desk, asked).await;
    }
    let delivery = Delivery {
        method: head.method,
        path,
        query,
        headers: head.headers,
        body,
        trace_header: None,
        source_ip: Some("127.0.0.1".to_owned()),
        ..payload::post(String::new(), Time::now())
    };
    webhook(desk, delivery).await
}

/// The page, with the key to its data.
fn page(desk: &Desk) -> Response {
    let nonce = uuid::Uuid::new_v4().simple().to_string();
    let page = PAGE.replace("{{KEY}}", &desk.key).replace("{{NONCE}}", &nonce);
    let policy = format!(
        "default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; img-src data:; \
         connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
    );
    let mut response = whole(StatusCode::OK, "text/html; charset=utf-8", page);
    set(&mut response, header::CONTENT_SECURITY_POLICY, &policy);
    response
}

/// The page's data.
async fn data(desk: &Arc<Desk>, asked: Asked) -> Response {
    if asked.method == Method::GET && asked.path == "events" {
        return follow(desk, &asked);
    }
    let desk = Arc::clone(desk);
    let given = on_own_thread(async move || api::answer(&desk, asked).await).await;
    match given
        .unwrap_or_else(|| Err(Failed::new(StatusCode::GATEWAY_TIMEOUT, "It took too long.")))
    {
        Ok(Given { status, body }) => json_response(status, &body),
        Err(Failed { status, message, fields }) => {
            let mut body = json!({"error": message});
            for (name, value) in fields {
                body[name] = value;
            }
            json_response(status, &body)
        }
    }
}

/// The events from one on, for as long as the page listens.
fn follow(desk: &Arc<Desk>, asked: &Asked) -> Response {
    let after = asked.parameter("after").and_then(|after| after.parse().ok()).unwrap_or(0);
    let desk = Arc::clone(desk);
    let stream = event_stream(desk, after).map(|event| Ok(Frame::data(event)));
    let mut response = hyper::Response::new(StreamBody::new(stream).boxed_unsync());
    set(&mut response, header::CONTENT_TYPE, "text/event-stream; charset=utf-8");
    guard(&mut response);
    response
}

fn event_stream(desk: Arc<Desk>, after: u64) -> impl futures_util::Stream<Item = Bytes> {
    let newest = desk.events.subscribe();
    futures_util::stream::unfold((desk, after, newest), |(desk, after, mut newest)| async move {
        let (event, after) = desk.events.next(after, &mut newest).await?;
        Some((event, (desk, after, newest)))
    })
}

/// The webhook's address.
async fn webhook(desk: &Arc<Desk>, delivery: Delivery) -> Response {
    let desk = Arc::clone(desk);
    let answered = on_own_thread(async move || {
        let answered = deliver(&desk, delivery, Origin::Outside).await;
        if let Ok(answered) = &answered {
            tell::delivery(&answered.delivered);
        }
        answered
    });
    match answered.await {
        Some(Ok(Answered { status, headers, body, .. })) => {
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY);
            let mut response = hyper::Response::new(Full::new(Bytes::from(body)).boxed_unsync());
            *response.status_mut() = status;
            for (name, value) in headers {
                if let (Ok(name), Ok(value)) =
                    (name.parse::<header::HeaderName>(), value.parse::<header::HeaderValue>())
                {
                    response.headers_mut().insert(name, value);
                }
            }
            response
        }
        Some(Err(why)) => problem(StatusCode::BAD_GATEWAY, &why.to_string()),
        None => problem(
            StatusCode::GATEWAY_TIMEOUT,
            "The function did not answer in time; an expression may not come to an end.",
        ),
    }
}

/// Runs a task on a thread of its own, so that an expression that doesn't end holds up nobody else.
/// `None` if it takes too long.
pub(super) async fn on_own_thread<T, F>(task: impl FnOnce() -> F + Send + 'static) -> Option<T>
where
    T: Send + 'static,
    F: Future<Output = T>,
{
    let handle = Handle::current();
    let running = tokio::task::spawn_blocking(move || handle.block_on(task()));
    timeout(PATIENCE, running).await.ok()?.ok()
}

fn query(text: Option<&str>) -> Vec<(String, String)> {
    form_urlencoded::parse(text.unwrap_or_default().as_bytes()).into_owned().collect()
}

fn problem(status: StatusCode, message: &str) -> Response {
    json_response(status, &json!({"error": message}))
}

fn json_response(status: StatusCode, body: &Value) -> Response {
    whole(status, "application/json", body.to_string())
}

fn whole(status: StatusCode, content_type: &str, body: String) -> Response {
    let mut response = hyper::Response::new(Full::new(Bytes::from(body)).boxed_unsync());
    *response.status_mut() = status;
    set(&mut response, header::CONTENT_TYPE, content_type);
    guard(&mut response);
    response
}

/// Nothing of the desk is kept by a browser, or taken for something else.
fn guard(response: &mut Response) {
    set(response, header::CACHE_CONTROL, "no-store");
    set(response, header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    set(response, header::REFERRER_POLICY, "no-referrer");
}

fn set(response: &mut Response, name: header::HeaderName, value: &str) {
    if let Ok(value) = value.parse() {
        response.headers_mut().insert(name, value);
    }
}
