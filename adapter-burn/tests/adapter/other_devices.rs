//! A device that the kernel cannot see, where the loss is composed without being asked to; and two devices that do not
//! go together. burn's deprecated `ndarray` backend is such a device on every machine.

#![allow(deprecated, reason = "burn's ndarray is the only other device that every machine has")]

use crate::common::{assert_close, assert_same, classes, core_classes, narrowed, numbers, read, tensor, widened};
use burn::tensor::{Bool, Device, Tensor, TensorData};
use label_smoothing_burn::{
    BurnTargets, Config, Element, Error, ErrorKind, Masked, Mixed, Probabilities, SmoothedBinaryCrossEntropy,
    SmoothedCrossEntropy, SmoothedLoss, Smoothing, Weighted, burn,
};
use label_smoothing_core::{Problem, reference};

const DIMS: [usize; 3] = [2, 4, 3];
const TARGETS: [i64; 6] = [2, 0, -100, 3, 1, 1];

fn devices() -> [Device; 2] {
    [Device::ndarray().autodiff(), Device::ndarray().autodiff().gradient_checkpointing()]
}

fn config() -> Config {
    let config = Config::cross_entropy().smoothing(Smoothing::Uniform { epsilon: 0.1 }).class_axis(1);
    config.class_weights([1.0, 2.0, 0.5, 1.5]).ignore_index([-100]).z_loss(0.01).build().unwrap()
}

/// Loss, row losses with an upstream gradient, and both gradients; errors of a few roundings of values of up to 10.
fn check<T: Element + burn::tensor::Element>(tolerance: f64) {
    let (config, upstream) = (config(), [0.5, -1.0, 2.0, 1.5, 0.0, 0.25]);
    let values = narrowed::<T>(&numbers(1, 24, 4.0));
    let exact = widened(&values);
    let problem = Problem::new(&config, &DIMS, core_classes(&TARGETS, &[2, 3])).unwrap();
    let criterion = SmoothedCrossEntropy::from_config(config.clone()).unwrap();
    for device in devices() {
        let logits = tensor(&values, DIMS, &device).require_grad();
        let targets = || classes(&TARGETS, [2, 3], &device);
        let gradient = |loss: Tensor<1>| widened(&read::<T, 3>(&logits.grad(&loss.backward()).unwrap()));

        let loss = criterion.loss(logits.clone(), targets()).unwrap();
        assert_eq!(loss.device(), device);
        assert_close(&widened(&read::<T, 1>(&loss)), &[reference::loss(&problem, &exact).unwrap()], tolerance);
        assert_close(&gradient(loss), &reference::loss_gradient(&problem, &exact, 1.0).unwrap(), tolerance);

        let losses = criterion.row_losses(logits.clone(), targets()).unwrap();
        assert_eq!(losses.dims(), [2, 3]);
        assert_close(&widened(&read::<T, 2>(&losses)), &reference::row_losses(&problem, &exact).unwrap(), tolerance);
        let weighted = (losses * tensor(&narrowed::<T>(&upstream), [2, 3], &device)).sum();
        let expected = reference::row_losses_gradient(&problem, &exact, &upstream).unwrap();
        assert_close(&gradient(weighted), &expected, tolerance);
    }
}

#[test]
fn the_loss_is_composed_where_the_kernel_cannot_be() {
    check::<f32>(1e-5);
    check::<f64>(1e-14);
}

#[test]
fn the_binary_loss_too() {
    let criterion = SmoothedBinaryCrossEntropy::new(0.1).unwrap();
    let values = numbers(2, 12, 6.0);
    let problem = Problem::new(criterion.config(), &[3, 4], core_classes(&[2, 0, 3], &[3])).unwrap();
    for device in devices() {
        let logits = tensor(&values, [3, 4], &device).require_grad();
        let losses = criterion.row_losses(logits.clone(), classes(&[2, 0, 3], [3], &device)).unwrap();
        assert_close(&read::<f64, 2>(&losses), &reference::row_losses(&problem, &values).unwrap(), 1e-14);
        let loss = criterion.loss(logits.clone(), classes(&[2, 0, 3], [3], &device)).unwrap();
        let gradient = read::<f64, 2>(&logits.grad(&loss.backward()).unwrap());
        assert_close(&gradient, &reference::loss_gradient(&problem, &values, 1.0).unwrap(), 1e-15);
    }
}

