//! The kernel against the reference, and against itself on every instruction set.

use std::thread;

use fearless_simd::prelude::*;
use fearless_simd::{Level, dispatch};

use super::batch::{self, Job};
use super::fingerprints::{self, Random};
use super::lanes::{Float, Shift};
use super::level;
use super::memory::{Memory, Upstream};
use super::stats::Stats;
use crate::{
    Array, Config, Element, Likelihood, LossFamily, Penalty, Problem, Smoothing, Targets, bf16, f16, reference,
};

fn logits_of<T: Element>(random: &mut Random, count: usize) -> Vec<T> {
    (0..count).map(|_| T::from_f64(random.logit())).collect()
}

/// What `scripts/scalar` asks for: plain scalar code, which takes very long to optimise and, without that, to run. Before it
/// stands what it is compared with where nothing is committed.
#[cfg(scalar_code)]
fn levels() -> Vec<Level> {
    vec![Level::baseline(), Level::fallback()]
}

/// Every instruction set that this machine has, the fastest first.
#[cfg(not(scalar_code))]
fn levels() -> Vec<Level> {
    let best = Level::new();
    let mut levels = vec![best];
    #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
    {
        levels.extend(best.as_avx2().map(Level::Avx2));
        levels.extend(best.as_sse4_2().map(Level::Sse4_2));
    }
    levels.push(Level::baseline());
    levels
}

struct Answer<T: Element> {
    loss: f64,
    losses: Vec<T::Wide>,
    gradient: Vec<T>,
}

fn answer<T: Element>(level: Level, problem: &Problem<f64>, logits: &[T]) -> Answer<T> {
    let mut losses = vec![T::Wide::default(); problem.losses()];
    let mut gradient = vec![T::default(); logits.len()];
    let job = Job {
        memory: Memory::Apart(logits, &mut gradient),
        losses: Some(&mut losses),
        stats: Stats::None,
        upstream: Upstream::Loss(T::Wide::from_f64(1.0)),
        factor: 1.0 / problem.gradient_divisor().unwrap(),
    };
    let parts = batch::run_at(level, problem, job);
    Answer { loss: parts.sum(), losses, gradient }
}

fn configs(family: LossFamily, classes: usize) -> Vec<Config> {
    let weights: Vec<f64> = (0..classes).map(|class| 0.5 + (class % 7) as f64 * 0.25).collect();
    let focal = |alpha| Likelihood::Focal { gamma: 1.5, alpha };
    let penalties = [
        Penalty::Confidence { strength: 0.5 },
        Penalty::Margin { strength: 1.0 / 1024.0, margin: 4.0 },
        Penalty::MaxSuppression { strength: 0.5 },
        Penalty::Poly { epsilon: -1.0 },
    ];
    match family {
        LossFamily::CrossEntropy => vec![
            Config::cross_entropy().build().unwrap(),
            Config::cross_entropy().smoothing(Smoothing::Uniform { epsilon: 0.1 }).z_loss(1e-3).build().unwrap(),
            Config::cross_entropy().smoothing(Smoothing::UniformOthers { epsilon: 0.2 }).build().unwrap(),
            Config::cross_entropy()
                .smoothing(Smoothing::Uniform { epsilon: 0.1 })
                .class_weights(weights)
                .subtract_entropy(true)
                .build()
                .unwrap(),
            Config::cross_entropy()
                .smoothing(Smoothing::Uniform { epsilon: 0.1 })
                .penalties(penalties)
                .build()
                .unwrap(),
            Config::cross_entropy().likelihood(focal(None)).build().unwrap(),
            Config::cross_entropy().likelihood(Likelihood::Relaxed { alpha: 0.25 }).build().unwrap(),
        ],
        LossFamily::BinaryCrossEntropy => vec![
            Config::binary_cross_entropy().likelihood(focal(Some(0.25))).build().unwrap(),
            Config::binary_cross_entropy()
                .smoothing(Smoothing::UniformHalf { epsilon: 0.1 })
                .class_weights(weights)
                .build()
                .unwrap(),
        ],
    }
}

