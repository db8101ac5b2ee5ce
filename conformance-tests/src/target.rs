//! The question seen as rows with smoothed targets: the kit's own arithmetic in `f64`, apart from core's.

use label_smoothing_core::{
    ClassWeighting, Config, Denominator, Error, LossFamily, NonFiniteLogits, Problem, Reduction, Smoothing,
};

use crate::input::{CaseInput, TargetInput};

/// A question whose answer is a number.
#[derive(Debug)]
pub(crate) struct Batch<'a> {
    pub(crate) input: &'a CaseInput,
    pub(crate) config: Config,
    pub(crate) classes: usize,
    pub(crate) rows: usize,
    /// How many elements apart the classes of a row are.
    inner: usize,
}

/// A counted row.
#[derive(Debug)]
pub(crate) struct Row {
    /// The logits.
    pub(crate) z: Vec<f64>,
    /// The target before smoothing.
    pub(crate) hard: Vec<f64>,
    /// The size of the factor of each `-log p_c`: where smoothing takes mass away, that mass is added. For the binary loss
    /// the weight of each element.
    pub(crate) factors: Vec<f64>,
    /// The row's weight.
    pub(crate) weight: f64,
    /// The row's share of the denominator `weights`.
    share: f64,
}

impl<'a> Batch<'a> {
    /// # Errors
    ///
    /// An input that has no loss, by the check that all adapters share. Whatever passes it can be looked up below.
    pub(crate) fn new(input: &'a CaseInput) -> Result<Self, Error> {
        let config = input.config()?;
        let problem = Problem::new(&config, &input.logits.shape, input.core_targets::<f64>())?;
        let (classes, rows, inner) = (problem.shape().classes(), problem.shape().rows(), problem.shape().inner());
        Ok(Self { input, config, classes, rows, inner })
    }

    /// The place of a row's class among the logits.
    pub(crate) fn place(&self, row: usize, class: usize) -> usize {
        (row / self.inner * self.classes + class) * self.inner + row % self.inner
    }

    /// What becomes of each row: none for those that are masked or ignored.
    pub(crate) fn rows(&self) -> impl Iterator<Item = Option<Row>> {
        (0..self.rows).map(|row| self.is_counted(row).then(|| self.row(row)))
    }

    /// Whether one value per logit belongs to each row, or one in all.
    pub(crate) fn losses_per_row(&self) -> usize {
        match self.config.loss() {
            LossFamily::CrossEntropy => 1,
            LossFamily::BinaryCrossEntropy => self.classes,
        }
    }

    /// What the reduced loss is divided by: 1 for a sum. 0 means a mean over nothing.
    pub(crate) fn divisor(&self) -> f64 {
        match self.config.reduction() {
            Reduction::Sum => 1.0,
            Reduction::Mean => self.denominator(),
        }
    }

    /// The denominator of a mean.
    pub(crate) fn denominator(&self) -> f64 {
        let units = |rows: usize| (rows * self.losses_per_row()) as f64;
        match self.config.denominator() {
            Denominator::Weights => self.rows().flatten().map(|row| row.share).sum(),
            Denominator::Counted => units((0..self.rows).filter(|&row| self.is_counted(row)).count()),
            Denominator::All => units(self.rows),
            Denominator::Constant(value) => value,
        }
    }

    fn is_counted(&self, row: usize) -> bool {
        let masked = self.input.row_mask.as_ref().is_some_and(|mask| !mask.values[row]);
        let ignored = match &self.input.targets {
            TargetInput::Indices(classes) => self.config.ignore_index().contains(&classes.values[row]),
            _ => false,
        };
        !masked && !ignored
    }

