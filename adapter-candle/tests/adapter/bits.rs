//! Losses and gradients have the bits that core's kernel gives for the same numbers in a slice: every element type, every
//! kind of target, every layout, any upstream gradient.

use crate::common::{assert_same_bits, gradient, loss, narrowed, numbers, read, row_losses, tensor, var, widened};
use label_smoothing_candle::candle_core::{DType, Device, Tensor, Var, WithDType};
use label_smoothing_candle::{
    CandleTargets, Config, Denominator, Element, Masked, Mixed, Probabilities, Reduction, Smoothing, Weighted,
};
use label_smoothing_core::{Array, Problem, Targets, kernel};

/// What the kernel gives for slices.
struct Expected {
    loss: Vec<f64>,
    gradient: Vec<f64>,
    row_losses: Vec<f64>,
    row_gradient: Vec<f64>,
}

fn by_kernel<T: Element>(problem: &Problem<T>, logits: &[f64], upstream: f64, rows: &[f64]) -> Expected {
    let z = narrowed::<T>(logits);
    let mut gradient = vec![T::default(); z.len()];
    let upstream = T::Wide::from_f64(upstream);
    let loss = kernel::loss_and_gradient(problem, &z, upstream, &mut gradient).unwrap().value;
    let mut losses = vec![T::Wide::default(); problem.losses()];
    let mut row_gradient = vec![T::default(); z.len()];
    kernel::row_losses_and_gradient(problem, &z, &narrowed::<T::Wide>(rows), &mut losses, &mut row_gradient).unwrap();
    Expected {
        loss: vec![T::Wide::from_f64(loss).to_f64()],
        gradient: widened(&gradient),
        row_losses: widened(&losses),
        row_gradient: widened(&row_gradient),
    }
}

/// A variable whose memory holds the logits in some way, and the view of it that is the logits.
struct Laid {
    name: &'static str,
    memory: Var,
    view: fn(&Tensor) -> Tensor,
}

fn every_layout<T: Element + WithDType>(logits: &[f64], dims: &[usize]) -> Vec<Laid> {
    let dense = tensor::<T>(logits, dims);
    let filler = Tensor::full(<T as WithDType>::from_f64(f64::NAN), dims, &Device::Cpu).unwrap();
    let make = |name, memory: &[&Tensor], dim, view| Laid {
        name,
        memory: Var::from_tensor(&Tensor::cat(memory, dim).unwrap()).unwrap(),
        view,
    };
    let last = dims.len() - 1;
    let apart = [dense.unsqueeze(last + 1).unwrap(), filler.unsqueeze(last + 1).unwrap()];
    let swapped = dense.transpose(0, last).unwrap().contiguous().unwrap();
    vec![
        make("contiguous", &[&dense], 0, Tensor::clone),
        make("narrowed, still contiguous", &[&filler, &dense], 0, |memory| {
            let half = memory.dim(0).unwrap() / 2;
            memory.narrow(0, half, half).unwrap()
        }),
        make("narrowed on the last axis", &[&dense, &filler], last, |memory| {
            let last = memory.rank() - 1;
            memory.narrow(last, 0, memory.dim(last).unwrap() / 2).unwrap()
        }),
        make("every other element", &[&apart[0], &apart[1]], last + 1, |memory| {
            memory.narrow(memory.rank() - 1, 0, 1).unwrap().squeeze(memory.rank() - 1).unwrap()
        }),
        make("transposed", &[&swapped], 0, |memory| memory.transpose(0, memory.rank() - 1).unwrap()),
    ]
}

