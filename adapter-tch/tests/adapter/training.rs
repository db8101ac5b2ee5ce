//! Training in libtorch gives what the same steps on plain slices give.

use crate::common::{elements, read, sizes, tensor};
use label_smoothing_core::{Array, Problem, Targets, kernel};
use label_smoothing_tch::tch::nn::{self, Module, OptimizerConfig};
use label_smoothing_tch::tch::{Device, Tensor, no_grad_guard};
use label_smoothing_tch::{SmoothedCrossEntropy, SmoothedLoss};

const ROWS: usize = 16;
const INPUTS: usize = 8;
const CLASSES: usize = 5;
const STEPS: usize = 20;
const RATE: f32 = 0.5;

fn inputs() -> Vec<f32> {
    elements(ROWS * INPUTS, 41)
}

fn targets() -> Vec<i64> {
    (0..ROWS).map(|row| i64::try_from(row * row % CLASSES).unwrap()).collect()
}

fn first_weights() -> Vec<f32> {
    elements::<f32>(INPUTS * CLASSES, 42).iter().map(|weight| weight / 8.0).collect()
}

/// `a` of `rows x inner` times `b` of `inner x columns`.
fn multiply(
    a: impl Fn(usize, usize) -> f32,
    b: impl Fn(usize, usize) -> f32,
    [rows, inner, columns]: [usize; 3],
) -> Vec<f32> {
    let element = |place: usize| (0..inner).map(|k| a(place / columns, k) * b(k, place % columns)).sum();
    (0..rows * columns).map(element).collect()
}

/// The losses of plain gradient descent on slices.
fn on_slices(criterion: &SmoothedCrossEntropy) -> Vec<f64> {
    let (x, mut weight, classes) = (inputs(), first_weights(), targets());
    let step = |_| {
        let problem = Problem::new(
            criterion.config(),
            &[ROWS, CLASSES],
            Targets::<f32>::indices(Array::new([ROWS], classes.as_slice())),
        );
        let logits = multiply(|r, k| x[r * INPUTS + k], |k, c| weight[k * CLASSES + c], [ROWS, INPUTS, CLASSES]);
        let mut gradient = vec![0.0_f32; logits.len()];
        let loss = kernel::loss_and_gradient(&problem.unwrap(), &logits, 1.0, &mut gradient).unwrap();
        let slope = multiply(|i, r| x[r * INPUTS + i], |r, c| gradient[r * CLASSES + c], [INPUTS, ROWS, CLASSES]);
        weight.iter_mut().zip(slope).for_each(|(weight, slope)| *weight -= RATE * slope);
        loss.value
    };
    (0..STEPS).map(step).collect()
}

/// The same with a layer, an optimizer and autograd of libtorch.
fn in_libtorch(criterion: &SmoothedCrossEntropy) -> Vec<f64> {
    let x = tensor(&[ROWS, INPUTS], &inputs());
    let classes = Tensor::from_slice(&targets());
    let variables = nn::VarStore::new(Device::Cpu);
    let config = nn::LinearConfig { ws_init: nn::Init::Const(0.0), bs_init: None, bias: false };
    let mut layer = nn::linear(variables.root(), sizes(&[INPUTS])[0], sizes(&[CLASSES])[0], config);
    let weight = tensor(&[INPUTS, CLASSES], &first_weights());
    {
        let _guard = no_grad_guard();
        layer.ws.copy_(&weight.tr());
    }
    let mut optimizer = nn::Sgd::default().build(&variables, f64::from(RATE)).unwrap();
    let step = |_| {
        let loss = criterion.loss(&layer.forward(&x), &classes).unwrap();
        optimizer.backward_step(&loss);
        read(&loss)[0]
    };
    (0..STEPS).map(step).collect()
}

#[test]
fn twenty_steps_agree_with_the_same_steps_on_slices() {
    let criterion = SmoothedCrossEntropy::new(0.1).unwrap();
    let (slices, libtorch) = (on_slices(&criterion), in_libtorch(&criterion));
    assert!(slices[STEPS - 1] < 0.6 * slices[0], "nothing was learned: {slices:?}");
    for (step, (slices, libtorch)) in slices.iter().zip(&libtorch).enumerate() {
        assert!((slices - libtorch).abs() <= 1e-5, "step {step}: {libtorch} in libtorch, {slices} on slices");
    }
}
