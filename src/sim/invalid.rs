//! Why HubSpot refuses a value.

/// Why HubSpot refuses one value, in its own words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Invalid {
    /// The property's name.
    pub(super) name: String,
    /// HubSpot's code, such as `INVALID_OPTION`.
    pub(super) code: String,
    /// HubSpot's sentence; most begin with the value.
    pub(super) message: String,
}

impl Invalid {
    pub(super) fn unknown_property(name: &str) -> Self {
        let message = format!("Property \"{name}\" does not exist");
        Self::new(name, "PROPERTY_DOESNT_EXIST", message)
    }

    pub(super) fn read_only(name: &str) -> Self {
        let message = format!("\"{name}\" is a read only property; its value cannot be set.");
        Self::new(name, "READ_ONLY_VALUE", message)
    }

    pub(super) fn conflict(name: &str, value: &str, id: &str, holder: &str) -> Self {
        let message = format!(
            "Cannot set PropertyValueCoordinates{{propertyName={name}, value={value}}} on {id}. \
             {holder} already has that value."
        );
        Self::new(name, CONFLICT, message)
    }

    /// Word for word as others have recorded it, with the status 409.
    pub(super) fn contact_exists(holder: &str) -> Self {
        let message = format!("Contact already exists. Existing ID: {holder}");
        Self::new("email", CONTACT_EXISTS, message)
    }

    /// Word for word as HubSpot's changelog shows it.
    pub(super) fn white_space(name: &str, value: &str) -> Self {
        Self::new(
            name,
            WHITE_SPACE,
            format!("\"{value}\" includes leading or trailing whitespace."),
        )
    }

    /// HubSpot's own words are not yet proven: L43.
    pub(super) fn too_long(name: &str, most: usize) -> Self {
        let message = format!("Property values can have at most {most} characters");
        Self::new(name, "INVALID_LENGTH", message)
    }

    /// Whether another value of the same property could be right.
    pub(super) fn is_about_value(&self) -> bool {
        !["PROPERTY_DOESNT_EXIST", "READ_ONLY_VALUE"].contains(&self.code.as_str())
    }

    /// Whether `errors[]` of a refusal names it, as it does all but white space.
    pub(super) fn is_listed(&self) -> bool {
        self.code != WHITE_SPACE
    }

    /// Whether the value must be unique and is another record's.
    pub(super) fn is_conflict(&self) -> bool {
        self.code == CONFLICT
    }

    /// Whether the value is the e-mail address of another contact.
    pub(super) fn is_contact(&self) -> bool {
        self.code == CONTACT_EXISTS
    }

    pub(super) fn new(name: &str, code: &str, message: String) -> Self {
        Self { name: name.into(), code: code.into(), message }
    }
}

/// HubSpot's code for a value that must be unique and is another record's.
const CONFLICT: &str = "CONFLICTING_UNIQUE_VALUE";

const CONTACT_EXISTS: &str = "CONTACT_EXISTS";

const WHITE_SPACE: &str = "LEADING_TRAILING_WHITESPACE";
