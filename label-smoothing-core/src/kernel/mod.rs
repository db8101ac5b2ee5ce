//! The fast path: loss and gradient in one go over the caller's memory.
//!
//! No `N x K` target is built, and nothing of that size is allocated. The bits of a row depend on its logits, its target
//! and the configuration only: not on the instruction set, the number of threads, the layout of the memory or the other
//! rows. What follows is the arithmetic, for whoever wants the same bits elsewhere; every operation is an IEEE 754
//! operation, rounded to nearest, and `fma` has one rounding.
//!
//! # Types
//!
//! Rows of `f64` are computed in `f64`, all others in `f32`: call it `W`. `f16` and `bf16` are widened exactly.
//!
//! # A row of the softmax family
//!
//! 1. `max` is the largest logit and `m` its first column. A row with a NaN or `+inf`, or of nothing but `-inf`, has a loss
//!    and a gradient of NaN; nothing else of what follows is done for it.
//! 2. In `W`: `t_c = z_c - max`, what that rounded off, `d_c = (z_c - (t_c - b)) - (max + b)` with `b = t_c - z_c`, and
//!    `e_c = exp(t_c, d_c)`.
//! 3. **Sums over columns.** Column `c` belongs to block `c / 1024` and lane `c % 32`. Lanes start a block at +0 and add
//!    their columns in ascending order in `W`. At the end of a block they are widened to `f64` and joined by halves: lane `l`
//!    with `l + 16`, then with `l + 8`, `l + 4`, `l + 2`, `l + 1`. Blocks are added in ascending order in `f64`, starting at
//!    +0. `S_o` is this sum of `e_c` over all columns but `m`; `T` is that of `t_c` over all columns but the hole (below).
//! 4. In `f64`: `S = 1 + S_o`, `lse' = log1p(S_o)`, `lse = max + lse'`.
//!
//! **Spread rows** are rows of index or mixed targets: without smoothing, unless the class weighting is `expected`; or with
//! smoothing `uniform`, `uniform_others` or `uniform_per_class`, without excluded or restricted classes, and without class
//! weights unless these weigh whole rows. Their coefficients are a spread `b` on each class, and a hard mass `h_1`, `h_2` on
//! top of it at the target's classes `y_1`, `y_2`; with `uniform_others`, `y_1` is the hole, which has no share of the spread.
//! In `f64`, with `n` the number of classes that share the spread: `A = (h_1 + h_2) + b n`, and `R`, the sum without column
//! `m`, likewise with `m` left out of `h` and `n`; `D = (h_1 t_1 + h_2 t_2) + b T`, the `t_i` in `f64` from the widened logits.
//!
//! **All other rows**, those of sparse labels among them, have coefficients formed in `f64`, class by class:
//! `a_c = ((1 - eps) q_c + s_c) w`. `s_c` is the class's share of the smoothing: `eps / K`, or `eps u_c` of a distribution, or
//! `(eps / total) u_c` where classes are left out and `total` is the sum of the rest. `w` is the row's weight, or that times the
//! class's weight, or that times the expectation `sum w_c q'_c`. `R` is the sum of `a_c` over all columns but `m`, `A = R + a_m`,
//! and `D = sum a_c t_c` with `t_c` in `f64`. These sums, and all others over columns that are named below, are in the order of
//! step 3 with lanes of `f64`.
//!
//! In both, a term whose mass is 0 is left out, not multiplied. Then, in `f64`:
//!
//! ```text
//! L   = ((A lse' - D) + z lse^2) - offset                 z: z_loss times the row's weight; offset: the entropy taken off
//! B   = A + 2 z lse
//! r   = 1 / S
//! g_m = (S_o > 1 ? A r - a_m : R - A (S_o r)) + 2 z lse r
//! ```
//!
//! # Penalties and other likelihoods
//!
//! Rows of such a configuration are computed in `f64` whatever `W` is, class by class; in a sum, a term that is left out is 0.
//! `e_c = exp(t_c, 0)`, `S_o`, `r = 1 / (S_o + 1)` and `lse'` as above; `p_c = e_c r`, `x_c = 1 - p_c`, and `x_m = S_o r`. The coefficients `a_c`, and with them `A`, `R`,
//! `D` and the loss of the cross entropy, are those of any other row.
//!
//! With another likelihood the loss is `z lse^2 + sum a_c phi_c`, and `b_c = a_c h_c` takes the place of `a_c` in what follows,
//! with `A` and `R` summed anew. With `l_c = lse' - t_c`, `y_c = (p_c l_c) / x_c` (1 where `x_c` is 0) and
//! `x^g = exp(g log x)`, `g` being the likelihood's gamma and `a` its alpha:
//!
//! ```text
//! focal     phi_c = x_c^g l_c                                          h_c = x_c^g (y_c g + 1)
//! relaxed   phi_c = ((1 - a) l_c - a log x_c) - (H(1 - a) + H(a))      h_c = 1 - a / x_c      0 and 0 unless x_c > a
//! ```
//!
//! with `H(q) = -q log q`. The gradient is `g_k = B (e_k r) - b_k`, at `m` as above. To it and to the loss each penalty adds, in
//! the order of the list, with `w` the row's weight times the penalty's strength, `d = (sum -t_c e_c) r`, `n` the number of
//! columns beyond the margin, `s` one over that of the columns that are not `-inf`, `o = sum over c != m of q_c p_c` and `f = o + q_m r`:
//!
//! ```text
//! confidence        loss -(w (lse' + d))              g_k += w (p_k (t_k + d))
//! margin            loss w sum (-t_c - margin)        g_k += w n at m, w (-1) where -t_k - margin > 0
//! max_suppression   loss w ((sum -t_c) s)             g_k += w (1 - s) at m, w (0 - s) elsewhere
//! poly              loss w sum q_c x_c                g_k += w (p_k (o - q_m x_m)) at m, w (p_k (f - q_k)) elsewhere
//! ```
//!
//! `G_k` is `f g_k` rounded to `W`, `f` being the factor of the next section, for every column.
//!
//! # The gradient
//!
//! `f` is 1 over the denominator of a mean, in `f64`, and 1 for a sum or unreduced losses. `G_m` is `f g_m` rounded to `W`;
//! at the classes of a spread row's target, `G_y` is `f (B (e_y r) - a_y)` in `f64`, rounded to `W`; everywhere else
//! `G_k = fma(e_k, P, -c_k)` in `W`, with `P = (B f) r` and `c_k = f a_k` formed in `f64` and rounded to `W`. What is written is
//! `upstream * G`, rounded to `W` and then to the type of the gradient.
//!
//! # The binary family
//!
//! In `f64` for every type: `e = exp(-|z|, 0)`, `l = log1p(e)`, `softplus(x) = max(x, 0) + l`, `s(|z|) = 1 / (1 + e)`,
//! `s(-|z|) = e / (1 + e)`, and the formula as it stands; the gradient times `f` is rounded to `W`, then as above. The focal
//! loss: see `focal_elements` in the private module `likelihood`, line by line.
//!
//! # The batch
//!
//! Row losses are added by a balanced binary tree over the row's index whose nodes are aligned powers of two. A node is a sum
//! in `f64` and what its roundings lost, `(s, l) = (s_1, l_1) + (s_2, l_2)`: `s = s_1 + s_2`, `k = s - s_1`,
//! `l = ((s_1 - (s - k)) + (s_2 - k)) + (l_1 + l_2)`; the result is `s + l`, and over a denominator `d` it is `q + (fma(-q, d, s) + l) / d`
//! with `q = s / d`. So the sum and the mean of any number of rows are those of exact arithmetic on the row losses, rounded
//! once (but for errors of second order).
//!
//! # Exponential and logarithm
//!
//! Own polynomials: `exp(t, d)`, the exponential of the unrounded sum `t + d`, in `f32` (0.9 ulp) and in `f64`, `log` and
//! `log1p` in `f64` (below 1 ulp). Their coefficients and the order of their operations stand in the functions of the private
//! module `math`, which is straight arithmetic.

