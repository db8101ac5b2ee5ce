//! One step downhill, the same for every framework. (The frameworks' own optimisers differ in where epsilon and the weight
//! decay go, and burn's cannot be built together with tch.)

use clap::ValueEnum;

use super::network::{Parameters, SHAPES};

/// Which optimiser, with its rates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Rule {
    /// Gradient descent: w - 0.3 (g + 0.0005 w)
    Sgd,
    /// Adam with decoupled weight decay, at a rate of 0.002 and a decay of 0.01
    Adamw,
}

impl Rule {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Sgd => "sgd",
            Self::Adamw => "adamw",
        }
    }
}

/// A rule and what it remembers.
#[derive(Debug)]
pub(super) struct Optimiser {
    rule: Rule,
    /// Steps taken.
    steps: i32,
    /// The moving means of the gradients and of their squares.
    means: Parameters,
    squares: Parameters,
}

impl Optimiser {
    pub(super) fn new(rule: Rule) -> Self {
        let zeros = || SHAPES.map(|(rows, columns)| vec![0.0; rows * columns]);
        Self { rule, steps: 0, means: zeros(), squares: zeros() }
    }

    /// Biases do not decay.
    pub(super) fn step(&mut self, parameters: &mut Parameters, gradients: &Parameters) {
        self.steps += 1;
        for (at, (values, gradients)) in parameters.iter_mut().zip(gradients).enumerate() {
            let decays = SHAPES[at].0 > 1;
            match self.rule {
                Rule::Sgd => sgd(values, gradients, if decays { 5e-4 } else { 0.0 }),
                Rule::Adamw => {
                    let decay = if decays { 0.01 } else { 0.0 };
                    adamw(values, gradients, decay, self.steps, &mut self.means[at], &mut self.squares[at]);
                }
            }
        }
    }
}

fn sgd(values: &mut [f32], gradients: &[f32], decay: f32) {
    for (value, gradient) in values.iter_mut().zip(gradients) {
        *value -= 0.3 * (gradient + decay * *value);
    }
}

/// Loshchilov and Hutter 2019 (arXiv 1711.05101) with the usual constants.
fn adamw(values: &mut [f32], gradients: &[f32], decay: f32, steps: i32, means: &mut [f32], squares: &mut [f32]) {
    const RATE: f32 = 0.002;
    const BETAS: [f32; 2] = [0.9, 0.999];
    const EPSILON: f32 = 1e-8;
    let [bias, square_bias] = BETAS.map(|beta| 1.0 - beta.powi(steps));
    for (((value, &gradient), mean), square) in values.iter_mut().zip(gradients).zip(means).zip(squares) {
        *mean = BETAS[0] * *mean + (1.0 - BETAS[0]) * gradient;
        *square = BETAS[1] * *square + (1.0 - BETAS[1]) * gradient * gradient;
        *value -= RATE * (decay * *value + (*mean / bias) / ((*square / square_bias).sqrt() + EPSILON));
    }
}

#[cfg(test)]
mod tests {
    use super::{adamw, sgd};

    #[test]
    fn gradient_descent_is_its_formula() {
        let mut values = [1.0, -2.0];
        sgd(&mut values, &[0.5, 0.25], 0.5);
        assert_eq!(values, [1.0 - 0.3 * (0.5 + 0.5), -2.0 - 0.3 * (0.25 - 1.0)]);
    }

    /// Three steps computed with mpmath in 60 digits.
    #[test]
    fn adamw_is_its_formula() {
        let (mut values, mut means, mut squares) = ([1.0, -2.0], [0.0; 2], [0.0; 2]);
        for (at, gradients) in [[0.5, -0.25], [0.1, 0.3], [-0.2, 0.0]].iter().enumerate() {
            adamw(&mut values, gradients, 0.01, at as i32 + 1, &mut means, &mut squares);
        }
        for (actual, expected) in values.iter().zip(ADAMW) {
            assert!((f64::from(*actual) - expected).abs() < 3e-7, "{actual} is not {expected}");
        }
    }

    const ADAMW: [f64; 2] = [0.995_645_323_957_538_4, -1.998_386_959_584_730_6];
}
