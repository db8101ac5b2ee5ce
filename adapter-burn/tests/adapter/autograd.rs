//! burn's autograd takes the gradient on to the model.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::common::{
    assert_close, assert_same, autodiff_devices, classes, core_classes, finite_differences, kernel_gradient, narrowed,
    numbers, product, read, reference_loss, tensor, widened,
};
use burn::tensor::{Bool, Device, Tensor, TensorData};
use label_smoothing_burn::{
    Config, Denominator, Element, Masked, SmoothedBinaryCrossEntropy, SmoothedCrossEntropy, SmoothedLoss, Smoothing,
    bf16, burn, f16,
};
use label_smoothing_core::{Problem, kernel};

const ROWS: usize = 5;
const FEATURES: usize = 3;
const CLASSES: usize = 4;
const TARGETS: [i64; ROWS] = [2, 0, -100, 3, 1];

/// Class weights, an ignored row and z-loss: more than a plain cross entropy knows.
fn config() -> Config {
    let config = Config::cross_entropy().smoothing(Smoothing::Uniform { epsilon: 0.1 });
    config.class_weights([1.0, 2.0, 0.5, 1.5]).ignore_index([-100]).z_loss(0.01).build().unwrap()
}

fn inputs() -> Vec<f64> {
    numbers(1, ROWS * FEATURES, 2.0)
}

fn weights() -> Vec<f64> {
    numbers(2, FEATURES * CLASSES, 1.0)
}

/// The exact loss as a function of the layer's weights.
fn exact_loss(weights: &[f64]) -> f64 {
    let config = config();
    let problem = Problem::new(&config, &[ROWS, CLASSES], core_classes(&TARGETS, &[ROWS])).unwrap();
    reference_loss(&problem, &product(&inputs(), weights, FEATURES, CLASSES))
}

/// The layer's weights as a leaf, and the loss of its outputs, in the element type `T`.
fn layer<T: Element + burn::tensor::Element>(device: &Device) -> (Tensor<2>, Tensor<1>) {
    let x = tensor(&narrowed::<T>(&inputs()), [ROWS, FEATURES], device);
    let w = tensor(&narrowed::<T>(&weights()), [FEATURES, CLASSES], device).require_grad();
    let criterion = SmoothedCrossEntropy::from_config(config()).unwrap();
    let loss = criterion.loss(x.matmul(w.clone()), classes(&TARGETS, [ROWS], device)).unwrap();
    (w, loss)
}

#[test]
fn a_linear_layer_gets_the_gradient_of_finite_differences() {
    let expected = finite_differences(&weights(), exact_loss);
    for device in autodiff_devices() {
        let (w, loss) = layer::<f64>(&device);
        // The differences are good to h^2 = 1e-10 and to an ulp of the loss over 2e-5, 1e-11.
        assert_close(&read::<f64, 2>(&w.grad(&loss.backward()).unwrap()), &expected, 1e-9);

        let (w, loss) = layer::<f32>(&device);
        // Inputs, logits, gradient and the sums over five rows, each rounded to 6e-8 of values of up to 2.
        assert_close(&widened(&read::<f32, 2>(&w.grad(&loss.backward()).unwrap())), &expected, 2e-6);
    }
}

#[test]
fn three_times_the_loss_plus_another() {
    let exact = |w: &[f64]| 3.0 * exact_loss(w) + w.iter().map(|w| w * w).sum::<f64>();
    let expected = finite_differences(&weights(), exact);
    for device in autodiff_devices() {
        let (w, loss) = layer::<f64>(&device);
        let total = loss * 3.0 + w.clone().square().sum();
        assert_close(&read::<f64, 2>(&w.grad(&total.backward()).unwrap()), &expected, 1e-8);
    }
}

/// Logits as a leaf: the gradient that arrives is the one that the kernel gives for the same upstream, bit for bit.
#[test]
fn a_multiple_of_the_loss_scales_the_gradient_once() {
    fn check<T: Element + burn::tensor::Element>() {
        let config = config();
        let values = narrowed::<T>(&numbers(3, ROWS * CLASSES, 4.0));
        let problem = Problem::new(&config, &[ROWS, CLASSES], core_classes(&TARGETS, &[ROWS])).unwrap();
        let mut wide = vec![T::Wide::default(); values.len()];
        kernel::loss_and_gradient(&problem, &values, T::Wide::from_f64(1.0), &mut wide).unwrap();
        for device in autodiff_devices() {
            let logits = tensor(&values, [ROWS, CLASSES], &device).require_grad();
            let criterion = SmoothedCrossEntropy::from_config(config.clone()).unwrap();
            let loss = criterion.loss(logits.clone(), classes(&TARGETS, [ROWS], &device)).unwrap() * 3.0;
            let gradient = read::<T, 2>(&logits.grad(&loss.backward()).unwrap());
            let once = |g: &T::Wide| T::narrow(T::Wide::from_f64(3.0 * g.to_f64())).to_f64();
            assert_same(&widened(&gradient), &wide.iter().map(once).collect::<Vec<_>>());
        }
    }
    check::<f32>();
    check::<f64>();
    check::<f16>();
    check::<bf16>();
}

