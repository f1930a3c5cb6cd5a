//! One program, as Lambda would run it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Map, Value};

use crate::Result;
use crate::aws::Aws;

/// A program and its environment besides what Lambda sets.
pub(crate) struct Program {
    pub(crate) path: PathBuf,
    pub(crate) environment: Vec<(&'static str, String)>,
}

/// A program that runs; dropping it ends it.
pub(crate) struct Running {
    pub(crate) aws: Aws,
    /// From before the program was started to its asking for the first event.
    pub(crate) start: Duration,
    process: Process,
}

struct Process(Child);

impl Program {
    /// The size of the file in bytes.
    pub(crate) fn size(&self) -> Result<u64> {
        Ok(fs::metadata(&self.path)?.len())
    }

    /// Starts the program and waits until it asks for the first event.
    pub(crate) async fn start(&self, secrets: &Map<String, Value>) -> Result<Running> {
        let mut aws = Aws::start(secrets.clone()).await?;
        let mut command = Command::new(&self.path);
        command
            .env_clear()
            .env("AWS_LAMBDA_RUNTIME_API", aws.address().to_string())
            .env("AWS_LAMBDA_FUNCTION_NAME", "taskhook")
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128")
            .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
            .env("AWS_REGION", "eu-central-1")
            .env("AWS_ACCESS_KEY_ID", "local")
            .env("AWS_SECRET_ACCESS_KEY", "local")
            .env("AWS_ENDPOINT_URL", format!("http://{}", aws.address()))
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        let before = Instant::now();
        let process =
            command.spawn().map_err(|error| format!("{}: {error}", self.path.display()))?;
        let process = Process(process);
        let start = aws.next().await? - before;
        Ok(Running { aws, start, process })
    }
}

impl Running {
    /// How long the program has had a processor.
    pub(crate) fn cpu(&self) -> Result<Duration> {
        let text = fs::read_to_string(self.process.file("schedstat"))?;
        let nanoseconds = text.split_whitespace().next().ok_or("schedstat is empty")?;
        Ok(Duration::from_nanos(nanoseconds.parse()?))
    }

    /// The most memory that was in use at one time, in KiB.
    pub(crate) fn peak_memory(&self) -> Result<u64> {
        let text = fs::read_to_string(self.process.file("status"))?;
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix("VmHWM:"))
            .ok_or("no VmHWM: this needs Linux")?;
        Ok(line.trim().trim_end_matches(" kB").parse()?)
    }
}

impl Process {
    fn file(&self, name: &str) -> PathBuf {
        Path::new("/proc").join(self.0.id().to_string()).join(name)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It can only have ended by itself already.
        _ = self.0.kill();
        _ = self.0.wait();
    }
}
