//! A row wherever it lies: whether its classes are side by side or apart, and whether the kernel takes it by itself or in a
//! group, it has the same bits; and the parts of its loss are those of the definition.

mod common;

use common::{bits, class_weights};
use label_smoothing_core::{
    Array, Config, Element, Error, LossParts, Penalty, Problem, Reduction, Smoothing, Targets, f16, kernel, reference,
};

/// Whole groups of rows of every type, and a rest.
const ROWS: usize = 19;

/// Logits without a pattern, between -8 and 8, and among them rows that every way has to treat with care.
fn logits<T: Element>(classes: usize) -> Vec<T> {
    let value = |at: usize| ((at * 2_654_435_761) % 65_536) as f64 / 4096.0 - 8.0;
    let mut logits: Vec<f64> = (0..ROWS * classes).map(value).collect();
    let mut rows = logits.chunks_mut(classes);
    let mut row = |at: usize| rows.nth(at).unwrap();
    // Two equal maxima and nothing else: the sum of the other exponentials is exactly 1, where the formula changes.
    let row_1 = row(1);
    row_1.fill(f64::NEG_INFINITY);
    (row_1[0], row_1[classes - 1]) = (0.25, 0.25);
    row(0)[classes / 2] = f64::INFINITY; // row 2
    row(1).fill(f64::NEG_INFINITY); // row 4
    row(0)[classes - 1] = 40.0; // row 5
    row(0)[0] = f64::NEG_INFINITY; // row 6
    row(0).fill(-9.0); // row 7: a logarithm of the sum below 0 where classes are few
    logits.into_iter().map(T::from_f64).collect()
}

/// A padding row in each group, and a first and a last class.
fn targets(classes: usize) -> Vec<i64> {
    let class = |row: usize| if row % 8 == 3 { -1 } else { (row * 7 % classes) as i64 };
    let mut targets: Vec<i64> = (0..ROWS).map(class).collect();
    (targets[1], targets[5], targets[6]) = (0, classes as i64 - 1, 0);
    targets
}

/// Coefficients that are a spread, with a hole and without, and others.
fn configs(classes: usize) -> Vec<Config> {
    let start = || Config::cross_entropy().ignore_index([-1]);
    let uniform = || start().smoothing(Smoothing::Uniform { epsilon: 0.1 });
    let weights = class_weights(classes);
    let configs = [
        start().z_loss(1e-3),
        uniform(),
        start().smoothing(Smoothing::UniformOthers { epsilon: 0.25 }).z_loss(1e-3),
        uniform().class_weights(weights).subtract_entropy(true).z_loss(1e-3),
        // Nothing but zeros of both signs.
        start()
            .smoothing(Smoothing::Negative { rate: -0.5 })
            .class_weights(vec![0.0; classes])
            .reduction(Reduction::Sum),
    ];
    configs.into_iter().map(|config| config.build().unwrap()).collect()
}

/// What a batch gives: the bits of its row losses and its gradient, and its parts.
type Answer = (Vec<u64>, Vec<u64>, LossParts);

/// The batch with its class axis at the end or, the rows of the gradient brought back, at the front.
fn answer<T: Element>(config: &Config, logits: &[T], targets: &[i64], is_last: bool) -> Answer {
    let (rows, classes) = (targets.len(), logits.len() / targets.len());
    let turned = |from: &[T], outer: usize, inner: usize| -> Vec<T> {
        (0..inner).flat_map(|at| (0..outer).map(move |row| row * inner + at)).map(|at| from[at]).collect()
    };
    let (shape, axis) = if is_last { ([rows, classes], 1) } else { ([classes, rows], 0) };
    let config = config.to_builder().class_axis(axis).build().unwrap();
    let problem = Problem::<T>::new(&config, &shape, Targets::indices(Array::new([rows], targets))).unwrap();
    let logits = if is_last { logits.to_vec() } else { turned(logits, rows, classes) };
    // Of a row that is not counted, 0 has to be written.
    let (mut losses, mut gradient) = (vec![T::Wide::from_f64(7.0); rows], vec![T::from_f64(7.0); logits.len()]);
    let upstream: Vec<_> = (0..rows).map(|row| T::Wide::from_f64(row as f64 * 0.375 - 1.5)).collect();
    let parts = kernel::row_losses_and_gradient(&problem, &logits, &upstream, &mut losses, &mut gradient).unwrap();
    if !is_last {
        gradient = turned(&gradient, classes, rows);
    }
    (bits(&losses), bits(&gradient), parts)
}

/// On both sides of where rows are no longer taken in groups, and every number of classes in a block that is not full.
fn class_counts() -> impl Iterator<Item = usize> {
    (2..34).chain([64, 65, 128, 129]).chain(1025..1057)
}

fn the_place_of_the_class_axis_does_not_matter_in<T: Element>() {
    for classes in class_counts() {
        let (logits, targets) = (logits::<T>(classes), targets(classes));
        for config in configs(classes) {
            let [last, first] = [true, false].map(|is_last| answer(&config, &logits, &targets, is_last));
            assert!(last.0 == first.0 && last.1 == first.1, "{classes} classes of {}, {config:?}", T::NAME);
            // By their text, in which a NaN is like another.
            assert_eq!(format!("{:?}", last.2), format!("{:?}", first.2), "{classes} classes of {}", T::NAME);
        }
    }
}