    fn row(&self, row: usize) -> Row {
        let z: Vec<f64> = (0..self.classes).map(|class| self.input.logits.values[self.place(row, class)]).collect();
        let (hard, target) = self.hard(row);
        let weight = self.input.row_weights.as_ref().map_or(1.0, |weights| weights.values[row]);
        let ones = vec![1.0; self.classes];
        let class_weights = self.config.class_weights().unwrap_or(&ones);
        let dot = |q: &[f64]| class_weights.iter().zip(q).map(|(w, q)| w * q).sum::<f64>();
        let binary = self.config.loss() == LossFamily::BinaryCrossEntropy;
        let factors = if binary {
            class_weights.iter().map(|w| weight * w).collect()
        } else {
            let smoothed = self.smooth(&hard, target, &z);
            let row_factor = match (self.config.class_weighting(), target) {
                (ClassWeighting::InsideSum, _) => 1.0,
                (ClassWeighting::ByTarget, Some(y)) => class_weights[y],
                (ClassWeighting::ByTarget, None) => f64::NAN, // Refused by every backend.
                (ClassWeighting::Expected, _) => dot(&smoothed),
            };
            let inside = self.config.class_weighting() == ClassWeighting::InsideSum;
            let factor = |(q, w): (&f64, &f64)| weight * row_factor * q * if inside { *w } else { 1.0 };
            smoothed.iter().zip(class_weights).map(factor).collect()
        };
        let share = match (binary, self.config.class_weights()) {
            (true, _) => class_weights.iter().sum(),
            (false, None) => 1.0,
            (false, Some(_)) => dot(&hard),
        };
        Row { z, hard, factors, weight, share: weight * share }
    }

    /// The target before smoothing, and its class where it is an index.
    fn hard(&self, row: usize) -> (Vec<f64>, Option<usize>) {
        let mut q = vec![0.0; self.classes];
        let target = match &self.input.targets {
            TargetInput::Indices(classes) => {
                let y = classes.values[row] as usize;
                q[y] = 1.0;
                Some(y)
            }
            TargetInput::Mixed { first, second, lambda } => {
                let lambda = lambda.values[row];
                q[first.values[row] as usize] += lambda;
                q[second.values[row] as usize] += 1.0 - lambda;
                None
            }
            TargetInput::Probabilities(probabilities) => {
                q = (0..self.classes).map(|class| probabilities.values[self.place(row, class)]).collect();
                None
            }
        };
        (q, target)
    }

    /// `(1 - e) q + |e| d`, with `d` shared out over the classes that may have smoothing mass.
    fn smooth(&self, hard: &[f64], target: Option<usize>, z: &[f64]) -> Vec<f64> {
        let restricted = self.config.non_finite_logits() == NonFiniteLogits::RestrictSupport;
        let open = |class: usize| {
            !(restricted && z[class] == f64::NEG_INFINITY || self.config.excluded_classes().contains(&class))
        };
        let mass = |class: usize, given: f64| if open(class) { given } else { 0.0 };
        let spread = |given: &dyn Fn(usize) -> f64| (0..hard.len()).map(|class| mass(class, given(class))).collect();
        let (epsilon, spread): (f64, Vec<f64>) = match (self.config.smoothing(), target) {
            (Smoothing::Uniform { epsilon } | Smoothing::Negative { rate: epsilon }, _) => (*epsilon, spread(&|_| 1.0)),
            (Smoothing::UniformPerClass { epsilons }, Some(y)) => (epsilons[y], spread(&|_| 1.0)),
            (Smoothing::UniformOthers { epsilon }, Some(y)) => {
                (*epsilon, spread(&|class| f64::from(u8::from(class != y))))
            }
            (Smoothing::Distribution { epsilon, distribution }, _) => (*epsilon, spread(&|class| distribution[class])),
            (Smoothing::ClassRows { epsilon, rows }, Some(y)) => (*epsilon, spread(&|class| rows[y][class])),
            _ => return hard.to_vec(),
        };
        let given = matches!(self.config.smoothing(), Smoothing::Distribution { .. } | Smoothing::ClassRows { .. });
        let total: f64 = if given && !restricted { 1.0 } else { spread.iter().sum() };
        if total == 0.0 {
            return hard.to_vec();
        }
        hard.iter().zip(&spread).map(|(q, d)| (1.0 - epsilon) * q + epsilon.abs() * d / total).collect()
    }
}
