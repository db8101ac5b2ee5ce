//! An answer against the exact one.

use crate::backend::Outcome;
use crate::case::Expected;
use crate::dtype::Dtype;
use crate::scale::{Place, Scales};
use crate::tolerance::{Accuracy, confident_k};

/// The flags of cases whose rows, or binary elements, are judged by their relative accuracy as well.
pub(crate) const CONFIDENT: [&str; 2] = ["confident-row", "confident-element"];

/// What the numbers are allowed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Terms {
    pub(crate) accuracy: Accuracy,
    /// The type of the logits and the gradient.
    pub(crate) dtype: Dtype,
    /// The type of the losses.
    pub(crate) loss_dtype: Dtype,
    /// Whether confident rows are judged by their relative accuracy as well.
    pub(crate) confident: bool,
}

/// The verdict on one answer.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Judgement {
    /// The largest `k` that a loss needs.
    pub(crate) k_loss: f64,
    /// The largest `k` that a gradient needs.
    pub(crate) k_gradient: f64,
    /// What is wrong, if anything: the first number that is, and how many are.
    pub(crate) why: Option<String>,
}

/// Judges the loss and the gradient. The class of a value comes first: NaN only where expected, infinities with their
/// sign, exactly 0 where nothing counts.
pub(crate) fn judge(outcome: &Outcome, expected: &Expected, scales: &Scales, terms: Terms) -> Judgement {
    let k = terms.accuracy.k(scales.classes);
    let ruler = |dtype: Dtype| Ruler { k, dtype, relative_error: expected.relative_error, confident: terms.confident };
    let (k_loss, loss_why) = ruler(terms.loss_dtype).all("loss", &outcome.values, &expected.loss, &scales.loss);
    let (k_gradient, gradient_why) = match &expected.gradient {
        Some(exact) => ruler(terms.dtype).all("gradient", &outcome.gradient, exact, &scales.gradient),
        None => (0.0, None),
    };
    Judgement { k_loss, k_gradient, why: loss_why.or(gradient_why) }
}

/// What measures the numbers of one kind.
#[derive(Clone, Copy)]
struct Ruler {
    k: f64,
    dtype: Dtype,
    relative_error: f64,
    confident: bool,
}

impl Ruler {
    /// The largest `k` needed, and what is wrong.
    fn all(&self, name: &str, actual: &[f64], exact: &[f64], places: &[Place]) -> (f64, Option<String>) {
        if actual.len() != exact.len() || places.len() != exact.len() {
            let why = format!("{name} has {} values, but {} are expected", actual.len(), exact.len());
            return (f64::INFINITY, Some(why));
        }
        let (mut largest, mut wrong, mut first) = (0.0_f64, 0, None);
        for (at, ((&actual, &exact), place)) in actual.iter().zip(exact).zip(places).enumerate() {
            let (needed, why) = self.number(actual, exact, place);
            largest = largest.max(needed);
            if let Some(why) = why {
                wrong += 1;
                first.get_or_insert_with(|| format!("{name}[{at}] is {actual:e}, {why}"));
            }
        }
        let count = if wrong > 1 { format!(" ({wrong} of {} are wrong)", exact.len()) } else { String::new() };
        (largest, first.map(|first| first + &count))
    }

    fn number(&self, actual: f64, exact: f64, place: &Place) -> (f64, Option<String>) {
        let class = |what: &str| (f64::INFINITY, Some(format!("but must be {what}")));
        if exact.is_nan() || exact.is_infinite() {
            let right = actual == exact || (actual.is_nan() && exact.is_nan());
            return if right { (0.0, None) } else { class(&exact.to_string()) };
        }
        if place.is_zero && actual != 0.0 {
            return class("exactly 0: nothing that counts enters it");
        }
        if actual.is_infinite() && actual == self.dtype.round(exact) {
            return (0.0, None); // The exact value is beyond the largest number of the type.
        }
        if !actual.is_finite() {
            return class(&format!("about {exact:e}"));
        }
        self.distance((actual - exact).abs(), exact, place)
    }

