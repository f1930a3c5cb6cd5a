//! Servers behind TLS, with a certificate authority of the tests' own, and a proxy before them.
//!
//! A front ends TLS before a server of the tests, and passes on what it gets. The bench has it, too.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{HandshakeKind, ServerConfig, SupportedProtocolVersion};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

/// The names that a good certificate is for.
const NAMES: [&str; 4] = ["localhost", "127.0.0.1", "api.hubapi.com", "*.us-east-1.amazonaws.com"];

/// An authority that signs certificates.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: CertificateDer<'static>,
}

/// What a server shows.
#[derive(Clone, Copy, Debug)]
pub enum Shows {
    Good,
    Expired,
    /// A certificate for `other.example`.
    OtherName,
    /// A certificate of an authority that nobody knows.
    Stranger,
}

impl Authority {
    pub fn new(name: &str) -> Self {
        let mut parameters = CertificateParams::new(Vec::new()).expect("no names");
        parameters.distinguished_name.push(DnType::CommonName, name);
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let certificate = parameters.self_signed(&key).expect("a certificate").into();
        Self { issuer: Issuer::new(parameters, key), certificate }
    }

    /// The root certificate, as `SSL_CERT_FILE` has it.
    pub fn pem(&self) -> String {
        let text = STANDARD.encode(&self.certificate);
        let lines: Vec<_> = text.as_bytes().chunks(64).map(String::from_utf8_lossy).collect();
        format!(
            "# the tests' own\n-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n",
            lines.join("\n")
        )
    }

    /// How a server speaks TLS.
    pub fn config(
        &self,
        version: &'static SupportedProtocolVersion,
        shows: Shows,
    ) -> Arc<ServerConfig> {
        let names = match shows {
            Shows::OtherName => vec!["other.example".to_owned()],
            _ => NAMES.map(str::to_owned).to_vec(),
        };
        let mut parameters = CertificateParams::new(names).expect("names");
        if matches!(shows, Shows::Expired) {
            parameters.not_after = rcgen::date_time_ymd(2026, 1, 2);
        }
        let key = KeyPair::generate().expect("a key");
        let stranger = Self::new("a stranger");
        let authority = if matches!(shows, Shows::Stranger) { &stranger } else { self };
        let certificate = parameters.signed_by(&key, &authority.issuer).expect("a certificate");
        let key = PrivateKeyDer::try_from(key.serialize_der()).expect("a key");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[version])
            .expect("a version")
            .with_no_client_auth()
            .with_single_cert(vec![certificate.into()], key);
        let mut config = config.expect("the key of the certificate");
        // Whoever asks for a ticket gets no id to resume by.
        config.ticketer = rustls::crypto::ring::Ticketer::new().expect("a ticketer");
        Arc::new(config)
    }
}

/// A server that speaks TLS, until it is dropped.
pub struct Front {
    pub address: SocketAddr,
    state: Arc<State>,
    task: JoinHandle<()>,
}

struct State {
    upstream: SocketAddr,
    config: Mutex<Arc<ServerConfig>>,
    handshakes: Mutex<Vec<HandshakeKind>>,
    /// Changes when all connections are to be closed.
    closes: watch::Sender<()>,
    /// Whether the next request is swallowed, and its connection broken.
    breaks: AtomicBool,
}

