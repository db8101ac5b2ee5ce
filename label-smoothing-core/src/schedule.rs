//! Rates that change from step to step.

use crate::config::Smoothing;
use crate::error::Error;

/// A factor between 0 and 1 for each step of a training, and so the [`Smoothing`] of that step.
///
/// [`Schedule::smoothing`] multiplies every rate of a smoothing by the step's factor: with a rate of 1 the factor is the rate
/// itself, with one rate per class each keeps its proportion. A factor of 0 gives [`Smoothing::None`].
///
/// | piece | factor at step `s` of `n` |
/// |---|---|
/// | [`constant`](Schedule::constant) | `f` |
/// | [`linear`](Schedule::linear) | `from + (to - from) s / n` |
/// | [`cosine`](Schedule::cosine) | `to + (from - to) (1 + cos(pi s / n)) / 2` (Loshchilov and Hutter 2017, arXiv 1608.03983) |
/// | [`warm_up`](Schedule::warm_up) | `s / n`, then 1 |
/// | [`off_from`](Schedule::off_from) | that of another schedule before a step, 0 from it on |
///
/// Pieces follow each other by [`Schedule::then`]; after the last, its final factor stays. Steps count from 0 and mean what
/// the caller counts: batches, epochs, updates. Nothing is kept between steps, so a training may be taken up anywhere.
///
/// * **Typical**: constant; a warm-up over the first tenth; off for the last tenth, for a model that ends calibrated to the
///   hard labels.
/// * **When not**: with a rate of 0.1 from start to end nothing is to be scheduled. A loss whose smoothing changes cannot be
///   compared from step to step: watch the plain NLL of [`LossParts`](crate::LossParts).
///
/// ```
/// use label_smoothing_core::{Schedule, Smoothing};
///
/// let schedule = Schedule::warm_up(100)?.then(Schedule::cosine(1.0, 0.5, 800)?).off_from(900);
/// let peak = Smoothing::Uniform { epsilon: 0.2 };
/// assert_eq!(schedule.smoothing(50, &peak), Smoothing::Uniform { epsilon: 0.1 });
/// assert_eq!(schedule.smoothing(100, &peak), peak);
/// assert_eq!(schedule.factor(500), 0.75);
/// assert_eq!(schedule.smoothing(900, &peak), Smoothing::None);
/// # Ok::<(), label_smoothing_core::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(try_from = "Unchecked"))]
pub struct Schedule {
    /// At least one.
    pieces: Vec<Piece>,
    /// The step from which on the factor is 0.
    off_from: Option<u64>,
}

/// A schedule as it is read.
#[cfg(feature = "serde")]
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Unchecked {
    pieces: Vec<Piece>,
    #[serde(default)]
    off_from: Option<u64>,
}

#[cfg(feature = "serde")]
impl TryFrom<Unchecked> for Schedule {
    type Error = Error;

    fn try_from(read: Unchecked) -> Result<Self, Error> {
        if read.pieces.is_empty() {
            return Err(refuse("the number of pieces", 0.0, "must be at least 1"));
        }
        read.pieces.iter().try_for_each(Piece::check)?;
        Ok(Self { pieces: read.pieces, off_from: read.off_from })
    }
}

/// One stretch of a schedule.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
struct Piece {
    shape: Shape,
    from: f64,
    to: f64,
    /// None: without end.
    steps: Option<u64>,
}

/// The way from one factor to the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
enum Shape {
    Linear,
    Cosine,
}

impl Schedule {
    /// The same factor at every step, without end: nothing follows it.
    ///
    /// # Errors
    ///
    /// A factor that is not between 0 and 1.
    pub fn constant(factor: f64) -> Result<Self, Error> {
        Self::of(Piece { shape: Shape::Linear, from: factor, to: factor, steps: None })
    }

    /// The same factor for some steps.
    ///
    /// # Errors
    ///
    /// A factor that is not between 0 and 1; no step.
    pub fn hold(factor: f64, steps: u64) -> Result<Self, Error> {
        Self::linear(factor, factor, steps)
    }

    /// A straight line, which reaches `to` after `steps` steps.
    ///
    /// # Errors
    ///
    /// A factor that is not between 0 and 1; no step.
    pub fn linear(from: f64, to: f64, steps: u64) -> Result<Self, Error> {
        Self::of(Piece { shape: Shape::Linear, from, to, steps: Some(steps) })
    }

