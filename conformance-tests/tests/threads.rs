//! Losses from many threads at once: outside of any pool, inside the caller's pools, nested in another's parallel loop. The
//! same bits as from one thread, and no deadlock.

use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use label_smoothing_conformance::backends::{self, Kernel};
use label_smoothing_conformance::{Backend, CaseInput, Dense, Dtype, Layout, Outcome, TargetInput};
use label_smoothing_core::{Config, LossFamily, Smoothing};
use rayon::prelude::*;

/// How long a test may take: a deadlock ends it, and a busy machine does not.
const PATIENCE: Duration = Duration::from_secs(300);

const THREADS: usize = 6;

/// Runs the test, and ends the process where that does not come back.
fn watched(test: impl FnOnce() + Send + 'static) {
    let (done, wait) = channel::<()>();
    let work = thread::spawn(move || {
        let _done = done;
        test();
    });
    if wait.recv_timeout(PATIENCE) == Err(RecvTimeoutError::Timeout) {
        eprintln!("no end after {PATIENCE:?}: a deadlock?");
        std::process::abort();
    }
    if let Err(panic) = work.join() {
        std::panic::resume_unwind(panic);
    }
}

/// Large enough to be split over threads by the kernel (two tasks of 128k logits), with a row mask and a z-loss.
fn large() -> CaseInput {
    input(521, 512)
}

fn input(rows: usize, classes: usize) -> CaseInput {
    let z = |at: usize| f64::from(((at * 7919) % 4001) as f32 / 256.0 - 7.0);
    let logits = Dense::new([rows, classes], (0..rows * classes).map(z).collect::<Vec<_>>());
    let targets: Vec<i64> = (0..rows).map(|row| (row * 31 % classes) as i64).collect();
    let config = Config::cross_entropy().smoothing(Smoothing::Uniform { epsilon: 0.1 }).z_loss(0.01).class_axis(1);
    let targets = TargetInput::Indices(Dense::new([rows], targets));
    let input = CaseInput::new(LossFamily::CrossEntropy, config, logits, targets);
    let mask = (0..rows).map(|row| row % 5 != 3).collect::<Vec<_>>();
    CaseInput { row_mask: Some(Dense::new([rows], mask)), ..input.with(Dtype::F32, Layout::Contiguous) }
}

/// Equal to the bit; -0 is 0, as some frameworks make it.
fn assert_same(name: &str, outcome: &Outcome, expected: &Outcome) {
    let bits = |values: &[f64]| values.iter().map(|value| (value + 0.0).to_bits()).collect::<Vec<_>>();
    assert!(bits(&outcome.values) == bits(&expected.values), "{name}: another loss");
    assert!(bits(&outcome.gradient) == bits(&expected.gradient), "{name}: another gradient");
}

fn pool(threads: usize) -> rayon::ThreadPool {
    rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap()
}

fn ask(backend: &dyn Backend, input: &CaseInput) -> Outcome {
    backend.evaluate(input).unwrap_or_else(|failure| panic!("{}: {failure}", backend.name()))
}

#[test]
fn many_threads_at_once() {
    watched(|| {
        let input = large();
        for backend in backends::all() {
            let expected = pool(1).install(|| ask(backend.as_ref(), &input));
            thread::scope(|scope| {
                for _ in 0..THREADS {
                    scope.spawn(|| assert_same(&backend.name(), &ask(backend.as_ref(), &input), &expected));
                }
            });
        }
    });
}

#[test]
fn inside_pools_of_the_callers() {
    watched(|| {
        let input = large();
        let expected = pool(1).install(|| ask(&Kernel, &input));
        for backend in backends::all().into_iter().filter(|backend| backend.claims_identical_bits()) {
            for threads in [1, 2, 3, 16] {
                assert_same(&backend.name(), &pool(threads).install(|| ask(backend.as_ref(), &input)), &expected);
            }
        }
    });
}

/// Every task of a parallel loop starts tasks of its own, and waits for them, in the one pool that there is.
#[test]
fn nested_in_a_parallel_loop() {
    watched(|| {
        let input = large();
        for backend in backends::all().into_iter().filter(|backend| backend.claims_identical_bits()) {
            let expected = pool(1).install(|| ask(backend.as_ref(), &input));
            let own = pool(3);
            let nested = || (0..THREADS).into_par_iter().map(|_| ask(backend.as_ref(), &input)).collect::<Vec<_>>();
            for outcome in own.install(nested).into_iter().chain(nested()) {
                assert_same(&backend.name(), &outcome, &expected);
            }
        }
    });
}

/// Small batches of different sizes, all backends mixed up, on as many threads as there are backends.
#[test]
fn all_frameworks_at_once() {
    watched(|| {
        let inputs: Vec<CaseInput> = [(1, 3), (17, 10), (40, 33), (3, 1025)].map(|(n, k)| input(n, k)).into();
        let expected: Vec<Outcome> = inputs.iter().map(|input| ask(&Kernel, input)).collect();
        thread::scope(|scope| {
            for backend in backends::all().into_iter().filter(|backend| backend.claims_identical_bits()) {
                let (inputs, expected) = (&inputs, &expected);
                scope.spawn(move || {
                    for _ in 0..10 {
                        for (input, expected) in inputs.iter().zip(expected) {
                            assert_same(&backend.name(), &ask(backend.as_ref(), input), expected);
                        }
                    }
                });
            }
        });
    });
}
