//! The one input check, used by every adapter, so that all refuse the same things in the same words.

use crate::config::{ClassWeighting, Config, Denominator, EmptyMean, Likelihood, LossFamily, Reduction};
use crate::element::Element;
use crate::error::Error;
use crate::shape::Shape;
use crate::sum::{CarriedSum, carried};
use crate::targets::{Array, Labels, Targets, sparse_row};

/// A configuration, the shape of the logits and their targets, seen to fit together.
///
/// Everything that does not depend on the logits' values is known here: which rows count, and the denominator.
#[derive(Debug, Clone)]
pub struct Problem<'a, P: Clone> {
    config: &'a Config,
    shape: Shape,
    targets: Targets<'a, P>,
    counted_rows: usize,
    denominator: CarriedSum,
}

impl<'a, P: Element> Problem<'a, P> {
    /// Checks the targets against the configuration and the shape of the logits.
    ///
    /// # Errors
    ///
    /// Whatever has no loss; see [`Error`]. An ignored or masked row is not looked at.
    pub fn new(config: &'a Config, logits_shape: &[usize], targets: Targets<'a, P>) -> Result<Self, Error> {
        let shape = Shape::new(config, logits_shape)?;
        config.check_classes(shape.classes())?;
        config.check_targets(&targets, shape.classes())?;
        check_kind(config, &targets.labels)?;
        check_shapes(&shape, &targets)?;
        let mut problem = Self { config, shape, targets, counted_rows: 0, denominator: CarriedSum::default() };
        problem.counted_rows = problem.check_rows()?;
        problem.denominator = problem.sum_denominator();
        Ok(problem)
    }