/// Shapes on both sides of every boundary: lanes, blocks, groups of rows.
const SHAPES: &[(&[usize], usize)] = &[
    (&[40, 2], 1),
    (&[17, 10], 1),
    (&[33, 32], 1),
    (&[5, 33], 1),
    (&[3, 1000], 1),
    (&[3, 1024], 1),
    (&[2, 2083], 1),
    (&[2, 10, 19], 1),
    (&[2, 45, 3], 1),
    (&[1, 1100, 21], 1),
    (&[9], 0),
];

fn for_each_case(seed: u64, mut each: impl FnMut(&Config, &[usize], Vec<i64>, Random)) {
    for family in [LossFamily::CrossEntropy, LossFamily::BinaryCrossEntropy] {
        for &(shape, axis) in SHAPES {
            for config in configs(family, shape[axis]) {
                let config = config.to_builder().class_axis(axis).build().unwrap();
                let mut random = Random(seed);
                let rows = shape.iter().product::<usize>() / shape[axis];
                let targets = (0..rows).map(|_| (random.next() % shape[axis] as u64).cast_signed()).collect();
                each(&config, shape, targets, random);
            }
        }
    }
}

fn problem<'a>(config: &'a Config, shape: &[usize], targets: &[i64]) -> Problem<'a, f64> {
    let mut rows = shape.to_vec();
    rows.remove(config.class_axis().unwrap());
    Problem::new(config, shape, Targets::indices(Array::new(rows, targets.to_vec()))).unwrap()
}

fn same_bits_on_every_level<T: Element>() {
    for_each_case(1, |config, shape, targets, mut random| {
        let problem = problem(config, shape, &targets);
        let logits: Vec<T> = logits_of(&mut random, shape.iter().product());
        let levels = levels();
        let first = answer(levels[0], &problem, &logits);
        for &level in &levels[1..] {
            let other = answer(level, &problem, &logits);
            assert_eq!(first.loss.to_bits(), other.loss.to_bits(), "{level:?} {shape:?} {:?}", config.smoothing());
            assert_eq!(first.losses, other.losses, "{level:?} {shape:?} {:?}", config.smoothing());
            assert_eq!(first.gradient, other.gradient, "{level:?} {shape:?} {:?}", config.smoothing());
        }
    });
}

#[test]
fn every_instruction_set_gives_the_same_bits() {
    same_bits_on_every_level::<f32>();
    same_bits_on_every_level::<f64>();
    same_bits_on_every_level::<f16>();
    same_bits_on_every_level::<bf16>();
}

#[test]
fn every_instruction_set_gives_the_committed_fingerprints() {
    let written = fingerprints::committed();
    for level in levels().into_iter().skip(usize::from(cfg!(scalar_code))) {
        let made = thread::scope(|scope| {
            let of_types = fingerprints::OF_EACH_TYPE.map(|of_type| scope.spawn(move || level::with(level, of_type)));
            of_types.into_iter().flat_map(|made| made.join().unwrap()).collect::<fingerprints::Fingerprints>()
        });
        let differences: Vec<_> = made.iter().filter(|(case, hashes)| written.get(*case) != Some(hashes)).collect();
        assert!(differences.is_empty(), "{level:?}: {} of {}: {differences:#?}", differences.len(), made.len());
        assert_eq!(made.len(), written.len());
    }
}

fn near_the_reference<T: Element>() {
    for_each_case(2, |config, shape, targets, mut random| {
        let problem = problem(config, shape, &targets);
        let logits: Vec<T> = logits_of(&mut random, shape.iter().product());
        let wide: Vec<f64> = logits.iter().map(|z| z.to_f64()).collect();
        let ours = answer(Level::new(), &problem, &logits);
        let losses = reference::row_losses(&problem, &wide).unwrap();
        let gradient = reference::loss_gradient(&problem, &wide, 1.0).unwrap();
        let factor = 1.0 / problem.gradient_divisor().unwrap();
        assert_eq!((losses.len(), gradient.len()), (ours.losses.len(), ours.gradient.len()));
        for (ours, exact) in ours.losses.iter().zip(&losses) {
            let bound = 8.0 * T::Wide::UNIT_ROUNDOFF * (exact.abs() + 16.0);
            assert!(
                (ours.to_f64() - exact).abs() <= bound,
                "{} {shape:?} {:?}: {ours:?} {exact}",
                T::NAME,
                config.smoothing()
            );
        }
        for (ours, exact) in ours.gradient.iter().zip(&gradient) {
            let bound = 8.0 * T::Wide::UNIT_ROUNDOFF * factor * 16.0
                + T::UNIT_ROUNDOFF * exact.abs()
                + f64::from(f16::from_bits(1));
            assert!(
                (ours.to_f64() - exact).abs() <= bound,
                "{} {shape:?} {:?}: {ours:?} {exact}",
                T::NAME,
                config.smoothing()
            );
        }
    });
}

