//! Points in time, and every way in which senders write them.
//!
//! The only home of `jiff`. Nothing here reads a clock except [`Time::now`], which only the edges
//! call.

use std::fmt;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp, civil, tz};
use serde::{Deserialize, Serialize};

use crate::text::cut;

/// How much of a stranger's text is shown in a report, in characters.
const SHOWN: usize = 40;

/// The beginning of Unix time.
const EPOCH: civil::DateTime = civil::DateTime::constant(1970, 1, 1, 0, 0, 0, 0);

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

/// A time of day, for dates that are written without one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clock(civil::Time);

/// A text that is not a time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a time")]
pub struct NotATime(String);

/// A text that is not a duration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a duration; write one such as 8s, 5m or 24h")]
pub struct NotADuration(String);

impl Time {
    /// Reads the clock. For the edges of the program; everything else takes the time as an
    /// argument.
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

    /// The time so long before.
    #[must_use]
    pub fn before(self, span: Duration) -> Self {
        let span = i64::try_from(span.as_millis()).unwrap_or(i64::MAX);
        Self { milliseconds: self.milliseconds.saturating_sub(span) }
    }

    /// Reads a time as HubSpot and most senders write it, in UTC where no offset is given.
    pub fn parse(text: &str) -> Result<Self, NotATime> {
        Written::parse(text, &Zone::utc()).map(|written| written.time)
    }
}

impl From<Time> for String {
    fn from(time: Time) -> Self {
        time.to_string()
    }
}

impl TryFrom<String> for Time {
    type Error = NotATime;

    fn try_from(text: String) -> Result<Self, NotATime> {
        Self::parse(&text)
    }
}

impl fmt::Display for Time {
    /// ISO 8601 in UTC with milliseconds and `Z`, as HubSpot's `datetime` properties take it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not by `Timestamp`, which ends a day before the year 9999 does.
        match EPOCH.checked_add(SignedDuration::from_millis(self.milliseconds)) {
            Ok(utc) if utc.year() >= 1 => write!(f, "{utc:.3}Z"),
            _ => write!(f, "{}", self.milliseconds),
        }
    }
}

impl Zone {
    /// UTC.
    #[must_use]
    pub fn utc() -> Self {
        Self(tz::TimeZone::UTC)
    }

    /// A zone of the IANA database by its name, such as `Europe/Berlin`; `None` when there is no
    /// such zone.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        if name.eq_ignore_ascii_case("utc") {
            return Some(Self::utc());
        }
        tz::TimeZone::get(name).ok().map(Self)
    }
}

impl Clock {
    /// The beginning of the day.
    #[must_use]
    pub fn midnight() -> Self {
        Self(civil::Time::midnight())
    }

    /// Reads `hh:mm`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (hour, minute) = text.split_once(':')?;
        civil::Time::new(two_digits(hour)?, two_digits(minute)?, 0, 0).ok().map(Self)
    }
}

impl Written {
    /// Reads a time from text, as [`Written::parse_at`] does; a date alone is its midnight.
    pub fn parse(text: &str, zone: &Zone) -> Result<Self, NotATime> {
        Self::parse_at(text, zone, Clock::midnight())
    }

    /// Reads a time from text: years 1 to 9999.
    ///
    /// Digits (with an optional fraction): 9 to 11 before the point are seconds since 1970, 12 to
    /// 14 milliseconds, 15 to 17 microseconds, 18 and 19 nanoseconds. Otherwise `YYYY-MM-DD`, or
    /// that with `T` or a space, `hh:mm[:ss[.fraction]]`, and `Z`, `UTC`, `GMT`, `±hh:mm`, `±hhmm`,
    /// `±hh` or nothing, which means `zone`. A date alone is its `clock` in `zone`.
    pub fn parse_at(text: &str, zone: &Zone, clock: Clock) -> Result<Self, NotATime> {
        let is_number = text.starts_with(|c: char| c.is_ascii_digit())
            && text.bytes().all(|b| b.is_ascii_digit() || b == b'.');
        let written = if is_number {
            Self::from_digits(text, zone)
        } else {
            Self::from_calendar(text, zone, clock)
        };
        written.ok_or_else(|| NotATime(cut(text, SHOWN).to_owned()))
    }

    /// `YYYY-MM-DD`: the date as it was written; that of a number in `zone`.
    #[must_use]
    pub fn date(&self) -> String {
        self.date.to_string()
    }

