//! The gradient of one contiguous row.

use fearless_simd::prelude::*;
use fearless_simd::{Level, Simd, dispatch, f64x8};

use super::general::WIDTH;
use super::lanes::{Float, MAX_WIDTH};
use super::target::{Formula, Kind, Target, padded};
use crate::element::Element;

/// What exponentials are multiplied by, and what is taken off; `C` are the coefficients `f a_c`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Factors<W, C> {
    /// `f B / S`.
    pub(super) probability: W,
    pub(super) coefficients: C,
    /// The upstream gradient.
    pub(super) upstream: W,
}

/// The coefficients of a row, in the type that it is computed in.
#[derive(Debug, Clone, Copy)]
pub(super) enum Coefficients<'a, T: Element> {
    /// The same for every class.
    Constant(T::Wide),
    /// One for each class.
    PerClass(PerClass<'a>),
    /// Formed of the target.
    OfTarget(OfTarget<'a, T>),
}

/// Kept coefficients, each to be multiplied by a factor; with room for a multiple of [`LANES`](super::lanes::LANES).
#[derive(Debug, Clone, Copy)]
pub(super) struct PerClass<'a> {
    pub(super) factor: f64,
    pub(super) values: &'a [f64],
}

/// The coefficients of targets given for the classes from `first` on, likewise.
#[derive(Debug, Clone, Copy)]
pub(super) struct OfTarget<'a, T> {
    pub(super) factor: f64,
    pub(super) target: Target<'a>,
    pub(super) first: usize,
    pub(super) given: &'a [T],
}

impl<T: Element> Coefficients<'_, T> {
    /// Those from a place on.
    pub(super) fn from(self, place: usize) -> Self {
        match self {
            Self::Constant(value) => Self::Constant(value),
            Self::PerClass(PerClass { factor, values }) => {
                Self::PerClass(PerClass { factor, values: &values[place..] })
            }
            Self::OfTarget(OfTarget { factor, target, first, given }) => {
                Self::OfTarget(OfTarget { factor, target, first: first + place, given: &given[place..] })
            }
        }
    }
}

/// Writes `upstream * (exp * probability - coefficient)`, the product and the difference rounded once together, then
/// the product with the upstream gradient rounded, then the element rounded to the type of `out`.
pub(super) fn write<T, G>(level: Level, exps: &[T::Wide], factors: Factors<T::Wide, Coefficients<'_, T>>, out: &mut [G])
where
    T: Element,
    G: Element<Wide = T::Wide>,
{
    dispatch!(level, simd => match factors.coefficients {
        Coefficients::Constant(value) => {
            let constant = <T::Wide as Float>::Vector::splat(simd, value);
            factors.with(Constant(constant)).write(simd, exps, out);
        }
        Coefficients::PerClass(values) => factors.with(values).write(simd, exps, out),
        Coefficients::OfTarget(of) => match of.target.kind(simd) {
            Kind::Any(formula) => factors.with(Formed { formula, of }).write(simd, exps, out),
            Kind::Uniform(formula) => factors.with(Formed { formula, of }).write(simd, exps, out),
            Kind::Distributed(formula) => factors.with(Formed { formula, of }).write(simd, exps, out),
            Kind::WeightedUniform(formula) => factors.with(Formed { formula, of }).write(simd, exps, out),
            Kind::WeightedDistributed(formula) => factors.with(Formed { formula, of }).write(simd, exps, out),
        },
    });
}

impl<W: Float, C> Factors<W, C> {
    /// The same with other coefficients.
    #[inline(always)]
    pub(super) fn with<D>(&self, coefficients: D) -> Factors<W, D> {
        Factors { probability: self.probability, coefficients, upstream: self.upstream }
    }

    #[inline(always)]
    fn write<S: Simd, G: Element<Wide = W>>(&self, simd: S, exps: &[W], out: &mut [G])
    where
        C: Vectors<S, W>,
    {
        let mut place = 0;
        let mut vectors = out.chunks_exact_mut(W::WIDTH);
        for out in &mut vectors {
            G::store(self.gradient(simd, exps, place, self.coefficients.vector(simd, place)), out);
            place += W::WIDTH;
        }
        let rest = vectors.into_remainder();
        if !rest.is_empty() {
            let mut padded = [G::default(); MAX_WIDTH];
            let coefficients = self.coefficients.last_vector(simd, place);
            G::store(self.gradient(simd, exps, place, coefficients), &mut padded[..W::WIDTH]);
            rest.copy_from_slice(&padded[..rest.len()]);
        }
    }

    /// The gradients of the vector of classes that starts at `place`.
    #[inline(always)]
    fn gradient<S: Simd>(&self, simd: S, exps: &[W], place: usize, coefficients: W::Vector<S>) -> W::Vector<S> {
        let e = W::Vector::from_slice(simd, &exps[place..place + W::WIDTH]);
        W::fused(simd, e, W::Vector::splat(simd, self.probability), -coefficients)
            * W::Vector::splat(simd, self.upstream)
    }
}

/// Coefficients, a vector at a time.
trait Vectors<S: Simd, W: Float> {
    /// Those of the vector of classes that starts at `place`.
    fn vector(&self, simd: S, place: usize) -> W::Vector<S>;

    /// The same at the row's end, where there are fewer classes.
    #[inline(always)]
    fn last_vector(&self, simd: S, place: usize) -> W::Vector<S> {
        self.vector(simd, place)
    }
}

/// The same for every class.
struct Constant<V>(V);

impl<S: Simd, W: Float> Vectors<S, W> for Constant<W::Vector<S>> {
    #[inline(always)]
    fn vector(&self, _: S, _: usize) -> W::Vector<S> {
        self.0
    }
}

impl<S: Simd, W: Float> Vectors<S, W> for PerClass<'_> {
    #[inline(always)]
    fn vector(&self, simd: S, place: usize) -> W::Vector<S> {
        let mut halves = [f64x8::splat(simd, 0.0); 2];
        for (half, values) in halves.iter_mut().zip(self.values[place..place + W::WIDTH].chunks_exact(WIDTH)) {
            *half = f64x8::from_slice(simd, values) * self.factor;
        }
        W::narrow_vector(simd, halves)
    }
}

/// Coefficients that are formed by a formula.
struct Formed<'a, T, F> {
    formula: F,
    of: OfTarget<'a, T>,
}

impl<S: Simd, T: Element, F: Formula<S>> Vectors<S, T::Wide> for Formed<'_, T, F> {
    #[inline(always)]
    fn vector(&self, simd: S, place: usize) -> <T::Wide as Float>::Vector<S> {
        let given = &self.of.given[place..place + T::Wide::WIDTH];
        self.of.vector(simd, &self.formula, given, place)
    }

    #[inline(always)]
    fn last_vector(&self, simd: S, place: usize) -> <T::Wide as Float>::Vector<S> {
        let mut room = [T::default(); MAX_WIDTH];
        let given = padded(self.of.given, place, T::Wide::WIDTH, &mut room);
        self.of.vector(simd, &self.of.target, given, place)
    }
}

impl<T: Element> OfTarget<'_, T> {
    #[inline(always)]
    fn vector<S: Simd>(
        &self,
        simd: S,
        formula: &impl Formula<S>,
        given: &[T],
        place: usize,
    ) -> <T::Wide as Float>::Vector<S> {
        let mut halves = T::Wide::widen_vector(simd, T::load(simd, given));
        for (half, q) in halves[..T::Wide::HALVES].iter_mut().enumerate() {
            *q = formula.coefficients(simd, *q, self.first + place + half * WIDTH) * self.factor;
        }
        T::Wide::narrow_vector(simd, halves)
    }
}
