//! The environment, read once; every problem at once.

use std::fmt;
use std::time::Duration;

use secrecy::SecretString;

use crate::outbound::{Plain, address};
use crate::secrets::SecretRef;
use crate::time::duration;

/// Which function reads its environment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Program {
    /// The one that senders call.
    Webhook,
    /// The one behind the queue.
    Worker,
}

/// Everything that the environment says.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where the HubSpot token is; `None` for the webhook with a queue, which never calls HubSpot.
    pub hubspot_token: Option<SecretRef>,
    /// Where HubSpot is, without a slash at the end.
    pub hubspot_base_url: String,
    /// Which version of its API is called.
    pub hubspot_api_version: ApiVersion,
    /// How long a fetched secret is trusted.
    pub secret_ttl: Duration,
    /// The time within which a sender is answered.
    pub reply_within: Duration,
    /// The FIFO queue for updates, in the durable mode.
    pub queue_url: Option<String>,
    /// The queue for what can't succeed as it is.
    pub dead_letter_url: Option<String>,
    /// Whether everything is done but the writing.
    pub observe: bool,
    /// How AWS is reached.
    pub aws: Aws,
}

/// How a portal is reached from a desk, where the token may be at hand.
#[derive(Clone, Debug)]
pub struct Portal {
    /// The token, or where it is.
    pub token: PortalToken,
    /// Where HubSpot is, without a slash at the end.
    pub hubspot_base_url: String,
    /// Which version of its API is called.
    pub hubspot_api_version: ApiVersion,
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
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The variable.
    pub variable: &'static str,
    /// What is wrong, and what to do.
    pub message: String,
}

/// Reads variables and collects problems.
struct Reader<'v> {
    variable: &'v dyn Fn(&str) -> Option<String>,
    problems: Vec<Problem>,
}

