//! Mistakes about the answer: in the gradient, the denominator, or the type.

use label_smoothing_conformance::{CaseInput, Dtype, Failure, Layout, Outcome};
use label_smoothing_core::{Denominator, Problem, Reduction};

use super::{Mistake, mistake, right};

pub(super) const MISTAKES: &[Mistake] = &[
    mistake("the sign of the gradient", "exact/smoothing", |input| {
        let outcome = right(input)?;
        Ok(Outcome { gradient: outcome.gradient.iter().map(|g| -g).collect(), ..outcome })
    }),
    mistake("no 1/N in the gradient", "mean-times-denominator-is-sum", |input| {
        let sum = with(input, |input| input.config = input.config.clone().reduction(Reduction::Sum));
        Ok(Outcome { gradient: right(&sum)?.gradient, ..right(input)? })
    }),
    mistake("upstream taken as 1", "upstream", |input| {
        let ones = with(input, |input| input.upstream = None);
        Ok(Outcome { gradient: right(&ones)?.gradient, ..right(input)? })
    }),
    mistake("upstream used twice", "upstream", |input| {
        let squared = with(input, |input| input.upstream.iter_mut().flatten().for_each(|up| *up *= *up));
        Ok(Outcome { gradient: right(&squared)?.gradient, ..right(input)? })
    }),
    mistake("a gradient of zeros", "exact/smoothing", |input| {
        let outcome = right(input)?;
        Ok(Outcome { gradient: vec![0.0; outcome.gradient.len()], ..outcome })
    }),
    mistake("the gradient of the last element missing", "exact/medium", |input| {
        let mut outcome = right(input)?;
        if outcome.gradient.len() > 1000 {
            outcome.gradient.pop();
            outcome.gradient.push(0.0);
        }
        Ok(outcome)
    }),
    mistake("NaN of ignored rows in their gradient", "ignored-rows-hold-anything", |input| {
        let outcome = right(input)?;
        // What `0 * gradient` gives.
        let poisoned = |(g, z): (&f64, &f64)| if z.is_nan() { f64::NAN } else { *g };
        let gradient = outcome.gradient.iter().zip(&input.logits.values).map(poisoned).collect();
        Ok(Outcome { gradient, ..outcome })
    }),
    mistake("the z-loss divided by the count", "z-loss-denominator", z_loss_by_count),
    mistake("row weights missing below", "row-weights", |input| {
        let bare = with(input, |input| input.row_weights = None);
        let (Some(ours), Some(theirs)) = (divisor(input), divisor(&bare)) else { return right(input) };
        if input.row_losses || ours == 0.0 || theirs == 0.0 {
            return right(input);
        }
        let outcome = right(input)?;
        let scale = |values: Vec<f64>| values.into_iter().map(|value| value * ours / theirs).collect();
        Ok(Outcome { values: scale(outcome.values), gradient: scale(outcome.gradient) })
    }),
    mistake("z_loss * lse for z_loss * lse^2 in the gradient", "z-loss", |input| {
        let halved = with(input, |input| {
            if let Ok(config) = input.config() {
                input.config = config.to_builder().z_loss(config.z_loss() / 2.0);
            }
        });
        Ok(Outcome { gradient: right(&halved)?.gradient, ..right(input)? })
    }),
    mistake("the entropy taken off the gradient's factor", "subtract-entropy", |input| {
        let mut outcome = right(input)?;
        if input.config()?.subtract_entropy() {
            outcome.gradient.iter_mut().for_each(|g| *g *= 0.75);
        }
        Ok(outcome)
    }),
    mistake("strides not looked at", "exact/shapes", |input| {
        let read_wrong = with(input, |input| {
            if input.layout == Layout::Strided {
                let elements = input.logits.values.len();
                input.logits.values = input.logits.interleaved(f64::NAN).values;
                input.logits.values.truncate(elements);
            }
        });
        right(&read_wrong)
    }),
    Mistake {
        name: "a loss in half precision",
        caught_by: "exact/smoothing",
        dtype: Dtype::Bf16,
        evaluate: |input| {
            let outcome = right(input)?;
            Ok(Outcome { values: outcome.values.iter().map(|&loss| Dtype::Bf16.round(loss)).collect(), ..outcome })
        },
    },
    Mistake {
        name: "a gradient in f32 for f64",
        caught_by: "exact/smoothing",
        dtype: Dtype::F64,
        evaluate: |input| {
            let outcome = right(input)?;
            Ok(Outcome { gradient: outcome.gradient.iter().map(|&g| Dtype::F32.round(g)).collect(), ..outcome })
        },
    },
    Mistake {
        name: "half-precision losses that overflow",
        caught_by: "far-apart",
        dtype: Dtype::F16,
        evaluate: |input| {
            let sum = with(input, |input| input.config = input.config.clone().reduction(Reduction::Sum));
            let overflows =
                !input.row_losses && right(&sum)?.values.iter().any(|&sum| Dtype::F16.round(sum).is_infinite());
            let outcome = right(input)?;
            Ok(if overflows { Outcome { values: vec![f64::INFINITY], ..outcome } } else { outcome })
        },
    },
    mistake("subnormal gradients of confident rows flushed early", "confident-row", |input| {
        let outcome = right(input)?;
        let flush = |&g: &f64| if g.abs() < 1e-12 { 0.0 } else { g };
        Ok(Outcome { gradient: outcome.gradient.iter().map(flush).collect(), ..outcome })
    }),
];

fn with(input: &CaseInput, change: impl FnOnce(&mut CaseInput)) -> CaseInput {
    let mut input = input.clone();
    change(&mut input);
    input
}

/// What a mean divides by, where the input is sound.
fn divisor(input: &CaseInput) -> Option<f64> {
    let config = input.config().ok()?;
    let problem = Problem::new(&config, &input.logits.shape, input.core_targets::<f64>()).ok()?;
    (config.reduction() == Reduction::Mean && config.denominator() == Denominator::Weights)
        .then(|| problem.denominator())
}

fn z_loss_by_count(input: &CaseInput) -> Result<Outcome, Failure> {
    let outcome = right(input)?;
    let config = input.config()?;
    if input.row_losses || config.reduction() != Reduction::Mean || config.z_loss() == 0.0 {
        return Ok(outcome);
    }
    let of = |denominator, z_loss| {
        let builder = config.to_builder().denominator(denominator).z_loss(z_loss);
        right(&with(input, |input| input.config = builder))
    };
    let (plain, counted) = (of(config.denominator(), 0.0)?, of(Denominator::Counted, config.z_loss())?);
    let counted_plain = of(Denominator::Counted, 0.0)?;
    let combine = |plain: &[f64], counted: &[f64], counted_plain: &[f64]| {
        let pairs = counted.iter().zip(counted_plain);
        plain.iter().zip(pairs).map(|(plain, (with, without))| plain + (with - without)).collect()
    };
    Ok(Outcome {
        values: combine(&plain.values, &counted.values, &counted_plain.values),
        gradient: combine(&plain.gradient, &counted.gradient, &counted_plain.gradient),
    })
}
