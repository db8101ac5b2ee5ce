//! Laws about targets and their smoothing.

use label_smoothing_core::{ClassWeighting, Likelihood, LossFamily, Reduction, Smoothing};

use super::Rule;
use super::compare::{Near, Trial};
use super::scene::{Scene, SceneTargets, id};
use crate::backend::Failure;

pub(super) const RULES: &[Rule] = &[
    Rule { name: "linear-in-epsilon", applies: is_linear_in_epsilon, check: linear_in_epsilon },
    Rule { name: "one-hot-is-indices", applies: has_one_hot, check: one_hot_is_indices },
    Rule { name: "mask-is-ignored-id", applies: |scene| !scene.ignore_index.is_empty(), check: mask_is_ignored_id },
    Rule { name: "mixing-is-linear", applies: is_mixed, check: mixing_is_linear },
    Rule { name: "weights-of-one-are-none", applies: |_| true, check: weights_of_one_are_none },
    Rule { name: "entropy-leaves-the-gradient", applies: has_entropy, check: entropy_leaves_the_gradient },
    Rule { name: "no-rate-is-no-smoothing", applies: |_| true, check: no_rate_is_no_smoothing },
];

/// The same smoothing with another rate.
fn with_rate(scene: &Scene, rate: f64) -> Scene {
    let mut scene = scene.clone();
    match &mut scene.smoothing {
        Smoothing::Uniform { epsilon }
        | Smoothing::UniformOthers { epsilon }
        | Smoothing::Distribution { epsilon, .. }
        | Smoothing::ClassRows { epsilon, .. }
        | Smoothing::UniformHalf { epsilon }
        | Smoothing::UniformFlip { epsilon }
        | Smoothing::PositivesOnly { epsilon } => *epsilon = rate,
        _ => {}
    }
    scene
}

/// `expected` weights multiply two things that both depend on the rate, and so does the focal loss of a sigmoid.
fn is_linear_in_epsilon(scene: &Scene) -> bool {
    let is_sigmoid_focal = scene.loss == LossFamily::BinaryCrossEntropy && scene.likelihood != Likelihood::NegativeLog;
    scene.class_weighting != ClassWeighting::Expected && !is_sigmoid_focal
}

/// The smoothed target is a mixture, and the loss is linear in the target: between the rates 0 and 1 lies a line.
fn linear_in_epsilon(trial: &mut Trial, scene: &Scene) -> Result<(), Failure> {
    for reduction in [scene.reduction, None] {
        let scene = Scene { reduction, ..scene.clone() };
        let (hard, soft) = (trial.ask(&with_rate(&scene, 0.0))?, trial.ask(&with_rate(&scene, 1.0))?);
        for rate in [0.0625, 0.5, 0.875] {
            let between = trial.ask(&with_rate(&scene, rate))?;
            trial.near(&hard.clone().times(1.0 - rate).plus(&soft.clone().times(rate)), &between);
        }
    }
    Ok(())
}

/// Only what is a divergence without it.
fn has_entropy(scene: &Scene) -> bool {
    scene.likelihood == Likelihood::NegativeLog && scene.penalties.is_empty()
}

fn has_one_hot(scene: &Scene) -> bool {
    let indices = matches!(scene.targets, SceneTargets::Indices(_));
    indices && !scene.smoothing.is_for_indices_only() && scene.class_weighting != ClassWeighting::ByTarget
}

/// An index and the probabilities that are 1 for it and 0 elsewhere are the same target.
fn one_hot_is_indices(trial: &mut Trial, scene: &Scene) -> Result<(), Failure> {
    let SceneTargets::Indices(y) = &scene.targets else { return Ok(()) };
    let one_hot = |&y: &i64| (0..scene.classes()).map(|class| f64::from(u8::from(id(class) == y))).collect();
    for reduction in [scene.reduction, Some(Reduction::Sum), None] {
        let scene = Scene { reduction, ..scene.clone() };
        let probabilities = Scene {
            targets: SceneTargets::Probabilities(y.iter().map(one_hot).collect()),
            mask: Some((0..scene.rows()).map(|row| scene.is_counted(row)).collect()),
            ignore_index: Vec::new(),
            ..scene.clone()
        };
        let (indices, probabilities) = (trial.ask(&scene)?, trial.ask(&probabilities)?);
        trial.near(&indices, &probabilities);
    }
    Ok(())
}

