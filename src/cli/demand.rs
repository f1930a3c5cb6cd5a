//! Whether a portal gives what the source files ask of it, and what to do where it doesn't.

use crate::hubspot::{Schema, Unfit};
use crate::outcome::FailReason;
use crate::source::{Asks, Demand, Warning};

/// What a portal's tasks take.
pub(super) struct Definitions {
    pub(super) schema: Schema,
    /// Whether the functions know it too: then they put values right that can be.
    pub(super) is_deployed: bool,
}

/// What `as = "datetime"` and `as = "date"` make of a time.
const DATETIME: &str = "2026-03-05T14:02:11.000Z";
const DATE: &str = "2026-03-05";

impl Definitions {
    /// Holds a demand against the definitions. The failure says what is wrong and what to do.
    pub(super) fn check(&self, demand: &Demand) -> Result<(), Unfit> {
        let name = &demand.property;
        let checked = match &demand.asks {
            Asks::UniqueValues => self.schema.check_id_property(name),
            Asks::EventTime => self.schema.check_updated_at_property(name),
            Asks::Writing => self.schema.check_writable(name),
            Asks::Text(text) => return self.check_text(name, text),
            Asks::DateTime => return self.check_time(name, "datetime", DATETIME),
            Asks::Date => return self.check_time(name, "date", DATE),
        };
        checked.map_err(|Unfit { reason, detail }| {
            let detail = format!("{detail}; {}", self.advice(demand, reason));
            Unfit { reason, detail }
        })
    }

    /// A property that the definitions lack and the portal may have.
    pub(super) fn unseen(&self, demand: &Demand) -> Warning {
        let name = &demand.property;
        let nearest = self.schema.nearest(name).map(|meant| format!("; did you mean `{meant}`?"));
        Warning(demand.problem(format!(
            "{name}: the portal has no such property, unless it is a sensitive one, which the token may not see{}",
            nearest.unwrap_or_default()
        )))
    }

    fn check_text(&self, name: &str, text: &str) -> Result<(), Unfit> {
        match self.schema.check_value(name, text) {
            Ok(fit) if fit == text || self.is_deployed => Ok(()),
            Ok(fit) => Err(Unfit {
                reason: FailReason::InvalidValue,
                detail: format!("{name}: HubSpot takes {text:?} as {fit:?} only; write that"),
            }),
            Err(Unfit { reason: FailReason::InvalidValue, detail })
                if detail.contains(" is not one of ") =>
            {
                let detail = format!("{detail}; write one of these");
                Err(Unfit { reason: FailReason::InvalidValue, detail })
            }
            result => of_the_value(result.map(|_| ())),
        }
    }

    fn check_time(&self, name: &str, form: &str, written: &str) -> Result<(), Unfit> {
        let checked = of_the_value(self.schema.check_value(name, written).map(|_| ()));
        checked.map_err(|Unfit { reason, detail }| {
            let detail = format!("what as = {form:?} writes doesn't fit {detail}");
            Unfit { reason, detail }
        })?;
        self.check_text(name, written)
    }

    fn advice(&self, demand: &Demand, reason: FailReason) -> String {
        let is_for_apply = matches!(demand.asks, Asks::UniqueValues | Asks::EventTime);
        let nearest =
            self.schema.nearest(&demand.property).map(|name| format!("did you mean `{name}`?"));
        match (reason, nearest) {
            (FailReason::UnknownProperty, Some(meant)) if is_for_apply => {
                format!("{meant} If not, `taskhook schema apply` creates it")
            }
            (FailReason::UnknownProperty, Some(meant)) => meant,
            (FailReason::UnknownProperty, None) if is_for_apply => "`taskhook schema apply` creates it".to_owned(),
            (FailReason::UnknownProperty, None) => "create it in HubSpot, or correct the name".to_owned(),
            _ if is_for_apply => {
                "that can't be changed later: name another property, and `taskhook schema apply` creates it".to_owned()
            }
            _ => "leave it out".to_owned(),
        }
    }
}

/// What is wrong with a property whatever the value is is told once, where the property is named.
fn of_the_value(checked: Result<(), Unfit>) -> Result<(), Unfit> {
    checked.or_else(|unfit| match unfit.reason {
        FailReason::UnknownProperty | FailReason::ReadOnlyProperty => Ok(()),
        _ => Err(unfit),
    })
}
