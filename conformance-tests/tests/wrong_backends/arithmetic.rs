//! Mistakes of arithmetic: the right formula, done in `f32` so that it loses what matters.

use label_smoothing_conformance::{CaseInput, Dtype, Failure, Outcome, bf16, f16};
use label_smoothing_core::reference::Coefficients;
use label_smoothing_core::{LossFamily, Problem};

use super::{Mistake, mistake, right};

pub(super) const MISTAKES: &[Mistake] = &[
    mistake("no maximum subtracted", "no-overflow", |input| softmax(input, |_| 0.0, |row| row.sum().ln())),
    mistake("log(1 + x) for log1p(x)", "confident-row", |input| softmax(input, Row::max, Row::lse)),
    mistake("1 - p in rounded arithmetic", "confident-row", |input| {
        let rounded = softmax(input, Row::max, Row::lse)?;
        Ok(Outcome { gradient: rounded.gradient, ..right(input)? })
    }),
    mistake("log(p + 1e-7)", "confident-row", |input| costs(input, |row, c| -((row.p(c) + 1e-7).ln()))),
    mistake("a clamp of p to 1 - 1e-7", "confident-row", |input| {
        costs(input, |row, c| -(row.p(c).clamp(1e-7, 1.0 - 1e-7).ln()))
    }),
    mistake("0 * log 0", "zero-mass-costs-nothing", |input| {
        let zero_mass = |row: &Row, c: usize| row.a[c] == 0.0 && row.z[c] == f32::NEG_INFINITY;
        loss_if(input, |row| if (0..row.z.len()).any(|c| zero_mass(row, c)) { Some(f32::NAN) } else { None })
    }),
    mistake("the logits added up before the maximum is taken off", "shifted-sum", |input| {
        loss_if(input, |row| {
            let total: f32 = row.a.iter().sum();
            let dot: f32 = (0..row.z.len()).filter(|&c| row.a[c] != 0.0).map(|c| row.a[c] * row.z[c]).sum();
            Some(total * (row.max() + row.lse()) - dot)
        })
    }),
    mistake("the maximum of the whole batch", "rows-do-not-meet", |input| {
        let largest = input.logits.values.iter().copied().fold(f64::NEG_INFINITY, f64::max) as f32;
        loss_if(input, |row| {
            let sum: f32 = row.z.iter().map(|z| (z - largest).exp()).sum();
            let cost = |c: usize| row.a[c] * (sum.ln() + largest - row.z[c]);
            Some((0..row.z.len()).filter(|&c| row.a[c] != 0.0).map(cost).sum())
        })
    }),
    mistake("one sum after another in f32", "gradient-of-a-row-sums-to-0/wide", |input| {
        let one_by_one = softmax(input, Row::max, Row::lse)?;
        let wide = input.logits.values.len() >= 3000;
        Ok(Outcome { gradient: if wide { one_by_one.gradient } else { right(input)?.gradient }, ..right(input)? })
    }),
    Mistake {
        name: "f16 sums",
        caught_by: "low-precision-sum",
        dtype: Dtype::F16,
        evaluate: |input| {
            loss_if(input, |row| {
                let max = row.max();
                let sum = row.z.iter().fold(f16::ZERO, |sum, z| sum + f16::from_f32((z - max).exp()));
                let cost = |c: usize| row.a[c] * (sum.to_f32().ln() + max - row.z[c]);
                let terms = (0..row.z.len()).filter(|&c| row.a[c] != 0.0);
                Some(terms.fold(f16::ZERO, |sum, c| sum + f16::from_f32(cost(c))).to_f32())
            })
        },
    },
    Mistake {
        name: "bf16 probabilities",
        caught_by: "exact/smoothing",
        dtype: Dtype::Bf16,
        evaluate: |input| costs(input, |row, c| -bf16::from_f32(row.p(c)).to_f32().ln()),
    },
    mistake("binary: log of a rounded sigmoid", "bce-wide-logits", |input| {
        if input.loss == LossFamily::CrossEntropy || !input.row_losses {
            return right(input);
        }
        let mut outcome = right(input)?;
        for (loss, &z) in outcome.values.iter_mut().zip(&input.logits.values) {
            let sigmoid = 1.0 / (1.0 + (-z as f32).exp());
            if *loss > 0.0 && (sigmoid == 1.0 || sigmoid == 0.0) {
                *loss = f64::INFINITY;
            }
        }
        Ok(outcome)
    }),
    mistake("epsilon lost in 1 - epsilon", "epsilon-edges", |input| {
        let config = input.config()?;
        let lost = config.smoothing().largest_rate() > 0.0 && config.smoothing().largest_rate() < 1e-4;
        let mut input = input.clone();
        if lost {
            input.config = config.to_builder().smoothing(label_smoothing_core::Smoothing::None);
        }
        right(&input)
    }),
];

