//! The kernel's public functions against each other: the same bits whichever way one asks.

use label_smoothing_core::{
    Array, Config, ConfigBuilder, Element, EmptyMean, Error, Penalty, Problem, Reduction, Smoothing, Targets, bf16,
    f16, kernel,
};

const ROWS: usize = 37;
const CLASSES: usize = 45;

fn config() -> Config {
    Config::cross_entropy().smoothing(Smoothing::Uniform { epsilon: 0.1 }).ignore_index([-1]).build().unwrap()
}

/// Logits and targets without a pattern that a wrong index would keep.
fn batch<T: Element>(rows: usize, classes: usize) -> (Vec<T>, Vec<i64>) {
    let mut state = 1_u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f64 / f64::from(1 << 24)
    };
    let logits = (0..rows * classes).map(|_| T::from_f64(next() * 20.0 - 10.0)).collect();
    let targets = (0..rows).map(|row| if row % 5 == 3 { -1 } else { (next() * classes as f64) as i64 }).collect();
    (logits, targets)
}

fn problem<'a, T: Element>(config: &'a Config, targets: &'a [i64], classes: usize) -> Problem<'a, T> {
    let shape = [targets.len(), classes];
    Problem::new(config, &shape, Targets::indices(Array::new([targets.len()], targets))).unwrap()
}

fn every_way_gives_the_same_bits<T: Element>() {
    let config = config();
    let (logits, targets) = batch::<T>(ROWS, CLASSES);
    let problem = problem::<T>(&config, &targets, CLASSES);
    let (one, two) = (T::Wide::from_f64(1.0), T::Wide::from_f64(2.0));

    let value = kernel::loss(&problem, &logits).unwrap();
    let mut gradient = vec![T::default(); logits.len()];
    assert_eq!(kernel::loss_and_gradient(&problem, &logits, one, &mut gradient).unwrap(), value);
    let mut in_place = logits.clone();
    assert_eq!(kernel::loss_and_gradient_in_place(&problem, &mut in_place, one).unwrap(), value);
    assert_eq!(in_place, gradient);

    // The wide gradient is what the narrow one is rounded from, and an upstream gradient of 2 is exact.
    let mut wide = vec![T::Wide::default(); logits.len()];
    kernel::loss_and_gradient(&problem, &logits, one, &mut wide).unwrap();
    assert_eq!(wide.iter().map(|&g| T::narrow(g)).collect::<Vec<_>>(), gradient);
    let mut twice = vec![T::Wide::default(); logits.len()];
    kernel::loss_and_gradient(&problem, &logits, two, &mut twice).unwrap();
    assert!(wide.iter().zip(&twice).all(|(g, twice)| twice.to_f64() == 2.0 * g.to_f64()));

    let mut stats = Vec::new();
    assert_eq!(kernel::loss_and_stats(&problem, &logits, &mut stats).unwrap(), value);
    let mut later = vec![T::default(); logits.len()];
    kernel::gradient_from_stats(&problem, &logits, &stats, one, &mut later).unwrap();
    assert_eq!(later, gradient);
    let refused = kernel::gradient_from_stats(&problem, &logits, &stats[1..], one, &mut later).unwrap_err();
    assert!(matches!(refused, Error::BufferLength { found, expected, .. } if found + 1 == expected), "{refused}");

    let mut losses = vec![one; ROWS];
    let parts = kernel::row_losses(&problem, &logits, &mut losses).unwrap();
    assert_eq!(parts, value.parts);
    assert!(losses.iter().zip(&targets).all(|(loss, &target)| (loss.to_f64() == 0.0) == (target == -1)));
    let mut same_losses = vec![T::Wide::default(); ROWS];
    let upstream = vec![one; ROWS];
    kernel::row_losses_and_gradient(&problem, &logits, &upstream, &mut same_losses, &mut wide).unwrap();
    assert_eq!(same_losses, losses);
}

#[test]
fn every_element_type_gives_the_same_bits_every_way() {
    every_way_gives_the_same_bits::<f32>();
    every_way_gives_the_same_bits::<f64>();
    every_way_gives_the_same_bits::<f16>();
    every_way_gives_the_same_bits::<bf16>();
}

