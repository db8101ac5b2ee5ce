//! Mistakes in what is added to a row, and in what takes the place of `-log p`.

use label_smoothing_conformance::{CaseInput, Dtype, Failure, Outcome, TargetInput};
use label_smoothing_core::{Config, Likelihood, LossFamily, Penalty, Smoothing};

use super::arithmetic::rows;
use super::edges::{times, with_config};
use super::{Mistake, mistake, right};

pub(super) const MISTAKES: &[Mistake] = &[
    mistake("penalties are not used", "penalty-term", |input| penalized(input, |_| None)),
    mistake("a penalty is left out of the gradient", "penalty-term", |input| {
        Ok(Outcome { gradient: penalized(input, |_| None)?.gradient, ..right(input)? })
    }),
    mistake("the entropy is punished", "confidence/alone", |input| {
        let (without, with) = (penalized(input, |_| None)?, right(input)?);
        let is_only = |penalty: &Penalty| matches!(penalty, Penalty::Confidence { .. });
        if input.config()?.penalties().iter().all(is_only) { Ok(minus(&times(without, 2.0), &with)) } else { Ok(with) }
    }),
    Mistake {
        name: "the entropy of rounded probabilities",
        caught_by: "penalty-of-a-confident-row",
        dtype: Dtype::F32,
        evaluate: |input| {
            let [Penalty::Confidence { strength }] = *input.config()?.penalties() else { return right(input) };
            let rounded = rows(&with_config(input, input.config.clone().penalties([])), |row| {
                let entropy: f32 = (0..row.z.len()).map(|c| row.p(c)).filter(|p| *p > 0.0).map(|p| -p * p.ln()).sum();
                (Some(-(strength as f32) * entropy), None)
            })?;
            let is_all_there_is = input.config()?.class_weights().is_some_and(|weights| weights.contains(&0.0));
            if is_all_there_is && input.row_losses {
                Ok(Outcome { values: rounded.values, ..right(input)? })
            } else {
                right(input)
            }
        },
    },
    mistake("the mean over the classes for the sum beyond the margin", "penalty-term", |input| {
        let classes = input.logits.shape.last().copied().unwrap_or(1).max(1) as f64;
        penalized(input, |penalty| match penalty {
            Penalty::Margin { strength, margin } => Some(Penalty::Margin { strength: strength / classes, margin }),
            other => Some(other),
        })
    }),
    mistake("a distance of exactly the margin is beyond it", "margin-edges", |input| {
        let nearer = penalized(input, |penalty| match penalty {
            Penalty::Margin { strength, margin } => Some(Penalty::Margin { strength, margin: margin * (1.0 - 1e-9) }),
            other => Some(other),
        })?;
        Ok(Outcome { gradient: nearer.gradient, ..right(input)? })
    }),
    mistake("the target's logit suppressed for the largest", "max_suppression", |input| {
        let config = input.config()?;
        match (config.penalties(), config.smoothing(), config.class_weights(), &input.row_weights) {
            (&[Penalty::MaxSuppression { strength }], Smoothing::None, None, None) if config.z_loss() == 0.0 => {
                let smoothing = Smoothing::Uniform { epsilon: strength };
                right(&with_config(input, config.to_builder().penalties([]).smoothing(smoothing)))
            }
            _ => right(input),
        }
    }),
    mistake("the mean of the logits with -inf among them", "minus-infinity-anywhere", |input| {
        let mut outcome = right(input)?;
        let is_max = |penalty: &Penalty| matches!(penalty, Penalty::MaxSuppression { .. });
        if input.config()?.penalties().iter().any(is_max) && input.logits.values.contains(&f64::NEG_INFINITY) {
            outcome.values.fill(f64::INFINITY);
        }
        Ok(outcome)
    }),
    mistake("the gradient of the maximum shared by those that equal it", "/ties/", |input| {
        let mut outcome = right(input)?;
        let classes = input.logits.shape.last().copied().unwrap_or(1).max(1);
        if input.config()?.penalties().is_empty() || !input.row_losses {
            return Ok(outcome);
        }
        for (z, g) in input.logits.values.chunks(classes).zip(outcome.gradient.chunks_mut(classes)) {
            let max = z.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let tied: Vec<usize> = (0..z.len()).filter(|&c| z[c] == max).collect();
            let mean = tied.iter().map(|&c| g[c]).sum::<f64>() / tied.len() as f64;
            for c in tied {
                g[c] = mean;
            }
        }
        Ok(outcome)
    }),
    mistake("poly: the target before smoothing", "poly/smoothed", |input| {
        let hard = |input: &CaseInput| with_config(input, input.config.clone().smoothing(Smoothing::None));
        let without = with_config(input, input.config.clone().penalties([]));
        if !input.config()?.penalties().iter().any(|penalty| matches!(penalty, Penalty::Poly { .. })) {
            return right(input);
        }
        let part = minus(&right(&hard(input))?, &right(&hard(&without))?);
        Ok(minus(&right(&without)?, &times(part, -1.0)))
    }),
    mistake("class weights reach penalties", "penalty-weights", |input| {
        weighted_penalties(input, |config, target| config.class_weights().map(|weights| weights[target]))
    }),
    mistake("the row weight does not reach penalties", "penalty-weights", |input| {
        let config = input.config()?;
        if !input.row_losses || config.penalties().is_empty() || input.row_weights.is_none() {
            return right(input);
        }
        let unweighted = CaseInput { row_weights: None, ..input.clone() };
        let part = minus(&right(&unweighted)?, &penalized(&unweighted, |_| None)?);
        Ok(minus(&penalized(input, |_| None)?, &times(part, -1.0)))
    }),
    mistake("the likelihood is not used", "focal-factor", |input| right(&plain(input))),
    mistake("focal: the factor taken for a constant in the gradient", "focal-factor", |input| {
        let (mut outcome, plain) = (right(input)?, right(&plain(input))?);
        if !is_focal_of_indices(input)? {
            return Ok(outcome);
        }
        let classes = input.logits.shape.last().copied().unwrap_or(1);
        for (row, gradient) in outcome.gradient.chunks_mut(classes).enumerate() {
            let factor = outcome.values[row] / plain.values[row];
            let of_plain = &plain.gradient[row * classes..(row + 1) * classes];
            gradient.iter_mut().zip(of_plain).for_each(|(g, plain)| *g = factor * plain);
        }
        Ok(outcome)
    }),
    mistake("focal: the factor of the target before smoothing for every class", "focal-of-soft-targets", |input| {
        let hard = with_config(input, input.config.clone().smoothing(Smoothing::None));
        if !is_focal_of_indices(&hard)? {
            return right(input);
        }
        let (focal, plain_hard, soft) = (right(&hard)?, right(&plain(&hard))?, right(&plain(input))?);
        let factors = focal.values.iter().zip(&plain_hard.values).map(|(focal, plain)| focal / plain);
        let values = soft.values.iter().zip(factors).map(|(soft, factor)| soft * factor).collect();
        Ok(Outcome { values, ..right(input)? })
    }),
    mistake("focal: alpha on the negatives", "focal-alpha", |input| {
        with_alpha(input, |alpha| (Some(1.0 - alpha), 1.0))
    }),
    mistake("focal: alpha for every element", "focal-alpha", |input| with_alpha(input, |alpha| (None, alpha))),
    mistake("relaxed: the gradient goes on where the target has its share", "relaxed-share", |input| {
        let (mut outcome, plain) = (right(input)?, right(&plain(input))?);
        let is_relaxed = matches!(input.config()?.likelihood(), Likelihood::Relaxed { .. });
        let classes = input.logits.shape.last().copied().unwrap_or(1).max(1);
        if is_relaxed && input.row_losses {
            for row in 0..outcome.values.len().min(plain.gradient.len() / classes) {
                if outcome.values[row] == 0.0 {
                    let places = row * classes..(row + 1) * classes;
                    outcome.gradient[places.clone()].copy_from_slice(&plain.gradient[places]);
                }
            }
        }
        Ok(outcome)
    }),
    mistake("relaxed: the divergence from the smoothed target", "relaxed-share", |input| {
        let config = input.config()?;
        let Likelihood::Relaxed { alpha } = config.likelihood() else { return right(input) };
        let smoothing = match input.logits.shape[config.class_axis().unwrap_or_default()] {
            1 => Smoothing::Uniform { epsilon: alpha },
            _ => Smoothing::UniformOthers { epsilon: alpha },
        };
        right(&with_config(&plain(input), plain(input).config.smoothing(smoothing).subtract_entropy(true)))
    }),
    mistake("no penalty where a class is excluded", "penalty-of-every-class", |input| {
        let is_excluding = !input.config()?.excluded_classes().is_empty();
        penalized(input, |penalty| if is_excluding { None } else { Some(penalty) })
    }),
    mistake("the sigmoid focal loss with a power one too large", "sigmoid-focal", |input| {
        let config = input.config()?;
        match (config.loss(), config.likelihood()) {
            (LossFamily::BinaryCrossEntropy, Likelihood::Focal { gamma, alpha }) => {
                let likelihood = Likelihood::Focal { gamma: gamma + 1.0, alpha };
                right(&with_config(input, config.to_builder().likelihood(likelihood)))
            }
            _ => right(input),
        }
    }),
    mistake("a relaxed row that is right enough costs something", "relaxed-share-edges", |input| {
        let config = input.config()?;
        let Likelihood::Relaxed { alpha } = config.likelihood() else { return right(input) };
        right(&with_config(input, config.to_builder().likelihood(Likelihood::Relaxed { alpha: 0.9 * alpha })))
    }),
];

