//! Points in time, and every way in which senders write them.
//!
//! The only home of `jiff`. Nothing here reads a clock except [`Time::now`], which only the edges call.

use std::fmt;
use std::time::Duration;

use jiff::{Timestamp, civil, tz};
use serde::{Deserialize, Serialize};

/// A point in time with the precision that HubSpot keeps: milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Time {
    milliseconds: i64,
}

/// A time as a sender wrote it: the point in time, and the calendar date in the sender's own words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Written {
    /// The point in time.
    pub time: Time,
    date: civil::Date,
}

/// The time zone of times that are written without an offset.
#[derive(Clone, Debug)]
pub struct Zone(tz::TimeZone);

impl Time {
    /// Reads the clock. For the edges of the program; everything else takes the time as an argument.
    #[must_use]
    pub fn now() -> Self {
        Self::from_milliseconds(Timestamp::now().as_millisecond())
    }

    /// A time from milliseconds since 1970-01-01 UTC.
    #[must_use]
    pub fn from_milliseconds(milliseconds: i64) -> Self {
        Self { milliseconds }
    }

    /// Milliseconds since 1970-01-01 UTC.
    #[must_use]
    pub fn milliseconds(self) -> i64 {
        self.milliseconds
    }

    /// Reads a time as HubSpot and most senders write it, in UTC where no offset is given.
    pub fn parse(text: &str) -> Result<Self, String> {
        Written::parse(text, &Zone::utc()).map(|written| written.time)
    }
}

impl From<Time> for String {
    fn from(time: Time) -> Self {
        time.to_string()
    }
}

impl TryFrom<String> for Time {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Self::parse(&text)
    }
}

impl fmt::Display for Time {
    /// ISO 8601 in UTC with milliseconds and `Z`, as HubSpot's `datetime` properties take it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match Timestamp::from_millisecond(self.milliseconds) {
            Ok(timestamp) => write!(f, "{timestamp:.3}"),
            Err(_) => write!(f, "{}", self.milliseconds),
        }
    }
}

impl Zone {
    /// UTC.
    #[must_use]
    pub fn utc() -> Self {
        Self(tz::TimeZone::UTC)
    }

    /// A zone of the IANA database by its name, such as `Europe/Berlin`; `None` when there is no such zone.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        if name.eq_ignore_ascii_case("utc") {
            return Some(Self::utc());
        }
        tz::TimeZone::get(name).ok().map(Self)
    }
}

impl Written {
    /// Reads a time from text.
    ///
    /// Digits (with an optional fraction): 9 to 11 before the point are seconds since 1970, 12 to 14 milliseconds.
    /// Otherwise `YYYY-MM-DD`, or that with `T` or a space, `hh:mm[:ss[.fraction]]`, and `Z`, `UTC`, `GMT`,
    /// `±hh:mm`, `±hhmm`, `±hh` or nothing, which means `zone`.
    ///
    /// The error is a sentence fit for a report.
    pub fn parse(text: &str, zone: &Zone) -> Result<Self, String> {
        let problem = || format!("{:?} is not a time", clip(text));
        if text.starts_with(|c: char| c.is_ascii_digit()) && text.bytes().all(|b| b.is_ascii_digit() || b == b'.') {
            return Self::from_digits(text, zone).ok_or_else(problem);
        }
        Self::from_calendar(text, zone).ok_or_else(problem)
    }

    /// `YYYY-MM-DD`: the date as it was written; that of a number in `zone`.
    #[must_use]
    pub fn date(&self) -> String {
        self.date.to_string()
    }

    fn from_digits(text: &str, zone: &Zone) -> Option<Self> {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
        let thousandths = |digits: &str| format!("{digits:0<3}").get(..3)?.parse::<i64>().ok();
        if fraction.is_empty() || fraction.contains('.') {
            return None;
        }
        let milliseconds = match whole.len() {
            9..=11 => whole.parse::<i64>().ok()?.checked_mul(1000)? + thousandths(fraction)?,
            12..=14 => whole.parse().ok()?,
            _ => return None,
        };
        let timestamp = Timestamp::from_millisecond(milliseconds).ok()?;
        let date = timestamp.to_zoned(zone.0.clone()).date();
        Some(Self { time: Time { milliseconds }, date })
    }

