//! The stand-in on a socket.

use std::{
    io,
    sync::{Arc, Mutex, PoisonError},
};

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http_body_util::{BodyExt, Full, StreamBody, combinators::UnsyncBoxBody};
use hyper::{
    Response,
    body::{Frame, Incoming},
    header,
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use tokio::{
    net::{TcpListener, TcpStream},
    task::{JoinSet, yield_now},
};

use super::{
    admin,
    answer::{Answer, Body},
    request::Request,
    state::{Reply, State},
};

/// Before a path of HubSpot's, for a call that only looks.
pub(super) const LOOK: &str = "/_look";

/// The same for a call that whoever watches is told apart by a number, which follows.
pub(super) const FOR: &str = "/_for/";

type ResponseBody = UnsyncBoxBody<Bytes, io::Error>;

/// Serves until the task is aborted, which closes every connection.
pub(super) async fn serve(listener: TcpListener, state: Arc<Mutex<State>>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                if let Ok((stream, _)) = accepted {
                    connections.spawn(connection(stream, Arc::clone(&state)));
                }
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn connection(stream: TcpStream, state: Arc<Mutex<State>>) {
    // A failed connection is the client's business, or a fault that was asked for.
    _ = stream.set_nodelay(true);
    let service = service_fn(|request| respond(request, &state));
    _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

/// An error closes the connection without an answer.
async fn respond(
    request: hyper::Request<Incoming>,
    state: &Mutex<State>,
) -> io::Result<Response<ResponseBody>> {
    let mut request = read(request).await?;
    let reply = {
        let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
        if request.path.starts_with("/_sim") && state.is_open {
            Reply::at_once(admin::answer(&mut state, &request))
        } else if let Some((label, path)) = labelled(&request.path) {
            request.path = path;
            request.label = Some(label);
            state.call(&request, Timestamp::now())
        } else if let Some(path) = request.path.strip_prefix(LOOK) {
            request.path = path.to_owned();
            state.look(&request, Timestamp::now())
        } else {
            state.call(&request, Timestamp::now())
        }
    };
    if !reply.delay.is_zero() {
        tokio::time::sleep(reply.delay).await;
    }
    let answer = reply.answer.ok_or(io::ErrorKind::ConnectionAborted)?;
    response(answer, reply.half)
}

/// The number before a path, and the path.
fn labelled(path: &str) -> Option<(u64, String)> {
    let (label, rest) = path.strip_prefix(FOR)?.split_once('/')?;
    Some((label.parse().ok()?, format!("/{rest}")))
}

async fn read(request: hyper::Request<Incoming>) -> io::Result<Request> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map_err(io::Error::other)?;
    let authorization = head.headers.get(header::AUTHORIZATION);
    Ok(Request {
        method: head.method.to_string(),
        path: head.uri.path().into(),
        query: head.uri.query().unwrap_or_default().into(),
        authorization: authorization.map(|v| String::from_utf8_lossy(v.as_bytes()).into()),
        body: body.to_bytes().into(),
        label: None,
    })
}

fn response(answer: Answer, half: bool) -> io::Result<Response<ResponseBody>> {
    let (content_type, body) = match answer.body {
        Body::Json(body) => ("application/json;charset=utf-8", body.to_string()),
        Body::Html(body) => ("text/html;charset=utf-8", body),
        Body::Text(body) => ("text/plain;charset=utf-8", body),
        Body::Empty => ("", String::new()),
    };
    let mut response = Response::builder().status(answer.status);
    let set = |name: &str| {
        let same = |(other, _): &(String, String)| other.eq_ignore_ascii_case(name);
        answer.headers.iter().any(same)
    };
    if !content_type.is_empty() && !set("content-type") {
        response = response.header(header::CONTENT_TYPE, content_type);
    }
    if half {
        response = response.header(header::CONTENT_LENGTH, body.len());
    }
    for (name, value) in &answer.headers {
        response = response.header(name, value);
    }
    let body = Bytes::from(body);
    let body = if half { first_half(&body) } else { whole(body) };
    response.body(body).map_err(io::Error::other)
}

fn whole(body: Bytes) -> ResponseBody {
    Full::new(body).map_err(|never| match never {}).boxed_unsync()
}

fn first_half(body: &Bytes) -> ResponseBody {
    let half = Frame::data(body.slice(..body.len() / 2));
    let end = stream::once(async {
        // Lets hyper send the first half before the error closes the connection.
        yield_now().await;
        Err(io::ErrorKind::ConnectionAborted.into())
    });
    StreamBody::new(stream::iter([Ok(half)]).chain(end)).boxed_unsync()
}
