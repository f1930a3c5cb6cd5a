//! The environment, read once; every problem at once.

use std::fmt;
use std::ops::RangeInclusive;
use std::time::Duration;

use secrecy::SecretString;

use crate::outbound::{self, Network, PlainHttp, address};
use crate::secrets::SecretRef;
use crate::time::duration;

/// How long a sender waits at most, unless `TASKHOOK_REPLY_WITHIN` says it: most give up after ten
/// seconds.
pub const REPLY_WITHIN: Duration = Duration::from_secs(8);

/// The variable of the queue for updates: with it the durable mode is on.
const QUEUE_URL: &str = "TASKHOOK_QUEUE_URL";

/// The variable of the secret with the HubSpot token.
const TOKEN_SECRET: &str = "HUBSPOT_TOKEN_SECRET";

/// What the environment says to the function that senders call.
#[derive(Clone, Debug)]
pub struct WebhookSettings {
    /// Where updates go.
    pub destination: Destination,
    /// The queue for what can't succeed as it is.
    pub dead_letter_url: Option<String>,
    /// How long a fetched secret is trusted.
    pub secret_ttl: Duration,
    /// The time within which a sender is answered.
    pub reply_within: Duration,
    /// Whether everything is done but the writing.
    pub observe: bool,
    /// The metrics in the log, if there are any.
    pub metrics: Option<Metrics>,
    /// How AWS is reached.
    pub aws: Aws,
    /// How AWS and HubSpot are reached.
    pub network: Network,
}

/// Where the webhook sends updates.
#[derive(Clone, Debug)]
pub enum Destination {
    /// To HubSpot, in the direct mode; with the secret of the token.
    Hubspot(Hubspot, SecretRef),
    /// Into this FIFO queue, in the durable mode.
    Queue(String),
}

/// What the environment says to the function behind the queue.
#[derive(Clone, Debug)]
pub struct WorkerSettings {
    /// How HubSpot is reached.
    pub hubspot: Hubspot,
    /// Where the HubSpot token is.
    pub hubspot_token: SecretRef,
    /// The FIFO queue that the worker works off; without it retried messages wait for the whole
    /// visibility timeout.
    pub queue_url: Option<String>,
    /// The queue for what can't succeed as it is.
    pub dead_letter_url: Option<String>,
    /// How long a fetched secret is trusted.
    pub secret_ttl: Duration,
    /// How many messages a run takes at most.
    pub batch: usize,
    /// The metrics in the log, if there are any.
    pub metrics: Option<Metrics>,
    /// How AWS is reached.
    pub aws: Aws,
    /// How AWS and HubSpot are reached.
    pub network: Network,
}

/// How many messages one run of the worker may take: from Lambda's own batch to as many as HubSpot takes
/// rows in a call.
const WORKER_BATCH: RangeInclusive<usize> = 10..=100;

/// CloudWatch metrics inside of log lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metrics {
    /// Their namespace in CloudWatch.
    pub namespace: String,
    /// Whether each is there by source, too.
    pub by_source: bool,
}

/// How HubSpot is reached.
#[derive(Clone, Debug)]
pub struct Hubspot {
    /// Where it is, without a slash at the end.
    pub base_url: String,
    /// Which version of its API is called.
    pub api_version: ApiVersion,
}

/// How a portal is reached from a desk, where the token may be at hand.
#[derive(Clone, Debug)]
pub struct Portal {
    /// The token, or where it is.
    pub token: PortalToken,
    /// How HubSpot is reached.
    pub hubspot: Hubspot,
    /// The way there, and to AWS.
    pub network: Network,
}

/// The HubSpot token on a desk.
#[derive(Clone, Debug)]
pub enum PortalToken {
    /// The token itself.
    Given(SecretString),
    /// Where it is, as for the functions.
    Secret(SecretRef, Aws),
}

