//! The traits for ndarray's views.

use label_smoothing_core::{Config, Element, LossGradient, LossParts, Problem, SmoothedLoss, kernel};
use ndarray::{Array, ArrayView, ArrayViewMut, Dimension, RemoveAxis};

use crate::targets::{NdarrayTargets, values};
use crate::{Error, SmoothedBinaryCrossEntropy, SmoothedCrossEntropy};

/// Both structs have the same implementations; they differ in the shape of their row losses only.
macro_rules! implement {
    ($criterion:ty, $row_dimension:ty) => {
        impl $criterion {
            /// The loss and, from the same pass over the logits, its parts, which add up over micro-batches, devices and
            /// ranks where means do not: sum, denominator, counted rows, correct predictions, and the plain negative
            /// log-likelihood of the targets as they were given, in nats. The loss has the bits of [`SmoothedLoss::loss`].
            ///
            /// # Errors
            ///
            /// Those of [`SmoothedLoss::loss`].
            pub fn loss_and_parts<'a, T, D, Y>(
                &self,
                logits: ArrayView<'a, T, D>,
                targets: Y,
            ) -> Result<(T::Wide, LossParts), Error>
            where
                T: Element,
                D: Dimension + RemoveAxis,
                Y: NdarrayTargets<'a>,
            {
                let problem = problem(self.config(), logits.shape(), targets)?;
                let loss = kernel::loss(&problem, &values(&logits))?;
                Ok((T::Wide::from_f64(loss.value), loss.parts))
            }

            /// The loss, its parts, and `upstream * d loss / d logits`, all from one pass over the logits.
            ///
            /// # Errors
            ///
            /// Those of [`SmoothedLoss::loss`].
            pub fn loss_parts_and_gradient<'a, T, D, Y>(
                &self,
                logits: ArrayView<'a, T, D>,
                targets: Y,
                upstream: T::Wide,
            ) -> Result<(T::Wide, LossParts, Array<T, D>), Error>
            where
                T: Element,
                D: Dimension + RemoveAxis,
                Y: NdarrayTargets<'a>,
            {
                let mut gradient = Array::default(logits.raw_dim());
                let loss = gradient_into(self.config(), &logits, targets, upstream, gradient.view_mut())?;
                Ok((T::Wide::from_f64(loss.value), loss.parts, gradient))
            }
        }

        impl<'a, T, D, Y> SmoothedLoss<ArrayView<'a, T, D>, Y> for $criterion
        where
            T: Element,
            D: Dimension + RemoveAxis,
            Y: NdarrayTargets<'a>,
        {
            type Loss = T::Wide;
            type RowLosses = Array<T::Wide, $row_dimension>;
            type Error = Error;

            fn loss(&self, logits: ArrayView<'a, T, D>, targets: Y) -> Result<T::Wide, Error> {
                Ok(self.loss_and_parts(logits, targets)?.0)
            }

            fn row_losses(&self, logits: ArrayView<'a, T, D>, targets: Y) -> Result<Self::RowLosses, Error> {
                let problem = problem(self.config(), logits.shape(), targets)?;
                let mut losses = vec![T::Wide::default(); problem.losses()];
                kernel::row_losses(&problem, &values(&logits), &mut losses)?;
                shaped(&problem.losses_dims(), losses)
            }
        }

        impl<'a, T, D, Y> LossGradient<ArrayView<'a, T, D>, Y> for $criterion
        where
            T: Element,
            D: Dimension + RemoveAxis,
            Y: NdarrayTargets<'a>,
        {
            type Gradient = Array<T, D>;
            type GradientMut<'g> = ArrayViewMut<'g, T, D>;
            type LogitsMut<'g> = ArrayViewMut<'g, T, D>;
            type Upstream = T::Wide;
            type RowUpstream<'g> = ArrayView<'g, T::Wide, $row_dimension>;

            fn loss_and_gradient(
                &self,
                logits: ArrayView<'a, T, D>,
                targets: Y,
                upstream: T::Wide,
            ) -> Result<(T::Wide, Array<T, D>), Error> {
                let (loss, _, gradient) = self.loss_parts_and_gradient(logits, targets, upstream)?;
                Ok((loss, gradient))
            }

            fn loss_and_gradient_into(
                &self,
                logits: ArrayView<'a, T, D>,
                targets: Y,
                upstream: T::Wide,
                gradient: ArrayViewMut<'_, T, D>,
            ) -> Result<T::Wide, Error> {
                Ok(T::Wide::from_f64(gradient_into(self.config(), &logits, targets, upstream, gradient)?.value))
            }

            fn loss_and_gradient_in_place(
                &self,
                logits: ArrayViewMut<'_, T, D>,
                targets: Y,
                upstream: T::Wide,
            ) -> Result<T::Wide, Error> {
                let problem = problem(self.config(), logits.shape(), targets)?;
                let loss = write(logits, |logits| kernel::loss_and_gradient_in_place(&problem, logits, upstream))?;
                Ok(T::Wide::from_f64(loss.value))
            }

            fn row_losses_and_gradient(
                &self,
                logits: ArrayView<'a, T, D>,
                targets: Y,
                upstream: ArrayView<'_, T::Wide, $row_dimension>,
            ) -> Result<(Self::RowLosses, Array<T, D>), Error> {
                let problem = problem(self.config(), logits.shape(), targets)?;
                let mut losses = vec![T::Wide::default(); problem.losses()];
                let mut gradient = vec![T::default(); problem.shape().elements()];
                let (logits_values, upstream) = (values(&logits), values(&upstream));
                kernel::row_losses_and_gradient(&problem, &logits_values, &upstream, &mut losses, &mut gradient)?;
                Ok((shaped(&problem.losses_dims(), losses)?, shaped(logits.shape(), gradient)?))
            }
        }
    };
}

