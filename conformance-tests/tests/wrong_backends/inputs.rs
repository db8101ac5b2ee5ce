//! Mistakes about what was asked: the right answer to another question.

use label_smoothing_conformance::{CaseInput, Dense, Dtype, Failure, Outcome, TargetInput};
use label_smoothing_core::{
    ClassWeighting, Config, ConfigBuilder, Denominator, EmptyMean, LossFamily, NonFiniteLogits, Reduction, Smoothing,
};

use super::{Mistake, mistake, right};

pub(super) const MISTAKES: &[Mistake] = &[
    mistake("epsilon / (K - 1) for epsilon / K", "epsilon-over-k", |input| {
        smoothing(input, |kind, classes| match kind {
            Smoothing::Uniform { epsilon } if classes > 1.0 => {
                Smoothing::Uniform { epsilon: (epsilon * classes / (classes - 1.0)).min(1.0) }
            }
            other => other,
        })
    }),
    mistake("epsilon / K for epsilon / (K - 1)", "uniform_others", |input| {
        smoothing(input, |kind, _| match kind {
            Smoothing::UniformOthers { epsilon } => Smoothing::Uniform { epsilon },
            other => other,
        })
    }),
    mistake("1 / K for epsilon / K", "epsilon-applied-once", |input| {
        smoothing(input, |kind, _| match kind {
            // (1 - e) q + 1 / K, in the same proportions.
            Smoothing::Uniform { epsilon } if epsilon > 0.0 => Smoothing::Uniform { epsilon: 1.0 / (2.0 - epsilon) },
            other => other,
        })
    }),
    mistake("epsilon used twice", "epsilon-applied-once", |input| {
        smoothing(input, |kind, _| match kind {
            Smoothing::Uniform { epsilon } => Smoothing::Uniform { epsilon: 1.0 - (1.0 - epsilon) * (1.0 - epsilon) },
            other => other,
        })
    }),
    mistake("smoothing accepted and not used", "option-silently-unused", |input| {
        configured(input, |config, builder| {
            if config.smoothing().largest_rate() > 0.0 {
                builder.smoothing(Smoothing::None).excluded_classes([])
            } else {
                builder
            }
        })
    }),
    mistake("binary: epsilon for epsilon / 2", "bce-convention", |input| {
        smoothing(input, |kind, _| match kind {
            Smoothing::UniformHalf { epsilon } => Smoothing::UniformFlip { epsilon },
            other => other,
        })
    }),
    mistake("binary: one-sided smoothing on both sides", "positives_only", |input| {
        smoothing(input, |kind, _| match kind {
            Smoothing::PositivesOnly { epsilon } => Smoothing::UniformHalf { epsilon },
            other => other,
        })
    }),
    mistake("a target outside 0 to 1 is clamped", "unbounded-target", |input| {
        smoothing(input, |kind, _| if kind.is_unbounded() { Smoothing::None } else { kind })
    }),
    mistake("binary: labels flipped again for flipped back", "unbiased_flip", |input| {
        smoothing(input, |kind, _| match kind {
            Smoothing::UnbiasedFlip { epsilon } => Smoothing::UniformFlip { epsilon },
            other => other,
        })
    }),
    mistake("a negative rate by its size", "negative", |input| {
        smoothing(input, |kind, _| match kind {
            Smoothing::Negative { rate } => Smoothing::Uniform { epsilon: rate.abs().min(1.0) },
            other => other,
        })
    }),
    mistake("a row per class keeps some of the hard target", "soft-target-rows", |input| {
        smoothing(input, |kind, _| match kind {
            Smoothing::ClassRows { epsilon, rows } => Smoothing::ClassRows { epsilon: epsilon * 0.875, rows },
            other => other,
        })
    }),
    mistake("of a class that is there twice, the last counts", "sparse-entries", |input| {
        changed(input, |input| {
            if let TargetInput::Sparse { classes, probabilities } = &mut input.targets {
                let per_row = classes.shape.last().copied().unwrap_or(1);
                for at in 0..probabilities.values.len().min(classes.values.len()) {
                    let end = (at / per_row.max(1) + 1) * per_row;
                    if (at + 1..end).any(|later| classes.values.get(later) == Some(&classes.values[at])) {
                        probabilities.values[at] = 0.0;
                    }
                }
            }
        })
    }),
    mistake("padding is class 0", "sparse-entries", |input| {
        changed(input, |input| {
            if let TargetInput::Sparse { classes, .. } = &mut input.targets {
                *classes = classes.map(|&class| class.max(0));
            }
        })
    }),
    mistake("the rate of class 0 for every class", "uniform_per_class", |input| {
        smoothing(input, |kind, _| match kind {
            Smoothing::UniformPerClass { epsilons } => {
                Smoothing::UniformPerClass { epsilons: vec![epsilons[0]; epsilons.len()] }
            }
            other => other,
        })
    }),
    mistake("similarities by column for by row", "class_rows", |input| {
        smoothing(input, |kind, _| match kind {
            Smoothing::ClassRows { epsilon, rows } => {
                let columns: Vec<Vec<f64>> = (0..rows.len()).map(|c| rows.iter().map(|row| row[c]).collect()).collect();
                let normalised = columns.iter().map(|column| {
                    let sum: f64 = column.iter().sum();
                    column.iter().map(|entry| entry / sum).collect()
                });
                Smoothing::ClassRows { epsilon, rows: normalised.collect() }
            }
            other => other,
        })
    }),
    mistake("excluded classes get their share", "excluded", |input| {
        configured(input, |_, builder| builder.excluded_classes([]))
    }),
    mistake("-inf counts as a class", "restricted-support", |input| {
        configured(input, |_, builder| builder.non_finite_logits(NonFiniteLogits::Propagate))
    }),
    mistake("-inf is always restricted", "mass-on-minus-infinity", |input| {
        configured(input, |config, builder| match config.loss() {
            LossFamily::CrossEntropy => builder.non_finite_logits(NonFiniteLogits::RestrictSupport),
            LossFamily::BinaryCrossEntropy => builder,
        })
    }),
    mistake("padding stays in the denominator", "ignored-rows-leave-the-mean", |input| {
        configured(input, |config, builder| match (config.class_weights(), config.denominator()) {
            (None, Denominator::Weights | Denominator::Counted) if input.row_weights.is_none() => {
                builder.denominator(Denominator::All)
            }
            _ => builder,
        })
    }),
    mistake("ignored rows enter the smooth part", "ignored-rows-leave-the-smooth-term", smooth_ignored_rows),
    mistake("the mask upside down", "ignore-mask-inverted", upside_down),
    mistake("the mask looked at by nobody", "row-mask", |input| changed(input, |input| input.row_mask = None)),
    mistake("only the first ignored id", "several-ignored-ids", |input| {
        configured(input, |config, builder| {
            builder.ignore_index(config.ignore_index().iter().take(1).copied().collect::<Vec<_>>())
        })
    }),
    mistake("every negative label is ignored", "other-negative-labels", |input| {
        relabelled(input, |class, ignored| if class < 0 { ignored.first().copied().unwrap_or(0) } else { class })
    }),
    mistake("every other negative label is class 0", "other-negative-labels", |input| {
        relabelled(input, |class, ignored| if class < 0 && !ignored.contains(&class) { 0 } else { class })
    }),
    mistake("labels cut to 32 bits", "target-beyond-32-bits", |input| {
        relabelled(input, |class, _| i64::from(class as i32))
    }),
    mistake("targets off by one", "exact/smoothing", |input| {
        let axis = input.config().ok().and_then(|config| config.class_axis()).unwrap_or(0);
        let classes = input.logits.shape.get(axis).map_or(1, |&classes| i64::try_from(classes).unwrap());
        relabelled(input, |class, ignored| {
            if (0..classes).contains(&class) && !ignored.contains(&class) { (class + 1) % classes } else { class }
        })
    }),
    mistake("the last axis for the class axis", "classes-on-the-class-axis", last_axis),
    mistake("probabilities normalised", "unnormalised-targets", normalised),
    mistake("the mixed pair turned round", "mixed-pair", |input| {
        changed(input, |input| {
            if let TargetInput::Mixed { first, second, .. } = &mut input.targets {
                std::mem::swap(first, second);
            }
        })
    }),
    mistake("a mixed target smoothed twice", "mixed-pair", |input| {
        let mixed = matches!(input.targets, TargetInput::Mixed { .. });
        smoothing(input, |kind, _| match kind {
            Smoothing::Uniform { epsilon } if mixed => Smoothing::Uniform { epsilon: epsilon * (2.0 - epsilon) },
            other => other,
        })
    }),
    mistake("weights on the target only", "weights-inside-the-sum", |input| {
        let indices = matches!(input.targets, TargetInput::Indices(_)) && input.loss == LossFamily::CrossEntropy;
        weighting(input, |weighting| {
            if weighting == ClassWeighting::InsideSum && indices { ClassWeighting::ByTarget } else { weighting }
        })
    }),
    mistake("the expected weight taken inside the sum", "three-weightings", |input| {
        weighting(
            input,
            |weighting| {
                if weighting == ClassWeighting::Expected { ClassWeighting::InsideSum } else { weighting }
            },
        )
    }),
    mistake("weights applied twice", "weights-inside-the-sum", |input| {
        configured(input, |config, builder| match config.class_weights() {
            Some(weights) => builder.class_weights(weights.iter().map(|weight| weight * weight).collect::<Vec<_>>()),
            None => builder,
        })
    }),
    mistake("weights missing below", "weighted-mean", |input| {
        configured(input, |config, builder| match config.denominator() {
            Denominator::Weights => builder.denominator(Denominator::Counted),
            _ => builder,
        })
    }),
    mistake("too few class weights are filled up", "weight-count", |input| {
        let classes = input.logits.shape.last().copied().unwrap_or(0);
        configured(input, |config, builder| match config.class_weights() {
            Some(weights) if weights.len() < classes => {
                let mut weights = weights.to_vec();
                weights.resize(classes, 1.0);
                builder.class_weights(weights)
            }
            _ => builder,
        })
    }),
    mistake("the denominator from outside is not used", "external-denominator", |input| {
        configured(input, |config, builder| match config.denominator() {
            Denominator::Constant(_) => builder.denominator(Denominator::Counted),
            _ => builder,
        })
    }),
    mistake("sum for mean", "mean-times-denominator-is-sum", |input| {
        configured(input, |_, builder| builder.reduction(Reduction::Sum))
    }),
    mistake("a mean over nothing is 0", "all-rows-ignored", |input| {
        configured(input, |config, builder| match config.empty_mean() {
            EmptyMean::Nan => builder.empty_mean(EmptyMean::Zero),
            _ => builder,
        })
    }),
    mistake("a bad rate is taken as 0", "rate-is-checked", |input| {
        if input.config().is_ok() {
            return right(input);
        }
        changed(input, |input| input.config = input.config.clone().smoothing(Smoothing::None))
    }),
    mistake("row weights not used", "row-weights", |input| changed(input, |input| input.row_weights = None)),
    mistake("the z-loss left out", "z-loss", |input| configured(input, |_, builder| builder.z_loss(0.0))),
    mistake("the entropy stays in", "subtract-entropy", |input| {
        configured(input, |_, builder| builder.subtract_entropy(false))
    }),
    mistake("a row whose target is excluded is ignored", "excluded-target", |input| {
        let config = input.config()?;
        changed(input, |input| {
            if let (TargetInput::Indices(classes), false) = (&input.targets, config.excluded_classes().is_empty()) {
                let excluded =
                    |class: &i64| config.excluded_classes().iter().any(|&c| usize::try_from(*class) == Ok(c));
                let masked = |row: usize| input.row_mask.as_ref().is_none_or(|mask| mask.values[row]);
                let rows = classes.values.iter().enumerate();
                let mask: Vec<bool> = rows.map(|(row, class)| masked(row) && !excluded(class)).collect();
                input.row_mask = Some(Dense::new(classes.shape.clone(), mask));
            }
        })
    }),
    mistake("class weights not used beside a row mask", "every-combination", |input| {
        if input.row_mask.is_none() {
            return right(input);
        }
        configured(input, |config, builder| match config.class_weights() {
            Some(weights) => builder.class_weights(vec![1.0; weights.len()]),
            None => builder,
        })
    }),
    mistake("the z-loss left out beside a row mask", "random-mix", |input| {
        configured(input, |_, builder| if input.row_mask.is_some() { builder.z_loss(0.0) } else { builder })
    }),
    mistake("a mask of another shape not looked at", "one-fault", |input| {
        let rows = match &input.targets {
            TargetInput::Indices(classes) | TargetInput::Mixed { first: classes, .. } => classes.shape.clone(),
            TargetInput::Probabilities(_) | TargetInput::Sparse { .. } => return right(input),
        };
        changed(input, |input| input.row_mask = input.row_mask.take().filter(|mask| mask.shape == rows))
    }),
    Mistake {
        name: "logits rounded to half precision",
        caught_by: "beyond-bfloat16",
        dtype: Dtype::F32,
        evaluate: |input| changed(input, |input| input.logits = input.logits.map(|&z| Dtype::Bf16.round(z))),
    },
];

