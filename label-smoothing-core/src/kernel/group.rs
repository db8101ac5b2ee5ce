//! Many rows at once, a row in each lane: for few classes, and for classes that are not on the last axis.
//!
//! The arithmetic is that of [`row`](super::row), to the bit: the 32 lanes of a row are 32 vectors here.

use fearless_simd::prelude::*;
use fearless_simd::{Level, Simd, dispatch, f64x8, mask64x8};

use super::closed_form::{Losses, Real, RowGradient, RowSums, Sharers, Spread};
use super::lanes::{BLOCK, Float, LANES, MAX_WIDTH};
use super::math;
use crate::element::Element;
use crate::parts::Sums;
use crate::sum::CarriedSum;

/// What the targets of a group of rows ask, by row.
#[derive(Debug, Clone, Copy)]
pub(super) struct Targets<W> {
    /// The target's classes, as numbers.
    pub(super) classes: [[W; MAX_WIDTH]; 2],
    /// The class whose being the maximum is a correct prediction.
    pub(super) likeliest: [W; MAX_WIDTH],
    /// Which rows are counted. A bit for each.
    pub(super) is_counted: u64,
    /// The coefficients.
    pub(super) spread: Spread<[f64; MAX_WIDTH]>,
    /// What the rows have in common.
    pub(super) sharers: Sharers,
    /// Whether the second class is another than the first.
    pub(super) is_mixed: bool,
    /// Whether there is a z-loss to be added up.
    pub(super) has_z_loss: bool,
}

/// Room for what becomes of a group of rows.
#[derive(Debug, Default)]
pub(super) struct Room<W> {
    /// `exp(t)` of class `c` at `c * WIDTH`.
    exps: Vec<W>,
    /// The lanes that exponentials and shifted logits are added in, [`LANES`] vectors each.
    lanes: [Vec<W>; 2],
}

impl<W: Float> Room<W> {
    /// Room for groups of rows of this many classes.
    pub(super) fn resize(&mut self, classes: usize) {
        self.exps.resize(classes * W::WIDTH, W::default());
        self.lanes.iter_mut().for_each(|lanes| lanes.resize(LANES.min(classes) * W::WIDTH, W::default()));
    }
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
            gradient: Gradient {
                probability: nothing,
                spread: nothing,
                maximum: (nothing, nothing),
                at_targets: [nothing; 2],
            },
        }
    }
}

/// What the gradient of a group of rows is made of, by row, with the batch's factor `f` in it.
#[derive(Debug, Clone, Copy)]
struct Gradient<W> {
    /// `f B / S`.
    probability: [W; MAX_WIDTH],
    /// `f a_c` of the spread.
    spread: [W; MAX_WIDTH],
    /// The column of the maximum, and its gradient.
    maximum: ([W; MAX_WIDTH], [W; MAX_WIDTH]),
    /// The gradients of the target's classes.
    at_targets: [[W; MAX_WIDTH]; 2],
}

/// Adds up the rows whose class `c` is the vector at `c * stride`.
pub(super) fn losses<T: Element>(
    level: Level,
    z: &[T],
    stride: usize,
    targets: &Targets<T::Wide>,
    factor: f64,
    room: &mut Room<T::Wide>,
    answer: &mut Answer<T::Wide>,
) {
    dispatch!(level, simd => {
        let sums = sums(simd, z, stride, targets, room);
        finish(simd, &sums, targets, factor, answer);
    });
}

/// What the logits of a group of rows add up to.
struct LogitSums<S: Simd, W: Float> {
    max: W::Vector<S>,
    /// 1 where the row has no NaN.
    is_number: W::Vector<S>,
    /// The first column of the maximum.
    column: W::Vector<S>,
    /// `S_o`, in `f64`.
    others: [f64x8<S>; 2],
    /// The sum of the shifted logits without the hole, in `f64`.
    shifted: [f64x8<S>; 2],
    /// The logits of the target's classes.
    z: [W::Vector<S>; 2],
    /// `exp(t)` of the target's classes.
    e: [W::Vector<S>; 2],
}