    fn distance(&self, error: f64, exact: f64, place: &Place) -> (f64, Option<String>) {
        let bound = place.bound(self.k, self.dtype, self.relative_error);
        let (allowed, needed) = (bound.allowed(), bound.needed_k(error));
        if !allowed.is_finite() {
            return (f64::INFINITY, Some(format!("but no tolerance around {exact:e} is finite")));
        }
        if error > allowed {
            let why = format!("but is {exact:e}: {error:e} off needs k = {needed:.3}, and {} is allowed", self.k);
            return (needed, Some(why));
        }
        let why = place.gap.filter(|_| self.confident).and_then(|gap| {
            let k = confident_k(gap);
            let unit = bound.unit * exact.abs();
            let allowed = k * unit + self.relative_error * place.scale + bound.eta;
            let needed = error / unit;
            (error > allowed).then(|| {
                format!("but is {exact:e}: {needed:.3} u of itself off, and a lead of {gap} nats allows {k} u")
            })
        });
        (needed, why)
    }
}

#[cfg(test)]
mod tests {
    use super::{Judgement, Terms, judge};
    use crate::backend::Outcome;
    use crate::case::Expected;
    use crate::dtype::Dtype;
    use crate::scale::{Place, Scales};
    use crate::tolerance::Accuracy;

    const U: f64 = f64::EPSILON / 2.0;

    fn place(scale: f64) -> Place {
        Place { scale, ..Place::default() }
    }

    fn verdict(actual: f64, exact: f64, place: Place, dtype: Dtype, confident: bool) -> Judgement {
        let outcome = Outcome { values: vec![0.0], gradient: vec![actual] };
        let expected = Expected { loss: vec![0.0], gradient: Some(vec![exact]), relative_error: 0.0 };
        let scales = Scales { classes: 3, loss: vec![Place::default()], gradient: vec![place] };
        let terms = Terms { accuracy: Accuracy::Kernel, dtype, loss_dtype: dtype.wide(), confident };
        judge(&outcome, &expected, &scales, terms)
    }

    fn passes(actual: f64, exact: f64, place: Place) -> bool {
        verdict(actual, exact, place, Dtype::F64, false).why.is_none()
    }

    #[test]
    fn the_class_of_a_value_comes_first() {
        let everything = place(f64::MAX / 16.0);
        for (actual, exact) in [
            (f64::NAN, 1.0),
            (1.0, f64::NAN),
            (f64::INFINITY, 1.0),
            (f64::MAX, f64::INFINITY),
            (f64::NEG_INFINITY, f64::INFINITY),
            (f64::NAN, f64::INFINITY),
            (f64::INFINITY, f64::NAN),
        ] {
            assert!(!passes(actual, exact, everything), "{actual} for {exact}");
        }
        assert!(passes(f64::NAN, f64::NAN, place(f64::NAN)));
        assert!(passes(f64::NEG_INFINITY, f64::NEG_INFINITY, place(0.0)));
    }

    #[test]
    fn where_nothing_counts_only_zero_will_do() {
        let zero = Place { is_zero: true, ..place(1.0) };
        assert!(passes(0.0, 0.0, zero) && passes(-0.0, 0.0, zero));
        assert!(!passes(f64::from_bits(1), 0.0, zero));
        assert!(!passes(f64::NAN, 0.0, zero));
        assert!(!passes(0.0, 1e-3, zero));
    }

    #[test]
    fn the_bound_is_k_units_of_the_scale() {
        assert!(passes(1.0 + 8.0 * U, 1.0, place(2.0)));
        assert!(!passes(1.0 + 10.0 * U, 1.0, place(2.0)));
        let judgement = verdict(1.0 + 6.0 * U, 1.0, place(2.0), Dtype::F64, false);
        assert!((judgement.k_gradient - 3.0).abs() < 1e-9, "{judgement:?}");
        assert_eq!(judgement.k_loss, 0.0);
    }

    #[test]
    fn no_tolerance_is_infinite_or_nan() {
        assert!(!passes(1.0, 1.0, place(f64::INFINITY)));
        assert!(!passes(1.0, 1.0, place(f64::NAN)));
    }

    #[test]
    fn what_the_type_cannot_hold_may_be_infinite() {
        let half = |actual| verdict(actual, 7e4, place(7e4), Dtype::F16, false).why.is_none();
        assert!(half(f64::INFINITY));
        assert!(!half(f64::NEG_INFINITY) && !half(65504.0));
        assert!(verdict(f64::INFINITY, 6e4, place(6e4), Dtype::F16, false).why.is_some());
    }

