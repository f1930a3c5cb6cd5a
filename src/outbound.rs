//! The one HTTP client for everything that goes out: HubSpot, and AWS through its SDK.
//!
//! One TLS configuration with compiled-in roots: loading the machine's root certificates would cost
//! 3 ms at each start, and the SDK's own client would be a second TLS stack.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;

/// How long a connection may take to be made; within a region, or to HubSpot, it takes some 100 ms.
const CONNECT: Duration = Duration::from_secs(3);

/// How long an unused connection is kept. A function may be frozen for longer than a server keeps
/// its side open.
const IDLE: Duration = Duration::from_secs(40);

/// The addresses of `localhost`, whatever the machine's table of hosts says: servers listen on
/// either. The port is that of the address that is called.
/// <https://www.rfc-editor.org/rfc/rfc6761#section-6.3>
const HERE: [SocketAddr; 2] = [
    SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0),
    SocketAddr::new(IpAddr::V6(Ipv6Addr::LOCALHOST), 0),
];

/// Which hosts may be called by HTTP without TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlainHttp {
    /// Any host.
    Anywhere,
    /// This machine alone.
    OnThisMachine,
}

/// Why a text is no address to which paths are added: what to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAnAddress {
    /// It is no address of HTTP.
    #[error("write an address with https:// or http://")]
    NotHttp,
    /// It is no address of HTTPS, nor one of HTTP on this machine.
    #[error("write an https:// address (http:// on this machine alone: a token goes over it)")]
    NotHttps,
    /// It has a user or a password.
    #[error("leave out the part before the @: no user and no password are sent")]
    HasUser,
    /// It has a query or a fragment.
    #[error("leave out what follows the ? or #: paths are added to the address")]
    HasQuery,
}

/// Makes the client. `keep` says whether connections are kept for the next request.
///
/// # Panics
///
/// Never: nothing here depends on input, so it works always or in no test.
#[must_use]
#[expect(clippy::expect_used, reason = "nothing here depends on input")]
pub fn client(keep: bool) -> reqwest::Client {
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let roots = rustls::RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    let tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("ring supports the default versions of TLS")
        .with_root_certificates(roots)
        .with_no_client_auth();
    reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .connect_timeout(CONNECT)
        .pool_idle_timeout(IDLE)
        .pool_max_idle_per_host(if keep { usize::MAX } else { 0 })
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .resolve_to_addrs("localhost", &HERE)
        .user_agent(concat!("taskhook/", env!("CARGO_PKG_VERSION")))
        .build()
        .expect("the configuration is a constant")
}

/// The same client, as the AWS SDK wants it. Time limits are the caller's: the SDK's operation time
/// limits.
#[derive(Clone, Debug)]
pub struct Connector(pub reqwest::Client);

impl HttpClient for Connector {
    fn http_connector(
        &self,
        _: &HttpConnectorSettings,
        _: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let client = self.0.clone();
        HttpConnectorFuture::new(async move {
            let request =
                request.try_into_http1x().map_err(|error| ConnectorError::user(error.into()))?;
            // The bodies of our operations are JSON in memory.
            let request = request.map(|body| body.bytes().unwrap_or_default().to_vec());
            let request = reqwest::Request::try_from(request)
                .map_err(|error| ConnectorError::user(error.into()))?;
            let response = client.execute(request).await.map_err(connector_error)?;
            let mut answer = http::Response::builder().status(response.status());
            if let Some(headers) = answer.headers_mut() {
                headers.clone_from(response.headers());
            }
            let body = response.bytes().await.map_err(connector_error)?;
            let answer = answer
                .body(SdkBody::from(body))
                .map_err(|error| ConnectorError::user(error.into()))?;
            HttpResponse::try_from(answer).map_err(|error| ConnectorError::user(error.into()))
        })
    }
}

fn connector_error(error: reqwest::Error) -> ConnectorError {
    if error.is_timeout() {
        ConnectorError::timeout(error.into())
    } else {
        ConnectorError::io(error.into())
    }
}

/// An error and its causes, for the log. Not its `Debug`, which may hold an answer.
#[must_use]
pub fn causes(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

/// Reads an address to which paths are added, and gives it as the client writes it. The client's
/// own parser judges it, because two parsers can find two hosts in one text.
pub fn address(text: &str, plain: PlainHttp) -> Result<String, NotAnAddress> {
    let wrong_kind = match plain {
        PlainHttp::Anywhere => NotAnAddress::NotHttp,
        PlainHttp::OnThisMachine => NotAnAddress::NotHttps,
    };
    let url = reqwest::Url::parse(text).map_err(|_| wrong_kind)?;
    let is_allowed = match (url.scheme(), plain) {
        ("https", _) | ("http", PlainHttp::Anywhere) => true,
        ("http", PlainHttp::OnThisMachine) => url.host_str().is_some_and(is_this_machine),
        _ => false,
    };
    if !is_allowed || url.host_str().is_none() {
        return Err(wrong_kind);
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(NotAnAddress::HasUser);
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(NotAnAddress::HasQuery);
    }
    Ok(url.as_str().trim_end_matches('/').to_owned())
}

/// Whether a host, as [`reqwest::Url`] writes it, is this machine: by its whole name or address,
/// never by a beginning.
fn is_this_machine(host: &str) -> bool {
    host == "localhost"
        || host == "[::1]"
        || host.parse::<Ipv4Addr>().is_ok_and(|address| address.is_loopback())
}
