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
        scale += loss.scale / divisor.abs();
        factor_of_p += loss.factor_of_p / divisor.abs();
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
mod tests {
    use label_smoothing_core::{
        ClassWeighting, Config, ConfigBuilder, Likelihood, LossFamily, Penalty, Reduction, Smoothing,
    };

    use super::{Bound, Place, Scales};
    use crate::dtype::Dtype;
    use crate::input::{CaseInput, Dense, TargetInput};

    fn scales(config: ConfigBuilder, z: &[f64], target: i64) -> Scales {
        let targets = TargetInput::Indices(Dense::new([1], [target]));
        Scales::new(&CaseInput::new(LossFamily::CrossEntropy, config, Dense::new([1, z.len()], z), targets)).unwrap()
    }

    fn near(actual: &Place, scale: f64) {
        assert!((actual.scale - scale).abs() <= 1e-12 * scale, "{actual:?} for {scale}");
    }

    /// Two classes with a lead of log 3: p = 3/4 and 1/4, lse' = log 4/3.
    #[test]
    fn the_scale_is_that_of_the_design() {
        let (lead, lse) = (3.0_f64.ln(), (4.0_f64 / 3.0).ln());
        let config = Config::cross_entropy().smoothing(Smoothing::Uniform { epsilon: 0.5 }).class_weights([2.0, 8.0]);
        // a = [2 * 0.75, 8 * 0.25]
        let denominator = 2.0; // the target's weight
        let scales = scales(config, &[lead, 0.0], 0);
        let (r0, r1) = (lse + 1.0, lead + lse + 1.0);
        near(&scales.loss[0], (1.5 * r0 + 2.0 * r1) / denominator);
        near(&scales.gradient[0], (3.5 * 0.75 * r0 + 1.5) / denominator);
        near(&scales.gradient[1], (3.5 * 0.25 * r1 + 2.0) / denominator);
    }

    #[test]
    fn z_loss_and_weighting_enter() {
        let lse = 2.0_f64.ln();
        let config =
            Config::cross_entropy().class_weights([3.0, 5.0]).z_loss(0.5).class_weighting(ClassWeighting::ByTarget);
        let scales = scales(config, &[0.0, 0.0], 1);
        near(&scales.loss[0], (5.0 * (lse + 1.0) + 0.5 * lse * lse) / 5.0);
        near(&scales.gradient[0], (5.0 + lse) * 0.5 * (lse + 1.0) / 5.0);
    }

    #[test]
    fn at_minus_infinity_only_the_mass_counts() {
        let scales = scales(Config::cross_entropy(), &[0.0, f64::NEG_INFINITY], 1);
        assert_eq!((scales.loss[0].scale, scales.gradient[1].scale), (1.0, 1.0));
        near(&scales.gradient[0], 1.0);
    }

    #[test]
    fn only_rows_that_count_have_a_scale() {
        let config = Config::cross_entropy().ignore_index([-1]);
        let scales = scales(config, &[0.0, 0.0], -1);
        assert!(scales.loss[0].is_zero && scales.gradient.iter().all(|place| place.is_zero));
    }

    #[test]
    fn the_lead_is_seen_without_smoothing_only() {
        let lead = |config: ConfigBuilder, target| scales(config, &[20.0, 1.0], target).loss[0].gap;
        assert_eq!(lead(Config::cross_entropy(), 0), Some(19.0));
        assert_eq!(lead(Config::cross_entropy(), 1), None);
        assert_eq!(lead(Config::cross_entropy().smoothing(Smoothing::Uniform { epsilon: 0.1 }), 0), None);
        assert_eq!(lead(Config::cross_entropy().z_loss(0.1), 0), None);
    }

