//! The kernel's bits, through dfdx's memory and autograd.

use crate::common::{as_type, bits, classes, indices, kernel_loss, kernel_rows, scaled, scattered};
use dfdx::prelude::*;
use label_smoothing_core::{Array, Targets};
use label_smoothing_dfdx::{
    Config, Denominator, LossFamily, Masked, Mixed, Probabilities, Reduction, SmoothedBinaryCrossEntropy,
    SmoothedCrossEntropy, SmoothedLoss, Smoothing, Weighted,
};

/// Options that touch everything: weights, ignored rows, z-loss.
fn rich_config() -> Config {
    Config::cross_entropy()
        .smoothing(Smoothing::Uniform { epsilon: 0.1 })
        .class_weights([1.0, 2.0, 0.5, 1.0, 0.0, 3.0, 1.0])
        .ignore_index([-100])
        .z_loss(0.125)
        .build()
        .unwrap()
}

/// The row losses of dfdx's tensor under an upstream gradient of this many values, and the logits' gradient.
macro_rules! rows_and_gradient {
    ($criterion:expr, $logits:expr, $targets:expr, $upstream:expr, $type:ty) => {{
        let rows = $criterion.row_losses($logits.leaky_trace(), $targets).unwrap();
        let upstream = rows.device().tensor_from_vec(as_type::<$type>($upstream), *rows.shape());
        let values = rows.as_vec();
        (values, (rows * upstream).sum().backward().get(&$logits).as_vec())
    }};
}

