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
    let expected =
        Bound { k: 4.0, unit: f64::from(f32::EPSILON) / 2.0, scale: 3.0, relative_error: 0.5, eta: 2.0_f64.powi(-116) };
    assert_eq!(bound, expected);
}

/// Of three classes the first two share the maximum, and the third has 1/5 and the largest factor of the confidence penalty.
#[test]
fn a_loss_has_the_largest_factor_of_its_probabilities_and_a_mean_the_sum_of_its_rows() {
    let logits = Dense::new([3, 3], [2.0_f64.ln(), 2.0_f64.ln(), 0.0].repeat(3));
    let config = Config::cross_entropy().penalties([Penalty::Confidence { strength: 1.0 }]);
    let targets = TargetInput::Indices(Dense::new([3], [0, 1, 2]));
    let mut input = CaseInput::new(LossFamily::CrossEntropy, config, logits, targets);
    input.row_weights = Some(Dense::new([3], [1.0, 2.0, 5.0]));
    let Scales { loss, gradient, .. } = Scales::new(&input).unwrap();
    let minus_log = [2.5_f64.ln(), 2.5_f64.ln(), 5.0_f64.ln()];
    let entropy = 0.8 * minus_log[0] + 0.2 * minus_log[2];
    let factor = |class: usize| 1.0 + minus_log[class] + entropy;
    let is_near = |place: &Place, factor: f64| (place.factor_of_p - factor).abs() <= 1e-12 * factor;
    assert!(is_near(&loss[0], factor(2)), "{loss:?}");
    for (row, share) in [1.0 / 8.0, 2.0 / 8.0, 5.0 / 8.0].into_iter().enumerate() {
        assert!((0..3).all(|class| is_near(&gradient[3 * row + class], share * factor(class))), "{gradient:?}");
    }
}

/// `lse` may be negative: here -2.
#[test]
fn a_z_loss_pulls_at_a_negative_lse_too() {
    let scales = scales(Config::cross_entropy().z_loss(0.5), &[-2.0 - 2.0_f64.ln(), -2.0 - 2.0_f64.ln()], 0);
    near(&scales.gradient[1], (1.0 + 2.0) * 0.5 * (2.0_f64.ln() + 1.0));
}

/// Smoothing gives a class mass that its target's weight of 0 does not count.
#[test]
fn a_mean_over_nothing_has_no_gradient() {
    let config = Config::cross_entropy().smoothing(Smoothing::Uniform { epsilon: 0.5 }).class_weights([0.0, 8.0]);
    let scales = scales(config, &[0.0, 1.0], 0);
    assert!(scales.loss[0].is_zero && scales.gradient.iter().all(|place| place.is_zero), "{scales:?}");
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
    let scales = |config, z: &[f64]| binary(config, z).map(|places| places.iter().map(|p| p.scale).collect::<Vec<_>>());
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
    let mut input = CaseInput::new(LossFamily::BinaryCrossEntropy, config, Dense::new([1, 2], [-7.0, -4.0]), targets);
    input.row_losses = true;
    input.upstream = Some(vec![1.0, -0.5]);
    let scales = Scales::new(&input).unwrap();
    assert_eq!((scales.loss[0].scale, scales.loss[1].scale), (27.0, 6.0));
    assert_eq!((scales.gradient[0].scale, scales.gradient[1].scale), (6.0, 1.0));
    assert_eq!((scales.loss[0].gap, scales.loss[1].gap), (None, Some(4.0)));
    assert_eq!((scales.loss[0].factor_of_p, scales.gradient[1].factor_of_p), (6.0, 1.0));
}
