//! The gradient of one slice's logits.

use fearless_simd::Level;

use super::merge::MergedRow;
use super::{Merged, Part, Slice};
use crate::element::Element;
use crate::error::{Error, check_length};
use crate::kernel::batch;
use crate::kernel::closed_form::{RowGradient, RowSums};
use crate::kernel::general::{GeneralScratch, GeneralSums};
use crate::kernel::gradient::{self, Coefficients, Factors, PerClass};
use crate::kernel::lanes::LANES;
use crate::kernel::level;
use crate::kernel::memory::{GradientOf, Memory, Upstream, Write};
use crate::kernel::plan::SpreadPlan;
use crate::kernel::row;
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
            Some(divisor) => {
                let memory = G::memory(logits, gradient);
                T::slice_gradient(&self.part, memory, merged, Upstream::Loss(upstream), 1.0 / divisor);
            }
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
        T::slice_gradient(&self.part, G::memory(logits, gradient), merged, Upstream::Losses(upstream), 1.0);
        Ok(())
    }

    fn check_gradient<T: Element>(&self, logits: &[T], merged: &Merged<T::Wide>, found: usize) -> Result<(), Error> {
        self.part.check(logits)?;
        check_length("the slice's gradient", found, logits.len())?;
        check_length("the rows' statistics", merged.rows.len(), self.part.count)
    }
}

impl Part<'_> {
    /// Writes the gradient of the slice's logits elsewhere; `factor` is that of the batch.
    pub(crate) fn write_gradient<T: Element>(
        &self,
        mut memory: Memory<'_, T>,
        merged: &Merged<T::Wide>,
        upstream: Upstream<'_, T::Wide>,
        factor: f64,
    ) {
        let (Memory::Read(logits) | Memory::Apart(logits, _) | Memory::Wide(logits, _)) = memory else { return };
        memory.write(WriteSlice { part: self, logits, merged, upstream, factor });
    }

    fn write<T: Element, G: Element<Wide = T::Wide>>(&self, slice: &WriteSlice<'_, T>, gradient: &mut [G]) {
        let WriteSlice { logits, merged, upstream, factor, .. } = *slice;
        let level = level::best();
        let (classes, rows) = (self.classes.len(), batch::rows_of_task(self.classes.len()));
        let tasks: Vec<_> = gradient.chunks_mut(rows * classes).enumerate().collect();
        batch::map(tasks, |(task, gradient)| {
            let mut exps = vec![T::Wide::default(); classes.next_multiple_of(LANES)];
            let mut scratch = GeneralScratch::default();
            for (index, out) in gradient.chunks_mut(classes).enumerate() {
                let row = task * rows + index;
                let (z, merged) = (self.row_of(logits, row), merged.rows[row]);
                if !self.rows.get().is_counted(row) {
                    out.fill(G::default());
                    continue;
                }
                let Some(sums) = row::again(level, z, merged.stats, &mut exps) else {
                    out.fill(G::narrow(T::Wide::from_f64(f64::NAN)));
                    continue;
                };
                let sums = RowSums { max: sums.max.to_f64(), others: sums.others, lse: sums.lse };
                let of_row = OfRow { level, upstream: upstream.at(row), factor, merged, sums, exps: &exps };
                match &self.plan {
                    Some(plan) => self.write_spread_row(row, plan, &of_row, out),
                    None => self.write_general_row(row, z, &of_row, &mut scratch, out),
                }
            }
        });
    }

    /// The gradient of a row of a spread; see [`Task`](crate::kernel::task::Task), which writes that of a whole one.
    fn write_spread_row<G: Element>(&self, row: usize, plan: &SpreadPlan, of_row: &OfRow<'_, G::Wide>, out: &mut [G]) {
        let OfRow { level, upstream, factor, merged: MergedRow { stats, .. }, sums, exps } = *of_row;
        let Some(target) = plan.row(self.rows.get(), row) else { return };
        let is_maximum = target.classes.map(|class| class == stats.column);
        // What the shifted logits add up to is the loss's, not the gradient's.
        let a = target.spread.coefficients(plan.sharers, is_maximum, [0.0; 2], 0.0);
        let gradient = RowGradient::new(&a, &sums, factor);
        let coefficients = Coefficients::<G>::Constant(G::Wide::from_f64(target.spread.share * factor));
        let probability = G::Wide::from_f64(gradient.probability);
        gradient::write(level, exps, Factors { probability, coefficients, upstream }, out);
        let place = |class: usize| class.wrapping_sub(self.classes.start);
        let at_targets = target.spread.at_targets(plan.sharers);
        let mut set = |class: usize, value: f64| out[place(class)] = G::narrow(scaled(upstream, value));
        // In the order of the whole row: of two at the same place, the last holds.
        for which in [1, 0] {
            let class = target.classes[which];
            if (which == 0 || plan.is_mixed) && self.classes.contains(&class) {
                set(class, gradient.at(exps[place(class)].to_f64(), at_targets[which]));
            }
        }
        if self.classes.contains(&stats.column) {
            set(stats.column, gradient.at_maximum);
        }
    }

    /// The gradient of any other row, likewise.
    fn write_general_row<T: Element, G: Element<Wide = T::Wide>>(
        &self,
        row: usize,
        z: &[T],
        of_row: &OfRow<'_, T::Wide>,
        scratch: &mut GeneralScratch,
        out: &mut [G],
    ) {
        let OfRow { level, upstream, factor, merged, sums, exps } = *of_row;
        let MergedRow { stats, total_of_others, at_maximum } = merged;
        // What the columns add up to is known: it does not matter whether their logits are finite.
        self.general_row(row, z, sums.max, stats.column, true).blocks(level, scratch, |_| ());
        let of_all = GeneralSums { of_others: total_of_others, ..GeneralSums::default() };
        let a = of_all.coefficients(at_maximum, self.rows.get().z_factor(row));
        let gradient = RowGradient::new(&a, &sums, factor);
        let coefficients = Coefficients::<T>::PerClass(PerClass { factor, values: &scratch.room.coefficients });
        let probability = T::Wide::from_f64(gradient.probability);
        gradient::write(level, exps, Factors { probability, coefficients, upstream }, out);
        if self.classes.contains(&stats.column) {
            out[stats.column - self.classes.start] = G::narrow(scaled(upstream, gradient.at_maximum));
        }
    }
}

/// What a slice's gradient is made of.
struct WriteSlice<'a, T: Element> {
    part: &'a Part<'a>,
    logits: &'a [T],
    merged: &'a Merged<T::Wide>,
    upstream: Upstream<'a, T::Wide>,
    factor: f64,
}

impl<T: Element> Write<T> for WriteSlice<'_, T> {
    fn to<G: Element<Wide = T::Wide>>(self, gradient: &mut [G]) {
        self.part.write(&self, gradient);
    }
}

/// What the gradient of a row takes besides its target.
#[derive(Clone, Copy)]
struct OfRow<'a, W> {
    level: Level,
    upstream: W,
    factor: f64,
    merged: MergedRow<W>,
    sums: RowSums<f64>,
    exps: &'a [W],
}
