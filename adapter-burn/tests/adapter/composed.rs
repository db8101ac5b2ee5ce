//! The loss composed of burn's operations, held against the reference.

use crate::common::{assert_same, autodiff_devices, classes, narrowed, numbers, read, tensor, widened};
use burn::tensor::{Bool, Device, Tensor, TensorData};
use label_smoothing_burn::{
    BurnTargets, ClassWeighting, Config, ConfigBuilder, Denominator, Element, EmptyMean, Error, Masked,
    NonFiniteLogits, Probabilities, Reduction, SmoothedBinaryCrossEntropy, SmoothedCrossEntropy, SmoothedLoss,
    Smoothing, bf16, burn, f16,
};
use label_smoothing_core::reference::{self, Coefficients};
use label_smoothing_core::{Array, LossFamily, Problem, Targets};

/// What a case is made of: targets for burn and for the reference, on rank 2 with the classes last.
struct Case {
    config: Config,
    logits: Vec<f64>,
    classes: usize,
    labels: Labels,
    upstream: Option<Vec<f64>>,
}

#[derive(Clone)]
enum Labels {
    Indices(Vec<i64>),
    Masked(Vec<i64>, Vec<bool>),
    Probabilities(Vec<f64>),
}

impl Case {
    fn new(config: ConfigBuilder, logits: Vec<f64>, classes: usize, labels: Labels) -> Self {
        Self { config: config.build().unwrap(), logits, classes, labels, upstream: None }
    }

    fn dims(&self) -> [usize; 2] {
        [self.logits.len() / self.classes, self.classes]
    }

