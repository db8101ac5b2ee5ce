//! What libtorch's autograd makes of the loss, against finite differences of the reference.

use crate::common::{against, binary, bits, elements, everything, gradient, leaf, numbers, read, tensor, widened};
use label_smoothing_core::{Array, Problem, Targets, kernel, reference};
use label_smoothing_tch::tch::{self, Kind, Reduction, Tensor};
use label_smoothing_tch::{
    Config, Element, Error, ErrorKind, Masked, Probabilities, SmoothedBinaryCrossEntropy, SmoothedCrossEntropy,
    SmoothedLoss, bf16, f16,
};

const INPUTS: usize = 3;
const CLASSES: usize = 4;
const ROWS: usize = 5;

/// `x W` in `f64`, with `W` in the shape `[INPUTS, CLASSES]`.
fn product(x: &[f64], weight: &[f64]) -> Vec<f64> {
    let element = |place: usize| {
        let (row, class) = (place / CLASSES, place % CLASSES);
        (0..INPUTS).map(|input| x[row * INPUTS + input] * weight[input * CLASSES + class]).sum()
    };
    (0..ROWS * CLASSES).map(element).collect()
}

/// The derivative by each weight, by central differences of fourth order. With a step of 2^-10 what they leave out is
/// below `step^4 / 30 * |f'''''|`, about 1e-13 here, and the rounding of `f` adds 1.5 * 2^-52 |f| / step, about 1e-12.
fn differences(weight: &[f64], f: impl Fn(&[f64]) -> f64) -> Vec<f64> {
    let step = 2.0_f64.powi(-10);
    let shifted = |place: usize, steps: f64| {
        let mut weight = weight.to_vec();
        weight[place] += steps * step;
        f(&weight)
    };
    let derivative = |place| {
        let (near, far) = (shifted(place, 1.0) - shifted(place, -1.0), shifted(place, 2.0) - shifted(place, -2.0));
        (8.0 * near - far) / (12.0 * step)
    };
    (0..weight.len()).map(derivative).collect()
}

fn assert_close(name: &str, found: &[f64], expected: &[f64], tolerance: f64) {
    assert_eq!(found.len(), expected.len(), "{name}");
    for (place, (found, expected)) in found.iter().zip(expected).enumerate() {
        assert!((found - expected).abs() <= tolerance, "{name}[{place}]: {found:e}, expected {expected:e}");
    }
}

/// A linear layer in front of the loss.
struct Layer<T> {
    x: Vec<T>,
    weight: Vec<T>,
}

impl<T: Element> Layer<T> {
    fn new() -> Self {
        Self { x: elements(ROWS * INPUTS, 21), weight: elements(INPUTS * CLASSES, 22) }
    }

    /// The weight's gradient by libtorch.
    fn by_autograd(&self, loss: impl Fn(&Tensor) -> Tensor) -> Vec<f64> {
        let weight = leaf(&[INPUTS, CLASSES], &self.weight);
        loss(&tensor(&[ROWS, INPUTS], &self.x).matmul(&weight)).backward();
        read(&weight.grad())
    }

    /// The weight's gradient by finite differences of a function of the logits.
    fn by_differences(&self, loss: impl Fn(&[f64]) -> f64) -> Vec<f64> {
        let x = widened(&self.x);
        differences(&widened(&self.weight), |weight| loss(&product(&x, weight)))
    }
}

fn reference_loss(config: &Config, targets: Targets<f64>, z: &[f64]) -> f64 {
    reference::loss(&Problem::new(config, &[ROWS, CLASSES], targets).unwrap(), z).unwrap()
}

const TARGETS: [i64; ROWS] = [3, 0, -100, 1, 1];

fn indices() -> Targets<'static, f64> {
    Targets::indices(Array::new([ROWS], TARGETS.to_vec()))
}

