//! Mistakes at the edges: of vector registers and blocks, of groups of rows, of what may be infinite, empty or 0.

use label_smoothing_conformance::{CaseInput, Dtype, Failure, Outcome, TargetInput};
use label_smoothing_core::{LossFamily, Problem, Smoothing};

use super::arithmetic::{Row, loss_if, rows};
use super::{Mistake, mistake, right};

pub(super) const MISTAKES: &[Mistake] = &[
    mistake("columns beyond the last full register lost", "lane-edges", |input| without_tail(input, 8)),
    mistake("columns beyond the last full block lost", "block-edges", |input| without_tail(input, 1024)),
    mistake("a register filled up with 0 for -inf", "lane-edges", |input| {
        loss_if(input, |row| {
            let filled = (8 - row.z.len() % 8) % 8;
            let sum = row.lse().exp() + filled as f32 * (-row.max()).exp();
            Some(cost(row, |c| sum.ln() + row.max() - row.z[c]))
        })
    }),
    mistake("rows beyond the last full group lost", "row-groups", |input| {
        let (mut outcome, config) = (right(input)?, input.config()?);
        let problem = Problem::new(&config, &input.logits.shape, input.core_targets::<f64>())?;
        let rows = problem.shape().rows();
        if input.row_losses && rows > 16 && config.loss() == LossFamily::CrossEntropy {
            outcome.values[rows / 16 * 16..].fill(0.0);
        }
        Ok(outcome)
    }),
    mistake("the maximum of the first registers only", "maximum-anywhere", |input| {
        loss_if(input, |row| {
            let max = row.z.iter().take(32).copied().fold(f32::NEG_INFINITY, f32::max);
            let sum: f32 = row.z.iter().map(|z| (z - max).exp()).sum();
            (row.z.len() > 32).then(|| cost(row, |c| sum.ln() + max - row.z[c]))
        })
    }),
    mistake("every column that equals the maximum is its column", "ties", |input| {
        rows(input, |row| {
            let max = row.max();
            let m = row.z.iter().position(|&z| z == max).unwrap_or(0);
            let total: f32 = row.a.iter().sum();
            let at = |c: usize| if row.z[c] == max { m } else { c };
            (None, Some((0..row.z.len()).map(|c| total * row.p(c) - row.a[at(c)]).collect()))
        })
    }),
    mistake("a row that starts with -inf is NaN", "minus-infinity-anywhere", |input| {
        loss_if(input, |row| (row.z[0] == f32::NEG_INFINITY).then_some(f32::NAN))
    }),
    mistake("the distance between classes taken for 1", "inner-stride", |input| {
        let (mut outcome, config) = (right(input)?, input.config()?);
        let problem = Problem::new(&config, &input.logits.shape, input.core_targets::<f64>())?;
        if problem.shape().inner() > 1 {
            outcome.gradient.reverse();
        }
        Ok(outcome)
    }),
    mistake("a NaN row reaches the others", "one-bad-row", |input| {
        let mut outcome = right(input)?;
        if outcome.values.iter().any(|value| value.is_nan()) {
            outcome.gradient.fill(f64::NAN);
        }
        Ok(outcome)
    }),
    mistake("an infinite loss has no gradient", "infinite-loss-finite-gradient", |input| {
        let mut outcome = right(input)?;
        if outcome.values.iter().any(|value| value.is_infinite()) {
            outcome.gradient.fill(f64::NAN);
        }
        Ok(outcome)
    }),
    mistake("an ignored class leaves the softmax", "ignored-id-is-a-class", |input| {
        let config = input.config()?;
        let classes = input.logits.shape.last().copied().unwrap_or(1).max(1);
        let ignored = |place: usize| config.ignore_index().iter().any(|&id| usize::try_from(id) == Ok(place % classes));
        changed(input, |input| {
            let values = input.logits.values.iter_mut().enumerate();
            values.filter(|(place, _)| ignored(*place)).for_each(|(_, z)| *z = f64::NEG_INFINITY);
        })
    }),
    mistake("padding has the weight of class 0", "weights-meet-ignore", |input| {
        let config = input.config()?;
        let mut padded = input.clone();
        if let (TargetInput::Indices(classes), Some(_)) = (&mut padded.targets, config.class_weights()) {
            *classes = classes.map(|class| if config.ignore_index().contains(class) { 0 } else { *class });
            padded.config = config.to_builder().ignore_index([]);
        }
        scaled_by_denominators(input, &padded)
    }),
    mistake("a row for the unit of a binary loss", "binary-units", |input| {
        let outcome = right(input)?;
        let classes = input.logits.shape.last().copied().unwrap_or(1) as f64;
        let factor = if input.loss == LossFamily::BinaryCrossEntropy && !input.row_losses { classes } else { 1.0 };
        Ok(times(outcome, factor))
    }),
    mistake("binary: log(1 + e) for log1p(e)", "confident-element", |input| {
        let mut outcome = right(input)?;
        if input.loss == LossFamily::BinaryCrossEntropy && input.row_losses {
            let lost = |(loss, z): (&mut f64, &f64)| {
                if z.abs() > 17.0 && *loss < 1e-6 {
                    *loss = 0.0;
                }
            };
            outcome.values.iter_mut().zip(&input.logits.values).for_each(lost);
        }
        Ok(outcome)
    }),
    mistake("excluded classes stay in K", "excluded-classes-leave-k", |input| {
        let config = input.config()?;
        let excluded = config.excluded_classes().len() as f64;
        let classes = input.logits.shape.last().copied().unwrap_or(1) as f64;
        let Smoothing::Uniform { epsilon } = *config.smoothing() else { return right(input) };
        if excluded == 0.0 || config.subtract_entropy() || config.z_loss() != 0.0 {
            return right(input);
        }
        let at = |epsilon| right(&with_config(input, config.to_builder().smoothing(Smoothing::Uniform { epsilon })));
        let (hard, soft) = (times(at(0.0)?, 1.0 - epsilon), times(at(1.0)?, epsilon * (classes - excluded) / classes));
        let sum = |a: Vec<f64>, b: Vec<f64>| a.into_iter().zip(b).map(|(a, b)| a + b).collect();
        Ok(Outcome { values: sum(hard.values, soft.values), gradient: sum(hard.gradient, soft.gradient) })
    }),
    mistake("mass that finds no class is lost", "no-class-left", |input| {
        let (mut outcome, config) = (right(input)?, input.config()?);
        let (epsilon, none) = (config.smoothing().largest_rate(), config.to_builder().smoothing(Smoothing::None));
        let hard = right(&with_config(input, none.excluded_classes([])))?;
        if input.row_losses && config.loss() == LossFamily::CrossEntropy {
            let pairs = outcome.values.iter_mut().zip(&hard.values);
            pairs.filter(|(loss, hard)| *loss == *hard).for_each(|(loss, _)| *loss *= 1.0 - epsilon);
        }
        Ok(outcome)
    }),
    mistake("the entropy of the hard target", "entropy-of-the-smoothed", |input| {
        let config = input.config()?;
        if !config.subtract_entropy() {
            return right(input);
        }
        let hard = || config.to_builder().smoothing(Smoothing::None).excluded_classes([]);
        let without = right(&with_config(input, config.to_builder().subtract_entropy(false)))?;
        let (with_hard, without_hard) =
            (right(&with_config(input, hard()))?, right(&with_config(input, hard().subtract_entropy(false)))?);
        let entropies = without_hard.values.iter().zip(&with_hard.values).map(|(without, with)| without - with);
        let values = without.values.iter().zip(entropies).map(|(loss, entropy)| loss - entropy).collect();
        Ok(Outcome { values, ..without })
    }),
    mistake("0 * log 0 in the entropy", "entropy-zero-mass", |input| {
        let (mut outcome, config) = (right(input)?, input.config()?);
        let rate = config.smoothing().largest_rate();
        if config.subtract_entropy() && (rate == 0.0 || rate == 1.0) {
            outcome.values.fill(f64::NAN);
        }
        Ok(outcome)
    }),
    mistake("a row of weight 0 is ignored", "row-weight-zero-counts", |input| {
        changed(input, |input| {
            if input.row_mask.is_none() {
                input.row_mask = input.row_weights.as_ref().map(|weights| weights.map(|&weight| weight != 0.0));
            }
        })
    }),
    mistake("the row weight leaves out the z-loss", "row-weight-times-all", |input| {
        let config = input.config()?;
        if !input.row_losses || config.z_loss() == 0.0 {
            return right(input);
        }
        let of = |z_loss, weighted: bool| {
            let mut input = with_config(input, config.to_builder().z_loss(z_loss));
            input.row_weights = input.row_weights.filter(|_| weighted);
            right(&input)
        };
        let (weighted, with, without) = (of(0.0, true)?, of(config.z_loss(), false)?, of(0.0, false)?);
        let z = with.values.iter().zip(&without.values).map(|(with, without)| with - without);
        Ok(Outcome { values: weighted.values.iter().zip(z).map(|(a, b)| a + b).collect(), ..right(input)? })
    }),
    mistake("lse less the maximum in the z-loss", "z-loss-everywhere", |input| {
        let config = input.config()?;
        let mut shifted = input.clone();
        let classes = input.logits.shape.last().copied().unwrap_or(1).max(1);
        if config.z_loss() != 0.0 {
            for row in shifted.logits.values.chunks_mut(classes) {
                let max = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                for z in row {
                    *z -= max;
                }
            }
        }
        right(&shifted)
    }),
    Mistake {
        name: "f64 logits taken as f32",
        caught_by: "beyond-float32",
        dtype: Dtype::F64,
        evaluate: |input| changed(input, |input| input.logits = input.logits.map(|&z| Dtype::F32.round(z))),
    },
];

