//! The inputs that the laws are tried on: seeded, of several shapes, with every kind of option somewhere.

use label_smoothing_core::{ClassWeighting, Denominator, Likelihood, LossFamily, Penalty, Reduction, Smoothing};

use super::random::Random;
use super::scene::{Scene, SceneTargets, Table, id};

/// Every scene, from its own seed.
pub(super) fn scenes() -> Vec<Scene> {
    vec![
        indices(),
        weighted(),
        prior(),
        mixed(),
        others(),
        wide(),
        similar_classes(),
        one_row(),
        binary_probabilities(),
        binary_indices(),
        penalized(),
        focal(),
        binary_focal(),
    ]
}

/// Two scenes of a vocabulary of eight blocks of 1024 classes and a little more, for slices of it.
pub(super) fn vocabularies() -> Vec<Scene> {
    let mut padded = plain("vocabulary", &mut Random::new(11), 3, 8200);
    padded.ignore_index = vec![-100];
    padded.targets = SceneTargets::Indices(vec![8199, -100, 1024]);
    let random = &mut Random::new(12);
    let others = plain("vocabulary-others", random, 2, 8200);
    let others = Scene {
        smoothing: Smoothing::UniformOthers { epsilon: 0.2 },
        z_loss: 1e-3,
        row_weights: Some(list(random, 2, 0.5, 2.0)),
        ..others
    };
    let random = &mut Random::new(13);
    let prior = plain("vocabulary-prior", random, 2, 8200);
    let prior = Scene {
        smoothing: Smoothing::Distribution { epsilon: 0.2, distribution: distribution(random, 8200) },
        class_weights: Some(list(random, 8200, 0.5, 2.0)),
        ..prior
    };
    vec![padded, others, prior]
}

fn table(random: &mut Random, rows: usize, classes: usize, low: f64, high: f64) -> Table<f64> {
    (0..rows).map(|_| (0..classes).map(|_| random.between(low, high)).collect()).collect()
}

fn list(random: &mut Random, len: usize, low: f64, high: f64) -> Vec<f64> {
    (0..len).map(|_| random.between(low, high)).collect()
}

fn targets(random: &mut Random, rows: usize, classes: usize) -> Vec<i64> {
    (0..rows).map(|_| id(random.below(classes))).collect()
}

/// Positive entries that sum to 1 but for rounding.
fn distribution(random: &mut Random, classes: usize) -> Vec<f64> {
    let entries = list(random, classes, 0.1, 1.0);
    let sum: f64 = entries.iter().sum();
    entries.iter().map(|entry| entry / sum).collect()
}

/// Cross entropy on the last axis with random logits and targets, and nothing else.
fn plain(name: &'static str, random: &mut Random, rows: usize, classes: usize) -> Scene {
    Scene {
        name,
        loss: LossFamily::CrossEntropy,
        smoothing: Smoothing::Uniform { epsilon: 0.1 },
        class_weights: None,
        class_weighting: ClassWeighting::InsideSum,
        ignore_index: Vec::new(),
        reduction: Some(Reduction::Mean),
        denominator: Denominator::Weights,
        z_loss: 0.0,
        excluded_classes: Vec::new(),
        subtract_entropy: false,
        likelihood: Likelihood::NegativeLog,
        penalties: Vec::new(),
        row_dims: vec![rows],
        axis: 1,
        logits: table(random, rows, classes, -6.0, 6.0),
        targets: SceneTargets::Indices(targets(random, rows, classes)),
        mask: None,
        row_weights: None,
        upstream: Some(table(random, rows, 1, -2.0, 2.0)),
    }
}

fn indices() -> Scene {
    let mut scene = plain("indices", &mut Random::new(1), 6, 7);
    scene.ignore_index = vec![-100];
    if let SceneTargets::Indices(y) = &mut scene.targets {
        y[2] = -100;
    }
    scene
}

fn weighted() -> Scene {
    let random = &mut Random::new(2);
    let scene = plain("weights-axis-1", random, 12, 5);
    Scene {
        smoothing: Smoothing::Uniform { epsilon: 0.2 },
        class_weights: Some(list(random, 5, 0.25, 3.0)),
        z_loss: 0.01,
        row_dims: vec![3, 4],
        row_weights: Some(list(random, 12, 0.0, 2.0)),
        ..scene
    }
}

fn prior() -> Scene {
    let random = &mut Random::new(3);
    let scene = plain("prior-probabilities", random, 5, 11);
    Scene {
        smoothing: Smoothing::Distribution { epsilon: 0.15, distribution: distribution(random, 11) },
        denominator: Denominator::Counted,
        targets: SceneTargets::Probabilities((0..5).map(|_| distribution(random, 11)).collect()),
        mask: Some(vec![true, true, false, true, false]),
        ..scene
    }
}

