//! The scale of the tolerance, computed from the question alone.
//!
//! With `a_c` the final factor of `-log p_c`, `A = sum_c a_c`, `r_c = |z_c - max| + lse' + 1` and `f = upstream /
//! denominator`:
//!
//! ```text
//! scale_loss_row = sum_c a_c r_c + z_loss lse^2
//! scale_grad_k   = |f| ((A + 2 z_loss |lse|) p_k r_k + a_k)
//! binary           w (|z| + 2)  and  2 w |f|
//! ```
//!
//! Other likelihoods and penalties have theirs in `terms`: `a_c r_c` becomes `a_c` times the cost's own scale, and `a_c`
//! in the gradient `a_c` times the slope's.
//!
//! Where a kind of smoothing takes mass away, `a_c` has it added: `(1 - r) q_c + |r| / K`, which does not cancel. The binary
//! scale is multiplied by the largest `|q| + |1 - q|` of the kind.
//!
//! What a probability is multiplied by, `A + 2 z_loss |lse|` and in a gradient `|f|` times as much, is kept beside the scale.
//! Where `z_c = -inf` only `a_c` counts. This is the kit's own arithmetic, apart from core's, because it also knows
//! which numbers must be exactly 0.

use label_smoothing_core::{Config, Error, Likelihood, LossFamily, Penalty, Smoothing};

use crate::dtype::Dtype;
use crate::input::CaseInput;
use crate::target::{Batch, Row};
use crate::terms::Prediction;
use crate::tolerance::{
    Bound, COST_OF_A_BINARY_TERM, COST_OF_A_TERM, TERMS_OF_A_BINARY_GRADIENT, eta_with, lead_of_a_power,
};

/// What is known about one number before anybody has computed it.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct Place {
    /// The scale of its tolerance.
    pub(crate) scale: f64,
    /// What a probability enters it with, which is what the error of one that is flushed to 0 is multiplied by.
    pub(crate) factor_of_p: f64,
    /// It must be exactly 0: nothing that counts enters it.
    pub(crate) is_zero: bool,
    /// The lead of a confident row, or of a binary element, whose relative accuracy it shows; for the focal loss that of
    /// its power.
    pub(crate) gap: Option<f64>,
}

impl Place {
    fn times(self, factor: f64) -> Self {
        Self { scale: factor * self.scale, factor_of_p: factor * self.factor_of_p, ..self }
    }

    /// The bound for a number of this type.
    pub(crate) fn bound(&self, k: f64, dtype: Dtype, relative_error: f64) -> Bound {
        let eta = eta_with(dtype, self.factor_of_p);
        Bound { k, unit: dtype.unit_roundoff(), scale: self.scale, relative_error, eta }
    }
}

/// The places of one answer.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Scales {
    /// The number of classes, which the tolerance depends on.
    pub(crate) classes: usize,
    /// One per value of the loss.
    pub(crate) loss: Vec<Place>,
    /// One per logit.
    pub(crate) gradient: Vec<Place>,
}

const ZERO: Place = Place { scale: 0.0, factor_of_p: 0.0, is_zero: true, gap: None };

impl Scales {
    /// # Errors
    ///
    /// A question that has no answer, for its configuration or the rank of its logits.
    pub(crate) fn new(input: &CaseInput) -> Result<Self, Error> {
        let batch = Batch::new(input)?;
        let elements = input.logits.values.len();
        let mut losses = vec![ZERO; batch.rows * batch.losses_per_row()];
        let mut gradient = vec![ZERO; elements];
        let divisor = if input.row_losses { 1.0 } else { batch.divisor() };
        let upstream = |place: usize| {
            let given = input.upstream.as_deref();
            given.map_or(1.0, |all| all.get(if input.row_losses { place } else { 0 }).copied().unwrap_or(f64::NAN))
        };
        for (at, row) in batch.rows().enumerate() {
            let Some(row) = row else { continue };
            let scales = match batch.config.loss() {
                LossFamily::CrossEntropy => softmax(&row, &batch.config),
                LossFamily::BinaryCrossEntropy => sigmoid(&row, &batch.config),
            };
            for class in 0..batch.classes {
                let element = batch.place(at, class);
                let loss_place = if batch.config.loss() == LossFamily::CrossEntropy { at } else { element };
                if let Some(loss) = scales.loss.get(class) {
                    losses[loss_place] = *loss;
                }
                if divisor != 0.0 {
                    let factor = (upstream(loss_place) / divisor).abs();
                    gradient[element] = scales.gradient[class].times(factor);
                }
            }
        }
        let loss = if input.row_losses { losses } else { vec![reduced(&losses, divisor)] };
        Ok(Self { classes: batch.classes, loss, gradient })
    }
}

/// The scale of a sum is the sum of the scales; it shows confident rows only if all that count are confident.
fn reduced(losses: &[Place], divisor: f64) -> Place {
    if divisor == 0.0 {
        return ZERO;
    }
    let mut counted = losses.iter().filter(|loss| !loss.is_zero).peekable();
    let is_zero = counted.peek().is_none();
    let (mut scale, mut factor_of_p, mut gap) = (0.0, 0.0, Some(0.0));
    for loss in counted {
        scale += loss.scale / divisor;
        factor_of_p += loss.factor_of_p / divisor;
        gap = gap.zip(loss.gap).map(|(largest, gap): (f64, f64)| largest.max(gap));
    }
    Place { scale, factor_of_p, is_zero, gap: gap.filter(|_| !is_zero) }
}

