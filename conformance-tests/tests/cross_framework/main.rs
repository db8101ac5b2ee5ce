//! One linear layer on real digits in every framework: its gradient, its training, and its loss as one of several, compared
//! with the reference and between the frameworks, in one process.
//!
//! What a framework does with a graph by itself (backward twice, no gradient where none is asked for) is tested in its
//! adapter.

mod burn;
mod candle;
mod dfdx;
mod exact;
mod framework;
mod ndarray;
mod tch;

use std::fmt::Write;

use exact::{Exact, by_differences, one_image_by_the_kernel};
use framework::{Found, Framework, IMAGES, Layer, OBJECTIVES};
use label_smoothing_core::Element;

/// An element type that every framework has.
trait Number: Element {
    fn frameworks() -> [&'static dyn Framework<Self>; 5];
}

impl Number for f32 {
    fn frameworks() -> [&'static dyn Framework<Self>; 5] {
        [&ndarray::Ndarray, &candle::Candle, &burn::Burn, &dfdx::Dfdx, &tch::Tch]
    }
}

impl Number for f64 {
    fn frameworks() -> [&'static dyn Framework<Self>; 5] {
        [&ndarray::Ndarray, &candle::Candle, &burn::Burn, &dfdx::Dfdx, &tch::Tch]
    }
}

/// The largest distance between two lists.
fn distance(one: &[f64], other: &[f64]) -> f64 {
    assert_eq!(one.len(), other.len());
    // Not `max`, which would drop a NaN.
    let worst = |worst: f64, (a, b): (&f64, &f64)| if (a - b).abs() <= worst { worst } else { (a - b).abs() };
    one.iter().zip(other).fold(0.0, worst)
}

/// Bits after `+ 0.0`, because some frameworks turn -0 into 0.
fn bits(found: &Found) -> Vec<u64> {
    [&[found.loss], found.gradient.as_slice()].concat().iter().map(|value| (value + 0.0).to_bits()).collect()
}

/// Every framework against the exact gradient, and against every other framework.
fn gradients_agree<T: Number>() {
    // A weight's gradient is a sum of 100 products that together are below 1: at most 100 roundings of that size, whatever
    // the order. The kernel's own gradient is within 8 u of a scale below 2.
    let allowed = 128.0 * T::UNIT_ROUNDOFF;
    let layer = Layer::<T>::new(IMAGES);
    let mut table = format!("{:<22} {:<8} {:>22} {:>12} {:>12}\n", T::NAME, "", "loss", "off", "gradient off");
    for objective in OBJECTIVES {
        let exact = Exact.differentiate(&Layer::new(IMAGES), objective);
        assert!(exact.gradient.iter().filter(|g| g.abs() > 1e-3).count() > 300, "there is something to compare");
        let found = T::frameworks().map(|framework| framework.differentiate(&layer, objective));
        for (framework, found) in T::frameworks().iter().zip(&found) {
            let (loss, gradient) = ((found.loss - exact.loss).abs(), distance(&found.gradient, &exact.gradient));
            let (name, objective) = (framework.name(), format!("{objective:?}"));
            let _ = writeln!(table, "{objective:<22} {name:<8} {:>22} {loss:>12.2e} {gradient:>12.2e}", found.loss);
        }
        println!("{table}");
        table.clear();
        for (one, framework) in found.iter().zip(T::frameworks()) {
            let name = framework.name();
            assert!((one.loss - exact.loss).abs() <= allowed * exact.loss, "{objective:?} in {name}");
            assert!(distance(&one.gradient, &exact.gradient) <= allowed, "the gradient of {objective:?} in {name}");
            for (other, framework) in found.iter().zip(T::frameworks()) {
                let both = format!("{name} and {}", framework.name());
                assert!(
                    distance(&one.gradient, &other.gradient) <= allowed,
                    "the gradients of {objective:?} in {both}"
                );
            }
        }
    }
}

#[test]
fn the_layers_gradient_is_that_of_the_reference_and_of_every_other_framework() {
    gradients_agree::<f32>();
    gradients_agree::<f64>();
}

#[test]
fn the_gradient_of_the_reference_is_that_of_finite_differences() {
    let layer = Layer::new(IMAGES);
    for objective in OBJECTIVES {
        let off = distance(&Exact.differentiate(&layer, objective).gradient, &by_differences(&layer, objective));
        println!("{objective:?}: {off:.2e}");
        assert!(off <= 1e-11, "{objective:?}: {off:e}");
    }
}

/// All logits are exact, and each weight's gradient is a single product: no framework has a rounding of its own.
fn one_image_has_the_same_bits<T: Number>() {
    let expected = one_image_by_the_kernel::<T>();
    assert!(expected.gradient.iter().filter(|g| **g != 0.0).count() > 100);
    for framework in T::frameworks() {
        let found = framework.differentiate(&Layer::new(1), framework::Objective::Loss);
        assert!(bits(&found) == bits(&expected), "{} in {}", T::NAME, framework.name());
    }
}

#[test]
fn the_layers_gradient_on_one_image_has_the_same_bits_in_every_framework() {
    one_image_has_the_same_bits::<f32>();
    one_image_has_the_same_bits::<f64>();
}

/// The first loss has the same bits everywhere; later ones differ by what the matrix products round.
fn training_agrees<T: Number>(allowed: f64) {
    const STEPS: usize = 20;
    const RATE: f64 = 0.25;
    let layer = Layer::<T>::new(IMAGES);
    let exact = Exact.train(&Layer::new(IMAGES), RATE, STEPS + 1);
    assert!(exact[STEPS] < 0.7 * exact[0], "nothing was learnt: {exact:?}");
    let losses = T::frameworks().map(|framework| framework.train(&layer, RATE, STEPS + 1));
    println!("{:<10} {:>22} {:>22} {:>12}", T::NAME, "first loss", "after 20 steps", "off at most");
    println!("{:<10} {:>22} {:>22}", Exact.name(), exact[0], exact[STEPS]);
    for (framework, losses) in T::frameworks().iter().zip(&losses) {
        let off = distance(losses, &exact);
        println!("{:<10} {:>22} {:>22} {off:>12.2e}", framework.name(), losses[0], losses[STEPS]);
    }
    for (one, framework) in losses.iter().zip(T::frameworks()) {
        let name = framework.name();
        assert!(distance(one, &exact) <= allowed, "{name} and the reference");
        assert_eq!(one[0].to_bits(), losses[0][0].to_bits(), "the first loss in {name}");
        for (other, framework) in losses.iter().zip(T::frameworks()) {
            assert!(distance(one, other) <= allowed, "{name} and {}", framework.name());
        }
    }
}

#[test]
fn twenty_steps_of_gradient_descent_give_the_same_losses() {
    training_agrees::<f32>(1e-5);
    training_agrees::<f64>(1e-12);
}