impl Settings {
    /// Reads the environment through `variable`, which gives a variable's value if it is set.
    pub fn read(
        program: Program,
        variable: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, Vec<Problem>> {
        let mut reader = Reader { variable, problems: Vec::new() };
        let queue_url = reader.url("TASKHOOK_QUEUE_URL", Plain::Anywhere);
        if queue_url.as_ref().is_some_and(|url| url.strip_suffix(".fifo").is_none()) {
            let message = "it is not a FIFO queue, whose name ends in .fifo; in another the updates of a task would \
                           overtake each other";
            reader.problem("TASKHOOK_QUEUE_URL", message.to_owned());
        }
        let dead_letter_url = reader.url("TASKHOOK_DEAD_LETTER_URL", Plain::Anywhere);
        if dead_letter_url.is_some() && dead_letter_url == queue_url {
            let message = "it is the queue for updates; name another, or dead letters would go round and round";
            reader.problem("TASKHOOK_DEAD_LETTER_URL", message.to_owned());
        }
        let calls_hubspot =
            program == Program::Worker || reader.get("TASKHOOK_QUEUE_URL").is_none();
        let hubspot_token = if calls_hubspot {
            reader.required(
                "HUBSPOT_TOKEN_SECRET",
                "set it to the name or ARN of the secret with the HubSpot token",
            )
        } else {
            reader.get("HUBSPOT_TOKEN_SECRET")
        };
        let hubspot_token = hubspot_token
            .and_then(|text| reader.parsed("HUBSPOT_TOKEN_SECRET", SecretRef::parse(&text)));
        let hubspot_base_url = reader.hubspot_base_url();
        let hubspot_api_version = reader.hubspot_api_version();
        let secret_ttl = reader.duration("TASKHOOK_SECRET_TTL", Duration::from_mins(5));
        let reply_within = reader.duration("TASKHOOK_REPLY_WITHIN", Duration::from_secs(8));
        if reply_within.is_zero() {
            reader.problem(
                "TASKHOOK_REPLY_WITHIN",
                "no sender can be answered within 0 seconds; write 8s, say".to_owned(),
            );
        }
        let observe = match reader.get("TASKHOOK_OBSERVE").as_deref() {
            None | Some("0" | "false") => false,
            Some("1" | "true") => true,
            Some(other) => {
                reader.problem(
                    "TASKHOOK_OBSERVE",
                    format!("it is {other:?}; write 1, or leave it unset"),
                );
                false
            }
        };
        let aws = Aws::read(&mut reader);
        let settings = (|| {
            Some(Self {
                hubspot_token: hubspot_token.filter(|_| calls_hubspot),
                queue_url,
                dead_letter_url,
                hubspot_base_url,
                hubspot_api_version: hubspot_api_version?,
                secret_ttl,
                reply_within,
                observe,
                aws: aws?,
            })
        })();
        settings.filter(|_| reader.problems.is_empty()).ok_or(reader.problems)
    }
}

impl Portal {
    /// Reads what the environment says about the portal: `HUBSPOT_TOKEN`, else the same as for the
    /// functions.
    pub fn read(variable: &dyn Fn(&str) -> Option<String>) -> Result<Self, Vec<Problem>> {
        let mut reader = Reader { variable, problems: Vec::new() };
        let hubspot_base_url = reader.hubspot_base_url();
        let hubspot_api_version = reader.hubspot_api_version();
        let token = match (reader.get("HUBSPOT_TOKEN"), reader.get("HUBSPOT_TOKEN_SECRET")) {
            (Some(token), _) => Some(PortalToken::Given(SecretString::from(token))),
            (None, Some(secret)) => {
                let secret = reader.parsed("HUBSPOT_TOKEN_SECRET", SecretRef::parse(&secret));
                Aws::read(&mut reader).and_then(|aws| Some(PortalToken::Secret(secret?, aws)))
            }
            (None, None) => {
                let why = "set it to HubSpot's access token, or HUBSPOT_TOKEN_SECRET to the name or ARN of its secret";
                reader.required("HUBSPOT_TOKEN", why);
                None
            }
        };
        let portal = token.zip(hubspot_api_version).map(|(token, hubspot_api_version)| Self {
            token,
            hubspot_base_url,
            hubspot_api_version,
        });
        portal.filter(|_| reader.problems.is_empty()).ok_or(reader.problems)
    }
}

impl Aws {
    /// Reads what the environment says about AWS alone.
    pub fn from_environment(
        variable: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, Vec<Problem>> {
        let mut reader = Reader { variable, problems: Vec::new() };
        let aws = Self::read(&mut reader);
        aws.filter(|_| reader.problems.is_empty()).ok_or(reader.problems)
    }

    fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let why = "Lambda sets it; elsewhere set it as for the AWS command line";
        let region = reader.get("AWS_REGION").or_else(|| reader.get("AWS_DEFAULT_REGION"));
        let region = region.or_else(|| reader.required("AWS_REGION", why));
        let access_key_id = reader.required("AWS_ACCESS_KEY_ID", why);
        let secret_access_key = reader.required("AWS_SECRET_ACCESS_KEY", why);
        let session_token = reader.get("AWS_SESSION_TOKEN");
        let everything = reader.url("AWS_ENDPOINT_URL", Plain::Anywhere);
        let mut of = |name| reader.url(name, Plain::Anywhere).or_else(|| everything.clone());
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

impl fmt::Debug for Aws {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Aws").field("region", &self.region).finish_non_exhaustive()
    }
}

impl ApiVersion {
    /// Reads what the environment says about the version alone.
    pub fn read(variable: &dyn Fn(&str) -> Option<String>) -> Result<Self, Problem> {
        let mut reader = Reader { variable, problems: Vec::new() };
        let version = reader.hubspot_api_version();
        reader.problems.pop().map_or(Ok(version.unwrap_or_default()), Err)
    }