    fn core_targets(&self) -> Targets<'static, f64> {
        let [rows, classes] = self.dims();
        match self.labels.clone() {
            Labels::Indices(values) => Targets::indices(Array::new([rows], values)),
            Labels::Masked(values, mask) => {
                Targets::indices(Array::new([rows], values)).masked(Array::new([rows], mask))
            }
            Labels::Probabilities(values) => Targets::probabilities(Array::new([rows, classes], values)),
        }
    }

    /// Loss (or row losses) and gradient, by burn.
    fn run<T: Element + burn::tensor::Element>(&self, device: &Device) -> (Vec<f64>, Vec<f64>) {
        let [rows, _] = self.dims();
        let targets = |values: &[i64]| classes(values, [rows], device);
        match &self.labels {
            Labels::Indices(values) => self.run_with::<T, _>(device, targets(values)),
            Labels::Masked(values, mask) => {
                let mask = Tensor::<1, Bool>::from_data(TensorData::new(mask.clone(), [rows]), device);
                self.run_with::<T, _>(device, Masked { targets: targets(values), mask })
            }
            Labels::Probabilities(values) => {
                let values = tensor(&narrowed::<T>(values), self.dims(), device);
                self.run_with::<T, _>(device, Probabilities(values))
            }
        }
    }

    fn run_with<T: Element + burn::tensor::Element, Y: BurnTargets>(
        &self,
        device: &Device,
        targets: Y,
    ) -> (Vec<f64>, Vec<f64>) {
        let leaf = tensor(&narrowed::<T>(&self.logits), self.dims(), device).require_grad();
        let (values, total) = match (self.config.loss(), &self.upstream) {
            (LossFamily::CrossEntropy, None) => {
                let criterion = SmoothedCrossEntropy::from_config(self.config.clone()).unwrap().composed();
                scalar(criterion.loss(leaf.clone(), targets))
            }
            (LossFamily::CrossEntropy, Some(upstream)) => {
                let criterion = SmoothedCrossEntropy::from_config(self.config.clone()).unwrap().composed();
                weighted(criterion.row_losses(leaf.clone(), targets), upstream)
            }
            (LossFamily::BinaryCrossEntropy, None) => {
                let criterion = SmoothedBinaryCrossEntropy::from_config(self.config.clone()).unwrap().composed();
                scalar(criterion.loss(leaf.clone(), targets))
            }
            (LossFamily::BinaryCrossEntropy, Some(upstream)) => {
                let criterion = SmoothedBinaryCrossEntropy::from_config(self.config.clone()).unwrap().composed();
                weighted(criterion.row_losses(leaf.clone(), targets), upstream)
            }
        };
        let gradient = leaf.grad(&total.backward()).expect("a gradient");
        (values, widened(&read::<T, 2>(&gradient)))
    }

    /// The exact answers, and what errors are measured in: the scale of the kit's tolerance rule.
    fn exact<T: Element>(&self) -> Exact {
        let logits: Vec<f64> = self.logits.iter().map(|&z| T::from_f64(z).to_f64()).collect();
        let problem = Problem::new(&self.config, &self.dims(), self.core_targets()).unwrap();
        let (factors, losses, gradient) = match &self.upstream {
            None => (
                vec![problem.gradient_divisor().map_or(0.0, |by| 1.0 / by); problem.losses()],
                vec![reference::loss(&problem, &logits).unwrap()],
                reference::loss_gradient(&problem, &logits, 1.0).unwrap(),
            ),
            Some(upstream) => (
                upstream.clone(),
                reference::row_losses(&problem, &logits).unwrap(),
                reference::row_losses_gradient(&problem, &logits, upstream).unwrap(),
            ),
        };
        let (row_scales, gradient_scales) = self.scales(&problem, &logits, &factors);
        let loss_scales = match &self.upstream {
            Some(_) => row_scales,
            None => {
                vec![row_scales.iter().zip(&factors).map(|(scale, factor)| scale * factor).sum()]
            }
        };
        Exact { losses, gradient, loss_scales, gradient_scales }
    }

    fn scales(&self, problem: &Problem<f64>, logits: &[f64], factors: &[f64]) -> (Vec<f64>, Vec<f64>) {
        let Coefficients { positive, negative, z_factors, .. } = Coefficients::new(problem, logits).unwrap();
        let (mut of_losses, mut of_gradient) = (Vec::new(), Vec::new());
        for (row, z) in logits.chunks_exact(self.classes).enumerate() {
            let at = row * self.classes;
            let a = &positive[at..at + self.classes];
            if self.config.loss() == LossFamily::BinaryCrossEntropy {
                for (place, z) in z.iter().enumerate() {
                    let weight = positive[at + place] + negative[at + place];
                    of_losses.push(weight * (z.abs() + 2.0));
                    of_gradient.push(2.0 * weight * factors[at + place].abs());
                }
                continue;
            }
            let max = z.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let sum: f64 = z.iter().map(|z| (z - max).exp()).sum();
            let r = |c: usize| if z[c] == f64::NEG_INFINITY { 0.0 } else { (z[c] - max).abs() + sum.ln() + 1.0 };
            let lse = max + sum.ln();
            let of_row: f64 = (0..z.len()).map(|c| a[c] * r(c)).sum();
            of_losses.push(of_row + z_factors[row] * lse * lse);
            let total: f64 = a.iter().sum();
            let of_p = total + 2.0 * z_factors[row] * lse.abs();
            of_gradient
                .extend((0..z.len()).map(|c| factors[row].abs() * (of_p * (z[c] - max).exp() / sum * r(c) + a[c])));
        }
        (of_losses, of_gradient)
    }
}

struct Exact {
    losses: Vec<f64>,
    gradient: Vec<f64>,
    loss_scales: Vec<f64>,
    gradient_scales: Vec<f64>,
}

fn scalar(loss: Result<Tensor<1>, Error>) -> (Vec<f64>, Tensor<1>) {
    let loss = loss.unwrap();
    (loss.to_data().iter::<f64>().collect(), loss)
}

fn weighted<const R: usize>(rows: Result<Tensor<R>, Error>, upstream: &[f64]) -> (Vec<f64>, Tensor<1>) {
    let rows = rows.unwrap();
    let upstream = TensorData::new(upstream.to_vec(), rows.dims());
    let upstream = Tensor::<R>::from_data(upstream, (&rows.device(), rows.dtype()));
    (rows.to_data().iter::<f64>().collect(), (rows * upstream).sum())
}

