//! The logits of rows side by side: their maxima, their exponentials and what these add up to.

use fearless_simd::prelude::*;
use fearless_simd::{Level, Simd, dispatch, f64x8};

use crate::kernel::lanes::{BLOCK, Float, LANES, MAX_WIDTH, Shift};

/// The logits of a group of rows: class `c` is the vector at `c * stride`.
#[derive(Debug, Clone, Copy)]
pub(in crate::kernel) struct Logits<'a, W> {
    pub(in crate::kernel) z: &'a [W],
    pub(in crate::kernel) stride: usize,
}

/// Classes that are picked out, as numbers.
#[derive(Debug, Clone, Copy)]
pub(in crate::kernel) struct Wanted<'a, W> {
    pub(super) classes: &'a [[W; MAX_WIDTH]; 2],
    /// Whether the second class is another than the first.
    pub(super) is_mixed: bool,
    /// Whether the first class is kept out of the sum of the shifted logits.
    pub(super) is_hole: bool,
}

/// Room for what becomes of a group of rows.
#[derive(Debug, Default)]
pub(in crate::kernel) struct Room<W> {
    /// `exp(t)` of class `c` at `c * WIDTH`.
    pub(super) exps: Vec<W>,
    /// The lanes that exponentials are added in, [`LANES`] vectors.
    exp_lanes: Vec<W>,
    /// Those that shifted logits are added in.
    shift_lanes: Vec<W>,
    pub(super) sums: LogitSums<W>,
}

impl<W: Float> Room<W> {
    /// Room for groups of rows of this many classes.
    pub(in crate::kernel) fn resize(&mut self, classes: usize) {
        self.exps.resize(classes * W::WIDTH, W::default());
        for lanes in [&mut self.exp_lanes, &mut self.shift_lanes] {
            lanes.resize(LANES.min(classes) * W::WIDTH, W::default());
        }
    }
}

/// What the logits of a group of rows add up to, by row.
#[derive(Debug, Default)]
pub(in crate::kernel) struct LogitSums<W> {
    pub(super) max: [W; MAX_WIDTH],
    /// The first column of the maximum.
    pub(super) column: [W; MAX_WIDTH],
    /// `S_o`.
    pub(super) others: [f64; MAX_WIDTH],
    /// Which rows have a softmax. A bit for each.
    pub(super) is_defined: u64,
    /// Where classes are wanted, the sum of the shifted logits without the hole.
    pub(super) shifted: [f64; MAX_WIDTH],
    /// The logits of the wanted classes.
    pub(super) z: [[W; MAX_WIDTH]; 2],
    /// `exp(t)` of the wanted classes.
    pub(super) e: [[W; MAX_WIDTH]; 2],
}

impl<W: Float> LogitSums<W> {
    /// A number of each row, of eight rows in `f64`.
    #[inline(always)]
    pub(super) fn of_half<S: Simd>(simd: S, half: usize, numbers: &[W; MAX_WIDTH]) -> f64x8<S> {
        W::widen_vector(simd, W::Vector::from_slice(simd, &numbers[..W::WIDTH]))[half]
    }
}

/// Adds up the logits of a group of rows.
pub(super) fn logit_sums<W: Float>(
    level: Level,
    logits: &Logits<'_, W>,
    classes: usize,
    wanted: Option<Wanted<'_, W>>,
    room: &mut Room<W>,
) {
    dispatch!(level, simd => logit_sums_at(simd, logits, classes, wanted, room));
}

#[inline(always)]
fn logit_sums_at<S: Simd, W: Float>(
    simd: S,
    logits: &Logits<'_, W>,
    classes: usize,
    wanted: Option<Wanted<'_, W>>,
    room: &mut Room<W>,
) {
    let (width, Logits { z, stride }) = (W::WIDTH, *logits);
    let number = |value: f64| W::Vector::splat(simd, W::from_f64(value));
    let zero = number(0.0);

    let (max, is_number) = maxima(simd, z, stride, classes);
    let shift = Shift::<S, W>::new(simd, max);
    let mut picked = wanted.map(|wanted| Picked::<S, W>::new(simd, wanted));
    let mut others = [f64x8::splat(simd, 0.0); 2];
    let (mut column, mut here) = (number(-1.0), zero);
    for block in (0..classes).step_by(BLOCK) {
        let of_block = BLOCK.min(classes - block);
        for class in 0..of_block {
            let (from, to) = ((block + class) * stride, (block + class) * width);
            let z = W::Vector::from_slice(simd, &z[from..from + width]);
            let (t, e) = shift.exp(simd, z);
            e.store_slice(&mut room.exps[to..to + width]);
            // The first column that holds the maximum is kept out; -1 says that there was none yet.
            let is_maximum = column.simd_lt(zero) & t.simd_eq(zero);
            column = is_maximum.select(here, column);
            add_to_lane::<S, W>(simd, &mut room.exp_lanes, class, is_maximum.select(zero, e));
            if let Some(picked) = &mut picked {
                let counted = picked.see(simd, here, z, t, e);
                add_to_lane::<S, W>(simd, &mut room.shift_lanes, class, counted);
            }
            here += W::from_f64(1.0);
        }
        let used = of_block.min(LANES);
        others = add(others, tree::<S, W>(simd, &room.exp_lanes, used));
        if let Some(picked) = &mut picked {
            picked.shifted = add(picked.shifted, tree::<S, W>(simd, &room.shift_lanes, used));
        }
    }
    let is_defined =
        is_number.simd_gt(zero) & max.simd_lt(number(f64::INFINITY)) & max.simd_gt(number(f64::NEG_INFINITY));
    let sums = &mut room.sums;
    sums.is_defined = is_defined.to_bitmask();
    max.store_slice(&mut sums.max[..width]);
    column.store_slice(&mut sums.column[..width]);
    store_halves(others, &mut sums.others);
    if let Some(picked) = picked {
        picked.store(sums);
    }
}