/// Every way in which the same logits can be asked about, for one element type.
macro_rules! bits_of_the_kernel {
    ($module:ident, $type:ty) => {
        mod $module {
            use super::*;

            const SHAPE: [usize; 2] = [9, 7];

            fn logits(device: &Cpu) -> Tensor<(usize, usize), $type, Cpu> {
                device.tensor_from_vec(as_type(&scattered(63, 4)), (9, 7))
            }

            #[test]
            fn loss_under_any_upstream() {
                let device = Cpu::default();
                let (logits, targets) = (logits(&device), classes(9, 7, Some(-100)));
                let criterion = SmoothedCrossEntropy::from_config(rich_config()).unwrap();
                let (value, gradient) =
                    kernel_loss::<$type>(criterion.config(), &SHAPE, indices(&[9], &targets), &logits.as_vec());
                let value = <$type as label_smoothing_core::Element>::from_f64(value);
                for upstream in [1.0, 3.0, -0.1875, 0.0] {
                    let loss = criterion.loss(logits.leaky_trace(), &targets).unwrap();
                    assert_eq!(bits(&[loss.array()]), bits(&[value]));
                    let up = as_type::<$type>(&[upstream])[0];
                    let found = (loss * up).backward().get(&logits).as_vec();
                    assert_eq!(bits(&found), bits(&scaled::<$type>(upstream, &gradient)), "upstream {upstream}");
                }
            }

            #[test]
            fn row_losses_under_any_upstream() {
                let device = Cpu::default();
                let (logits, targets) = (logits(&device), classes(9, 7, Some(-100)));
                let criterion = SmoothedCrossEntropy::from_config(rich_config()).unwrap();
                let (losses, gradient) =
                    kernel_rows::<$type>(criterion.config(), &SHAPE, indices(&[9], &targets), &logits.as_vec());
                let upstream = [0.375, -1.75, 0.0, 2.5, 1.0, -1.0, 3.0, 0.125, 7.0];
                let (found, found_gradient) = rows_and_gradient!(criterion, logits, &targets, &upstream, $type);
                assert_eq!(bits(&found), bits(&scaled::<$type>(1.0, &losses)));
                let rows = gradient.chunks(7).zip(upstream);
                let expected: Vec<$type> = rows.flat_map(|(row, up)| scaled::<$type>(up, row)).collect();
                assert_eq!(bits(&found_gradient), bits(&expected));
            }

            #[test]
            fn binary_losses() {
                let device = Cpu::default();
                let logits = logits(&device);
                let labels: Vec<f64> = (0..63).map(|i| f64::from(i % 3) / 2.0).collect();
                let labels = device.tensor_from_vec(as_type::<$type>(&labels), (9, 7));
                let mask = [true, true, false, true, true, true, true, false, true];
                let targets = || Masked { targets: Probabilities(&labels), mask: &mask };
                let criterion = SmoothedBinaryCrossEntropy::new(0.1).unwrap();
                let of_core = || {
                    Targets::<$type>::probabilities(Array::new(SHAPE, labels.as_vec()))
                        .masked(Array::new([9], mask.to_vec()))
                };

                let (value, gradient) = kernel_loss::<$type>(criterion.config(), &SHAPE, of_core(), &logits.as_vec());
                let loss = criterion.loss(logits.leaky_trace(), targets()).unwrap();
                let value = <$type as label_smoothing_core::Element>::from_f64(value);
                assert_eq!(bits(&[loss.array()]), bits(&[value]));
                let found = loss.backward().get(&logits).as_vec();
                assert_eq!(bits(&found), bits(&scaled::<$type>(1.0, &gradient)));

                let (losses, gradient) = kernel_rows::<$type>(criterion.config(), &SHAPE, of_core(), &logits.as_vec());
                let upstream: Vec<f64> = scattered(63, 9);
                let (found, found_gradient) = rows_and_gradient!(criterion, logits, targets(), &upstream, $type);
                assert_eq!(bits(&found), bits(&scaled::<$type>(1.0, &losses)));
                let expected: Vec<$type> =
                    upstream.iter().zip(&gradient).flat_map(|(&up, &g)| scaled::<$type>(up, &[g])).collect();
                assert_eq!(bits(&found_gradient), bits(&expected));
            }

            /// Columns first in memory, and rows first: the same numbers, so the same bits.
            #[test]
            fn permuted_logits() {
                let device = Cpu::default();
                let (logits, targets) = (logits(&device), classes(9, 7, Some(-100)));
                let values = logits.as_vec();
                let columns: Vec<$type> = (0..63).map(|at| values[at % 9 * 7 + at / 9]).collect();
                let columns: Tensor<Rank2<7, 9>, $type, Cpu> = device.tensor(columns);
                let criterion = SmoothedCrossEntropy::from_config(rich_config()).unwrap();
                let plain = criterion.loss(logits.leaky_trace(), &targets).unwrap();
                let permuted =
                    criterion.loss(columns.leaky_trace().permute::<Rank2<9, 7>, Axes2<1, 0>>(), &targets).unwrap();
                assert_eq!(bits(&[permuted.array()]), bits(&[plain.array()]));
                let plain = plain.backward().get(&logits).as_vec();
                let permuted = permuted.backward().get(&columns).permute::<Rank2<9, 7>, Axes2<1, 0>>().as_vec();
                assert_eq!(bits(&permuted), bits(&plain));
                assert_eq!(columns.permute::<Rank2<9, 7>, Axes2<1, 0>>().as_vec(), values);
            }
        }
    };
}
bits_of_the_kernel!(of_f32, f32);
bits_of_the_kernel!(of_f64, f64);
#[cfg(feature = "f16")]
bits_of_the_kernel!(of_f16, label_smoothing_dfdx::f16);

