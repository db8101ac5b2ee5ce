//! From ndarray's views to the targets that core checks.

use std::borrow::Cow;

use label_smoothing_core::{Array, Element, Masked, Mixed, Probabilities, Sparse, TargetIndex, Targets, Weighted};
use ndarray::{ArrayView, Dimension};

/// What can be a target: a view of integers (class indices), or [`Probabilities`], [`Mixed`], [`Sparse`], [`Masked`] and
/// [`Weighted`] around views.
pub trait NdarrayTargets<'a> {
    /// The element type of probabilities.
    type Probability: Element;

    /// The values in standard layout, borrowed where they are so already.
    fn into_targets(self) -> Targets<'a, Self::Probability>;
}

impl<'a, I: TargetIndex, D: Dimension> NdarrayTargets<'a> for ArrayView<'a, I, D> {
    type Probability = f32;

    fn into_targets(self) -> Targets<'a, f32> {
        Targets::indices(indices(&self))
    }
}

impl<'a, P: Element, D: Dimension> NdarrayTargets<'a> for Probabilities<ArrayView<'a, P, D>> {
    type Probability = P;

    fn into_targets(self) -> Targets<'a, P> {
        Targets::probabilities(Array::new(self.0.shape(), values(&self.0)))
    }
}

impl<'a, I, D, L, E> NdarrayTargets<'a> for Mixed<ArrayView<'a, I, D>, ArrayView<'a, L, E>>
where
    I: TargetIndex,
    D: Dimension,
    L: Element,
    E: Dimension,
{
    type Probability = f32;

    fn into_targets(self) -> Targets<'a, f32> {
        Targets::mixed(indices(&self.first), indices(&self.second), widened(&self.lambda))
    }
}

impl<'a, I, D, P, E> NdarrayTargets<'a> for Sparse<ArrayView<'a, I, D>, ArrayView<'a, P, E>>
where
    I: TargetIndex,
    D: Dimension,
    P: Element,
    E: Dimension,
{
    type Probability = f32;

    fn into_targets(self) -> Targets<'a, f32> {
        Targets::sparse(indices(&self.classes), widened(&self.probabilities))
    }
}

impl<'a, T: NdarrayTargets<'a>, D: Dimension> NdarrayTargets<'a> for Masked<T, ArrayView<'a, bool, D>> {
    type Probability = T::Probability;

    fn into_targets(self) -> Targets<'a, T::Probability> {
        let mask = Array::new(self.mask.shape(), values(&self.mask));
        self.targets.into_targets().masked(mask)
    }
}

impl<'a, T, W, D> NdarrayTargets<'a> for Weighted<T, ArrayView<'a, W, D>>
where
    T: NdarrayTargets<'a>,
    W: Element,
    D: Dimension,
{
    type Probability = T::Probability;

    fn into_targets(self) -> Targets<'a, T::Probability> {
        let weights = widened(&self.row_weights);
        self.targets.into_targets().weighted(weights)
    }
}

/// The values in standard layout, borrowed where they are so already.
pub(crate) fn values<'a, T: Clone, D: Dimension>(view: &ArrayView<'a, T, D>) -> Cow<'a, [T]> {
    match view.to_slice() {
        Some(slice) => Cow::Borrowed(slice),
        None => Cow::Owned(view.iter().cloned().collect()),
    }
}

fn indices<'a, I: TargetIndex, D: Dimension>(view: &ArrayView<'a, I, D>) -> Array<'a, i64> {
    let classes = match values(view) {
        Cow::Borrowed(slice) => I::to_i64s(slice),
        Cow::Owned(copy) => Cow::Owned(I::to_i64s(&copy).into_owned()),
    };
    Array::new(view.shape(), classes)
}

fn widened<'a, T: Element, D: Dimension>(view: &ArrayView<'a, T, D>) -> Array<'a, f64> {
    Array::new(view.shape(), view.iter().map(|value| value.to_f64()).collect::<Vec<_>>())
}