#[inline(always)]
fn sums<S: Simd, T: Element>(
    simd: S,
    z: &[T],
    stride: usize,
    targets: &Targets<T::Wide>,
    room: &mut Room<T::Wide>,
) -> LogitSums<S, T::Wide> {
    let (width, classes) = (T::Wide::WIDTH, targets.sharers.classes);
    let number = |value: f64| <T::Wide as Float>::Vector::splat(simd, T::Wide::from_f64(value));
    let vector = |values: &[T::Wide]| <T::Wide as Float>::Vector::from_slice(simd, &values[..width]);
    let zero = number(0.0);

    let (max, is_number) = maxima(simd, z, stride, classes);
    let wanted = [vector(&targets.classes[0]), vector(&targets.classes[1])];
    let hole = if targets.sharers.has_hole { wanted[0] } else { number(-1.0) };
    let (mut z_wanted, mut e) = ([zero; 2], [zero; 2]);
    let (mut others, mut shifted) = ([f64x8::splat(simd, 0.0); 2], [f64x8::splat(simd, 0.0); 2]);
    let (mut column, mut here) = (number(-1.0), zero);
    let [of_exps, of_shifts] = &mut room.lanes;
    let mut logits = z.chunks(stride).zip(room.exps.chunks_exact_mut(width)).take(classes);
    for block in (0..classes).step_by(BLOCK) {
        let of_block = BLOCK.min(classes - block);
        for (class, (z, kept)) in logits.by_ref().take(of_block).enumerate() {
            let z_here = T::load(simd, &z[..width]);
            let t_here = z_here - max;
            let e_here = T::Wide::exp(simd, t_here);
            e_here.store_slice(kept);
            let is_first_target = wanted[0].simd_eq(here);
            z_wanted[0] = is_first_target.select(z_here, z_wanted[0]);
            e[0] = is_first_target.select(e_here, e[0]);
            if targets.is_mixed {
                let is_second_target = wanted[1].simd_eq(here);
                z_wanted[1] = is_second_target.select(z_here, z_wanted[1]);
                e[1] = is_second_target.select(e_here, e[1]);
            }
            // The first column that holds the maximum is kept out; -1 says that there was none yet.
            let is_maximum = column.simd_lt(zero) & t_here.simd_eq(zero);
            column = is_maximum.select(here, column);
            let (e_counted, t_counted) = (is_maximum.select(zero, e_here), hole.simd_eq(here).select(zero, t_here));
            let lane = class % LANES * width..(class % LANES + 1) * width;
            let (exps, shifts) = (&mut of_exps[lane.clone()], &mut of_shifts[lane]);
            if class < LANES {
                e_counted.store_slice(exps);
                t_counted.store_slice(shifts);
            } else {
                add_to::<S, T::Wide>(simd, exps, e_counted);
                add_to::<S, T::Wide>(simd, shifts, t_counted);
            }
            here += T::Wide::from_f64(1.0);
        }
        let used = of_block.min(LANES);
        others = add(others, tree::<S, T::Wide>(simd, of_exps, used));
        shifted = add(shifted, tree::<S, T::Wide>(simd, of_shifts, used));
    }
    LogitSums { max, is_number, column, others, shifted, z: z_wanted, e }
}

/// The rows' maxima, and 1 for each row without a NaN, which vectors' maxima treat differently on different processors.
#[inline(always)]
fn maxima<S: Simd, T: Element>(
    simd: S,
    z: &[T],
    stride: usize,
    classes: usize,
) -> (<T::Wide as Float>::Vector<S>, <T::Wide as Float>::Vector<S>) {
    let number = |value: f64| <T::Wide as Float>::Vector::splat(simd, T::Wide::from_f64(value));
    let mut max = number(f64::NEG_INFINITY);
    let mut is_number = max.simd_eq(max);
    for z in z.chunks(stride).take(classes) {
        let z = T::load(simd, &z[..T::Wide::WIDTH]);
        is_number &= z.simd_eq(z);
        max = max.max(z);
    }
    (max, is_number.select(number(1.0), number(0.0)))
}

#[inline(always)]
fn add_to<S: Simd, W: Float>(simd: S, place: &mut [W], vector: W::Vector<S>) {
    (W::Vector::from_slice(simd, place) + vector).store_slice(place);
}