fn mixed() -> Scene {
    let random = &mut Random::new(4);
    let scene = plain("mixed", random, 5, 6);
    let (first, second) = (targets(random, 5, 6), targets(random, 5, 6));
    Scene {
        class_weights: Some(list(random, 6, 0.5, 2.0)),
        targets: SceneTargets::Mixed { first, second, lambda: list(random, 5, 0.0, 1.0) },
        row_weights: Some(list(random, 5, 0.5, 2.0)),
        ..scene
    }
}

fn others() -> Scene {
    let random = &mut Random::new(5);
    let scene = plain("others-excluded", random, 4, 40);
    Scene {
        smoothing: Smoothing::UniformOthers { epsilon: 0.3 },
        class_weights: Some(list(random, 40, 0.5, 2.0)),
        class_weighting: ClassWeighting::ByTarget,
        denominator: Denominator::All,
        excluded_classes: vec![0, 39],
        mask: Some(vec![true, false, true, true]),
        ..scene
    }
}

fn wide() -> Scene {
    let scene = plain("wide", &mut Random::new(6), 3, 1000);
    Scene { denominator: Denominator::Constant(2.5), ..scene }
}

fn similar_classes() -> Scene {
    let random = &mut Random::new(7);
    let scene = plain("class-rows-expected", random, 4, 6);
    Scene {
        smoothing: Smoothing::ClassRows { epsilon: 0.25, rows: (0..6).map(|_| distribution(random, 6)).collect() },
        class_weights: Some(list(random, 6, 0.5, 2.0)),
        class_weighting: ClassWeighting::Expected,
        ..scene
    }
}

/// Logits of rank 1, with a lead of more than 12 nats.
fn one_row() -> Scene {
    let scene = plain("one-row", &mut Random::new(8), 1, 9);
    let mut logits = scene.logits;
    logits[0][4] = 19.0;
    Scene { row_dims: Vec::new(), axis: 0, logits, targets: SceneTargets::Indices(vec![4]), ..scene }
}

fn binary_probabilities() -> Scene {
    let random = &mut Random::new(9);
    let scene = plain("binary-probabilities", random, 4, 3);
    Scene {
        loss: LossFamily::BinaryCrossEntropy,
        smoothing: Smoothing::UniformHalf { epsilon: 0.1 },
        class_weights: Some(list(random, 3, 0.5, 2.0)),
        targets: SceneTargets::Probabilities(table(random, 4, 3, 0.0, 1.0)),
        mask: Some(vec![true, false, true, true]),
        upstream: Some(table(random, 4, 3, -2.0, 2.0)),
        ..scene
    }
}

fn binary_indices() -> Scene {
    let random = &mut Random::new(10);
    let scene = plain("binary-indices-axis-0", random, 10, 4);
    let mut y = targets(random, 10, 4);
    y[7] = 2;
    y[3] = -1;
    Scene {
        loss: LossFamily::BinaryCrossEntropy,
        smoothing: Smoothing::UniformFlip { epsilon: 0.1 },
        ignore_index: vec![-1],
        denominator: Denominator::Counted,
        row_dims: vec![2, 5],
        axis: 0,
        targets: SceneTargets::Indices(y),
        row_weights: Some(list(random, 10, 0.5, 2.0)),
        upstream: Some(table(random, 10, 4, -2.0, 2.0)),
        ..scene
    }
}

/// Every penalty, whose margin no distance of logits on a grid of 1/8 meets.
fn penalized() -> Scene {
    let random = &mut Random::new(11);
    let scene = plain("penalties", random, 5, 20);
    Scene {
        class_weights: Some(list(random, 20, 0.5, 2.0)),
        penalties: vec![
            Penalty::Confidence { strength: 0.5 },
            Penalty::Margin { strength: 0.125, margin: 2.3 },
            Penalty::MaxSuppression { strength: 0.75 },
            Penalty::Poly { epsilon: 1.5 },
        ],
        row_weights: Some(list(random, 5, 0.5, 2.0)),
        mask: Some(vec![true, true, false, true, true]),
        ..scene
    }
}

fn focal() -> Scene {
    let random = &mut Random::new(12);
    let scene = plain("focal", random, 6, 7);
    Scene {
        class_weights: Some(list(random, 7, 0.5, 2.0)),
        likelihood: Likelihood::Focal { gamma: 2.0, alpha: None },
        ..scene
    }
}

fn binary_focal() -> Scene {
    let scene = binary_probabilities();
    Scene {
        name: "binary-focal",
        smoothing: Smoothing::None,
        likelihood: Likelihood::Focal { gamma: 2.0, alpha: Some(0.25) },
        ..scene
    }
}