/// Classes on the middle axis of a `2 x 3 x 4` batch, against the same rows with the classes last.
#[test]
fn class_axis_in_the_middle() {
    let device = Cpu::default();
    let values = as_type::<f32>(&scattered(24, 5));
    let middle: Tensor<Rank3<2, 3, 4>, f32, Cpu> = device.tensor(values);
    let last = middle.clone().permute::<Rank3<2, 4, 3>, Axes3<0, 2, 1>>().contiguous();
    let targets = classes(8, 3, Some(-1));
    let config = |axis: Option<usize>| Config::cross_entropy().ignore_index([-1]).class_axis(axis).build().unwrap();
    let upstream = [0.5, 1.0, -2.0, 3.0, 0.25, 1.0, 7.0, -1.0];

    let criterion = SmoothedCrossEntropy::from_config(config(None)).unwrap();
    let (rows_last, gradient_last) = rows_and_gradient!(criterion, last, &targets, &upstream, f32);
    let criterion = SmoothedCrossEntropy::from_config(config(Some(1))).unwrap();
    let (rows, gradient) = rows_and_gradient!(criterion, middle, &targets, &upstream, f32);
    assert_eq!(bits(&rows), bits(&rows_last));
    let gradient: Tensor<Rank3<2, 3, 4>, f32, Cpu> = device.tensor(gradient);
    let gradient = gradient.permute::<Rank3<2, 4, 3>, Axes3<0, 2, 1>>().as_vec();
    assert_eq!(bits(&gradient), bits(&gradient_last));

    let targets = device.tensor_from_vec(targets, (2, 4));
    let rows: Tensor<(usize, usize), f32, Cpu> = criterion.row_losses(middle.clone(), &targets).unwrap();
    assert_eq!(*rows.shape(), (2, 4));
    let rows: Tensor<Rank2<2, 4>, f32, Cpu> = rows.realize();
    assert_eq!(bits(&rows.as_vec()), bits(&rows_last));
    let loss = criterion.loss(middle.leaky_trace(), targets).unwrap();
    assert_eq!(loss.backward().get(&middle).as_vec().len(), 24);
}

/// One row of logits, broadcast over the batch: dfdx adds the rows' gradients up.
#[test]
fn broadcast_and_narrowed_logits() {
    let device = Cpu::default();
    let row: Tensor<Rank1<4>, f32, Cpu> = device.tensor([0.5, -1.0, 2.0, 0.0]);
    let targets = [0_u8, 3, 1];
    let criterion = SmoothedCrossEntropy::new(0.1).unwrap();
    let dense = row.as_vec().repeat(3);
    let targets_of_core = targets.map(i64::from);
    let (value, gradient) = kernel_loss::<f32>(criterion.config(), &[3, 4], indices(&[3], &targets_of_core), &dense);
    let loss = criterion.loss(row.leaky_trace().broadcast::<Rank2<3, 4>, _>(), targets).unwrap();
    assert_eq!(loss.array().to_bits(), (value as f32).to_bits());
    let sums: Vec<f32> = (0..4).map(|class| gradient[class] + gradient[4 + class] + gradient[8 + class]).collect();
    assert_eq!(bits(&loss.backward().get(&row).as_vec()), bits(&sums));

    let batch = device.tensor_from_vec(as_type::<f32>(&scattered(30, 6)), (5, 6));
    let narrowed = batch.clone().slice((1..4, 1..5));
    let (value, gradient) =
        kernel_loss::<f32>(criterion.config(), &[3, 4], indices(&[3], &targets_of_core), &narrowed.as_vec());
    let loss = criterion.loss(batch.leaky_trace().slice((1..4, 1..5)), targets).unwrap();
    assert_eq!(loss.array().to_bits(), (value as f32).to_bits());
    let whole = loss.backward().get(&batch);
    assert_eq!(bits(&whole.clone().slice((1..4, 1..5)).as_vec()), bits(&gradient));
    assert_eq!(whole.as_vec().iter().filter(|&&g| g != 0.0).count(), gradient.iter().filter(|&&g| g != 0.0).count());
}

