//! Laws about factors: of the loss, of the gradient and of the denominator.

use label_smoothing_core::{Denominator, Likelihood, LossFamily, Reduction};

use super::Rule;
use super::compare::{Near, Trial};
use super::scene::Scene;
use crate::backend::Failure;
use crate::dtype::Dtype;
use crate::target::Batch;
use crate::tolerance::{Accuracy, K_ROW_SUM, eta};

pub(super) const RULES: &[Rule] = &[
    Rule { name: "shift-invariance", applies: is_shift_invariant, check: shift_invariance },
    Rule { name: "gradient-of-a-row-sums-to-0", applies: is_shift_invariant, check: row_sums },
    Rule { name: "mean-times-denominator-is-sum", applies: |_| true, check: mean_times_denominator },
    Rule { name: "upstream-is-a-factor", applies: |_| true, check: upstream_is_a_factor },
    Rule { name: "row-weight-is-a-factor", applies: |_| true, check: row_weight_is_a_factor },
    Rule { name: "sum-adds-row-losses", applies: |_| true, check: sum_adds_row_losses },
];

fn is_shift_invariant(scene: &Scene) -> bool {
    scene.loss == LossFamily::CrossEntropy && scene.z_loss == 0.0
}

/// An offset on a whole row changes nothing, however large. Logits stand on a grid that the shifted ones keep to, so
/// that the shift itself is exact.
fn shift_invariance(trial: &mut Trial, scene: &Scene) -> Result<(), Failure> {
    let offset = match trial.session().dtype {
        Dtype::F64 => 2.0_f64.powi(40),
        Dtype::F32 => 2.0_f64.powi(18),
        Dtype::F16 => 2.0_f64.powi(6),
        Dtype::Bf16 => 2.0_f64.powi(3),
    };
    let mut scene = Scene { reduction: None, ..scene.clone() };
    scene.logits.iter_mut().flatten().for_each(|z| *z = (*z * 8.0).round() / 8.0);
    let answer = trial.ask(&scene)?;
    for sign in [1.0, -1.0] {
        let mut shifted = scene.clone();
        for (row, logits) in shifted.logits.iter_mut().enumerate() {
            let offset = if row % 2 == 0 { sign * offset } else { -sign * offset };
            for z in logits {
                *z += offset;
            }
        }
        let shifted = trial.ask(&shifted)?;
        trial.near(&answer, &shifted);
    }
    Ok(())
}

/// A softmax does not feel an offset, so its gradient has no share in that direction.
fn row_sums(trial: &mut Trial, scene: &Scene) -> Result<(), Failure> {
    let scene = Scene { reduction: None, ..scene.clone() };
    let answer = trial.ask(&scene)?;
    let (dtype, accuracy) = (trial.session().dtype, trial.session().backend().accuracy());
    let input = scene.input();
    let rows: Vec<_> = Batch::new(&input)?.rows().collect();
    for (row, gradient) in answer.gradient.iter().enumerate() {
        let mut sum = Near::sum(gradient.iter().copied());
        if accuracy == Accuracy::Kernel {
            let total: f64 = rows[row].iter().flat_map(|row| &row.factors).sum();
            let upstream = scene.upstream.as_ref().map_or(1.0, |upstream| upstream[row][0]);
            let tiny = scene.classes() as f64 * eta(dtype);
            let mut mass = (total * upstream).abs();
            if !scene.penalties.is_empty() || scene.likelihood != Likelihood::NegativeLog {
                mass += gradient.iter().map(|g| g.value.abs()).sum::<f64>(); // Other masses than the target's.
            }
            sum.allowed = K_ROW_SUM * dtype.unit_roundoff() * mass + tiny;
        }
        trial.gradients(sum, Near::exactly(0.0), &|| format!("the sum of the gradient of row {row}"));
    }
    Ok(())
}

/// With every denominator, the mean is the sum divided by it, and so is the gradient.
fn mean_times_denominator(trial: &mut Trial, scene: &Scene) -> Result<(), Failure> {
    let with =
        |reduction, denominator| Scene { reduction: Some(reduction), denominator, upstream: None, ..scene.clone() };
    for denominator in [Denominator::Weights, Denominator::Counted, Denominator::All, Denominator::Constant(0.75)] {
        let (mean, sum) = (with(Reduction::Mean, denominator), with(Reduction::Sum, denominator));
        let divisor = Batch::new(&mean.input())?.denominator();
        let (mean, sum) = (trial.ask(&mean)?, trial.ask(&sum)?);
        trial.near(&mean.times(divisor), &sum);
    }
    Ok(())
}

/// The gradient is proportional to the upstream gradient. A factor of 4 is exact, also in bits.
fn upstream_is_a_factor(trial: &mut Trial, scene: &Scene) -> Result<(), Failure> {
    for reduction in [scene.reduction, None] {
        let scene = Scene { reduction, ..scene.clone() };
        let mut larger = scene.clone();
        larger.upstream.iter_mut().flatten().flatten().for_each(|upstream| *upstream *= -4.0);
        let mut answer = trial.ask(&scene)?;
        answer.gradient.iter_mut().flatten().for_each(|number| *number = number.times(-4.0));
        let larger = trial.ask(&larger)?;
        trial.near(&answer, &larger);
    }
    Ok(())
}

/// Row weights of 2 double a sum, and leave a mean over weights as it is.
fn row_weight_is_a_factor(trial: &mut Trial, scene: &Scene) -> Result<(), Failure> {
    let with = |reduction, factor: f64| {
        let mut scene = Scene { reduction: Some(reduction), denominator: Denominator::Weights, ..scene.clone() };
        let weights = scene.row_weights.get_or_insert_with(|| vec![1.0; scene.logits.len()]);
        for weight in weights {
            *weight *= factor;
        }
        scene
    };
    let (sum, doubled) = (trial.ask(&with(Reduction::Sum, 1.0))?, trial.ask(&with(Reduction::Sum, 2.0))?);
    trial.near(&sum.times(2.0), &doubled);
    let (mean, same) = (trial.ask(&with(Reduction::Mean, 1.0))?, trial.ask(&with(Reduction::Mean, 2.0))?);
    trial.near(&mean, &same);
    // Ones are as if there were none.
    let none = trial.ask(&Scene { row_weights: None, ..scene.clone() })?;
    let ones = trial.ask(&Scene { row_weights: Some(vec![1.0; scene.rows()]), ..scene.clone() })?;
    trial.near(&none, &ones);
    Ok(())
}

/// A sum is that of the row losses.
fn sum_adds_row_losses(trial: &mut Trial, scene: &Scene) -> Result<(), Failure> {
    let sum = trial.ask(&Scene { reduction: Some(Reduction::Sum), upstream: None, ..scene.clone() })?;
    let rows = trial.ask(&Scene { reduction: None, upstream: None, ..scene.clone() })?;
    trial.losses(sum.total(), rows.total());
    for (sum, rows) in sum.gradient.iter().zip(&rows.gradient) {
        for (&sum, &rows) in sum.iter().zip(rows) {
            trial.gradients(sum, rows, &|| "a gradient of the sum".to_owned());
        }
    }
    Ok(())
}