/// Adds `used` lanes in `f64` by the tree that a single row's lanes are added by; the others are zero.
#[inline(always)]
fn tree<S: Simd, W: Float>(simd: S, lanes: &[W], used: usize) -> [f64x8<S>; 2] {
    let mut nodes = [[f64x8::splat(simd, 0.0); 2]; 8];
    for (from, node) in nodes.iter_mut().enumerate() {
        if from >= used {
            break;
        }
        let wide = |lane: usize| {
            W::widen_vector(simd, W::Vector::from_slice(simd, &lanes[lane * W::WIDTH..(lane + 1) * W::WIDTH]))
        };
        *node = wide(from);
        if from + 16 < used {
            *node = add(*node, wide(from + 16));
        }
        if from + 8 < used {
            let far = wide(from + 8);
            *node = add(*node, if from + 24 < used { add(far, wide(from + 24)) } else { far });
        }
    }
    let [a, b, c, d, e, f, g, h] = nodes;
    add(add(add(a, e), add(c, g)), add(add(b, f), add(d, h)))
}

#[inline(always)]
fn add<S: Simd>(a: [f64x8<S>; 2], b: [f64x8<S>; 2]) -> [f64x8<S>; 2] {
    [a[0] + b[0], a[1] + b[1]]
}

/// The formula, eight rows at a time.
#[inline(always)]
fn finish<S: Simd, W: Float>(
    simd: S,
    sums: &LogitSums<S, W>,
    targets: &Targets<W>,
    factor: f64,
    answer: &mut Answer<W>,
) {
    let vector = |values: &[W; MAX_WIDTH]| W::Vector::from_slice(simd, &values[..W::WIDTH]);
    let number = |value: f64| W::Vector::splat(simd, W::from_f64(value));
    let widened = |vector: W::Vector<S>| W::widen_vector(simd, vector);
    let is_defined = sums.is_number.simd_gt(number(0.0))
        & sums.max.simd_lt(number(f64::INFINITY))
        & sums.max.simd_gt(number(f64::NEG_INFINITY));
    let is_correct = sums.column.simd_eq(vector(&targets.likeliest)).to_bitmask();
    let (column, max) = (widened(sums.column), widened(sums.max));
    let wanted = [widened(vector(&targets.classes[0])), widened(vector(&targets.classes[1]))];
    let (z, e) = ([widened(sums.z[0]), widened(sums.z[1])], [widened(sums.e[0]), widened(sums.e[1])]);
    answer.is_defined = is_defined.to_bitmask();
    answer.is_correct = is_correct & answer.is_defined & targets.is_counted;

    let (zero, nan) = (f64x8::splat(simd, 0.0), f64x8::splat(simd, f64::NAN));
    let (mut loss, mut nll, mut z_loss) = ([zero; 2], [zero; 2], [zero; 2]);
    let (mut probability, mut spread, mut at_maximum) = ([zero; 2], [zero; 2], [zero; 2]);
    let mut at_targets = [[zero; 2]; 2];
    for half in 0..W::HALVES {
        let target = targets.spread.half(simd, half);
        let is_maximum = [column[half].simd_eq(wanted[0][half]), column[half].simd_eq(wanted[1][half])];
        let (others, t) = (sums.others[half], [z[0][half] - max[half], z[1][half] - max[half]]);
        let row = RowSums { max: max[half], others, lse: math::log_1p(simd, others) };
        let a = target.coefficients(targets.sharers, is_maximum, t, sums.shifted[half]);
        let is_defined = mask64x8::from_bitmask(simd, answer.is_defined >> (8 * half) & 0xff);
        let is_counted = mask64x8::from_bitmask(simd, targets.is_counted >> (8 * half) & 0xff);
        let losses = Losses::new(&a, &row);
        loss[half] = is_counted.select(is_defined.select(losses.loss, nan), zero);
        nll[half] = is_counted.select(is_defined.select(losses.nll, nan), zero);
        if targets.has_z_loss {
            let of_row = is_counted.select(is_defined.select(losses.z_loss, nan), zero);
            z_loss[half] = of_row.unless(target.z_factor.is_zero());
            z_loss[half].store_slice(&mut answer.z_loss[half * 8..half * 8 + 8]);
        }
        let gradient = RowGradient::new(&a, &row, factor);
        let of_targets = target.at_targets(targets.sharers);
        (probability[half], at_maximum[half]) = (gradient.probability, gradient.at_maximum);
        spread[half] = target.share * factor;
        at_targets[0][half] = gradient.at(e[0][half], of_targets[0]);
        if targets.is_mixed {
            at_targets[1][half] = gradient.at(e[1][half], of_targets[1]);
        }
        loss[half].store_slice(&mut answer.loss[half * 8..half * 8 + 8]);
        nll[half].store_slice(&mut answer.nll[half * 8..half * 8 + 8]);
    }
    let [loss, nll] = node(simd, W::HALVES, loss, nll);
    let [z_loss, _] = if targets.has_z_loss { node(simd, W::HALVES, z_loss, z_loss) } else { Default::default() };
    answer.sums = Sums { loss, nll, z_loss, correct: u64::from(answer.is_correct.count_ones()) };
    let gradient = &mut answer.gradient;
    sums.column.store_slice(&mut gradient.maximum.0[..W::WIDTH]);
    let wide = [probability, spread, at_maximum, at_targets[0], at_targets[1]];
    let [first, second] = &mut gradient.at_targets;
    let places = [&mut gradient.probability, &mut gradient.spread, &mut gradient.maximum.1, first, second];
    for (wide, place) in wide.into_iter().zip(places) {
        W::narrow_vector(simd, wide).store_slice(&mut place[..W::WIDTH]);
    }
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

impl Spread<[f64; MAX_WIDTH]> {
    /// Those of eight rows.
    #[inline(always)]
    fn half<S: Simd>(&self, simd: S, half: usize) -> Spread<f64x8<S>> {
        let rows = |values: &[f64; MAX_WIDTH]| f64x8::from_slice(simd, &values[half * 8..half * 8 + 8]);
        Spread {
            hard: [rows(&self.hard[0]), rows(&self.hard[1])],
            given: [rows(&self.given[0]), rows(&self.given[1])],
            share: rows(&self.share),
            z_factor: rows(&self.z_factor),
            offset: rows(&self.offset),
        }
    }
}

/// Writes the gradients of a group of rows, class `c` to the vector at `c * stride`, as
/// [`row::gradient`](super::row::gradient) does.
pub(super) fn gradients<G: Element>(
    level: Level,
    room: &Room<G::Wide>,
    targets: &Targets<G::Wide>,
    answer: &Answer<G::Wide>,
    upstream: &[G::Wide; MAX_WIDTH],
    stride: usize,
    out: &mut [G],
) {
    dispatch!(level, simd => gradients_at(simd, room, targets, &answer.gradient, upstream, stride, out));
}

#[inline(always)]
fn gradients_at<S: Simd, G: Element>(
    simd: S,
    room: &Room<G::Wide>,
    targets: &Targets<G::Wide>,
    gradient: &Gradient<G::Wide>,
    upstream: &[G::Wide; MAX_WIDTH],
    stride: usize,
    out: &mut [G],
) {
    let width = G::Wide::WIDTH;
    let vector = |values: &[G::Wide]| <G::Wide as Float>::Vector::from_slice(simd, &values[..width]);
    let (probability, minus_spread) = (vector(&gradient.probability), -vector(&gradient.spread));
    let (column, at_maximum) = (vector(&gradient.maximum.0), vector(&gradient.maximum.1));
    let wanted = [vector(&targets.classes[0]), vector(&targets.classes[1])];
    let at_targets = [vector(&gradient.at_targets[0]), vector(&gradient.at_targets[1])];
    let upstream = vector(upstream);
    let mut here = <G::Wide as Float>::Vector::splat(simd, G::Wide::from_f64(0.0));
    let classes = room.exps.chunks_exact(width).zip(out.chunks_mut(stride));
    for (exps, out) in classes.take(targets.sharers.classes) {
        let mut g = G::Wide::fused(simd, vector(exps), probability, minus_spread);
        if targets.is_mixed {
            g = wanted[1].simd_eq(here).select(at_targets[1], g);
        }
        g = wanted[0].simd_eq(here).select(at_targets[0], g);
        g = column.simd_eq(here).select(at_maximum, g);
        G::store(g * upstream, &mut out[..width]);
        here += G::Wide::from_f64(1.0);
    }
}