/// How AWS is reached: what Lambda, or a developer's shell, has in the environment.
#[derive(Clone)]
pub struct Aws {
    /// The region.
    pub region: String,
    /// The key id of the credentials.
    pub access_key_id: String,
    /// The secret key of the credentials.
    pub secret_access_key: String,
    /// The token of temporary credentials.
    pub session_token: Option<String>,
    /// Where Secrets Manager is, if not where it is for everybody.
    pub secrets_manager_url: Option<String>,
    /// Where SQS is, if not where it is for everybody.
    pub sqs_url: Option<String>,
}

/// A version of HubSpot's API. Tasks, properties and owners all go by it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ApiVersion {
    /// `/crm/v3/objects/...`, which HubSpot supports until September 2027.
    V3,
    /// `/crm/objects/2026-03/...`
    Date(String),
}

/// One variable that is wrong or missing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{variable}: {message}")]
pub struct WrongSetting {
    /// The variable.
    pub variable: &'static str,
    /// What is wrong, and what to do.
    pub message: String,
}

/// Reads variables and collects problems.
struct Reader<'v> {
    variable: &'v dyn Fn(&str) -> Option<String>,
    problems: Vec<WrongSetting>,
}

impl WebhookSettings {
    /// Reads the environment through `variable`, which gives a variable's value if it is set.
    pub fn read(variable: &dyn Fn(&str) -> Option<String>) -> Result<Self, Vec<WrongSetting>> {
        let mut reader = Reader::new(variable);
        let destination = if reader.get(QUEUE_URL).is_some() {
            reader.queue_url().map(Destination::Queue)
        } else {
            let (hubspot, token) = (reader.hubspot(), reader.hubspot_token());
            hubspot.zip(token).map(|(hubspot, token)| Destination::Hubspot(hubspot, token))
        };
        let dead_letter_url = reader.dead_letter_url();
        let secret_ttl = reader.secret_ttl();
        let reply_within = reader.reply_within();
        let observe = reader.observe();
        let metrics = reader.metrics();
        let aws = Aws::read(&mut reader);
        let network = reader.network();
        let settings = destination.zip(aws).map(|(destination, aws)| Self {
            destination,
            dead_letter_url,
            secret_ttl,
            reply_within,
            observe,
            metrics,
            aws,
            network,
        });
        reader.finish(settings)
    }
}

impl WorkerSettings {
    /// Reads the environment through `variable`, which gives a variable's value if it is set.
    pub fn read(variable: &dyn Fn(&str) -> Option<String>) -> Result<Self, Vec<WrongSetting>> {
        let mut reader = Reader::new(variable);
        let hubspot = reader.hubspot();
        let hubspot_token = reader.hubspot_token();
        let queue_url = reader.queue_url();
        let dead_letter_url = reader.dead_letter_url();
        let secret_ttl = reader.secret_ttl();
        let batch = reader.worker_batch();
        let metrics = reader.metrics();
        let aws = Aws::read(&mut reader);
        let network = reader.network();
        let settings = match (hubspot, hubspot_token, aws) {
            (Some(hubspot), Some(hubspot_token), Some(aws)) => Some(Self {
                hubspot,
                hubspot_token,
                queue_url,
                dead_letter_url,
                secret_ttl,
                batch,
                metrics,
                aws,
                network,
            }),
            _ => None,
        };
        reader.finish(settings)
    }
}

