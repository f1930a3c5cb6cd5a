//! The portal at the desk: the stand-in, or the real one, of which tasks are only read.

use std::fs;
use std::path::Path;
use std::sync::Mutex;

use anyhow::{Context as _, Result, anyhow};
use secrecy::SecretString;
use serde_json::{Value, json};

use crate::cli::shared;
use crate::hubspot::Hubspot;
use crate::outbound::Network;
use crate::services::{self, Services};
use crate::settings::{self, ApiVersion, PortalToken};
use crate::sim::{Property, Seed, Sim, Watched};
use crate::source::{Asks, SourceFile, demands};

/// How long a secret of AWS is trusted.
const SECRET_TTL: std::time::Duration = std::time::Duration::from_mins(5);

/// The portal of the samples, for a folder that has none of its own.
const SAMPLE: &str = include_str!("../../../events/portal.json");

/// The portal.
pub(super) enum Portal {
    /// The stand-in, with the calls that nobody fetched yet.
    StandIn(Box<StandIn>),
    /// The real one.
    Online(Box<settings::Portal>),
}

/// The stand-in and how it is called.
pub(super) struct StandIn {
    pub(super) sim: Sim,
    token: SecretString,
    version: ApiVersion,
    calls: Mutex<tokio::sync::mpsc::UnboundedReceiver<Watched>>,
}

impl Portal {
    /// Starts the stand-in with the tasks of a file, or of the sample portal.
    pub(super) async fn stand_in(seed: Option<&Path>) -> Result<Self> {
        let (name, text) = match seed {
            None => ("The sample portal".to_owned(), SAMPLE.to_owned()),
            Some(file) => {
                let name = file.display().to_string();
                let text = fs::read_to_string(file);
                let text = text.map_err(|error| anyhow!("{name} can't be read: {error}."))?;
                (name, text)
            }
        };
        let seed: Seed = serde_json::from_str(&text)
            .map_err(|error| anyhow!("{name} is no portal: {error}."))?;
        let token = SecretString::from(seed.token.clone().unwrap_or_else(|| "none".to_owned()));
        let sim = Sim::start(seed, 0).await.with_context(|| format!("{name} is no portal"))?;
        sim.close_admin();
        let calls = Mutex::new(sim.watch());
        let version = ApiVersion::read(&shared::variable)?;
        Ok(Self::StandIn(Box::new(StandIn { sim, token, version, calls })))
    }

    /// The portal that the environment names.
    pub(super) fn online() -> Result<Self> {
        Ok(Self::Online(Box::new(crate::cli::portal::settings()?)))
    }

    /// A client, as the function has one. The calls of each delivery are told apart by its id.
    pub(super) fn client(&self, delivery: u64) -> Hubspot {
        match self {
            Self::StandIn(stand_in) => stand_in.client(stand_in.sim.url_for(delivery)),
            Self::Online(portal) => connect(portal),
        }
    }

    /// A client that only looks: the stand-in doesn't count its calls, and no fault strikes them.
    pub(super) fn looking_client(&self) -> Hubspot {
        match self {
            Self::StandIn(stand_in) => stand_in.client(stand_in.sim.url_to_look()),
            Self::Online(portal) => connect(portal),
        }
    }

    /// Which version of HubSpot's API is called.
    pub(super) fn version(&self) -> &ApiVersion {
        match self {
            Self::StandIn(stand_in) => &stand_in.version,
            Self::Online(portal) => &portal.hubspot.api_version,
        }
    }

    /// Whether nothing may be written.
    pub(super) fn is_online(&self) -> bool {
        matches!(self, Self::Online(_))
    }

    /// The stand-in, if it is one.
    pub(super) fn sim(&self) -> Option<&Sim> {
        match self {
            Self::StandIn(stand_in) => Some(&stand_in.sim),
            Self::Online(_) => None,
        }
    }

    /// Gives the stand-in the properties that tasks of these source files are found and guarded by,
    /// as `taskhook schema apply` does with the real portal.
    pub(super) fn define(&self, files: &[SourceFile]) {
        let Some(sim) = self.sim() else { return };
        for demand in files.iter().flat_map(demands) {
            let property = Property { name: demand.property, ..Property::default() };
            match demand.asks {
                Asks::UniqueValues => {
                    sim.define(Property { has_unique_value: true, ..property });
                }
                Asks::EventTime => {
                    sim.define(Property { kind: "datetime".to_owned(), ..property });
                }
                _ => {}
            }
        }
    }

    /// The calls since the last time.
    pub(super) fn new_calls(&self) -> Vec<Watched> {
        let Self::StandIn(stand_in) = self else { return Vec::new() };
        let mut receiver = stand_in.calls.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let mut calls = Vec::new();
        while let Ok(call) = receiver.try_recv() {
            calls.push(call);
        }
        calls
    }

    /// The portal in short.
    pub(super) fn brief(&self) -> Value {
        match self {
            Self::StandIn(stand_in) => {
                let tasks = stand_in.sim.tasks().len();
                json!({"kind": "stand-in", "name": "Stand-in portal", "tasks": tasks})
            }
            Self::Online(portal) => {
                json!({"kind": "online", "name": portal.hubspot.base_url, "tasks": null})
            }
        }
    }
}

impl StandIn {
    fn client(&self, base_url: String) -> Hubspot {
        let settings = settings::Hubspot { base_url, api_version: self.version.clone() };
        services::hubspot_with(&settings, &Network::default(), self.token.clone())
    }
}

fn connect(portal: &settings::Portal) -> Hubspot {
    match &portal.token {
        PortalToken::Given(token) => {
            services::hubspot_with(&portal.hubspot, &portal.network, token.clone())
        }
        PortalToken::Secret(secret, aws) => {
            let services = Services::new(aws.clone(), &portal.network, SECRET_TTL);
            services.hubspot(&portal.hubspot, secret.clone())
        }
    }
}