fn a_linear_layer_gets_its_gradient<T: Element>() {
    // Rounding of the logits (3 products of numbers below 4, so about 24 u each) and of the gradient (sums of 5 products of
    // numbers below 4, scaled by class weights up to 1.25), with the denominator: 100 u; for f64 the differences' own error.
    let tolerance = (100.0 * T::UNIT_ROUNDOFF).max(1e-11);
    let layer = Layer::<T>::new();
    let targets = Tensor::from_slice(&TARGETS);
    let config = everything(CLASSES);
    let criterion = SmoothedCrossEntropy::from_config(config.clone()).unwrap();
    let found = layer.by_autograd(|z| criterion.loss(z, &targets).unwrap());
    let expected = layer.by_differences(|z| reference_loss(&config, indices(), z));
    assert!(expected.iter().any(|value| value.abs() > 0.1), "a gradient that is all but zero would show nothing");
    assert_close("cross entropy", &found, &expected, tolerance);

    let config = binary().to_builder().ignore_index([-100]).build().unwrap();
    let criterion = SmoothedBinaryCrossEntropy::from_config(config.clone()).unwrap();
    let found = layer.by_autograd(|z| criterion.loss(z, &targets).unwrap());
    assert_close("binary", &found, &layer.by_differences(|z| reference_loss(&config, indices(), z)), tolerance);

    let soft: Vec<f64> = numbers(ROWS * CLASSES, 23).iter().map(|value| (value + 4.0) / 16.0).collect();
    let criterion = SmoothedCrossEntropy::new(0.3).unwrap();
    let tensor_of_soft = tensor(&[ROWS, CLASSES], &soft);
    let upstream = [1.0, -2.0, 0.0, 0.5, 3.0];
    let found =
        layer.by_autograd(|z| against(&criterion.row_losses(z, Probabilities(&tensor_of_soft)).unwrap(), &upstream));
    let expected = layer.by_differences(|z| {
        let targets = Targets::probabilities(Array::new([ROWS, CLASSES], soft.clone()));
        let problem = Problem::new(criterion.config(), &[ROWS, CLASSES], targets).unwrap();
        reference::row_losses(&problem, z).unwrap().iter().zip(upstream).map(|(loss, upstream)| loss * upstream).sum()
    });
    assert_close("row losses", &found, &expected, 4.0 * tolerance);
}

#[test]
fn a_linear_layer_in_front_gets_its_gradient() {
    a_linear_layer_gets_its_gradient::<f64>();
    a_linear_layer_gets_its_gradient::<f32>();
}

/// The gradient by the kernel in the type of the losses.
fn kernel_gradient<T: Element>(config: &Config, targets: &[i64], dims: &[usize], z: &[T]) -> Vec<T::Wide> {
    let targets = Targets::<f32>::indices(Array::new([targets.len()], targets));
    let problem = Problem::new(config, dims, targets).unwrap();
    let mut gradient = vec![T::Wide::default(); z.len()];
    kernel::loss_and_gradient(&problem, z, T::Wide::from_f64(1.0), &mut gradient).unwrap();
    gradient
}

#[test]
fn three_times_the_loss_and_another_loss_add_up() {
    let z = elements::<f32>(12, 24);
    let (criterion, classes) = (SmoothedCrossEntropy::new(0.1).unwrap(), [1_i64, 0, 3]);
    let logits = leaf(&[3, 4], &z);
    let loss = criterion.loss(&logits, &Tensor::from_slice(&classes)).unwrap();
    let other_loss = logits.square().sum(Kind::Float);
    (loss * 3.0 + other_loss).backward();
    let own = kernel_gradient(criterion.config(), &classes, &[3, 4], &z);
    let expected: Vec<f32> = own.iter().zip(&z).map(|(g, z)| 3.0 * g + 2.0 * z).collect();
    assert_eq!(bits(&read(&logits.grad())), bits(&widened(&expected)));

    let targets = Targets::<f64>::indices(Array::new([3], classes.to_vec()));
    let problem = Problem::new(criterion.config(), &[3, 4], targets).unwrap();
    let exact = reference::loss_gradient(&problem, &widened(&z), 3.0).unwrap();
    let exact: Vec<f64> = exact.iter().zip(&z).map(|(g, z)| g + 2.0 * f64::from(*z)).collect();
    assert_close("3 loss + other", &read(&logits.grad()), &exact, 1e-6);
}

/// An operation in place works on the result as on any other.
#[test]
fn a_loss_can_be_scaled_in_place() {
    let z = elements::<f32>(6, 30);
    let (criterion, targets) = (SmoothedCrossEntropy::new(0.1).unwrap(), [2_i64, 0]);
    let logits = leaf(&[2, 3], &z);
    let mut loss = criterion.loss(&logits, &Tensor::from_slice(&targets)).unwrap();
    let value = read(&loss)[0];
    let _ = loss.multiply_scalar_(0.5);
    assert_eq!(read(&loss), [0.5 * value]);
    let own = kernel_gradient(criterion.config(), &targets, &[2, 3], &z);
    let expected: Vec<f64> = own.iter().map(|g| 0.5 * f64::from(*g)).collect();
    assert_eq!(bits(&read(&gradient(&loss, &logits))), bits(&expected));
}

