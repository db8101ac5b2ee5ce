//! Probabilities of the logits' type are read where they lie, those of any other type are widened first: the same numbers
//! give the same bits either way.

mod common;

use common::{bits, class_weights, prior};
use label_smoothing_core::{
    Array, ClassWeighting, Config, ConfigBuilder, Element, NonFiniteLogits, Problem, Smoothing, Targets, bf16, f16,
    kernel,
};

const ROWS: usize = 11;

/// Its targets have nothing of it.
const EXCLUDED: usize = 1;

fn scattered(at: usize) -> usize {
    (at.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40) % 65_536
}

/// Between -8 and 8, each row's maximum in another place; one row without a softmax, two with masked classes.
fn logits(rows: usize, classes: usize) -> Vec<f64> {
    let mut logits: Vec<f64> = (0..rows * classes).map(|at| scattered(at) as f64 / 4096.0 - 8.0).collect();
    for (row, z) in logits.chunks_mut(classes).enumerate() {
        z[(row * 37 + 5) % classes] = 9.0;
        match row {
            2 => z[classes - 2] = f64::NAN,
            // Of no mass, and with smoothing of some.
            4 => z[EXCLUDED] = f64::NEG_INFINITY,
            // The likeliest class, so that the loss is infinite.
            6 => z[0] = f64::NEG_INFINITY,
            8 => z[classes - 1] = 9.5,
            _ => {}
        }
    }
    logits
}

/// Multiples of 1/128, which every type holds.
fn probabilities(rows: usize, classes: usize) -> Vec<f64> {
    let mut probabilities = vec![0.0; rows * classes];
    for (row, q) in probabilities.chunks_mut(classes).enumerate() {
        for part in 0..128 {
            let class = if part < 16 { 0 } else { scattered(row * 128 + part) % classes };
            q[if class == EXCLUDED { 0 } else { class }] += 1.0 / 128.0;
        }
    }
    probabilities
}

fn configs(classes: usize) -> Vec<Config> {
    let start = Config::cross_entropy;
    let uniform = || start().smoothing(Smoothing::Uniform { epsilon: 0.1 });
    let distribution = || start().smoothing(Smoothing::Distribution { epsilon: 0.25, distribution: prior(classes) });
    let configs: [ConfigBuilder; 9] = [
        start(),
        uniform().z_loss(1e-3),
        start().smoothing(Smoothing::Negative { rate: -0.5 }),
        distribution(),
        uniform().class_weights(class_weights(classes)),
        distribution().class_weights(class_weights(classes)).class_weighting(ClassWeighting::Expected),
        uniform().excluded_classes([EXCLUDED]),
        distribution().non_finite_logits(NonFiniteLogits::RestrictSupport),
        uniform().subtract_entropy(true),
    ];
    configs.into_iter().map(|config| config.build().unwrap()).collect()
}

/// Bits of the loss alone, of row losses and their gradient, and of the gradient in place; and the loss's parts.
type Answers = ([Vec<u64>; 4], String);

fn answers<T: Element, P: Element>(config: &Config, shape: [usize; 2], q: &[f64]) -> Answers {
    let [rows, classes] = shape;
    let z: Vec<T> = logits(rows, classes).into_iter().map(T::from_f64).collect();
    let q: Vec<P> = q.iter().map(|&q| P::from_f64(q)).collect();
    let weights: Vec<f64> = (0..rows).map(|row| ((row + 1) % 4) as f64 * 0.5).collect();
    let targets = Targets::probabilities(Array::new(shape, q)).weighted(Array::new([rows], weights));
    let problem = Problem::new(config, &shape, targets).unwrap();
    let loss = kernel::loss(&problem, &z).unwrap();
    let upstream: Vec<_> = (0..rows).map(|row| T::Wide::from_f64(row as f64 * 0.375 - 1.5)).collect();
    let (mut losses, mut gradient) = (vec![T::Wide::default(); rows], vec![T::default(); z.len()]);
    kernel::row_losses_and_gradient(&problem, &z, &upstream, &mut losses, &mut gradient).unwrap();
    let mut in_place = z;
    kernel::loss_and_gradient_in_place(&problem, &mut in_place, T::Wide::from_f64(1.0)).unwrap();
    ([bits(&[loss.value]), bits(&losses), bits(&gradient), bits(&in_place)], format!("{:?}", loss.parts))
}

fn the_type_of_probabilities_does_not_matter<T: Element, P: Element>() {
    for classes in (65..97).chain([1000, 1024, 2049]).chain(1050..1057) {
        let shape = [ROWS, classes];
        let q = probabilities(ROWS, classes);
        for config in configs(classes) {
            let (same, other) = (answers::<T, T>(&config, shape, &q), answers::<T, P>(&config, shape, &q));
            assert!(same == other, "{} of {classes} classes, {config:?}", T::NAME);
            assert!(same.0[2].iter().any(|&g| g != 0), "no gradient: {config:?}");
        }
    }
}

#[test]
fn probabilities_of_any_type_give_the_same_bits() {
    the_type_of_probabilities_does_not_matter::<f32, f64>();
    the_type_of_probabilities_does_not_matter::<f64, f32>();
    the_type_of_probabilities_does_not_matter::<f16, f32>();
    the_type_of_probabilities_does_not_matter::<bf16, f64>();
}

/// A row that is cut between threads.
#[cfg(feature = "parallel")]
#[test]
fn probabilities_of_a_long_row_give_the_same_bits_on_many_threads() {
    let shape = [1, 262_144 + 33];
    let q = probabilities(shape[0], shape[1]);
    for config in configs(shape[1]) {
        let run = |threads: usize, answers: fn(&Config, [usize; 2], &[f64]) -> Answers| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| answers(&config, shape, &q))
        };
        let one = run(1, answers::<f32, f64>);
        assert!(one == run(3, answers::<f32, f32>), "{config:?}");
    }
}