fn changed(input: &CaseInput, change: impl FnOnce(&mut CaseInput)) -> Result<Outcome, Failure> {
    let mut input = input.clone();
    change(&mut input);
    right(&input)
}

pub(super) fn with_config(input: &CaseInput, config: label_smoothing_core::ConfigBuilder) -> CaseInput {
    CaseInput { config, ..input.clone() }
}

pub(super) fn times(mut outcome: Outcome, factor: f64) -> Outcome {
    outcome.values.iter_mut().chain(&mut outcome.gradient).for_each(|value| *value *= factor);
    outcome
}

/// `sum a_c cost_c` where there is mass.
fn cost(row: &Row, of: impl Fn(usize) -> f32) -> f32 {
    (0..row.z.len()).filter(|&c| row.a[c] != 0.0).map(|c| row.a[c] * of(c)).sum()
}

/// The sum of the exponentials without the columns that do not fill `width`, where there are such.
fn without_tail(input: &CaseInput, width: usize) -> Result<Outcome, Failure> {
    loss_if(input, |row| {
        let full = row.z.len() / width * width;
        let sum: f32 = row.z[..full].iter().map(|z| (z - row.max()).exp()).sum();
        (full > 0 && full < row.z.len()).then(|| cost(row, |c| sum.ln() + row.max() - row.z[c]))
    })
}

/// The right answer to the input, divided by what a mean over `other` divides by.
fn scaled_by_denominators(input: &CaseInput, other: &CaseInput) -> Result<Outcome, Failure> {
    let outcome = right(input)?;
    let denominator = |input: &CaseInput| {
        let config = input.config().ok()?;
        let problem = Problem::new(&config, &input.logits.shape, input.core_targets::<f64>()).ok()?;
        problem.gradient_divisor()
    };
    match (denominator(input), denominator(other)) {
        (Some(ours), Some(theirs)) if !input.row_losses => Ok(times(outcome, ours / theirs)),
        _ => Ok(outcome),
    }
}
