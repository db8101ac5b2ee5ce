//! What becomes of a row's target where that is no common case: the kernel against the definition, in groups of rows and row
//! by row.

mod common;

use common::{class_weights, prior};
use label_smoothing_core::reference::Coefficients;
use label_smoothing_core::{
    Array, ClassWeighting, Config, ConfigBuilder, ErrorKind, Likelihood, NonFiniteLogits, Penalty, Problem, Smoothing,
    Targets, kernel, reference,
};

const ROWS: usize = 19;

/// Taken in groups of rows, and too many for that.
const CLASSES: [usize; 2] = [10, 140];

fn near(ours: f64, exact: f64) -> bool {
    ours == exact || (ours - exact).abs() <= 1e-13 * (1.0 + exact.abs())
}

/// Losses, gradient and parts in `f64`, whose roundings are small beside what a wrong coefficient changes.
fn assert_near_the_definition(problem: &Problem<f64>, logits: &[f64]) {
    let config = problem.config();
    let upstream: Vec<f64> = (0..problem.losses()).map(|at| 0.5 + (at % 4) as f64).collect();
    let (mut losses, mut gradient) = (vec![0.0; problem.losses()], vec![0.0; logits.len()]);
    let parts = kernel::row_losses_and_gradient(problem, logits, &upstream, &mut losses, &mut gradient).unwrap();
    let exact = reference::row_losses(problem, logits).unwrap();
    for (row, (&ours, &exact)) in losses.iter().zip(&exact).enumerate() {
        assert!(near(ours, exact), "loss {row}: {ours} for {exact}, {config:?}");
    }
    let exact = reference::row_losses_gradient(problem, logits, &upstream).unwrap();
    for (at, (&ours, &exact)) in gradient.iter().zip(&exact).enumerate() {
        assert!(near(ours, exact), "gradient {at}: {ours} for {exact}, {config:?}");
    }
    let exact = reference::parts(problem, logits).unwrap();
    let pairs = [(parts.sum(), exact.sum()), (parts.nll(), exact.nll()), (parts.z_loss(), exact.z_loss())];
    assert!(pairs.iter().all(|&(ours, exact)| near(ours / 64.0, exact / 64.0)), "{parts:?} for {exact:?}, {config:?}");
    assert_eq!((parts.correct(), parts.counted()), (exact.correct(), exact.counted()), "{config:?}");
}

/// Between -4 and 4, a leading class in each row, another one each time.
fn logits(classes: usize) -> Vec<f64> {
    let value = |at: usize| ((at * 2_654_435_761) % 65_536) as f64 / 8192.0 - 4.0;
    let mut logits: Vec<f64> = (0..ROWS * classes).map(value).collect();
    logits.chunks_mut(classes).enumerate().for_each(|(row, z)| z[row * 7 % classes] = 4.5);
    logits
}

fn row_weights() -> Vec<f64> {
    (0..ROWS).map(|row| 0.25 + (row % 3) as f64 * 0.75).collect()
}

/// Every smoothing of index targets, none of which the kernel can take as a spread.
fn of_indices(classes: usize) -> Vec<ConfigBuilder> {
    let weights = class_weights(classes);
    let start = || Config::cross_entropy().z_loss(1e-3);
    let restricted = || start().non_finite_logits(NonFiniteLogits::RestrictSupport);
    let expected = || start().class_weights(weights.clone()).class_weighting(ClassWeighting::Expected);
    let per_class =
        || Smoothing::UniformPerClass { epsilons: (0..classes).map(|class| (class % 4) as f64 / 8.0).collect() };
    let rows = || Smoothing::ClassRows { epsilon: 0.25, rows: vec![prior(classes); classes] };
    let distribution = || Smoothing::Distribution { epsilon: 0.25, distribution: prior(classes) };
    let mut configs = Vec::new();
    for smoothing in [
        Smoothing::Uniform { epsilon: 0.25 },
        Smoothing::UniformOthers { epsilon: 0.25 },
        per_class(),
        rows(),
        distribution(),
    ] {
        configs.push(restricted().smoothing(smoothing.clone()));
        let by_target = restricted().class_weights(weights.clone()).class_weighting(ClassWeighting::ByTarget);
        configs.push(by_target.smoothing(smoothing.clone()));
        configs.push(expected().smoothing(smoothing));
    }
    configs
}

