//! Inputs that have no loss, one fault each, beside those of the vector files.

use label_smoothing_core::{
    ClassWeighting, Config, ConfigBuilder, Denominator, EmptyMean, ErrorKind, LossFamily, NonFiniteLogits, Reduction,
    Smoothing,
};

use crate::case::{Case, Check};
use crate::input::{CaseInput, Dense, TargetInput};

/// A name, the reason, and what makes a sound input wrong.
type Fault = (&'static str, ErrorKind, fn(Draft) -> Draft);

/// A sound input with its configuration in reach.
struct Draft {
    config: ConfigBuilder,
    input: CaseInput,
}

impl Draft {
    /// Three rows of four classes, in either family.
    fn sound(loss: LossFamily) -> Self {
        let config = match loss {
            LossFamily::CrossEntropy => Config::cross_entropy().smoothing(Smoothing::Uniform { epsilon: 0.125 }),
            LossFamily::BinaryCrossEntropy => Config::binary_cross_entropy(),
        };
        let values = [0.5, -1.0, 2.0, 0.25, 1.5, 0.0, -0.5, 3.0, -2.0, 1.0, 0.75, -1.25];
        let targets = TargetInput::Indices(Dense::new([3], [2, 0, 3]));
        Self { config: config.clone(), input: CaseInput::new(loss, config, Dense::new([3, 4], values), targets) }
    }

    fn config(mut self, change: impl FnOnce(ConfigBuilder) -> ConfigBuilder) -> Self {
        self.config = change(self.config);
        self
    }

    fn smoothing(self, smoothing: Smoothing) -> Self {
        self.config(|config| config.smoothing(smoothing))
    }

    fn input(mut self, change: impl FnOnce(&mut CaseInput)) -> Self {
        change(&mut self.input);
        self
    }

    fn targets(self, targets: TargetInput) -> Self {
        self.input(|input| input.targets = targets)
    }

    fn indices(self, shape: &[usize], classes: &[i64]) -> Self {
        self.targets(TargetInput::Indices(Dense::new(shape, classes)))
    }

    /// A quarter everywhere, with one entry replaced.
    fn probabilities(self, entry: f64) -> Self {
        let mut values = vec![0.25; 12];
        values[6] = entry;
        self.targets(TargetInput::Probabilities(Dense::new([3, 4], values)))
    }

    fn mixed(self, second: i64, lambda: f64) -> Self {
        self.targets(TargetInput::Mixed {
            first: Dense::new([3], [2, 0, 3]),
            second: Dense::new([3], [1, 1, second]),
            lambda: Dense::new([3], [1.0, 0.5, lambda]),
        })
    }

    fn mask(self, shape: &[usize], len: usize) -> Self {
        self.input(|input| input.row_mask = Some(Dense::new(shape, vec![true; len])))
    }

    fn row_weights(self, shape: &[usize], weights: &[f64]) -> Self {
        self.input(|input| input.row_weights = Some(Dense::new(shape, weights)))
    }

    fn upstream(self, row_losses: bool, len: usize) -> Self {
        self.input(|input| (input.row_losses, input.upstream) = (row_losses, Some(vec![1.0; len])))
    }
}

/// Every refusal.
pub(crate) fn cases() -> Vec<Case> {
    let families = [
        ("cross-entropy", LossFamily::CrossEntropy, &[CONFIGURATIONS, TARGETS, ROWS, SOFTMAX][..]),
        ("binary", LossFamily::BinaryCrossEntropy, &[CONFIGURATIONS, TARGETS, ROWS, BINARY][..]),
    ];
    let mut cases = Vec::new();
    for (family, loss, lists) in families {
        for (name, reason, fault) in lists.iter().copied().flatten() {
            let Draft { config, mut input } = fault(Draft::sound(loss));
            input.config = config;
            let id = format!("refusal/{family}/{name}");
            cases.push(Case { id, flags: Vec::new(), check: Check::Refusal { input, reason: *reason } });
        }
    }
    cases
}

/// Faults of the configuration that both families share.
const CONFIGURATIONS: &[Fault] = &[
    ("rate-below-0", ErrorKind::InvalidSmoothing, |d| d.smoothing(Smoothing::Uniform { epsilon: -f64::MIN_POSITIVE })),
    ("rate-above-1", ErrorKind::InvalidSmoothing, |d| d.smoothing(Smoothing::Uniform { epsilon: 1.0 + f64::EPSILON })),
    ("rate-nan", ErrorKind::InvalidSmoothing, |d| d.smoothing(Smoothing::Uniform { epsilon: f64::NAN })),
    ("rate-infinite", ErrorKind::InvalidSmoothing, |d| d.smoothing(Smoothing::Uniform { epsilon: f64::INFINITY })),
    ("distribution-nan", ErrorKind::InvalidSmoothing, |d| {
        d.smoothing(Smoothing::Distribution { epsilon: 0.5, distribution: vec![0.5, f64::NAN, 0.25, 0.25] })
    }),
    ("distribution-too-long", ErrorKind::InvalidSmoothing, |d| {
        d.smoothing(Smoothing::Distribution { epsilon: 0.5, distribution: vec![0.2; 5] })
    }),
    ("distribution-sum-off-by-2e-6", ErrorKind::InvalidSmoothing, |d| {
        d.smoothing(Smoothing::Distribution { epsilon: 0.5, distribution: vec![0.25, 0.25, 0.25, 0.250_002] })
    }),
    ("class-weight-infinite", ErrorKind::InvalidClassWeights, |d| {
        d.config(|config| config.class_weights([1.0, 1.0, f64::INFINITY, 1.0]))
    }),
    ("class-weights-too-many", ErrorKind::ClassWeightCount, |d| d.config(|config| config.class_weights([1.0; 5]))),
    ("no-class-weights-at-all", ErrorKind::ClassWeightCount, |d| d.config(|config| config.class_weights([]))),
    ("constant-negative", ErrorKind::InvalidConfiguration, |d| {
        d.config(|config| config.denominator(Denominator::Constant(-1.0)))
    }),
    ("constant-nan", ErrorKind::InvalidConfiguration, |d| {
        d.config(|config| config.denominator(Denominator::Constant(f64::NAN)))
    }),
    ("constant-infinite", ErrorKind::InvalidConfiguration, |d| {
        d.config(|config| config.denominator(Denominator::Constant(f64::INFINITY)))
    }),
    ("excluded-class-out-of-range", ErrorKind::InvalidConfiguration, |d| {
        d.smoothing(Smoothing::Uniform { epsilon: 0.5 }).config(|config| config.excluded_classes([4]))
    }),
    ("excluded-classes-without-smoothing", ErrorKind::InvalidConfiguration, |d| {
        d.smoothing(Smoothing::None).config(|config| config.excluded_classes([1]))
    }),
    ("excluded-classes-with-a-distribution", ErrorKind::InvalidConfiguration, |d| {
        d.smoothing(Smoothing::Distribution { epsilon: 0.5, distribution: vec![0.25; 4] })
            .config(|config| config.excluded_classes([1]))
    }),
    ("class-axis-beyond-the-rank", ErrorKind::LogitsRank, |d| d.config(|config| config.class_axis(2))),
    ("constant-0-is-an-empty-mean", ErrorKind::EmptyMean, |d| {
        d.config(|config| config.denominator(Denominator::Constant(0.0)).empty_mean(EmptyMean::Error))
    }),
    ("weights-of-0-are-an-empty-mean", ErrorKind::EmptyMean, |d| {
        d.config(|config| config.class_weights([0.0; 4]).empty_mean(EmptyMean::Error))
    }),
];

/// Faults of the targets that both families share.
const TARGETS: &[Fault] = &[
    ("target-is-the-class-count", ErrorKind::TargetOutOfRange, |d| d.indices(&[3], &[2, 4, 0])),
    ("target-negative", ErrorKind::TargetOutOfRange, |d| d.indices(&[3], &[2, 0, -1])),
    ("target-beyond-32-bits", ErrorKind::TargetOutOfRange, |d| d.indices(&[3], &[1 << 32, 0, 1])),
    ("target-smallest", ErrorKind::TargetOutOfRange, |d| d.indices(&[3], &[0, i64::MIN, 1])),
    ("target-of-another-ignored-id", ErrorKind::TargetOutOfRange, |d| {
        d.indices(&[3], &[-100, -1, 0]).config(|config| config.ignore_index([-100]))
    }),
    ("targets-too-many", ErrorKind::TargetShape, |d| d.indices(&[4], &[2, 0, 3, 1])),
    ("targets-of-higher-rank", ErrorKind::TargetShape, |d| d.indices(&[3, 1], &[2, 0, 3])),
    ("targets-in-the-shape-of-the-logits", ErrorKind::TargetShape, |d| d.indices(&[3, 4], &[1; 12])),
    ("probability-negative", ErrorKind::InvalidTargets, |d| d.probabilities(-0.125)),
    ("probability-nan", ErrorKind::InvalidTargets, |d| d.probabilities(f64::NAN)),
    ("probability-infinite", ErrorKind::InvalidTargets, |d| d.probabilities(f64::INFINITY)),
    ("probabilities-transposed", ErrorKind::TargetShape, |d| {
        d.targets(TargetInput::Probabilities(Dense::new([4, 3], [0.25; 12])))
    }),
    ("probabilities-with-an-ignored-id", ErrorKind::InvalidConfiguration, |d| {
        d.probabilities(0.25).config(|config| config.ignore_index([-100]))
    }),
    ("mixed-with-an-ignored-id", ErrorKind::InvalidConfiguration, |d| {
        d.mixed(2, 0.5).config(|config| config.ignore_index([-100]))
    }),
    ("mixed-second-out-of-range", ErrorKind::TargetOutOfRange, |d| d.mixed(4, 0.5)),
    ("lambda-below-0", ErrorKind::InvalidTargets, |d| d.mixed(2, -0.0625)),
    ("lambda-above-1", ErrorKind::InvalidTargets, |d| d.mixed(2, 1.5)),
    ("lambda-nan", ErrorKind::InvalidTargets, |d| d.mixed(2, f64::NAN)),
    ("lambda-too-short", ErrorKind::TargetShape, |d| {
        d.targets(TargetInput::Mixed {
            first: Dense::new([3], [2, 0, 3]),
            second: Dense::new([3], [1, 1, 0]),
            lambda: Dense::new([2], [0.5, 0.5]),
        })
    }),
    ("second-too-long", ErrorKind::TargetShape, |d| {
        d.targets(TargetInput::Mixed {
            first: Dense::new([3], [2, 0, 3]),
            second: Dense::new([4], [1, 1, 0, 0]),
            lambda: Dense::new([3], [0.5; 3]),
        })
    }),
];

/// Faults of what goes with the rows.
const ROWS: &[Fault] = &[
    ("mask-too-long", ErrorKind::MaskShape, |d| d.mask(&[4], 4)),
    ("mask-of-higher-rank", ErrorKind::MaskShape, |d| d.mask(&[3, 1], 3)),
    ("mask-in-the-shape-of-the-logits", ErrorKind::MaskShape, |d| d.mask(&[3, 4], 12)),
    ("row-weight-negative", ErrorKind::InvalidRowWeights, |d| d.row_weights(&[3], &[1.0, -0.5, 1.0])),
    ("row-weight-nan", ErrorKind::InvalidRowWeights, |d| d.row_weights(&[3], &[1.0, 1.0, f64::NAN])),
    ("row-weight-infinite", ErrorKind::InvalidRowWeights, |d| d.row_weights(&[3], &[f64::INFINITY, 1.0, 1.0])),
    ("row-weights-too-few", ErrorKind::InvalidRowWeights, |d| d.row_weights(&[2], &[1.0, 1.0])),
    ("row-weights-one-for-all", ErrorKind::InvalidRowWeights, |d| d.row_weights(&[1], &[1.0])),
    ("upstream-none-for-one", ErrorKind::UpstreamShape, |d| d.upstream(false, 0)),
    ("upstream-per-row-for-one", ErrorKind::UpstreamShape, |d| d.upstream(false, 3)),
    ("upstream-one-for-rows", ErrorKind::UpstreamShape, |d| d.upstream(true, 1)),
    ("upstream-one-too-many", ErrorKind::UpstreamShape, |d| d.upstream(true, 13)),
    ("row-weights-of-0-are-an-empty-mean", ErrorKind::EmptyMean, |d| {
        d.row_weights(&[3], &[0.0; 3]).config(|config| config.empty_mean(EmptyMean::Error))
    }),
];

/// Faults that only the softmax family has.
const SOFTMAX: &[Fault] = &[
    ("z-loss-negative", ErrorKind::InvalidConfiguration, |d| d.config(|config| config.z_loss(-1e-4))),
    ("z-loss-nan", ErrorKind::InvalidConfiguration, |d| d.config(|config| config.z_loss(f64::NAN))),
    ("uniform-half", ErrorKind::InvalidConfiguration, |d| d.smoothing(Smoothing::UniformHalf { epsilon: 0.5 })),
    ("uniform-flip", ErrorKind::InvalidConfiguration, |d| d.smoothing(Smoothing::UniformFlip { epsilon: 0.5 })),
    ("positives-only", ErrorKind::InvalidConfiguration, |d| d.smoothing(Smoothing::PositivesOnly { epsilon: 0.5 })),
    ("rates-too-few", ErrorKind::InvalidSmoothing, |d| {
        d.smoothing(Smoothing::UniformPerClass { epsilons: vec![0.5; 3] })
    }),
    ("rate-of-a-class-nan", ErrorKind::InvalidSmoothing, |d| {
        d.smoothing(Smoothing::UniformPerClass { epsilons: vec![0.5, f64::NAN, 0.5, 0.5] })
    }),
    ("rows-too-few", ErrorKind::InvalidSmoothing, |d| {
        d.smoothing(Smoothing::ClassRows { epsilon: 0.5, rows: vec![vec![0.25; 4]; 3] })
    }),
    ("row-too-short", ErrorKind::InvalidSmoothing, |d| {
        let rows = vec![vec![0.25; 4], vec![0.25; 4], vec![0.5; 2], vec![0.25; 4]];
        d.smoothing(Smoothing::ClassRows { epsilon: 0.5, rows })
    }),
    ("per-class-rates-with-probabilities", ErrorKind::InvalidConfiguration, |d| {
        d.probabilities(0.25).smoothing(Smoothing::UniformPerClass { epsilons: vec![0.5; 4] })
    }),
    ("class-rows-with-mixed", ErrorKind::InvalidConfiguration, |d| {
        d.mixed(2, 0.5).smoothing(Smoothing::ClassRows { epsilon: 0.5, rows: vec![vec![0.25; 4]; 4] })
    }),
    ("by-target-with-mixed", ErrorKind::InvalidConfiguration, |d| {
        d.mixed(2, 0.5).config(|config| config.class_weighting(ClassWeighting::ByTarget))
    }),
];

/// Faults that only the binary family has.
const BINARY: &[Fault] = &[
    ("probability-above-1", ErrorKind::InvalidTargets, |d| d.probabilities(1.5)),
    ("uniform-others", ErrorKind::InvalidConfiguration, |d| d.smoothing(Smoothing::UniformOthers { epsilon: 0.5 })),
    ("class-rows", ErrorKind::InvalidConfiguration, |d| {
        d.smoothing(Smoothing::ClassRows { epsilon: 0.5, rows: vec![vec![0.25; 4]; 4] })
    }),
    ("uniform-per-class", ErrorKind::InvalidConfiguration, |d| {
        d.smoothing(Smoothing::UniformPerClass { epsilons: vec![0.5; 4] })
    }),
    ("by-target", ErrorKind::InvalidConfiguration, |d| {
        d.config(|config| config.class_weighting(ClassWeighting::ByTarget))
    }),
    ("expected", ErrorKind::InvalidConfiguration, |d| {
        d.config(|config| config.class_weighting(ClassWeighting::Expected))
    }),
    ("z-loss", ErrorKind::InvalidConfiguration, |d| d.config(|config| config.z_loss(1e-4))),
    ("restrict-support", ErrorKind::InvalidConfiguration, |d| {
        d.config(|config| config.non_finite_logits(NonFiniteLogits::RestrictSupport))
    }),
    ("upstream-per-row-for-elements", ErrorKind::UpstreamShape, |d| d.upstream(true, 3)),
    ("sum-still-checks-the-rate", ErrorKind::InvalidSmoothing, |d| {
        d.smoothing(Smoothing::UniformHalf { epsilon: 2.0 }).config(|config| config.reduction(Reduction::Sum))
    }),
];