implement!(SmoothedCrossEntropy, D::Smaller);
implement!(SmoothedBinaryCrossEntropy, D);

fn problem<'p, 'a: 'p, Y: NdarrayTargets<'a>>(
    config: &'p Config,
    logits_shape: &[usize],
    targets: Y,
) -> Result<Problem<'p, Y::Probability>, Error> {
    Problem::new(config, logits_shape, targets.into_targets())
}

fn gradient_into<'a, T, D, Y>(
    config: &Config,
    logits: &ArrayView<'a, T, D>,
    targets: Y,
    upstream: T::Wide,
    gradient: ArrayViewMut<'_, T, D>,
) -> Result<kernel::Loss, Error>
where
    T: Element,
    D: Dimension,
    Y: NdarrayTargets<'a>,
{
    let problem = problem(config, logits.shape(), targets)?;
    check_gradient(logits.shape(), gradient.shape())?;
    let logits = values(logits);
    write(gradient, |gradient| kernel::loss_and_gradient(&problem, &logits, upstream, gradient))
}

fn check_gradient(logits: &[usize], gradient: &[usize]) -> Result<(), Error> {
    if logits == gradient {
        return Ok(());
    }
    let (found, expected) = (gradient.iter().product(), logits.iter().product());
    Err(Error::BufferLength { name: "the gradient", found, expected })
}

/// Lets `fill` write the view's values in standard layout: through the view where it is so, through a copy elsewhere.
fn write<T: Element, D: Dimension, R>(
    mut view: ArrayViewMut<'_, T, D>,
    fill: impl FnOnce(&mut [T]) -> Result<R, Error>,
) -> Result<R, Error> {
    if let Some(slice) = view.as_slice_mut() {
        return fill(slice);
    }
    let mut copy: Vec<T> = view.iter().copied().collect();
    let result = fill(&mut copy)?;
    view.iter_mut().zip(copy).for_each(|(place, value)| *place = value);
    Ok(result)
}

/// An array of the shape that the problem has; the dimension type was that of the logits, so it fits.
fn shaped<T: Element, D: Dimension>(shape: &[usize], values: Vec<T>) -> Result<Array<T, D>, Error> {
    let found = values.len();
    let mut dimension = D::zeros(shape.len());
    dimension.slice_mut().copy_from_slice(shape);
    Array::from_shape_vec(dimension, values).map_err(|_| Error::BufferLength {
        name: "the result",
        found,
        expected: shape.iter().product(),
    })
}
