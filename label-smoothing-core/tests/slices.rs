//! A vocabulary in slices against the whole: the same bits where slices meet at blocks, near elsewhere.

mod common;

use std::ops::Range;

use common::{bits, class_weights, prior};
use label_smoothing_core::kernel;
use label_smoothing_core::kernel::slices::{Merged, Slice, Sums};
use label_smoothing_core::{
    Array, ClassWeighting, Config, ConfigBuilder, Element, ErrorKind, NonFiniteLogits, Penalty, Problem, Smoothing,
    Targets, bf16, f16,
};

const ROWS: usize = 7;
const PADDING: i64 = -1;

/// Logits between -8 and 8, a maximum in each slice of some row, a tie over two slices, `-inf`, and rows without a softmax.
fn logits<T: Element>(classes: usize) -> Vec<T> {
    let value = |at: usize| ((at * 2_654_435_761) % 65_536) as f64 / 4096.0 - 8.0;
    let mut logits: Vec<f64> = (0..ROWS * classes).map(value).collect();
    logits[classes - 1] = 12.0; // row 0: the last class
    logits[classes] = 9.0; // row 1: a tie of the first and the last class
    logits[2 * classes - 1] = 9.0;
    logits[2 * classes + classes / 2] = 40.0; // row 2: a confident row
    logits[3 * classes..3 * classes + classes / 2].fill(f64::NEG_INFINITY); // row 3: nothing in the first slices
    logits[5 * classes + classes / 3] = f64::NAN;
    logits.into_iter().map(T::from_f64).collect()
}

/// Row 4 is padding; the target of row 3 is finite, that of row 6 in the first slice.
fn classes_of_targets(classes: usize) -> Vec<i64> {
    let last = classes as i64 - 1;
    vec![0, last, classes as i64 / 2, last, PADDING, 1, 2]
}

/// Rows of a spread, and others: with weights of classes inside the sum, a prior, and excluded classes.
fn configs(classes: usize) -> Vec<ConfigBuilder> {
    let start = || Config::cross_entropy().ignore_index([PADDING]);
    let uniform = || start().smoothing(Smoothing::Uniform { epsilon: 0.1 });
    let weights = class_weights(classes);
    vec![
        start(),
        start().smoothing(Smoothing::UniformOthers { epsilon: 0.25 }).z_loss(1e-3),
        uniform().subtract_entropy(true),
        uniform().class_weights(weights.clone()),
        uniform().class_weights(weights).class_weighting(ClassWeighting::Expected).subtract_entropy(true),
        start().smoothing(Smoothing::Distribution { epsilon: 0.1, distribution: prior(classes) }).z_loss(1e-3),
        start().smoothing(Smoothing::UniformOthers { epsilon: 0.25 }).excluded_classes([0, classes - 1]),
    ]
}

/// Every class of every row has some probability, but for row 3, whose first classes are masked and have none.
fn probabilities(classes: usize) -> Vec<f32> {
    let value = |at: usize| 1.0 + (at * 40_503 % 1024) as f32 / 256.0;
    let mut values: Vec<f32> = (0..ROWS * classes).map(|at| value(at) / classes as f32).collect();
    values[3 * classes..3 * classes + classes / 2].fill(0.0);
    values
}

fn slice_of<T: Copy>(values: &[T], all: usize, classes: &Range<usize>) -> Vec<T> {
    values.chunks(all).flat_map(|row| &row[classes.clone()]).copied().collect()
}

fn ranges(cuts: &[usize], classes: usize) -> Vec<Range<usize>> {
    let ends = cuts.iter().copied().chain([classes]);
    [0].into_iter().chain(cuts.iter().copied()).zip(ends).map(|(start, end)| start..end).collect()
}