/// Compares with the kernel, for each layout, an upstream gradient of 1 and others.
fn check<T, Y>(name: &str, config: &Config, dims: &[usize], core: Targets<T>, targets: Y)
where
    T: Element + WithDType,
    T::Wide: WithDType,
    Y: CandleTargets + Copy,
{
    let logits = numbers(dims.iter().product());
    let problem = Problem::new(config, dims, core).unwrap();
    let rows: Vec<f64> = (0..problem.losses()).map(|row| [0.75, -3.0, 1.0, 0.0][row % 4]).collect();
    for Laid { name: layout, memory, view } in every_layout::<T>(&logits, dims) {
        let name = format!("{name}, {}, {layout}", <T as Element>::NAME);
        for upstream in [1.0, 3.0, -0.3] {
            let expected = by_kernel(&problem, &logits, f64::from(upstream as f32), &rows);
            let value = loss(config, &view(&memory), targets).unwrap();
            assert_eq!((value.rank(), value.device().is_cpu()), (0, true));
            assert_same_bits(&name, &read::<T::Wide>(&value), &expected.loss);
            let total = value.broadcast_mul(&tensor::<T::Wide>(&[f64::from(upstream as f32)], &[])).unwrap();
            let found = total.backward().unwrap();
            let found = view(found.get(&memory).unwrap());
            assert_same_bits(&format!("{name}, gradient of {upstream} times"), &read::<T>(&found), &expected.gradient);

            let losses = row_losses(config, &view(&memory), targets).unwrap();
            assert_eq!(losses.dims(), problem.losses_dims());
            assert_same_bits(&format!("{name}, row losses"), &read::<T::Wide>(&losses), &expected.row_losses);
            let total = (losses * tensor::<T::Wide>(&rows, &problem.losses_dims())).unwrap().sum_all().unwrap();
            let found = total.backward().unwrap();
            let found = view(found.get(&memory).unwrap());
            assert_same_bits(&format!("{name}, gradient of row losses"), &read::<T>(&found), &expected.row_gradient);
        }
        let untracked = loss(config, &view(&memory).detach(), targets).unwrap();
        assert!(!untracked.track_op());
        assert_same_bits(&name, &read::<T::Wide>(&untracked), &by_kernel(&problem, &logits, 1.0, &rows).loss);
        assert_same_bits(&format!("{name}, the logits afterwards"), &read::<T>(&view(&memory)), &logits);
    }
}

fn options() -> Vec<Config> {
    let smoothing = || Config::cross_entropy().smoothing(Smoothing::Uniform { epsilon: 0.1 });
    vec![
        Config::cross_entropy().build().unwrap(),
        smoothing().ignore_index([-100, 1]).build().unwrap(),
        smoothing().class_weights([1.0, 0.5, 0.0, 2.0, 3.0]).z_loss(1e-3).reduction(Reduction::Sum).build().unwrap(),
        Config::cross_entropy()
            .smoothing(Smoothing::UniformOthers { epsilon: 0.2 })
            .denominator(Denominator::All)
            .subtract_entropy(true)
            .build()
            .unwrap(),
        Config::binary_cross_entropy().smoothing(Smoothing::UniformHalf { epsilon: 0.1 }).build().unwrap(),
    ]
}

fn indices<T>()
where
    T: Element + WithDType,
    T::Wide: WithDType,
{
    let classes = [4_i64, 0, 2, 1, 3, 3];
    for (number, config) in options().iter().enumerate() {
        let targets = Tensor::new(&classes, &Device::Cpu).unwrap();
        let core = Targets::indices(Array::new([6], classes.to_vec()));
        check::<T, _>(&format!("options {number}"), config, &[6, 5], core, &targets);

        let config = config.to_builder().class_axis(1).build().unwrap();
        let targets = targets.reshape((2, 3)).unwrap();
        let core = Targets::indices(Array::new([2, 3], classes.to_vec()));
        check::<T, _>(&format!("options {number}, class axis 1"), &config, &[2, 5, 3], core, &targets);
    }
    let one_row = Tensor::new(2_i64, &Device::Cpu).unwrap();
    check::<T, _>("one row", &options()[0], &[5], Targets::indices(Array::new([], vec![2])), &one_row);
}

fn other_targets<T>()
where
    T: Element + WithDType,
    T::Wide: WithDType,
{
    let config = Config::cross_entropy().smoothing(Smoothing::Uniform { epsilon: 0.1 }).build().unwrap();
    let binary = Config::binary_cross_entropy().smoothing(Smoothing::UniformFlip { epsilon: 0.1 }).build().unwrap();
    let soft: Vec<f64> = numbers(15).iter().map(|value| (value.abs() * 2.0).round() / 16.0).collect();
    let array = || Array::new([3, 5], narrowed::<T>(&soft));
    let strided = tensor::<T>(&soft, &[3, 5]).t().unwrap().contiguous().unwrap().t().unwrap();
    for (config, soft) in [(&config, tensor::<T>(&soft, &[3, 5])), (&binary, strided)] {
        check::<T, _>("probabilities", config, &[3, 5], Targets::probabilities(array()), Probabilities(&soft));
    }

    let (mask, weights) = ([true, false, true], [0.5, 3.0, 1.0]);
    let row_mask = Tensor::new(&mask.map(u8::from), &Device::Cpu).unwrap();
    let row_weights = tensor::<T>(&weights, &[3]);
    let core = Targets::probabilities(array())
        .weighted(Array::new([3], weights.to_vec()))
        .masked(Array::new([3], mask.to_vec()));
    let dense = tensor::<T>(&soft, &[3, 5]);
    let inner = Masked { targets: Probabilities(&dense), mask: &row_mask };
    check::<T, _>("masked", &config, &[3, 5], core.clone(), Weighted { targets: inner, row_weights: &row_weights });
    let inner = Weighted { targets: Probabilities(&dense), row_weights: &row_weights };
    check::<T, _>("weighted", &binary, &[3, 5], core, Masked { targets: inner, mask: &row_mask });

    let (first, second, lambda) = ([1_i64, 4, 0], [3_i64, 4, 2], [0.25, 1.0, 0.5]);
    let core = Targets::mixed(
        Array::new([3], first.to_vec()),
        Array::new([3], second.to_vec()),
        Array::new([3], lambda.to_vec()),
    );
    let [first, second] = [first, second].map(|classes| Tensor::new(&classes, &Device::Cpu).unwrap());
    let lambda = tensor::<T>(&lambda, &[3]);
    check::<T, _>("mixed", &config, &[3, 5], core, Mixed { first: &first, second: &second, lambda: &lambda });
}