/// A counted row of the softmax family, in `f32`, which adds itself up once.
pub(super) struct Row {
    pub(super) z: Vec<f32>,
    /// The factor of each `-log p_c`.
    pub(super) a: Vec<f32>,
    max: f32,
    sum: f32,
    lse: f32,
}

impl Row {
    fn new(z: Vec<f32>, a: Vec<f32>) -> Self {
        let max = z.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let sum = z.iter().map(|z| z.exp()).sum();
        let lse = z.iter().map(|z| (z - max).exp()).sum::<f32>().ln();
        Self { z, a, max, sum, lse }
    }

    pub(super) fn max(&self) -> f32 {
        self.max
    }

    fn sum(&self) -> f32 {
        self.sum
    }

    /// `log sum exp (z - max)`, of a rounded sum.
    pub(super) fn lse(&self) -> f32 {
        self.lse
    }

    pub(super) fn p(&self, class: usize) -> f32 {
        (self.z[class] - self.max() - self.lse()).exp()
    }
}

/// The right answer, but for the loss of the rows that `loss` has another for. Only where nothing else is in the way: no
/// z-loss, no entropy, the class axis last.
pub(super) fn loss_if(input: &CaseInput, loss: impl Fn(&Row) -> Option<f32>) -> Result<Outcome, Failure> {
    rows(input, |row| (loss(row), None))
}

/// The right answer with another `-log p_c` in the loss.
fn costs(input: &CaseInput, cost: impl Fn(&Row, usize) -> f32) -> Result<Outcome, Failure> {
    loss_if(input, |row| Some((0..row.z.len()).filter(|&c| row.a[c] != 0.0).map(|c| row.a[c] * cost(row, c)).sum()))
}

/// `-log p_c = shift + log_sum - z_c` and `p_c` from that, in the loss and the gradient.
fn softmax(input: &CaseInput, shift: fn(&Row) -> f32, log_sum: fn(&Row) -> f32) -> Result<Outcome, Failure> {
    rows(input, |row| {
        let cost = |c: usize| log_sum(row) - (row.z[c] - shift(row));
        let loss = (0..row.z.len()).filter(|&c| row.a[c] != 0.0).map(|c| row.a[c] * cost(c)).sum();
        let total: f32 = row.a.iter().sum();
        let gradient = (0..row.z.len()).map(|c| total * (-cost(c)).exp() - row.a[c]);
        (Some(loss), Some(gradient.collect()))
    })
}

pub(super) type RowResult = (Option<f32>, Option<Vec<f32>>);

pub(super) fn rows(input: &CaseInput, of: impl Fn(&Row) -> RowResult) -> Result<Outcome, Failure> {
    let mut by_row = input.clone();
    by_row.row_losses = true;
    if !input.row_losses {
        by_row.upstream = None;
    }
    let outcome = right(input)?;
    let config = input.config()?;
    let problem = Problem::new(&config, &input.logits.shape, input.core_targets::<f64>())?;
    let plain = config.loss() == LossFamily::CrossEntropy
        && config.z_loss() == 0.0
        && !config.subtract_entropy()
        && Coefficients::check(&config).is_ok();
    let (Some(divisor), true) = (problem.gradient_divisor(), plain && problem.shape().inner() == 1) else {
        return Ok(outcome);
    };
    let Outcome { values: mut losses, gradient: mut unscaled } = right(&by_row)?;
    let a = Coefficients::new(&problem, &input.logits.values)?.positive;
    for row in (0..problem.shape().rows()).filter(|&row| problem.is_counted(row)) {
        let places = (0..problem.shape().classes()).map(|class| problem.shape().element(row, class));
        let pick = |values: &[f64]| places.clone().map(|place| values[place] as f32).collect::<Vec<f32>>();
        let (loss, gradient) = of(&Row::new(pick(&input.logits.values), pick(&a)));
        let upstream = by_row.upstream.as_ref().map_or(1.0, |upstream| upstream[row]);
        if let Some(loss) = loss {
            losses[row] = f64::from(loss);
        }
        for (place, g) in places.clone().zip(gradient.into_iter().flatten()) {
            unscaled[place] = upstream * f64::from(g);
        }
    }
    if input.row_losses {
        return Ok(Outcome { values: losses, gradient: unscaled });
    }
    let factor = input.scalar_upstream()? / divisor;
    let values = vec![problem.reduce(losses.iter().sum())];
    Ok(Outcome { values, gradient: unscaled.iter().map(|g| g * factor).collect() })
}