/// The merged loss, by one of the two ways, and the gradient of the whole, put together of the slices'.
fn in_slices<T: Element>(
    problem: &Problem<f32>,
    logits: &[T],
    cuts: &[usize],
    is_one_pass: bool,
) -> (Merged<T::Wide>, Vec<T>) {
    let all = problem.shape().classes();
    let slices: Vec<(Slice<f32>, Vec<T>)> = ranges(cuts, all)
        .into_iter()
        .map(|classes| (Slice::new(problem, classes.clone()).unwrap(), slice_of(logits, all, &classes)))
        .collect();
    let maxima: Vec<_> = slices.iter().map(|(slice, z)| slice.maxima(z).unwrap()).collect();
    let merged = if is_one_pass {
        // The last first: the order does not matter.
        let sums = slices.iter().zip(&maxima).rev().map(|((slice, z), maxima)| slice.sums(z, maxima).unwrap());
        sums.reduce(|a, b| a.merge(&b, problem).unwrap()).unwrap()
    } else {
        let maxima = maxima.iter().rev().cloned().reduce(|a, b| a.merge(&b).unwrap()).unwrap();
        let mut sums = slices.iter().map(|(slice, z)| slice.sums(z, &maxima).unwrap());
        let first = sums.next().unwrap();
        // Associative: the rest is put together first.
        match sums.reduce(|a, b| a.followed_by(&b).unwrap()) {
            Some(rest) => first.followed_by(&rest).unwrap(),
            None => first,
        }
    };
    let merged = merged.loss(problem).unwrap();
    let mut gradient = vec![T::default(); logits.len()];
    for ((slice, z), classes) in slices.iter().zip(ranges(cuts, all)) {
        let mut of_slice = vec![T::default(); z.len()];
        slice.gradient(z, &merged, T::Wide::from_f64(1.0), &mut of_slice).unwrap();
        for (row, values) in of_slice.chunks(classes.len()).enumerate() {
            gradient[row * all + classes.start..row * all + classes.end].copy_from_slice(values);
        }
    }
    (merged, gradient)
}

fn whole<T: Element>(problem: &Problem<f32>, logits: &[T]) -> (kernel::Loss, Vec<T::Wide>, Vec<T>) {
    let mut gradient = vec![T::default(); logits.len()];
    let loss = kernel::loss_and_gradient(problem, logits, T::Wide::from_f64(1.0), &mut gradient).unwrap();
    let mut losses = vec![T::Wide::default(); problem.losses()];
    kernel::row_losses(problem, logits, &mut losses).unwrap();
    (loss, losses, gradient)
}

fn for_each_problem(classes: usize, each: impl Fn(&Problem<f32>)) {
    // Without the row that has no softmax, so that the sums are numbers.
    let mask = || Array::new([ROWS], (0..ROWS).map(|row| row != 5).collect::<Vec<_>>());
    for config in configs(classes) {
        let config = config.build().unwrap();
        let targets = || Targets::indices(Array::new([ROWS], classes_of_targets(classes)));
        each(&Problem::new(&config, &[ROWS, classes], targets()).unwrap());
        each(&Problem::new(&config, &[ROWS, classes], targets().masked(mask())).unwrap());
    }
    let config = Config::cross_entropy().build().unwrap();
    let targets = Targets::probabilities(Array::new([ROWS, classes], probabilities(classes)));
    each(&Problem::new(&config, &[ROWS, classes], targets.masked(mask())).unwrap());
    let last = classes as i64 - 1;
    let entries: Vec<i64> =
        (0..ROWS as i64).flat_map(|row| [last - row, (last / 2 + row) % classes as i64, last]).collect();
    let targets =
        Targets::sparse(Array::new([ROWS, 3], entries), Array::new([ROWS, 3], [0.5, 0.25, 0.25].repeat(ROWS)));
    each(&Problem::new(&config, &[ROWS, classes], targets.masked(mask())).unwrap());
}

fn same_bits<T: Element>() {
    for (classes, cuts) in [
        (3000, vec![]),
        (3000, vec![1024]),
        (3000, vec![1024, 2048]),
        (9000, vec![1024, 2048, 3072, 4096, 5120, 7168, 8192]),
    ] {
        for_each_problem(classes, |problem| {
            let logits = logits::<T>(classes);
            let (loss, losses, gradient) = whole(problem, &logits);
            let (merged, of_slices) = in_slices(problem, &logits, &cuts, false);
            assert_eq!(bits(&[merged.loss.value]), bits(&[loss.value]), "{} {cuts:?}", T::NAME);
            assert_eq!(bits(&merged.row_losses), bits(&losses), "{} {cuts:?}", T::NAME);
            assert_eq!(bits(&of_slices), bits(&gradient), "{} {cuts:?}", T::NAME);
            let (a, b) = (merged.loss.parts, loss.parts);
            assert_eq!(
                bits(&[a.sum(), a.nll(), a.z_loss(), a.mean()]),
                bits(&[b.sum(), b.nll(), b.z_loss(), b.mean()])
            );
            assert_eq!((a.counted(), a.correct()), (b.counted(), b.correct()));
        });
    }
}

