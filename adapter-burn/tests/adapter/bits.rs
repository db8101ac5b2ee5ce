//! The kernel's bits, whatever the element type and however the logits lie in memory.

use crate::common::{
    assert_same, autodiff_devices, classes, core_classes, kernel_gradient, narrowed, numbers, read, tensor, widened,
};
use burn::tensor::{Bool, Bytes, DType, Device, Int, Tensor, TensorData, s};
use label_smoothing_burn::{
    BurnTargets, Config, Denominator, Element, Masked, Mixed, Probabilities, SmoothedBinaryCrossEntropy,
    SmoothedCrossEntropy, SmoothedLoss, Smoothing, Weighted, bf16, burn, f16,
};
use label_smoothing_core::{Array, Problem, Targets, kernel};

const ROWS: usize = 7;
const CLASSES: usize = 37;

fn targets() -> Vec<i64> {
    (0..ROWS as i64).map(|row| (11 * row + 3) % CLASSES as i64).collect()
}

fn config() -> Config {
    Config::cross_entropy().smoothing(Smoothing::Uniform { epsilon: 0.1 }).build().unwrap()
}

/// Loss and gradient through burn's autograd. `view` makes the logits out of a leaf, `unview` finds them in its gradient.
fn through_burn<T: Element + burn::tensor::Element, const D: usize, const E: usize, Y: BurnTargets>(
    config: Config,
    leaf: &Tensor<E>,
    view: impl Fn(Tensor<E>) -> Tensor<D>,
    targets: Y,
) -> (f64, Vec<f64>)
where
    SmoothedCrossEntropy: SmoothedLoss<Tensor<D>, Y, Loss = Tensor<1>, Error = label_smoothing_burn::Error>,
{
    let criterion = SmoothedCrossEntropy::from_config(config).unwrap();
    let loss = criterion.loss(view(leaf.clone()), targets).unwrap();
    let value = loss.clone().into_data();
    assert_eq!(value.dtype(), if T::NAME == "f64" { DType::F64 } else { DType::F32 });
    assert_eq!(value.shape().as_slice(), [1]);
    let gradient = leaf.grad(&loss.backward()).unwrap();
    (value.iter::<f64>().next().unwrap(), widened(&read::<T, D>(&view(gradient))))
}

#[test]
fn every_element_type() {
    fn check<T: Element + burn::tensor::Element>() {
        let values = narrowed::<T>(&numbers(1, ROWS * CLASSES, 8.0));
        let (config, targets) = (config(), targets());
        let problem = Problem::new(&config, &[ROWS, CLASSES], core_classes(&targets, &[ROWS])).unwrap();
        let (loss, gradient) = kernel_gradient(&problem, &values, 1.0);
        for device in autodiff_devices() {
            let leaf = tensor(&values, [ROWS, CLASSES], &device).require_grad();
            let classes = classes(&targets, [ROWS], &device);
            let (value, of_leaf) = through_burn::<T, 2, 2, _>(config.clone(), &leaf, |leaf| leaf, classes);
            assert_same(&[value], &[loss]);
            assert_same(&of_leaf, &widened(&gradient));
        }
    }
    check::<f32>();
    check::<f64>();
    check::<f16>();
    check::<bf16>();
}

/// What makes logits of a leaf.
type View = fn(Tensor<2>) -> Tensor<2>;