    fn from_calendar(text: &str, zone: &Zone) -> Option<Self> {
        let (date, rest) = text.split_at_checked(10)?;
        let date = calendar_date(date)?;
        let (clock, zone) = match rest.split_at_checked(1) {
            None => (civil::Time::midnight(), zone.0.clone()),
            Some(("T" | " ", rest)) => clock_and_zone(rest, zone)?,
            Some(_) => return None,
        };
        let timestamp = date.to_datetime(clock).to_zoned(zone).ok()?.timestamp();
        Some(Self { time: Time::from_milliseconds(timestamp.as_millisecond()), date })
    }
}

fn calendar_date(text: &str) -> Option<civil::Date> {
    let mut parts = text.split('-');
    let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
    if year.len() != 4 || parts.next().is_some() {
        return None;
    }
    civil::Date::new(
        i16::from(two_digits(year.get(..2)?)?) * 100 + i16::from(two_digits(year.get(2..)?)?),
        two_digits(month)?,
        two_digits(day)?,
    )
    .ok()
}

/// `hh:mm[:ss[.fraction]]` and what follows it.
fn clock_and_zone(text: &str, zone: &Zone) -> Option<(civil::Time, tz::TimeZone)> {
    let end = text.find(|c: char| !c.is_ascii_digit() && !matches!(c, ':' | '.')).unwrap_or(text.len());
    let (clock, offset) = text.split_at(end);
    let mut parts = clock.split(':');
    let (hour, minute) = (two_digits(parts.next()?)?, two_digits(parts.next()?)?);
    let (second, nanosecond) = match parts.next() {
        None => (0, 0),
        Some(part) => {
            let (second, fraction) = part.split_once('.').unwrap_or((part, "0"));
            if fraction.is_empty() || !fraction.bytes().all(|b| b.is_ascii_digit()) {
                return None;
            }
            // A leap second is the end of the minute that it belongs to.
            (
                two_digits(second)?.min(if second == "60" { 59 } else { i8::MAX }),
                format!("{fraction:0<9}").get(..9)?.parse().ok()?,
            )
        }
    };
    if parts.next().is_some() {
        return None;
    }
    let clock = civil::Time::new(hour, minute, second, nanosecond).ok()?;
    Some((clock, offset_zone(offset.strip_prefix(' ').unwrap_or(offset), zone)?))
}

fn offset_zone(text: &str, zone: &Zone) -> Option<tz::TimeZone> {
    if text.is_empty() {
        return Some(zone.0.clone());
    }
    if matches!(text, "Z" | "UTC" | "GMT") {
        return Some(tz::TimeZone::UTC);
    }
    let (sign, digits) = text.split_at_checked(1)?;
    let sign = match sign {
        "+" => 1,
        "-" => -1,
        _ => return None,
    };
    let (hours, minutes) = match digits.len() {
        2 => (digits, "00"),
        4 => digits.split_at_checked(2)?,
        5 => digits.split_once(':')?,
        _ => return None,
    };
    let minutes = two_digits(minutes).filter(|minutes| *minutes < 60)?;
    let seconds = sign * (i32::from(two_digits(hours)?) * 3600 + i32::from(minutes) * 60);
    tz::Offset::from_seconds(seconds).ok().map(tz::TimeZone::fixed)
}

fn two_digits(text: &str) -> Option<i8> {
    (text.len() == 2 && text.bytes().all(|b| b.is_ascii_digit())).then(|| text.parse().ok())?
}

/// The first characters of a stranger's text: enough to recognise it in a report.
fn clip(text: &str) -> String {
    text.chars().take(40).collect()
}