/// The largest error in units of `u scale`; the classes of value must agree.
#[track_caller]
fn worst(actual: &[f64], expected: &[f64], scales: &[f64], unit: f64, smallest: f64) -> f64 {
    assert_eq!(actual.len(), expected.len());
    let mut worst = 0.0_f64;
    for (place, (&actual, &expected)) in actual.iter().zip(expected).enumerate() {
        let same_class = actual.is_nan() == expected.is_nan() && actual.is_infinite() == expected.is_infinite();
        assert!(
            same_class && (actual.is_finite() || actual.is_nan() || actual == expected),
            "{place}: {actual} {expected}"
        );
        if expected.is_finite() {
            let error = ((actual - expected).abs() - smallest).max(0.0);
            if error > 0.0 {
                worst = worst.max(error / (unit * scales[place]));
            }
        }
    }
    worst
}

#[track_caller]
fn check<T: Element + burn::tensor::Element>(name: &str, case: &Case) {
    let budget = 8.0;
    let exact = case.exact::<T>();
    let wide = <T::Wide as Element>::UNIT_ROUNDOFF;
    for device in autodiff_devices() {
        let (losses, gradient) = case.run::<T>(&device);
        let of_losses = worst(&losses, &exact.losses, &exact.loss_scales, wide, f64::from(f32::MIN_POSITIVE));
        let smallest = if T::NAME == "f16" { 6e-8 } else { 1e-37 };
        let of_gradient = worst(&gradient, &exact.gradient, &exact.gradient_scales, T::UNIT_ROUNDOFF, smallest);
        assert!(of_losses <= budget && of_gradient <= budget, "{name} in {}: {of_losses} {of_gradient}", T::NAME);
    }
}

fn check_all(name: &str, case: &Case) {
    check::<f32>(name, case);
    check::<f64>(name, case);
    check::<f16>(name, case);
    check::<bf16>(name, case);
}

fn uniform(epsilon: f64) -> ConfigBuilder {
    Config::cross_entropy().smoothing(Smoothing::Uniform { epsilon })
}

#[test]
fn every_option() {
    let (rows, classes) = (6, 5);
    let logits = || numbers(1, rows * classes, 6.0);
    let targets = || Labels::Indices(vec![2, 0, 4, 1, 3, 2]);
    let ignoring = || Labels::Indices(vec![2, -100, 4, 1, -7, 2]);
    let weights = [0.5, 2.0, 1.0, 0.0, 3.0];
    let soft = Labels::Probabilities((0..rows * classes).map(|i| (i % 7) as f64 / 16.0).collect());
    let configs = [
        ("none", Config::cross_entropy(), targets()),
        ("uniform", uniform(0.1), targets()),
        ("sum", uniform(0.1).reduction(Reduction::Sum), targets()),
        ("others", Config::cross_entropy().smoothing(Smoothing::UniformOthers { epsilon: 0.3 }), targets()),
        ("weights", uniform(0.1).class_weights(weights), targets()),
        ("by target", uniform(0.1).class_weights(weights).class_weighting(ClassWeighting::ByTarget), targets()),
        ("expected", uniform(0.1).class_weights(weights).class_weighting(ClassWeighting::Expected), targets()),
        ("ignore", uniform(0.1).ignore_index([-100, -7]), ignoring()),
        ("all", uniform(0.1).ignore_index([-100, -7]).denominator(Denominator::All), ignoring()),
        ("constant", uniform(0.1).denominator(Denominator::Constant(2.5)), targets()),
        ("z-loss", uniform(0.1).z_loss(0.01), targets()),
        ("entropy", uniform(0.1).subtract_entropy(true), targets()),
        ("excluded", uniform(0.1).excluded_classes([1, 3]), targets()),
        ("probabilities", uniform(0.1), soft.clone()),
        ("mask", uniform(0.1), Labels::Masked(vec![2, 99, 4, 1, 3, 2], vec![true, false, true, true, true, false])),
        ("binary", Config::binary_cross_entropy().smoothing(Smoothing::UniformHalf { epsilon: 0.1 }), targets()),
        ("binary weights", Config::binary_cross_entropy().class_weights(weights), targets()),
        ("binary entropy", Config::binary_cross_entropy().subtract_entropy(true), soft),
        ("binary ignore", Config::binary_cross_entropy().ignore_index([-100, -7]), ignoring()),
    ];
    for (name, config, labels) in configs {
        let mut case = Case::new(config, logits(), classes, labels);
        check_all(name, &case);
        let binary = case.config.loss() == LossFamily::BinaryCrossEntropy;
        let losses = if binary { rows * classes } else { rows };
        case.upstream = Some(narrowed::<bf16>(&numbers(2, losses, 2.0)).iter().map(|u| u.to_f64()).collect());
        check_all(name, &case);
    }
}