    fn from_digits(text: &str, zone: &Zone) -> Option<Self> {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
        if fraction.is_empty() || fraction.contains('.') {
            return None;
        }
        let thousandths: i64 = format!("{fraction:0<3}").get(..3)?.parse().ok()?;
        // 19 digits may be more than an i64 holds.
        let number: u64 = whole.parse().ok()?;
        let milliseconds = match whole.len() {
            9..=11 => i64::try_from(number).ok()? * 1000 + thousandths,
            12..=14 => i64::try_from(number).ok()?,
            15..=17 => i64::try_from(number / 1000).ok()?,
            18 | 19 => i64::try_from(number / 1_000_000).ok()?,
            _ => return None,
        };
        let timestamp = Timestamp::from_millisecond(milliseconds).ok()?;
        let date = timestamp.to_zoned(zone.0.clone()).date();
        Some(Self { time: Time { milliseconds }, date })
    }

    fn from_calendar(text: &str, zone: &Zone, clock: Clock) -> Option<Self> {
        let (first_ten, rest) = text.split_at_checked(10)?;
        let date = calendar_date(first_ten)?;
        let time = match rest.split_at_checked(1) {
            None => in_utc(date.to_datetime(clock.0), &zone.0)?,
            Some(("T" | " ", clock_and_offset)) => {
                let (written_clock, written_zone) = clock_and_zone(clock_and_offset, zone)?;
                in_utc(date.to_datetime(written_clock), &written_zone)?
            }
            Some(_) => return None,
        };
        Some(Self { time, date })
    }
}

/// The point in time of a local date and time; `None` outside the years 1 to 9999 of UTC.
fn in_utc(local: civil::DateTime, zone: &tz::TimeZone) -> Option<Time> {
    // A time that clocks skip is read as before the change, one that they show twice is the first.
    let offset = match zone.to_ambiguous_timestamp(local).offset() {
        tz::AmbiguousOffset::Unambiguous { offset } => offset,
        tz::AmbiguousOffset::Gap { before, .. } | tz::AmbiguousOffset::Fold { before, .. } => {
            before
        }
    };
    // By arithmetic on calendars, since `Timestamp` ends a day before the year 9999 does.
    let utc = local.checked_sub(SignedDuration::from_secs(i64::from(offset.seconds()))).ok()?;
    let nanoseconds = utc.duration_since(EPOCH).as_nanos();
    let milliseconds = i64::try_from(nanoseconds.div_euclid(1_000_000)).ok()?;
    if utc.year() < 1 {
        return None;
    }
    Some(Time { milliseconds })
}

/// `YYYY-MM-DD`, from the year 1 on.
fn calendar_date(text: &str) -> Option<civil::Date> {
    let mut parts = text.split('-');
    let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() {
        return None;
    }
    let century = i16::from(two_digits(year.get(..2)?)?);
    let year_of_century = i16::from(two_digits(year.get(2..)?)?);
    let year_number = century * 100 + year_of_century;
    if year_number < 1 {
        return None;
    }
    civil::Date::new(year_number, two_digits(month)?, two_digits(day)?).ok()
}