impl Portal {
    /// Reads what the environment says about the portal: `HUBSPOT_TOKEN`, else the same as for the
    /// functions.
    pub fn read(variable: &dyn Fn(&str) -> Option<String>) -> Result<Self, Vec<WrongSetting>> {
        let mut reader = Reader::new(variable);
        let hubspot = reader.hubspot();
        let token = match (reader.get("HUBSPOT_TOKEN"), reader.get(TOKEN_SECRET)) {
            (Some(token), _) => Some(PortalToken::Given(SecretString::from(token))),
            (None, Some(_)) => {
                let secret = reader.hubspot_token();
                let aws = Aws::read(&mut reader);
                secret.zip(aws).map(|(secret, aws)| PortalToken::Secret(secret, aws))
            }
            (None, None) => {
                let why = "set it to HubSpot's access token, or HUBSPOT_TOKEN_SECRET to the name \
                           or ARN of its secret";
                reader.required("HUBSPOT_TOKEN", why);
                None
            }
        };
        let network = reader.network();
        let portal = token.zip(hubspot).map(|(token, hubspot)| Self { token, hubspot, network });
        reader.finish(portal)
    }
}

impl Aws {
    /// Reads what the environment says about AWS and the way there alone.
    pub fn from_environment(
        variable: &dyn Fn(&str) -> Option<String>,
    ) -> Result<(Self, Network), Vec<WrongSetting>> {
        let mut reader = Reader::new(variable);
        let aws = Self::read(&mut reader);
        let network = reader.network();
        reader.finish(aws.map(|aws| (aws, network)))
    }

    fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let why = "Lambda sets it; elsewhere set it as for the AWS command line";
        let region = reader.get("AWS_REGION").or_else(|| reader.get("AWS_DEFAULT_REGION"));
        let region = region.or_else(|| reader.required("AWS_REGION", why));
        let access_key_id = reader.required("AWS_ACCESS_KEY_ID", why);
        let secret_access_key = reader.required("AWS_SECRET_ACCESS_KEY", why);
        let session_token = reader.get("AWS_SESSION_TOKEN");
        let everything = reader.url("AWS_ENDPOINT_URL", PlainHttp::Anywhere);
        let mut of = |name| reader.url(name, PlainHttp::Anywhere).or_else(|| everything.clone());
        let (secrets_manager_url, sqs_url) =
            (of("AWS_ENDPOINT_URL_SECRETS_MANAGER"), of("AWS_ENDPOINT_URL_SQS"));
        Some(Self {
            region: region?,
            access_key_id: access_key_id?,
            secret_access_key: secret_access_key?,
            session_token,
            secrets_manager_url,
            sqs_url,
        })
    }
}

/// Reads what the environment says about the way to other machines alone.
pub fn network(variable: &dyn Fn(&str) -> Option<String>) -> Result<Network, Vec<WrongSetting>> {
    let mut reader = Reader::new(variable);
    let network = reader.network();
    reader.finish(Some(network))
}

impl fmt::Debug for Aws {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Aws").field("region", &self.region).finish_non_exhaustive()
    }
}

impl ApiVersion {
    /// Reads what the environment says about the version alone.
    pub fn read(variable: &dyn Fn(&str) -> Option<String>) -> Result<Self, WrongSetting> {
        let mut reader = Reader::new(variable);
        let version = reader.hubspot_api_version();
        match reader.problems.pop() {
            Some(problem) => Err(problem),
            None => Ok(version.unwrap_or_default()),
        }
    }

    fn parse(text: &str) -> Result<Self, NotAVersion> {
        if text == "v3" {
            return Ok(Self::V3);
        }
        let bytes = text.as_bytes();
        let is_date = bytes.len() == 7
            && bytes[4] == b'-'
            && [&bytes[..4], &bytes[5..]].concat().iter().all(u8::is_ascii_digit);
        if is_date { Ok(Self::Date(text.to_owned())) } else { Err(NotAVersion(text.to_owned())) }
    }
}

/// A text that names no version of HubSpot's API.
#[derive(Debug, thiserror::Error)]
#[error("it is {0:?}; write a date version such as 2026-03, or v3")]
struct NotAVersion(String);

impl Default for ApiVersion {
    fn default() -> Self {
        Self::Date("2026-03".to_owned())
    }
}

impl<'v> Reader<'v> {
    fn new(variable: &'v dyn Fn(&str) -> Option<String>) -> Self {
        Self { variable, problems: Vec::new() }
    }

