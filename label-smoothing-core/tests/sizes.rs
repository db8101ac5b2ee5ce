//! Sizes at the ends: nothing at all, one of everything, more than can be counted, more than 2^31.

use label_smoothing_core::{
    Array, Config, Error, ErrorKind, Problem, Shape, Smoothing, Targets, bf16, kernel, reference,
};

fn smoothed() -> Config {
    Config::cross_entropy().smoothing(Smoothing::Uniform { epsilon: 0.1 }).build().unwrap()
}

#[test]
fn sizes_beyond_what_can_be_counted_are_refused() {
    const HALF: usize = 1 << (usize::BITS / 2);
    for shape in [
        &[usize::MAX][..],
        &[usize::MAX, usize::MAX],
        &[usize::MAX, 2],
        &[2, usize::MAX],
        &[HALF, HALF],
        &[0, usize::MAX, 2],
        &[usize::MAX, 0, 2],
        &[HALF, HALF, 0, 1],
        &[isize::MAX as usize / 8 + 1],
        &[3, isize::MAX as usize / 8],
    ] {
        let found = Shape::new(&smoothed(), shape).unwrap_err();
        assert_eq!(found.kind(), ErrorKind::BufferLength, "{shape:?}: {found}");
        let nothing = || Targets::<f64>::indices(Array::new([0], Vec::new()));
        assert!(Problem::new(&smoothed(), shape, nothing()).is_err(), "{shape:?}");
        let empty = Targets::probabilities(Array::<f64>::new(shape, Vec::new()));
        assert!(Problem::new(&smoothed(), shape, empty).is_err(), "{shape:?}");
    }
    assert!(Shape::new(&smoothed(), &[isize::MAX as usize / 8]).is_ok());
}

/// A shape that can be counted, and far fewer values than it says.
#[test]
fn fewer_values_than_the_shape_are_refused() {
    let config = smoothed();
    let huge = [1 << 20, 1 << 30];
    let targets = Targets::<f32>::indices(Array::new([1 << 20], vec![0]));
    assert_eq!(Problem::new(&config, &huge, targets).unwrap_err().kind(), ErrorKind::TargetShape);
    let problem = Problem::new(&config, &[4, 1 << 40], Targets::<f32>::indices(Array::new([4], vec![0; 4]))).unwrap();
    for found in [
        kernel::loss(&problem, &[0.0_f32]).map(drop),
        kernel::loss_and_gradient(&problem, &[0.0_f32], 1.0, &mut [0.0_f32]).map(drop),
        kernel::row_losses(&problem, &[0.0_f32], &mut [0.0; 4]).map(drop),
        reference::loss(&problem, &[0.0]).map(drop),
    ] {
        assert!(matches!(found, Err(Error::BufferLength { .. })), "{found:?}");
    }
}

#[test]
fn nothing_and_one_of_everything() {
    let config = smoothed();
    for shape in [&[0, 3][..], &[0, 0, 3], &[2, 0, 3], &[0, 1]] {
        let rows = &shape[..shape.len() - 1];
        let problem = Problem::new(&config, shape, Targets::<f64>::indices(Array::new(rows, Vec::new()))).unwrap();
        assert!(kernel::loss::<f64, f64>(&problem, &[]).unwrap().value.is_nan());
        assert!(kernel::loss_and_gradient::<f64, f64, f64>(&problem, &[], 1.0, &mut []).unwrap().value.is_nan());
        assert_eq!(kernel::row_losses::<f64, f64>(&problem, &[], &mut []).unwrap().counted(), 0);
    }
    for shape in [&[1][..], &[1, 1], &[1, 1, 1, 1, 1, 1, 1, 1]] {
        let rows = &shape[1..];
        let problem = Problem::new(&config, shape, Targets::<f64>::indices(Array::new(rows, vec![0]))).unwrap();
        let mut gradient = [7.0];
        let loss = kernel::loss_and_gradient(&problem, &[-3.5_f64], 2.0, &mut gradient).unwrap();
        assert_eq!((loss.value, gradient), (0.0, [0.0]), "one class is certain");
    }
}

