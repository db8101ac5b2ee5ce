//! The cases: a configuration, a kind of target, a kind of logits. Every number in them is an integer over a power of two,
//! or one division of integers.

use label_smoothing_core::{
    Array, ClassWeighting, Config, ConfigBuilder, Denominator, Element, Likelihood, NonFiniteLogits, Penalty,
    Reduction, Shape, Smoothing, Targets,
};

/// The id that is ignored in the cases with an `ignore_index`.
const IGNORED: i64 = -100;

/// The entries of each row of sparse targets.
const ENTRIES: usize = 3;

/// What is computed.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) config: ConfigBuilder,
    labels: Labels,
    logits: Logits,
    has_mask: bool,
    has_row_weights: bool,
}

enum Labels {
    Indices,
    Mixed,
    Probabilities,
    /// Three classes per row, of which the last may pad it.
    Sparse,
}

enum Logits {
    /// Between -8 and 8, with a full mantissa.
    Spread,
    /// The same, but one class of each row leads by 0 to 80.
    Confident,
    /// Whole numbers from -2 to 2, so that most rows have several maxima.
    Ties,
    /// A third of the logits is `-inf`, but never the target's.
    Masked,
    /// Rows with a NaN, with `+inf`, of nothing but `-inf`, and with `-inf` at the target, among others.
    NonFinite,
}

/// What a case is computed from.
pub(crate) struct Input<T: Element> {
    pub(crate) logits: Vec<T>,
    pub(crate) targets: Targets<'static, T>,
}

/// Every case that there is with a number of classes.
pub(crate) fn all(classes: usize) -> Vec<Case> {
    let mut all = smoothed(classes);
    all.extend(weighted(classes));
    all.extend(of_other_targets(classes));
    all.extend(of_other_logits());
    all.extend(binary(classes));
    all.extend(penalized(classes));
    all.extend(penalized_one_by_one());
    all.extend(of_sparse_targets(classes));
    all.extend(unbounded());
    all
}

fn case(name: &'static str, config: ConfigBuilder) -> Case {
    let (labels, logits) = (Labels::Indices, Logits::Spread);
    Case { name, config, labels, logits, has_mask: false, has_row_weights: false }
}

fn uniform() -> ConfigBuilder {
    Config::cross_entropy().smoothing(Smoothing::Uniform { epsilon: 0.1 })
}

/// Positive integers over their sum, different ones for each `start`.
fn distribution(classes: usize, start: usize) -> Vec<f64> {
    let part = |class: usize| (class * 5 + start * 3) % 7 + 1;
    let sum: usize = (0..classes).map(part).sum();
    (0..classes).map(|class| part(class) as f64 / sum as f64).collect()
}

/// Class weights, one in 16 of them 0.
fn weights(classes: usize) -> Vec<f64> {
    (0..classes).map(|class| ((class * 37 + 5) % 16) as f64 / 8.0).collect()
}

fn smoothed(classes: usize) -> Vec<Case> {
    let hard = Config::cross_entropy();
    let others = hard.clone().smoothing(Smoothing::UniformOthers { epsilon: 0.1 });
    let epsilons = (0..classes).map(|class| (class % 8) as f64 / 32.0).collect();
    let prior = Smoothing::Distribution { epsilon: 0.1, distribution: distribution(classes, 0) };
    let mut cases = vec![
        case("none", hard.clone()),
        case("uniform", uniform()),
        case("uniform-sum", uniform().reduction(Reduction::Sum)),
        case("uniform-over-all-rows", uniform().ignore_index([IGNORED]).denominator(Denominator::All)),
        case("uniform-others", others.clone()),
        case("uniform-per-class", hard.clone().smoothing(Smoothing::UniformPerClass { epsilons })),
        case("distribution", hard.clone().smoothing(prior)),
        case("excluded-class", others.excluded_classes([1])),
        case("without-entropy", uniform().subtract_entropy(true)),
        case("z-loss", uniform().z_loss(1.0 / 1024.0)),
    ];
    // One distribution per class: K x K numbers.
    if classes <= 129 {
        let rows = (0..classes).map(|class| distribution(classes, class)).collect();
        cases.push(case("class-rows", hard.smoothing(Smoothing::ClassRows { epsilon: 0.1, rows })));
    }
    cases
}