#[test]
fn slices_that_meet_at_blocks_have_the_bits_of_the_whole() {
    same_bits::<f32>();
    same_bits::<f64>();
    same_bits::<f16>();
    same_bits::<bf16>();
}

/// Of each row's loss by itself.
#[test]
fn row_losses_have_the_gradient_of_the_whole() {
    const CLASSES: usize = 3000;
    let logits = logits::<bf16>(CLASSES);
    for_each_problem(CLASSES, |problem| {
        let upstream: Vec<f32> = (0..ROWS).map(|row| row as f32 * 0.375 - 1.0).collect();
        let (mut losses, mut expected) = ([0.0; ROWS], vec![bf16::ZERO; logits.len()]);
        kernel::row_losses_and_gradient(problem, &logits, &upstream, &mut losses, &mut expected).unwrap();
        let (merged, _) = in_slices(problem, &logits, &[1024], false);
        for classes in [0..1024, 1024..CLASSES] {
            let (slice, z) = (Slice::new(problem, classes.clone()).unwrap(), slice_of(&logits, CLASSES, &classes));
            let mut gradient = vec![bf16::ONE; z.len()];
            slice.row_losses_gradient(&z, &merged, &upstream, &mut gradient).unwrap();
            assert_eq!(bits(&gradient), bits(&slice_of(&expected, CLASSES, &classes)), "{classes:?}");
        }
    });
}

/// More rows than a task has.
#[test]
fn many_rows_of_few_classes_have_their_gradient() {
    const ROWS: usize = 70_000;
    let config = Config::cross_entropy().smoothing(Smoothing::Uniform { epsilon: 0.1 }).build().unwrap();
    let classes: Vec<i64> = (0..ROWS as i64).map(|row| row % 5 % 4).collect();
    let problem = Problem::<f32>::new(&config, &[ROWS, 4], Targets::indices(Array::new([ROWS], classes))).unwrap();
    let logits: Vec<f32> = (0..ROWS * 4).map(|at| (at * 40_503 % 1024) as f32 / 128.0).collect();
    let (_, _, expected) = whole(&problem, &logits);
    let (_, gradient) = in_slices(&problem, &logits, &[2], false);
    let near = |(a, b): (&f32, &f32)| (a - b).abs() <= 8.0 * f32::EPSILON / ROWS as f32;
    assert!(gradient.iter().zip(&expected).all(near));
}

/// Both ways, off the blocks: as near as two correct results are.
fn near<T: Element>(unit: f64) {
    for (classes, cuts) in
        [(10, vec![3]), (10, vec![1, 9]), (1500, vec![700, 701]), (2500, vec![1, 31, 33, 1000, 1500, 2048, 2499])]
    {
        for_each_problem(classes, |problem| {
            let logits = logits::<T>(classes);
            let (_, losses, gradient) = whole(problem, &logits);
            for is_one_pass in [false, true] {
                let (merged, of_slices) = in_slices(problem, &logits, &cuts, is_one_pass);
                let pairs = [
                    (merged.row_losses.iter().map(|x| x.to_f64()).collect::<Vec<_>>(), 64.0),
                    (of_slices.iter().map(|x| x.to_f64()).collect(), 1.0),
                ];
                let expected = [
                    losses.iter().map(|x| x.to_f64()).collect::<Vec<_>>(),
                    gradient.iter().map(|x| x.to_f64()).collect(),
                ];
                for ((found, scale), expected) in pairs.into_iter().zip(expected) {
                    assert_eq!(found.len(), expected.len());
                    for (at, (a, b)) in found.into_iter().zip(expected).enumerate() {
                        let same = a == b || (a.is_nan() && b.is_nan());
                        assert!(same || (a - b).abs() <= 8.0 * unit * scale, "{}: [{at}] {a:e} {b:e}", T::NAME);
                    }
                }
            }
        });
    }
}