#[test]
fn the_place_of_the_class_axis_does_not_change_a_bit() {
    the_place_of_the_class_axis_does_not_matter_in::<f32>();
    the_place_of_the_class_axis_does_not_matter_in::<f64>();
    the_place_of_the_class_axis_does_not_matter_in::<f16>();
}

/// In groups and by themselves, of a spread and of other coefficients.
#[test]
fn parts_are_those_of_the_definition() {
    for classes in [10, 129, 1030] {
        let mut targets = targets(classes);
        targets[2] = -1; // The rows without a softmax.
        targets[4] = -1;
        let logits = logits::<f64>(classes);
        let finite: Vec<f64> = logits.iter().map(|z| z.max(-30.0)).collect();
        for config in configs(classes) {
            let array = Array::new([ROWS], targets.clone());
            let problem = Problem::<f64>::new(&config, &[ROWS, classes], Targets::indices(array)).unwrap();
            let exact = reference::parts(&problem, &finite).unwrap();
            let ours = kernel::loss(&problem, &finite).unwrap().parts;
            let near = |a: f64, b: f64| (a - b).abs() <= 1e-13 * (1.0 + b.abs());
            assert!(near(ours.sum(), exact.sum()) && near(ours.nll(), exact.nll()), "{ours:?} for {exact:?}");
            assert!(near(ours.z_loss(), exact.z_loss()), "{ours:?} for {exact:?}");
            assert_eq!((ours.correct(), ours.counted()), (exact.correct(), exact.counted()));
            assert_eq!(ours.z_loss() > 0.0, config.z_loss() > 0.0);
        }
    }
}

/// Of a NaN whose payload the exponential would take for exponent bits, in every place of a group of rows, and in the class
/// that is kept out of the sum of the shifted logits.
#[test]
fn any_nan_makes_its_row_nan_and_no_other() {
    for (classes, place) in [(5, 0), (10, 9), (40, 33), (129, 128), (1030, 1029)] {
        let others = Smoothing::UniformOthers { epsilon: 0.1 };
        let configs =
            [Config::cross_entropy(), Config::cross_entropy().smoothing(others)].map(|config| config.build().unwrap());
        for bits in [0x7fc0_0000, 0x7fc0_0001, 0x7f80_0001, 0xffff_ffff] {
            for row in 0..ROWS {
                let mut logits: Vec<f32> = (0..ROWS * classes).map(|at| (at % 7) as f32).collect();
                logits[row * classes + place] = f32::from_bits(bits);
                for (config, target, is_last) in [
                    (&configs[0], 1, true),
                    (&configs[0], 1, false),
                    (&configs[1], place, true),
                    (&configs[1], place, false),
                ] {
                    let (losses, ..) = answer(config, &logits, &[target as i64; ROWS], is_last);
                    let is_nan = |at: usize| f64::from_bits(losses[at]).is_nan();
                    assert!(
                        (0..ROWS).all(|at| is_nan(at) == (at == row)),
                        "{bits:x} in row {row} of {classes} classes"
                    );
                }
            }
        }
    }
}

/// Cut into tasks whose rows are no power of two, which nodes of the tree of row losses straddle; with the class axis at the
/// end the same rows are cut elsewhere.
#[test]
fn rows_add_up_alike_wherever_a_batch_is_cut() {
    const OUTER: usize = 24;
    const CLASSES: usize = 10_000;
    const INNER: usize = 3;
    let targets: Vec<i64> = (0..OUTER * INNER).map(|row| (row * 131 % CLASSES) as i64).collect();
    let value = |row: usize, class: usize| (((row * CLASSES + class) * 2_654_435_761) % 65_536) as f32 / 4096.0 - 8.0;
    let apart: Vec<f32> = (0..OUTER * CLASSES * INNER)
        .map(|at| value(at / (CLASSES * INNER) * INNER + at % INNER, at / INNER % CLASSES))
        .collect();
    let last: Vec<f32> = (0..OUTER * CLASSES * INNER).map(|at| value(at / CLASSES, at % CLASSES)).collect();
    let penalized = Config::cross_entropy().penalties([Penalty::Confidence { strength: 0.5 }]);
    for config in [Config::binary_cross_entropy(), penalized] {
        let config = config.class_axis(1).build().unwrap();
        let parts = |shape: &[usize], rows: &[usize], logits: &[f32]| {
            let targets = Targets::indices(Array::new(rows, targets.as_slice()));
            kernel::loss(&Problem::<f32>::new(&config, shape, targets).unwrap(), logits).unwrap().parts
        };
        let ours = parts(&[OUTER, CLASSES, INNER], &[OUTER, INNER], &apart);
        assert_eq!(ours, parts(&[OUTER * INNER, CLASSES], &[OUTER * INNER], &last), "{:?}", config.loss());
    }
}

/// Whichever value it is, with the classes side by side and apart.
#[test]
fn a_probability_that_is_none_is_found_wherever_it_lies() {
    let start = Config::cross_entropy();
    for (axis, shape) in [(1, [2, 3, 2]), (2, [2, 2, 3])] {
        let config = start.clone().class_axis(axis).build().unwrap();
        for wrong in 0..12 {
            let mut values = vec![0.25; 12];
            values[wrong] = -0.5;
            let class = if axis == 1 { wrong / 2 % 3 } else { wrong % 3 };
            let error = Problem::new(&config, &shape, Targets::probabilities(Array::new(shape, values))).unwrap_err();
            let found = matches!(error, Error::Probability { class: found, value: -0.5, .. } if found == class);
            assert!(found, "value {wrong} of {shape:?}: {error}");
        }
    }
}
