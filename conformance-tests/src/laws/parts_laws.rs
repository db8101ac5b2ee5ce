//! Laws about the loss in parts, and about gradients that are accumulated.

use label_smoothing_core::{Denominator, Likelihood, LossParts, Reduction, Smoothing};

use super::Rule;
use super::compare::{Answer, Near, Trial};
use super::scene::{Scene, SceneTargets};
use crate::backend::Failure;

pub(super) const RULES: &[Rule] = &[
    Rule { name: "parts-add-up", applies: |scene| scene.rows() > 1, check: parts_add_up },
    Rule { name: "parts-tell-the-plain-loss", applies: |_| true, check: parts_tell_the_plain_loss },
    Rule { name: "gradients-accumulate", applies: |scene| scene.rows() > 1, check: gradients_accumulate },
];

/// What parts may differ by that were added up in another order: they are sums in `f64`, whatever the element type.
const ORDER: f64 = 1e-14;

/// Micro-batches of unequal numbers of rows.
fn micro_batches(scene: &Scene) -> Vec<Vec<usize>> {
    let half = scene.rows().div_ceil(2);
    vec![(0..half).collect(), (half..scene.rows()).collect()]
}

/// The parts of micro-batches add up to those of the whole, whose mean is the loss.
fn parts_add_up(trial: &mut Trial, scene: &Scene) -> Result<(), Failure> {
    for reduction in [Reduction::Mean, Reduction::Sum] {
        let scene = Scene { reduction: Some(reduction), ..scene.clone() };
        let whole = trial.parts(&scene)?;
        let each = micro_batches(&scene)
            .iter()
            .map(|rows| trial.parts(&scene.pick_rows(rows)))
            .collect::<Result<Vec<_>, _>>()?;
        let sum: LossParts = each.into_iter().sum();
        let numbers = |parts: &LossParts| {
            [
                ("sum", parts.sum()),
                ("denominator", parts.denominator()),
                ("mean", parts.mean()),
                ("nll", parts.nll()),
                ("z_loss", parts.z_loss()),
                ("perplexity", parts.perplexity()),
                ("accuracy", parts.accuracy()),
            ]
        };
        for ((name, whole), (_, sum)) in numbers(&whole).into_iter().zip(numbers(&sum)) {
            trial.parts_near(name, whole, sum, ORDER * whole.abs());
        }
        trial.parts_near("counted", whole.counted() as f64, sum.counted() as f64, 0.0);
        trial.parts_near("correct", whole.correct() as f64, sum.correct() as f64, 0.0);
        let loss = trial.ask(&scene)?.total();
        let of_parts = if reduction == Reduction::Mean { whole.mean() } else { whole.sum() };
        trial.losses(loss, Near::exactly(of_parts));
    }
    Ok(())
}

/// The plain loss, the z-loss and the correct predictions come with the smoothed loss.
fn parts_tell_the_plain_loss(trial: &mut Trial, scene: &Scene) -> Result<(), Failure> {
    let smoothed = Scene { reduction: Some(Reduction::Sum), upstream: None, ..scene.clone() };
    let parts = trial.parts(&smoothed)?;
    let plain = Scene {
        smoothing: Smoothing::None,
        class_weights: None,
        row_weights: None,
        excluded_classes: Vec::new(),
        subtract_entropy: false,
        z_loss: 0.0,
        likelihood: Likelihood::NegativeLog,
        penalties: Vec::new(),
        ..smoothed.clone()
    };
    let plain = trial.ask(&plain)?.total();
    trial.losses(plain, Near::exactly(parts.nll()));

    let (with, without) = (trial.ask(&smoothed)?.total(), trial.ask(&Scene { z_loss: 0.0, ..smoothed })?.total());
    trial.losses(with.plus(without.times(-1.0)), Near::exactly(parts.z_loss()));
    let rest = parts.sum() - parts.nll() - parts.z_loss();
    let scale = parts.sum().abs() + parts.nll().abs() + parts.z_loss().abs();
    trial.parts_near("smoothing", rest, parts.smoothing(), ORDER * scale);

    trial.parts_near("counted", counted(scene), parts.counted() as f64, 0.0);
    let rows = (0..scene.rows()).filter(|&row| scene.is_counted(row));
    let correct: usize = rows.map(|row| correct_predictions(scene, row)).sum();
    trial.parts_near("correct", correct as f64, parts.correct() as f64, 0.0);
    Ok(())
}

/// The gradients of micro-batches over the number that counts in all of them are those of the whole batch.
fn gradients_accumulate(trial: &mut Trial, scene: &Scene) -> Result<(), Failure> {
    let mean = |denominator| Scene { reduction: Some(Reduction::Mean), denominator, upstream: None, ..scene.clone() };
    let whole: Vec<usize> = (0..scene.rows()).collect();
    let whole = trial.ask(&mean(Denominator::Counted).pick_rows(&whole))?;
    let accumulated = mean(Denominator::Constant(counted(scene)));
    let mut gradient = Vec::new();
    let mut loss = Near::exactly(0.0);
    for rows in micro_batches(scene) {
        let of_batch = trial.ask(&accumulated.pick_rows(&rows))?;
        loss = loss.plus(of_batch.total());
        gradient.extend(of_batch.gradient);
    }
    trial.losses(whole.total(), loss);
    let accumulated = Answer { loss: whole.loss.clone(), gradient }; // The loss was compared above.
    trial.same(&whole, &accumulated);
    Ok(())
}

/// How many losses count: one for a row, or for the binary loss one for each of its classes.
fn counted(scene: &Scene) -> f64 {
    let per_row = if scene.is_binary() { scene.classes() } else { 1 };
    (per_row * (0..scene.rows()).filter(|&row| scene.is_counted(row)).count()) as f64
}

/// How many predictions of a counted row are right: one of its classes, or for the binary loss each of them.
fn correct_predictions(scene: &Scene, row: usize) -> usize {
    let (z, classes) = (&scene.logits[row], scene.classes());
    let mut target = vec![0.0; classes];
    match &scene.targets {
        SceneTargets::Indices(y) => target[y[row] as usize] = 1.0,
        SceneTargets::Probabilities(q) => target.clone_from(&q[row]),
        SceneTargets::Mixed { first, second, lambda } => {
            target[first[row] as usize] += lambda[row];
            target[second[row] as usize] += 1.0 - lambda[row];
        }
    }
    if scene.is_binary() {
        return z.iter().zip(&target).filter(|&(&z, &target)| (z > 0.0) == (target > 0.5)).count();
    }
    let first_largest = |values: &[f64]| (0..classes).rev().max_by(|&a, &b| values[a].total_cmp(&values[b]));
    usize::from(first_largest(z) == first_largest(&target))
}