mod batch;
mod binary;
mod closed_form;
mod exponentials;
#[cfg(test)]
mod fingerprints;
mod general;
mod gradient;
mod group;
mod grouped;
pub(crate) mod halves;
mod hints;
mod lanes;
mod level;
mod likelihood;
mod math;
mod maximum;
mod memory;
mod penalized;
mod plan;
mod row;
mod rows;
pub mod slices;
mod split;
mod stats;
mod target;
mod task;
mod transposed;

use crate::check::Problem;
use crate::element::Element;
use crate::error::{Error, check_length};
use crate::parts::LossParts;

pub(crate) use batch::{AnyRows, Batch};
pub use lanes::Float;
pub use memory::GradientOf;
pub(crate) use memory::{Memory, Upstream};
pub use stats::RowStats;

use batch::Job;
use stats::Stats;

/// What the functions for the reduced loss return.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Loss {
    /// The mean or sum, as configured, in nats; not yet rounded to the type of the framework's scalar.
    pub value: f64,
    /// The same in parts that can be added up over batches.
    pub parts: LossParts,
}

/// The reduced loss.
///
/// # Errors
///
/// A wrong number of logits, and a mean over nothing if the configuration refuses it.
pub fn loss<T: Element, P: Element>(problem: &Problem<P>, logits: &[T]) -> Result<Loss, Error> {
    problem.check_mean()?;
    problem.shape().check_buffer("logits", logits.len())?;
    Ok(reduced(problem, Memory::Read(logits), Stats::None, T::Wide::from_f64(1.0)))
}

