//! Any question that has an answer, or that is refused for one reason.

use label_smoothing_conformance::{CaseInput, Dense, Dtype, Slices, TargetInput};
use label_smoothing_core::{ClassWeighting, Config, EmptyMean, Likelihood, LossFamily, NonFiniteLogits, Smoothing};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{Index, select, subsequence};

use super::numbers::{Manner, in_range, logit, probability, upstream, weight};
use super::options::{IGNORED, Kind, Place, config};
use super::shape::{Dims, dims, dims_in_slices};

/// Any shape, element type, loss, kind of targets and combination of options.
pub(crate) fn inputs() -> impl Strategy<Value = CaseInput> {
    inputs_of(|| in_range().boxed())
}

/// The same, with the largest logits that there are. Without a z-loss, whose square leaves the range of every type, and without
/// smoothing that takes mass away, which makes infinite costs of both signs.
pub(crate) fn extreme_inputs() -> impl Strategy<Value = CaseInput> {
    inputs_of(|| Just(Manner::Extreme).boxed()).prop_map(|input| {
        let takes_away =
            |config: Config| matches!(config.smoothing(), Smoothing::Negative { .. } | Smoothing::UnbiasedFlip { .. });
        let config = input.config.clone().z_loss(0.0);
        let config = if input.config().is_ok_and(takes_away) { config.smoothing(Smoothing::None) } else { config };
        CaseInput { config, ..input }
    })
}

fn inputs_of(manner: fn() -> BoxedStrategy<Manner>) -> impl Strategy<Value = CaseInput> {
    let losses = prop_oneof![3 => Just(LossFamily::CrossEntropy), 1 => Just(LossFamily::BinaryCrossEntropy)];
    let kinds = prop_oneof![3 => Just(Kind::Indices), 1 => Just(Kind::Probabilities), 1 => Just(Kind::Mixed), 1 => Just(Kind::Sparse)];
    (dims(), losses, kinds, select(Dtype::ALL.to_vec()))
        .prop_flat_map(move |(dims, loss, kind, dtype)| of(dims, loss, kind, dtype, manner()))
}

/// Any question of one shape, loss, kind and type.
fn of(
    dims: Dims,
    loss: LossFamily,
    kind: Kind,
    dtype: Dtype,
    manner: BoxedStrategy<Manner>,
) -> impl Strategy<Value = CaseInput> {
    // What has the losses' type is held by the logits' as well, for frameworks that know no other.
    let (rows, row_shape) = (dims.rows(), dims.row_shape());
    let losses = if loss == LossFamily::CrossEntropy { rows } else { dims.elements() };
    let per_row = (
        targets(&dims, loss, kind, dtype),
        option::weighted(0.3, vec(prop::bool::weighted(0.8), rows)),
        option::weighted(0.3, vec(weight(dtype), rows)),
    );
    let of_losses = (any::<bool>(), option::weighted(0.7, vec(upstream(dtype), losses.max(1))));
    let of_logits = manner.prop_flat_map({
        let elements = dims.elements();
        move |manner| vec(logit(manner, dtype), elements)
    });
    let config = config(Place { dims: &dims, loss, kind });
    (config, of_logits, per_row, of_losses).prop_map(
        move |(config, logits, (targets, mask, row_weights), (row_losses, mut upstream))| {
            if let Some(upstream) = &mut upstream {
                upstream.truncate(if row_losses { losses } else { 1 });
            }
            with_visible_rows(CaseInput {
                row_losses,
                dtype,
                row_mask: mask.map(|mask| Dense::new(row_shape.clone(), mask)),
                row_weights: row_weights.map(|weights| Dense::new(row_shape.clone(), weights)),
                upstream,
                ..CaseInput::new(loss, config, Dense::new(dims.shape.clone(), logits), targets)
            })
        },
    )
}

/// A z-loss alone, on a row whose classes all weigh nothing or that has no mass, shows the relative error of `lse`, which
/// the scale of the tolerance leaves to the row's other terms; so does the entropy taken off a row of little mass.
fn with_visible_rows(mut input: CaseInput) -> CaseInput {
    let Ok(config) = input.config() else { return input };
    if let Some(weights) = config.class_weights().filter(|_| config.z_loss() != 0.0) {
        let weights: Vec<f64> = weights.iter().map(|weight| weight.max(0.125)).collect();
        input.config = input.config.class_weights(weights);
    }
    if let TargetInput::Sparse { probabilities, .. } = &mut input.targets
        && (config.z_loss() != 0.0 || config.subtract_entropy())
    {
        probabilities.values.iter_mut().for_each(|value| *value = value.max(0.125));
    }
    input
}