#[test]
fn strided_narrowed_and_transposed_logits() {
    fn check<T: Element + burn::tensor::Element>() {
        let all = narrowed::<T>(&numbers(2, 2 * ROWS * 3 * CLASSES, 8.0));
        let (config, targets) = (config(), targets());
        let problem = Problem::new(&config, &[ROWS, CLASSES], core_classes(&targets, &[ROWS])).unwrap();
        for device in autodiff_devices() {
            let transposed = tensor(&all[..ROWS * CLASSES], [CLASSES, ROWS], &device).require_grad();
            let wide = tensor(&all, [2 * ROWS, 3 * CLASSES], &device).require_grad();
            let views: [(&Tensor<2>, View); 5] = [
                (&transposed, Tensor::transpose),
                (&wide, |wide| wide.narrow(0, 3, ROWS).narrow(1, 5, CLASSES)),
                (&wide, |wide| wide.slice(s![1..1 + 2 * ROWS as i32 - 1;2, 2..2 + 3 * CLASSES as i32 - 2;3])),
                (&wide, |wide| wide.narrow(0, ROWS, ROWS).narrow(1, 0, CLASSES)),
                (&wide, |wide| wide.narrow(0, 0, ROWS).narrow(1, 0, CLASSES).flip([0, 1])),
            ];
            for (leaf, view) in views {
                let values = read::<T, 2>(&view(leaf.clone()));
                let (loss, gradient) = kernel_gradient(&problem, &values, 1.0);
                let classes = classes(&targets, [ROWS], &device);
                let (value, of_leaf) = through_burn::<T, 2, 2, _>(config.clone(), leaf, view, classes);
                assert_same(&[value], &[loss]);
                assert_same(&of_leaf, &widened(&gradient));
            }
        }
    }
    check::<f32>();
    check::<f64>();
    check::<f16>();
    check::<bf16>();
}

/// A narrowed leaf keeps the memory of the whole, and starts somewhere in it.
#[test]
fn a_part_of_a_larger_memory() {
    let device = Device::flex().autodiff();
    let values = narrowed::<f32>(&numbers(3, 3 * ROWS * CLASSES, 8.0));
    let (config, targets) = (config(), targets());
    let problem = Problem::new(&config, &[ROWS, CLASSES], core_classes(&targets, &[ROWS])).unwrap();
    let (loss, gradient) = kernel_gradient(&problem, &values[ROWS * CLASSES..2 * ROWS * CLASSES], 1.0);
    let part = tensor(&values, [3 * ROWS, CLASSES], &Device::flex()).narrow(0, ROWS, ROWS);
    let leaf = part.autodiff().require_grad();
    let classes = classes(&targets, [ROWS], &device);
    let (value, of_leaf) = through_burn::<f32, 2, 2, _>(config, &leaf, |leaf| leaf, classes);
    assert_same(&[value], &[loss]);
    assert_same(&of_leaf, &widened(&gradient));
}

/// A part of shared bytes may start anywhere, where no slice of numbers can.
#[test]
fn memory_that_is_not_aligned() {
    let device = Device::flex();
    let values = narrowed::<f32>(&numbers(6, 12, 8.0));
    let unaligned = |values: &[f32]| {
        let bytes: Vec<u8> = std::iter::once(0).chain(values.iter().flat_map(|value| value.to_ne_bytes())).collect();
        let length = bytes.len();
        let bytes = Bytes::from_bytes_vec(bytes).shared().view(1, length).unwrap();
        assert_ne!(bytes.as_ptr().addr() % 4, 0);
        Tensor::<2>::from_data(TensorData::from_bytes(bytes, [3, 4], DType::F32), (&device, DType::F32))
    };
    let soft: Vec<f32> = (0..12_u8).map(|i| f32::from(i % 5) / 8.0).collect();
    let probabilities = || Targets::probabilities(Array::new([3, 4], soft.as_slice()));
    let criterion = SmoothedCrossEntropy::from_config(config()).unwrap();
    let problem = Problem::new(criterion.config(), &[3, 4], probabilities()).unwrap();
    let (loss, gradient) = kernel_gradient(&problem, &values, 1.0);
    let logits = unaligned(&values).autodiff().require_grad();
    let actual = criterion.loss(logits.clone(), Probabilities(unaligned(&soft))).unwrap();
    assert_same(&widened(&read::<f32, 2>(&logits.grad(&actual.backward()).unwrap())), &widened(&gradient));
    assert_same(&[f64::from(actual.into_scalar::<f32>())], &[loss]);
}