    #[test]
    fn the_lead_is_that_of_the_power_and_stands_at_the_target() {
        let lead = |config: ConfigBuilder, z: &[f64]| {
            let scales = scales(config, z, 0);
            [scales.loss[0].gap, scales.gradient[0].gap, scales.gradient[1].gap]
        };
        assert_eq!(lead(Config::cross_entropy(), &[20.0, 1.0]), [Some(19.0), Some(19.0), None]);
        assert_eq!(lead(Config::cross_entropy(), &[1.0, 1.0]), [None; 3]);
        let focal = Config::cross_entropy().likelihood(Likelihood::Focal { gamma: 2.0, alpha: None });
        assert_eq!(lead(focal, &[20.0, 1.0]), [Some(62.0), Some(62.0), None]); // 3 (2.5 + 19) - 2.5
        let relaxed = Config::cross_entropy().likelihood(Likelihood::Relaxed { alpha: 0.5 });
        assert_eq!(lead(relaxed, &[20.0, 1.0]), [None; 3]);
    }

    /// Two classes with a lead of log 3 again; the scale of the slope is that of `terms`.
    #[test]
    fn a_slope_multiplies_the_factors_of_the_gradient() {
        let (lead, lse) = (3.0_f64.ln(), (4.0_f64 / 3.0).ln());
        let r = [lse + 1.0, lead + lse + 1.0];
        let slope = 0.0625 * (1.0 + 6.0 * lse) * (1.0 + 3.0 * r[1]);
        let config = Config::cross_entropy().class_weights([8.0, 1.0]).reduction(Reduction::Sum);
        let scales = scales(config.likelihood(Likelihood::Focal { gamma: 2.0, alpha: None }), &[lead, 0.0], 0);
        near(&scales.gradient[0], 8.0 * slope * (0.75 * r[0] + 1.0));
        near(&scales.gradient[1], 8.0 * slope * 0.25 * r[1]);
    }

    #[test]
    fn a_probability_enters_with_the_mass_the_z_loss_and_the_penalties() {
        let lse = 2.0 + 4.0_f64.ln();
        let config = Config::cross_entropy().class_weights([3.0, 7.0]).reduction(Reduction::Sum).z_loss(0.5);
        let config = config.penalties([Penalty::Poly { epsilon: 2.0 }]);
        let logits = Dense::new([1, 2], [3.0_f64.ln() + 2.0, 2.0]);
        let targets = TargetInput::Indices(Dense::new([1], [0]));
        let mut input = CaseInput::new(LossFamily::CrossEntropy, config, logits, targets);
        input.row_weights = Some(Dense::new([1], [16.0]));
        input.upstream = Some(vec![-0.25]);
        let Scales { loss, gradient, .. } = Scales::new(&input).unwrap();
        let factors = [loss[0], gradient[0], gradient[1]].map(|place| place.factor_of_p / (3.0 + lse + 2.0));
        assert!(factors.iter().zip([16.0, 4.0, 4.0]).all(|(a, b)| (a - b).abs() <= 1e-12), "{factors:?}");
        let bound = Place { scale: 3.0, factor_of_p: 1024.0, ..loss[0] }.bound(4.0, Dtype::F32, 0.5);
        let expected = Bound {
            k: 4.0,
            unit: f64::from(f32::EPSILON) / 2.0,
            scale: 3.0,
            relative_error: 0.5,
            eta: 2.0_f64.powi(-116),
        };
        assert_eq!(bound, expected);
    }

    #[test]
    fn a_penalty_and_the_z_loss_are_weighted_by_the_row() {
        let (lead, lse) = (3.0_f64.ln(), (4.0_f64 / 3.0).ln());
        let r = [lse + 1.0, lead + lse + 1.0];
        let config = Config::cross_entropy().reduction(Reduction::Sum).z_loss(0.5);
        let config = config.penalties([Penalty::MaxSuppression { strength: 2.0 }]);
        let targets = TargetInput::Indices(Dense::new([1], [0]));
        let logits = Dense::new([1, 2], [lead + 2.0, 2.0]);
        let mut input = CaseInput::new(LossFamily::CrossEntropy, config, logits, targets);
        input.row_weights = Some(Dense::new([1], [4.0]));
        let scales = Scales::new(&input).unwrap();
        let whole = lead + 2.0 + lse;
        // The penalty counts 2 lead in the loss, and 6 and 2 in the gradient.
        near(&scales.loss[0], 4.0 * (r[0] + 2.0 * lead + 0.5 * whole * whole));
        near(&scales.gradient[0], 4.0 * ((1.0 + whole) * 0.75 * r[0] + 1.0 + 6.0));
        near(&scales.gradient[1], 4.0 * ((1.0 + whole) * 0.25 * r[1] + 2.0));
    }