/// The reduced loss; `upstream * d loss / d logits` is written into `gradient`.
///
/// `G` is the type of the logits, or the wider type that they are computed in: then the one rounding to the logits'
/// type is left to the caller.
///
/// # Errors
///
/// Those of [`loss`], and a gradient buffer of another length. Nothing is written then.
pub fn loss_and_gradient<T, P, G>(
    problem: &Problem<P>,
    logits: &[T],
    upstream: T::Wide,
    gradient: &mut [G],
) -> Result<Loss, Error>
where
    T: Element,
    P: Element,
    G: GradientOf<T>,
{
    problem.check_mean()?;
    problem.shape().check_buffer("logits", logits.len())?;
    problem.shape().check_buffer("gradient", gradient.len())?;
    Ok(reduced(problem, G::memory(logits, gradient), Stats::None, upstream))
}

/// The reduced loss; `upstream * d loss / d logits` takes the place of the logits.
///
/// # Errors
///
/// Those of [`loss`]. The logits are still there then.
pub fn loss_and_gradient_in_place<T, P>(
    problem: &Problem<P>,
    logits: &mut [T],
    upstream: T::Wide,
) -> Result<Loss, Error>
where
    T: Element,
    P: Element,
{
    problem.check_mean()?;
    problem.shape().check_buffer("logits", logits.len())?;
    Ok(reduced(problem, Memory::InPlace(logits), Stats::None, upstream))
}

/// The reduced loss, and of each row what [`gradient_from_stats`] needs besides the logits: for a backward pass that
/// comes later, if at all, without a gradient kept in between.
///
/// # Errors
///
/// Those of [`loss`].
pub fn loss_and_stats<T, P>(
    problem: &Problem<P>,
    logits: &[T],
    stats: &mut Vec<RowStats<T::Wide>>,
) -> Result<Loss, Error>
where
    T: Element,
    P: Element,
{
    problem.check_mean()?;
    problem.shape().check_buffer("logits", logits.len())?;
    stats.clear();
    stats.resize(problem.shape().rows(), RowStats::default());
    Ok(reduced(problem, Memory::Read(logits), Stats::Keep(stats), T::Wide::from_f64(1.0)))
}