#[test]
fn the_kernel_is_near_the_reference() {
    near_the_reference::<f32>();
    near_the_reference::<f64>();
    near_the_reference::<f16>();
    near_the_reference::<bf16>();
}

/// Exponentials side by side and one by one, in `f64`; every lane but one holds the first logit.
fn exponentials<W: Float>(level: Level, max: W, usual: W, odd: W, lane: usize) -> [Vec<f64>; 2] {
    const VECTORS: usize = 4;
    let mut logits = vec![usual; VECTORS * W::WIDTH];
    logits[lane] = odd;
    dispatch!(level, simd => {
        let shift = Shift::<_, W>::new(simd, W::Vector::splat(simd, max));
        let vector = |at: usize| W::Vector::from_slice(simd, &logits[at * W::WIDTH..(at + 1) * W::WIDTH]);
        let numbers = |vector: W::Vector<_>| vector.as_slice().iter().map(|e| e.to_f64()).collect::<Vec<_>>();
        let (_, e) = shift.exps(simd, &[vector(0), vector(1), vector(2), vector(3)]);
        let one_by_one = (0..VECTORS).flat_map(|at| numbers(shift.exp(simd, vector(at)).1));
        [e.into_iter().flat_map(numbers).collect(), one_by_one.collect()]
    })
}

/// Around every place where the quick way ends: where exponentials are no normal numbers any more, and where a logit is
/// larger in magnitude than the maximum.
fn exponentials_side_by_side_are_those_of_one_by_one<W: Float>(next: impl Fn(f64, bool) -> f64) {
    let subnormal = W::SUBNORMAL_EXP.to_f64();
    for max in [0.0, -0.0, 1e-30, 0.3, 1.0, 1.999_999_9, 7.3, 16.0, 44.1, 88.5, 1e4, 1.7e38, -0.3, -5.0, -1e4] {
        let max = W::from_f64(max).to_f64();
        let edges = [max, -max, max + subnormal, max - 0.5 * max.abs(), max - 3.0 * max.abs(), max - 1e-3];
        let odd = edges.into_iter().map(|edge| edge.min(max)).flat_map(|edge| {
            let mut near = vec![edge, next(edge, false)];
            near.extend(Some(next(edge, true)).filter(|&z| z <= max));
            near
        });
        for odd in odd.chain([f64::NEG_INFINITY, -1e5, -3e38]).map(W::from_f64) {
            for (which, level) in levels().into_iter().enumerate() {
                let lane = 7 * (which + 1);
                for usual in [max, max - 0.1 * max.abs(), max - 1.7].map(W::from_f64) {
                    let [ours, one_by_one] = exponentials(level, W::from_f64(max), usual, odd, lane);
                    assert_eq!(ours, one_by_one, "{odd} and {usual} under {max}");
                    // The platform's exponential in `f64` is the judge, which loses a part of the difference itself.
                    let t = odd.to_f64() - max;
                    let exact = t.exp();
                    let error = (ours[lane] - exact).abs();
                    let allowed =
                        if exact == 0.0 { 0.0 } else { exact * (2.0 * W::UNIT_ROUNDOFF + f64::EPSILON * t.abs()) };
                    let allowed = allowed + f64::from(f32::from_bits(1));
                    assert!(error <= allowed, "{odd} under {max}: {} for {exact}", ours[lane]);
                }
            }
        }
    }
}

#[test]
fn exponentials_side_by_side_have_the_bits_of_one_by_one() {
    exponentials_side_by_side_are_those_of_one_by_one::<f32>(|z, up| {
        f64::from(if up { (z as f32).next_up() } else { (z as f32).next_down() })
    });
    exponentials_side_by_side_are_those_of_one_by_one::<f64>(|z, up| if up { z.next_up() } else { z.next_down() });
}
