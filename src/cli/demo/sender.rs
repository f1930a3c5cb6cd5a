//! A ticket system of the demo: it signs webhooks, and sends them to the function.

use std::path::Path;

use anyhow::{Context as _, Result, anyhow};
use http::StatusCode;
use secrecy::SecretString;
use serde_json::Value;

use super::stage::{PATIENCE, Stage};
use crate::cli::cases::Secrets;
use crate::cli::headers;
use crate::cli::payload;
use crate::delivery::{Delivery, Scheme};
use crate::outbound;
use crate::source::Sources;
use crate::time::Time;

/// A system that signs the Standard Webhooks way.
pub(super) struct Sender<'s> {
    url: String,
    path: &'s str,
    scheme: &'s Scheme,
    secret: SecretString,
    client: outbound::Client,
}

impl<'s> Sender<'s> {
    /// The sender of a source.
    pub(super) fn new(stage: &Stage, sources: &'s Sources, name: &str) -> Result<Self> {
        let source = payload::source(sources, name)?;
        let proof = source.verify.proof.as_ref();
        let proof = proof.with_context(|| format!("the source {name} verifies nothing"))?;
        let mut secrets = Secrets::read(Path::new("events"))?.of_source(source)?;
        let secret = secrets.pop();
        Ok(Self {
            url: format!("{}{}", stage.function_url, source.path),
            path: &source.path,
            scheme: &proof.scheme,
            secret: secret.with_context(|| format!("events/secrets.json has none for {name}"))?,
            client: outbound::client(true),
        })
    }

    /// A webhook with this id, signed now.
    pub(super) fn webhook(&self, id: &str, body: &Value) -> Result<Delivery> {
        let mut webhook = payload::post(self.path.to_owned(), Time::now());
        webhook.body = body.to_string().into();
        headers::insert(&mut webhook.headers, "content-type", "application/json")?;
        headers::insert(&mut webhook.headers, "webhook-id", id)?;
        self.scheme.sign(&mut webhook, &self.secret)?;
        Ok(webhook)
    }

    /// Sends a webhook. Returns the function's answer.
    pub(super) async fn post(&self, webhook: Delivery) -> Result<(StatusCode, String)> {
        let post = self.client.post(&self.url).headers(webhook.headers).body(webhook.body);
        let failed = |error| anyhow!("{}: {}.", self.url, outbound::causes(&error));
        let answer = post.timeout(PATIENCE).send().await.map_err(failed)?;
        let status = answer.status();
        Ok((status, answer.text().await.unwrap_or_default()))
    }
}
