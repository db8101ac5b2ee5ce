//! Numbers that know how far off they may be, and what is found when they are compared.

use std::cell::Cell;

use label_smoothing_core::LossParts;

use crate::backend::{Failure, Outcome};
use crate::bits::same;
use crate::dtype::Dtype;
use crate::input::{CaseInput, Layout, Slices};
use crate::scale::{Place, Scales};
use crate::session::Session;

use super::scene::{Scene, Table};

/// A computed number, and how far the exact one may be from it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Near {
    pub(super) value: f64,
    pub(super) allowed: f64,
}

impl Near {
    pub(super) fn exactly(value: f64) -> Self {
        Self { value, allowed: 0.0 }
    }

    pub(super) fn times(self, factor: f64) -> Self {
        Self { value: factor * self.value, allowed: factor.abs() * self.allowed }
    }

    pub(super) fn plus(self, other: Self) -> Self {
        Self { value: self.value + other.value, allowed: self.allowed + other.allowed }
    }

    /// The sum, with what each addition drops carried along: a thousand numbers are added without an error of the
    /// judge's own (Neumaier 1974).
    pub(super) fn sum(numbers: impl IntoIterator<Item = Self>) -> Self {
        let (mut sum, mut dropped) = (Self::exactly(0.0), 0.0);
        for number in numbers {
            let next = sum.plus(number);
            let (larger, smaller) = if sum.value.abs() >= number.value.abs() {
                (sum.value, number.value)
            } else {
                (number.value, sum.value)
            };
            if next.value.is_finite() {
                dropped += (larger - next.value) + smaller;
            }
            sum = next;
        }
        Self { value: sum.value + dropped, ..sum }
    }
}

/// An answer by row.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    /// The row losses, one per row or one per row and class; the reduced loss is the only number of the only row.
    pub(super) loss: Table<Near>,
    pub(super) gradient: Table<Near>,
}

impl Answer {
    /// The reduced loss, or the sum of the row losses.
    pub(super) fn total(&self) -> Near {
        Near::sum(self.loss.iter().flatten().copied())
    }

    /// Every number multiplied.
    pub(super) fn times(mut self, factor: f64) -> Self {
        self.loss.iter_mut().chain(&mut self.gradient).flatten().for_each(|number| *number = number.times(factor));
        self
    }

    /// Number by number; both are of one shape.
    pub(super) fn plus(mut self, other: &Self) -> Self {
        let ours = self.loss.iter_mut().chain(&mut self.gradient).flatten();
        let theirs = other.loss.iter().chain(&other.gradient).flatten();
        ours.zip(theirs).for_each(|(a, b)| *a = a.plus(*b));
        self
    }
}

/// Who is asked, and what is found out.
pub(super) struct Trial<'a> {
    session: &'a Session<'a>,
    layout: Layout,
    /// What the last answer was allowed.
    k: Cell<f64>,
    pub(super) found: Found,
}

/// What comparisons found.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(crate) k_loss: f64,
    pub(crate) k_gradient: f64,
    pub(crate) why: Option<String>,
}

impl<'a> Trial<'a> {
    pub(super) fn new(session: &'a Session<'a>, layout: Layout) -> Self {
        Self { session, layout, k: Cell::new(0.0), found: Found::default() }
    }

    pub(super) fn session(&self) -> &'a Session<'a> {
        self.session
    }

    pub(super) fn ask(&self, scene: &Scene) -> Result<Answer, Failure> {
        let input = scene.input();
        self.answer(scene, &input, self.session.ask(&input, self.layout)?)
    }

    /// The same question with the classes in slices.
    pub(super) fn ask_in_slices(&self, scene: &Scene, slices: &Slices) -> Result<Answer, Failure> {
        let input = scene.input();
        self.answer(scene, &input, self.session.ask_in_slices(&input, self.layout, slices)?)
    }

    /// The loss in parts.
    pub(super) fn parts(&self, scene: &Scene) -> Result<LossParts, Failure> {
        self.session.ask_for_parts(&scene.input(), self.layout)
    }