/// What this backend's own maximum and comparisons do with NaN and infinities must not matter.
#[test]
fn rows_without_a_loss() {
    const MINUS: f32 = f32::NEG_INFINITY;
    let rows = [[f32::NAN, 1.0, 0.0], [1.0, f32::INFINITY, 0.0], [MINUS; 3], [1.0, MINUS, 0.0], [f32::NAN, MINUS, 0.0]];
    let device = Device::ndarray().autodiff();
    let logits = tensor(&rows.concat(), [5, 3], &device).require_grad();
    let targets = classes(&[1, 0, 2, 0, 1], [5], &device);
    let mask = Tensor::<1, Bool>::from_data(TensorData::from([true, true, true, true, false]), &device);
    let criterion = SmoothedCrossEntropy::new(0.0).unwrap();
    let losses = criterion.row_losses(logits.clone(), Masked { targets, mask }).unwrap();
    let gradient = widened(&read::<f32, 2>(&logits.grad(&losses.clone().sum().backward()).unwrap()));
    let softplus = 1.0_f64.exp().recip().ln_1p();
    let losses = widened(&read::<f32, 1>(&losses));
    assert_same(&losses[..3], &[f64::NAN; 3]);
    assert_close(&losses[3..], &[softplus, 0.0], 1e-7);
    assert_same(&gradient[..9], &[f64::NAN; 9]);
    let p = 1.0 / (1.0 + 1.0_f64.exp());
    assert_close(&gradient[9..], &[-p, 0.0, p, 0.0, 0.0, 0.0], 1e-7);
}

#[test]
fn an_empty_batch() {
    let device = Device::ndarray().autodiff();
    let logits = Tensor::<2>::zeros([0, 4], &device).require_grad();
    let criterion = SmoothedCrossEntropy::new(0.1).unwrap();
    let loss = criterion.loss(logits.clone(), classes(&[], [0], &device)).unwrap();
    assert!(loss.clone().into_scalar::<f32>().is_nan());
    assert_eq!(logits.grad(&loss.backward()).unwrap().dims(), [0, 4]);
    assert_eq!(criterion.row_losses(logits, classes(&[], [0], &device)).unwrap().dims(), [0]);
}

/// burn itself panics where tensors of two devices meet.
#[test]
fn targets_on_another_device_are_refused_by_name() {
    #[track_caller]
    fn refused<Y: BurnTargets + Clone>(logits: &Tensor<2>, targets: &Y, expected_name: &str) {
        let criterion = SmoothedCrossEntropy::new(0.1).unwrap();
        let errors = [
            criterion.loss(logits.clone(), targets.clone()).err(),
            criterion.row_losses(logits.clone().autodiff().require_grad(), targets.clone()).err(),
            criterion.composed().loss(logits.clone(), targets.clone()).err(),
        ];
        for error in errors.map(Option::unwrap) {
            assert_eq!(error.kind(), ErrorKind::Framework);
            let message = error.to_string();
            assert!(
                message.contains(expected_name) && message.contains("Flex") && message.contains("NdArray"),
                "{message}"
            );
            let Error::Device { name, found, expected } = error else { panic!("{message}") };
            assert_eq!((name, expected), (expected_name, logits.device()));
            assert_ne!(found, logits.device());
        }
    }
    for [here, there] in [[Device::flex(), Device::ndarray()], [Device::ndarray(), Device::flex()]] {
        let there_on_a_graph = there.clone().autodiff();
        let logits = tensor(&[1.0_f32, 0.0, -1.0, 0.5, 2.0, 0.0], [2, 3], &here);
        let classes = |device| classes(&[0, 2], [2], device);
        let floats = |device| tensor(&[0.5_f32, 1.0], [2], device);
        refused(&logits, &classes(&there), "the targets");
        refused(&logits, &classes(&there_on_a_graph), "the targets");
        refused(&logits, &Probabilities(tensor(&[0.5_f32; 6], [2, 3], &there)), "the target probabilities");
        let mask = Tensor::<1, Bool>::from_data(TensorData::from([true, false]), &there);
        refused(&logits, &Masked { targets: classes(&here), mask }, "the values of the row mask");
        let row_weights = floats(&there);
        refused(&logits, &Weighted { targets: classes(&here), row_weights }, "the row weights");
        let mixed = |second, lambda| Mixed { first: classes(&here), second: classes(second), lambda: floats(lambda) };
        refused(&logits, &mixed(&there, &here), "the second targets");
        refused(&logits, &mixed(&here, &there), "the mixing factors (lambda)");
    }
}