    /// The settings, unless anything is wrong. Settings that lack something have a problem.
    fn finish<T>(self, settings: Option<T>) -> Result<T, Vec<WrongSetting>> {
        match settings {
            Some(settings) if self.problems.is_empty() => Ok(settings),
            _ => Err(self.problems),
        }
    }

    /// The value of a variable; an empty one is as good as none.
    fn get(&self, name: &str) -> Option<String> {
        let value = (self.variable)(name)?;
        let trimmed = value.trim();
        (!trimmed.is_empty()).then(|| trimmed.to_owned())
    }

    fn problem(&mut self, variable: &'static str, message: String) {
        self.problems.push(WrongSetting { variable, message });
    }

    fn required(&mut self, name: &'static str, why: &str) -> Option<String> {
        let value = self.get(name);
        if value.is_none() {
            self.problem(name, format!("it is not set; {why}"));
        }
        value
    }

    /// The parsed value. What is wrong with it becomes a problem.
    fn parsed<T>(&mut self, name: &'static str, result: Result<T, impl ToString>) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(why) => {
                self.problem(name, why.to_string());
                None
            }
        }
    }

    fn hubspot(&mut self) -> Option<Hubspot> {
        let base_url = self.url("HUBSPOT_BASE_URL", PlainHttp::OnThisMachine);
        Some(Hubspot {
            base_url: base_url.unwrap_or_else(|| "https://api.hubapi.com".to_owned()),
            api_version: self.hubspot_api_version()?,
        })
    }

    fn hubspot_api_version(&mut self) -> Option<ApiVersion> {
        const NAME: &str = "HUBSPOT_API_VERSION";
        match self.get(NAME) {
            None => Some(ApiVersion::default()),
            Some(text) => self.parsed(NAME, ApiVersion::parse(&text)),
        }
    }

    fn hubspot_token(&mut self) -> Option<SecretRef> {
        let why = "set it to the name or ARN of the secret with the HubSpot token";
        let text = self.required(TOKEN_SECRET, why)?;
        self.parsed(TOKEN_SECRET, SecretRef::parse(&text))
    }

    fn queue_url(&mut self) -> Option<String> {
        let url = self.url(QUEUE_URL, PlainHttp::Anywhere)?;
        if !is_fifo(&url) {
            let message = "it is not a FIFO queue, whose name ends in .fifo; in another the \
                           updates of a task would overtake each other";
            self.problem(QUEUE_URL, message.to_owned());
        }
        Some(url)
    }

    fn dead_letter_url(&mut self) -> Option<String> {
        const NAME: &str = "TASKHOOK_DEAD_LETTER_URL";
        let url = self.url(NAME, PlainHttp::Anywhere)?;
        // A wrong queue address is reported where it is read.
        let queue = self.get(QUEUE_URL).and_then(|text| address(&text, PlainHttp::Anywhere).ok());
        if queue.as_ref() == Some(&url) {
            let message = "it is the queue for updates; name another, or dead letters would go \
                           round and round";
            self.problem(NAME, message.to_owned());
        }
        Some(url)
    }

    fn secret_ttl(&mut self) -> Duration {
        self.duration("TASKHOOK_SECRET_TTL", Duration::from_mins(5))
    }

    fn reply_within(&mut self) -> Duration {
        const NAME: &str = "TASKHOOK_REPLY_WITHIN";
        let limit = self.duration(NAME, REPLY_WITHIN);
        if limit.is_zero() {
            let message = "no sender can be answered within 0 seconds; write 8s, say";
            self.problem(NAME, message.to_owned());
        }
        limit
    }

    fn worker_batch(&mut self) -> usize {
        const NAME: &str = "TASKHOOK_WORKER_BATCH";
        let most = *WORKER_BATCH.end();
        let Some(text) = self.get(NAME) else { return most };
        match text.parse() {
            Ok(messages) if WORKER_BATCH.contains(&messages) => messages,
            _ => {
                self.problem(NAME, format!("it is {text:?}; write a number from 10 to 100"));
                most
            }
        }
    }

    fn observe(&mut self) -> bool {
        const NAME: &str = "TASKHOOK_OBSERVE";
        match self.get(NAME).as_deref() {
            None | Some("0" | "false") => false,
            Some("1" | "true") => true,
            Some(other) => {
                self.problem(NAME, format!("it is {other:?}; write 1, or leave it unset"));
                false
            }
        }
    }

    /// What the variables say by which other programs find their way, too.
    fn network(&mut self) -> Network {
        const ROOTS: &str = "SSL_CERT_FILE";
        const PROXY: &str = "HTTPS_PROXY";
        let roots = match self.get(ROOTS) {
            None => None,
            Some(path) => self.parsed(ROOTS, outbound::roots(&path)),
        };
        let without = self.get("NO_PROXY").or_else(|| self.get("no_proxy")).unwrap_or_default();
        let proxy = match self.get(PROXY).or_else(|| self.get("https_proxy")) {
            None => None,
            Some(text) => {
                let proxy = outbound::proxy(&text, &without);
                self.parsed(PROXY, proxy.map_err(|why| format!("it is {}; {why}", shown(&text))))
            }
        };
        Network { roots: roots.unwrap_or_default(), proxy }
    }

    /// CloudWatch finds metrics in lines of JSON alone.
    fn metrics(&mut self) -> Option<Metrics> {
        const NAME: &str = "TASKHOOK_METRICS";
        let is_json = self
            .get("AWS_LAMBDA_LOG_FORMAT")
            .is_some_and(|format| format.eq_ignore_ascii_case("json"));
        let namespace = self.namespace();
        let by_source = match self.get(NAME).as_deref() {
            None | Some("on") => false,
            Some("source") => true,
            Some("off") => return None,
            Some(other) => {
                self.problem(NAME, format!("it is {other:?}; write on, source or off"));
                return None;
            }
        };
        is_json.then_some(Metrics { namespace, by_source })
    }

    /// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_MetricDatum.html>
    fn namespace(&mut self) -> String {
        const NAME: &str = "AWS_EMF_NAMESPACE";
        let Some(text) = self.get(NAME) else { return "Taskhook".to_owned() };
        let is_taken = |c: char| c.is_ascii_alphanumeric() || " ._-/#:".contains(c);
        let is_free = !text.starts_with("AWS/") && !text.starts_with(':');
        if text.len() > 255 || !text.chars().all(is_taken) || !is_free {
            let message = "it is no namespace that CloudWatch takes: up to 255 letters, digits and \
                           ._-/#:, and not AWS's own";
            self.problem(NAME, message.to_owned());
        }
        text
    }

    fn duration(&mut self, name: &'static str, default: Duration) -> Duration {
        match self.get(name) {
            None => default,
            Some(text) => self.parsed(name, duration(&text)).unwrap_or(default),
        }
    }

    /// An address without a slash at the end: HTTPS, or HTTP where that is allowed.
    fn url(&mut self, name: &'static str, plain: PlainHttp) -> Option<String> {
        let text = self.get(name)?;
        let address = address(&text, plain);
        self.parsed(name, address.map_err(|why| format!("it is {}; {why}", shown(&text))))
    }
}

/// Whether a queue keeps the order of each message group; SQS says so by the name, at the end of
/// the queue's address.
#[must_use]
pub fn is_fifo(url: &str) -> bool {
    url.strip_suffix(".fifo").is_some()
}

/// A wrong address as it may be logged: it can hold a password before the `@`.
fn shown(address: &str) -> String {
    let rest = address.rsplit_once('@').map(|(_, rest)| format!("...@{rest}"));
    format!("{:?}", rest.as_deref().unwrap_or(address))
}

#[cfg(test)]
mod tests;
