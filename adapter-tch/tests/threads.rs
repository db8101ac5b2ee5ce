//! The loss beside libtorch's own threads. A program of its own, since their number is that of the whole process.

use std::thread;

use label_smoothing_tch::tch::{self, Tensor};
use label_smoothing_tch::{SmoothedCrossEntropy, SmoothedLoss};

/// Enough for libtorch to cut its operations, and for the kernel to cut the batch.
const ROWS: i64 = 512;
const CLASSES: i64 = 1024;

/// The bits of a loss and of what comes back through an operation of libtorch's before it.
fn step() -> (u32, Vec<u32>) {
    let values: Vec<f32> = (0..ROWS * CLASSES).map(|at| (at * 7919 % 4001) as f32 / 256.0 - 7.0).collect();
    let classes: Vec<i64> = (0..ROWS).map(|row| row * 31 % CLASSES).collect();
    let inputs = Tensor::from_slice(&values).reshape([ROWS, CLASSES]).set_requires_grad(true);
    let criterion = SmoothedCrossEntropy::new(0.1).unwrap();
    let loss = criterion.loss(&(&inputs * 0.75), &Tensor::from_slice(&classes)).unwrap();
    loss.backward();
    let gradient = Vec::<f32>::try_from(inputs.grad().flatten(0, -1)).unwrap();
    (f32::try_from(&loss).unwrap().to_bits(), gradient.iter().map(|value| value.to_bits()).collect())
}

#[test]
fn several_threads_of_libtorch_give_the_same_bits() {
    tch::set_num_threads(1);
    let expected = step();
    tch::set_num_threads(4);
    assert_eq!(tch::get_num_threads(), 4);
    thread::scope(|scope| {
        let steps: Vec<_> = (0..4).map(|_| scope.spawn(|| (0..3).all(|_| step() == expected))).collect();
        assert!(steps.into_iter().all(|steps| steps.join().unwrap()), "other bits than of one thread");
    });
}