/// `upstream * d loss / d logits` of a batch whose rows were added up by [`loss_and_stats`]: the bits of
/// [`loss_and_gradient`], for less than its time.
///
/// # Errors
///
/// Those of [`loss_and_gradient`], and statistics of another number of rows or of more classes. Nothing is written then.
pub fn gradient_from_stats<T, P, G>(
    problem: &Problem<P>,
    logits: &[T],
    stats: &[RowStats<T::Wide>],
    upstream: T::Wide,
    gradient: &mut [G],
) -> Result<(), Error>
where
    T: Element,
    P: Element,
    G: GradientOf<T>,
{
    problem.check_mean()?;
    problem.shape().check_buffer("logits", logits.len())?;
    problem.shape().check_buffer("gradient", gradient.len())?;
    stats::check(stats, problem.shape())?;
    reduced(problem, G::memory(logits, gradient), Stats::Known(stats), upstream);
    Ok(())
}

/// Runs the batch; the gradient of a mean over nothing is 0, whatever its rows hold.
fn reduced<T: Element, P: Element>(
    problem: &Problem<P>,
    mut memory: Memory<'_, T>,
    stats: Stats<'_, T::Wide>,
    upstream: T::Wide,
) -> Loss {
    let upstream = Upstream::Loss(upstream);
    let parts = if let Some(divisor) = problem.gradient_divisor() {
        batch::run(problem, Job { memory, losses: None, stats, upstream, factor: 1.0 / divisor })
    } else {
        let logits = Memory::Read(memory.logits());
        let parts = batch::run(problem, Job { memory: logits, losses: None, stats, upstream, factor: 0.0 });
        memory.clear();
        parts
    };
    Loss { value: problem.reduce_carried(parts.carried_sum()), parts }
}

/// The unreduced losses: one per row, or for the binary family one per logit.
///
/// # Errors
///
/// A wrong number of logits or of losses.
pub fn row_losses<T: Element, P: Element>(
    problem: &Problem<P>,
    logits: &[T],
    losses: &mut [T::Wide],
) -> Result<LossParts, Error> {
    problem.shape().check_buffer("logits", logits.len())?;
    check_losses(problem, losses.len())?;
    let upstream = Upstream::Loss(T::Wide::from_f64(1.0));
    Ok(batch::run(
        problem,
        Job { memory: Memory::Read(logits), losses: Some(losses), stats: Stats::None, upstream, factor: 1.0 },
    ))
}

/// The unreduced losses; `d (sum upstream * losses) / d logits` is written into `gradient`, whose type is as for
/// [`loss_and_gradient`].
///
/// # Errors
///
/// Those of [`row_losses`], and a wrong number of upstream gradients or gradient buffer. Nothing is written then.
pub fn row_losses_and_gradient<T, P, G>(
    problem: &Problem<P>,
    logits: &[T],
    upstream: &[T::Wide],
    losses: &mut [T::Wide],
    gradient: &mut [G],
) -> Result<LossParts, Error>
where
    T: Element,
    P: Element,
    G: GradientOf<T>,
{
    problem.shape().check_buffer("logits", logits.len())?;
    problem.check_upstream(upstream.len())?;
    check_losses(problem, losses.len())?;
    problem.shape().check_buffer("gradient", gradient.len())?;
    let memory = G::memory(logits, gradient);
    let upstream = Upstream::Losses(upstream);
    Ok(batch::run(problem, Job { memory, losses: Some(losses), stats: Stats::None, upstream, factor: 1.0 }))
}

fn check_losses<P: Element>(problem: &Problem<P>, found: usize) -> Result<(), Error> {
    check_length("the row losses", found, problem.losses())
}

#[cfg(test)]
mod tests;