    /// The configuration.
    #[must_use]
    pub fn config(&self) -> &'a Config {
        self.config
    }

    /// The shape of the logits.
    #[must_use]
    pub fn shape(&self) -> &Shape {
        &self.shape
    }

    /// The kind of target, with its values.
    #[must_use]
    pub fn labels(&self) -> &Labels<'a, P> {
        &self.targets.labels
    }

    /// The shape of the unreduced losses: one per row, or for the binary loss one per logit.
    #[must_use]
    pub fn losses_dims(&self) -> Vec<usize> {
        match self.config.loss() {
            LossFamily::CrossEntropy => self.shape.row_dims(),
            LossFamily::BinaryCrossEntropy => self.shape.dims().to_vec(),
        }
    }

    /// The number of unreduced losses.
    #[must_use]
    pub fn losses(&self) -> usize {
        match self.config.loss() {
            LossFamily::CrossEntropy => self.shape.rows(),
            LossFamily::BinaryCrossEntropy => self.shape.elements(),
        }
    }

    /// Whether the row is neither masked nor ignored.
    #[must_use]
    pub fn is_counted(&self, row: usize) -> bool {
        self.targets.masks.iter().all(|mask| mask.values()[row]) && !self.has_ignored_id(row)
    }

    /// The row's weight; 1 without row weights.
    #[must_use]
    pub fn row_weight(&self, row: usize) -> f64 {
        self.targets.row_weights.iter().map(|weights| weights.values()[row]).product()
    }

    /// The class's weight; 1 without class weights.
    #[must_use]
    pub fn class_weight(&self, class: usize) -> f64 {
        self.config.class_weights().map_or(1.0, |weights| weights[class])
    }

    /// Whether rows are told apart by their labels only: no mask, no row weights.
    pub(crate) fn has_plain_rows(&self) -> bool {
        self.targets.masks.is_empty() && self.targets.row_weights.is_empty()
    }

    /// What a mean divides by. 0 is a mean over nothing.
    #[must_use]
    pub fn denominator(&self) -> f64 {
        self.denominator.value()
    }

    /// The denominator as it is added up over batches.
    pub(crate) fn carried_denominator(&self) -> CarriedSum {
        self.denominator
    }

    /// How many of the unreduced losses are neither masked nor ignored.
    #[must_use]
    pub fn counted(&self) -> usize {
        self.counted_rows * self.losses_per_row()
    }

    /// Refuses a mean over nothing where the configuration says so.
    ///
    /// # Errors
    ///
    /// [`Error::EmptyMean`].
    pub fn check_mean(&self) -> Result<(), Error> {
        if self.is_empty_mean() && self.config.empty_mean() == EmptyMean::Error {
            return Err(Error::EmptyMean { denominator: self.config.denominator().name() });
        }
        Ok(())
    }

    /// What each row's gradient is divided by in the gradient of the loss: 1 for a sum, the denominator for a mean, and
    /// none for a mean over nothing, whose gradient is 0.
    #[must_use]
    pub fn gradient_divisor(&self) -> Option<f64> {
        match self.config.reduction() {
            Reduction::Sum => Some(1.0),
            Reduction::Mean if self.is_empty_mean() => None,
            Reduction::Mean => Some(self.denominator()),
        }
    }

    /// The loss, given the sum of the row losses.
    #[must_use]
    pub fn reduce(&self, sum: f64) -> f64 {
        self.reduce_carried(CarriedSum::from(sum))
    }

    pub(crate) fn reduce_carried(&self, sum: CarriedSum) -> f64 {
        match (self.config.reduction(), self.config.empty_mean()) {
            (Reduction::Sum, _) => sum.value(),
            (Reduction::Mean, EmptyMean::Zero) if self.is_empty_mean() => 0.0,
            (Reduction::Mean, _) if self.is_empty_mean() => f64::NAN,
            (Reduction::Mean, _) => sum.over(self.denominator()),
        }
    }

    /// Refuses upstream gradients that are not one per unreduced loss.
    ///
    /// # Errors
    ///
    /// [`Error::UpstreamShape`].
    pub fn check_upstream(&self, found: usize) -> Result<(), Error> {
        let expected = self.losses();
        if found == expected { Ok(()) } else { Err(Error::UpstreamShape { found, expected }) }
    }

    fn is_empty_mean(&self) -> bool {
        self.config.reduction() == Reduction::Mean && self.denominator() == 0.0
    }

    fn losses_per_row(&self) -> usize {
        match self.config.loss() {
            LossFamily::CrossEntropy => 1,
            LossFamily::BinaryCrossEntropy => self.shape.classes(),
        }
    }

    fn has_ignored_id(&self, row: usize) -> bool {
        match &self.targets.labels {
            Labels::Indices(classes) => self.config.ignore_index().contains(&classes.values()[row]),
            Labels::Sparse { .. } => self.sparse_row(row).next().is_none(),
            _ => false,
        }
    }

    /// Checks every counted row; how many there are.
    fn check_rows(&self) -> Result<usize, Error> {
        if self.are_plain_indices() {
            return Ok(self.shape.rows());
        }
        let mut counted = 0;
        for row in (0..self.shape.rows()).filter(|&row| self.is_counted(row)) {
            counted += 1;
            for weights in &self.targets.row_weights {
                let value = weights.values()[row];
                if !(value.is_finite() && value >= 0.0) {
                    return Err(Error::RowWeight { row, value });
                }
            }
            match &self.targets.labels {
                Labels::Indices(classes) => self.check_class(row, classes.values()[row])?,
                Labels::Mixed { first, second, lambda } => {
                    self.check_class(row, first.values()[row])?;
                    self.check_class(row, second.values()[row])?;
                    let value = lambda.values()[row];
                    if !(0.0..=1.0).contains(&value) {
                        return Err(Error::Lambda { row, value });
                    }
                }
                Labels::Probabilities(probabilities) => self.check_probabilities(row, probabilities.values())?,
                Labels::Sparse { .. } => self.check_sparse(row)?,
            }
        }
        Ok(counted)
    }

    /// The entries of a row of sparse labels, without those that pad it; of other labels none.
    pub(crate) fn sparse_row(&self, row: usize) -> impl Iterator<Item = (i64, f64)> {
        let entries = match &self.targets.labels {
            Labels::Sparse { classes, probabilities } => {
                Some(sparse_row(classes, probabilities, self.config.ignore_index(), row))
            }
            _ => None,
        };
        entries.into_iter().flatten()
    }

    fn check_sparse(&self, row: usize) -> Result<(), Error> {
        let (largest, range) = self.probability_range();
        for (at, (class, probability)) in self.sparse_row(row).enumerate() {
            self.check_class(row, class)?;
            let refuse = |value| Err(Error::Probability { row, class: class as usize, value, range });
            if !(0.0..=largest).contains(&probability) {
                return refuse(probability);
            }
            if self.config.loss() == LossFamily::BinaryCrossEntropy {
                let same = self.sparse_row(row).take(at + 1).filter(|(other, _)| *other == class);
                let sum: f64 = same.map(|(_, probability)| probability).sum();
                if sum > largest {
                    return refuse(sum);
                }
            }
        }
        Ok(())
    }

    /// The largest probability of a target, and the range in words.
    fn probability_range(&self) -> (f64, &'static str) {
        match self.config.loss() {
            LossFamily::CrossEntropy => (f64::MAX, "finite and not negative"),
            LossFamily::BinaryCrossEntropy => (1.0, "between 0 and 1"),
        }
    }

    /// Whether every row is an index in range, without mask, weight or ignored id: seen at a glance, since with few
    /// classes the row by row check takes longer than the loss.
    fn are_plain_indices(&self) -> bool {
        let Labels::Indices(classes) = &self.targets.labels else { return false };
        let (count, ignored) = (self.shape.classes() as u64, self.config.ignore_index());
        // An ignored id that is no class is found out by being out of range.
        let is_class = |id: &i64| (0..count).contains(&id.cast_unsigned());
        let highest = || classes.values().iter().fold(0, |highest: u64, id| highest.max(id.cast_unsigned()));
        self.has_plain_rows() && !ignored.iter().any(is_class) && (classes.values().is_empty() || highest() < count)
    }

    fn check_class(&self, row: usize, value: i64) -> Result<(), Error> {
        let classes = self.shape.classes();
        match usize::try_from(value) {
            Ok(class) if class < classes => Ok(()),
            _ => {
                let ignored = self.config.ignore_index().to_vec();
                Err(Error::TargetOutOfRange { row, value, classes, ignored })
            }
        }
    }

    fn check_probabilities(&self, row: usize, probabilities: &[P]) -> Result<(), Error> {
        let (largest, range) = self.probability_range();
        let is_allowed = |value: f64| (0.0..=largest).contains(&value);
        if self.shape.inner() == 1 {
            let start = self.shape.row_start(row);
            let values = &probabilities[start..start + self.shape.classes()];
            // Without leaving early, which is several times faster.
            if values.iter().fold(true, |all, value| all & is_allowed(value.to_f64())) {
                return Ok(());
            }
        }
        for (class, value) in self.shape.row_of(probabilities, row).enumerate() {
            let value = value.to_f64();
            if !is_allowed(value) {
                return Err(Error::Probability { row, class, value, range });
            }
        }
        Ok(())
    }

    fn sum_denominator(&self) -> CarriedSum {
        match self.config.denominator() {
            Denominator::Weights if self.config.class_weights().is_none() && self.targets.row_weights.is_empty() => {
                CarriedSum::from(self.counted() as f64)
            }
            Denominator::Weights => {
                let weight = |row| if self.is_counted(row) { self.row_denominator(row) } else { 0.0 };
                carried(self.shape.rows(), &weight)
            }
            Denominator::Counted => CarriedSum::from(self.counted() as f64),
            Denominator::All => CarriedSum::from(self.losses() as f64),
            Denominator::Constant(value) => CarriedSum::from(value),
        }
    }

    /// A counted row's share of the denominator `weights`.
    fn row_denominator(&self, row: usize) -> f64 {
        let Some(weights) = self.config.class_weights() else {
            return self.row_weight(row) * self.losses_per_row() as f64;
        };
        let weight = |class: i64| weights[class as usize];
        let share = match (&self.targets.labels, self.config.loss()) {
            (_, LossFamily::BinaryCrossEntropy) => weights.iter().sum(),
            (Labels::Indices(classes), _) => weight(classes.values()[row]),
            (Labels::Mixed { first, second, lambda }, _) => {
                let lambda = lambda.values()[row];
                lambda * weight(first.values()[row]) + (1.0 - lambda) * weight(second.values()[row])
            }
            (Labels::Probabilities(probabilities), _) => {
                let values = self.shape.row_of(probabilities.values(), row);
                weights.iter().zip(values).map(|(weight, value)| weight * value.to_f64()).sum()
            }
            (Labels::Sparse { .. }, _) => self.sparse_row(row).map(|(class, value)| weight(class) * value).sum(),
        };
        self.row_weight(row) * share
    }
}

