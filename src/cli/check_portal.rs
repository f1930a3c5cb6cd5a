//! `taskhook check` against a portal: are its properties what the source files take them for?

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::demand::Definitions;
use super::portal;
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

    /// The error is everything that doesn't fit, a line each. The files are those of `path`.
    pub(super) fn check(&self, path: &Path, sources: &[SourceFile]) -> Result<(), String> {
        let Some(schema) = self.schema()? else { return Ok(()) };
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
                problems.push(demand.problem(problem).to_string());
            }
        }
        if !problems.is_empty() {
            return Err(problems.join("\n"));
        }
        if !told.is_empty() {
            return super::print(
                "the portal has every property that the token may see, and takes every constant\n",
            );
        }
        super::print("the portal has every property, and takes every constant\n")
    }

    fn schema(&self) -> Result<Option<Schema>, String> {
        if self.online {
            let answer = super::block_on(async { portal::pull(&portal::connect().await?).await })??;
            return portal::schema(&answer).map(Some);
        }
        let Some(file) = &self.schema else { return Ok(None) };
        let text = std::fs::read_to_string(file).map_err(|error| format!("can't be read: {error}"));
        let schema = text.and_then(|text| Schema::parse(&text).map_err(|error| error.to_string()));
        let name = file.display();
        schema.map(Some).map_err(|why| {
            // A file that is there may be another one, which nobody is to overwrite.
            let what_to_do = if file.exists() {
                "name the file into which `taskhook schema pull` printed the portal's properties"
                    .to_owned()
            } else {
                format!("`taskhook schema pull > {name}` makes it")
            };
            format!("{name} {why}; {what_to_do}.")
        })
    }
}