#[test]
fn slices_that_meet_elsewhere_are_near_the_whole() {
    near::<f32>(f32::UNIT_ROUNDOFF);
    near::<f64>(f64::UNIT_ROUNDOFF);
}

/// Whatever the rows' coefficients and wherever the slice comes: its own maximum is `-inf`, and no logit has a distance from it.
#[test]
fn a_target_in_a_slice_of_nothing_has_an_infinite_likelihood() {
    let weighted =
        Config::cross_entropy().smoothing(Smoothing::Uniform { epsilon: 0.1 }).class_weights(class_weights(6));
    for config in [Config::cross_entropy(), weighted].map(|config| config.build().unwrap()) {
        let nothing = [f64::NEG_INFINITY; 3];
        let of_class = |class: i64, logits: [[f64; 3]; 2], is_one_pass: bool| {
            let targets = Targets::<f32>::indices(Array::new([1], vec![class]));
            let problem = Problem::new(&config, &[1, 6], targets).unwrap();
            let (merged, _) = in_slices(&problem, &logits.concat(), &[3], is_one_pass);
            (merged.loss.value, merged.loss.parts.nll())
        };
        for is_one_pass in [true, false] {
            for (class, logits) in [(1, [nothing, [1.0, 2.0, 0.5]]), (4, [[1.0, 2.0, 0.5], nothing])] {
                let found = of_class(class, logits, is_one_pass);
                assert_eq!(found, (f64::INFINITY, f64::INFINITY), "{class} {is_one_pass} {config:?}");
            }
        }
    }
}

/// What a library gives that takes each slice for a vocabulary of its own (Megatron-LM smooths over the local slice): the
/// smoothing's mean of `log p` over the slice that holds the target.
#[test]
fn smoothing_over_the_local_slice_is_another_loss() {
    let config = Config::cross_entropy().smoothing(Smoothing::Uniform { epsilon: 0.1 }).build().unwrap();
    let (classes, logits) = (6, [0.0_f64, 1.0, 2.0, -1.0, -2.0, -3.0]);
    let problem = Problem::<f32>::new(&config, &[1, classes], Targets::indices(Array::new([1], vec![2]))).unwrap();
    let (merged, _) = in_slices(&problem, &logits, &[3], false);
    let lse = logits.iter().map(|z| z.exp()).sum::<f64>().ln();
    let smoothed =
        |local: &[f64]| 0.9 * (lse - logits[2]) + 0.1 * (lse - local.iter().sum::<f64>() / local.len() as f64);
    assert!((merged.loss.value - smoothed(&logits)).abs() < 1e-14);
    assert!((merged.loss.value - smoothed(&logits[..3])).abs() > 0.1, "and it is not that of the local slice");
}

#[test]
fn what_is_not_a_slice_is_refused_with_its_reason() {
    let config = Config::cross_entropy().build().unwrap();
    let targets = || Targets::<f32>::indices(Array::new([1], vec![2]));
    let problem = Problem::new(&config, &[1, 4], targets()).unwrap();
    let message = |classes| Slice::new(&problem, classes).unwrap_err().to_string();
    assert_eq!(message(2..5), "the slice holds classes 2 to 5 (excluded), but the classes are 0 to 3");
    assert_eq!(message(2..2), "the slice holds classes 2 to 2 (excluded), but the classes are 0 to 3");

    let refusal = |config: ConfigBuilder| {
        let config = config.build().unwrap();
        let problem = Problem::new(&config, &[1, 4], targets()).unwrap();
        Slice::new(&problem, 0..4).unwrap_err()
    };
    let restricted = Config::cross_entropy().non_finite_logits(NonFiniteLogits::RestrictSupport);
    let penalized = Config::cross_entropy().penalties([Penalty::Confidence { strength: 0.1 }]);
    for config in [restricted, penalized, Config::binary_cross_entropy()] {
        let error = refusal(config);
        assert_eq!(error.kind(), ErrorKind::InvalidConfiguration);
        assert!(error.to_string().starts_with("a vocabulary in slices takes softmax losses with"), "{error}");
    }
    let too_few = Slice::new(&problem, 0..2).unwrap().maxima(&[1.0_f32]).unwrap_err();
    assert_eq!(too_few.kind(), ErrorKind::BufferLength);
}

