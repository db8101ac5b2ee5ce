//! Floating-point numbers that break arithmetic.

use label_smoothing_conformance::{Dtype, bf16, f16};
use proptest::prelude::*;
use proptest::sample::select;

/// What the logits of a batch are like.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Manner {
    /// As a network gives them.
    Gentle,
    /// A hundred nats apart.
    Wide,
    /// Few different values, so that the maximum stands in several columns.
    Ties,
    /// Subnormal numbers, zeros of both signs, the arguments at which `exp` underflows, numbers as large as sums of
    /// their differences allow.
    Hostile,
    /// The same, with classes masked by `-inf`.
    Masked,
    /// The same, with NaN and infinities of both signs.
    Undefined,
    /// Up to the largest numbers of the type, whose differences it does not hold.
    Extreme,
}

/// Every manner in which the loss is within the range of its type, the ordinary ones more often.
pub(crate) fn in_range() -> impl Strategy<Value = Manner> {
    prop_oneof![
        4 => Just(Manner::Gentle),
        2 => Just(Manner::Wide),
        1 => Just(Manner::Ties),
        3 => Just(Manner::Hostile),
        2 => Just(Manner::Masked),
        1 => Just(Manner::Undefined),
    ]
}

/// A logit that the type holds.
pub(crate) fn logit(manner: Manner, dtype: Dtype) -> BoxedStrategy<f64> {
    let among = |largest| prop_oneof![2 => -9.0..9.0, 1 => select(hostile_numbers(dtype, largest))];
    let hostile = || among(far(dtype));
    let any = match manner {
        Manner::Gentle => (-9.0..9.0).boxed(),
        Manner::Wide => (-120.0..120.0).boxed(),
        Manner::Ties => select(vec![-1.0, 0.0, -0.0, 2.0]).boxed(),
        Manner::Hostile => hostile().boxed(),
        Manner::Masked => prop_oneof![4 => hostile(), 1 => Just(f64::NEG_INFINITY)].boxed(),
        Manner::Undefined => {
            let undefined = select(vec![f64::NAN, f64::INFINITY, f64::NEG_INFINITY]);
            prop_oneof![30 => hostile(), 1 => undefined].boxed()
        }
        Manner::Extreme => among(largest(dtype)).boxed(),
    };
    any.prop_map(move |value| dtype.round(value)).boxed()
}

/// Numbers of both signs at the edges of a type and of the exponential.
fn hostile_numbers(dtype: Dtype, largest: f64) -> Vec<f64> {
    let edges = [0.0, dtype.smallest_subnormal(), dtype.smallest_normal(), dtype.unit_roundoff(), 1.0];
    // Where exp of f32 and f64 become subnormal and 0, and where 1 + exp(-x) becomes 1.
    let of_exp = [16.0, 17.5, 36.5, 87.0, 88.75, 104.0, 708.0, 745.25];
    let all = edges.into_iter().chain(of_exp).chain([dtype.round(0.25 * largest), largest]);
    all.flat_map(|value| [value, -value]).collect()
}

/// A large number that some thousands of weighted differences may be added of.
fn far(dtype: Dtype) -> f64 {
    match dtype {
        Dtype::F64 => 1e120,
        Dtype::F32 | Dtype::Bf16 => dtype.round(1e30),
        Dtype::F16 => largest(dtype),
    }
}

/// The largest number of a type.
fn largest(dtype: Dtype) -> f64 {
    match dtype {
        Dtype::F64 => f64::MAX,
        Dtype::F32 => f64::from(f32::MAX),
        Dtype::F16 => f16::MAX.to_f64(),
        Dtype::Bf16 => bf16::MAX.to_f64(),
    }
}

/// A smoothing rate; none that a composed path's coefficients, which have the type of the losses, would lose.
pub(crate) fn rate() -> impl Strategy<Value = f64> {
    let edges = vec![0.0, 1.0, 0.1, 0.5, 1e-9, 1e-20, 1.0 - f64::EPSILON / 2.0];
    prop_oneof![0.0..=1.0, select(edges)]
}

/// A rate that takes mass away.
pub(crate) fn negative_rate() -> impl Strategy<Value = f64> {
    prop_oneof![-8.0..-1e-3, select(vec![-0.5, -1.0, -8.0, -1e-9])]
}

/// A rate at which labels may be flipped; near 1/2 nothing is left of them.
pub(crate) fn rate_below_half() -> impl Strategy<Value = f64> {
    prop_oneof![0.0..0.49, select(vec![0.0, 0.25, 1e-9])]
}

/// The factor of a penalty.
pub(crate) fn strength() -> impl Strategy<Value = f64> {
    prop_oneof![0.0..4.0, select(vec![0.0, 0.125, 1e-9])]
}

/// A weight of a class or a row that the type holds.
pub(crate) fn weight(dtype: Dtype) -> BoxedStrategy<f64> {
    let edges = select(vec![0.0, 1.0, 1.0 / 1024.0, 1024.0]);
    prop_oneof![3 => 0.0..4.0, 1 => edges].prop_map(move |value| dtype.round(value)).boxed()
}

/// A probability that the type holds; up to `largest`.
pub(crate) fn probability(dtype: Dtype, largest: f64) -> BoxedStrategy<f64> {
    let edges = select(vec![0.0, 1.0, dtype.smallest_subnormal(), dtype.unit_roundoff(), largest]);
    prop_oneof![2 => 0.0..=1.0, 1 => edges].prop_map(move |value| dtype.round(value)).boxed()
}

/// An upstream gradient that the type holds.
pub(crate) fn upstream(dtype: Dtype) -> BoxedStrategy<f64> {
    let edges = select(vec![0.0, -0.0, 1.0, -1.0, 1.0 / 1024.0, 512.0]);
    prop_oneof![2 => -4.0..4.0, 1 => edges].prop_map(move |value| dtype.round(value)).boxed()
}