/// Reads a duration such as `8s`, `5m`, `24h` or `500ms`. The error is a sentence.
pub fn duration(text: &str) -> Result<Duration, String> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let milliseconds = match unit {
        "ms" => Some(1),
        "s" => Some(1000),
        "m" => Some(60_000),
        "h" => Some(3_600_000),
        "d" => Some(86_400_000),
        _ => None,
    };
    let number: Option<u64> = number.parse().ok();
    let total = number.zip(milliseconds).and_then(|(number, unit)| number.checked_mul(unit));
    total
        .map(Duration::from_millis)
        .ok_or_else(|| format!("{text:?} is not a duration; write one such as 8s, 5m or 24h"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn utc(text: &str) -> Option<String> {
        Time::parse(text).ok().map(|time| time.to_string())
    }

    #[test]
    fn reads_every_form_that_senders_write() {
        for (text, expected) in [
            ("2026-03-05", "2026-03-05T00:00:00.000Z"),
            ("2026-03-05T14:02", "2026-03-05T14:02:00.000Z"),
            ("2026-03-05 14:02:11", "2026-03-05T14:02:11.000Z"),
            ("2026-03-05T14:02:11.1239Z", "2026-03-05T14:02:11.123Z"),
            ("2017-09-15 16:50:55 UTC", "2017-09-15T16:50:55.000Z"),
            ("2019-08-11T18:49:13.412-0700", "2019-08-12T01:49:13.412Z"),
            ("2019-08-11T18:49:13+05:30", "2019-08-11T13:19:13.000Z"),
            ("2019-08-11T18:49:13+02", "2019-08-11T16:49:13.000Z"),
            ("2016-12-31T23:59:60Z", "2016-12-31T23:59:59.000Z"),
            ("1565574553", "2019-08-12T01:49:13.000Z"),
            ("1565574553.5", "2019-08-12T01:49:13.500Z"),
            ("1565574553414", "2019-08-12T01:49:13.414Z"),
        ] {
            assert_eq!(utc(text).as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn refuses_what_is_not_a_time() {
        for text in [
            "",
            "soon",
            "2026",
            "12345678",
            "123456789012345",
            "2026-02-30",
            "26-02-03",
            "2026-1-02",
            "2026-01-02T",
            "2026-01-02T1:00",
            "2026-01-02T24:00",
            "2026-01-02T10:00:00.",
            "2026-01-02T10:00 CEST",
            "2026-01-02T10:00+1",
            "2026-01-02T10:00+02:75",
            "1.2.3",
            "2026-01-02X10:00",
            "+1565574553",
            " 2026-01-02",
            "2026-01-02t10:00",
            "2026-01-02T10:00z",
            "2026-01-02T10:00:00,5",
            "2026-01-02T10:00  UTC",
            "２０２６-01-02",
            "é026-01-02T",
            "2é6-01-02T",
            "-1565574553",
        ] {
            assert!(Time::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_time_without_offset_is_in_the_zone_and_the_date_is_as_written() {
        let berlin = Zone::named("Europe/Berlin").unwrap();
        let written = Written::parse("2026-07-01 00:30", &berlin).unwrap();
        assert_eq!(
            (written.time.to_string().as_str(), written.date().as_str()),
            ("2026-06-30T22:30:00.000Z", "2026-07-01")
        );
        let number = Written::parse("1782858600", &berlin).unwrap();
        assert_eq!((number.time, number.date().as_str()), (written.time, "2026-07-01"));
        let offset = Written::parse("2026-07-01T23:30:00-05:00", &berlin).unwrap();
        assert_eq!(offset.date(), "2026-07-01");
        assert!(Zone::named("Mars/Olympus").is_none());
    }

    #[test]
    fn durations() {
        for (text, seconds) in [("8s", 8), ("5m", 300), ("24h", 86_400), ("0s", 0)] {
            assert_eq!(duration(text).map(|duration| duration.as_secs()), Ok(seconds));
        }
        for text in ["", "5", "m", "-5m", "1.5h", "99999999999999999999s", "5M"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }
}
