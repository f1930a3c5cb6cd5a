//! The way from a function to a server: over TLS or not, at once or after a while.

use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use rustls::version::TLS13;

use crate::Result;
use crate::tls::{Authority, Front, Shows};

/// What lies between the functions and their servers.
#[derive(Clone)]
pub(crate) struct Network {
    pub(crate) name: &'static str,
    /// Who signs the servers' certificates; without one there is no TLS.
    authority: Option<Arc<Authority>>,
    pub(crate) round_trip: Duration,
}

/// The way to one server, until it is dropped.
pub(crate) struct Way {
    pub(crate) url: String,
    _front: Option<Front>,
    _far: Option<Far>,
}

impl Network {
    /// Without TLS.
    pub(crate) fn plain(name: &'static str, milliseconds: u64) -> Self {
        Self { name, authority: None, round_trip: Duration::from_millis(milliseconds) }
    }

    pub(crate) fn tls(name: &'static str, authority: &Arc<Authority>, milliseconds: u64) -> Self {
        let round_trip = Duration::from_millis(milliseconds);
        Self { name, authority: Some(Arc::clone(authority)), round_trip }
    }

    pub(crate) fn has_tls(&self) -> bool {
        self.authority.is_some()
    }

    /// The way to a server on this machine.
    pub(crate) async fn way(&self, server: SocketAddr) -> Result<Way> {
        let (mut address, mut front, mut far) = (server, None, None);
        if let Some(authority) = &self.authority {
            let made = Front::before(address, authority.config(&TLS13, Shows::Good)).await;
            address = made.address;
            front = Some(made);
        }
        if !self.round_trip.is_zero() {
            let made = Far::before(address, self.round_trip)?;
            address = made.address;
            far = Some(made);
        }
        let url = if self.has_tls() {
            format!("https://localhost:{}", address.port())
        } else {
            format!("http://{address}")
        };
        Ok(Way { url, _front: front, _far: far })
    }

    /// How long a byte takes to the other side and back, as it was measured: the machine adds to
    /// what was wanted.
    pub(crate) fn measured_round_trip(&self) -> Result<Duration> {
        if self.round_trip.is_zero() {
            return Ok(Duration::ZERO);
        }
        let echo = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let far = Far::before(echo.local_addr()?, self.round_trip)?;
        let mut here = TcpStream::connect(far.address)?;
        here.set_nodelay(true)?;
        let (mut there, _) = echo.accept()?;
        there.set_nodelay(true)?;
        thread::spawn(move || {
            let mut byte = [0];
            while there.read_exact(&mut byte).is_ok() && there.write_all(&byte).is_ok() {}
        });
        let mut took = Vec::new();
        for _ in 0..20 {
            let start = Instant::now();
            here.write_all(&[0])?;
            here.read_exact(&mut [0])?;
            took.push(start.elapsed());
        }
        took.sort_unstable();
        Ok(took[took.len() / 2])
    }
}

/// A forwarder that takes its time, as a cable does: half a round trip each way, and one before the
/// first byte, when a connection is made. Threads, because tokio's timer knows whole milliseconds.
struct Far {
    address: SocketAddr,
    is_over: Arc<AtomicBool>,
}

impl Far {
    fn before(server: SocketAddr, round_trip: Duration) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let is_over = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&is_over);
        thread::spawn(move || {
            for client in listener.incoming().map_while(io::Result::ok) {
                if flag.load(Ordering::Relaxed) {
                    return;
                }
                // A connection that fails is its client's affair.
                _ = forward(client, server, round_trip);
            }
        });
        Ok(Self { address, is_over })
    }
}

impl Drop for Far {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        _ = TcpStream::connect(self.address);
    }
}

fn forward(client: TcpStream, server: SocketAddr, round_trip: Duration) -> io::Result<()> {
    let connected = Instant::now() + round_trip;
    let server = TcpStream::connect(server)?;
    for stream in [&client, &server] {
        stream.set_nodelay(true)?;
    }
    one_way(client.try_clone()?, server.try_clone()?, connected, round_trip / 2);
    one_way(server, client, connected, round_trip / 2);
    Ok(())
}

/// Passes on what comes, each part `late` after it came, and none that came before `earliest`
/// sooner than if it had come then.
fn one_way(mut from: TcpStream, mut to: TcpStream, earliest: Instant, late: Duration) {
    let (parts, due) = mpsc::channel::<(Instant, Vec<u8>)>();
    thread::spawn(move || {
        let mut bytes = vec![0; 64 * 1024];
        while let Ok(count) = from.read(&mut bytes) {
            let at = Instant::now().max(earliest) + late;
            if parts.send((at, bytes[..count].to_vec())).is_err() || count == 0 {
                return;
            }
        }
    });
    thread::spawn(move || {
        for (at, bytes) in due {
            thread::sleep(at.saturating_duration_since(Instant::now()));
            if bytes.is_empty() || to.write_all(&bytes).is_err() {
                break;
            }
        }
        _ = to.shutdown(Shutdown::Both);
    });
}