#[test]
fn two_losses_of_the_same_logits_add_up() {
    let device = Device::flex().autodiff();
    let values = narrowed::<f64>(&numbers(4, ROWS * CLASSES, 3.0));
    let logits = tensor(&values, [ROWS, CLASSES], &device).require_grad();
    let targets = || classes(&TARGETS, [ROWS], &device);
    let first = SmoothedCrossEntropy::from_config(config()).unwrap();
    let second = Config::cross_entropy().ignore_index([-100]).denominator(Denominator::All).build().unwrap();
    let second = SmoothedCrossEntropy::from_config(second).unwrap();

    let gradient = |loss: Tensor<1>| read::<f64, 2>(&logits.grad(&loss.backward()).unwrap());
    let loss = |criterion: &SmoothedCrossEntropy| criterion.loss(logits.clone(), targets()).unwrap();
    let of_sum = gradient(loss(&first) + loss(&second));
    // One leaf, two graphs: each has its own backward.
    let sum = gradient(loss(&first)).iter().zip(gradient(loss(&second))).map(|(a, b)| a + b).collect::<Vec<_>>();
    assert_close(&of_sum, &sum, 1e-16);
    let used_twice = loss(&first);
    let twice = gradient(loss(&first)).iter().map(|g| 2.0 * g).collect::<Vec<_>>();
    assert_same(&gradient(used_twice.clone() + used_twice), &twice);
}

/// burn keeps no graph for a second backward; a step of this crate is no exception.
#[test]
fn backward_twice_is_what_it_is_in_burn() {
    let device = Device::flex().autodiff();
    let (_, loss) = layer::<f32>(&device);
    let of_burn = tensor(&[1.0_f32, 2.0], [2], &device).require_grad().square().sum();
    for loss in [loss, of_burn] {
        let _gradients = loss.backward();
        let second = catch_unwind(AssertUnwindSafe(|| loss.backward()));
        let message = *second.err().expect("a panic").downcast::<String>().unwrap();
        assert!(message.contains("already been consumed"), "{message}");
    }
}

#[test]
fn the_gradient_is_itself_a_constant() {
    let device = Device::flex().autodiff();
    let (w, loss) = layer::<f32>(&device);
    let gradient = w.grad(&loss.backward()).unwrap();
    assert!(!gradient.is_tracked());
}

/// Row losses with an upstream gradient of every sign, for both families and a class axis that is not the last.
#[test]
fn row_losses_take_any_upstream() {
    let upstream = [0.3, -1.7, 0.0, 2.5, 1.0, -0.25];
    for (dims, axis) in [([6, 4, 1], 1), ([2, 4, 3], 1), ([6, 1, 4], 2), ([4, 2, 3], 0)] {
        check_rows::<f32>(dims, axis, &upstream);
        check_rows::<f64>(dims, axis, &upstream);
        check_rows::<f16>(dims, axis, &upstream);
        check_rows::<bf16>(dims, axis, &upstream);
    }
}

fn check_rows<T: Element + burn::tensor::Element>(dims: [usize; 3], axis: usize, upstream: &[f64]) {
    let targets = [2, 0, -100, 3, 1, 1];
    let mut row_dims = dims.to_vec();
    row_dims.remove(axis);
    let [first, second] = [row_dims[0], row_dims[1]];
    let config = Config::cross_entropy().smoothing(Smoothing::UniformOthers { epsilon: 0.2 });
    let config = config.ignore_index([-100]).class_axis(axis).build().unwrap();
    let values = narrowed::<T>(&numbers(5, 24, 4.0));
    let problem = Problem::new(&config, &dims, core_classes(&targets, &row_dims)).unwrap();
    let (mut losses, mut wide) = (vec![T::Wide::default(); 6], vec![T::Wide::default(); 24]);
    let ones = vec![T::Wide::from_f64(1.0); 6];
    kernel::row_losses_and_gradient(&problem, &values, &ones, &mut losses, &mut wide).unwrap();
    let of_row = narrowed::<T::Wide>(upstream);
    let mut expected = vec![0.0; 24];
    for (row, upstream) in of_row.iter().enumerate() {
        for class in 0..4 {
            let place = problem.shape().element(row, class);
            let wide = T::Wide::from_f64(upstream.to_f64() * wide[place].to_f64());
            expected[place] = T::narrow(wide).to_f64();
        }
    }
    for device in autodiff_devices() {
        let logits = tensor(&values, dims, &device).require_grad();
        let criterion = SmoothedCrossEntropy::from_config(config.clone()).unwrap();
        let rows = criterion.row_losses(logits.clone(), classes(&targets, [first, second], &device)).unwrap();
        assert_same(&rows.to_data().iter::<f64>().collect::<Vec<_>>(), &widened(&losses));
        let upstream = TensorData::new(upstream.to_vec(), [first, second]);
        let upstream = Tensor::<2>::from_data(upstream, (&device, rows.dtype()));
        let gradients = (rows * upstream).sum().backward();
        assert_same(&widened(&read::<T, 3>(&logits.grad(&gradients).unwrap())), &expected);
    }
}