/// `hh:mm[:ss[.fraction]]` and the zone behind it.
fn clock_and_zone(text: &str, zone: &Zone) -> Option<(civil::Time, tz::TimeZone)> {
    let end =
        text.find(|c: char| !c.is_ascii_digit() && !matches!(c, ':' | '.')).unwrap_or(text.len());
    let (digits, offset) = text.split_at(end);
    let mut parts = digits.split(':');
    let (hour, minute) = (two_digits(parts.next()?)?, two_digits(parts.next()?)?);
    let (second, nanosecond) = match parts.next() {
        None => (0, 0),
        Some(part) => {
            let (digits, fraction) = part.split_once('.').unwrap_or((part, "0"));
            if fraction.is_empty() || !fraction.bytes().all(|b| b.is_ascii_digit()) {
                return None;
            }
            let second = match two_digits(digits)? {
                // A leap second is the end of the minute that it belongs to.
                60 => 59,
                second => second,
            };
            (second, format!("{fraction:0<9}").get(..9)?.parse().ok()?)
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
    let (hours, minutes) = match digits.len() {
        2 => (digits, "00"),
        4 => digits.split_at_checked(2)?,
        5 => digits.split_once(':')?,
        _ => return None,
    };
    let (hour, minute) = (two_digits(hours)?, two_digits(minutes)?);
    if hour >= 24 || minute >= 60 {
        return None;
    }
    let seconds = i32::from(hour) * 3600 + i32::from(minute) * 60;
    let offset = match sign {
        "+" => tz::Offset::from_seconds(seconds),
        "-" => tz::Offset::from_seconds(-seconds),
        _ => return None,
    };
    offset.ok().map(tz::TimeZone::fixed)
}

fn two_digits(text: &str) -> Option<i8> {
    if text.len() != 2 || !text.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    text.parse().ok()
}

/// Reads a duration: a whole number of `ms`, `s`, `m`, `h` or `d`, such as `8s`.
pub fn duration(text: &str) -> Result<Duration, NotADuration> {
    match whole_milliseconds(text) {
        Some(milliseconds) => Ok(Duration::from_millis(milliseconds)),
        None => Err(NotADuration(text.to_owned())),
    }
}

fn whole_milliseconds(text: &str) -> Option<u64> {
    let end = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(end);
    let milliseconds = match unit {
        "ms" => 1,
        "s" => 1000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(milliseconds)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

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
            ("100000000000000", "1973-03-03T09:46:40.000Z"),
            ("1565574553414999", "2019-08-12T01:49:13.414Z"),
            ("99999999999999999", "5138-11-16T09:46:39.999Z"),
            ("100000000000000000", "1973-03-03T09:46:40.000Z"),
            ("1565574553414999999", "2019-08-12T01:49:13.414Z"),
            ("9999999999999999999", "2286-11-20T17:46:39.999Z"),
            ("1969-12-31T23:59:59.9999Z", "1969-12-31T23:59:59.999Z"),
            ("0001-01-01", "0001-01-01T00:00:00.000Z"),
            ("0001-01-01T00:00:00-01:00", "0001-01-01T01:00:00.000Z"),
            ("9999-12-31", "9999-12-31T00:00:00.000Z"),
            ("9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59.999Z"),
            ("9999-12-31T23:59:59+14:00", "9999-12-31T09:59:59.000Z"),
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
            "12345678901234567890",
            "0000-01-01T00:00:00+01:00",
            "0001-01-01T00:00:00+01:00",
            "0000-12-31T23:30:00-01:00",
            "0000-06-01",
            "9999-12-31T23:30:00-01:00",
            "2026-01-02T10:00+24:00",
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
    fn a_date_without_a_time_is_at_the_clock_in_the_zone() {
        let berlin = Zone::named("Europe/Berlin").unwrap();
        let five = Clock::parse("17:00").unwrap();
        for (text, expected) in [
            ("2026-07-01", "2026-07-01T15:00:00.000Z"),
            ("2026-12-01", "2026-12-01T16:00:00.000Z"),
            ("2026-12-01T00:00", "2026-11-30T23:00:00.000Z"),
            ("1565574553", "2019-08-12T01:49:13.000Z"),
        ] {
            assert_eq!(
                Written::parse_at(text, &berlin, five).unwrap().time.to_string(),
                expected,
                "{text}"
            );
        }
        for text in ["", "17", "5pm", "7:00", "24:00", "17:60", "17:00:00", "17:00Z"] {
            assert!(Clock::parse(text).is_none(), "{text}");
        }
    }

    #[test]
    fn a_time_that_clocks_skip_or_show_twice_is_read_by_the_clock_before_the_change() {
        let berlin = Zone::named("Europe/Berlin").unwrap();
        for (text, expected) in [
            ("2026-03-29 02:30", "2026-03-29T01:30:00.000Z"),
            ("2026-10-25 02:30", "2026-10-25T00:30:00.000Z"),
            ("9999-12-31 23:30", "9999-12-31T22:30:00.000Z"),
        ] {
            assert_eq!(Written::parse(text, &berlin).unwrap().time.to_string(), expected, "{text}");
        }
    }

    proptest! {
        /// What is written into a queue, into HubSpot or into a letter is read again there.
        #[test]
        fn an_accepted_time_survives_being_written(
            (year, month, day) in (0..10_000, 1..=12, 1..=31),
            (hour, minute, second) in (0..24, 0..60, 0..=60),
            fraction in "(\\.[0-9]{1,12})?",
            offset in "Z|| UTC|[+-](0[0-9]|1[0-9]|2[0-3])(:?[0-5][0-9])?",
        ) {
            let text = format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{fraction}{offset}");
            for zone in ["UTC", "America/St_Johns", "Pacific/Kiritimati"] {
                survives(&text, &Zone::named(zone).unwrap())?;
            }
        }

        #[test]
        fn an_accepted_number_survives_being_written(text in "[0-9]{8,20}(\\.[0-9]{1,6})?") {
            survives(&text, &Zone::utc())?;
            if (9..=19).contains(&text.split('.').next().unwrap().len()) {
                prop_assert!(Time::parse(&text).is_ok(), "{}", text);
            }
        }
    }

    fn survives(text: &str, zone: &Zone) -> Result<(), TestCaseError> {
        let Ok(Written { time, date }) = Written::parse(text, zone) else { return Ok(()) };
        prop_assert_eq!(Time::parse(&time.to_string()), Ok(time), "{} in UTC is {}", text, time);
        prop_assert_eq!(time.to_string().len(), "2026-03-05T14:02:11.123Z".len(), "{}", text);
        prop_assert!(date.year() >= 1);
        Ok(())
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