/// The same logits, a third of which is `-inf`, but never the target's.
fn masked(logits: &[f64], classes: usize, targets: &[i64]) -> Vec<f64> {
    let is_kept = |row: usize, class: usize| class % 3 != 1 || class as i64 == targets[row];
    let kept = |(at, &z): (usize, &f64)| if is_kept(at / classes, at % classes) { z } else { f64::NEG_INFINITY };
    logits.iter().enumerate().map(kept).collect()
}

#[test]
fn every_smoothing_of_indices_is_near_the_definition() {
    for classes in CLASSES {
        let targets: Vec<i64> = (0..ROWS).map(|row| (row * 5 % classes) as i64).collect();
        let logits = logits(classes);
        for config in of_indices(classes) {
            let config = config.build().unwrap();
            let array = Array::new([ROWS], targets.as_slice());
            let targets_with_weights = Targets::indices(array).weighted(Array::new([ROWS], row_weights()));
            let problem = Problem::new(&config, &[ROWS, classes], targets_with_weights).unwrap();
            assert_near_the_definition(&problem, &logits);
            // Elsewhere a masked class has mass, which costs infinitely much.
            if config.non_finite_logits() == NonFiniteLogits::RestrictSupport {
                assert_near_the_definition(&problem, &masked(&logits, classes, &targets));
            }
        }
    }
}

/// Two classes of a target in both orders and twice the same, the first with the larger mass, with the smaller and with half
/// of it. The logits lead at the first class of every row, then at the second: the correct ones of both would add up to the
/// same number whichever class counts.
#[test]
fn mixed_targets_are_near_the_definition() {
    let start = || Config::cross_entropy().z_loss(1e-3);
    let spread = start().smoothing(Smoothing::Uniform { epsilon: 0.1 }).subtract_entropy(true);
    let general = start().smoothing(Smoothing::Negative { rate: -0.5 });
    let pairs = [[2_i64, 7], [7, 2], [4, 4]];
    let rows: Vec<_> = pairs.iter().flat_map(|ids| [0.25, 0.5, 0.75].map(|lambda| (*ids, lambda))).collect();
    for (classes, leads) in CLASSES.into_iter().flat_map(|classes| [(classes, 0), (classes, 1)]) {
        let mut logits = logits(classes)[..rows.len() * classes].to_vec();
        logits.chunks_mut(classes).zip(&rows).for_each(|(z, (ids, _))| z[ids[leads] as usize] = 6.0);
        let ids = |which: usize| Array::new([rows.len()], rows.iter().map(|row| row.0[which]).collect::<Vec<_>>());
        for config in [&spread, &general] {
            let config = config.clone().build().unwrap();
            let lambda = Array::new([rows.len()], rows.iter().map(|row| row.1).collect::<Vec<_>>());
            let targets = Targets::mixed(ids(0), ids(1), lambda);
            let problem = Problem::new(&config, &[rows.len(), classes], targets).unwrap();
            assert_near_the_definition(&problem, &logits);
        }
    }
}

/// Every smoothing of the binary family; the uniform one with classes excluded too: some, one of them named twice, and all.
#[test]
fn binary_targets_are_near_the_definition() {
    const CLASSES: usize = 11;
    let uniform = || Smoothing::Uniform { epsilon: 0.25 };
    let cases = [
        (uniform(), vec![]),
        (uniform(), vec![1, 4, 1]),
        (uniform(), (0..CLASSES).collect()),
        (Smoothing::Distribution { epsilon: 0.25, distribution: prior(CLASSES) }, vec![]),
        (Smoothing::UniformHalf { epsilon: 0.25 }, vec![]),
        (Smoothing::UniformFlip { epsilon: 0.125 }, vec![]),
        (Smoothing::PositivesOnly { epsilon: 0.25 }, vec![]),
        (Smoothing::UnbiasedFlip { epsilon: 0.125 }, vec![]),
    ];
    let targets: Vec<f64> = (0..ROWS * CLASSES).map(|at| (at % 5) as f64 / 4.0).collect();
    for (smoothing, excluded) in cases {
        let config = Config::binary_cross_entropy().smoothing(smoothing).excluded_classes(excluded).build().unwrap();
        let shape = [ROWS, CLASSES];
        let targets = Targets::probabilities(Array::new(shape, targets.as_slice()));
        assert_near_the_definition(&Problem::new(&config, &shape, targets).unwrap(), &logits(CLASSES));
    }
}