/// One row's places, before upstream and denominator.
struct RowScales {
    /// One for the softmax family, one per class for the binary one.
    loss: Vec<Place>,
    gradient: Vec<Place>,
}

fn softmax(row: &Row, config: &Config) -> RowScales {
    let (z, a) = (&row.z, &row.factors);
    let max = z.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let sum: f64 = z.iter().map(|z| (z - max).exp()).sum();
    let cost = |class: usize| (max - z[class]) + sum.ln() + COST_OF_A_TERM;
    let finite = |class: usize| z[class] != f64::NEG_INFINITY;
    let (prediction, likelihood) = (Prediction::new(z), config.likelihood());
    let b: Vec<f64> = (0..z.len()).map(|class| a[class] * prediction.slope(likelihood, class)).collect();
    let total: f64 = b.iter().sum();
    let z_factor = row.weight * config.z_loss();
    let lse = max + sum.ln();

    let terms = (0..z.len()).filter(|&class| a[class] != 0.0);
    let of_class = |class| if finite(class) { prediction.cost(likelihood, class) } else { 1.0 };
    let mut loss: f64 = terms.map(|class| a[class] * of_class(class)).sum();
    // How fast the row's loss changes with `lse`: the factor of each `p_k` in the gradient.
    let pull = total + 2.0 * z_factor * lse.abs();
    let mut factors_of_p = vec![pull; z.len()];
    let mut added = vec![0.0; z.len()];
    for penalty in config.penalties() {
        let (of_loss, of_gradient) = prediction.penalty(penalty, &row.smoothed);
        loss += row.weight * of_loss;
        added.iter_mut().zip(of_gradient).for_each(|(added, more)| *added += row.weight * more);
        let of_p = prediction.factors_of_p(penalty, &row.smoothed);
        factors_of_p.iter_mut().zip(of_p).for_each(|(factor, more)| *factor += row.weight * more);
    }
    let gap = lead(row, config);
    let gradient = (0..z.len()).map(|class| {
        let pulled = if finite(class) { pull * ((z[class] - max).exp() / sum) * cost(class) } else { 0.0 };
        let shows_the_lead = row.hard[class] > 0.0;
        let (scale, factor_of_p) = (pulled + b[class] + added[class], factors_of_p[class]);
        Place { scale, factor_of_p, is_zero: false, gap: gap.filter(|_| shows_the_lead) }
    });
    let gradient = gradient.collect();
    let factor_of_p = factors_of_p.iter().copied().fold(0.0, f64::max);
    let loss = Place { scale: loss + z_factor * lse * lse, factor_of_p, is_zero: false, gap };
    RowScales { loss: vec![loss], gradient }
}

/// By how much the target leads, if it is one class, leads, and nothing else enters the row's loss.
fn lead(row: &Row, config: &Config) -> Option<f64> {
    // The tail of `epsilon (1 - p)` is that of `-log p`, as long as nothing is taken off.
    let adds_a_tail = |penalty: &Penalty| matches!(penalty, Penalty::Poly { epsilon } if *epsilon >= 0.0);
    let plain = config.smoothing().largest_rate() == 0.0
        && config.z_loss() == 0.0
        && !matches!(config.likelihood(), Likelihood::Relaxed { .. })
        && config.penalties().iter().all(adds_a_tail);
    let mut with_mass = (0..row.z.len()).filter(|&class| row.hard[class] > 0.0);
    let (Some(target), None, true) = (with_mass.next(), with_mass.next(), plain) else { return None };
    let others = row.z.iter().enumerate().filter(|&(class, _)| class != target).map(|(_, &z)| z);
    let gap = row.z[target] - others.fold(f64::NEG_INFINITY, f64::max);
    (gap > 0.0 && gap.is_finite()).then(|| lead_of_a_power(gap, gamma(config)))
}

/// The power of the focal loss, 0 without it.
fn gamma(config: &Config) -> f64 {
    match config.likelihood() {
        Likelihood::Focal { gamma, .. } => gamma,
        _ => 0.0,
    }
}

fn sigmoid(row: &Row, config: &Config) -> RowScales {
    let plain = config.smoothing().largest_rate() == 0.0;
    // An element is confident where its logit is on the side of its target.
    let gap = |class: usize| {
        let (z, y) = (row.z[class], row.hard[class]);
        let confident = plain && z.is_finite() && ((y == 1.0 && z > 0.0) || (y == 0.0 && z < 0.0));
        confident.then(|| lead_of_a_power(z.abs(), gamma(config)))
    };
    let terms = TERMS_OF_A_BINARY_GRADIENT * (1.0 + gamma(config));
    let masses = match config.smoothing() {
        Smoothing::UnbiasedFlip { epsilon } => 1.0 / (1.0 - 2.0 * epsilon),
        _ => 1.0,
    };
    // `exp(-|z|)` enters as many times as the gradient's terms may be large.
    let place = |class: usize, w: f64, scale: f64| {
        Place { scale, factor_of_p: terms, is_zero: false, gap: gap(class) }.times(masses * w)
    };
    let elements = || row.z.iter().zip(&row.factors).enumerate();
    // An infinite logit costs nothing on its own side, and an infinite loss has no tolerance.
    let size = |z: &f64| if z.is_infinite() { 0.0 } else { z.abs() };
    RowScales {
        loss: elements().map(|(class, (z, w))| place(class, *w, size(z) + COST_OF_A_BINARY_TERM)).collect(),
        gradient: elements().map(|(class, (_, w))| place(class, *w, terms)).collect(),
    }
}

#[cfg(test)]
mod tests;
