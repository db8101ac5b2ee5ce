//! The label-smoothed loss for nalgebra: what it takes to bring it to one more library.
//!
//! A column of the logits is an example and a row a class. nalgebra's matrices lie in memory column by column, so that the
//! classes of an example are next to each other, as the kernel wants them: nothing is copied. There is no automatic
//! differentiation, so the gradient is returned.
//!
//! ```
//! use label_smoothing_core::{Array, Targets};
//! use label_smoothing_nalgebra::SmoothedCrossEntropy;
//! use nalgebra::DMatrix;
//!
//! let logits = DMatrix::from_column_slice(3, 2, &[2.0_f32, 0.0, -1.0, 0.5, 1.5, 0.0]); // two examples of three classes
//! let targets = Targets::indices(Array::new([2], vec![0, 1]));
//! let (loss, gradient) = SmoothedCrossEntropy::new(0.1)?.loss_and_gradient(&logits, targets, 1.0)?;
//! assert!((loss - 0.442_107_4).abs() < 1e-6);
//! assert_eq!(gradient.shape(), (3, 2));
//! # Ok::<(), label_smoothing_nalgebra::Error>(())
//! ```

use label_smoothing_core::{Config, Element, Problem, SmoothedLoss, Targets, kernel};
use nalgebra::{DMatrix, DVector};

pub use label_smoothing_core::Error;

// Defines `SmoothedCrossEntropy` and `SmoothedBinaryCrossEntropy`, the same in every adapter.
label_smoothing_core::criteria! {}

impl SmoothedCrossEntropy {
    /// The loss, and its gradient times `upstream`.
    pub fn loss_and_gradient<T: Element>(
        &self,
        logits: &DMatrix<T>,
        targets: Targets<'_, T>,
        upstream: T::Wide,
    ) -> Result<(T::Wide, DMatrix<T>), Error> {
        let problem = problem(self.config(), logits, targets)?;
        let mut gradient = logits.clone();
        let loss = kernel::loss_and_gradient_in_place(&problem, gradient.as_mut_slice(), upstream)?;
        Ok((T::Wide::from_f64(loss.value), gradient))
    }

    /// One loss per example, and the gradient of their sum weighted by `upstream`.
    pub fn row_losses_and_gradient<T: Element>(
        &self,
        logits: &DMatrix<T>,
        targets: Targets<'_, T>,
        upstream: &[T::Wide],
    ) -> Result<(DVector<T::Wide>, DMatrix<T>), Error> {
        let problem = problem(self.config(), logits, targets)?;
        let (mut losses, mut gradient) = (vec![T::Wide::default(); problem.losses()], logits.clone());
        let values = logits.as_slice();
        kernel::row_losses_and_gradient(&problem, values, upstream, &mut losses, gradient.as_mut_slice())?;
        Ok((DVector::from_vec(losses), gradient))
    }
}

impl<T: Element> SmoothedLoss<&DMatrix<T>, Targets<'_, T>> for SmoothedCrossEntropy {
    type Loss = T::Wide;
    type RowLosses = DVector<T::Wide>;
    type Error = Error;

    fn loss(&self, logits: &DMatrix<T>, targets: Targets<'_, T>) -> Result<T::Wide, Error> {
        let problem = problem(self.config(), logits, targets)?;
        Ok(T::Wide::from_f64(kernel::loss(&problem, logits.as_slice())?.value))
    }

    fn row_losses(&self, logits: &DMatrix<T>, targets: Targets<'_, T>) -> Result<DVector<T::Wide>, Error> {
        let problem = problem(self.config(), logits, targets)?;
        let mut losses = vec![T::Wide::default(); problem.losses()];
        kernel::row_losses(&problem, logits.as_slice(), &mut losses)?;
        Ok(DVector::from_vec(losses))
    }
}

/// The input check that all backends share: it refuses the same inputs for the same reasons everywhere.
fn problem<'a, T: Element>(
    config: &'a Config,
    logits: &DMatrix<T>,
    targets: Targets<'a, T>,
) -> Result<Problem<'a, T>, Error> {
    Problem::new(config, &[logits.ncols(), logits.nrows()], targets)
}