/// As with libtorch's own loss: the graph is gone after `backward`, unless it is kept.
#[test]
fn backward_twice_is_refused_by_libtorch_unless_the_graph_is_kept() {
    let logits = leaf(&[2, 3], &elements::<f32>(6, 25));
    let targets = Tensor::from_slice(&[2_i64, 0]);
    let ours = SmoothedCrossEntropy::new(0.1).unwrap().loss(&logits, &targets).unwrap();
    let rows = SmoothedCrossEntropy::new(0.1).unwrap().row_losses(&logits, &targets).unwrap().sum(Kind::Float);
    let theirs = logits.cross_entropy_loss(&targets, None::<Tensor>, Reduction::Mean, -100, 0.1);
    for loss in [&ours, &rows, &theirs] {
        let (once, twice) = (gradient(loss, &logits), gradient(loss, &logits)); // the graph is kept
        assert_eq!(bits(&read(&once)), bits(&read(&twice)));
        loss.backward();
        let refused = loss.f_backward().unwrap_err().to_string();
        assert!(refused.contains("backward through the graph a second time"), "{refused}");
    }
}

#[test]
fn two_losses_of_one_graph_and_a_loss_used_twice_add_up() {
    let (first, second) = ([2_i64, 0], [1_i64, 1]);
    let z = elements::<f64>(6, 26);
    let criterion = SmoothedCrossEntropy::new(0.1).unwrap();
    let parameter = leaf(&[2, 3], &z);
    let logits = &parameter * 1.0;
    let loss = |classes: &[i64]| criterion.loss(&logits, &Tensor::from_slice(classes)).unwrap();
    let (one, two) = (loss(&first), loss(&second));
    (&one + &two + &one).backward();
    let own = |classes| kernel_gradient(criterion.config(), classes, &[2, 3], &z);
    let expected: Vec<f64> = own(&first).iter().zip(own(&second)).map(|(one, two)| 2.0 * one + two).collect();
    assert_close("two losses", &read(&parameter.grad()), &expected, 4.0 * f64::EPSILON);
}

/// The gradient comes out as a constant, as the documentation says, and the composed loss is there for the rest.
#[test]
fn a_second_derivative_is_refused_by_libtorch() {
    let logits = leaf(&[2, 3], &elements::<f64>(6, 27));
    let targets = Tensor::from_slice(&[2_i64, 0]);
    let loss = SmoothedCrossEntropy::new(0.1).unwrap().loss(&logits, &targets).unwrap();
    let gradient = Tensor::run_backward(&[loss], &[&logits], true, true).remove(0);
    assert!(!gradient.requires_grad());
    let refused = gradient.sum(Kind::Double).f_backward().unwrap_err().to_string();
    assert!(refused.contains("does not require grad"), "{refused}");
}

/// Where nothing is recorded the result has no graph. That no gradient was computed is tested in the crate.
#[test]
fn without_a_graph_in_front_there_is_none_behind() {
    let criterion = SmoothedCrossEntropy::new(0.1).unwrap();
    let targets = Tensor::from_slice(&[2_i64, 0]);
    let logits = leaf(&[2, 3], &elements::<f32>(6, 28));
    let tracked = criterion.loss(&logits, &targets).unwrap();
    assert!(tracked.requires_grad());
    let untracked = criterion.loss(&logits.detach(), &targets).unwrap();
    let switched_off = {
        let _guard = tch::no_grad_guard();
        let view = logits.view([2, 3]);
        [
            criterion.loss(&logits, &targets).unwrap(),
            criterion.loss(&view, &targets).unwrap(),
            criterion.row_losses(&logits, &targets).unwrap().mean(Kind::Float),
        ]
    };
    for loss in switched_off.iter().chain([&untracked]) {
        assert!(!loss.requires_grad());
        assert_eq!((loss.kind(), loss.dim()), (tracked.kind(), 0));
        assert!((read(loss)[0] - read(&tracked)[0]).abs() <= f64::from(f32::EPSILON));
    }
    assert!(criterion.loss(&logits, &targets).unwrap().requires_grad(), "recording is on again");
}