/// The right answer to a changed input.
fn changed(input: &CaseInput, change: impl FnOnce(&mut CaseInput)) -> Result<Outcome, Failure> {
    let mut input = input.clone();
    change(&mut input);
    right(&input)
}

/// The right answer with another configuration; bad ones are refused as they are.
fn configured(
    input: &CaseInput,
    change: impl FnOnce(&Config, ConfigBuilder) -> ConfigBuilder,
) -> Result<Outcome, Failure> {
    let config = input.config()?;
    changed(input, |input| input.config = change(&config, config.to_builder()))
}

fn weighting(input: &CaseInput, change: impl FnOnce(ClassWeighting) -> ClassWeighting) -> Result<Outcome, Failure> {
    configured(input, |config, builder| builder.class_weighting(change(config.class_weighting())))
}

/// The right answer with another smoothing, given the number of classes.
fn smoothing(input: &CaseInput, change: impl FnOnce(Smoothing, f64) -> Smoothing) -> Result<Outcome, Failure> {
    configured(input, |config, builder| {
        let axis = config.class_axis().unwrap_or(0);
        let classes = input.logits.shape.get(axis).map_or(1.0, |&classes| classes as f64);
        builder.smoothing(change(config.smoothing().clone(), classes))
    })
}

/// The right answer with other labels, given the ignored ids.
fn relabelled(input: &CaseInput, change: impl Fn(i64, &[i64]) -> i64) -> Result<Outcome, Failure> {
    let config = input.config()?;
    changed(input, |input| {
        if let TargetInput::Indices(classes) = &mut input.targets {
            *classes = classes.map(|&class| change(class, config.ignore_index()));
        }
    })
}

