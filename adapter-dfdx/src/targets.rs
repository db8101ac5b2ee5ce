//! From dfdx's tensors, and plain lists, to the targets that core checks.

use std::borrow::Cow;

use dfdx::prelude::{Cpu, HasShape, Shape as TensorShape, Tensor, Unit};
use label_smoothing_core::{
    Array, Element, Masked, Mixed, Probabilities, Shape, Sparse, TargetIndex, Targets, Weighted,
};

/// Values that are read once, in row-major order: a tensor on the [`Cpu`] in any layout, or a plain slice, array or `Vec`.
///
/// A tensor has the shape that is called for. A plain list has no shape, only its length; its values are taken in
/// row-major order of that shape. Tensors carry no tape here: no gradient flows into targets, masks and weights.
pub trait Values {
    /// The element type.
    type Element: Copy;

    /// The lengths of the axes; none for a plain list.
    fn dims(&self) -> Option<Vec<usize>>;

    /// The values, the last axis fastest.
    fn values(&self) -> Cow<'_, [Self::Element]>;
}

impl<S: TensorShape, E: Unit> Values for Tensor<S, E, Cpu> {
    type Element = E;

    fn dims(&self) -> Option<Vec<usize>> {
        Some(dims(self).into())
    }

    fn values(&self) -> Cow<'_, [E]> {
        // dfdx's iterator over a tensor of no elements panics.
        if dims(self).as_ref().contains(&0) { Cow::Borrowed(&[]) } else { Cow::Owned(self.as_vec()) }
    }
}

macro_rules! plain_list {
    ($list:ty, $($generics:tt)*) => {
        impl<$($generics)*> Values for $list {
            type Element = E;

            fn dims(&self) -> Option<Vec<usize>> {
                None
            }

            fn values(&self) -> Cow<'_, [E]> {
                Cow::Borrowed(self)
            }
        }
    };
}
plain_list!([E], E: Copy);
plain_list!([E; N], E: Copy, const N: usize);
plain_list!(Vec<E>, E: Copy);

impl<V: Values + ?Sized> Values for &V {
    type Element = V::Element;

    fn dims(&self) -> Option<Vec<usize>> {
        (**self).dims()
    }

    fn values(&self) -> Cow<'_, [Self::Element]> {
        (**self).values()
    }
}

/// What can be a target: [`Values`] of any integer type (class indices), or [`Probabilities`], [`Mixed`], [`Sparse`],
/// [`Masked`] and [`Weighted`] around values.
pub trait DfdxTargets {
    /// The element type of probabilities.
    type Probability: Element;

    /// The values on the host, borrowed where they are a plain list of the right type.
    fn to_targets(&self, logits: &Shape) -> Targets<'_, Self::Probability>;
}

impl<V: Values> DfdxTargets for V
where
    V::Element: TargetIndex,
{
    type Probability = f32;

    fn to_targets(&self, logits: &Shape) -> Targets<'_, f32> {
        Targets::indices(indices(self, &logits.row_dims()))
    }
}

impl<V: Values> DfdxTargets for Probabilities<V>
where
    V::Element: Element,
{
    type Probability = V::Element;

    fn to_targets(&self, logits: &Shape) -> Targets<'_, V::Element> {
        Targets::probabilities(array(&self.0, logits.dims(), |values| values))
    }
}

impl<I: Values, L: Values> DfdxTargets for Mixed<I, L>
where
    I::Element: TargetIndex,
    L::Element: Element,
{
    type Probability = f32;

    fn to_targets(&self, logits: &Shape) -> Targets<'_, f32> {
        let rows = logits.row_dims();
        Targets::mixed(indices(&self.first, &rows), indices(&self.second, &rows), widened(&self.lambda, &rows))
    }
}

impl<I: Values, P: Values> DfdxTargets for Sparse<I, P>
where
    I::Element: TargetIndex,
    P::Element: Element,
{
    type Probability = f32;

    fn to_targets(&self, logits: &Shape) -> Targets<'_, f32> {
        // How many entries a row has is for the classes to say: by their last axis, or as a plain list by their number.
        let entries = match self.classes.dims() {
            Some(dims) => dims.last().copied().unwrap_or(1),
            None => self.classes.values().len() / logits.rows().max(1),
        };
        let expected = [logits.row_dims(), vec![entries]].concat();
        Targets::sparse(indices(&self.classes, &expected), widened(&self.probabilities, &expected))
    }
}

impl<T: DfdxTargets, M: Values<Element = bool>> DfdxTargets for Masked<T, M> {
    type Probability = T::Probability;

    fn to_targets(&self, logits: &Shape) -> Targets<'_, T::Probability> {
        let mask = array(&self.mask, &logits.row_dims(), |values| values);
        self.targets.to_targets(logits).masked(mask)
    }
}

impl<T: DfdxTargets, W: Values> DfdxTargets for Weighted<T, W>
where
    W::Element: Element,
{
    type Probability = T::Probability;

    fn to_targets(&self, logits: &Shape) -> Targets<'_, T::Probability> {
        let row_weights = widened(&self.row_weights, &logits.row_dims());
        self.targets.to_targets(logits).weighted(row_weights)
    }
}

/// The lengths of a tensor's axes.
pub(crate) fn dims<S: TensorShape, E: Unit, T>(tensor: &Tensor<S, E, Cpu, T>) -> S::Concrete {
    tensor.shape().concrete()
}

/// The values as core takes them. A plain list of the right length has the shape that is called for. Of a tensor with
/// another shape nothing is read, as it may be broadcast to any size: core refuses it for its shape.
fn array<'a, V: Values, T: Clone>(
    values: &'a V,
    expected: &[usize],
    convert: impl FnOnce(Cow<'a, [V::Element]>) -> Cow<'a, [T]>,
) -> Array<'a, T>
where
    [T]: ToOwned<Owned = Vec<T>>,
{
    match values.dims() {
        Some(dims) if dims != expected => Array::new(dims, Vec::new()),
        Some(dims) => Array::new(dims, convert(values.values())),
        None => {
            let values = values.values();
            let fits = values.len() == expected.iter().product::<usize>();
            Array::new(if fits { expected.to_vec() } else { vec![values.len()] }, convert(values))
        }
    }
}

fn indices<'a, V: Values>(values: &'a V, expected: &[usize]) -> Array<'a, i64>
where
    V::Element: TargetIndex,
{
    array(values, expected, |values| match values {
        Cow::Borrowed(list) => V::Element::to_i64s(list),
        Cow::Owned(copy) => Cow::Owned(V::Element::to_i64s(&copy).into_owned()),
    })
}

fn widened<'a, V: Values>(values: &'a V, expected: &[usize]) -> Array<'a, f64>
where
    V::Element: Element,
{
    array(values, expected, |values| values.iter().map(|value| value.to_f64()).collect())
}