/// Rows of every regime, and one without a softmax.
#[test]
fn a_gradient_that_is_computed_later_has_the_same_bits() {
    let weights = |classes: usize| (0..classes).map(|class| 0.5 + class as f64).collect::<Vec<_>>();
    for classes in [10, 200, 3001] {
        let smoothing = || Smoothing::Uniform { epsilon: 0.1 };
        let plain = Config::cross_entropy().smoothing(smoothing()).ignore_index([-1]);
        let penalized = plain.clone().penalties([Penalty::MaxSuppression { strength: 0.5 }]);
        let weighted = plain.clone().class_weights(weights(classes)).z_loss(1e-3);
        for config in [plain.build(), weighted.build(), penalized.build()] {
            let config = config.unwrap();
            let (mut logits, targets) = batch::<f32>(ROWS, classes);
            logits[5 * classes + 3] = f32::NAN;
            let problem = problem::<f32>(&config, &targets, classes);
            let (mut now, mut later) = (vec![0.0_f32; logits.len()], vec![0.0_f32; logits.len()]);
            kernel::loss_and_gradient(&problem, &logits, 0.7, &mut now).unwrap();
            let mut stats = Vec::new();
            kernel::loss_and_stats(&problem, &logits, &mut stats).unwrap();
            kernel::gradient_from_stats(&problem, &logits, &stats, 0.7, &mut later).unwrap();
            let bits = |gradient: &[f32]| gradient.iter().map(|g| g.to_bits()).collect::<Vec<_>>();
            assert!(bits(&now) == bits(&later), "{classes} classes");
            assert!(now[5 * classes].is_nan() && now[6 * classes].is_finite());
        }
    }
}

/// The maxima of another batch, at classes that this one does not have.
#[test]
fn statistics_of_more_classes_are_refused() {
    let config = config();
    let (mut logits, targets) = (vec![0.0_f32; 3 * 200], [0, 1, 2]);
    logits[2 * 200 + 150] = 1.0;
    let mut stats = Vec::new();
    kernel::loss_and_stats(&problem::<f32>(&config, &targets, 200), &logits, &mut stats).unwrap();
    let (few, mut gradient) = (problem::<f32>(&config, &targets, 150), vec![7.0_f32; 3 * 150]);
    let refused = kernel::gradient_from_stats(&few, &logits[..3 * 150], &stats, 1.0, &mut gradient).unwrap_err();
    let message = refused.to_string();
    assert!(message.contains("row 2") && message.contains("class 150") && message.contains("0 to 149"), "{message}");
    assert!(gradient.iter().all(|&value| value == 7.0), "nothing is written");
}

/// Where the denominator is 0, no mean is a number, though smoothing gives classes of weight a loss.
#[test]
fn a_sum_of_row_losses_is_reduced_as_configured() {
    let start = Config::cross_entropy;
    let reduced = |config: ConfigBuilder, targets: &[i64]| {
        let config = config.ignore_index([-1]).build().unwrap();
        problem::<f64>(&config, targets, 2).reduce(6.0)
    };
    assert_eq!(reduced(start(), &[0, -1, 1]), 3.0);
    assert_eq!(reduced(start().reduction(Reduction::Sum), &[0, -1, 1]), 6.0);
    assert!(reduced(start(), &[-1]).is_nan());
    assert_eq!(reduced(start().empty_mean(EmptyMean::Zero), &[-1]), 0.0);
}

#[test]
fn a_mean_over_nothing_is_none_in_the_parts_too() {
    let smoothed = Config::cross_entropy().smoothing(Smoothing::Uniform { epsilon: 0.1 });
    let config = smoothed.class_weights([0.0, 1.0]).build().unwrap();
    let loss = kernel::loss(&problem::<f64>(&config, &[0], 2), &[0.5, -0.5]).unwrap();
    assert!(loss.parts.sum() > 0.0 && loss.parts.denominator() == 0.0);
    assert!(loss.value.is_nan() && loss.parts.mean().is_nan());
}

