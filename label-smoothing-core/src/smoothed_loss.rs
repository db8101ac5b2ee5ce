//! The traits: a loss, and its gradient where the framework has no automatic differentiation.

use crate::error::LossError;

/// Cross entropy against label-smoothed targets.
///
/// With `q` the smoothed target of a row, `a` its entries with every weight in them and `p = softmax(z)`:
///
/// ```text
/// row loss   L   = sum_c a_c (-log p_c) + z_loss * lse(z)^2
/// gradient   g_k = A p_k - a_k + 2 z_loss lse(z) p_k            A = sum_c a_c
/// ```
///
/// and for the binary family, per element, `L = w (q softplus(-z) + (1 - q) softplus(z))`.
///
/// # For people who train
///
/// Take the adapter of your framework; it has the structs `SmoothedCrossEntropy` and `SmoothedBinaryCrossEntropy`, and
/// this trait for the framework's tensors. Call [`SmoothedLoss::loss`] and go on as with any other loss.
///
/// * **Shapes**: logits of any rank from 1; the class axis is the last unless the configuration says otherwise.
///   Index targets, masks and row weights have the shape of the logits without the class axis, probabilities that of
///   the logits.
/// * **Units**: nats.
/// * **Ignored rows**: loss 0 and a gradient of exactly 0, even where their logits are NaN.
/// * **Gradient**: the framework's own automatic differentiation takes it on; first order only.
/// * **Numerics**: the same bits from every adapter on the CPU; within the documented bound elsewhere.
///
/// # For people who write a backend
///
/// Inputs are type parameters and outputs associated types, because frameworks differ: candle and tch take `&Tensor`,
/// dfdx's tape is part of the type and moves, ndarray has views. Make a [`Problem`](crate::Problem) of the
/// configuration, the logits' shape and the targets: that is the input check that all backends share. Then hand the
/// framework's memory to the [`kernel`](crate::kernel), or compose the loss of the framework's operations, and let the
/// conformance kit judge the result.
///
/// # Sources
///
/// Szegedy et al. 2016, arXiv 1512.00567 (label smoothing); Müller et al. 2019, arXiv 1906.02629 (when it helps).
///
/// # Examples
///
/// An implementation for plain slices, of one row:
///
/// ```
/// use label_smoothing_core::{kernel, Array, Config, Error, Problem, SmoothedLoss, Smoothing, Targets};
///
/// struct SliceLoss(Config);
///
/// impl SmoothedLoss<&[f64], i64> for SliceLoss {
///     type Loss = f64;
///     type RowLosses = Vec<f64>;
///     type Error = Error;
///
///     fn loss(&self, logits: &[f64], target: i64) -> Result<f64, Error> {
///         let targets = Targets::<f64>::indices(Array::new([], vec![target]));
///         Ok(kernel::loss(&Problem::new(&self.0, &[logits.len()], targets)?, logits)?.value)
///     }
///
///     fn row_losses(&self, logits: &[f64], target: i64) -> Result<Vec<f64>, Error> {
///         Ok(vec![self.loss(logits, target)?])
///     }
/// }
///
/// let config = Config::cross_entropy().smoothing(Smoothing::Uniform { epsilon: 0.1 }).build()?;
/// let loss = SliceLoss(config).loss(&[2.0, 0.0, 0.0], 0)?;
/// assert!((loss - 0.372_878_1).abs() < 1e-7);
/// # Ok::<(), Error>(())
/// ```
pub trait SmoothedLoss<Logits, Targets> {
    /// A scalar of the framework, in nats.
    type Loss;

    /// One value per row (binary: one per element, in the logits' shape), in nats; 0 for ignored rows.
    type RowLosses;

    /// The adapter's own error, which answers [`LossError::kind`].
    type Error: LossError;

    /// The mean or sum of the row losses, as configured.
    ///
    /// # Errors
    ///
    /// Inputs that have no loss, a mean over nothing if the configuration refuses it, and whatever the framework
    /// refuses.
    fn loss(&self, logits: Logits, targets: Targets) -> Result<Self::Loss, Self::Error>;

    /// The row losses themselves: other libraries' `reduction = none`.
    ///
    /// # Errors
    ///
    /// Inputs that have no loss, and whatever the framework refuses.
    fn row_losses(&self, logits: Logits, targets: Targets) -> Result<Self::RowLosses, Self::Error>;
}

impl<L, Logits, Targets> SmoothedLoss<Logits, Targets> for &L
where
    L: SmoothedLoss<Logits, Targets> + ?Sized,
{
    type Loss = L::Loss;
    type RowLosses = L::RowLosses;
    type Error = L::Error;

    fn loss(&self, logits: Logits, targets: Targets) -> Result<Self::Loss, Self::Error> {
        (**self).loss(logits, targets)
    }

    fn row_losses(&self, logits: Logits, targets: Targets) -> Result<Self::RowLosses, Self::Error> {
        (**self).row_losses(logits, targets)
    }
}

/// The gradient of a [`SmoothedLoss`], for frameworks without automatic differentiation.
///
/// Every method gives the vector-Jacobian product with an upstream gradient: pass 1 (or ones) for the plain gradient.
/// Frameworks with automatic differentiation do not implement this trait: their `Loss` carries its gradient.
pub trait LossGradient<Logits, Targets>: SmoothedLoss<Logits, Targets> {
    /// A new tensor in the shape and element type of the logits.
    type Gradient;

    /// A tensor that the caller owns and has the gradient written into, in the shape of the logits.
    type GradientMut<'a>;

    /// The logits as a tensor that may be overwritten.
    type LogitsMut<'a>;

    /// The upstream gradient of the loss.
    type Upstream;

    /// The upstream gradient of the row losses.
    type RowUpstream<'a>;

    /// The loss, and `upstream * d loss / d logits` in a new tensor.
    ///
    /// # Errors
    ///
    /// Those of [`SmoothedLoss::loss`].
    fn loss_and_gradient(
        &self,
        logits: Logits,
        targets: Targets,
        upstream: Self::Upstream,
    ) -> Result<(Self::Loss, Self::Gradient), Self::Error>;

    /// The loss; the gradient goes into the caller's tensor. Nothing is written when an error is returned.
    ///
    /// # Errors
    ///
    /// Those of [`SmoothedLoss::loss`], and a tensor of another shape.
    fn loss_and_gradient_into(
        &self,
        logits: Logits,
        targets: Targets,
        upstream: Self::Upstream,
        gradient: Self::GradientMut<'_>,
    ) -> Result<Self::Loss, Self::Error>;

    /// The loss; the gradient takes the place of the logits. Nothing is written when an error is returned.
    ///
    /// # Errors
    ///
    /// Those of [`SmoothedLoss::loss`].
    fn loss_and_gradient_in_place(
        &self,
        logits: Self::LogitsMut<'_>,
        targets: Targets,
        upstream: Self::Upstream,
    ) -> Result<Self::Loss, Self::Error>;

    /// The row losses, and `d (sum upstream * row_losses) / d logits` in a new tensor.
    ///
    /// # Errors
    ///
    /// Those of [`SmoothedLoss::row_losses`], and an upstream gradient of another shape.
    fn row_losses_and_gradient(
        &self,
        logits: Logits,
        targets: Targets,
        upstream: Self::RowUpstream<'_>,
    ) -> Result<(Self::RowLosses, Self::Gradient), Self::Error>;
}
