//! What can be wrong with a configuration or an input, in the same words for every framework.

use std::fmt;
use std::str::FromStr;

/// An error that can say what kind of mistake it reports.
///
/// Every adapter has an error type of its own, because every framework has; all of them answer [`LossError::kind`].
pub trait LossError: std::error::Error {
    /// The reason, from the shared vocabulary.
    fn kind(&self) -> ErrorKind;
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)*) => {
        /// The reasons for a refusal. [`ErrorKind::name`] is the word that vector files and the command use.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum ErrorKind { $($(#[$doc])* $variant,)* }

        impl ErrorKind {
            /// Every reason there is.
            pub const ALL: &'static [ErrorKind] = &[$(ErrorKind::$variant,)*];

            /// The reason as vector files write it, such as `target-out-of-range`.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(ErrorKind::$variant => $name,)* }
            }
        }
    };
}

kinds! {
    /// A rate outside 0 to 1 or NaN; a smoothing distribution of the wrong length, entries or sum; too few classes.
    InvalidSmoothing = "invalid-smoothing",
    /// A class weight that is negative or not finite.
    InvalidClassWeights = "invalid-class-weights",
    /// Not one class weight per class.
    ClassWeightCount = "class-weight-count",
    /// The class axis of the logits has length 0.
    NoClasses = "no-classes",
    /// A target index that is no class and no ignored id.
    TargetOutOfRange = "target-out-of-range",
    /// A target probability, mixing factor or value outside its range.
    InvalidTargets = "invalid-targets",
    /// Targets whose shape does not fit the logits.
    TargetShape = "target-shape",
    /// A row mask whose shape does not fit the logits.
    MaskShape = "mask-shape",
    /// Not one upstream gradient per output.
    UpstreamShape = "upstream-shape",
    /// Row weights that are negative, not finite, or not one per row.
    InvalidRowWeights = "invalid-row-weights",
    /// Logits of rank 0, or without the class axis asked for.
    LogitsRank = "logits-rank",
    /// An element type that the adapter does not take.
    UnsupportedDtype = "unsupported-dtype",
    /// A mean over nothing where the configuration says that this is an error.
    EmptyMean = "empty-mean",
    /// Options that have no meaning together, or a parameter outside its range.
    InvalidConfiguration = "invalid-configuration",
    /// A buffer whose length is not the product of its shape.
    BufferLength = "buffer-length",
    /// Predictions that a calibration measure is not defined for, or a number of bins or a temperature that is none.
    InvalidPredictions = "invalid-predictions",
    /// The framework itself refused; its error is the source.
    Framework = "framework",
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for ErrorKind {
    type Err = UnknownErrorKind;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let known = Self::ALL.iter().find(|kind| kind.name() == name);
        known.copied().ok_or_else(|| UnknownErrorKind(name.to_owned()))
    }
}

/// A word that is no [`ErrorKind::name`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no reason for a refusal")]
pub struct UnknownErrorKind(String);

