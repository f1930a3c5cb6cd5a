//! The functions that expressions have besides jaq's: `given`, `plain`, `html`, `cut`, `IN`,
//! `INDEX`; and `fromjson` and `now`, in place of jq's own.
//!
//! They are native because a helper that is written in jq costs ten times as much.

use jaq_core::box_iter::box_once;
use jaq_core::native::{Filter, Fun, bome, run, v};
use jaq_core::{Bind, Cv, Error, RunPtr, ValT as _, ValXs};
use jaq_json::{Map, Val};
use jaq_std::ValT as _;

use super::data::Kind;
use super::{html, json, rich_text};
use crate::delivery::Json;

/// All of them, by name, arguments and implementation.
pub(super) fn all() -> impl Iterator<Item = Fun<Kind>> {
    let filter = || Box::from([Bind::Fun(())]);
    let functions: [Filter<RunPtr<Kind>>; 8] = [
        ("given", filter(), given),
        ("IN", filter(), is_in),
        ("INDEX", Box::from([Bind::Fun(()), Bind::Fun(())]), index),
        ("plain", v(0), |cv| bome(Ok(plain(cv.1)))),
        ("html", v(0), |cv| bome(Ok(with_text(cv.1, html::to_html)))),
        ("cut", v(1), |mut cv| {
            let length = cv.0.pop_var();
            bome(cut(cv.1, &length))
        }),
        ("fromjson", v(0), |cv| bome(from_json(&cv.1))),
        ("now", v(0), |cv| {
            #[expect(
                clippy::cast_precision_loss,
                reason = "milliseconds of this century have 41 bits"
            )]
            let seconds = cv.0.data().shared.now.milliseconds() as f64 / 1000.0;
            bome(Ok(Val::from(seconds)))
        }),
    ];
    functions.into_iter().map(run::<Kind>)
}

/// `given(path)`: the value; `null` if the payload has null there or on the way; nothing if it
/// lacks the field.
#[expect(clippy::default_trait_access, reason = "jaq keeps the type of a path private")]
fn given(mut cv: Cv<'_, Kind>) -> ValXs<'_, Val> {
    let (path, context) = cv.0.pop_fun();
    let input = cv.1.clone();
    let paths = path.paths((context, (cv.1, Default::default())));
    Box::new(paths.filter_map(move |found| match found {
        Ok((_, path)) => {
            let mut keys: Vec<_> = path.iter().collect();
            keys.reverse();
            walk(&input, &keys).map(Ok)
        }
        Err(error) => Some(Err(error)),
    }))
}

/// Follows a path as far as the value has it: `None` when a field or an element is not there at
/// all.
fn walk(root: &Val, path: &[&Val]) -> Option<Val> {
    let mut value = root.clone();
    for key in path {
        value = match (&value, key) {
            (Val::Null, _) => return Some(Val::Null),
            (Val::Obj(object), Val::TStr(_)) => object.get(*key)?.clone(),
            (Val::Arr(array), Val::Num(index)) => {
                let place = match index.as_isize()? {
                    from_end @ ..0 => array.len().checked_add_signed(from_end)?,
                    from_start => from_start.unsigned_abs(),
                };
                array.get(place)?.clone()
            }
            _ => value.index(key).ok()?,
        };
    }
    Some(value)
}

/// `IN(values)`: whether the input is one of the values.
fn is_in(mut cv: Cv<'_, Kind>) -> ValXs<'_, Val> {
    let (values, context) = cv.0.pop_fun();
    let input = cv.1.clone();
    for value in values.run((context, cv.1)) {
        match value {
            Ok(value) if value == input => return box_once(Ok(Val::from(true))),
            Ok(_) => {}
            Err(exception) => return box_once(Err(exception)),
        }
    }
    box_once(Ok(Val::from(false)))
}

/// `INDEX(rows; name)`: an object of the rows by their names. A later row takes the place of an
/// earlier one.
fn index(mut cv: Cv<'_, Kind>) -> ValXs<'_, Val> {
    let (name, name_context) = cv.0.pop_fun();
    let (rows, context) = cv.0.pop_fun();
    let mut index = Map::default();
    for output in rows.run((context, cv.1)) {
        let row = match output {
            Ok(row) => row,
            Err(exception) => return box_once(Err(exception)),
        };
        for output in name.run((name_context.clone(), row.clone())) {
            match output {
                Ok(name) => index.insert(name.into_string(), row.clone()),
                Err(exception) => return box_once(Err(exception)),
            };
        }
    }
    box_once(Ok(Val::obj(index)))
}

/// `cut(n)`: at most the first n characters; a value that isn't text passes unchanged.
fn cut(value: Val, length: &Val) -> Result<Val, Error<Val>> {
    let Some(characters) = length.as_isize().and_then(|length| usize::try_from(length).ok()) else {
        let message = format_args!("cut takes the number of characters to keep, not {length}");
        return Err(Error::str(message));
    };
    Ok(with_text(value, |text| crate::text::cut(text, characters).to_owned()))
}

/// `fromjson`, in place of jaq's, which would overflow the stack on a stranger's `[[[[...`.
/// `tonumber` uses it too. The text is read within the bounds of a body.
fn from_json(value: &Val) -> Result<Val, Error<Val>> {
    let Some(bytes) = value.as_utf8_bytes() else {
        return Err(Error::typ(value.clone(), "string"));
    };
    let read = Json::parse(&String::from_utf8_lossy(bytes)).and_then(json::read);
    read.map_err(|why| Error::str(why.summary("text")))
}

/// `plain`: HTML or Atlassian rich text as text; another value passes unchanged.
fn plain(value: Val) -> Val {
    if rich_text::is_rich_text(&value) {
        return Val::from(rich_text::to_text(&value));
    }
    with_text(value, html::from_html)
}

fn with_text(value: Val, convert: impl FnOnce(&str) -> String) -> Val {
    match value.as_utf8_bytes().map(std::str::from_utf8) {
        Some(Ok(text)) => Val::from(convert(text)),
        _ => value,
    }
}
