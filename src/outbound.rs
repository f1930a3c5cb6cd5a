//! The one HTTP client for everything that goes out: HubSpot, and AWS through its SDK.
//!
//! One TLS configuration with compiled-in roots: loading the machine's root certificates would cost
//! 3 ms at each start, and the SDK's own client would be a second TLS stack. `SSL_CERT_FILE` adds
//! roots to them.

use std::error::Error;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use std::{fmt, fs, io};

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, TrustAnchor, UnixTime};
use rustls::{CertificateError, ClientConfig, RootCertStore};

use crate::time::Time;

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

/// What never goes through a proxy, besides what `NO_PROXY` says.
const NEVER_PROXIED: &str = "localhost,127.0.0.0/8,::1";

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

/// Why a file gives no root certificates: what is wrong, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum NoRoots {
    /// It can't be read.
    #[error("{0} can't be read ({1}); name a file with root certificates in PEM form")]
    Unreadable(String, io::Error),
    /// A certificate in it is broken.
    #[error(
        "{0} has a certificate that is no PEM ({1}); name a file with root certificates in PEM form"
    )]
    Broken(String, rustls::pki_types::pem::Error),
    /// It has none.
    #[error(
        "{0} holds no root certificate; put some in, each between -----BEGIN CERTIFICATE----- and \
         -----END CERTIFICATE-----"
    )]
    Empty(String),
}

/// A text that names no proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("write the proxy's address, such as http://proxy.example:3128")]
pub struct NotAProxy;

/// How other machines are reached: as it is for everybody by default.
#[derive(Clone, Default)]
pub struct Network {
    /// Whom to trust besides the compiled-in authorities.
    pub roots: Vec<TrustAnchor<'static>>,
    /// The proxy for HTTPS.
    pub proxy: Option<reqwest::Proxy>,
}

/// The HTTP client of a program.
#[derive(Clone)]
pub struct Http {
    tls: ClientConfig,
    proxy: Option<reqwest::Proxy>,
    keeping: reqwest::Client,
    /// Made when it is needed: seldom.
    fresh: Arc<OnceLock<reqwest::Client>>,
}

impl fmt::Debug for Network {
    /// The address of a proxy can hold a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Network").field("roots", &self.roots.len()).finish_non_exhaustive()
    }
}

impl Http {
    /// Nothing is sent yet.
    #[must_use]
    pub fn new(network: &Network) -> Self {
        let (tls, proxy) = (tls(&network.roots), network.proxy.clone());
        let keeping = build(tls.clone(), proxy.clone(), true);
        Self { tls, proxy, keeping, fresh: Arc::default() }
    }

    /// The client that keeps connections for the next request.
    #[must_use]
    pub fn keeping(&self) -> &reqwest::Client {
        &self.keeping
    }

    /// The client that makes a connection for each request. It resumes the TLS sessions of the
    /// other.
    #[must_use]
    pub fn fresh(&self) -> &reqwest::Client {
        self.fresh.get_or_init(|| build(self.tls.clone(), self.proxy.clone(), false))
    }
}

/// A client of HTTP.
pub type Client = reqwest::Client;

/// A client for everybody's network. `keep` says whether connections are kept for the next request.
#[must_use]
pub fn client(keep: bool) -> reqwest::Client {
    build(tls(&[]), None, keep)
}

#[expect(clippy::expect_used, reason = "nothing here depends on input")]
fn tls(further_roots: &[TrustAnchor<'static>]) -> ClientConfig {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let roots = [webpki_roots::TLS_SERVER_ROOTS, further_roots].concat();
    ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("ring supports the default versions of TLS")
        .with_root_certificates(RootCertStore { roots })
        .with_no_client_auth()
}

#[expect(clippy::expect_used, reason = "nothing here depends on input")]
fn build(tls: ClientConfig, proxy: Option<reqwest::Proxy>, keep: bool) -> reqwest::Client {
    let mut builder = reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .connect_timeout(CONNECT)
        .pool_idle_timeout(IDLE)
        .pool_max_idle_per_host(if keep { usize::MAX } else { 0 })
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .resolve_to_addrs("localhost", &HERE)
        .user_agent(concat!("taskhook/", env!("CARGO_PKG_VERSION")));
    if let Some(proxy) = proxy {
        builder = builder.proxy(proxy);
    }
    builder.build().expect("the configuration is a constant")
}

/// Reads the root certificates in a PEM file, at least one. Those that no connection can be checked
/// by are left out, as a machine's own bundle may have some.
pub fn roots(path: &str) -> Result<Vec<TrustAnchor<'static>>, NoRoots> {
    let text = fs::read(path).map_err(|error| NoRoots::Unreadable(path.to_owned(), error))?;
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    let certificates = certificates.map_err(|error| NoRoots::Broken(path.to_owned(), error))?;
    let mut store = RootCertStore::empty();
    store.add_parsable_certificates(certificates);
    if store.is_empty() { Err(NoRoots::Empty(path.to_owned())) } else { Ok(store.roots) }
}