/// Ignored rows become rows without any class, which smoothing then fills.
fn smooth_ignored_rows(input: &CaseInput) -> Result<Outcome, Failure> {
    let config = input.config()?;
    let rank = input.logits.shape.len();
    let TargetInput::Indices(classes) = &input.targets else { return right(input) };
    let plain = config.class_axis() == Some(rank.wrapping_sub(1)) && config.class_weights().is_none();
    let uniform = matches!(config.smoothing(), Smoothing::Uniform { .. }) && config.loss() == LossFamily::CrossEntropy;
    let count = input.logits.shape.last().copied().unwrap_or(0);
    if !(plain && uniform)
        || config.ignore_index().is_empty()
        || classes.values.len() * count != input.logits.values.len()
    {
        return right(input);
    }
    let one_hot = |&class: &i64| {
        let counted = !config.ignore_index().contains(&class);
        (0..count).map(move |column| f64::from(u8::from(counted && usize::try_from(class) == Ok(column))))
    };
    let values: Vec<f64> = classes.values.iter().flat_map(one_hot).collect();
    changed(input, |input| {
        input.targets = TargetInput::Probabilities(Dense::new(input.logits.shape.clone(), values));
        input.config = config.to_builder().ignore_index([]);
    })
}

/// Ignored rows count, and the others do not.
fn upside_down(input: &CaseInput) -> Result<Outcome, Failure> {
    let config = input.config()?;
    changed(input, |input| {
        input.row_mask = input.row_mask.as_ref().map(|mask| mask.map(|&counts| !counts));
        if let (TargetInput::Indices(classes), false) = (&mut input.targets, config.ignore_index().is_empty()) {
            input.row_mask = Some(classes.map(|class| config.ignore_index().contains(class)));
            *classes = classes.map(|&class| class.max(0));
        }
    })
}