    fn answer(&self, scene: &Scene, input: &CaseInput, outcome: Outcome) -> Result<Answer, Failure> {
        let Outcome { values, gradient } = outcome;
        let scales = Scales::new(input)?;
        let k = self.session.backend().accuracy().k(scales.classes);
        self.k.set(k);
        let near = |values: &[f64], places: &[Place], dtype: Dtype| {
            if values.len() != places.len() {
                let (found, expected) = (values.len(), places.len());
                return Err(Failure::Broken(format!("answered {found} numbers where {expected} are asked for")));
            }
            let allowed = |place: &Place| {
                if place.is_zero { 0.0 } else { place.bound(k, dtype, 0.0).allowed() }
            };
            Ok(values.iter().zip(places).map(|(&value, place)| Near { value, allowed: allowed(place) }).collect())
        };
        let loss: Vec<Near> = near(&values, &scales.loss, self.session.loss_dtype)?;
        let gradient: Vec<Near> = near(&gradient, &scales.gradient, self.session.dtype)?;
        let loss = match (scene.reduction, scene.is_binary()) {
            (Some(_), _) => vec![loss],
            (None, true) => scene.by_row(&loss),
            (None, false) => loss.into_iter().map(|loss| vec![loss]).collect(),
        };
        Ok(Answer { loss, gradient: scene.by_row(&gradient) })
    }

    /// Both answers must be those of the same exact numbers.
    pub(super) fn near(&mut self, left: &Answer, right: &Answer) {
        self.answers(left, right, false);
    }

    /// Both answers must have the same bits where those are claimed, and be near elsewhere.
    pub(super) fn same(&mut self, left: &Answer, right: &Answer) {
        self.answers(left, right, self.session.backend().claims_identical_bits());
    }

    fn answers(&mut self, left: &Answer, right: &Answer, bits: bool) {
        for (name, left, right) in [("loss", &left.loss, &right.loss), ("gradient", &left.gradient, &right.gradient)] {
            for (row, (left, right)) in left.iter().zip(right).enumerate() {
                for (column, (&left, &right)) in left.iter().zip(right).enumerate() {
                    self.pair(left, right, bits, name, &|| format!("{name}[{row}][{column}]"));
                }
            }
        }
    }

    /// Two numbers of the parts that may differ by `allowed`.
    pub(super) fn parts_near(&mut self, name: &'static str, left: f64, right: f64, allowed: f64) {
        let [left, right] = [left, right].map(|value| Near { value, allowed: allowed / 2.0 });
        self.pair(left, right, false, "parts", &|| format!("the parts' {name}"));
    }

    /// Two losses that must be near.
    pub(super) fn losses(&mut self, left: Near, right: Near) {
        self.pair(left, right, false, "loss", &|| "the loss".to_owned());
    }

    /// Two gradients that must be near.
    pub(super) fn gradients(&mut self, left: Near, right: Near, place: &dyn Fn() -> String) {
        self.pair(left, right, false, "gradient", place);
    }

    fn pair(&mut self, left: Near, right: Near, bits: bool, name: &str, place: &dyn Fn() -> String) {
        let difference = (left.value - right.value).abs();
        let allowed = left.allowed + right.allowed;
        let agrees = same(left.value, right.value) || (!bits && difference <= allowed && allowed.is_finite());
        if difference > 0.0 {
            let k = match name {
                "loss" => &mut self.found.k_loss,
                "gradient" => &mut self.found.k_gradient,
                _ => &mut 0.0, // Of the parts no k is kept: their tolerance is not a multiple of the backend's.
            };
            *k = k.max(difference / allowed * self.k.get());
        }
        if !agrees {
            let (left, right) = (left.value, right.value);
            let demand = if bits { "the same bits are claimed".to_owned() } else { format!("{allowed:e} is allowed") };
            let why = || format!("{} is {left:e} one way and {right:e} the other; {demand}", place());
            self.found.why.get_or_insert_with(why);
        }
    }
}
