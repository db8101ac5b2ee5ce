//! Both sides of each pair compute what they say.

use super::COMPARED;
use super::batch::{Batch, Shape};
use super::report::difference;

/// What the kernel is compared with, from the definition and in f64.
fn expected(batch: &Batch, epsilon: f64) -> (f64, Vec<f64>) {
    let (rows, classes) = (batch.shape.rows as f64, batch.shape.classes as f64);
    let (mut loss, mut gradient) = (0.0, Vec::new());
    for (row, target) in batch.logits::<f64>().chunks_exact(batch.shape.classes).zip(batch.targets::<usize>()) {
        let sum: f64 = row.iter().map(|z| z.exp()).sum();
        for (class, &z) in row.iter().enumerate() {
            let q = epsilon / classes + if class == target { 1.0 - epsilon } else { 0.0 };
            loss -= q * (z - sum.ln()) / rows;
            gradient.push((z.exp() / sum - q) / rows);
        }
    }
    (loss, gradient)
}

#[test]
fn every_contender_computes_loss_and_gradient() {
    let batch = Batch::new(Shape::new(8, 10));
    let (smoothed, hard) = (expected(&batch, 0.1), expected(&batch, 0.0));
    for compared in COMPARED {
        for mut pair in (compared.pairs)(&batch).unwrap() {
            let is_hard = pair.native.is.contains("no smoothing");
            for (contender, (loss, gradient)) in
                [(&mut pair.ours, &smoothed), (&mut pair.native, if is_hard { &hard } else { &smoothed })]
            {
                let name = format!("{}: {}", compared.name, contender.is);
                let answer = contender.answer().unwrap();
                assert!((answer.loss - loss).abs() < 1e-5 * loss, "{name}: {} is not {loss}", answer.loss);
                assert_eq!(answer.gradient.len(), gradient.len(), "{name}");
                for (actual, expected) in answer.gradient.iter().zip(gradient) {
                    assert!((actual - expected).abs() < 1e-7, "{name}: {actual} is not {expected}");
                }
            }
        }
    }
}

/// A step must not find another batch than the step before: the gradient is neither accumulated nor the state changed.
#[test]
fn the_second_step_computes_what_the_first_did() {
    let batch = Batch::new(Shape::new(8, 10));
    for compared in COMPARED {
        for mut pair in (compared.pairs)(&batch).unwrap() {
            for contender in [&mut pair.ours, &mut pair.native] {
                if !contender.is.contains("in place") && !contender.is.contains("in_place") {
                    let first = contender.answer().unwrap();
                    contender.step().unwrap();
                    assert_eq!(contender.answer().unwrap(), first, "{}: {}", compared.name, contender.is);
                }
            }
        }
    }
}

#[test]
fn the_difference_is_that_of_the_gradients() {
    let batch = Batch::new(Shape::new(8, 10));
    let mut pairs = (COMPARED[0].pairs)(&batch).unwrap();
    let ours = pairs[0].ours.answer().unwrap();
    assert_eq!(difference(&ours, &ours), 0.0);
    let mut other = ours.clone();
    let largest = ours.gradient.iter().fold(0.0_f64, |largest, g| largest.max(g.abs()));
    other.gradient[17] += largest / 4.0;
    assert!((difference(&ours, &other) - 0.25).abs() < 1e-6);
}
