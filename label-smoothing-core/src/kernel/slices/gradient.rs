//! The gradient of one slice's logits.

use fearless_simd::Level;

use super::{Merged, Slice};
use crate::element::Element;
use crate::error::{Error, check_length};
use crate::kernel::batch;
use crate::kernel::closed_form::{RowGradient, RowSums};
use crate::kernel::lanes::LANES;
use crate::kernel::memory::{GradientOf, Upstream};
use crate::kernel::plan::SpreadRow;
use crate::kernel::row::{self, Coefficients, Factors};
use crate::kernel::stats::RowStats;
use crate::kernel::task::scaled;

impl<P: Element> Slice<'_, P> {
    /// `upstream * d loss / d logits`, for this slice's logits.
    ///
    /// `G` is the type of the logits, or the wider type that they are computed in.
    ///
    /// # Errors
    ///
    /// A wrong number of logits, gradients, or rows. Nothing is written then.
    pub fn gradient<T: Element, G: GradientOf<T> + Element<Wide = T::Wide>>(
        &self,
        logits: &[T],
        merged: &Merged<T::Wide>,
        upstream: T::Wide,
        gradient: &mut [G],
    ) -> Result<(), Error> {
        self.check_gradient(logits, merged, gradient.len())?;
        match self.problem.gradient_divisor() {
            Some(divisor) => self.write(logits, merged, Upstream::Loss(upstream), 1.0 / divisor, gradient),
            None => gradient.fill(G::default()),
        }
        Ok(())
    }

    /// `d (sum upstream * row_losses) / d logits`, for this slice's logits; one upstream gradient per row.
    ///
    /// # Errors
    ///
    /// Those of [`Slice::gradient`], and a wrong number of upstream gradients. Nothing is written then.
    pub fn row_losses_gradient<T: Element, G: GradientOf<T> + Element<Wide = T::Wide>>(
        &self,
        logits: &[T],
        merged: &Merged<T::Wide>,
        upstream: &[T::Wide],
        gradient: &mut [G],
    ) -> Result<(), Error> {
        self.check_gradient(logits, merged, gradient.len())?;
        self.problem.check_upstream(upstream.len())?;
        self.write(logits, merged, Upstream::Losses(upstream), 1.0, gradient);
        Ok(())
    }

    fn check_gradient<T: Element>(&self, logits: &[T], merged: &Merged<T::Wide>, found: usize) -> Result<(), Error> {
        self.check(logits)?;
        check_length("the slice's gradient", found, logits.len())?;
        check_length("the rows' statistics", merged.stats.len(), self.problem.shape().rows())
    }

    fn write<T: Element, G: Element<Wide = T::Wide>>(
        &self,
        logits: &[T],
        merged: &Merged<T::Wide>,
        upstream: Upstream<'_, T::Wide>,
        factor: f64,
        gradient: &mut [G],
    ) {
        let level = Level::new();
        let (classes, rows) = (self.classes.len(), batch::rows_of_task(self.classes.len()));
        let tasks: Vec<_> = gradient.chunks_mut(rows * classes).enumerate().collect();
        batch::map(tasks, |(task, gradient)| {
            let mut exps = vec![T::Wide::default(); classes.next_multiple_of(LANES)];
            for (index, out) in gradient.chunks_mut(classes).enumerate() {
                let row = task * rows + index;
                let of_row = OfRow { level, upstream: upstream.at(row), factor, stats: merged.stats[row] };
                match self.plan.row(self.problem, row) {
                    Some(target) => self.write_row(self.row_of(logits, row), &target, of_row, &mut exps, out),
                    None => out.fill(G::default()),
                }
            }
        });
    }

    /// The gradient of a counted row; see [`Task`](crate::kernel::task::Task), which writes that of a whole one.
    fn write_row<T: Element, G: Element<Wide = T::Wide>>(
        &self,
        z: &[T],
        target: &SpreadRow,
        of_row: OfRow<T::Wide>,
        exps: &mut [T::Wide],
        out: &mut [G],
    ) {
        let OfRow { level, upstream, factor, stats } = of_row;
        let Some(sums) = row::again(level, z, stats, exps) else {
            return out.fill(G::narrow(T::Wide::from_f64(f64::NAN)));
        };
        let is_maximum = target.classes.map(|class| class == stats.column);
        // What the shifted logits add up to is the loss's, not the gradient's.
        let a = target.spread.coefficients(self.plan.sharers, is_maximum, [0.0; 2], 0.0);
        let of_sums = RowSums { max: sums.max.to_f64(), others: sums.others, lse: sums.lse };
        let gradient = RowGradient::new(&a, &of_sums, factor);
        let factors = Factors {
            probability: T::Wide::from_f64(gradient.probability),
            coefficients: Coefficients::Constant(T::Wide::from_f64(target.spread.share * factor)),
            upstream,
        };
        row::gradient(level, exps, factors, out);
        let place = |class: usize| class.wrapping_sub(self.classes.start);
        let at_targets = target.spread.at_targets(self.plan.sharers);
        let mut set = |class: usize, value: f64| out[place(class)] = G::narrow(scaled(upstream, value));
        // In the order of the whole row: of two at the same place, the last holds.
        for which in [1, 0] {
            let class = target.classes[which];
            if (which == 0 || self.plan.is_mixed) && self.classes.contains(&class) {
                set(class, gradient.at(exps[place(class)].to_f64(), at_targets[which]));
            }
        }
        if self.classes.contains(&stats.column) {
            set(stats.column, gradient.at_maximum);
        }
    }
}

/// What the gradient of a row takes besides its logits and its target.
#[derive(Clone, Copy)]
struct OfRow<W> {
    level: Level,
    upstream: W,
    factor: f64,
    stats: RowStats<W>,
}