/// No rows, and so many indices before the class axis, or classes, that room for each would not be had.
#[test]
fn no_rows_take_no_memory() {
    for (axis, shape) in [(1, &[1 << 50, 10, 0][..]), (1, &[1, 1 << 40, 0]), (0, &[1 << 40, 0]), (1, &[0, 1 << 40])] {
        for config in [Config::cross_entropy(), Config::binary_cross_entropy()] {
            let config = config.smoothing(Smoothing::Uniform { epsilon: 0.1 }).class_axis(axis).build().unwrap();
            let rows: Vec<usize> = (0..shape.len()).filter(|&at| at != axis).map(|at| shape[at]).collect();
            let targets = Targets::<f64>::indices(Array::new(rows, Vec::new()));
            let problem = Problem::new(&config, shape, targets).unwrap();
            assert!(kernel::loss::<f64, f64>(&problem, &[]).unwrap().value.is_nan());
            assert!(kernel::loss_and_gradient::<f64, f64, f64>(&problem, &[], 1.0, &mut []).unwrap().value.is_nan());
        }
    }
}

/// Sparse targets whose shape holds more than can be counted.
#[test]
fn uncountable_targets_are_refused() {
    const HALF: usize = 1 << (usize::BITS / 2);
    let config = smoothed();
    let sparse = Targets::<f64>::sparse(
        Array::new([HALF / 4, HALF * 4], Vec::new()),
        Array::new([HALF / 4, HALF * 4], Vec::new()),
    );
    let found = Problem::new(&config, &[HALF / 4, 2], sparse).unwrap_err();
    assert_eq!(found.kind(), ErrorKind::TargetShape, "{found}");
}

/// Offsets beyond 32 bits, signed and unsigned: every row is the same, so every loss and every row's gradient is.
fn alike(rows: usize, classes: usize) {
    let mut logits = vec![bf16::ZERO; rows * classes];
    for row in logits.chunks_exact_mut(classes) {
        (row[0], row[classes - 1]) = (bf16::from_f32(1.5), bf16::from_f32(-2.0));
    }
    let config = smoothed();
    let target = (classes - 1) as i64;
    let one = Problem::new(&config, &[1, classes], Targets::<bf16>::indices(Array::new([1], vec![target]))).unwrap();
    let mut expected = logits[..classes].to_vec();
    let loss = kernel::loss_and_gradient_in_place(&one, &mut expected, rows as f32).unwrap().value;

    let all = Targets::<bf16>::indices(Array::new([rows], vec![target; rows]));
    let problem = Problem::new(&config, &[rows, classes], all).unwrap();
    let found = kernel::loss_and_gradient_in_place(&problem, &mut logits, (rows * rows) as f32).unwrap();
    assert_eq!((found.value, found.parts.counted()), (loss, rows as u64));
    for (row, gradient) in logits.chunks_exact(classes).enumerate() {
        assert!(gradient == expected, "the gradient of row {row}");
    }
}

#[test]
fn rows_alike_have_losses_alike() {
    alike(64, 4096);
}

#[test]
#[ignore = "takes 9 GB of memory: 2^32 logits and a few more"]
fn more_logits_than_32_bits_count() {
    alike(65536, 65536 + 1);
}

#[test]
#[ignore = "takes 5 GB of memory: 2^31 logits and a few more"]
fn one_row_of_more_classes_than_31_bits_count() {
    let classes = (1 << 31) + 33;
    let mut logits = vec![bf16::ZERO; classes];
    (logits[0], logits[classes - 1]) = (bf16::from_f32(1.5), bf16::from_f32(-2.0));
    let config = smoothed();
    let targets = Targets::<bf16>::indices(Array::new([1], vec![(classes - 1) as i64]));
    let problem = Problem::new(&config, &[1, classes], targets).unwrap();
    let loss = kernel::loss(&problem, &logits).unwrap().value;
    let lse = ((classes - 2) as f64 + 1.5_f64.exp() + (-2.0_f64).exp()).ln();
    let exact = lse - 0.9 * -2.0 - 0.1 / classes as f64 * (1.5 - 2.0);
    assert!((loss - exact).abs() <= 4.0 * f64::from(f32::EPSILON) * exact, "{loss} for {exact}");
}