/// Sums that a plain loop gets wrong by hundreds of roundings, and rows whose maximum is hard to treat.
#[test]
fn many_classes() {
    for classes in [17, 100, 1000, 4099] {
        let flat = |value: f64| (0..classes).map(|c| if c == 1 { value } else { -0.1 }).collect::<Vec<_>>();
        for (name, logits) in [
            ("flat", flat(0.0)),
            ("one above", flat(0.3)),
            ("half the mass", flat((classes as f64).ln() - 0.1)),
            ("just more than half", flat((classes as f64).ln())),
            ("confident", flat(20.0)),
            ("very confident", flat(60.0)),
            ("random", numbers(3, classes, 20.0)),
        ] {
            for target in [0, 1] {
                for (smoothing, epsilon) in [("hard", 0.0), ("smoothed", 0.1), ("mostly uniform", 0.9)] {
                    for z_loss in [0.0, 1e-4] {
                        let config = uniform(epsilon).z_loss(z_loss);
                        let case = Case::new(config, logits.clone(), classes, Labels::Indices(vec![target]));
                        let name = format!("{name} {target} {smoothing} {z_loss} of {classes}");
                        check::<f32>(&name, &case);
                        check::<f64>(&name, &case);
                    }
                }
            }
        }
    }
}

#[test]
fn many_rows() {
    let rows = 10_000;
    let logits: Vec<f64> = (0..rows).flat_map(|_| [0.1, -0.2]).collect();
    let case = Case::new(uniform(0.1), logits, 2, Labels::Indices(vec![1; rows]));
    check::<f32>("many rows", &case);
}

/// A confident row keeps its relative accuracy: what is left is far below a rounding of 1.
#[test]
fn confident_rows() {
    for gap in [8.0, 17.0, 22.0, 40.0, 80.0] {
        let case = Case::new(Config::cross_entropy(), vec![gap, 0.0, -1.5, 0.25], 4, Labels::Indices(vec![0]));
        let exact = case.exact::<f32>();
        for device in autodiff_devices() {
            let (loss, gradient) = case.run::<f32>(&device);
            let unit = f64::from(f32::EPSILON) / 2.0;
            let relative = |actual: f64, expected: f64| (actual / expected - 1.0).abs() / unit;
            // An exp of a rounded argument of up to `gap` costs `gap` units.
            assert!(relative(loss[0], exact.losses[0]) <= 8.0 + gap, "{loss:?} {gap}");
            for (actual, expected) in gradient.iter().zip(&exact.gradient) {
                assert!(relative(*actual, *expected) <= 8.0 + gap, "{actual:e} {expected:e} {gap}");
            }
        }
    }
    let binary = Config::binary_cross_entropy();
    let case = Case::new(binary, vec![30.0, -40.0, -17.0], 3, Labels::Indices(vec![0]));
    let exact = case.exact::<f32>();
    let (_, gradient) = case.run::<f32>(&Device::flex().autodiff());
    for (actual, expected) in gradient.iter().zip(&exact.gradient) {
        assert!((actual / expected - 1.0).abs() < 1e-6, "{actual:e} {expected:e}");
    }
}