/// What the class axis and its neighbours make of memory does not matter: few rows side by side, and more than a vector has
/// lanes, in each regime of the number of classes.
fn the_class_axis_may_be_anywhere<T: Element>() {
    let plain = || Config::cross_entropy().smoothing(Smoothing::Uniform { epsilon: 0.1 }).ignore_index([-1]);
    let few = [(3, 10, 2), (11, 10, 3), (3, 130, 2), (5, 300, 7), (2, 1030, 3), (2, 150, 16), (1, 1030, 37)];
    // Several tasks, in the second case of rows whose number is not that of a vector's lanes.
    for (outer, classes, inner) in few.into_iter().chain([(1100, 150, 3), (3, 7000, 21)]) {
        let rows = outer * inner;
        let (logits, targets) = batch::<T>(rows, classes);
        let mut apart = logits.clone();
        let place = |row: usize, class: usize| (row / inner * classes + class) * inner + row % inner;
        for (at, &logit) in logits.iter().enumerate() {
            apart[place(at / classes, at % classes)] = logit;
        }
        let weights: Vec<f64> = (0..classes).map(|class| (class % 4) as f64 / 2.0).collect();
        for config in
            [plain(), plain().class_weights(weights), plain().penalties([Penalty::Confidence { strength: 0.5 }])]
        {
            let last = config.clone().build().unwrap();
            let middle = config.class_axis(1).build().unwrap();
            let targets = |dims: &[usize]| Targets::<T>::indices(Array::new(dims, targets.clone()));
            let last = Problem::new(&last, &[outer, inner, classes], targets(&[outer, inner])).unwrap();
            let middle = Problem::new(&middle, &[outer, classes, inner], targets(&[outer, inner])).unwrap();
            let upstream: Vec<_> = (0..rows).map(|row| T::Wide::from_f64(row as f64 - 1.5)).collect();
            let answer = |problem: &Problem<T>, logits: &[T]| {
                let (mut losses, mut gradient) = (vec![T::Wide::default(); rows], vec![T::default(); logits.len()]);
                let parts =
                    kernel::row_losses_and_gradient(problem, logits, &upstream, &mut losses, &mut gradient).unwrap();
                (parts, losses, gradient)
            };
            let (parts, losses, gradient) = answer(&last, &logits);
            let (same_parts, same_losses, elsewhere) = answer(&middle, &apart);
            let name = format!("{outer} x {classes} x {inner} of {}", T::NAME);
            assert_eq!((same_parts, same_losses), (parts, losses), "{name}");
            let bits = |value: T| value.to_f64().to_bits();
            let same = |(at, &value): (usize, &T)| bits(elsewhere[place(at / classes, at % classes)]) == bits(value);
            assert!(gradient.iter().enumerate().all(same), "the gradient of {name}");

            let (one, mut stats) = (T::Wide::from_f64(1.0), Vec::new());
            let mut gradients = [(); 2].map(|()| vec![T::default(); apart.len()]);
            kernel::loss_and_gradient(&middle, &apart, one, &mut gradients[0]).unwrap();
            kernel::loss_and_stats(&middle, &apart, &mut stats).unwrap();
            kernel::gradient_from_stats(&middle, &apart, &stats, one, &mut gradients[1]).unwrap();
            let [now, later] = gradients.map(|gradient| gradient.into_iter().map(bits).collect::<Vec<_>>());
            assert!(now == later, "the gradient of {name}, later");
        }
    }
}

#[test]
fn the_class_axis_may_be_anywhere_in_every_element_type() {
    the_class_axis_may_be_anywhere::<f32>();
    the_class_axis_may_be_anywhere::<f64>();
    the_class_axis_may_be_anywhere::<bf16>();
}

#[test]
fn aligned_parts_of_a_batch_add_up_to_the_whole_to_the_bit() {
    let config = config();
    // In groups of rows, and row by row.
    for classes in [10, 200] {
        let (logits, targets) = batch::<f32>(64, classes);
        let parts = |rows: std::ops::Range<usize>| {
            let problem = problem::<f32>(&config, &targets[rows.clone()], classes);
            kernel::loss(&problem, &logits[rows.start * classes..rows.end * classes]).unwrap().parts
        };
        assert_eq!((parts(0..16) + parts(16..32)) + parts(32..64), parts(0..64), "{classes} classes");
    }
}

#[test]
fn a_row_does_not_know_its_batch() {
    let config = config();
    for classes in [10, 45] {
        let (logits, targets) = batch::<f32>(ROWS, classes);
        let mut all = vec![0.0; ROWS];
        kernel::row_losses(&problem::<f32>(&config, &targets, classes), &logits, &mut all).unwrap();
        for row in 0..ROWS {
            let mut alone = [0.0];
            let problem = problem::<f32>(&config, &targets[row..=row], classes);
            kernel::row_losses(&problem, &logits[row * classes..(row + 1) * classes], &mut alone).unwrap();
            assert_eq!(alone[0].to_bits(), all[row].to_bits(), "row {row} of {classes} classes");
        }
    }
}

/// Big enough that the batch is cut: between groups of rows, between rows, and where rows are fewer than threads within
/// them.
#[cfg(feature = "parallel")]
#[test]
fn any_number_of_threads_gives_the_same_bits() {
    for (rows, classes) in [(50_000, 10), (700, 1000), (1, 400_033), (2, 262_144)] {
        let weights = (0..classes).map(|class| 0.5 + (class % 5) as f64);
        let weighted = config().to_builder().class_weights(weights.collect::<Vec<_>>()).build().unwrap();
        for config in [config(), weighted] {
            let (logits, targets) = batch::<f32>(rows, classes);
            let run = |threads| {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
                let mut gradient = vec![0.0_f32; logits.len()];
                let problem = problem::<f32>(&config, &targets, classes);
                let loss = pool.install(|| kernel::loss_and_gradient(&problem, &logits, 1.0, &mut gradient).unwrap());
                (loss, gradient)
            };
            let one = run(1);
            assert!(one.0.value.is_finite());
            for threads in [2, 3, 8] {
                let many = run(threads);
                assert_eq!(one.0, many.0, "{rows} x {classes}, {threads} threads");
                let same = one.1.iter().zip(&many.1).all(|(a, b)| a.to_bits() == b.to_bits());
                assert!(same, "{rows} x {classes}, {threads} threads");
            }
        }
    }
}