#[test]
fn binary_losses_take_any_upstream() {
    let values = narrowed::<f32>(&numbers(6, 12, 5.0));
    let upstream = narrowed::<f32>(&numbers(7, 12, 2.0));
    let targets = [2, 0, 1];
    let criterion = SmoothedBinaryCrossEntropy::new(0.1).unwrap();
    let problem = Problem::new(criterion.config(), &[3, 4], core_classes(&targets, &[3])).unwrap();
    let (mut losses, mut gradient) = ([0.0_f32; 12], [0.0_f32; 12]);
    kernel::row_losses_and_gradient(&problem, &values, &[1.0; 12], &mut losses, &mut gradient).unwrap();
    for device in autodiff_devices() {
        let logits = tensor(&values, [3, 4], &device).require_grad();
        let rows = criterion.row_losses(logits.clone(), classes(&targets, [3], &device)).unwrap();
        assert_same(&widened(&read::<f32, 2>(&rows)), &widened(&losses));
        let gradients = (rows * tensor(&upstream, [3, 4], &device)).sum().backward();
        let expected: Vec<f64> = gradient.iter().zip(&upstream).map(|(g, u)| f64::from(g * u)).collect();
        assert_same(&widened(&read::<f32, 2>(&logits.grad(&gradients).unwrap())), &expected);
    }
}

/// Ignored and masked rows are not looked at, and nothing upstream makes their gradient anything but 0.
#[test]
fn ignored_rows_have_a_gradient_of_zero() {
    for device in autodiff_devices() {
        let values = [f32::NAN, 1.0, 2.0, f32::INFINITY, f32::NEG_INFINITY, f32::NAN, 0.5, -0.5, 0.25];
        let logits = tensor(&values, [3, 3], &device).require_grad();
        let targets = classes(&[-100, 7, 1], [3], &device);
        let mask = Tensor::<1, Bool>::from_data(TensorData::from([true, false, true]), &device);
        let config = Config::cross_entropy().smoothing(Smoothing::Uniform { epsilon: 0.1 }).ignore_index([-100]);
        let criterion = SmoothedCrossEntropy::from_config(config.build().unwrap()).unwrap();
        let masked = || Masked { targets: targets.clone(), mask: mask.clone() };

        let loss = criterion.loss(logits.clone(), masked()).unwrap();
        let gradient = read::<f32, 2>(&logits.grad(&loss.backward()).unwrap());
        assert_eq!(gradient[..6], [0.0; 6]);
        assert!(gradient[6..].iter().all(|g| g.is_finite() && *g != 0.0));

        let rows = criterion.row_losses(logits.clone(), masked()).unwrap();
        assert_eq!(read::<f32, 1>(&rows)[..2], [0.0; 2]);
        // The derivative of the logarithm at a loss of 0 is infinite.
        let gradient = read::<f32, 2>(&logits.grad(&rows.log().sum().backward()).unwrap());
        assert_eq!(gradient[..6], [0.0; 6]);
    }
}

#[test]
fn logits_that_nobody_differentiates_give_a_loss_without_graph() {
    let values = narrowed::<f32>(&numbers(8, ROWS * CLASSES, 2.0));
    let plain = Device::flex();
    let device = Device::flex().autodiff();
    let criterion = SmoothedCrossEntropy::from_config(config()).unwrap();
    let (expected, _) = kernel_gradient(
        &Problem::new(criterion.config(), &[ROWS, CLASSES], core_classes(&TARGETS, &[ROWS])).unwrap(),
        &values,
        1.0,
    );
    let tracked = tensor(&values, [ROWS, CLASSES], &device).require_grad();
    let without_gradient = [
        tensor(&values, [ROWS, CLASSES], &plain),
        tensor(&values, [ROWS, CLASSES], &device),
        tracked.clone().inner(),
        (tracked.clone() * 1.0).detach(),
        tracked.set_require_grad(false),
    ];
    for logits in without_gradient {
        // Targets may have autodiff where the logits have not, and the other way round.
        for targets in [classes(&TARGETS, [ROWS], &plain), classes(&TARGETS, [ROWS], &device)] {
            let loss = criterion.loss(logits.clone(), targets).unwrap();
            assert!(!loss.is_tracked());
            assert_eq!(f64::from(loss.into_scalar::<f32>()), expected);
        }
        assert_eq!(read::<f32, 2>(&logits), values);
    }
}

#[test]
fn the_callers_logits_are_never_changed() {
    let device = Device::flex().autodiff();
    let values = narrowed::<f32>(&numbers(9, ROWS * CLASSES, 2.0));
    let logits = tensor(&values, [ROWS, CLASSES], &device).require_grad();
    let criterion = SmoothedCrossEntropy::from_config(config()).unwrap();
    let loss = criterion.loss(logits.clone(), classes(&TARGETS, [ROWS], &device)).unwrap();
    assert_eq!(read::<f32, 2>(&logits), values);
    let _gradients = loss.backward();
    assert_eq!(read::<f32, 2>(&logits), values);
}
