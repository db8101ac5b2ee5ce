//! A question as rows of classes, whatever the axes: what laws turn around.

use label_smoothing_core::{
    ClassWeighting, Config, Denominator, Likelihood, LossFamily, Penalty, Reduction, Smoothing,
};

use crate::dtype::Dtype;
use crate::input::{CaseInput, Dense, TargetInput};

/// One value per row and class.
pub(super) type Table<T> = Vec<Vec<T>>;

/// A question whose parts can be exchanged.
#[derive(Debug, Clone)]
pub(super) struct Scene {
    pub(super) name: &'static str,
    pub(super) loss: LossFamily,
    pub(super) smoothing: Smoothing,
    pub(super) class_weights: Option<Vec<f64>>,
    pub(super) class_weighting: ClassWeighting,
    pub(super) ignore_index: Vec<i64>,
    /// None asks for the row losses.
    pub(super) reduction: Option<Reduction>,
    pub(super) denominator: Denominator,
    pub(super) z_loss: f64,
    pub(super) excluded_classes: Vec<usize>,
    pub(super) subtract_entropy: bool,
    pub(super) likelihood: Likelihood,
    pub(super) penalties: Vec<Penalty>,
    /// The shape of the rows; their product is the number of rows.
    pub(super) row_dims: Vec<usize>,
    /// Where among the rows' axes the class axis stands.
    pub(super) axis: usize,
    pub(super) logits: Table<f64>,
    pub(super) targets: SceneTargets,
    pub(super) mask: Option<Vec<bool>>,
    pub(super) row_weights: Option<Vec<f64>>,
    /// For the row losses: one per row, or one per row and class for the binary loss. None is ones.
    pub(super) upstream: Option<Table<f64>>,
}

/// The targets, by row.
#[derive(Debug, Clone)]
pub(super) enum SceneTargets {
    Indices(Vec<i64>),
    Probabilities(Table<f64>),
    Mixed { first: Vec<i64>, second: Vec<i64>, lambda: Vec<f64> },
}

/// A class as targets write it.
pub(super) fn id(class: usize) -> i64 {
    i64::try_from(class).unwrap_or(i64::MAX)
}

impl Scene {
    pub(super) fn rows(&self) -> usize {
        self.logits.len()
    }

    pub(super) fn classes(&self) -> usize {
        self.logits.first().map_or(0, Vec::len)
    }

    pub(super) fn is_binary(&self) -> bool {
        self.loss == LossFamily::BinaryCrossEntropy
    }

    /// Whether the row is neither masked nor ignored.
    pub(super) fn is_counted(&self, row: usize) -> bool {
        let ignored = matches!(&self.targets, SceneTargets::Indices(y) if self.ignore_index.contains(&y[row]));
        !ignored && self.mask.as_ref().is_none_or(|mask| mask[row])
    }

    /// The same question with everything that becomes a tensor rounded to the types that hold it.
    pub(super) fn rounded(mut self, dtype: Dtype, loss_dtype: Dtype) -> Self {
        let round = |table: &mut Table<f64>, to: Dtype| table.iter_mut().flatten().for_each(|x| *x = to.round(*x));
        round(&mut self.logits, dtype);
        match &mut self.targets {
            SceneTargets::Indices(_) => {}
            SceneTargets::Probabilities(q) => round(q, dtype),
            SceneTargets::Mixed { lambda, .. } => lambda.iter_mut().for_each(|x| *x = loss_dtype.round(*x)),
        }
        self.row_weights.iter_mut().flatten().for_each(|x| *x = loss_dtype.round(*x));
        if let Some(upstream) = &mut self.upstream {
            round(upstream, loss_dtype);
        }
        self
    }