fn weighted(classes: usize) -> Vec<Case> {
    let weighted = uniform().class_weights(weights(classes));
    vec![
        case("hard-class-weights", Config::cross_entropy().class_weights(weights(classes))),
        case("class-weights", weighted.clone()),
        case("class-weights-by-target", weighted.clone().class_weighting(ClassWeighting::ByTarget)),
        case("class-weights-expected", weighted.class_weighting(ClassWeighting::Expected)),
        Case { has_row_weights: true, ..case("row-weights", uniform()) },
        Case { has_mask: true, ..case("row-mask", uniform()) },
    ]
}

fn of_other_targets(classes: usize) -> Vec<Case> {
    let hard = Config::cross_entropy();
    let mixed = |name, config| Case { labels: Labels::Mixed, ..case(name, config) };
    let probabilities = |name, config| Case { labels: Labels::Probabilities, ..case(name, config) };
    vec![
        mixed("mixed", hard.clone()),
        mixed("mixed-uniform", uniform()),
        mixed("mixed-class-weights", uniform().class_weights(weights(classes))),
        probabilities("probabilities", hard),
        probabilities("probabilities-uniform", uniform().z_loss(1.0 / 1024.0)),
        probabilities("probabilities-class-weights", uniform().class_weights(weights(classes))),
        Case { has_mask: true, has_row_weights: true, ..probabilities("probabilities-rows", uniform()) },
    ]
}

fn of_other_logits() -> Vec<Case> {
    let hard = Config::cross_entropy();
    let of = |name, config, logits| Case { logits, ..case(name, config) };
    vec![
        of("confident-hard", hard.clone(), Logits::Confident),
        of("confident", uniform(), Logits::Confident),
        of("ties", uniform(), Logits::Ties),
        of("masked-hard", hard, Logits::Masked),
        of("masked", uniform().non_finite_logits(NonFiniteLogits::RestrictSupport), Logits::Masked),
        of("non-finite", uniform(), Logits::NonFinite),
    ]
}

fn binary(classes: usize) -> Vec<Case> {
    let hard = Config::binary_cross_entropy();
    let half = hard.clone().smoothing(Smoothing::UniformHalf { epsilon: 0.1 });
    let probabilities = |name, config| Case { labels: Labels::Probabilities, ..case(name, config) };
    vec![
        case("binary-none", hard.clone()),
        case("binary", half.clone()),
        case("binary-flip", hard.clone().smoothing(Smoothing::UniformFlip { epsilon: 0.1 })),
        case("binary-positives-only", hard.smoothing(Smoothing::PositivesOnly { epsilon: 0.1 })),
        case("binary-class-weights", half.clone().class_weights(weights(classes))),
        probabilities("binary-probabilities", half.clone()),
        Case { logits: Logits::Confident, ..probabilities("binary-confident", half.clone().subtract_entropy(true)) },
        Case { logits: Logits::NonFinite, has_mask: true, ..case("binary-non-finite", half) },
    ]
}

fn penalized(classes: usize) -> Vec<Case> {
    let penalties = [
        Penalty::Confidence { strength: 0.25 },
        Penalty::Margin { strength: 1.0 / 64.0, margin: 4.0 },
        Penalty::MaxSuppression { strength: 0.5 },
        Penalty::Poly { epsilon: 2.0 },
    ];
    let all = uniform().class_weights(weights(classes)).penalties(penalties);
    let focal = |alpha| Likelihood::Focal { gamma: 2.5, alpha };
    let hard = Config::cross_entropy();
    vec![
        Case { has_mask: true, has_row_weights: true, ..case("penalties", all.clone()) },
        Case { logits: Logits::NonFinite, ..case("penalties-non-finite", all) },
        Case { labels: Labels::Probabilities, ..case("focal", uniform().likelihood(focal(None))) },
        Case { logits: Logits::Confident, ..case("focal-confident", hard.clone().likelihood(focal(None))) },
        case("relaxed", hard.likelihood(Likelihood::Relaxed { alpha: 0.125 })),
        case("binary-focal", Config::binary_cross_entropy().likelihood(focal(Some(0.25)))),
    ]
}

