//! What the kernel holds beside the caller's memory: room for a few rows at a time, never for a table of rows and classes.
//!
//! One test, since the allocator is that of the whole process.

use label_smoothing_core::{
    Array, Config, ConfigBuilder, Error, Likelihood, Penalty, Problem, Smoothing, Targets, bf16, kernel,
};

#[global_allocator]
static ALLOCATOR: dhat::Alloc = dhat::Alloc;

/// Rows and classes: of the kernel's way for groups of rows, of that for single ones, and two large enough for threads.
const SHAPES: [(usize, usize); 4] = [(4096, 16), (64, 1000), (2048, 128), (256, 4096)];

/// The options with a way of their own through the kernel; weights and a prior have coefficients class by class.
fn configs(classes: usize) -> Vec<(&'static str, ConfigBuilder)> {
    let uniform = || Config::cross_entropy().smoothing(Smoothing::Uniform { epsilon: 0.1 });
    let prior = vec![1.0 / classes as f64; classes];
    vec![
        ("uniform", uniform()),
        ("others", Config::cross_entropy().smoothing(Smoothing::UniformOthers { epsilon: 0.1 })),
        ("class weights", uniform().class_weights(vec![0.5; classes])),
        ("a prior", Config::cross_entropy().smoothing(Smoothing::Distribution { epsilon: 0.1, distribution: prior })),
        ("an excluded class", uniform().excluded_classes([0])),
        ("the z-loss", uniform().z_loss(1e-4).ignore_index([3])),
        ("focal", uniform().likelihood(Likelihood::Focal { gamma: 2.0, alpha: None })),
        ("a penalty", uniform().penalties([Penalty::Confidence { strength: 0.1 }])),
        ("binary", Config::binary_cross_entropy().smoothing(Smoothing::UniformHalf { epsilon: 0.1 })),
    ]
}

/// The most bytes that a call holds at any time.
fn held_by(call: impl FnOnce() -> Result<(), Error>) -> usize {
    let _profiler = dhat::Profiler::builder().testing().build();
    call().unwrap();
    dhat::HeapStats::get().max_bytes
}

#[test]
fn nothing_is_allocated_in_the_size_of_the_logits() {
    for (rows, classes) in SHAPES {
        let logits: Vec<f32> = (0..rows * classes).map(|at| (at % 17) as f32 / 4.0).collect();
        let halves: Vec<bf16> = logits.iter().map(|&z| bf16::from_f32(z)).collect();
        let targets: Vec<i64> = (0..rows).map(|row| (row % classes) as i64).collect();
        let soft = vec![1.0_f32 / classes as f32; rows * classes];
        let (mut gradient, mut in_place) = (vec![0.0_f32; rows * classes], logits.clone());
        let (mut of_halves, mut losses) = (vec![0.0_f32; rows * classes], vec![0.0_f32; rows * classes]);
        for (name, builder) in configs(classes) {
            let config = builder.build().unwrap();
            let shape = [rows, classes];
            let indices = || Targets::<f32>::indices(Array::new([rows], targets.as_slice()));
            let problem = || Problem::new(&config, &shape, indices());
            let calls = [
                ("the check", held_by(|| problem().map(drop))),
                ("loss", held_by(|| kernel::loss(&problem()?, &logits).map(drop))),
                (
                    "loss_and_gradient",
                    held_by(|| kernel::loss_and_gradient(&problem()?, &logits, 1.0, &mut gradient).map(drop)),
                ),
                ("in place", held_by(|| kernel::loss_and_gradient_in_place(&problem()?, &mut in_place, 1.0).map(drop))),
                ("of bf16", held_by(|| kernel::loss_and_gradient(&problem()?, &halves, 1.0, &mut of_halves).map(drop))),
                (
                    "row_losses",
                    held_by(|| {
                        let problem = problem()?;
                        let count = problem.losses();
                        kernel::row_losses(&problem, &logits, &mut losses[..count]).map(drop)
                    }),
                ),
            ];
            for (call, bytes) in calls {
                is_little(bytes, rows, classes, &format!("{name}, {call}"));
            }
        }
        let config = Config::cross_entropy().smoothing(Smoothing::Uniform { epsilon: 0.1 }).build().unwrap();
        let bytes = held_by(|| {
            let probabilities = Targets::probabilities(Array::new([rows, classes], soft.as_slice()));
            let problem = Problem::<f32>::new(&config, &[rows, classes], probabilities)?;
            kernel::loss_and_gradient(&problem, &logits, 1.0, &mut gradient).map(drop)
        });
        is_little(bytes, rows, classes, "probabilities");
    }
}

/// Some numbers per row, and some rows for each task that a thread may take: up to 128 classes 16 rows side by side, with
/// their logits, exponentials, targets and coefficients, else one. A table would be 4 bytes per logit.
fn is_little(bytes: usize, rows: usize, classes: usize, what: &str) {
    const PER_ROW: usize = 8;
    const A_TASK: usize = 1 << 17;
    const REST: usize = 32 << 10;
    let tasks = (rows * classes).div_ceil(A_TASK);
    let bytes_per_class = if classes <= 128 { 16 * 32 } else { 64 };
    let allowed = PER_ROW * rows + tasks * bytes_per_class * classes + REST;
    assert!(allowed < 4 * rows * classes, "{what}: a table of {rows} x {classes} would pass");
    assert!(bytes <= allowed, "{what}: {bytes} bytes for {rows} x {classes}, more than {allowed}");
    println!("{what:<34} {rows:>5} x {classes:<5} {bytes:>8} bytes");
}
