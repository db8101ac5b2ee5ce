//! The rows of a task in groups, a row in each lane.

use fearless_simd::Level;

use super::closed_form::{Losses, Spread};
use super::group::{self, Answer, Room, Targets};
use super::lanes::{Float, MAX_WIDTH};
use super::memory::{Upstream, Write};
use super::plan::SpreadPlan;
use super::task::Task;
use super::transposed;
use crate::element::Element;

/// Room for a group of rows.
#[derive(Debug)]
pub(super) struct GroupScratch<W> {
    targets: Targets<W>,
    answer: Answer<W>,
    upstream: [W; MAX_WIDTH],
    room: Room<W>,
    /// Logits, and later their gradient, class by class.
    by_class: Vec<W>,
}

impl<W: Float> GroupScratch<W> {
    fn new(plan: &SpreadPlan, upstream: Upstream<W>) -> Self {
        let nothing = Spread { hard: [0.0; 2], given: [0.0; 2], share: 0.0, z_factor: 0.0, offset: 0.0 };
        let spread = plan.common.map_or(nothing, |common| common.spread());
        let mut room = Room::default();
        room.resize(plan.sharers.classes);
        Self {
            targets: Targets {
                classes: [[W::default(); MAX_WIDTH]; 2],
                likeliest: [W::default(); MAX_WIDTH],
                is_counted: 0,
                spread: Spread::of_all(&spread),
                sharers: plan.sharers,
                is_mixed: plan.is_mixed,
                has_z_loss: plan.has_z_loss,
            },
            answer: Answer::new(),
            upstream: match upstream {
                Upstream::Loss(value) => [value; MAX_WIDTH],
                Upstream::Losses(_) => [W::default(); MAX_WIDTH],
            },
            room,
            by_class: vec![W::default(); plan.sharers.classes.next_multiple_of(W::WIDTH) * W::WIDTH],
        }
    }
}

impl Spread<[f64; MAX_WIDTH]> {
    /// The same for every row.
    fn of_all(row: &Spread<f64>) -> Self {
        Spread {
            hard: row.hard.map(|value| [value; MAX_WIDTH]),
            given: row.given.map(|value| [value; MAX_WIDTH]),
            share: [row.share; MAX_WIDTH],
            z_factor: [row.z_factor; MAX_WIDTH],
            offset: [row.offset; MAX_WIDTH],
        }
    }

    /// Sets one row's.
    fn set(&mut self, at: usize, row: &Spread<f64>) {
        for which in 0..2 {
            self.hard[which][at] = row.hard[which];
            self.given[which][at] = row.given[which];
        }
        self.share[at] = row.share;
        self.z_factor[at] = row.z_factor;
        self.offset[at] = row.offset;
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
    /// Every row of the task, `WIDTH` rows at a time.
    pub(super) fn groups(&mut self, plan: &SpreadPlan) {
        let (width, inner) = (T::Wide::WIDTH, self.common.shape.inner());
        let mut scratch = GroupScratch::new(plan, self.upstream);
        for first in (0..self.rows).step_by(width) {
            let rows = width.min(self.rows - first);
            let is_side_by_side = rows == width && inner > 1 && (self.first_row + first) % inner + rows <= inner;
            let group = Group { first, rows, is_side_by_side };
            self.ask(plan, group, &mut scratch);
            self.answer(group, &mut scratch);
            self.keep_group(group, &scratch.answer);
            if self.memory.wants_gradient() {
                let start = |row: usize| if row < rows { self.start(first + row) } else { 0 };
                let starts = if inner == 1 { [start(0); MAX_WIDTH] } else { std::array::from_fn(start) };
                let level = self.common.level;
                self.memory.write(WriteGroup { level, starts, group, inner, scratch: &mut scratch });
            }
        }
    }

    /// Finds out what the targets of a group ask.
    fn ask(&self, plan: &SpreadPlan, group: Group, scratch: &mut GroupScratch<T::Wide>) {
        let number = |class: usize| T::Wide::from_f64(class as f64);
        let (start, targets) = (self.first_row + group.first, &mut scratch.targets);
        if let Upstream::Losses(values) = self.upstream {
            scratch.upstream[..group.rows].copy_from_slice(&values[start..start + group.rows]);
        }
        targets.is_counted = 0;
        for row in 0..group.rows {
            if let Some(common) = &plan.common {
                let class = common.class(start + row);
                targets.is_counted |= u64::from(class.is_some()) << row;
                targets.classes[0][row] = number(class.unwrap_or(0));
            } else if let Some(plan) = self.common.rows.spread(start + row) {
                targets.is_counted |= 1 << row;
                targets.classes[0][row] = number(plan.classes[0]);
                targets.classes[1][row] = number(plan.classes[1]);
                targets.likeliest[row] = number(plan.likeliest());
                targets.spread.set(row, &plan.spread);
            }
        }
        if plan.common.is_some() {
            targets.likeliest = targets.classes[0];
        }
    }

    fn answer(&self, group: Group, scratch: &mut GroupScratch<T::Wide>) {
        let GroupScratch { targets, answer, room, by_class, .. } = scratch;
        let (shape, width, level) = (self.common.shape, T::Wide::WIDTH, self.common.level);
        let z = &self.memory.logits()[self.start(group.first)..];
        if group.is_side_by_side {
            return group::losses(level, z, shape.inner(), targets, self.common.factor, room, answer);
        }
        if shape.inner() == 1 {
            transposed::side_by_side(level, z, group.rows, shape.classes(), by_class);
        } else {
            for row in 0..group.rows {
                let column = self.memory.logits()[self.start(group.first + row)..].iter().step_by(shape.inner());
                for (class, z) in column.take(shape.classes()).enumerate() {
                    by_class[class * width + row] = z.widen();
                }
            }
        }
        group::losses(level, by_class, width, targets, self.common.factor, room, answer);
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

struct WriteGroup<'a, W> {
    level: Level,
    /// Where the rows begin; if they follow each other, where the first does.
    starts: [usize; MAX_WIDTH],
    group: Group,
    inner: usize,
    scratch: &'a mut GroupScratch<W>,
}

impl<T: Element> Write<T> for WriteGroup<'_, T::Wide> {
    fn to<G: Element<Wide = T::Wide>>(self, gradient: &mut [G]) {
        let Self { level, group, starts, inner, scratch } = self;
        let GroupScratch { targets, answer, upstream, room, by_class } = scratch;
        let (width, classes) = (T::Wide::WIDTH, targets.sharers.classes);
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
        let is_plain = answer.is_defined & targets.is_counted;
        for row in (0..group.rows).filter(|row| is_plain >> row & 1 == 0) {
            let start = if inner == 1 { starts[0] + row * classes } else { starts[row] };
            let is_counted = targets.is_counted >> row & 1 == 1;
            let value = T::Wide::from_f64(if is_counted { f64::NAN } else { 0.0 });
            let column = gradient[start..].iter_mut().step_by(inner).take(classes);
            column.for_each(|place| *place = G::narrow(value));
        }
    }
}
