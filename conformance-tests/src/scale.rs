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
//! Where a kind of smoothing takes mass away, `a_c` has it added: `(1 - r) q_c + |r| / K`, which does not cancel. The binary
//! scale is multiplied by the largest `|q| + |1 - q|` of the kind.
//!
//! Where `z_c = -inf` only `a_c` counts. This is the kit's own arithmetic, apart from core's, because it also knows
//! which numbers must be exactly 0.

use label_smoothing_core::{Config, Error, LossFamily, Smoothing};

use crate::input::CaseInput;
use crate::target::{Batch, Row};
use crate::tolerance::{COST_OF_A_BINARY_TERM, COST_OF_A_TERM, TERMS_OF_A_BINARY_GRADIENT};

/// What is known about one number before anybody has computed it.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct Place {
    /// The scale of its tolerance.
    pub(crate) scale: f64,
    /// It must be exactly 0: nothing that counts enters it.
    pub(crate) is_zero: bool,
    /// The lead of a confident row, or of a binary element, whose relative accuracy it shows.
    pub(crate) gap: Option<f64>,
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

const ZERO: Place = Place { scale: 0.0, is_zero: true, gap: None };

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
                    let unit = scales.gradient[class];
                    gradient[element] = Place { scale: factor * unit.scale, ..unit };
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
    let (mut scale, mut gap) = (0.0, Some(0.0));
    for loss in counted {
        scale += loss.scale / divisor.abs();
        gap = gap.zip(loss.gap).map(|(largest, gap): (f64, f64)| largest.max(gap));
    }
    Place { scale, is_zero, gap: gap.filter(|_| !is_zero) }
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
    let total: f64 = a.iter().sum();
    let z_factor = row.weight * config.z_loss();
    let lse = max + sum.ln();

    let terms = (0..z.len()).filter(|&class| a[class] != 0.0);
    let loss: f64 = terms.map(|class| a[class] * if finite(class) { cost(class) } else { 1.0 }).sum();
    let gap = lead(row, config);
    let gradient = (0..z.len()).map(|class| {
        let pulled = if finite(class) {
            let p = (z[class] - max).exp() / sum;
            (total + 2.0 * z_factor * lse.abs()) * p * cost(class)
        } else {
            0.0
        };
        let shows_the_lead = row.hard[class] > 0.0;
        Place { scale: pulled + a[class], is_zero: false, gap: gap.filter(|_| shows_the_lead) }
    });
    let gradient = gradient.collect();
    RowScales { loss: vec![Place { scale: loss + z_factor * lse * lse, is_zero: false, gap }], gradient }
}

/// By how much the target leads, if it is one class, leads, and nothing else enters the row's loss.
fn lead(row: &Row, config: &Config) -> Option<f64> {
    let plain = config.smoothing().largest_rate() == 0.0 && config.z_loss() == 0.0;
    let mut with_mass = (0..row.z.len()).filter(|&class| row.hard[class] > 0.0);
    let (Some(target), None, true) = (with_mass.next(), with_mass.next(), plain) else { return None };
    let others = row.z.iter().enumerate().filter(|&(class, _)| class != target).map(|(_, &z)| z);
    let gap = row.z[target] - others.fold(f64::NEG_INFINITY, f64::max);
    (gap > 0.0 && gap.is_finite()).then_some(gap)
}

fn sigmoid(row: &Row, config: &Config) -> RowScales {
    let plain = config.smoothing().largest_rate() == 0.0;
    // An element is confident where its logit is on the side of its target.
    let gap = |class: usize| {
        let (z, y) = (row.z[class], row.hard[class]);
        let confident = plain && z.is_finite() && ((y == 1.0 && z > 0.0) || (y == 0.0 && z < 0.0));
        confident.then_some(z.abs())
    };
    let masses = match config.smoothing() {
        Smoothing::UnbiasedFlip { epsilon } => 1.0 / (1.0 - 2.0 * epsilon),
        _ => 1.0,
    };
    let place = |class: usize, scale: f64| Place { scale: masses * scale, is_zero: false, gap: gap(class) };
    let elements = || row.z.iter().zip(&row.factors).enumerate();
    // An infinite logit costs nothing on its own side, and an infinite loss has no tolerance.
    let size = |z: &f64| if z.is_infinite() { 0.0 } else { z.abs() };
    RowScales {
        loss: elements().map(|(class, (z, w))| place(class, w * (size(z) + COST_OF_A_BINARY_TERM))).collect(),
        gradient: elements().map(|(class, (_, w))| place(class, w * TERMS_OF_A_BINARY_GRADIENT)).collect(),
    }
}

#[cfg(test)]
mod tests {
    use label_smoothing_core::{ClassWeighting, Config, ConfigBuilder, LossFamily, Smoothing};

    use super::{Place, Scales};
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
    }
}
