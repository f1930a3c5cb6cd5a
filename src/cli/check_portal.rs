//! `taskhook check` against a portal: whether its properties suit the source files.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

use super::check_creation;
use super::check_links;
use super::demand::Definitions;
use super::findings::Findings;
use super::portal;
use super::shared;
use crate::files;
use crate::hubspot::{Schema, Unfit};
use crate::source::{SourceFile, demands};

/// Which portal the source files are held against, if any.
#[derive(Debug, clap::Args)]
pub(super) struct Portal {
    /// Hold every property and every constant against the portal's definitions: what `taskhook
    /// schema pull` prints
    #[arg(long, value_name = "FILE", conflicts_with = "online")]
    schema: Option<PathBuf>,
    /// Hold them against the portal itself
    #[arg(long)]
    online: bool,
}

impl Portal {
    pub(super) fn is_named(&self) -> bool {
        self.online || self.schema.is_some()
    }

    /// Holds the source files of `path` against the portal, if one is named, and adds a problem for
    /// each mistake. Returns the sentence that says that there is none, and what else there is to say.
    pub(super) fn check(
        &self,
        path: &Path,
        sources: &[SourceFile],
        findings: &mut Findings,
    ) -> Result<String> {
        let Some(schema) = self.schema()? else { return Ok(String::new()) };
        let portal =
            Definitions { schema, is_deployed: matches!(files::schema(path), Ok(Some(_))) };
        let demands: Vec<_> = sources.iter().flat_map(demands).collect();
        let (mut problems, mut told) = (Vec::new(), BTreeSet::new());
        for demand in &demands {
            if portal.schema.may_have(&demand.property) {
                if told.insert((demand.problem("").file, &demand.property)) {
                    eprintln!("{}", portal.unseen(demand));
                }
            } else if let Err(Unfit { detail: problem, .. }) = portal.check(demand) {
                problems.push(demand.problem(problem));
            }
        }
        let sentence = match (problems.is_empty(), told.is_empty()) {
            (false, _) => "",
            (true, true) => "the portal has every property, and takes every constant\n",
            (true, false) => {
                "the portal has every property that the token may see, and takes every constant\n"
            }
        };
        findings.add_problems(problems);
        let mut told = sentence.to_owned();
        if self.online {
            told.push_str(&check_links::check(sources, findings)?);
            told.push_str(&check_creation::check(sources, findings)?);
        }
        Ok(told)
    }

    fn schema(&self) -> Result<Option<Schema>> {
        if self.online {
            let answer =
                shared::block_on(async { portal::pull(&portal::connect().await?).await })??;
            return portal::schema(&answer).map(Some);
        }
        let Some(file) = &self.schema else { return Ok(None) };
        let why = match std::fs::read_to_string(file) {
            Ok(text) => match Schema::parse(&text) {
                Ok(schema) => return Ok(Some(schema)),
                Err(why) => why.to_string(),
            },
            Err(error) => format!("can't be read: {error}"),
        };
        let name = file.display();
        if file.exists() {
            // It may be another file, which nobody is to overwrite.
            bail!(
                "{name} {why}; name the file into which `taskhook schema pull` printed the \
                 portal's properties."
            );
        }
        bail!("{name} {why}; `taskhook schema pull > {name}` makes it.")
    }
}