    /// The question with the given rows only, in the given order, as one axis of rows.
    pub(super) fn pick_rows(&self, rows: &[usize]) -> Self {
        fn pick<T: Clone>(values: &[T], rows: &[usize]) -> Vec<T> {
            rows.iter().map(|&row| values[row].clone()).collect()
        }
        let targets = match &self.targets {
            SceneTargets::Indices(y) => SceneTargets::Indices(pick(y, rows)),
            SceneTargets::Probabilities(q) => SceneTargets::Probabilities(pick(q, rows)),
            SceneTargets::Mixed { first, second, lambda } => {
                SceneTargets::Mixed { first: pick(first, rows), second: pick(second, rows), lambda: pick(lambda, rows) }
            }
        };
        Self {
            row_dims: vec![rows.len()],
            axis: 1,
            logits: pick(&self.logits, rows),
            targets,
            mask: self.mask.as_ref().map(|mask| pick(mask, rows)),
            row_weights: self.row_weights.as_ref().map(|weights| pick(weights, rows)),
            upstream: self.upstream.as_ref().map(|upstream| pick(upstream, rows)),
            ..self.clone()
        }
    }

    /// The question to a backend, in `f64` and contiguous.
    pub(super) fn input(&self) -> CaseInput {
        let mut config = match self.loss {
            LossFamily::CrossEntropy => Config::cross_entropy(),
            LossFamily::BinaryCrossEntropy => Config::binary_cross_entropy(),
        };
        if let Some(weights) = &self.class_weights {
            config = config.class_weights(weights.clone());
        }
        let config = config
            .smoothing(self.smoothing.clone())
            .class_weighting(self.class_weighting)
            .ignore_index(self.ignore_index.clone())
            .reduction(self.reduction.unwrap_or_default())
            .denominator(self.denominator)
            .z_loss(self.z_loss)
            .excluded_classes(self.excluded_classes.clone())
            .subtract_entropy(self.subtract_entropy)
            .likelihood(self.likelihood)
            .penalties(self.penalties.clone())
            .class_axis(self.axis);
        let per_row = |values: &[f64]| Dense::new(self.row_dims.clone(), values);
        let classes = |values: &[i64]| Dense::new(self.row_dims.clone(), values);
        let targets = match &self.targets {
            SceneTargets::Indices(y) => TargetInput::Indices(classes(y)),
            SceneTargets::Probabilities(q) => TargetInput::Probabilities(self.per_logit(q)),
            SceneTargets::Mixed { first, second, lambda } => {
                TargetInput::Mixed { first: classes(first), second: classes(second), lambda: per_row(lambda) }
            }
        };
        let mut input = CaseInput::new(self.loss, config, self.per_logit(&self.logits), targets);
        input.row_losses = self.reduction.is_none();
        input.row_mask = self.mask.as_ref().map(|mask| Dense::new(self.row_dims.clone(), mask.clone()));
        input.row_weights = self.row_weights.as_deref().map(per_row);
        input.upstream = self.upstream.as_ref().map(|upstream| match (self.reduction, self.is_binary()) {
            (None, true) => self.per_logit(upstream).values,
            (None, false) => upstream.concat(),
            (Some(_), _) => vec![upstream[0][0]],
        });
        input
    }

    /// The place of a row's class among the logits.
    fn place(&self, row: usize, class: usize) -> usize {
        let inner: usize = self.row_dims[self.axis..].iter().product();
        (row / inner * self.classes() + class) * inner + row % inner
    }

    fn per_logit(&self, table: &Table<f64>) -> Dense<f64> {
        let mut shape = self.row_dims.clone();
        shape.insert(self.axis, self.classes());
        let mut values = vec![0.0; self.rows() * self.classes()];
        for (row, classes) in table.iter().enumerate() {
            for (class, &value) in classes.iter().enumerate() {
                values[self.place(row, class)] = value;
            }
        }
        Dense { shape, values }
    }

    /// What belongs to each row, out of values in the order of the logits.
    pub(super) fn by_row<T: Copy>(&self, values: &[T]) -> Table<T> {
        let row = |row| (0..self.classes()).map(|class| values[self.place(row, class)]).collect();
        (0..self.rows()).map(row).collect()
    }
}