/// A row is ignored by its id or by the mask, with the same result; then its id may be anything.
fn mask_is_ignored_id(trial: &mut Trial, scene: &Scene) -> Result<(), Failure> {
    let by_id = trial.ask(scene)?;
    let mask = Some((0..scene.rows()).map(|row| scene.is_counted(row)).collect());
    let masked = Scene { mask, ignore_index: Vec::new(), ..scene.clone() };
    let by_mask = trial.ask(&masked)?;
    trial.same(&by_id, &by_mask);

    let mut anything = masked.clone();
    if let SceneTargets::Indices(y) = &mut anything.targets {
        y.iter_mut().filter(|y| scene.ignore_index.contains(y)).for_each(|y| *y = i64::MAX);
    }
    let anything = trial.ask(&anything)?;
    trial.same(&by_id, &anything);
    Ok(())
}

fn is_mixed(scene: &Scene) -> bool {
    matches!(scene.targets, SceneTargets::Mixed { .. })
}

/// Smoothing a mixed target is mixing two smoothed ones.
fn mixing_is_linear(trial: &mut Trial, scene: &Scene) -> Result<(), Failure> {
    let SceneTargets::Mixed { first, second, lambda } = &scene.targets else { return Ok(()) };
    let rows = Scene { reduction: None, ..scene.clone() };
    let mixed = trial.ask(&rows)?;
    let mut first = trial.ask(&Scene { targets: SceneTargets::Indices(first.clone()), ..rows.clone() })?;
    let mut second = trial.ask(&Scene { targets: SceneTargets::Indices(second.clone()), ..rows.clone() })?;
    for (answer, complement) in [(&mut first, false), (&mut second, true)] {
        for (row, &lambda) in lambda.iter().enumerate() {
            let share = if complement { 1.0 - lambda } else { lambda };
            let numbers = answer.loss[row].iter_mut().chain(&mut answer.gradient[row]);
            numbers.for_each(|number| *number = number.times(share));
        }
    }
    trial.near(&first.plus(&second), &mixed);
    Ok(())
}

fn weights_of_one_are_none(trial: &mut Trial, scene: &Scene) -> Result<(), Failure> {
    let scene = Scene { class_weighting: ClassWeighting::InsideSum, ..scene.clone() };
    // Probabilities need not sum to 1, so that their share of the denominator is only known for the others.
    let reduction =
        if matches!(scene.targets, SceneTargets::Probabilities(_)) { Some(Reduction::Sum) } else { scene.reduction };
    let none = trial.ask(&Scene { class_weights: None, reduction, ..scene.clone() })?;
    let ones = trial.ask(&Scene { class_weights: Some(vec![1.0; scene.classes()]), reduction, ..scene })?;
    trial.near(&none, &ones);
    Ok(())
}

/// The entropy of the target is a constant: the gradient is the same, and what is left of the loss is a divergence,
/// which is not negative where targets are distributions.
fn entropy_leaves_the_gradient(trial: &mut Trial, scene: &Scene) -> Result<(), Failure> {
    let normalised =
        Scene { reduction: None, class_weights: None, class_weighting: ClassWeighting::InsideSum, ..scene.clone() };
    let with = trial.ask(&Scene { subtract_entropy: true, ..normalised.clone() })?;
    let without = trial.ask(&Scene { subtract_entropy: false, ..normalised })?;
    for (row, (with, without)) in with.gradient.iter().zip(&without.gradient).enumerate() {
        for (&with, &without) in with.iter().zip(without) {
            trial.gradients(with, without, &|| format!("a gradient of row {row}"));
        }
    }
    // Rounded probabilities sum to 1 within a rounding of the logits' type only, and are left out here.
    if matches!(scene.targets, SceneTargets::Probabilities(_)) && !scene.is_binary() {
        return Ok(());
    }
    for &divergence in with.loss.iter().flatten() {
        trial.losses(Near { value: divergence.value.min(0.0), ..divergence }, Near::exactly(0.0));
    }
    Ok(())
}

/// Every kind of smoothing with the rate 0 leaves the targets as given.
fn no_rate_is_no_smoothing(trial: &mut Trial, scene: &Scene) -> Result<(), Failure> {
    let excluded_classes = Vec::new();
    let none = Scene { smoothing: Smoothing::None, excluded_classes, ..scene.clone() };
    let (none, zero) = (trial.ask(&none)?, trial.ask(&with_rate(scene, 0.0))?);
    trial.near(&none, &zero);
    Ok(())
}
