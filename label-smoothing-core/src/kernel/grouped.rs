//! The rows of a task in groups, a row in each lane.

use fearless_simd::Level;

use super::closed_form::Losses;
use super::group::{self, Answer, GeneralTargets, Logits, Room, SpreadTargets, Targets};
use super::lanes::{Float, MAX_WIDTH, widened};
use super::memory::{Upstream, Write};
use super::plan::SpreadPlan;
use super::rows::mask_out;
use super::task::Task;
use super::transposed;
use crate::element::Element;

/// Room for a group of rows.
#[derive(Debug)]
struct GroupScratch<W, Q> {
    targets: Q,
    answer: Answer<W>,
    upstream: [W; MAX_WIDTH],
    room: Room<W>,
    /// Logits, and later their gradient, class by class.
    by_class: Vec<W>,
}

impl<W: Float, Q: Targets<W>> GroupScratch<W, Q> {
    fn new(targets: Q, upstream: Upstream<W>) -> Self {
        let classes = targets.classes();
        let mut room = Room::default();
        room.resize(classes);
        Self {
            targets,
            answer: Answer::new(),
            upstream: match upstream {
                Upstream::Loss(value) => [value; MAX_WIDTH],
                Upstream::Losses(_) => [W::default(); MAX_WIDTH],
            },
            room,
            by_class: vec![W::default(); classes.next_multiple_of(W::WIDTH) * W::WIDTH],
        }
    }
}

/// Consecutive rows of a task.
#[derive(Clone, Copy)]
struct Group {
    first: usize,
    rows: usize,
    /// Whether a class of all rows is one piece of memory.
    is_side_by_side: bool,
}

impl<T: Element> Task<'_, T> {
    /// Every row of the task, where their coefficients are a spread.
    pub(super) fn spread_groups(&mut self, plan: &SpreadPlan) {
        let targets = SpreadTargets::new(plan, self.common.factor);
        self.groups(targets, |task, group, targets| task.ask(plan, group, targets));
    }

    /// Every row of the task, whatever their coefficients.
    pub(super) fn general_groups(&mut self) {
        let (rows, shape, level) = (self.common.rows, self.common.shape, self.common.level);
        let targets = GeneralTargets::new(rows, shape.classes(), T::Wide::WIDTH, self.common.factor);
        let mut room = Vec::new();
        self.groups(targets, |task, group, targets| {
            let mask = |row: usize, shares: &mut [f64]| {
                let logits = task.memory.logits()[task.start(group.first + row)..].iter().step_by(shape.inner());
                mask_out(shares, logits);
            };
            let start = task.first_row + group.first;
            targets.ask(level, rows, start..start + group.rows, &mask, &mut room);
        });
    }

    /// Every row of the task, `WIDTH` rows at a time.
    fn groups<Q: Targets<T::Wide>>(&mut self, targets: Q, mut ask: impl FnMut(&Self, Group, &mut Q)) {
        let (width, inner) = (T::Wide::WIDTH, self.common.shape.inner());
        let mut scratch = GroupScratch::new(targets, self.upstream);
        for first in (0..self.rows).step_by(width) {
            let rows = width.min(self.rows - first);
            let is_side_by_side = rows == width && inner > 1 && (self.first_row + first) % inner + rows <= inner;
            let group = Group { first, rows, is_side_by_side };
            if let Upstream::Losses(values) = self.upstream {
                let start = self.first_row + first;
                scratch.upstream[..rows].copy_from_slice(&values[start..start + rows]);
            }
            ask(self, group, &mut scratch.targets);
            self.answer(group, &mut scratch);
            self.keep_group(group, &scratch.answer);
            if self.memory.wants_gradient() {
                let start = |row: usize| if row < rows { self.start(first + row) } else { 0 };
                let starts = if inner == 1 { [start(0); MAX_WIDTH] } else { std::array::from_fn(start) };
                let level = self.common.level;
                self.memory.write(WriteGroup { level, starts: &starts, group, inner, scratch: &mut scratch });
            }
        }
    }

    /// Finds out what the targets of a group ask.
    fn ask(&self, plan: &SpreadPlan, group: Group, targets: &mut SpreadTargets<T::Wide>) {
        let start = self.first_row + group.first;
        targets.clear();
        if let Some(common) = &plan.common {
            return common.classes(start..start + group.rows).enumerate().for_each(|(row, class)| {
                targets.set_class(row, class);
            });
        }
        for row in 0..group.rows {
            if let Some(target) = self.common.rows.spread(start + row) {
                targets.set_row(row, &target);
            }
        }
    }

    fn answer<Q: Targets<T::Wide>>(&self, group: Group, scratch: &mut GroupScratch<T::Wide, Q>) {
        let GroupScratch { targets, answer, room, by_class, .. } = scratch;
        let (shape, width, level) = (self.common.shape, T::Wide::WIDTH, self.common.level);
        let z = &self.memory.logits()[self.start(group.first)..];
        if shape.inner() == 1 {
            transposed::side_by_side(level, z, group.rows, shape.classes(), by_class);
        } else if group.is_side_by_side {
            if let Some(z) = T::Wide::of_values(T::values(z)) {
                let logits = Logits { z, stride: shape.inner() };
                return group::losses(level, &logits, targets, self.common.factor, room, answer);
            }
            for (z, wide) in z.chunks(shape.inner()).zip(by_class.chunks_exact_mut(width)).take(shape.classes()) {
                widened(level, &z[..width], wide);
            }
        } else {
            for row in 0..group.rows {
                let column = self.memory.logits()[self.start(group.first + row)..].iter().step_by(shape.inner());
                for (class, z) in column.take(shape.classes()).enumerate() {
                    by_class[class * width + row] = z.widen();
                }
            }
        }
        let logits = Logits { z: by_class.as_slice(), stride: width };
        group::losses(level, &logits, targets, self.common.factor, room, answer);
    }

    /// Keeps what the rows of a group give.
    fn keep_group(&mut self, group: Group, answer: &Answer<T::Wide>) {
        if let Some(losses) = &mut self.losses {
            for (place, &loss) in losses[group.first..].iter_mut().zip(&answer.loss[..group.rows]) {
                *place = T::Wide::from_f64(loss);
            }
        }
        let start = self.first_row + group.first;
        if group.rows == T::Wide::WIDTH && start.is_multiple_of(T::Wide::WIDTH) {
            return self.sums.push(start, T::Wide::WIDTH.ilog2(), answer.sums);
        }
        for row in 0..group.rows {
            let losses = Losses { loss: answer.loss[row], nll: answer.nll[row], z_loss: answer.z_loss[row] };
            let sums = losses.sums(answer.is_correct >> row & 1 == 1);
            self.sums.push(start + row, 0, sums);
        }
    }
}