/// The memory read as if the class axis were the last.
fn last_axis(input: &CaseInput) -> Result<Outcome, Failure> {
    let config = input.config()?;
    let rank = input.logits.shape.len();
    let Some(axis) = config.class_axis().filter(|&axis| axis + 1 < rank) else { return right(input) };
    changed(input, |input| {
        let classes = input.logits.shape.remove(axis);
        input.logits.shape.push(classes);
        if let TargetInput::Probabilities(probabilities) = &mut input.targets {
            probabilities.shape.clone_from(&input.logits.shape);
        }
        input.config = config.to_builder().class_axis(rank - 1);
    })
}

fn normalised(input: &CaseInput) -> Result<Outcome, Failure> {
    let config = input.config()?;
    changed(input, |input| {
        let classes = input.logits.shape.last().copied().unwrap_or(0).max(1);
        let last = config.class_axis() == Some(input.logits.shape.len().wrapping_sub(1));
        if let (TargetInput::Probabilities(probabilities), true) = (&mut input.targets, last) {
            for row in probabilities.values.chunks_mut(classes) {
                let sum: f64 = row.iter().sum();
                if sum > 0.0 && sum.is_finite() && config.loss() == LossFamily::CrossEntropy {
                    for q in row {
                        *q /= sum;
                    }
                }
            }
        }
    })
}