/// A number of each row, of eight rows.
#[inline(always)]
pub(super) fn of_half<S: Simd>(simd: S, half: usize, numbers: &[f64; MAX_WIDTH]) -> f64x8<S> {
    f64x8::from_slice(simd, &numbers[half * 8..half * 8 + 8])
}

#[inline(always)]
fn store_halves<S: Simd>(halves: [f64x8<S>; 2], numbers: &mut [f64; MAX_WIDTH]) {
    halves[0].store_slice(&mut numbers[..8]);
    halves[1].store_slice(&mut numbers[8..]);
}

/// What is picked out while the classes pass by.
struct Picked<S: Simd, W: Float> {
    wanted: [W::Vector<S>; 2],
    is_mixed: bool,
    is_hole: bool,
    shifted: [f64x8<S>; 2],
    z: [W::Vector<S>; 2],
    e: [W::Vector<S>; 2],
}

impl<S: Simd, W: Float> Picked<S, W> {
    #[inline(always)]
    fn new(simd: S, wanted: Wanted<'_, W>) -> Self {
        let Wanted { classes, is_mixed, is_hole } = wanted;
        let vector = |numbers: &[W; MAX_WIDTH]| W::Vector::from_slice(simd, &numbers[..W::WIDTH]);
        let zero = W::Vector::splat(simd, W::default());
        Self {
            wanted: [vector(&classes[0]), vector(&classes[1])],
            is_mixed,
            is_hole,
            shifted: [f64x8::splat(simd, 0.0); 2],
            z: [zero; 2],
            e: [zero; 2],
        }
    }

    /// Looks at a class; the shifted logit, but for the hole.
    #[inline(always)]
    fn see(&mut self, simd: S, here: W::Vector<S>, z: W::Vector<S>, t: W::Vector<S>, e: W::Vector<S>) -> W::Vector<S> {
        let is_first = self.wanted[0].simd_eq(here);
        self.z[0] = is_first.select(z, self.z[0]);
        self.e[0] = is_first.select(e, self.e[0]);
        if self.is_mixed {
            let is_second = self.wanted[1].simd_eq(here);
            self.z[1] = is_second.select(z, self.z[1]);
            self.e[1] = is_second.select(e, self.e[1]);
        }
        if self.is_hole { is_first.select(W::Vector::splat(simd, W::default()), t) } else { t }
    }

    /// Keeps what was picked out of the rows.
    #[inline(always)]
    fn store(&self, sums: &mut LogitSums<W>) {
        store_halves(self.shifted, &mut sums.shifted);
        for which in 0..2 {
            self.z[which].store_slice(&mut sums.z[which][..W::WIDTH]);
            self.e[which].store_slice(&mut sums.e[which][..W::WIDTH]);
        }
    }
}

/// The rows' maxima, and 1 for each row without a NaN, which vectors' maxima treat differently on different processors.
#[inline(always)]
fn maxima<S: Simd, W: Float>(simd: S, z: &[W], stride: usize, classes: usize) -> (W::Vector<S>, W::Vector<S>) {
    let number = |value: f64| W::Vector::splat(simd, W::from_f64(value));
    let mut max = number(f64::NEG_INFINITY);
    let mut is_number = max.simd_eq(max);
    for class in 0..classes {
        let z = W::Vector::from_slice(simd, &z[class * stride..class * stride + W::WIDTH]);
        is_number &= z.simd_eq(z);
        max = max.max(z);
    }
    (max, is_number.select(number(1.0), number(0.0)))
}

/// Adds a class of a block to its lane. The first in a lane is not added to +0; what that makes of a -0 is lost where the sums
/// of blocks are added up, from +0 on.
#[inline(always)]
pub(super) fn add_to_lane<S: Simd, W: Float>(simd: S, lanes: &mut [W], class: usize, vector: W::Vector<S>) {
    let lane = class % LANES;
    let place = &mut lanes[lane * W::WIDTH..(lane + 1) * W::WIDTH];
    let sum = if class < LANES { vector } else { W::Vector::from_slice(simd, place) + vector };
    sum.store_slice(place);
}

/// Adds `used` lanes in `f64` by the tree that a single row's lanes are added by; the others are zero.
#[inline(always)]
pub(super) fn tree<S: Simd, W: Float>(simd: S, lanes: &[W], used: usize) -> [f64x8<S>; 2] {
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
