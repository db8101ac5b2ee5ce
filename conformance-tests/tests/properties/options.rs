//! Every option, in any combination that has a meaning. A new option of the configuration is one more line in [`options`].

use std::fmt;
use std::sync::Arc;

use label_smoothing_conformance::Dtype;
use label_smoothing_core::{
    ClassWeighting, Config, ConfigBuilder, Denominator, EmptyMean, Likelihood, LossFamily, NonFiniteLogits, Penalty,
    Reduction, Smoothing,
};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

use super::numbers::{negative_rate, rate, rate_below_half, strength, weight};
use super::shape::Dims;

/// The kinds of targets.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Kind {
    Indices,
    Probabilities,
    Mixed,
    Sparse,
}

/// The ids that may be ignored: one that is no class, and one that may be.
pub(crate) const IGNORED: [i64; 2] = [-100, 1];

/// What the options depend on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place<'a> {
    pub(crate) dims: &'a Dims,
    pub(crate) loss: LossFamily,
    pub(crate) kind: Kind,
}

/// A configuration that fits the place.
pub(crate) fn config(place: Place) -> BoxedStrategy<ConfigBuilder> {
    let start = match place.loss {
        LossFamily::CrossEntropy => Config::cross_entropy(),
        LossFamily::BinaryCrossEntropy => Config::binary_cross_entropy(),
    };
    let start = start.class_axis(place.dims.axis);
    let set = move |edits: Vec<Edit>| edits.iter().fold(start.clone(), |builder, edit| (edit.0)(builder));
    options(place).prop_map(set).boxed()
}

/// Each option by itself; a later one takes back what does not go with it.
fn options(place: Place) -> Vec<BoxedStrategy<Edit>> {
    let softmax = place.loss == LossFamily::CrossEntropy;
    let indices = place.kind == Kind::Indices;
    let classes = place.dims.classes();
    let mut weightings = vec![ClassWeighting::InsideSum, ClassWeighting::Expected];
    if indices {
        weightings.push(ClassWeighting::ByTarget);
    }
    let mut all = vec![
        weights_and_entropy(classes),
        smoothing(place),
        option(select(vec![Reduction::Mean, Reduction::Sum]), ConfigBuilder::reduction),
        option(denominator(), ConfigBuilder::denominator),
        option(select(vec![EmptyMean::Nan, EmptyMean::Zero, EmptyMean::Error]), ConfigBuilder::empty_mean),
    ];
    if matches!(place.kind, Kind::Indices | Kind::Sparse) {
        all.push(option(subsequence(IGNORED.to_vec(), 0..=2), ConfigBuilder::ignore_index));
    }
    if softmax {
        all.push(option(select(weightings), ConfigBuilder::class_weighting));
        all.push(option(select(vec![0.0, 1e-4, 0.01, 1.0]), ConfigBuilder::z_loss));
        all.push(option(Just(NonFiniteLogits::RestrictSupport), ConfigBuilder::non_finite_logits));
        all.push(rare(penalties(), ConfigBuilder::penalties));
    }
    if softmax && indices {
        all.push(rare(rate().prop_map(|alpha| Likelihood::Relaxed { alpha }), with_likelihood));
    }
    all.push(rare(focal(place.loss), with_likelihood));
    all
}

/// A change of the options.
#[derive(Clone)]
struct Edit(Arc<dyn Fn(ConfigBuilder) -> ConfigBuilder>);

impl fmt::Debug for Edit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Edit") // The builder itself shows what was set.
    }
}

/// Leaves the default, or sets the option.
fn option<T: fmt::Debug + Clone + 'static>(
    values: impl Strategy<Value = T> + 'static,
    set: fn(ConfigBuilder, T) -> ConfigBuilder,
) -> BoxedStrategy<Edit> {
    let edit = values.prop_map(move |value| Edit(Arc::new(move |builder| set(builder, value.clone()))));
    prop_oneof![3 => Just(Edit(Arc::new(|builder| builder))), 2 => edit].boxed()
}

/// The same for what takes the kernel another way than the rest.
fn rare<T: fmt::Debug + Clone + 'static>(
    values: impl Strategy<Value = T> + 'static,
    set: fn(ConfigBuilder, T) -> ConfigBuilder,
) -> BoxedStrategy<Edit> {
    prop_oneof![3 => Just(Edit(Arc::new(|builder| builder))), 1 => option(values, set)].boxed()
}

/// Some of the penalties; none twice.
fn penalties() -> impl Strategy<Value = Vec<Penalty>> {
    let margin = select(vec![0.0, 0.5, 3.0, 40.0]);
    let epsilon = prop_oneof![-1.0..4.0, select(vec![-1.0, 0.0, 1e-9])];
    let all =
        (strength(), strength(), margin, strength(), epsilon).prop_map(|(confidence, pull, margin, max, epsilon)| {
            vec![
                Penalty::Confidence { strength: confidence },
                Penalty::Margin { strength: pull, margin },
                Penalty::MaxSuppression { strength: max },
                Penalty::Poly { epsilon },
            ]
        });
    all.prop_flat_map(|all| subsequence(all, 1..=4)).prop_shuffle()
}

fn focal(loss: LossFamily) -> impl Strategy<Value = Likelihood> {
    let gamma = prop_oneof![0.0..5.0, select(vec![0.0, 0.5, 1.0, 2.0])];
    let alpha = proptest::option::of(rate());
    (gamma, alpha).prop_map(move |(gamma, alpha)| Likelihood::Focal {
        gamma,
        alpha: alpha.filter(|_| loss == LossFamily::BinaryCrossEntropy),
    })
}