/// The right answer with other penalties.
fn penalized(input: &CaseInput, change: impl Fn(Penalty) -> Option<Penalty>) -> Result<Outcome, Failure> {
    let config = input.config()?;
    let penalties: Vec<Penalty> = config.penalties().iter().filter_map(|&penalty| change(penalty)).collect();
    right(&with_config(input, config.to_builder().penalties(penalties)))
}

/// The same question about the cross entropy.
fn plain(input: &CaseInput) -> CaseInput {
    let is_fine = input.config().is_ok();
    let config = input.config.clone();
    with_config(input, if is_fine { config.likelihood(Likelihood::NegativeLog) } else { config })
}

/// `a - b`, number by number.
fn minus(a: &Outcome, b: &Outcome) -> Outcome {
    let minus = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a - b).collect();
    Outcome { values: minus(&a.values, &b.values), gradient: minus(&a.gradient, &b.gradient) }
}

/// Row losses of a plain softmax whose rows are all counted and have one class.
fn is_focal_of_indices(input: &CaseInput) -> Result<bool, Failure> {
    let config = input.config()?;
    let focal = matches!(config.likelihood(), Likelihood::Focal { .. }) && config.loss() == LossFamily::CrossEntropy;
    let indices = matches!(input.targets, TargetInput::Indices(_)) && *config.smoothing() == Smoothing::None;
    let simple = input.row_losses && input.row_mask.is_none() && config.ignore_index().is_empty();
    let terms = config.z_loss() == 0.0 && config.penalties().is_empty();
    let finite = input.logits.values.iter().all(|z| z.is_finite() && z.abs() < 20.0);
    let last = config.class_axis().is_none_or(|axis| axis + 1 == input.logits.shape.len());
    let classes = input.logits.shape.last().is_some_and(|&classes| classes > 1);
    Ok(focal && indices && simple && terms && finite && last && classes && config.class_weights().is_none())
}

