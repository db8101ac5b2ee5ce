//! Where a task reads its logits and writes its gradient.

use super::hints;
use super::lanes::Float;
use crate::element::Element;

/// The caller's memory.
#[derive(Debug)]
pub enum Memory<'a, T: Element> {
    /// No gradient is asked for.
    Read(&'a [T]),
    /// The gradient goes elsewhere, in the type of the logits.
    Apart(&'a [T], &'a mut [T]),
    /// The gradient goes elsewhere, in the type that it is computed in.
    Wide(&'a [T], &'a mut [T::Wide]),
    /// The gradient takes the place of the logits.
    InPlace(&'a mut [T]),
}

impl<T: Element> Memory<'_, T> {
    /// The logits, as long as no gradient has taken their place.
    #[inline(always)]
    pub(super) fn logits(&self) -> &[T] {
        match self {
            Self::Read(logits) | Self::Apart(logits, _) | Self::Wide(logits, _) => logits,
            Self::InPlace(logits) => logits,
        }
    }

    /// Whether a gradient is asked for.
    #[inline(always)]
    pub(super) fn wants_gradient(&self) -> bool {
        !matches!(self, Self::Read(_))
    }

    /// The first `elements` of it, and the rest.
    pub(super) fn split(self, elements: usize) -> (Self, Self) {
        match self {
            Self::Read(logits) => {
                let (a, b) = logits.split_at(elements);
                (Self::Read(a), Self::Read(b))
            }
            Self::Apart(logits, gradient) => {
                let ((a, b), (c, d)) = (logits.split_at(elements), gradient.split_at_mut(elements));
                (Self::Apart(a, c), Self::Apart(b, d))
            }
            Self::Wide(logits, gradient) => {
                let ((a, b), (c, d)) = (logits.split_at(elements), gradient.split_at_mut(elements));
                (Self::Wide(a, c), Self::Wide(b, d))
            }
            Self::InPlace(logits) => {
                let (a, b) = logits.split_at_mut(elements);
                (Self::InPlace(a), Self::InPlace(b))
            }
        }
    }

    /// Makes the gradient 0.
    pub(super) fn clear(&mut self) {
        match self {
            Self::Read(_) => {}
            Self::Apart(_, gradient) | Self::InPlace(gradient) => gradient.fill(T::default()),
            Self::Wide(_, gradient) => gradient.fill(T::Wide::default()),
        }
    }

    /// Lets `write` have the gradient's memory, whatever its type.
    #[inline(always)]
    pub(super) fn write(&mut self, write: impl Write<T>) {
        match self {
            Self::Read(_) => {}
            Self::Apart(_, gradient) | Self::InPlace(gradient) => write.to(gradient),
            Self::Wide(_, gradient) => write.to(gradient),
        }
    }
}

/// A closure that writes to slices of any element type that a gradient may have.
pub(super) trait Write<T: Element> {
    /// Writes.
    fn to<G: Element<Wide = T::Wide>>(self, gradient: &mut [G]);
}

/// An element type that the gradient of logits of type `T` may have: `T` itself, or the type that it is computed in.
pub trait GradientOf<T: Element>: Element {
    /// Logits, and room for their gradient elsewhere, all of which will be written.
    fn memory<'a>(logits: &'a [T], gradient: &'a mut [Self]) -> Memory<'a, T>;
}

impl<T: Element> GradientOf<T> for T {
    fn memory<'a>(logits: &'a [T], gradient: &'a mut [T]) -> Memory<'a, T> {
        hints::expect_writes(gradient);
        Memory::Apart(logits, gradient)
    }
}

macro_rules! wide_gradient_of {
    ($($half:ty),*) => {$(
        impl GradientOf<$half> for f32 {
            fn memory<'a>(logits: &'a [$half], gradient: &'a mut [f32]) -> Memory<'a, $half> {
                hints::expect_writes(gradient);
                Memory::Wide(logits, gradient)
            }
        }
    )*};
}
wide_gradient_of!(half::f16, half::bf16);

/// The upstream gradient.
#[derive(Debug, Clone, Copy)]
pub enum Upstream<'a, W> {
    /// Of the reduced loss.
    Loss(W),
    /// Of each unreduced loss.
    Losses(&'a [W]),
}

impl<W: Float> Upstream<'_, W> {
    /// That of one unreduced loss.
    #[inline(always)]
    pub(super) fn at(&self, loss: usize) -> W {
        match self {
            Self::Loss(value) => *value,
            Self::Losses(values) => values[loss],
        }
    }
}