/// Each penalty by itself, the other ways into the kernel's own arithmetic for these rows.
fn penalized_one_by_one() -> Vec<Case> {
    let with = |penalty| uniform().penalties([penalty]);
    let hard = Config::cross_entropy();
    let relaxed = hard.clone().likelihood(Likelihood::Relaxed { alpha: 0.125 });
    vec![
        case("confidence", with(Penalty::Confidence { strength: 0.25 })),
        case("margin", with(Penalty::Margin { strength: 1.0 / 64.0, margin: 4.0 })),
        case("max-suppression", with(Penalty::MaxSuppression { strength: 0.5 })),
        case("poly", with(Penalty::Poly { epsilon: -0.5 })),
        Case {
            logits: Logits::Masked,
            ..case("max-suppression-masked", with(Penalty::MaxSuppression { strength: 0.5 }))
        },
        Case { logits: Logits::Confident, ..case("relaxed-confident", relaxed.z_loss(1.0 / 1024.0)) },
        Case {
            labels: Labels::Mixed,
            ..case("focal-mixed", hard.likelihood(Likelihood::Focal { gamma: 1.0, alpha: None }))
        },
    ]
}

fn of_sparse_targets(classes: usize) -> Vec<Case> {
    let sparse = |name, config| Case { labels: Labels::Sparse, ..case(name, config) };
    let half = Config::binary_cross_entropy().smoothing(Smoothing::UniformHalf { epsilon: 0.1 });
    let poly = Penalty::Poly { epsilon: 2.0 };
    vec![
        sparse("sparse", Config::cross_entropy()),
        sparse("sparse-uniform", uniform().z_loss(1.0 / 1024.0).ignore_index([IGNORED])),
        Case {
            has_mask: true,
            has_row_weights: true,
            ..sparse("sparse-rows", uniform().class_weights(weights(classes)))
        },
        Case { logits: Logits::Confident, ..sparse("sparse-penalty", uniform().penalties([poly])) },
        sparse("binary-sparse", half.ignore_index([IGNORED])),
    ]
}

fn unbounded() -> Vec<Case> {
    let negative = Config::cross_entropy().smoothing(Smoothing::Negative { rate: -0.75 });
    let flip = Config::binary_cross_entropy().smoothing(Smoothing::UnbiasedFlip { epsilon: 0.125 });
    vec![
        case("negative", negative.clone()),
        Case { has_row_weights: true, ..case("negative-z-loss", negative.clone().z_loss(1.0 / 1024.0)) },
        Case { labels: Labels::Mixed, ..case("negative-mixed", negative.clone()) },
        Case { labels: Labels::Probabilities, ..case("negative-probabilities", negative) },
        case("binary-unbiased-flip", flip.clone()),
        Case { labels: Labels::Probabilities, ..case("binary-unbiased-flip-probabilities", flip) },
    ]
}