fn with_alpha(input: &CaseInput, change: impl Fn(f64) -> (Option<f64>, f64)) -> Result<Outcome, Failure> {
    let config = input.config()?;
    let Likelihood::Focal { gamma, alpha: Some(alpha) } = config.likelihood() else { return right(input) };
    let (alpha, factor) = change(alpha);
    let other = with_config(input, config.to_builder().likelihood(Likelihood::Focal { gamma, alpha }));
    Ok(times(right(&other)?, factor))
}

/// The right row losses, with each row's penalties multiplied by a weight of its target.
fn weighted_penalties(input: &CaseInput, weight: fn(&Config, usize) -> Option<f64>) -> Result<Outcome, Failure> {
    let (config, mut outcome) = (input.config()?, right(input)?);
    let TargetInput::Indices(targets) = &input.targets else { return Ok(outcome) };
    if !input.row_losses || config.penalties().is_empty() {
        return Ok(outcome);
    }
    let without = penalized(input, |_| None)?;
    for (row, (value, without)) in outcome.values.iter_mut().zip(&without.values).enumerate() {
        let target = usize::try_from(targets.values[row]).ok();
        if let Some(weight) = target.and_then(|target| weight(&config, target)) {
            *value = without + weight * (*value - without);
        }
    }
    Ok(outcome)
}