    /// Half a cosine, which reaches `to` after `steps` steps and is level at both ends.
    ///
    /// # Errors
    ///
    /// A factor that is not between 0 and 1; no step.
    pub fn cosine(from: f64, to: f64, steps: u64) -> Result<Self, Error> {
        Self::of(Piece { shape: Shape::Cosine, from, to, steps: Some(steps) })
    }

    /// A straight line from 0, which reaches 1 after `steps` steps.
    ///
    /// # Errors
    ///
    /// No step.
    pub fn warm_up(steps: u64) -> Result<Self, Error> {
        Self::linear(0.0, 1.0, steps)
    }

    /// This schedule, and from its end on the other one, whose steps count from there. After one without end, or one that is
    /// switched off, nothing comes.
    #[must_use]
    pub fn then(mut self, next: Self) -> Self {
        let Some(length) = self.length().filter(|_| self.off_from.is_none()) else { return self };
        self.pieces.extend(next.pieces);
        self.off_from = next.off_from.map(|step| length.saturating_add(step));
        self
    }

    /// This schedule before a step, and a factor of 0 from that step on: the smoothing is switched off at the end.
    #[must_use]
    pub fn off_from(mut self, step: u64) -> Self {
        self.off_from = Some(self.off_from.map_or(step, |before| before.min(step)));
        self
    }

    /// The factor of a step.
    #[must_use]
    pub fn factor(&self, step: u64) -> f64 {
        if self.off_from.is_some_and(|off| step >= off) {
            return 0.0;
        }
        let mut left = step;
        for piece in &self.pieces {
            match piece.steps {
                Some(steps) if left >= steps => left -= steps,
                _ => return piece.factor(left),
            }
        }
        self.pieces.last().map_or(0.0, |piece| piece.to)
    }

    fn of(piece: Piece) -> Result<Self, Error> {
        piece.check()?;
        Ok(Self { pieces: vec![piece], off_from: None })
    }

    /// How many steps the pieces have; none without end.
    fn length(&self) -> Option<u64> {
        self.pieces.iter().try_fold(0_u64, |length, piece| Some(length.saturating_add(piece.steps?)))
    }

    /// A smoothing at a step: each of its rates times the step's factor, none at a factor of 0.
    #[must_use]
    pub fn smoothing(&self, step: u64, smoothing: &Smoothing) -> Smoothing {
        smoothing.scaled(&mut std::iter::repeat(self.factor(step)))
    }
}

impl Piece {
    fn check(&self) -> Result<(), Error> {
        for (name, factor) in [("the factor at the start", self.from), ("the factor at the end", self.to)] {
            if !(0.0..=1.0).contains(&factor) {
                return Err(refuse(name, factor, "must be between 0 and 1"));
            }
        }
        match self.steps {
            Some(0) => Err(refuse("the number of steps", 0.0, "must be at least 1")),
            _ => Ok(()),
        }
    }

    /// The factor `step` steps into the piece, which is not beyond its end.
    fn factor(&self, step: u64) -> f64 {
        let Some(steps) = self.steps else { return self.from };
        let part = step as f64 / steps as f64;
        let (from, to) = (self.from, self.to);
        match self.shape {
            Shape::Linear => from + (to - from) * part,
            Shape::Cosine => to + (from - to) * (0.5 * (1.0 + libm::cos(std::f64::consts::PI * part))),
        }
        .clamp(from.min(to), from.max(to))
    }
}

fn refuse(name: &str, value: f64, range: &'static str) -> Error {
    Error::Parameter { name: name.to_owned(), value, range }
}

/// [`Smoothing::UniformPerClass`] at a step, with a schedule for each class whose factors are the rates themselves; none
/// where all are 0.
///
/// ```
/// use label_smoothing_core::{Schedule, Smoothing, per_class_smoothing};
///
/// let schedules = [Schedule::constant(0.1)?, Schedule::linear(0.0, 0.2, 10)?];
/// assert_eq!(per_class_smoothing(&schedules, 5), Smoothing::UniformPerClass { epsilons: vec![0.1, 0.1] });
/// # Ok::<(), label_smoothing_core::Error>(())
/// ```
#[must_use]
pub fn per_class_smoothing(schedules: &[Schedule], step: u64) -> Smoothing {
    let ones = Smoothing::UniformPerClass { epsilons: vec![1.0; schedules.len()] };
    ones.scaled(&mut schedules.iter().map(|schedule| schedule.factor(step)))
}