#[test]
fn every_rank_const_and_runtime() {
    let device = Cpu::default();
    let values = as_type::<f32>(&scattered(24, 7));
    let criterion = SmoothedCrossEntropy::new(0.1).unwrap();
    let flat = classes(8, 3, None);
    let expected = kernel_rows::<f32>(criterion.config(), &[8, 3], indices(&[8], &flat), &values).0;

    let logits: Tensor<Rank1<3>, f32, Cpu> = device.tensor(values[..3].to_vec());
    let one: Tensor<Rank0, f32, Cpu> = criterion.row_losses(logits.clone(), &flat[..1]).unwrap();
    assert_eq!(one.array().to_bits(), expected[0].to_bits());
    let target: Tensor<Rank0, i64, Cpu> = device.tensor(flat[0]);
    assert_eq!(criterion.loss(logits, target).unwrap().array().to_bits(), expected[0].to_bits());

    macro_rules! same_rows {
        ($($shape:expr => $rows:expr),+ $(,)?) => {$(
            let logits = device.tensor_from_vec(values.clone(), $shape);
            let targets = device.tensor_from_vec(flat.clone(), $rows);
            let rows = criterion.row_losses(logits, targets).unwrap();
            assert_eq!(rows.shape().concrete(), $rows.concrete());
            assert_eq!(bits(&rows.as_vec()), bits(&expected));
        )+};
    }
    same_rows!(
        (Const::<8>, Const::<3>) => (8,),
        (8, Const::<3>) => [8],
        [8, 3] => (Const::<8>,),
        (Const::<2>, Const::<4>, Const::<3>) => (2, 4),
        [2, 4, 3] => [2, 4],
        (2, 2, 2, Const::<3>) => (2, 2, 2),
        [1, 2, 2, 2, 3] => (1, 2, 2, 2),
        (1, 2, Const::<2>, 2, 1, 3) => [1, 2, 2, 2, 1],
    );
}

/// Wrappers in any order, around tensors and lists: the kernel's bits for the same targets.
#[test]
fn every_kind_of_target() {
    let device = Cpu::default();
    let logits = device.tensor_from_vec(as_type::<f32>(&scattered(12, 8)), (4, 3));
    let config = Config::cross_entropy()
        .smoothing(Smoothing::Uniform { epsilon: 0.2 })
        .denominator(Denominator::Counted)
        .build()
        .unwrap();
    let criterion = SmoothedCrossEntropy::from_config(config).unwrap();
    let loss = |found: Tensor<Rank0, f32, Cpu>, expected: Targets<'_, f32>| {
        let (value, _) = kernel_loss(criterion.config(), &[4, 3], expected, &logits.as_vec());
        assert_eq!(found.array().to_bits(), (value as f32).to_bits());
    };
    let (mask, weights) = ([true, false, true, true], [1.0_f32, 5.0, 0.5, 2.0]);
    let with_rows = |targets: Targets<'static, f32>| {
        targets.masked(Array::new([4], mask.to_vec())).weighted(Array::new([4], weights.map(f64::from).to_vec()))
    };

    let soft = device.tensor_from_vec((0..12_u8).map(|i| f32::from(i % 4) / 4.0).collect(), (4, 3));
    let expected = with_rows(Targets::probabilities(Array::new([4, 3], soft.as_vec())));
    let tensor_mask = device.tensor(mask);
    let masked = Masked { targets: Probabilities(&soft), mask: &tensor_mask };
    loss(
        criterion.loss(logits.clone(), Weighted { targets: masked, row_weights: &weights }).unwrap(),
        expected.clone(),
    );
    let columns = soft.permute::<(usize, usize), Axes2<1, 0>>().contiguous().permute::<_, Axes2<1, 0>>();
    let weighted = Weighted { targets: Probabilities(columns), row_weights: device.tensor(weights) };
    loss(criterion.loss(logits.clone(), Masked { targets: weighted, mask: mask.to_vec() }).unwrap(), expected);

    let (first, second) = ([0_u16, 1, 2, 0], [2_u16, 1, 0, 1]);
    let lambda = [0.5_f64, 0.25, 1.0, 0.75];
    let array = |list: [u16; 4]| Array::new([4], list.map(i64::from).to_vec());
    let expected = with_rows(Targets::mixed(array(first), array(second), Array::new([4], lambda.to_vec())));
    let mixed = Mixed { first: device.tensor(first), second: device.tensor(second), lambda: device.tensor(lambda) };
    let masked = Masked { targets: mixed, mask };
    loss(criterion.loss(logits.clone(), Weighted { targets: masked, row_weights: weights }).unwrap(), expected);
}