fn ignored_rows_have_no_gradient<T: Element>() {
    let mut z = elements::<T>(15, 29);
    for place in 5..10 {
        z[place] = T::from_f64([f64::NAN, f64::INFINITY, f64::NEG_INFINITY, f64::NAN, 1.0][place - 5]);
    }
    let criterion = SmoothedCrossEntropy::from_config(everything(5)).unwrap();
    let binary = SmoothedBinaryCrossEntropy::from_config(binary()).unwrap();
    let (by_id, classes) = (Tensor::from_slice(&[4_i64, -100, 2]), Tensor::from_slice(&[4_i64, 99, 2]));
    let mask = Tensor::from_slice(&[true, false, true]);
    let masked = Masked { targets: &classes, mask: &mask };
    let logits = leaf(&[3, 5], &z);
    let all = [
        criterion.row_losses(&logits, &by_id).unwrap(),
        criterion.row_losses(&logits, masked).unwrap(),
        criterion.composed().row_losses(&logits, masked).unwrap(),
        binary.row_losses(&logits, masked).unwrap(),
        binary.composed().row_losses(&logits, masked).unwrap(),
    ];
    for (which, losses) in all.iter().enumerate() {
        let per_row = losses.numel() / 3;
        assert!(read(losses)[per_row..2 * per_row].iter().all(|loss| *loss == 0.0), "{which}");
        assert!(read(losses)[2 * per_row..].iter().all(|loss| *loss > 0.0), "{which}");
        // Whatever is upstream: something may have divided by a loss of 0.
        for ignored in [0.5, f64::INFINITY, f64::NAN] {
            let mut upstream: Vec<f64> = (0..losses.numel()).map(|place| place as f64 - 1.5).collect();
            upstream[per_row..2 * per_row].fill(ignored);
            let g = read(&gradient(&against(losses, &upstream), &logits));
            assert!(g[5..10].iter().all(|g| *g == 0.0), "{which}: {g:?} for {ignored}");
            assert!(g[..5].iter().chain(&g[10..]).all(|g| g.is_finite() && *g != 0.0), "{which}: {g:?}");
        }
    }
    let mean = criterion.loss(&logits, &by_id).unwrap();
    assert!(read(&mean)[0].is_finite());
    assert!(read(&gradient(&mean, &logits)).iter().all(|g| g.is_finite()));
}

#[test]
fn ignored_rows_have_loss_and_gradient_0_even_where_their_logits_are_nan() {
    ignored_rows_have_no_gradient::<f64>();
    ignored_rows_have_no_gradient::<f32>();
    ignored_rows_have_no_gradient::<f16>();
    ignored_rows_have_no_gradient::<bf16>();
}

/// What is beyond f32 is infinite there, as everywhere; libtorch itself would refuse to write such a number.
#[test]
fn a_loss_beyond_its_type_is_infinite() {
    let logits = leaf(&[1, 2], &[3e38_f32, -3e38]);
    let (criterion, targets) = (SmoothedCrossEntropy::new(0.0).unwrap(), Tensor::from_slice(&[1_i64]));
    for logits in [&logits, &logits.detach()] {
        assert_eq!(read(&criterion.loss(logits, &targets).unwrap()), [f64::INFINITY]);
        assert_eq!(read(&criterion.row_losses(logits, &targets).unwrap()), [f64::INFINITY]);
    }
    let loss = criterion.loss(&logits, &targets).unwrap();
    assert_eq!(read(&gradient(&loss, &logits)), [1.0, -1.0]);
}

/// The value is written over a product that is NaN here; it must not show.
#[test]
fn infinite_logits_do_not_spoil_loss_and_gradient() {
    let z = [0.5_f32, f32::NEG_INFINITY, 1.5, -0.5];
    let logits = leaf(&[1, 4], &z);
    let targets = Tensor::from_slice(&[2_i64]);
    let hard = SmoothedCrossEntropy::new(0.0).unwrap();
    for criterion in [&hard, &SmoothedCrossEntropy::new(0.1).unwrap()] {
        let loss = criterion.loss(&logits, &targets).unwrap();
        let rows = criterion.row_losses(&logits, &targets).unwrap();
        let own = kernel_gradient(criterion.config(), &[2], &[1, 4], &z);
        for loss in [&loss, &rows.sum(Kind::Float)] {
            let finite = criterion == &hard;
            assert_eq!(read(loss)[0].is_finite(), finite);
            assert!(finite || read(loss)[0] == f64::INFINITY);
            assert_eq!(bits(&read(&gradient(loss, &logits))), bits(&widened(&own)));
        }
        assert!(own.iter().all(|g| g.is_finite()));
    }
}

/// An exception of libtorch's is an error with its message.
#[test]
fn exceptions_become_errors() {
    let Err(error) = Tensor::f_zeros([-1], (Kind::Float, tch::Device::Cpu)) else { panic!("a negative length") };
    let error = Error::from(error);
    assert_eq!(error.kind(), ErrorKind::Framework);
    assert!(error.to_string().contains("negative"), "{error}");
}