struct WriteGroup<'a, W, Q> {
    level: Level,
    /// Where the rows begin; if they follow each other, where the first does.
    starts: &'a [usize; MAX_WIDTH],
    group: Group,
    inner: usize,
    scratch: &'a mut GroupScratch<W, Q>,
}

impl<T: Element, Q: Targets<T::Wide>> Write<T> for WriteGroup<'_, T::Wide, Q> {
    fn to<G: Element<Wide = T::Wide>>(self, gradient: &mut [G]) {
        let Self { level, group, starts, inner, scratch } = self;
        let GroupScratch { targets, answer, upstream, room, by_class } = scratch;
        let (width, classes) = (T::Wide::WIDTH, targets.classes());
        let out = &mut gradient[starts[0]..];
        if group.is_side_by_side {
            group::gradients(level, room, targets, answer, upstream, inner, out);
        } else {
            group::gradients(level, room, targets, answer, upstream, width, by_class);
            if inner == 1 {
                transposed::one_by_one(level, by_class, classes, &mut out[..group.rows * classes]);
            } else {
                for (row, &start) in starts[..group.rows].iter().enumerate() {
                    let column = gradient[start..].iter_mut().step_by(inner).take(classes);
                    column.enumerate().for_each(|(class, place)| *place = G::narrow(by_class[class * width + row]));
                }
            }
        }
        let others = !(answer.is_defined & targets.is_counted()) & ((1 << group.rows) - 1);
        if others == 0 {
            return;
        }
        for row in (0..group.rows).filter(|row| others >> row & 1 == 1) {
            let start = if inner == 1 { starts[0] + row * classes } else { starts[row] };
            let is_counted = targets.is_counted() >> row & 1 == 1;
            let value = T::Wide::from_f64(if is_counted { f64::NAN } else { 0.0 });
            let column = gradient[start..].iter_mut().step_by(inner).take(classes);
            column.for_each(|place| *place = G::narrow(value));
        }
    }
}
