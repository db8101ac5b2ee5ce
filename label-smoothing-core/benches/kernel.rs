//! How long the kernel alone takes: by shape, element type, what is asked for, kind of target, and number of threads.
//!
//! ```text
//! cargo bench -p label-smoothing-core                     all, in about a minute
//! cargo bench -p label-smoothing-core -- gradient 4096    those with both in their name
//! cargo bench -p label-smoothing-core -- --max-time 5     with less noise
//! ```
//!
//! One thread, `f32` logits and smoothed index targets where nothing else is said. The throughput counts logits: 4 Gitem/s
//! are 0.25 ns per logit. Buffers are allocated before, so that no first touch of memory is measured.

use std::fmt::{self, Display};

use divan::Bencher;
use divan::counter::ItemsCount;
use label_smoothing_core::{Array, Config, Element, Problem, Smoothing, Targets, bf16, kernel};

fn main() {
    // On a pool of one thread, whose batches run in order; only the benchmarks of threads bring a pool of their own.
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().expect("a pool of one thread");
    pool.install(divan::main);
}

/// Each benchmark ends after so many samples or so many seconds. There are about a hundred benchmarks.
const SAMPLES: u32 = 2000;
const SECONDS: f64 = 0.3;

/// The shape of the logits, and which axis is that of the classes.
struct Dims(&'static [usize], usize);

/// Small classifiers, `ImageNet`, a language model's small batch and large vocabulary, and a segmentation's N, C, H, W.
const SHAPES: [Dims; 6] = [
    Dims(&[1024, 10], 1),
    Dims(&[1024, 100], 1),
    Dims(&[4096, 1000], 1),
    Dims(&[16, 8192], 1),
    Dims(&[32, 128_256], 1),
    Dims(&[8, 19, 64, 64], 1),
];

impl Display for Dims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let dims: Vec<_> = self.0.iter().map(usize::to_string).collect();
        f.pad(&dims.join("x"))
    }
}

impl Dims {
    fn elements(&self) -> usize {
        self.0.iter().product()
    }

    fn classes(&self) -> usize {
        self.0[self.1]
    }

    fn config(&self) -> Config {
        let smoothed = Config::cross_entropy().smoothing(Smoothing::Uniform { epsilon: 0.1 });
        smoothed.class_axis(self.1).build().expect("a valid configuration")
    }

    fn logits<T: Element>(&self) -> Vec<T> {
        (0..self.elements()).map(|at| T::from_f64(scattered(at) * 16.0 - 8.0)).collect()
    }

    /// One value per row.
    fn per_row<T: Clone>(&self, value: impl Fn(usize) -> T) -> Array<'static, T> {
        let mut rows = self.0.to_vec();
        rows.remove(self.1);
        let values: Vec<T> = (0..rows.iter().product()).map(value).collect();
        Array::new(rows, values)
    }

    fn labels(&self, start: usize) -> Array<'static, i64> {
        self.per_row(|row| (scattered(row + start) * self.classes() as f64) as i64)
    }

    fn indices<T: Element>(&self) -> Targets<'static, T> {
        Targets::indices(self.labels(0))
    }
}