/// A long row without a softmax, ties of the maximum in two pieces, and a maximum in the last one.
#[cfg(feature = "parallel")]
#[test]
fn long_rows_with_special_logits_give_the_same_bits_on_many_threads() {
    const CLASSES: usize = 400_033;
    let config = config();
    let special: [&[(usize, f32)]; 5] = [
        &[(399_999, f32::NAN)],
        &[(7, f32::INFINITY)],
        &[(300_000, 30.0), (100_001, 30.0), (100_000, 30.0)],
        &[(CLASSES - 1, 40.0)],
        &[(0, f32::NEG_INFINITY), (262_144, f32::NEG_INFINITY)],
    ];
    for places in special {
        let (mut logits, targets) = batch::<f32>(1, CLASSES);
        for &(place, value) in places {
            logits[place] = value;
        }
        let run = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let mut gradient = vec![0.0_f32; CLASSES];
            let problem = problem::<f32>(&config, &targets, CLASSES);
            let loss = pool.install(|| kernel::loss_and_gradient(&problem, &logits, 1.0, &mut gradient).unwrap());
            (loss.value.to_bits(), gradient.iter().map(|g| g.to_bits()).collect::<Vec<_>>())
        };
        assert!(run(1) == run(4), "{places:?}");
    }
}

/// Of no counted row: whatever the memory held before, and however the logits are.
#[test]
fn the_gradient_of_a_mean_over_nothing_is_written() {
    let config = config().to_builder().empty_mean(EmptyMean::Zero).build().unwrap();
    for classes in [10, 200] {
        let (mut logits, _) = batch::<f16>(ROWS, classes);
        let targets = [-1; ROWS];
        let problem = problem::<f16>(&config, &targets, classes);
        let (mut narrow, mut wide) = (vec![f16::ONE; logits.len()], vec![1.0_f32; logits.len()]);
        assert_eq!(kernel::loss_and_gradient(&problem, &logits, 1.0, &mut narrow).unwrap().value, 0.0);
        kernel::loss_and_gradient(&problem, &logits, 1.0, &mut wide).unwrap();
        kernel::loss_and_gradient_in_place(&problem, &mut logits, 1.0).unwrap();
        assert!(wide.iter().all(|&g| g == 0.0), "{classes} classes");
        assert!(narrow.iter().chain(&logits).all(|&g| g == f16::ZERO), "{classes} classes");
    }
}

#[test]
fn nothing_is_written_when_a_buffer_is_refused() {
    let config = config();
    let (mut logits, targets) = batch::<f32>(ROWS, CLASSES);
    let problem = problem::<f32>(&config, &targets, CLASSES);
    let mut short = vec![7.0_f32; logits.len() - 1];
    let refused = kernel::loss_and_gradient(&problem, &logits, 1.0, &mut short).unwrap_err();
    assert_eq!(refused.to_string(), "1664 elements in gradient, but 1665 are needed");
    assert!(short.iter().all(|&g| g == 7.0));
    let mut losses = [7.0; ROWS + 1];
    let refused = kernel::row_losses(&problem, &logits, &mut losses).unwrap_err();
    assert_eq!(refused.to_string(), "38 elements in the row losses, but 37 are needed");
    assert!(losses.iter().all(|&loss| loss == 7.0));

    logits.pop();
    let before = logits.clone();
    let refused = kernel::loss_and_gradient_in_place(&problem, &mut logits, 1.0).unwrap_err();
    assert!(matches!(refused, Error::BufferLength { name: "logits", found: 1664, expected: 1665 }), "{refused}");
    assert_eq!(logits, before);
}

#[test]
fn shapes_beyond_the_address_space_are_refused() {
    let config = Config::cross_entropy().build().unwrap();
    for shape in [&[usize::MAX / 2, 3][..], &[0, usize::MAX / 2, 8, 3]] {
        let targets = Targets::<f32>::indices(Array::new(&shape[..shape.len() - 1], Vec::<i64>::new()));
        let refused = Problem::new(&config, shape, targets).unwrap_err();
        assert!(matches!(refused, Error::BufferLength { name: "logits", expected: usize::MAX, .. }), "{refused}");
    }
}