/// The z-loss of a row without a softmax is NaN, but of a row whose weight is 0 it is 0; which row that is must not be mixed up.
#[test]
fn a_row_without_a_softmax_has_a_z_loss_by_its_own_weight() {
    let config = Config::cross_entropy().z_loss(1e-3).build().unwrap();
    for classes in CLASSES {
        let mut logits = logits(classes);
        logits[5 * classes] = f64::NAN;
        for light in [0, 1, 5] {
            let mut weights = vec![1.0; ROWS];
            weights[light] = 0.0;
            let targets = Targets::indices(Array::new([ROWS], vec![2; ROWS])).weighted(Array::new([ROWS], weights));
            let problem = Problem::<f64>::new(&config, &[ROWS, classes], targets).unwrap();
            let parts = kernel::row_losses(&problem, &logits, &mut [0.0; ROWS]).unwrap();
            let exact = reference::parts(&problem, &logits).unwrap();
            let are_nan = [parts.z_loss().is_nan(), exact.z_loss().is_nan()];
            assert_eq!(are_nan, [light != 5; 2], "{classes} classes, row {light} has weight 0");
        }
    }
}

/// Of a target of no mass at all, the first class is the first of the largest probability.
#[test]
fn the_likeliest_class_of_an_empty_sparse_target_is_the_first() {
    let config = Config::cross_entropy().build().unwrap();
    for classes in CLASSES {
        for leads in [0, 3, 7] {
            let mut logits = vec![0.0; classes];
            logits[leads] = 4.0;
            let targets = Targets::sparse(Array::new([1, 2], vec![5_i64, 7]), Array::new([1, 2], vec![0.0, 0.0]));
            let problem = Problem::<f64>::new(&config, &[1, classes], targets).unwrap();
            let parts = kernel::loss(&problem, &logits).unwrap().parts;
            assert_eq!(parts.correct(), u64::from(leads == 0), "{classes} classes, class {leads} leads");
            assert_near_the_definition(&problem, &logits);
        }
    }
}

#[test]
fn an_undecided_logit_and_an_undecided_target_are_no() {
    let config = Config::binary_cross_entropy().build().unwrap();
    let targets = Targets::<f64>::probabilities(Array::new([1, 4], vec![0.5, 1.0, 0.5, 1.0]));
    let problem = Problem::new(&config, &[1, 4], targets).unwrap();
    let logits = [0.0, 0.0, 1.0, 1.0];
    // The first and the last are right.
    assert_eq!(kernel::loss(&problem, &logits).unwrap().parts.correct(), 2);
    assert_eq!(reference::parts(&problem, &logits).unwrap().correct(), 2);
}

#[test]
fn coefficients_are_refused_where_a_loss_is_more_than_they_are() {
    let penalized = Config::cross_entropy().penalties([Penalty::Confidence { strength: 0.1 }]);
    let focal = Config::cross_entropy().likelihood(Likelihood::Focal { gamma: 2.0, alpha: None });
    for (config, what) in [(penalized, "the penalty confidence"), (focal, "the likelihood focal")] {
        let error = Coefficients::check(&config.build().unwrap()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidConfiguration);
        assert!(error.to_string().starts_with(what), "{error}");
    }
    assert!(Coefficients::check(&Config::cross_entropy().z_loss(0.1).build().unwrap()).is_ok());
}