/// A configuration or an input that has no loss; the message names the value, its place and the allowed range.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A smoothing rate outside 0 to 1, or NaN.
    #[error("{name} is {value}, but a smoothing rate lies between 0 and 1")]
    Rate {
        /// Which rate: `epsilon`, or `epsilons[3]`.
        name: String,
        /// The value given.
        value: f64,
    },
    /// The rate of a kind of smoothing that is not bounded below, outside its range.
    #[error("{name} is {value}, but {range}")]
    UnboundedRate {
        /// Which rate.
        name: &'static str,
        /// The value given.
        value: f64,
        /// The range in words.
        range: &'static str,
    },
    /// A smoothing distribution, or a table of rates or rows, with another length than the number of classes.
    #[error("{name} has {found} entries, but the logits have {classes} classes")]
    SmoothingLength {
        /// Which list.
        name: String,
        /// How many entries it has.
        found: usize,
        /// How many it needs.
        classes: usize,
    },
    /// A probability of a smoothing distribution that is negative or not finite.
    #[error("{name}[{class}] is {value}, but a probability is finite and not negative")]
    SmoothingEntry {
        /// Which distribution.
        name: String,
        /// The class.
        class: usize,
        /// The value given.
        value: f64,
    },
    /// A smoothing distribution that does not sum to 1.
    #[error("{name} sums to {sum}, but a distribution sums to 1 within 1e-6")]
    SmoothingSum {
        /// Which distribution.
        name: String,
        /// Its sum.
        sum: f64,
    },
    /// `uniform_others` needs another class to give mass to.
    #[error("uniform_others shares the rate out over the other classes, but the logits have {classes} class")]
    NoOtherClass {
        /// The number of classes.
        classes: usize,
    },
    /// A class weight that is negative or not finite.
    #[error("class_weights[{class}] is {value}, but a class weight is finite and not negative")]
    ClassWeight {
        /// The class.
        class: usize,
        /// The value given.
        value: f64,
    },
    /// Not one class weight per class.
    #[error("there are {found} class weights, but the logits have {classes} classes")]
    ClassWeightCount {
        /// How many there are.
        found: usize,
        /// How many are needed.
        classes: usize,
    },
    /// The class axis has length 0.
    #[error("the logits of shape {shape:?} have no class on axis {axis}")]
    NoClasses {
        /// The shape of the logits.
        shape: Vec<usize>,
        /// The class axis.
        axis: usize,
    },
    /// A target index that is no class and no ignored id.
    #[error("the target of row {row} is {value}, but the classes are 0 to {}{}", classes - 1, ignored_ids(ignored))]
    TargetOutOfRange {
        /// The row, counted over the logits' shape without the class axis, the last axis fastest.
        row: usize,
        /// The value given.
        value: i64,
        /// The number of classes.
        classes: usize,
        /// The ids that would have been ignored.
        ignored: Vec<i64>,
    },
    /// A target probability outside its range.
    #[error("the target probability of row {row}, class {class} is {value}, but it must be {range}")]
    Probability {
        /// The row.
        row: usize,
        /// The class.
        class: usize,
        /// The value given.
        value: f64,
        /// The range in words.
        range: &'static str,
    },
    /// A mixing factor outside 0 to 1.
    #[error("lambda of row {row} is {value}, but a mixing factor lies between 0 and 1")]
    Lambda {
        /// The row.
        row: usize,
        /// The value given.
        value: f64,
    },
    /// Targets of the wrong shape.
    #[error("{name} has shape {found:?}, but logits of shape {logits:?} with classes on axis {axis} need {expected:?}")]
    TargetShape {
        /// Which array: `targets`, `lambda`.
        name: &'static str,
        /// Its shape.
        found: Vec<usize>,
        /// The shape it needs.
        expected: Vec<usize>,
        /// The shape of the logits.
        logits: Vec<usize>,
        /// The class axis.
        axis: usize,
    },
    /// A row mask of the wrong shape.
    #[error("the row mask has shape {found:?}, but the logits have rows of shape {expected:?}")]
    MaskShape {
        /// Its shape.
        found: Vec<usize>,
        /// The shape it needs.
        expected: Vec<usize>,
    },
    /// Row weights of the wrong shape.
    #[error("the row weights have shape {found:?}, but the logits have rows of shape {expected:?}")]
    RowWeightShape {
        /// Their shape.
        found: Vec<usize>,
        /// The shape they need.
        expected: Vec<usize>,
    },
    /// A row weight that is negative or not finite.
    #[error("the weight of row {row} is {value}, but a row weight is finite and not negative")]
    RowWeight {
        /// The row.
        row: usize,
        /// The value given.
        value: f64,
    },
    /// Not one upstream gradient per output.
    #[error("there are {found} upstream gradients, but the loss has {expected} values")]
    UpstreamShape {
        /// How many there are.
        found: usize,
        /// How many are needed.
        expected: usize,
    },
    /// Logits that do not have the class axis.
    #[error("logits of rank {rank} have no class axis {}", axis.map_or_else(|| "at all".to_owned(), |axis| axis.to_string()))]
    ClassAxis {
        /// The rank of the logits.
        rank: usize,
        /// The axis asked for; none means the last.
        axis: Option<usize>,
    },
    /// An element type that is not taken.
    #[error("{name} are {found}, but must be {supported}")]
    Dtype {
        /// Which tensor: `logits`, `targets`.
        name: &'static str,
        /// Its element type.
        found: String,
        /// The element types that are taken, in words.
        supported: &'static str,
    },
    /// A mean over nothing, refused because `empty_mean` is `error`.
    #[error("the mean is over nothing: its denominator ({denominator}) is 0, and empty_mean is error")]
    EmptyMean {
        /// Which denominator.
        denominator: &'static str,
    },
    /// Options that have no meaning together.
    #[error("{0}")]
    Configuration(String),
    /// A parameter of a target builder, a schedule or a loss on pairs that is outside its range.
    #[error("{name} is {value}, but {range}")]
    Parameter {
        /// Which parameter: `temperature`, `counts[3]`.
        name: String,
        /// The value given.
        value: f64,
        /// The range in words: `must be finite and above 0`.
        range: &'static str,
    },
    /// A value that the bins of a [`ValueSupport`](crate::soft_targets::ValueSupport) do not hold.
    #[error("the value of row {row} is {value}, but the support goes from {lowest} to {highest}")]
    ValueOutsideSupport {
        /// The row.
        row: usize,
        /// The value given.
        value: f64,
        /// The smallest value that is taken.
        lowest: f64,
        /// The largest value that is taken.
        highest: f64,
    },
    /// A buffer whose length is not the product of its shape.
    #[error("{found} elements in {name}, but {expected} are needed")]
    BufferLength {
        /// Which buffer: `logits`, `gradient`, `row losses`.
        name: &'static str,
        /// Its length.
        found: usize,
        /// The length it needs; `usize::MAX` where the product of the shape overflows.
        expected: usize,
    },
    /// Something in or about predictions that is outside its range.
    #[error("{name} is {value}, but must be {range}")]
    Prediction {
        /// What it is: `the confidence of row 3`.
        name: String,
        /// The value given.
        value: f64,
        /// The range in words.
        range: &'static str,
    },
}

