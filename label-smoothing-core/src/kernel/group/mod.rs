//! Many rows at once, a row in each lane: for few classes, and for classes that are not on the last axis.
//!
//! The arithmetic is that of [`row`](super::row), to the bit: the 32 lanes of a row are 32 vectors here.

mod general;
mod logits;
mod spread;

use fearless_simd::prelude::*;
use fearless_simd::{Level, Simd, dispatch, f64x8, mask64x8};

pub(super) use general::{GeneralTargets, octet};
pub(super) use logits::{LogitSums, Logits, Room};
pub(super) use spread::SpreadTargets;

use logits::{Wanted, logit_sums, of_half};

use super::closed_form::{Coefficients, Losses, Real, RowGradient, RowSums};
use super::lanes::{Float, MAX_WIDTH};
use super::math;
use crate::element::Element;
use crate::parts::Sums;
use crate::sum::CarriedSum;

/// What the targets of a group of rows ask.
pub(super) trait Targets<W: Float> {
    /// The number of classes.
    fn classes(&self) -> usize;

    /// Which rows are counted. A bit for each.
    fn is_counted(&self) -> u64;

    /// Whether there is a z-loss to be added up.
    fn has_z_loss(&self) -> bool;

    /// The classes whose logits are wanted in [`LogitSums`], if there are such.
    fn wanted(&self) -> Option<Wanted<'_, W>>;