impl Case {
    /// Logits and targets, for a configuration with its class axis set.
    pub(crate) fn input<T: Element>(&self, config: &Config, dims: &[usize], random: &mut Random) -> Input<T> {
        let shape = Shape::new(config, dims).unwrap();
        let (rows, classes) = (shape.rows(), shape.classes());
        let mut first = random.classes(rows, classes);
        let logits = self.logits(&shape, &first, random);
        if !config.ignore_index().is_empty() && !matches!(self.labels, Labels::Sparse) {
            first.iter_mut().step_by(3).for_each(|class| *class = IGNORED);
        }
        let row_dims = shape.row_dims();
        let mut targets = match self.labels {
            Labels::Indices => Targets::indices(Array::new(row_dims.clone(), first)),
            Labels::Mixed => {
                let second = Array::new(row_dims.clone(), random.classes(rows, classes));
                let lambda: Vec<f64> = (0..rows).map(|row| (row % 9) as f64 / 8.0).collect();
                Targets::mixed(Array::new(row_dims.clone(), first), second, Array::new(row_dims.clone(), lambda))
            }
            Labels::Probabilities => Targets::probabilities(Array::new(dims, random.probabilities(&shape))),
            Labels::Sparse => {
                let entries = rows * ENTRIES;
                let mut classes = random.classes(entries, classes);
                if !config.ignore_index().is_empty() {
                    classes.iter_mut().skip(ENTRIES - 1).step_by(2 * ENTRIES).for_each(|class| *class = IGNORED);
                    classes[..ENTRIES].fill(IGNORED);
                }
                // At most 9/16 in all: a class may be there three times, and binary probabilities end at 1.
                let probabilities: Vec<f64> = (0..entries).map(|at| (at * 5 % 7 % 4) as f64 / 16.0).collect();
                let dims = [row_dims.as_slice(), &[ENTRIES]].concat();
                Targets::sparse(Array::new(dims.clone(), classes), Array::new(dims, probabilities))
            }
        };
        if self.has_mask {
            let mask: Vec<bool> = (0..rows).map(|row| row % 4 != 1).collect();
            targets = targets.masked(Array::new(row_dims.clone(), mask));
        }
        if self.has_row_weights {
            let weights: Vec<f64> = (0..rows).map(|row| (row * 7 % 11) as f64 / 8.0).collect();
            targets = targets.weighted(Array::new(row_dims, weights));
        }
        Input { logits, targets }
    }

    fn logits<T: Element>(&self, shape: &Shape, targets: &[i64], random: &mut Random) -> Vec<T> {
        let mut logits: Vec<f64> = (0..shape.elements()).map(|_| random.logit()).collect();
        for (row, &target) in targets.iter().enumerate() {
            let target = target as usize;
            for class in 0..shape.classes() {
                let logit = &mut logits[shape.element(row, class)];
                match self.logits {
                    Logits::Confident if class == target => *logit += (row * 13 % 81) as f64,
                    Logits::Ties => *logit = (*logit / 4.0).trunc(),
                    Logits::Masked if class != target && random.next().is_multiple_of(3) => *logit = f64::NEG_INFINITY,
                    Logits::Spread | Logits::Confident | Logits::Masked => {}
                    Logits::NonFinite => match (row % 6, class) {
                        (0, class) if class == shape.classes() / 2 => *logit = f64::NAN,
                        (1, class) if class == shape.classes() - 1 => *logit = f64::INFINITY,
                        (2, _) => *logit = f64::NEG_INFINITY,
                        (3, class) if class == target => *logit = f64::NEG_INFINITY,
                        _ => {}
                    },
                }
            }
        }
        logits.into_iter().map(T::from_f64).collect()
    }
}

/// A generator of inputs: splitmix64 (Steele, Lea and Flood 2014).
pub(crate) struct Random(pub(crate) u64);

impl Random {
    /// A generator of a case's own, so that a new case changes no other.
    pub(crate) fn new(name: &str) -> Self {
        Self(name.bytes().fold(0, |seed: u64, byte| seed.wrapping_mul(257).wrapping_add(u64::from(byte))))
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut x = self.0;
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^ (x >> 31)
    }

    /// Between -8 and 8, in steps of 2^-49.
    pub(crate) fn logit(&mut self) -> f64 {
        ((self.next() >> 11).cast_signed() - (1 << 52)) as f64 / (1_u64 << 49) as f64
    }

    fn classes(&mut self, rows: usize, classes: usize) -> Vec<i64> {
        (0..rows).map(|_| (self.next() % classes as u64).cast_signed()).collect()
    }

    /// Integers over their sum, a fourth of them 0.
    fn probabilities<T: Element>(&mut self, shape: &Shape) -> Vec<T> {
        let mut probabilities = vec![T::default(); shape.elements()];
        for row in 0..shape.rows() {
            let parts: Vec<u64> = (0..shape.classes()).map(|_| (self.next() % 8).saturating_sub(1)).collect();
            let sum = parts.iter().sum::<u64>().max(1) as f64;
            for (class, part) in parts.into_iter().enumerate() {
                probabilities[shape.element(row, class)] = T::from_f64(part as f64 / sum);
            }
        }
        probabilities
    }
}