fn targets(dims: &Dims, loss: LossFamily, kind: Kind, dtype: Dtype) -> BoxedStrategy<TargetInput> {
    let (rows, row_shape, shape) = (dims.rows(), dims.row_shape(), dims.shape.clone());
    let classes = i64::try_from(dims.classes()).unwrap();
    let class = move || 0..classes;
    match kind {
        Kind::Indices => {
            let id = prop_oneof![6 => class(), 1 => select(IGNORED.to_vec())];
            vec(id, rows).prop_map(move |values| TargetInput::Indices(Dense::new(row_shape.clone(), values))).boxed()
        }
        Kind::Probabilities => {
            let largest = if loss == LossFamily::CrossEntropy { 4.0 } else { 1.0 };
            vec(probability(dtype, largest), dims.elements())
                .prop_map(move |values| TargetInput::Probabilities(Dense::new(shape.clone(), values)))
                .boxed()
        }
        Kind::Mixed => (vec(class(), rows), vec(class(), rows), vec(probability(dtype, 1.0), rows))
            .prop_map(move |(first, second, lambda)| TargetInput::Mixed {
                first: Dense::new(row_shape.clone(), first),
                second: Dense::new(row_shape.clone(), second),
                lambda: Dense::new(row_shape.clone(), lambda),
            })
            .boxed(),
        Kind::Sparse => sparse(row_shape, classes, loss, dtype),
    }
}

/// Up to four entries for each row, in some batches with ids that pad it or are refused.
fn sparse(row_shape: Vec<usize>, classes: i64, loss: LossFamily, dtype: Dtype) -> BoxedStrategy<TargetInput> {
    // A class may come as often as there are entries; binary probabilities must not pass 1 even then.
    let largest = if loss == LossFamily::CrossEntropy { 4.0 } else { 0.25 };
    let value = probability(dtype, 1.0).prop_map(move |p| dtype.round(largest * p));
    let class = move || (0..classes).boxed();
    let id = prop_oneof![
        2 => Just(class()),
        1 => Just(prop_oneof![6 => class(), 1 => select(IGNORED.to_vec())].boxed())
    ];
    (1_usize..=4, id)
        .prop_flat_map(move |(per_row, id)| {
            let shape = [row_shape.as_slice(), &[per_row]].concat();
            let entries = shape.iter().product::<usize>();
            (vec(id, entries), vec(value.clone(), entries)).prop_map(move |(classes, probabilities)| {
                TargetInput::Sparse {
                    classes: Dense::new(shape.clone(), classes),
                    probabilities: Dense::new(shape.clone(), probabilities),
                }
            })
        })
        .boxed()
}

/// A question whose classes can be cut into slices, and how.
pub(crate) fn sliced_inputs() -> impl Strategy<Value = (CaseInput, Slices)> {
    let kinds = prop_oneof![3 => Just(Kind::Indices), 1 => Just(Kind::Mixed)];
    (dims_in_slices(), kinds, select(Dtype::ALL.to_vec())).prop_flat_map(|(dims, kind, dtype)| {
        let classes = dims.classes();
        let anywhere = subsequence((1..classes).collect::<Vec<_>>(), 0..classes.min(6));
        let at_blocks: Vec<usize> = (1024..classes).step_by(1024).collect();
        let at_blocks = subsequence(at_blocks.clone(), 0..=at_blocks.len());
        let slices = (prop_oneof![anywhere, at_blocks], any::<bool>());
        let input = of(dims, LossFamily::CrossEntropy, kind, dtype, in_range().boxed());
        (input, slices).prop_map(|(input, (cuts, one_pass))| (with_one_share(input), Slices { cuts, one_pass }))
    })
}

/// The question without the options that give each class a share of its own.
fn with_one_share(input: CaseInput) -> CaseInput {
    let Ok(config) = input.config() else { return input };
    let (smoothing, weighting) = (config.smoothing(), config.class_weighting());
    let has_one_share = matches!(
        smoothing,
        Smoothing::None
            | Smoothing::Uniform { .. }
            | Smoothing::UniformOthers { .. }
            | Smoothing::UniformPerClass { .. }
            | Smoothing::Negative { .. }
    );
    let has_own_weights = weighting == ClassWeighting::Expected
        || (*smoothing != Smoothing::None && config.class_weights().is_some() && weighting != ClassWeighting::ByTarget);
    let builder = input.config.clone().excluded_classes([]).likelihood(Likelihood::NegativeLog).penalties([]);
    let builder = builder.non_finite_logits(NonFiniteLogits::Propagate);
    let builder = if has_one_share && !has_own_weights {
        builder
    } else {
        builder.class_weighting(ClassWeighting::InsideSum).smoothing(Smoothing::None)
    };
    // The losses of the rows come with their mean.
    let builder = if input.row_losses { builder.empty_mean(EmptyMean::Nan) } else { builder };
    CaseInput { config: builder, ..input }
}

/// A question about the loss in parts, and where its rows are cut.
pub(crate) fn inputs_in_parts() -> impl Strategy<Value = (CaseInput, Vec<Index>)> {
    let whole = |input: CaseInput| {
        // A micro-batch may hold nothing that counts.
        let config = input.config.clone().empty_mean(EmptyMean::Nan);
        CaseInput { config, row_losses: false, upstream: None, ..input }
    };
    (inputs().prop_map(whole), vec(any::<Index>(), 0..3))
}