    fn parse(text: &str) -> Result<Self, String> {
        let is_date = |text: &str| {
            let digits = |range: std::ops::Range<usize>| {
                text.get(range).is_some_and(|part| part.bytes().all(|b| b.is_ascii_digit()))
            };
            text.len() == 7 && digits(0..4) && text.get(4..5) == Some("-") && digits(5..7)
        };
        match text {
            "v3" => Ok(Self::V3),
            date if is_date(date) => Ok(Self::Date(date.to_owned())),
            other => Err(format!("it is {other:?}; write a date version such as 2026-03, or v3")),
        }
    }
}

impl Default for ApiVersion {
    fn default() -> Self {
        Self::Date("2026-03".to_owned())
    }
}

impl Reader<'_> {
    /// The value of a variable; an empty one is as good as none.
    fn get(&self, name: &str) -> Option<String> {
        (self.variable)(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
    }

    fn problem(&mut self, variable: &'static str, message: String) {
        self.problems.push(Problem { variable, message });
    }

    fn required(&mut self, name: &'static str, why: &str) -> Option<String> {
        let value = self.get(name);
        if value.is_none() {
            self.problem(name, format!("it is not set; {why}"));
        }
        value
    }

    fn parsed<T>(&mut self, name: &'static str, result: Result<T, String>) -> Option<T> {
        result.map_err(|message| self.problem(name, message)).ok()
    }

    fn hubspot_base_url(&mut self) -> String {
        let url = self.url("HUBSPOT_BASE_URL", Plain::OnThisMachine);
        url.unwrap_or_else(|| "https://api.hubapi.com".to_owned())
    }

    fn hubspot_api_version(&mut self) -> Option<ApiVersion> {
        let version = self
            .get("HUBSPOT_API_VERSION")
            .map_or(Ok(ApiVersion::default()), |text| ApiVersion::parse(&text));
        self.parsed("HUBSPOT_API_VERSION", version)
    }

    fn duration(&mut self, name: &'static str, default: Duration) -> Duration {
        let value = self
            .get(name)
            .map_or(Ok(default), |text| duration(&text).map_err(|error| error.to_string()));
        self.parsed(name, value).unwrap_or(default)
    }

    /// An address without a slash at the end: HTTPS, or HTTP where that is allowed.
    fn url(&mut self, name: &'static str, plain: Plain) -> Option<String> {
        let text = self.get(name)?;
        let address = address(&text, plain).map_err(|why| format!("it is {}; {why}", shown(&text)));
        self.parsed(name, address)
    }
}

/// A wrong address as it may be logged: it can hold a password before the `@`.
fn shown(address: &str) -> String {
    let rest = address.rsplit_once('@').map(|(_, rest)| format!("...@{rest}"));
    format!("{:?}", rest.as_deref().unwrap_or(address))
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.variable, self.message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<Settings, Vec<Problem>> {
        read_as(Program::Webhook, variables)
    }

    fn read_as(program: Program, variables: &[(&str, &str)]) -> Result<Settings, Vec<Problem>> {
        let complete = [
            ("HUBSPOT_TOKEN_SECRET", "taskhook/hubspot"),
            ("AWS_REGION", "eu-central-1"),
            ("AWS_ACCESS_KEY_ID", "AKIA"),
            ("AWS_SECRET_ACCESS_KEY", "s3cret"),
        ];
        Settings::read(program, &|name| {
            let found = variables.iter().chain(&complete).find(|(variable, _)| *variable == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn the_defaults_are_those_of_the_contract() {
        let settings = read(&[]).unwrap();
        assert_eq!(settings.hubspot_base_url, "https://api.hubapi.com");
        assert_eq!(settings.hubspot_api_version, ApiVersion::Date("2026-03".to_owned()));
        assert_eq!((settings.secret_ttl.as_secs(), settings.reply_within.as_secs()), (300, 8));
        assert!(!settings.observe);
        assert!(!format!("{settings:?}").contains("s3cret"));
    }

    #[test]
    fn every_problem_is_told_at_once() {
        let wrong = [
            ("HUBSPOT_TOKEN_SECRET", ""),
            ("HUBSPOT_BASE_URL", "http://api.example.com"),
            ("HUBSPOT_API_VERSION", "v4"),
            ("TASKHOOK_SECRET_TTL", "5 minutes"),
            ("TASKHOOK_REPLY_WITHIN", "0s"),
            ("TASKHOOK_OBSERVE", "yes"),
            ("TASKHOOK_QUEUE_URL", "https://sqs.example.com/1/q"),
            ("TASKHOOK_DEAD_LETTER_URL", "dead-letters"),
            ("AWS_REGION", ""),
        ];
        let problems = read_as(Program::Worker, &wrong).unwrap_err();
        let mut variables: Vec<_> = problems.iter().map(|problem| problem.variable).collect();
        variables.sort_unstable();
        assert_eq!(
            variables,
            [
                "AWS_REGION",
                "HUBSPOT_API_VERSION",
                "HUBSPOT_BASE_URL",
                "HUBSPOT_TOKEN_SECRET",
                "TASKHOOK_DEAD_LETTER_URL",
                "TASKHOOK_OBSERVE",
                "TASKHOOK_QUEUE_URL",
                "TASKHOOK_REPLY_WITHIN",
                "TASKHOOK_SECRET_TTL",
            ]
        );
    }

    #[test]
    fn values_are_read() {
        let settings = read(&[
            ("HUBSPOT_BASE_URL", "http://127.0.0.1:8787/"),
            ("HUBSPOT_API_VERSION", "v3"),
            ("AWS_ENDPOINT_URL", "http://localstack:4566"),
        ])
        .unwrap();
        assert_eq!(settings.hubspot_base_url, "http://127.0.0.1:8787");
        assert_eq!(settings.hubspot_api_version, ApiVersion::V3);
        assert_eq!(settings.aws.secrets_manager_url.as_deref(), Some("http://localstack:4566"));
        assert_eq!(settings.aws.sqs_url.as_deref(), Some("http://localstack:4566"));
    }

    #[test]
    fn a_token_goes_over_plain_http_to_this_machine_alone() {
        for good in [
            "http://127.0.0.1:8787",
            "http://127.1.2.3",
            "http://localhost:8787/",
            "http://[::1]:8787",
        ] {
            assert!(read(&[("HUBSPOT_BASE_URL", good)]).is_ok(), "{good}");
        }
        for bad in [
            "http://127.0.0.1.evil.example",
            "http://127.evil.example",
            "http://localhost.evil.example",
            "http://127.0.0.1@evil.example",
            "http://127.0.0.1:80@evil.example",
            "http://evil.example\\@127.0.0.1",
            "http://evil.example#127.0.0.1",
            "http://[::1].evil.example",
            "http://[::2]",
            "http://0.0.0.0",
            "http://10.127.0.1",
        ] {
            let problems = read(&[("HUBSPOT_BASE_URL", bad)]).unwrap_err();
            assert_eq!((problems.len(), problems[0].variable), (1, "HUBSPOT_BASE_URL"), "{bad}");
            assert!(
                problems[0].message.contains("write an https:// address"),
                "{bad}: {}",
                problems[0]
            );
        }
    }

    #[test]
    fn an_address_to_which_paths_are_added_ends_with_its_path() {
        let queue = "https://sqs.eu-central-1.amazonaws.com/123456789012/updates.fifo";
        assert_eq!(
            read(&[("TASKHOOK_QUEUE_URL", queue)]).unwrap().queue_url.as_deref(),
            Some(queue)
        );
        let names = [
            "HUBSPOT_BASE_URL",
            "TASKHOOK_QUEUE_URL",
            "TASKHOOK_DEAD_LETTER_URL",
            "AWS_ENDPOINT_URL_SQS",
        ];
        for name in names {
            for (bad, part) in [
                ("https://api.hubapi.com?x=", "leave out what follows the ? or #"),
                ("https://api.hubapi.com/?", "leave out what follows the ? or #"),
                ("https://api.hubapi.com#", "leave out what follows the ? or #"),
                ("https://api.hubapi.com/q#x.fifo", "leave out what follows the ? or #"),
                ("https://me:hunter2@api.hubapi.com", "leave out the part before the @"),
                ("https://api.hubapi.com@evil.example/q.fifo", "leave out the part before the @"),
                ("https://", "write an"),
                ("ftp://api.hubapi.com", "write an"),
                ("api.hubapi.com", "write an"),
            ] {
                let problems = read(&[(name, bad)]).unwrap_err();
                let problem = problems.iter().find(|problem| problem.message.contains(part));
                assert!(
                    problem.is_some_and(|problem| problem.variable == name),
                    "{name} {bad}: {problems:?}"
                );
                assert!(!format!("{problems:?}").contains("hunter2"), "{problems:?}");
            }
        }
    }

    #[test]
    fn the_token_is_needed_where_hubspot_is_called() {
        let queue = (
            "TASKHOOK_QUEUE_URL",
            "https://sqs.eu-central-1.amazonaws.com/123456789012/updates.fifo",
        );
        let without = [("HUBSPOT_TOKEN_SECRET", ""), queue];
        assert_eq!(read(&without).unwrap().hubspot_token, None);
        assert_eq!(read(&[queue]).unwrap().hubspot_token, None);
        assert!(read(&[]).unwrap().hubspot_token.is_some());
        assert!(read_as(Program::Worker, &[queue]).unwrap().hubspot_token.is_some());
        assert_eq!(
            read_as(Program::Worker, &without).unwrap_err()[0].variable,
            "HUBSPOT_TOKEN_SECRET"
        );
    }
}