macro_rules! every_element_type {
    ($($name:ident: $type:ty,)*) => {$(
        mod $name {
            #[test]
            fn indices() {
                super::indices::<$type>();
            }

            #[test]
            fn other_targets() {
                super::other_targets::<$type>();
            }
        }
    )*};
}
every_element_type! { of_f32: f32, of_f64: f64, of_f16: label_smoothing_candle::f16, of_bf16: label_smoothing_candle::bf16, }

#[test]
fn every_integer_type_is_the_same_target() {
    let config = Config::cross_entropy().ignore_index([255]).build().unwrap();
    let logits = tensor::<f32>(&numbers(6), &[2, 3]);
    let classes = Tensor::new(&[2_i64, 255], &Device::Cpu).unwrap();
    let expected = read::<f32>(&loss(&config, &logits, &classes).unwrap());
    for dtype in [DType::U8, DType::U32, DType::I16, DType::I32] {
        let classes = classes.to_dtype(dtype).unwrap();
        let found = loss(&config, &logits, &classes).unwrap();
        assert_same_bits(dtype.as_str(), &read::<f32>(&found), &expected);
    }
    let every_other = Tensor::new(&[2_i64, 9, 255, 9], &Device::Cpu).unwrap().reshape((2, 2)).unwrap();
    let strided = every_other.narrow(1, 0, 1).unwrap().squeeze(1).unwrap();
    assert_same_bits("strided", &read::<f32>(&loss(&config, &logits, &strided).unwrap()), &expected);
}

/// Ignored rows: loss 0 and a gradient of exactly 0, whatever their logits and their upstream gradient are.
#[test]
fn ignored_rows_are_exactly_zero() {
    let config = Config::cross_entropy().ignore_index([-1]).build().unwrap();
    let binary = Config::binary_cross_entropy().ignore_index([-1]).build().unwrap();
    let logits = var::<f32>(&[1.0, 2.0, f64::NAN, f64::INFINITY, -1.0, 0.5], &[3, 2]);
    let targets = Tensor::new(&[1_i32, -1, 0], &Device::Cpu).unwrap();
    let is_zero = |found: &[f64]| found.iter().all(|value| value.to_bits() == 0);
    for (config, width) in [(&config, 1), (&binary, 2)] {
        let found = gradient::<f32>(&loss(config, &logits, &targets).unwrap(), &logits);
        assert!(is_zero(&found[2..4]) && found.iter().all(|value| value.is_finite()), "{found:?}");

        let losses = row_losses(config, &logits, &targets).unwrap();
        let upstream: Vec<f64> = [2.0, f64::NAN, -1.0].iter().flat_map(|&row| vec![row; width]).collect();
        let total = (&losses * tensor::<f32>(&upstream, losses.dims())).unwrap().sum_all().unwrap();
        assert!(is_zero(&read::<f32>(&losses)[width..2 * width]));
        let found = gradient::<f32>(&total, &logits);
        assert!(is_zero(&found[2..4]) && found.iter().all(|value| value.is_finite()), "{found:?}");
    }
}

#[test]
fn a_batch_of_no_rows() {
    let logits = Var::from_tensor(&tensor::<f32>(&[], &[0, 3])).unwrap();
    let targets = Tensor::from_vec(Vec::<i64>::new(), 0, &Device::Cpu).unwrap();
    let sum = Config::cross_entropy().reduction(Reduction::Sum).build().unwrap();
    let found = loss(&sum, &logits, &targets).unwrap();
    assert_eq!(read::<f32>(&found), [0.0]);
    assert!(gradient::<f32>(&found, &logits).is_empty());
    let mean = Config::cross_entropy().build().unwrap();
    assert!(read::<f32>(&loss(&mean, &logits, &targets).unwrap())[0].is_nan());
    assert_eq!(row_losses(&mean, &logits, &targets).unwrap().dims(), [0]);
}
