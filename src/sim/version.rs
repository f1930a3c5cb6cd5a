//! The versions of HubSpot's API, and their differences.

/// A version that the stand-in serves, older ones first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Version {
    V3,
    /// Associations only.
    V4,
    March2026,
    September2026,
}

impl Version {
    /// Reads the version of a path and what follows it: `/crm/v3/<room>/…`, `/crm/v4/<room>/…` or
    /// `/crm/<room>/<version>/…`. Returns the version, the room and the rest.
    pub(super) fn parse<'a, 'p>(segments: &'a [&'p str]) -> Option<(Self, &'p str, &'a [&'p str])> {
        match segments {
            ["crm", "v3", room, rest @ ..] => Some((Self::V3, room, rest)),
            ["crm", "v4", room, rest @ ..] => Some((Self::V4, room, rest)),
            ["crm", room, "2026-03", rest @ ..] => Some((Self::March2026, room, rest)),
            ["crm", room, "2026-09", rest @ ..] => Some((Self::September2026, room, rest)),
            _ => None,
        }
    }

    /// Whether a partial failure answers 207; else its errors stand in a 200.
    pub(super) fn has_207(self) -> bool {
        self < Self::September2026
    }

    /// Whether results can have `warnings`.
    pub(super) fn has_warnings(self) -> bool {
        self < Self::September2026
    }

    /// Whether an administrator's rules about required properties hold for writes by the API.
    pub(super) fn enforces_rules(self) -> bool {
        self >= Self::September2026
    }

    /// Whether a `batch/read` has to carry all that its schema requires. The schema of v3 requires
    /// it as well, but HubSpot's own examples for v3 leave it out.
    pub(super) fn is_strict_about_reads(self) -> bool {
        self > Self::V3
    }
}
