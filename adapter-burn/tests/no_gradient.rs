//! Where nobody asks for a gradient, none is computed: seen by the memory that it would take.
#![cfg(target_os = "linux")]

#[path = "adapter/common.rs"]
#[expect(dead_code, reason = "the others use the rest")]
mod common;

use burn::tensor::{Device, Tensor};
use common::classes;
use label_smoothing_burn::{SmoothedCrossEntropy, SmoothedLoss, burn};

const ROWS: usize = 256;
const CLASSES: usize = 1 << 16;
/// Of the logits in `f32`, and so of their gradient.
const KIBIBYTES: usize = ROWS * CLASSES * 4 / 1024;

/// The most memory that this process ever held at once.
fn peak() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// One test in a program of its own, so that nothing else runs in the process.
#[test]
fn a_loss_without_graph_takes_no_gradient() {
    let criterion = SmoothedCrossEntropy::new(0.1).unwrap();
    let targets = classes(&[3; ROWS], [ROWS], &Device::flex());
    let logits = Tensor::<2>::full([ROWS, CLASSES], 0.5, &Device::flex());
    let before = peak();
    for logits in [logits.clone(), logits.clone().autodiff(), logits.clone().autodiff().require_grad().inner()] {
        let _losses = criterion.row_losses(logits.clone(), targets.clone()).unwrap();
        let _loss = criterion.loss(logits, targets.clone()).unwrap();
    }
    let without = peak() - before;
    assert!(without < KIBIBYTES / 4, "{without} KiB, where the gradient would take {KIBIBYTES}");

    let before = peak();
    let loss = criterion.loss(logits.autodiff().require_grad(), targets).unwrap();
    let with = peak() - before;
    assert!(with > KIBIBYTES / 2, "{with} KiB with a gradient of {KIBIBYTES}");
    assert!(loss.is_tracked());
}