#[test]
fn a_class_axis_that_is_not_the_last() {
    let values = narrowed::<f32>(&numbers(4, 2 * 5 * 3, 8.0));
    let targets = [0, 1, 2, 3, 4, 0];
    let config = config().to_builder().class_axis(1).build().unwrap();
    let problem = Problem::new(&config, &[2, 5, 3], core_classes(&targets, &[2, 3])).unwrap();
    let (loss, gradient) = kernel_gradient(&problem, &values, 1.0);
    for device in autodiff_devices() {
        let leaf = tensor(&values, [2, 5, 3], &device).require_grad();
        let classes = || classes(&targets, [2, 3], &device);
        let (value, of_leaf) = through_burn::<f32, 3, 3, _>(config.clone(), &leaf, |leaf| leaf, classes());
        assert_same(&[value], &[loss]);
        assert_same(&of_leaf, &widened(&gradient));
        // The same logits as a view of a tensor that has its classes elsewhere.
        let moved = leaf.inner().permute([2, 0, 1]).autodiff();
        let moved = (moved + 0.0).inner().autodiff().require_grad();
        let view = |moved: Tensor<3>| moved.permute([1, 2, 0]);
        let (value, of_view) = through_burn::<f32, 3, 3, _>(config.clone(), &moved, view, classes());
        assert_same(&[value], &[loss]);
        assert_same(&of_view, &widened(&gradient));
    }
}

/// The shapes of the results, for every rank there is.
#[test]
fn every_rank() {
    macro_rules! check {
        ($($rank:literal => $rows:literal),*) => {$({
            let device = Device::flex();
            let mut dims = [1; $rank];
            dims[$rank - 1] = 3;
            let mut row_dims = [1; $rows];
            if $rank > 2 {
                dims[0] = 2;
                row_dims[0] = 2;
            }
            let rows = row_dims.iter().product::<usize>();
            let logits = Tensor::<$rank>::zeros(dims, &device);
            let criterion = SmoothedCrossEntropy::new(0.1).unwrap();
            let targets = || classes(&vec![1; rows], row_dims, &device);
            assert_eq!(criterion.row_losses(logits.clone(), targets()).unwrap().dims(), row_dims);
            assert_eq!(criterion.composed().row_losses(logits.clone(), targets()).unwrap().dims(), row_dims);
            let log3 = criterion.loss(logits.clone(), targets()).unwrap();
            assert!((log3.into_scalar::<f32>() - 3.0_f32.ln()).abs() < 1e-6);
            let criterion = SmoothedBinaryCrossEntropy::new(0.1).unwrap();
            assert_eq!(criterion.row_losses(logits.clone(), targets()).unwrap().dims(), dims);
            assert_eq!(criterion.composed().row_losses(logits.clone(), targets()).unwrap().dims(), dims);
            assert_eq!(criterion.loss(logits, targets()).unwrap().dims(), [1]);
        })*};
    }
    check!(1 => 1, 2 => 1, 3 => 2, 4 => 3, 5 => 4, 6 => 5, 7 => 6, 8 => 7);
}