/// NaN logits, wild targets and a NaN upstream leave nothing behind in a row that does not count.
#[test]
fn ignored_rows_are_exactly_zero() {
    let device = Cpu::default();
    let mut values = as_type::<f32>(&scattered(12, 10));
    values[3..6].fill(f32::NAN);
    values[9] = f32::INFINITY;
    let logits: Tensor<Rank2<4, 3>, f32, Cpu> = device.tensor(values);
    let targets = [0_i64, -100, 2, 77];
    let mask = [true, true, true, false];
    let config = |family: LossFamily| match family {
        LossFamily::CrossEntropy => Config::cross_entropy(),
        LossFamily::BinaryCrossEntropy => Config::binary_cross_entropy(),
    };
    let config = |family| config(family).ignore_index([-100]).reduction(Reduction::Sum).build().unwrap();
    let ignored = |gradient: &[f32]| gradient[3..6].iter().chain(&gradient[9..]).all(|g| g.to_bits() == 0);
    let counted = |gradient: &[f32]| gradient[..3].iter().chain(&gradient[6..9]).all(|g| g.is_finite() && *g != 0.0);
    macro_rules! check {
        ($criterion:expr) => {
            let criterion = $criterion;
            let targets = || Masked { targets: &targets, mask: &mask };
            let loss = criterion.loss(logits.leaky_trace(), targets()).unwrap();
            assert!(loss.array().is_finite());
            let gradient = loss.backward().get(&logits).as_vec();
            assert!(ignored(&gradient) && counted(&gradient), "{gradient:?}");
            let loss = criterion.loss(logits.leaky_trace(), targets()).unwrap() * f32::NAN;
            let gradient = loss.backward().get(&logits).as_vec();
            assert!(ignored(&gradient) && gradient[0].is_nan() && gradient[8].is_nan(), "{gradient:?}");

            let rows = criterion.row_losses(logits.leaky_trace(), targets()).unwrap();
            let values = rows.as_vec();
            let per_row = values.len() / 4;
            assert!(values[per_row..2 * per_row].iter().chain(&values[3 * per_row..]).all(|loss| *loss == 0.0));
            let upstream: Vec<f32> =
                (0..values.len()).map(|place| if (place / per_row) % 2 == 1 { f32::NAN } else { 2.0 }).collect();
            let upstream = device.tensor_from_vec(upstream, *rows.shape());
            let gradient = (rows * upstream).sum().backward().get(&logits).as_vec();
            assert!(ignored(&gradient) && counted(&gradient), "{gradient:?}");
        };
    }
    check!(SmoothedCrossEntropy::from_config(config(LossFamily::CrossEntropy)).unwrap());
    check!(SmoothedBinaryCrossEntropy::from_config(config(LossFamily::BinaryCrossEntropy)).unwrap());
}

/// A mean over nothing has no gradient, whatever comes from above.
#[test]
fn a_mean_over_nothing() {
    let device = Cpu::default();
    let logits: Tensor<Rank2<2, 3>, f32, Cpu> = device.tensor([[1.0, f32::NAN, 0.0], [0.5, 0.0, 2.0]]);
    let config = Config::cross_entropy().class_weights([1.0, 0.0, 1.0]).build().unwrap();
    let criterion = SmoothedCrossEntropy::from_config(config).unwrap();
    let loss = criterion.loss(logits.leaky_trace(), [1, 1]).unwrap();
    assert!(loss.array().is_nan());
    let squared = loss.square();
    assert!(squared.backward().get(&logits).as_vec().iter().all(|g| g.to_bits() == 0));

    let empty: Tensor<(usize, Const<3>), f32, Cpu> = device.zeros_like(&(0, Const));
    let none: [i64; 0] = [];
    let loss = criterion.loss(empty.leaky_trace(), &none).unwrap();
    assert!(loss.array().is_nan());
    assert_eq!(loss.backward().get(&empty).shape().concrete(), [0, 3]);
    let rows = criterion.row_losses(empty.clone(), &none).unwrap();
    assert_eq!(rows.shape().concrete(), [0]);
    let wide: Tensor<(Const<3>, usize), f32, Cpu> = device.zeros_like(&(Const, 0));
    let permuted = wide.permute::<(usize, Const<3>), Axes2<1, 0>>();
    let no_targets = device.tensor_from_vec(Vec::<u32>::new(), (0,));
    assert!(criterion.loss(permuted.leaky_traced(), no_targets).unwrap().array().is_nan());
}