    /// The places of the losses and of the gradients, for the first class as the target.
    fn binary(config: ConfigBuilder, z: &[f64]) -> [Vec<Place>; 2] {
        let targets = TargetInput::Indices(Dense::new([1], [0]));
        let logits = Dense::new([1, z.len()], z);
        let input = CaseInput::new(LossFamily::BinaryCrossEntropy, config, logits, targets);
        let Scales { loss, gradient, .. } = Scales::new(&CaseInput { row_losses: true, ..input }).unwrap();
        [loss, gradient]
    }

    #[test]
    fn a_binary_element_is_confident_on_its_targets_side() {
        let gaps = |config, z: &[f64]| binary(config, z)[0].iter().map(|place| place.gap).collect::<Vec<_>>();
        let start = Config::binary_cross_entropy;
        assert_eq!(gaps(start(), &[7.0, -4.0, 3.0, f64::NEG_INFINITY]), [Some(7.0), Some(4.0), None, None]);
        assert_eq!(gaps(start(), &[-7.0, 0.0]), [None; 2]);
        assert_eq!(gaps(start(), &[0.0, f64::INFINITY]), [None; 2]);
        assert_eq!(gaps(start(), &[f64::INFINITY, -1.0]), [None, Some(1.0)]);
        assert_eq!(gaps(start().smoothing(Smoothing::UniformHalf { epsilon: 0.1 }), &[7.0, -4.0]), [None; 2]);
    }

    #[test]
    fn a_binary_scale_grows_with_the_power_and_the_masses() {
        let scales =
            |config, z: &[f64]| binary(config, z).map(|places| places.iter().map(|p| p.scale).collect::<Vec<_>>());
        let start = Config::binary_cross_entropy;
        let focal = start().likelihood(Likelihood::Focal { gamma: 3.0, alpha: None });
        assert_eq!(scales(focal, &[-7.0, 1.0]), [[9.0, 3.0], [8.0, 8.0]]);
        let flip = start().smoothing(Smoothing::UnbiasedFlip { epsilon: 0.25 }); // targets of 3/2 and -1/2
        assert_eq!(scales(flip, &[-7.0, 1.0]), [[18.0, 6.0], [4.0, 4.0]]);
        assert_eq!(scales(start(), &[f64::INFINITY, 1.0]), [[2.0, 3.0], [2.0, 2.0]]);
    }

    #[test]
    fn a_binary_element_is_scaled_by_its_logit() {
        let config = Config::binary_cross_entropy().class_weights([3.0, 1.0]);
        let targets = TargetInput::Indices(Dense::new([1], [0]));
        let mut input =
            CaseInput::new(LossFamily::BinaryCrossEntropy, config, Dense::new([1, 2], [-7.0, -4.0]), targets);
        input.row_losses = true;
        input.upstream = Some(vec![1.0, -0.5]);
        let scales = Scales::new(&input).unwrap();
        assert_eq!((scales.loss[0].scale, scales.loss[1].scale), (27.0, 6.0));
        assert_eq!((scales.gradient[0].scale, scales.gradient[1].scale), (6.0, 1.0));
        assert_eq!((scales.loss[0].gap, scales.loss[1].gap), (None, Some(4.0)));
        assert_eq!((scales.loss[0].factor_of_p, scales.gradient[1].factor_of_p), (6.0, 1.0));
    }
}