/// Every kind of target in every element type, and wrappers in both orders.
#[test]
fn every_kind_of_target() {
    let device = Device::flex();
    let values = narrowed::<f32>(&numbers(5, 12, 4.0));
    let logits = || tensor(&values, [3, 4], &device);
    let criterion = SmoothedCrossEntropy::from_config(config()).unwrap();
    let expected = |targets: Targets<f64>| {
        let problem = Problem::new(criterion.config(), &[3, 4], targets).unwrap();
        kernel::loss(&problem, &values).unwrap().value as f32
    };
    let loss = |loss: Result<Tensor<1>, label_smoothing_burn::Error>| loss.unwrap().into_scalar::<f32>();

    let indices = || Targets::indices(Array::new([3], vec![3, 0, 2]));
    for dtype in [DType::I64, DType::I32, DType::I16, DType::I8, DType::U64, DType::U32, DType::U16, DType::U8] {
        let targets = Tensor::<1, Int>::from_data(TensorData::from([3, 0, 2]), (&device, dtype));
        assert_eq!(targets.dtype(), dtype);
        assert_eq!(loss(criterion.loss(logits(), targets)), expected(indices()));
    }

    // Representable in every type.
    let soft: Vec<f64> = (0..12).map(|i| f64::from(i % 5) / 8.0).collect();
    for dtype in [DType::F64, DType::F32, DType::F16, DType::BF16] {
        let tensor = Tensor::<2>::from_data(TensorData::new(soft.clone(), [3, 4]), (&device, dtype));
        let whole = Targets::probabilities(Array::new([3, 4], soft.clone()));
        assert_eq!(loss(criterion.loss(logits(), Probabilities(tensor.clone()))), expected(whole.clone()));
        assert_eq!(loss(criterion.loss(logits(), Probabilities(tensor.transpose().transpose()))), expected(whole));
    }

    let mask = || Tensor::<1, Bool>::from_data(TensorData::from([true, false, true]), &device);
    let row_weights = || tensor(&[0.5_f32, 2.0, 1.5], [3], &device);
    let (masked, weighted) = (Array::new([3], vec![true, false, true]), Array::new([3], vec![0.5, 2.0, 1.5]));
    let core = || indices().masked(masked.clone()).weighted(weighted.clone());
    let targets = || classes(&[3, 0, 2], [3], &device);
    let weighted_first = Masked { targets: Weighted { targets: targets(), row_weights: row_weights() }, mask: mask() };
    let masked_first = Weighted { targets: Masked { targets: targets(), mask: mask() }, row_weights: row_weights() };
    assert_eq!(loss(criterion.loss(logits(), weighted_first)), expected(core()));
    assert_eq!(loss(criterion.loss(logits(), masked_first)), expected(core()));

    let lambda = tensor(&[0.25_f32, 1.0, 0.5], [3], &device);
    let mixed = Mixed { first: targets(), second: classes(&[1, 1, 1], [3], &device), lambda };
    let lambda = Array::new([3], vec![0.25, 1.0, 0.5]);
    let core = Targets::mixed(Array::new([3], vec![3, 0, 2]), Array::new([3], vec![1, 1, 1]), lambda);
    assert_eq!(loss(criterion.loss(logits(), Masked { targets: mixed, mask: mask() })), expected(core.masked(masked)));
}

/// An empty batch has no rows, and a gradient without elements.
#[test]
fn an_empty_batch() {
    let device = Device::flex().autodiff();
    let logits = Tensor::<2>::zeros([0, 4], &device).require_grad();
    let targets = || classes(&[], [0], &device);
    let criterion = SmoothedCrossEntropy::new(0.1).unwrap();
    let constant = Config::cross_entropy().denominator(Denominator::Constant(8.0)).build().unwrap();
    let of_constant = SmoothedCrossEntropy::from_config(constant).unwrap();
    let composed = [
        (criterion.loss(logits.clone(), targets()), f32::NAN),
        (criterion.composed().loss(logits.clone(), targets()), f32::NAN),
        (of_constant.loss(logits.clone(), targets()), 0.0),
        (of_constant.composed().loss(logits.clone(), targets()), 0.0),
    ];
    for (loss, expected) in composed {
        let loss = loss.unwrap();
        assert_same(&[f64::from(loss.clone().into_scalar::<f32>())], &[f64::from(expected)]);
        assert_eq!(logits.grad(&loss.backward()).unwrap().dims(), [0, 4]);
    }
    for rows in
        [criterion.row_losses(logits.clone(), targets()), criterion.composed().row_losses(logits.clone(), targets())]
    {
        let rows = rows.unwrap();
        assert_eq!(rows.dims(), [0]);
        assert_eq!(logits.grad(&rows.sum().backward()).unwrap().dims(), [0, 4]);
    }
    let binary = SmoothedBinaryCrossEntropy::new(0.1).unwrap();
    assert_eq!(binary.row_losses(logits.clone(), targets()).unwrap().dims(), [0, 4]);
    assert_eq!(binary.composed().row_losses(logits, targets()).unwrap().dims(), [0, 4]);
}
