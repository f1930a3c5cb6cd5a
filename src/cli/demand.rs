//! Holds the demands of source files against a portal, and says the cure where it doesn't meet one.

use crate::hubspot::{Schema, Unfit};
use crate::outcome::FailReason;
use crate::source::{Asks, Demand, Warning};

/// The properties of a portal's tasks.
pub(super) struct Definitions {
    pub(super) schema: Schema,
    /// Whether the functions know it too: then they put values right that can be.
    pub(super) is_deployed: bool,
}

/// A time as `as = "datetime"` and `as = "date"` write it.
const DATETIME: &str = "2026-03-05T14:02:11.000Z";
const DATE: &str = "2026-03-05";

impl Definitions {
    /// Holds a demand against the definitions. The failure has the mistake and its cure.
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
        checked.map_err(|unfit| {
            let advice = self.advice(demand, unfit.reason);
            Unfit { detail: format!("{unfit}; {advice}"), ..unfit }
        })
    }

    /// The warning about a property that the definitions lack and the portal may have.
    pub(super) fn unseen(&self, demand: &Demand) -> Warning {
        let name = &demand.property;
        let hint = match self.schema.nearest(name) {
            Some(meant) => format!("; did you mean `{meant}`?"),
            None => String::new(),
        };
        Warning(demand.problem(format!(
            "{name}: the portal has no such property, unless it is a sensitive one, which the \
             token may not see{hint}"
        )))
    }

    fn check_text(&self, name: &str, text: &str) -> Result<(), Unfit> {
        match self.schema.check_value(name, text) {
            Ok(fit) if fit == text || self.is_deployed => Ok(()),
            Ok(fit) => Err(Unfit {
                reason: FailReason::InvalidValue,
                detail: format!("{name}: HubSpot takes {text:?} as {fit:?} only; write that"),
                lists_options: false,
            }),
            Err(unfit) if unfit.lists_options => {
                Err(Unfit { detail: format!("{unfit}; write one of these"), ..unfit })
            }
            unfit => of_the_value(unfit),
        }
    }

    fn check_time(&self, name: &str, form: &str, written: &str) -> Result<(), Unfit> {
        if let Err(unfit) = of_the_value(self.schema.check_value(name, written)) {
            let detail = format!("what as = {form:?} writes doesn't fit {unfit}");
            return Err(Unfit { detail, ..unfit });
        }
        self.check_text(name, written)
    }

    /// The cure, which follows the detail.
    fn advice(&self, demand: &Demand, reason: FailReason) -> String {
        let is_for_apply = matches!(demand.asks, Asks::UniqueValues | Asks::EventTime);
        if reason != FailReason::UnknownProperty {
            return if is_for_apply { OTHER } else { "leave it out" }.to_owned();
        }
        match (self.schema.nearest(&demand.property), is_for_apply) {
            (Some(name), true) => format!("did you mean `{name}`? If not, {CREATES}"),
            (Some(name), false) => format!("did you mean `{name}`?"),
            (None, true) => CREATES.to_owned(),
            (None, false) => "create it in HubSpot, or correct the name".to_owned(),
        }
    }
}

const CREATES: &str = "`taskhook schema apply` creates it";

const OTHER: &str = "that can't be changed later: name another property, and `taskhook schema \
                     apply` creates it";

/// Leaves out a problem of the property itself, which is reported once, where the property is
/// named.
fn of_the_value(checked: Result<String, Unfit>) -> Result<(), Unfit> {
    match checked {
        Ok(_) => Ok(()),
        Err(unfit) => match unfit.reason {
            FailReason::UnknownProperty | FailReason::ReadOnlyProperty => Ok(()),
            _ => Err(unfit),
        },
    }
}
