//! Any question that has an answer, or that is refused for one reason.

use label_smoothing_conformance::{CaseInput, Dense, Dtype, TargetInput};
use label_smoothing_core::LossFamily;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use super::numbers::{Manner, in_range, logit, probability, upstream, weight};
use super::options::{IGNORED, Kind, Place, config};
use super::shape::{Dims, dims};

/// Any shape, element type, loss, kind of targets and combination of options.
pub(crate) fn inputs() -> impl Strategy<Value = CaseInput> {
    inputs_of(|| in_range().boxed())
}

/// The same, with the largest logits that there are. Without a z-loss: its square leaves the range of every type.
pub(crate) fn extreme_inputs() -> impl Strategy<Value = CaseInput> {
    let without_z_loss = |input: CaseInput| CaseInput { config: input.config.clone().z_loss(0.0), ..input };
    inputs_of(|| Just(Manner::Extreme).boxed()).prop_map(without_z_loss)
}

fn inputs_of(manner: fn() -> BoxedStrategy<Manner>) -> impl Strategy<Value = CaseInput> {
    let losses = prop_oneof![3 => Just(LossFamily::CrossEntropy), 1 => Just(LossFamily::BinaryCrossEntropy)];
    let kinds = prop_oneof![3 => Just(Kind::Indices), 1 => Just(Kind::Probabilities), 1 => Just(Kind::Mixed)];
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
            CaseInput {
                row_losses,
                dtype,
                row_mask: mask.map(|mask| Dense::new(row_shape.clone(), mask)),
                row_weights: row_weights.map(|weights| Dense::new(row_shape.clone(), weights)),
                upstream,
                ..CaseInput::new(loss, config, Dense::new(dims.shape.clone(), logits), targets)
            }
        },
    )
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
    }
}
