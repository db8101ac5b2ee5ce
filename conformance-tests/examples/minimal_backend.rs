//! A backend of one's own, from nothing to its first report: plain PyTorch-like cross entropy on slices, written here.
//!
//!     cargo run -p label-smoothing-conformance --example minimal_backend
//!
//! It takes class indices and uniform smoothing. Everything else is a declared gap, which the kit keeps honest: a gap
//! that turned out to work would be a failure.

use label_smoothing_conformance::{
    Accuracy, Backend, CaseInput, Dtype, Failure, Gap, Outcome, Report, Suite, TargetInput, Verb,
};
use label_smoothing_core::{Config, Problem, Smoothing};

struct Minimal;

impl Backend for Minimal {
    fn name(&self) -> String {
        "minimal".to_owned()
    }

    fn framework(&self) -> String {
        "none: an example".to_owned()
    }

    fn dtypes(&self) -> &[Dtype] {
        &[Dtype::F64]
    }

    fn gaps(&self) -> Vec<Gap> {
        vec![Gap { feature: "options", reason: "the example leaves them out", covers: |input| !is_supported(input) }]
    }

    fn accuracy(&self) -> Accuracy {
        Accuracy::Kernel
    }

    fn evaluate(&self, input: &CaseInput) -> Result<Outcome, Failure> {
        if !is_supported(input) {
            return Err(Failure::Unsupported("an option that the example leaves out".to_owned()));
        }
        // The configuration is built here, so that it is this backend that refuses bad ones; `?` makes refusals of errors.
        let config = input.config()?;
        // The input check that all backends share. A framework of your own may have its own check instead.
        let problem = Problem::new(&config, &input.logits.shape, input.core_targets::<f64>())?;
        let (rows, classes) = (problem.shape().rows(), problem.shape().classes());
        let (upstream, divisor) = if input.row_losses {
            (input.row_upstream(rows)?, Some(1.0))
        } else {
            problem.check_mean()?;
            (vec![input.scalar_upstream()?; rows], problem.gradient_divisor()) // None: a mean over nothing has gradient 0.
        };
        let TargetInput::Indices(targets) = &input.targets else { unreachable!("gaps are returned above") };

        let mut losses = vec![0.0; rows];
        let mut gradient = vec![0.0; rows * classes];
        for row in (0..rows).filter(|&row| problem.is_counted(row)) {
            let log_p = log_softmax(&input.logits.values[row * classes..][..classes]);
            let q = smoothed(config.smoothing().largest_rate(), targets.values[row], classes);
            let terms =
                log_p.iter().zip(&q).map(|(log_p, &q)| if q == 0.0 && !log_p.is_nan() { 0.0 } else { -q * log_p });
            losses[row] = sum(&terms.collect::<Vec<_>>());
            let Some(divisor) = divisor else { continue };
            for class in 0..classes {
                // p - q, without losing what is left of p near 1.
                let (log_p, q) = (log_p[class], q[class]);
                let difference = if log_p > -0.5 { log_p.exp_m1() + (1.0 - q) } else { log_p.exp() - q };
                gradient[row * classes + class] = upstream[row] / divisor * difference;
            }
        }
        let values = if input.row_losses { losses } else { vec![problem.reduce(sum(&losses))] };
        Ok(Outcome { values, gradient })
    }
}

/// `(1 - e) delta_y + e / K`.
fn smoothed(epsilon: f64, target: i64, classes: usize) -> Vec<f64> {
    let hard = |class: usize| f64::from(u8::from(usize::try_from(target) == Ok(class)));
    (0..classes).map(|class| (1.0 - epsilon) * hard(class) + epsilon / classes as f64).collect()
}

/// With the maximum's own term kept out of the sum, so that a confident row keeps its precision.
fn log_softmax(z: &[f64]) -> Vec<f64> {
    let max = z.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if !max.is_finite() || z.iter().any(|z| z.is_nan()) {
        return vec![f64::NAN; z.len()];
    }
    let at = z.iter().position(|&z| z == max);
    let others = z.iter().enumerate().map(|(class, z)| if at == Some(class) { 0.0 } else { (z - max).exp() });
    let log_sum = sum(&others.collect::<Vec<_>>()).ln_1p();
    z.iter().map(|z| z - max - log_sum).collect()
}

/// In halves: one after another, a thousand terms would lose more than the kit allows.
fn sum(values: &[f64]) -> f64 {
    match values {
        [] => 0.0,
        [value] => *value,
        _ => {
            let (left, right) = values.split_at(values.len() / 2);
            sum(left) + sum(right)
        }
    }
}

/// Class indices on the last axis, smoothed uniformly or not at all, and no other option than how rows are reduced.
fn is_supported(input: &CaseInput) -> bool {
    let Ok(config) = input.config() else { return true }; // Bad options must be refused, not left out.
    let reduced_only = Config::cross_entropy()
        .smoothing(config.smoothing().clone())
        .ignore_index(config.ignore_index())
        .reduction(config.reduction())
        .denominator(config.denominator())
        .empty_mean(config.empty_mean())
        .class_axis(config.class_axis());
    reduced_only == config.to_builder()
        && input.verb == Verb::Evaluate
        && matches!(config.smoothing(), Smoothing::None | Smoothing::Uniform { .. })
        && matches!(input.targets, TargetInput::Indices(_))
        && input.row_weights.is_none()
        && config.class_axis().is_none_or(|axis| axis + 1 >= input.logits.shape.len())
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let suite = Suite::standard()?;
    let report = Report::run([&Minimal as &dyn Backend], &suite, &mut || ());
    println!("{report}");
    if report.is_ok() { Ok(()) } else { Err("the example is not right".into()) }
}