#[test]
fn sums_that_do_not_belong_together_are_refused() {
    let config = Config::cross_entropy().build().unwrap();
    let problem = |rows: usize| {
        Problem::new(&config, &[rows, 4], Targets::<f32>::indices(Array::new([rows], vec![2; rows]))).unwrap()
    };
    let (problem, two_rows) = (problem(1), problem(2));
    let sums_of = |problem: &Problem<f32>, classes: Range<usize>, value: f32| -> Sums<f32> {
        let (slice, logits) =
            (Slice::new(problem, classes.clone()).unwrap(), vec![value; classes.len() * problem.shape().rows()]);
        slice.sums(&logits, &slice.maxima(&logits).unwrap()).unwrap()
    };
    let sums = |classes, value| sums_of(&problem, classes, value);
    for other in [2.0, f32::NAN] {
        let different = sums(0..2, 1.0).followed_by(&sums(2..4, other)).unwrap_err().to_string();
        assert!(different.starts_with("the slices' sums of row 0 are relative to different maxima"), "{different}");
    }
    assert!(sums(0..2, f32::NAN).followed_by(&sums(2..4, f32::NAN)).is_ok(), "no row has a softmax");
    let twice = sums(0..2, 1.0).merge(&sums(1..4, 2.0), &problem).unwrap_err().to_string();
    assert_eq!(twice, "class 1 is in two slices");
    let part = sums(0..2, 1.0).loss(&problem).unwrap_err().to_string();
    assert_eq!(part, "the slices hold classes [0..2] of 1 rows, not all 4 classes of 1 rows");
    let gap = sums(0..2, 1.0).merge(&sums(3..4, 2.0), &problem).unwrap().loss(&problem).unwrap_err().to_string();
    assert_eq!(gap, "the slices hold classes [0..2, 3..4] of 1 rows, not all 4 classes of 1 rows");
    let rows = sums(0..2, 1.0).followed_by(&sums_of(&two_rows, 2..4, 1.0)).unwrap_err();
    assert_eq!(rows.to_string(), "2 elements in the slices' rows, but 1 are needed");
}

#[test]
fn a_gradient_that_does_not_fit_is_refused() {
    let config = Config::cross_entropy().build().unwrap();
    let targets = |rows: usize| Targets::<f32>::indices(Array::new([rows], vec![2; rows]));
    let problem = Problem::new(&config, &[1, 4], targets(1)).unwrap();
    let two_rows = Problem::new(&config, &[2, 4], targets(2)).unwrap();
    let slice = Slice::new(&problem, 0..2).unwrap();
    let (merged, _) = in_slices(&problem, &[0.0_f32, 1.0, 2.0, 3.0], &[2], false);
    let (of_two, _) = in_slices(&two_rows, &[0.0_f32; 8], &[2], false);
    let mut gradient = [7.0_f32; 3];
    for (logits, merged, upstream, length) in [
        (&[0.0; 3][..], &merged, &[1.0][..], 2),
        (&[0.0; 2], &merged, &[1.0], 3),
        (&[0.0; 2], &of_two, &[1.0], 2),
        (&[0.0; 2], &merged, &[1.0; 2], 2),
    ] {
        let gradient = &mut gradient[..length];
        let refused = slice.row_losses_gradient(logits, merged, upstream, gradient).unwrap_err();
        assert!([ErrorKind::BufferLength, ErrorKind::UpstreamShape].contains(&refused.kind()), "{refused}");
        if upstream.len() == 1 {
            assert_eq!(slice.gradient(logits, merged, 1.0, gradient).unwrap_err().kind(), refused.kind());
        }
    }
    assert_eq!(gradient, [7.0; 3], "nothing is written");
}
