//! One program, as Lambda would run it.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde_json::{Map, Value};

use crate::Result;
use crate::aws::Aws;
use crate::network::{Network, Way};

/// A program, its environment besides what Lambda sets, and the network around it.
pub(crate) struct Program {
    /// The file, and arguments.
    pub(crate) command: Vec<PathBuf>,
    pub(crate) environment: Vec<(&'static str, String)>,
    pub(crate) network: Network,
    /// The way to HubSpot.
    pub(crate) hubspot: Option<Way>,
    /// The root certificate of the servers.
    pub(crate) roots: PathBuf,
}

/// A program that runs; dropping it ends it.
pub(crate) struct Running {
    pub(crate) aws: Aws,
    /// From before the program was started to its asking for the first event.
    pub(crate) start: Duration,
    process: Process,
    log: PathBuf,
}

struct Process(Child);

impl Program {
    /// The size of the file in bytes.
    pub(crate) fn size(&self) -> Result<u64> {
        Ok(fs::metadata(&self.command[0])?.len())
    }

    /// Starts the program and waits until it asks for the first event.
    pub(crate) async fn start(&self, secrets: &Map<String, Value>) -> Result<Running> {
        let mut aws = Aws::start(secrets.clone(), &self.network).await?;
        let log = Path::new(env!("CARGO_TARGET_TMPDIR")).join("bench.log");
        let mut command = Command::new(&self.command[0]);
        command
            .args(&self.command[1..])
            .env_clear()
            .env("AWS_LAMBDA_RUNTIME_API", aws.runtime_api.to_string())
            .env("AWS_LAMBDA_FUNCTION_NAME", "taskhook")
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128")
            .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
            .env("AWS_REGION", "eu-central-1")
            .env("AWS_ACCESS_KEY_ID", "local")
            .env("AWS_SECRET_ACCESS_KEY", "local")
            .env("AWS_ENDPOINT_URL", &aws.way.url)
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(File::create(&log)?);
        if let Some(way) = &self.hubspot {
            command.env("HUBSPOT_BASE_URL", &way.url);
        }
        if self.network.has_tls() {
            command.env("SSL_CERT_FILE", &self.roots);
        }
        let before = Instant::now();
        let process =
            command.spawn().map_err(|error| format!("{}: {error}", self.command[0].display()))?;
        let process = Process(process);
        let start = aws.next().await? - before;
        Ok(Running { aws, start, process, log })
    }
}

impl Running {
    /// How long the threads of the program have had a processor, also those that ended.
    pub(crate) fn cpu(&self) -> Result<Duration> {
        static CLOCKS: LazyLock<Mutex<Result<Clocks>>> =
            LazyLock::new(|| Mutex::new(Clocks::start()));
        let mut clocks = CLOCKS.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *clocks {
            Ok(clocks) => clocks.read(self.process.0.id()),
            Err(error) => Err(format!("python3: {error}").into()),
        }
    }

    /// The most memory that was in use at one time, in KiB.
    pub(crate) fn peak_memory(&self) -> Result<u64> {
        let path = Path::new("/proc").join(self.process.0.id().to_string()).join("status");
        let text = fs::read_to_string(path)?;
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix("VmHWM:"))
            .ok_or("no VmHWM: this needs Linux")?;
        Ok(line.trim().trim_end_matches(" kB").parse()?)
    }

    /// How many bytes it has logged.
    pub(crate) fn logged(&self) -> Result<u64> {
        Ok(fs::metadata(&self.log)?.len())
    }
}

/// Reads the clocks of processes. `/proc` forgets threads that have ended, and the clock is a call
/// that Rust has none for without `unsafe`; Python has.
struct Clocks {
    asks: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Clocks {
    fn start() -> Result<Self> {
        let script = "import sys, time\n\
                      for pid in sys.stdin: print(time.clock_gettime_ns(~int(pid) << 3 | 2), flush=True)";
        let mut command = Command::new("python3");
        command.args(["-c", script]).stdin(Stdio::piped()).stdout(Stdio::piped());
        // It ends with the bench, when it finds its standard input closed.
        let mut process = command.spawn()?;
        let asks = process.stdin.take().ok_or("no standard input")?;
        let answers = process.stdout.take().ok_or("no standard output")?;
        Ok(Self { asks, answers: BufReader::new(answers) })
    }

    fn read(&mut self, pid: u32) -> Result<Duration> {
        writeln!(self.asks, "{pid}")?;
        let mut line = String::new();
        self.answers.read_line(&mut line)?;
        Ok(Duration::from_nanos(line.trim().parse()?))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It can only have ended by itself already.
        _ = self.0.kill();
        _ = self.0.wait();
    }
}
