//! How the properties are tried: from a fixed seed, so many times, and never without end.

use std::fmt::Debug;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed, TestCaseError, TestError, TestRunner};

/// Cases of a property where nothing else is asked for.
const CASES: u32 = 300;

/// The seed of an ordinary run: the same cases on every machine.
const SEED: u64 = 151_200_567;

/// How long one case may take. The slowest takes a few tenths of a second on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// A number from the environment.
fn asked<T: std::str::FromStr>(variable: &str, default: T) -> T {
    match std::env::var(variable) {
        Ok(text) => text.parse().ok().unwrap_or_else(|| panic!("{variable} is `{text}`, which is no number")),
        Err(_) => default,
    }
}

/// Tries a property. `PROPERTY_CASES` says how often, `PROPERTY_SEED` from where; what fails is made smaller and shown.
pub(crate) fn property<T, S>(inputs: fn() -> S, holds: impl Fn(&T) -> Result<(), String> + Send + 'static)
where
    T: Debug + Clone + Send + 'static,
    S: Strategy<Value = T> + 'static,
{
    let now = Arc::new(Mutex::new(None));
    let watched = Arc::clone(&now);
    let (done, wait) = channel();
    let (tick, ticks) = (done.clone(), done);
    let work = thread::spawn(move || {
        let seed = asked("PROPERTY_SEED", SEED);
        let config = Config {
            cases: asked("PROPERTY_CASES", CASES),
            rng_seed: RngSeed::Fixed(seed),
            failure_persistence: None,
            max_shrink_iters: 3000,
            max_shrink_time: 60_000,
            ..Config::default()
        };
        let result = TestRunner::new(config).run(&inputs(), |input| {
            *watched.lock().unwrap_or_else(PoisonError::into_inner) = Some(input.clone());
            let _ = tick.send(());
            holds(&input).map_err(TestCaseError::fail)
        });
        result.map_err(|error| match error {
            TestError::Fail(why, input) => format!("with PROPERTY_SEED={seed}: {why}\nfor {input:?}"),
            TestError::Abort(why) => format!("with PROPERTY_SEED={seed}, given up: {why}"),
        })
    });
    drop(ticks);
    loop {
        match wait.recv_timeout(PATIENCE) {
            Ok(()) => {}
            Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) => {
                let input = now.lock().unwrap_or_else(PoisonError::into_inner);
                eprintln!("still at it after {PATIENCE:?}: {input:#?}");
                std::process::abort();
            }
        }
    }
    if let Err(error) = work.join().unwrap_or_else(|_| Err("the property itself panicked".to_owned())) {
        panic!("{error}");
    }
}