/// Another likelihood goes with no entropy that is taken off, with no poly, and where it is a relaxed target, with no
/// smoothing; the binary focal loss with no target outside 0 to 1.
fn with_likelihood(builder: ConfigBuilder, likelihood: Likelihood) -> ConfigBuilder {
    let Ok(before) = builder.clone().build() else { return builder };
    let is_poly = |penalty: &&Penalty| matches!(penalty, Penalty::Poly { .. });
    let penalties: Vec<_> = before.penalties().iter().filter(|penalty| !is_poly(penalty)).copied().collect();
    let builder = builder.likelihood(likelihood).penalties(penalties).subtract_entropy(false);
    match likelihood {
        Likelihood::Relaxed { .. } => builder.smoothing(Smoothing::None).excluded_classes([]),
        _ if matches!(before.smoothing(), Smoothing::UnbiasedFlip { .. }) => builder.smoothing(Smoothing::None),
        _ => builder,
    }
}

/// Class weights, the entropy taken off, or both: then weights from 1 on. The scale of the tolerance is that of the cross
/// entropy; where weights make this smaller than the entropy, it does not see the rounding of the difference.
fn weights_and_entropy(classes: usize) -> BoxedStrategy<Edit> {
    let weights = option(vec(weight(Dtype::F64), classes), ConfigBuilder::class_weights);
    let large = vec(1.0..4.0, classes);
    let both = option(large, |builder, weights: Vec<f64>| builder.class_weights(weights).subtract_entropy(true));
    prop_oneof![2 => weights, 1 => option(Just(true), ConfigBuilder::subtract_entropy), 1 => both].boxed()
}

fn denominator() -> impl Strategy<Value = Denominator> {
    let constants = select(vec![0.0, 0.25, 3.0, 1e6]).prop_map(Denominator::Constant);
    prop_oneof![Just(Denominator::Weights), Just(Denominator::Counted), Just(Denominator::All), constants]
}

/// Any kind that the loss and the targets go with, some with excluded classes.
fn smoothing(place: Place) -> BoxedStrategy<Edit> {
    let classes = place.dims.classes();
    let mut kinds = vec![
        Just(Smoothing::None).boxed(),
        rate().prop_map(|epsilon| Smoothing::Uniform { epsilon }).boxed(),
        (rate(), distribution(classes))
            .prop_map(|(epsilon, distribution)| Smoothing::Distribution { epsilon, distribution })
            .boxed(),
    ];
    match place.loss {
        LossFamily::CrossEntropy if place.kind == Kind::Indices => {
            kinds.push(negative());
            kinds.push(vec(rate(), classes).prop_map(|epsilons| Smoothing::UniformPerClass { epsilons }).boxed());
            if classes > 1 {
                kinds.push(rate().prop_map(|epsilon| Smoothing::UniformOthers { epsilon }).boxed());
            }
            if classes <= 33 {
                let rows = vec(distribution(classes), classes);
                kinds.push((rate(), rows).prop_map(|(epsilon, rows)| Smoothing::ClassRows { epsilon, rows }).boxed());
            }
        }
        LossFamily::CrossEntropy => kinds.push(negative()),
        LossFamily::BinaryCrossEntropy => {
            kinds.push(rate().prop_map(|epsilon| Smoothing::UniformHalf { epsilon }).boxed());
            kinds.push(rate().prop_map(|epsilon| Smoothing::UniformFlip { epsilon }).boxed());
            kinds.push(rate().prop_map(|epsilon| Smoothing::PositivesOnly { epsilon }).boxed());
            kinds.push(rate_below_half().prop_map(|epsilon| Smoothing::UnbiasedFlip { epsilon }).boxed());
        }
    }
    let excluded = prop_oneof![3 => Just(Vec::new()), 1 => subsequence((0..classes).collect::<Vec<_>>(), 0..=classes)];
    let set = |(smoothing, excluded): (Smoothing, Vec<usize>)| {
        let may_exclude = matches!(smoothing, Smoothing::Uniform { .. } | Smoothing::UniformOthers { .. });
        let excluded = if may_exclude { excluded } else { Vec::new() };
        Edit(Arc::new(move |builder: ConfigBuilder| {
            // What is no distribution has no entropy.
            let builder = if smoothing.is_unbounded() { builder.subtract_entropy(false) } else { builder };
            builder.smoothing(smoothing.clone()).excluded_classes(excluded.clone())
        }))
    };
    (proptest::strategy::Union::new(kinds), excluded).prop_map(set).boxed()
}

fn negative() -> BoxedStrategy<Smoothing> {
    negative_rate().prop_map(|rate| Smoothing::Negative { rate }).boxed()
}

/// Entries that sum to 1 but for rounding; some are 0.
fn distribution(classes: usize) -> BoxedStrategy<Vec<f64>> {
    let entry = prop_oneof![3 => 0.0..1.0, 1 => Just(0.0)];
    let normal = |mut entries: Vec<f64>| {
        let sum: f64 = entries.iter().sum();
        match entries.first_mut() {
            Some(first) if sum == 0.0 => *first = 1.0,
            _ => entries.iter_mut().for_each(|entry| *entry /= sum),
        }
        entries
    };
    vec(entry, classes).prop_map(normal).boxed()
}