/// Refuses kinds of targets that the configuration has no meaning for.
fn check_kind<P: Clone>(config: &Config, labels: &Labels<P>) -> Result<(), Error> {
    if matches!(labels, Labels::Indices(_)) {
        return Ok(());
    }
    let kind = labels.name();
    let refuse = |what: &str| Err(Error::Configuration(format!("{what} needs index targets and was given {kind}")));
    if config.smoothing().is_for_indices_only() {
        refuse(config.smoothing().name())
    } else if matches!(config.likelihood(), Likelihood::Relaxed { .. }) {
        refuse("likelihood relaxed")
    } else if config.class_weighting() == ClassWeighting::ByTarget {
        refuse("class_weighting by_target")
    } else if !config.ignore_index().is_empty() && !matches!(labels, Labels::Sparse { .. }) {
        refuse("ignore_index (for others there is the row mask)")
    } else {
        Ok(())
    }
}

fn check_shapes<P: Clone>(shape: &Shape, targets: &Targets<P>) -> Result<(), Error> {
    let rows = shape.row_dims();
    let target_shape = |name, found: &[usize], expected: &[usize]| Error::TargetShape {
        name,
        found: found.to_vec(),
        expected: expected.to_vec(),
        logits: shape.dims().to_vec(),
        axis: shape.axis(),
    };
    let per_row = |name, classes: &Array<i64>| {
        if classes.has_shape(&rows) { Ok(()) } else { Err(target_shape(name, classes.shape(), &rows)) }
    };
    match &targets.labels {
        Labels::Indices(classes) => per_row("the targets", classes)?,
        Labels::Probabilities(probabilities) if !probabilities.has_shape(shape.dims()) => {
            return Err(target_shape("the target probabilities", probabilities.shape(), shape.dims()));
        }
        Labels::Probabilities(_) => {}
        Labels::Sparse { classes, probabilities } => {
            let entries = classes.shape().last().copied().filter(|_| classes.shape().len() == rows.len() + 1);
            let expected = [rows.as_slice(), &[entries.unwrap_or(1).max(1)]].concat();
            if !classes.has_shape(&expected) {
                return Err(target_shape("the classes of the targets", classes.shape(), &expected));
            }
            if !probabilities.has_shape(&expected) {
                return Err(target_shape("the probabilities of the targets", probabilities.shape(), &expected));
            }
        }
        Labels::Mixed { first, second, lambda } => {
            per_row("the first targets", first)?;
            per_row("the second targets", second)?;
            if !lambda.has_shape(&rows) {
                return Err(target_shape("lambda", lambda.shape(), &rows));
            }
        }
    }
    if let Some(mask) = targets.masks.iter().find(|mask| !mask.has_shape(&rows)) {
        return Err(Error::MaskShape { found: mask.shape().to_vec(), expected: rows });
    }
    if let Some(weights) = targets.row_weights.iter().find(|weights| !weights.has_shape(&rows)) {
        return Err(Error::RowWeightShape { found: weights.shape().to_vec(), expected: rows });
    }
    Ok(())
}