#[test]
fn infinite_and_missing_logits() {
    const MINUS: f64 = f64::NEG_INFINITY;
    let rows: [&[f64]; 7] = [
        &[1.0, MINUS, 0.5],
        &[MINUS, 1.0, 0.5],
        &[MINUS, MINUS, 3.0],
        &[MINUS, MINUS, MINUS],
        &[f64::INFINITY, 1.0, 0.5],
        &[1.0, f64::INFINITY, f64::INFINITY],
        &[f64::NAN, 1.0, 0.5],
    ];
    let configs = [
        Config::cross_entropy(),
        uniform(0.1),
        uniform(0.1).non_finite_logits(NonFiniteLogits::RestrictSupport),
        uniform(0.1).class_weights([0.0, 1.0, 1.0]),
        uniform(0.1).class_weights([0.0, 0.0, 0.0]).denominator(Denominator::Counted),
        uniform(0.1).z_loss(0.01),
    ];
    for config in configs {
        for row in rows {
            for target in 0..3 {
                let mut case = Case::new(config.clone(), row.to_vec(), 3, Labels::Indices(vec![target]));
                check_all(&format!("{row:?} {target} {config:?}"), &case);
                case.upstream = Some(vec![-0.5]);
                check_all(&format!("{row:?} {target} {config:?} rows"), &case);
            }
        }
    }
    // One class is always certain.
    for z in [0.5, f64::NAN, f64::INFINITY, MINUS] {
        check_all("one class", &Case::new(uniform(0.1), vec![z], 1, Labels::Indices(vec![0])));
    }
    for z in [0.0, -0.0, MINUS, f64::INFINITY, f64::NAN] {
        for y in [0.0, 0.25, 1.0] {
            let labels = Labels::Probabilities(vec![y]);
            check_all(&format!("binary {z} {y}"), &Case::new(Config::binary_cross_entropy(), vec![z], 1, labels));
        }
    }
}

/// A masked row may hold anything; its loss and gradient are exactly 0, whatever is upstream.
#[test]
fn ignored_rows() {
    let logits = vec![f64::NAN, f64::INFINITY, 1.0, 0.5, -0.5, 0.25];
    let labels = Labels::Masked(vec![9, 1], vec![false, true]);
    let mut case = Case::new(uniform(0.1).z_loss(0.01), logits.clone(), 3, labels.clone());
    for upstream in [None, Some(vec![f64::INFINITY, 2.0])] {
        case.upstream = upstream;
        let (losses, gradient) = case.run::<f32>(&Device::flex().autodiff());
        assert!(losses.iter().all(|loss| loss.is_finite()));
        assert_eq!(gradient[..3], [0.0; 3]);
        assert!(gradient[3..].iter().all(|g| g.is_finite() && *g != 0.0));
    }
    let binary = Case::new(Config::binary_cross_entropy(), logits, 3, labels);
    let (losses, gradient) = binary.run::<f32>(&Device::flex().autodiff());
    assert!(losses[0].is_finite());
    assert_eq!(gradient[..3], [0.0; 3]);
}

#[test]
fn a_mean_over_nothing() {
    for (empty_mean, expected) in [(EmptyMean::Nan, f64::NAN), (EmptyMean::Zero, 0.0)] {
        let config = uniform(0.1).ignore_index([-100]).empty_mean(empty_mean);
        let case = Case::new(config, vec![1.0, f64::NAN, 0.0, 1.0], 2, Labels::Indices(vec![-100, -100]));
        let (losses, gradient) = case.run::<f32>(&Device::flex().autodiff());
        assert_same(&losses, &[expected]);
        assert_same(&gradient, &[0.0; 4]);
        // Rows of weight 0 count, and still there is nothing to divide by.
        let config = uniform(0.1).class_weights([0.0, 0.0]).z_loss(0.1).subtract_entropy(true).empty_mean(empty_mean);
        let case = Case::new(config, vec![1.0, f64::NAN, 0.0, 1.0], 2, Labels::Indices(vec![0, 1]));
        let (losses, gradient) = case.run::<f32>(&Device::flex().autodiff());
        assert_same(&losses, &[expected]);
        assert_same(&gradient, &[0.0; 4]);
    }
}