/// Refuses a buffer that has not as many elements as are needed.
pub(crate) fn check_length(name: &'static str, found: usize, expected: usize) -> Result<(), Error> {
    if found == expected { Ok(()) } else { Err(Error::BufferLength { name, found, expected }) }
}

fn ignored_ids(ignored: &[i64]) -> String {
    match ignored {
        [] => String::new(),
        [id] => format!(", and {id} is ignored"),
        ids => format!(", and {ids:?} are ignored"),
    }
}

impl LossError for Error {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Rate { .. }
            | Self::UnboundedRate { .. }
            | Self::SmoothingLength { .. }
            | Self::SmoothingEntry { .. }
            | Self::SmoothingSum { .. }
            | Self::NoOtherClass { .. } => ErrorKind::InvalidSmoothing,
            Self::ClassWeight { .. } => ErrorKind::InvalidClassWeights,
            Self::ClassWeightCount { .. } => ErrorKind::ClassWeightCount,
            Self::NoClasses { .. } => ErrorKind::NoClasses,
            Self::TargetOutOfRange { .. } => ErrorKind::TargetOutOfRange,
            Self::Probability { .. } | Self::Lambda { .. } | Self::ValueOutsideSupport { .. } => {
                ErrorKind::InvalidTargets
            }
            Self::TargetShape { .. } => ErrorKind::TargetShape,
            Self::MaskShape { .. } => ErrorKind::MaskShape,
            Self::RowWeightShape { .. } | Self::RowWeight { .. } => ErrorKind::InvalidRowWeights,
            Self::UpstreamShape { .. } => ErrorKind::UpstreamShape,
            Self::ClassAxis { .. } => ErrorKind::LogitsRank,
            Self::Dtype { .. } => ErrorKind::UnsupportedDtype,
            Self::EmptyMean { .. } => ErrorKind::EmptyMean,
            Self::Configuration(_) | Self::Parameter { .. } => ErrorKind::InvalidConfiguration,
            Self::BufferLength { .. } => ErrorKind::BufferLength,
            Self::Prediction { .. } => ErrorKind::InvalidPredictions,
        }
    }
}

impl Error {
    /// The reason, from the shared vocabulary; the same as [`LossError::kind`] without the trait in scope.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        LossError::kind(self)
    }
}