impl Front {
    /// A front before the server at this address.
    pub async fn before(upstream: SocketAddr, config: Arc<ServerConfig>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let state = Arc::new(State {
            upstream,
            config: Mutex::new(config),
            handshakes: Mutex::default(),
            closes: watch::Sender::new(()),
            breaks: AtomicBool::new(false),
        });
        let shared = Arc::clone(&state);
        let task = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                connections.spawn(connection(stream, Arc::clone(&shared)));
            }
        });
        Self { address, state, task }
    }

    /// Speaks TLS in another way from now on, and closes the connections that are open.
    pub fn speaks(&self, config: Arc<ServerConfig>) {
        *self.state.config.lock().expect("no panic") = config;
        self.closes();
    }

    /// The handshakes so far that succeeded.
    pub fn handshakes(&self) -> Vec<HandshakeKind> {
        self.state.handshakes.lock().expect("no panic").clone()
    }

    /// Closes all connections, as a server does with those that nobody uses.
    pub fn closes(&self) {
        self.state.closes.send_replace(());
    }

    /// Swallows the next request, and breaks its connection.
    pub fn breaks(&self) {
        self.state.breaks.store(true, Ordering::Relaxed);
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Passes on what a connection brings, until it ends. What fails is its client's affair.
async fn connection(stream: TcpStream, state: Arc<State>) -> io::Result<()> {
    let mut closes = state.closes.subscribe();
    stream.set_nodelay(true)?;
    let config = Arc::clone(&state.config.lock().expect("no panic"));
    let stream = TlsAcceptor::from(config).accept(stream).await?;
    let kind = stream.get_ref().1.handshake_kind().expect("a handshake");
    state.handshakes.lock().expect("no panic").push(kind);
    let upstream = TcpStream::connect(state.upstream).await?;
    upstream.set_nodelay(true)?;
    let (mut from_client, mut to_client) = tokio::io::split(stream);
    let (mut from_server, mut to_server) = upstream.into_split();
    let requests = async {
        let mut bytes = vec![0; 16 * 1024];
        loop {
            let count = from_client.read(&mut bytes).await?;
            if count == 0 || state.breaks.swap(false, Ordering::Relaxed) {
                return io::Result::Ok(());
            }
            to_server.write_all(&bytes[..count]).await?;
        }
    };
    tokio::select! {
        _ = closes.changed() => {}
        _ = requests => return Ok(()),
        _ = tokio::io::copy(&mut from_server, &mut to_client) => {}
    }
    to_client.shutdown().await
}

/// What a story wants between its functions and its servers.
pub struct Wanted {
    /// The one version that the servers speak.
    pub version: &'static SupportedProtocolVersion,
    pub has_proxy: bool,
}

/// What stands between a story's functions and its servers.
pub struct Tls {
    pub authority: Authority,
    pub hubspot: Front,
    pub secrets: Front,
    pub sqs: Option<Front>,
    pub proxy: Option<Proxy>,
}

impl Tls {
    /// Fronts before the servers at these addresses.
    pub async fn before(
        wanted: &Wanted,
        [hubspot, secrets]: [&str; 2],
        sqs: Option<String>,
    ) -> Self {
        let authority = Authority::new("the tests");
        let front = async |url: &str| {
            let address = url.trim_start_matches("http://").parse().expect("an address");
            Front::before(address, authority.config(wanted.version, Shows::Good)).await
        };
        let (hubspot, secrets) = (front(hubspot).await, front(secrets).await);
        let sqs = match sqs {
            Some(url) => Some(front(&url).await),
            None => None,
        };
        let tls = Self { authority, hubspot, secrets, sqs, proxy: None };
        if wanted.has_proxy { tls.behind_proxy().await } else { tls }
    }

    /// Puts a proxy before the fronts that leads to them by the names that HubSpot and AWS have for
    /// everybody.
    async fn behind_proxy(mut self) -> Self {
        let mut routes = BTreeMap::from([
            ("api.hubapi.com:443", self.hubspot.address),
            ("secretsmanager.us-east-1.amazonaws.com:443", self.secrets.address),
        ]);
        if let Some(sqs) = &self.sqs {
            routes.insert("sqs.us-east-1.amazonaws.com:443", sqs.address);
        }
        self.proxy = Some(Proxy::to(routes).await);
        self
    }

    /// The settings of a function that go this way; an empty value removes one.
    pub fn variables(&self) -> Vec<(&'static str, String)> {
        let mut urls = vec![
            ("HUBSPOT_BASE_URL", &self.hubspot),
            ("AWS_ENDPOINT_URL_SECRETS_MANAGER", &self.secrets),
        ];
        urls.extend(self.sqs.as_ref().map(|sqs| ("AWS_ENDPOINT_URL_SQS", sqs)));
        // Sessions are kept by the server's name: another one than HubSpot's, as in earnest.
        let mut variables = Vec::new();
        for (name, front) in urls {
            let host = if name == "HUBSPOT_BASE_URL" { "localhost" } else { "127.0.0.1" };
            let url = format!("https://{host}:{}", front.address.port());
            variables.push((name, if self.proxy.is_some() { String::new() } else { url }));
        }
        variables.extend(self.proxy.as_ref().map(|proxy| ("HTTPS_PROXY", proxy.url())));
        variables
    }
}

/// A proxy that leads to servers by their names.
pub struct Proxy {
    address: SocketAddr,
    heads: Arc<Mutex<Vec<String>>>,
    task: JoinHandle<()>,
}

impl Proxy {
    async fn to(routes: BTreeMap<&'static str, SocketAddr>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let (heads, routes) = (Arc::<Mutex<Vec<String>>>::default(), Arc::new(routes));
        let shared = Arc::clone(&heads);
        let task = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                connections.spawn(tunnel(stream, Arc::clone(&routes), Arc::clone(&shared)));
            }
        });
        Self { address, heads, task }
    }

    /// The address, with a user and a password.
    pub fn url(&self) -> String {
        format!("http://me:hunter2@{}", self.address)
    }

    /// What it was asked for, each with its headers.
    pub fn heads(&self) -> Vec<String> {
        self.heads.lock().expect("no panic").clone()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// <https://www.rfc-editor.org/rfc/rfc9110#section-9.3.6>
async fn tunnel(
    mut stream: TcpStream,
    routes: Arc<BTreeMap<&'static str, SocketAddr>>,
    heads: Arc<Mutex<Vec<String>>>,
) -> io::Result<()> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        head.push(char::from(stream.read_u8().await?));
    }
    let target = head.split(' ').nth(1).unwrap_or_default();
    let upstream = routes.get(target).filter(|_| head.starts_with("CONNECT "));
    heads.lock().expect("no panic").push(head.clone());
    let Some(upstream) = upstream else {
        return stream.write_all(b"HTTP/1.1 502 Bad Gateway\r\n\r\n").await;
    };
    let mut upstream = TcpStream::connect(upstream).await?;
    stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await?;
    tokio::io::copy_bidirectional(&mut stream, &mut upstream).await.map(|_| ())
}