    #[test]
    fn a_confident_row_is_judged_by_itself() {
        let tail = Place { gap: Some(20.0), ..place(1.0) };
        let judged = |actual, confident| verdict(actual, 1e-15, tail, Dtype::F64, confident).why.is_none();
        assert!(judged(0.9999e-15, false) && !judged(0.9999e-15, true) && !judged(0.0, true));
        assert!(judged(1e-15 * (1.0 + 20.0 * U), true) && !judged(1e-15 * (1.0 + 30.0 * U), true));
    }

    /// A lead of 5.5 nats allows 8 units of the number itself.
    #[test]
    fn a_confident_row_is_allowed_the_sources_error_and_eta() {
        let judged = |dtype: Dtype, exact: f64, units: f64, relative_error: f64| {
            let unit = dtype.unit_roundoff() * exact;
            let outcome = Outcome { values: vec![0.0], gradient: vec![exact + units * unit] };
            let expected = Expected { loss: vec![0.0], gradient: Some(vec![exact]), relative_error };
            let tail = Place { gap: Some(5.5), ..place(4.0) };
            let scales = Scales { classes: 3, loss: vec![Place::default()], gradient: vec![tail] };
            let terms = Terms { accuracy: Accuracy::Kernel, dtype, loss_dtype: dtype.wide(), confident: true };
            judge(&outcome, &expected, &scales, terms).why.unwrap_or_default()
        };
        // The source is off by one unit of the number for each unit of the scale, which is 4.
        let small = 2.0_f64.powi(-20);
        let of_source = |units| judged(Dtype::F64, small, units, U * small);
        assert_eq!(of_source(12.0), "");
        let why = of_source(14.0);
        assert!(why.ends_with("14.000 u of itself off, and a lead of 5.5 nats allows 8 u"), "{why}");
        // Two units of this number are the smallest one of the type.
        let of_eta = |units| judged(Dtype::F16, 2.0_f64.powi(-14), units, 0.0);
        assert_eq!(of_eta(10.0), "");
        assert!(of_eta(10.5).contains("10.500 u of itself off"));
    }

    #[test]
    fn a_wrong_number_of_values_is_wrong() {
        let expected = Expected { loss: vec![0.0], gradient: Some(vec![0.0]), relative_error: 0.0 };
        let scales = Scales { classes: 1, loss: vec![place(1.0)], gradient: vec![place(1.0)] };
        let terms = Terms { accuracy: Accuracy::Kernel, dtype: Dtype::F64, loss_dtype: Dtype::F64, confident: false };
        let why =
            |values: Vec<f64>, gradient: Vec<f64>| judge(&Outcome { values, gradient }, &expected, &scales, terms).why;
        assert!(why(vec![0.0], vec![0.0]).is_none());
        assert!(why(vec![], vec![0.0]).is_some() && why(vec![0.0, 0.0], vec![0.0]).is_some());
        assert!(why(vec![0.0], vec![]).is_some());
    }

    #[test]
    fn the_first_that_is_wrong_is_named_and_the_others_are_counted() {
        let judged = |actual: [f64; 3]| {
            let outcome = Outcome { values: actual.to_vec(), gradient: vec![] };
            let expected = Expected { loss: vec![1.0; 3], gradient: None, relative_error: 0.0 };
            let scales = Scales { classes: 3, loss: vec![place(1.0); 3], gradient: vec![] };
            let terms =
                Terms { accuracy: Accuracy::Kernel, dtype: Dtype::F64, loss_dtype: Dtype::F64, confident: false };
            judge(&outcome, &expected, &scales, terms).why.unwrap_or_default()
        };
        assert_eq!(judged([1.0, 1.0, 1.0]), "");
        let one = judged([1.0, 3.0, 1.0]);
        assert!(one.starts_with("loss[1] is 3e0") && !one.contains("are wrong"), "{one}");
        let two = judged([1.0, 3.0, 2.0]);
        assert!(two.starts_with("loss[1] is 3e0") && two.ends_with("(2 of 3 are wrong)"), "{two}");
    }
}