/// Reads the address of a proxy for HTTPS, and the hosts that are reached without it, by commas.
/// This machine is one of them.
pub fn proxy(address: &str, without: &str) -> Result<reqwest::Proxy, NotAProxy> {
    let has_scheme = address.contains("://");
    let address = if has_scheme { address.to_owned() } else { format!("http://{address}") };
    let url = reqwest::Url::parse(&address).map_err(|_| NotAProxy)?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
        return Err(NotAProxy);
    }
    let proxy = reqwest::Proxy::https(url).map_err(|_| NotAProxy)?;
    let without = format!("{NEVER_PROXIED},{without}");
    Ok(proxy.no_proxy(reqwest::NoProxy::from_string(&without)))
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
pub fn causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    for cause in sources(error) {
        text += ": ";
        text += &distrust(cause).unwrap_or_else(|| cause.to_string());
    }
    text
}

/// A failed request and its causes, for the log. Of the address the host alone is named: the rest
/// may hold somebody's e-mail address.
#[must_use]
pub fn causes_of_request(mut error: reqwest::Error) -> String {
    if let Some(url) = error.url_mut() {
        url.set_path("");
        url.set_query(None);
    }
    causes(&error)
}

/// Why the certificate that a server showed is not trusted, with the server's host, if that is why
/// the request failed.
#[must_use]
pub fn not_trusted(error: &reqwest::Error) -> Option<String> {
    let why = sources(error).find_map(distrust)?;
    let host = error.url().and_then(reqwest::Url::host_str).unwrap_or_default();
    Some(format!("{host} can't be trusted: {why}"))
}

fn sources(error: &dyn Error) -> impl Iterator<Item = &(dyn Error + 'static)> {
    std::iter::successors(error.source(), |error| (**error).source())
}

/// What is wrong with a certificate, and what to do, if that is what the error says.
fn distrust(error: &(dyn Error + 'static)) -> Option<String> {
    // An error of input and output doesn't name what it holds as its source.
    let mut inner = error;
    while let Some(error) = inner.downcast_ref::<io::Error>() {
        inner = error.get_ref()?;
    }
    let rustls::Error::InvalidCertificate(why) = inner.downcast_ref()? else { return None };
    Some(match why {
        CertificateError::ExpiredContext { not_after, .. } => format!(
            "its certificate expired on {}; whoever runs it has to renew it, unless this machine's \
             clock is wrong",
            date(*not_after)
        ),
        CertificateError::NotValidYetContext { not_before, .. } => format!(
            "its certificate is valid from {} on; look at this machine's clock",
            date(*not_before)
        ),
        CertificateError::NotValidForNameContext { expected, presented } => format!(
            "its certificate is for {}, not for {}; another server answers at this address",
            presented.iter().map(|name| bare(name)).collect::<Vec<_>>().join(", "),
            expected.to_str()
        ),
        CertificateError::UnknownIssuer => {
            "its certificate is signed by no authority that is known here; where a proxy inspects \
             TLS, name a file with its root certificate in SSL_CERT_FILE"
                .to_owned()
        }
        other => format!("its certificate is not valid: {other}"),
    })
}

fn date(time: UnixTime) -> String {
    let seconds = i64::try_from(time.as_secs()).unwrap_or_default();
    Time::from_milliseconds(seconds.saturating_mul(1000)).to_string()
}

/// A name of a certificate, which rustls shows as `DnsName("api.hubapi.com")`.
fn bare(name: &str) -> &str {
    let name = name.split_once('(').map_or(name, |(_, name)| name);
    name.trim_matches(['"', ')'])
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