    /// Looks at the logits: everything below comes after this.
    fn look(&mut self, level: Level, logits: &Logits<'_, W>, of_rows: &LogitSums<W>);

    /// The classes whose being the maximum is a correct prediction.
    fn likeliest<S: Simd>(&self, simd: S) -> W::Vector<S>;

    /// What the formula takes of the coefficients of eight rows.
    fn coefficients<S: Simd>(&self, simd: S, half: usize, of_rows: &LogitSums<W>) -> Coefficients<f64x8<S>>;

    /// Keeps what [`Targets::gradient`] will need.
    fn keep_gradient<S: Simd>(&mut self, simd: S, of_rows: &LogitSums<W>, gradients: [RowGradient<f64x8<S>>; 2]);

    /// The gradient of a class, but for the column of the maximum: `here` is the class's number, `e` its `exp(t)`.
    fn gradient<S: Simd>(
        &self,
        simd: S,
        class: usize,
        here: W::Vector<S>,
        e: W::Vector<S>,
        probability: W::Vector<S>,
    ) -> W::Vector<S>;
}

/// What a group of rows gives, by row: 0 from rows that are not counted, NaN from rows without a softmax.
#[derive(Debug, Clone, Copy)]
pub(super) struct Answer<W> {
    pub(super) loss: [f64; MAX_WIDTH],
    pub(super) nll: [f64; MAX_WIDTH],
    pub(super) z_loss: [f64; MAX_WIDTH],
    /// Which rows have a softmax: no NaN, no `+inf`, not only `-inf`. A bit for each.
    pub(super) is_defined: u64,
    /// Which counted rows' maximum is in the target's likeliest class.
    pub(super) is_correct: u64,
    /// What all rows add up to: the node of the rows' tree that they are.
    pub(super) sums: Sums,
    /// What the gradient is made of.
    gradient: Gradient<W>,
}

impl<W: Float> Answer<W> {
    pub(super) fn new() -> Self {
        let nothing = [W::default(); MAX_WIDTH];
        Self {
            loss: [0.0; MAX_WIDTH],
            nll: [0.0; MAX_WIDTH],
            z_loss: [0.0; MAX_WIDTH],
            is_defined: 0,
            is_correct: 0,
            sums: Sums::default(),
            gradient: Gradient { probability: nothing, maximum: (nothing, nothing) },
        }
    }
}

/// What the gradient of a group of rows is made of, by row, with the batch's factor `f` in it.
#[derive(Debug, Clone, Copy)]
struct Gradient<W> {
    /// `f B / S`.
    probability: [W; MAX_WIDTH],
    /// The column of the maximum, and its gradient.
    maximum: ([W; MAX_WIDTH], [W; MAX_WIDTH]),
}

/// Adds up a group of rows. In three steps, each compiled for each instruction set: what one depends on the others need not
/// be compiled for.
pub(super) fn losses<W: Float, Q: Targets<W>>(
    level: Level,
    logits: &Logits<'_, W>,
    targets: &mut Q,
    factor: f64,
    room: &mut Room<W>,
    answer: &mut Answer<W>,
) {
    logit_sums(level, logits, targets.classes(), targets.wanted(), room);
    targets.look(level, logits, &room.sums);
    finish(level, &room.sums, targets, factor, answer);
}

/// The formula, eight rows at a time.
fn finish<W: Float, Q: Targets<W>>(
    level: Level,
    of_rows: &LogitSums<W>,
    targets: &mut Q,
    factor: f64,
    answer: &mut Answer<W>,
) {
    dispatch!(level, simd => {
        let column = W::Vector::from_slice(simd, &of_rows.column[..W::WIDTH]);
        let is_correct = column.simd_eq(targets.likeliest(simd)).to_bitmask();
        answer.is_defined = of_rows.is_defined;
        answer.is_correct = is_correct & answer.is_defined & targets.is_counted();

        let first = finish_half(simd, of_rows, targets, factor, 0, answer);
        let second = if W::HALVES == 2 { finish_half(simd, of_rows, targets, factor, 1, answer) } else { first };
        let [loss, nll] = node(simd, W::HALVES, [first.loss, second.loss], [first.nll, second.nll]);
        let z_loss = if targets.has_z_loss() {
            let both = [first.z_loss, second.z_loss];
            node(simd, W::HALVES, both, both)[0]
        } else {
            CarriedSum::default()
        };
        answer.sums = Sums { loss, nll, z_loss, correct: u64::from(answer.is_correct.count_ones()) };
        let [a, b] = [first.gradient, second.gradient];
        let gradient = &mut answer.gradient;
        gradient.maximum.0 = of_rows.column;
        W::narrow_vector(simd, [a.at_maximum, b.at_maximum]).store_slice(&mut gradient.maximum.1[..W::WIDTH]);
        W::narrow_vector(simd, [a.probability, b.probability]).store_slice(&mut gradient.probability[..W::WIDTH]);
        targets.keep_gradient(simd, of_rows, [a, b]);
    });
}

/// What becomes of eight rows.
#[derive(Clone, Copy)]
struct Half<S: Simd> {
    loss: f64x8<S>,
    nll: f64x8<S>,
    /// Of no account where there is no z-loss.
    z_loss: f64x8<S>,
    gradient: RowGradient<f64x8<S>>,
}

#[inline(always)]
fn finish_half<S: Simd, W: Float, Q: Targets<W>>(
    simd: S,
    of_rows: &LogitSums<W>,
    targets: &Q,
    factor: f64,
    half: usize,
    answer: &mut Answer<W>,
) -> Half<S> {
    let rows = half * 8..half * 8 + 8;
    let others = of_half(simd, half, &of_rows.others);
    let max = LogitSums::of_half(simd, half, &of_rows.max);
    let row = RowSums { max, others, lse: math::log_1p(simd, others) };
    let a = targets.coefficients(simd, half, of_rows);
    let (zero, nan) = (f64x8::splat(simd, 0.0), f64x8::splat(simd, f64::NAN));
    let is_defined = mask64x8::from_bitmask(simd, answer.is_defined >> (8 * half) & 0xff);
    let is_counted = mask64x8::from_bitmask(simd, targets.is_counted() >> (8 * half) & 0xff);
    let Losses { loss, nll, z_loss } = Losses::new(&a, &row);
    let loss = is_counted.select(is_defined.select(loss, nan), zero);
    let nll = is_counted.select(is_defined.select(nll, nan), zero);
    let z_loss = is_counted.select(is_defined.select(z_loss, nan), zero).unless(a.z_factor.is_zero());
    loss.store_slice(&mut answer.loss[rows.clone()]);
    nll.store_slice(&mut answer.nll[rows.clone()]);
    if targets.has_z_loss() {
        z_loss.store_slice(&mut answer.z_loss[rows]);
    }
    Half { loss, nll, z_loss, gradient: RowGradient::new(&a, &row, factor) }
}

/// Two numbers of 8 or 16 rows added up as the rows' tree does it, by neighbours: several nodes of a level at once.
#[inline(always)]
fn node<S: Simd>(simd: S, halves: usize, a: [f64x8<S>; 2], b: [f64x8<S>; 2]) -> [CarriedSum; 2] {
    let zero = f64x8::splat(simd, 0.0);
    let (mut of_a, mut of_b) = ((a[0], zero), (b[0], zero));
    if halves == 2 {
        of_a = carried(a[0].deinterleave(a[1]), (zero, zero));
        of_b = carried(b[0].deinterleave(b[1]), (zero, zero));
    }
    // Eight nodes of each; from here on both in one vector, those of `a` in front.
    let mut nodes = carried(of_a.0.deinterleave(of_b.0), of_a.1.deinterleave(of_b.1));
    for _ in 0..2 {
        nodes = carried(nodes.0.deinterleave(nodes.0), nodes.1.deinterleave(nodes.1));
    }
    [0, 1].map(|at| CarriedSum::new(nodes.0.as_slice()[at], nodes.1.as_slice()[at]))
}

/// The addition of carried sums.
#[inline(always)]
fn carried<S: Simd>(sums: (f64x8<S>, f64x8<S>), lost: (f64x8<S>, f64x8<S>)) -> (f64x8<S>, f64x8<S>) {
    let sum = sums.0 + sums.1;
    let kept = sum - sums.0;
    (sum, ((sums.0 - (sum - kept)) + (sums.1 - kept)) + (lost.0 + lost.1))
}

/// Writes the gradients of a group of rows, class `c` to the vector at `c * stride`, as
/// [`row::gradient`](super::row::gradient) does.
pub(super) fn gradients<G: Element, Q: Targets<G::Wide>>(
    level: Level,
    room: &Room<G::Wide>,
    targets: &Q,
    answer: &Answer<G::Wide>,
    upstream: &[G::Wide; MAX_WIDTH],
    stride: usize,
    out: &mut [G],
) {
    dispatch!(level, simd => gradients_at(simd, room, targets, &answer.gradient, upstream, stride, out));
}

#[inline(always)]
fn gradients_at<S: Simd, G: Element, Q: Targets<G::Wide>>(
    simd: S,
    room: &Room<G::Wide>,
    targets: &Q,
    gradient: &Gradient<G::Wide>,
    upstream: &[G::Wide; MAX_WIDTH],
    stride: usize,
    out: &mut [G],
) {
    let width = G::Wide::WIDTH;
    let vector = |values: &[G::Wide]| <G::Wide as Float>::Vector::from_slice(simd, &values[..width]);
    let (probability, upstream) = (vector(&gradient.probability), vector(upstream));
    let (column, at_maximum) = (vector(&gradient.maximum.0), vector(&gradient.maximum.1));
    let mut here = <G::Wide as Float>::Vector::splat(simd, G::Wide::from_f64(0.0));
    let classes = room.exps.chunks_exact(width).zip(out.chunks_mut(stride));
    for (class, (exps, out)) in classes.take(targets.classes()).enumerate() {
        let g = targets.gradient(simd, class, here, vector(exps), probability);
        let g = column.simd_eq(here).select(at_maximum, g);
        G::store(g * upstream, &mut out[..width]);
        here += G::Wide::from_f64(1.0);
    }
}
