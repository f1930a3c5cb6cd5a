//! Everything that the runs of expressions for one delivery share, in the form that jaq asks for.

use std::cell::RefCell;

use jaq_core::compile::TermId;
use jaq_core::data::HasLut;
use jaq_core::{DataT, Lut};
use jaq_json::Val;

use super::pattern::Patterns;
use crate::time::Time;

/// Tells jaq which values there are, and which data native functions see.
pub(super) struct Kind;

/// The data that native functions see.
#[derive(Clone)]
pub(super) struct Data<'a> {
    /// jaq's own look-up table of the program.
    pub(super) lut: &'a Lut<Kind>,
    pub(super) shared: &'a Shared,
}

/// State that all runs for one delivery share.
pub(super) struct Shared {
    /// When the delivery arrived.
    pub(super) now: Time,
    /// The compiled regular expressions.
    pub(super) patterns: Patterns,
    /// The places of expressions, while a program is searched for them.
    pub(super) places: RefCell<Vec<TermId>>,
}

impl Shared {
    pub(super) fn new(now: Time) -> Self {
        Self { now, patterns: Patterns::default(), places: RefCell::default() }
    }
}

impl DataT for Kind {
    type V<'a> = Val;
    type Data<'a> = Data<'a>;
}

impl<'a> HasLut<'a, Kind> for Data<'a> {
    fn lut(&self) -> &'a Lut<Kind> {
        self.lut
    }
}