/// Numbers from 0 to 1 without a visible pattern.
fn scattered(at: usize) -> f64 {
    let bits = (at as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    ((bits ^ (bits >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 11) as f64 / (1_u64 << 53) as f64
}

/// Measures a call that is given the problem and the logits.
fn measure<T: Element>(
    bencher: Bencher,
    dims: &Dims,
    targets: Targets<T>,
    mut call: impl FnMut(&Problem<T>, &mut [T]) -> f64,
) {
    let config = dims.config();
    let problem = Problem::new(&config, dims.0, targets).expect("targets that fit");
    let mut logits = dims.logits::<T>();
    bencher.counter(ItemsCount::new(logits.len())).bench_local(|| call(&problem, &mut logits));
}

/// Measures loss and gradient, into a buffer.
fn measure_gradient<T: Element>(bencher: Bencher, dims: &Dims, targets: Targets<T>) {
    let mut gradient = vec![T::default(); dims.elements()];
    measure(bencher, dims, targets, |problem, logits| {
        kernel::loss_and_gradient(problem, logits, T::Wide::from_f64(1.0), &mut gradient)
            .expect("buffers that fit")
            .value
    });
}

#[divan::bench(types = [f32, f64, bf16], args = SHAPES, sample_count = SAMPLES, max_time = SECONDS)]
fn loss<T: Element>(bencher: Bencher, dims: &Dims) {
    measure::<T>(bencher, dims, dims.indices(), |problem, logits| {
        kernel::loss(problem, logits).expect("buffers that fit").value
    });
}

#[divan::bench(types = [f32, f64, bf16], args = SHAPES, sample_count = SAMPLES, max_time = SECONDS)]
fn loss_and_gradient<T: Element>(bencher: Bencher, dims: &Dims) {
    measure_gradient::<T>(bencher, dims, dims.indices());
}

/// From the second call on, the logits are the gradient of the call before: small numbers, for which the time is the same.
#[divan::bench(types = [f32, f64, bf16], args = SHAPES, sample_count = SAMPLES, max_time = SECONDS)]
fn loss_and_gradient_in_place<T: Element>(bencher: Bencher, dims: &Dims) {
    measure::<T>(bencher, dims, dims.indices(), |problem, logits| {
        let upstream = T::Wide::from_f64(1.0);
        kernel::loss_and_gradient_in_place(problem, logits, upstream).expect("buffers that fit").value
    });
}

#[divan::bench(types = [f32, f64, bf16], args = SHAPES, sample_count = SAMPLES, max_time = SECONDS)]
fn row_losses<T: Element>(bencher: Bencher, dims: &Dims) {
    let mut losses = vec![T::Wide::default(); dims.elements() / dims.classes()];
    measure::<T>(bencher, dims, dims.indices(), |problem, logits| {
        kernel::row_losses(problem, logits, &mut losses).expect("buffers that fit").sum()
    });
}

/// Loss and gradient with targets other than indices.
mod targets {
    use super::{Array, Bencher, Dims, SAMPLES, SECONDS, SHAPES, Targets, measure_gradient, scattered};

    #[divan::bench(args = SHAPES, sample_count = SAMPLES, max_time = SECONDS)]
    fn mixed(bencher: Bencher, dims: &Dims) {
        let targets = Targets::<f32>::mixed(dims.labels(0), dims.labels(1 << 20), dims.per_row(scattered));
        measure_gradient(bencher, dims, targets);
    }

    #[divan::bench(args = SHAPES, sample_count = SAMPLES, max_time = SECONDS)]
    fn probabilities(bencher: Bencher, dims: &Dims) {
        let mean = 0.5 * dims.classes() as f64;
        let values: Vec<f32> = (0..dims.elements()).map(|at| (scattered(at + 7) / mean) as f32).collect();
        measure_gradient(bencher, dims, Targets::probabilities(Array::new(dims.0, values)));
    }
}

/// Loss and gradient of batches worth several threads: from 1 to all that the machine has, doubled each time.
#[cfg(feature = "parallel")]
mod threads {
    use std::fmt::{self, Display};
    use std::iter;

    use super::{Bencher, Dims, SAMPLES, SECONDS, kernel, measure};

    const LARGE_SHAPES: [Dims; 4] =
        [Dims(&[16_384, 100], 1), Dims(&[4096, 1000], 1), Dims(&[32, 128_256], 1), Dims(&[8, 19, 128, 128], 1)];

    struct Threads(Dims, usize);

    impl Display for Threads {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.pad(&format!("{}, {} threads", self.0, self.1))
        }
    }

    fn counts() -> impl Iterator<Item = usize> {
        let all = std::thread::available_parallelism().map_or(1, usize::from);
        iter::successors(Some(1), |count| Some(count * 2)).take_while(move |count| *count < all).chain([all])
    }

    fn args() -> impl Iterator<Item = Threads> {
        LARGE_SHAPES
            .into_iter()
            .flat_map(|Dims(dims, axis)| counts().map(move |count| Threads(Dims(dims, axis), count)))
    }

    #[divan::bench(args = args(), sample_count = SAMPLES, max_time = SECONDS)]
    fn loss_and_gradient(bencher: Bencher, Threads(dims, count): &Threads) {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(*count).build().expect("a pool of threads");
        let mut gradient = vec![0.0_f32; dims.elements()];
        measure::<f32>(bencher, dims, dims.indices(), |problem, logits| {
            pool.install(|| {
                kernel::loss_and_gradient(problem, logits, 1.0, &mut gradient).expect("buffers that fit").value
            })
        });
    }
}
