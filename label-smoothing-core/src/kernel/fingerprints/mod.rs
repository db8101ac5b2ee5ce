//! Every case's loss, row losses and gradients, as 64-bit FNV-1a hashes.
//!
//! `tests/fingerprints/` holds them to a committed file, and this crate's own tests make them on every instruction set.

mod cases;

use std::collections::BTreeMap;
use std::path::PathBuf;

use label_smoothing_core::kernel::slices::Slice;
use label_smoothing_core::{Config, Element, LossParts, Problem, bf16, f16, kernel};

pub(crate) use cases::Random;
use cases::{Case, Input};

/// The shapes that every case is run with, each with its class axis: class counts on both sides of where the kernel
/// changes its way (lanes of 32, groups of rows up to 128 classes, or 64 with coefficients class by class, blocks of 1024), and
/// class axes that are not the last.
const SHAPES: &[(&[usize], usize)] = &[
    (&[40, 2], 1),
    (&[37, 10], 1),
    (&[18, 32], 1),
    (&[19, 33], 1),
    (&[18, 64], 1),
    (&[17, 65], 1),
    (&[17, 128], 1),
    (&[5, 129], 1),
    (&[4, 1000], 1),
    (&[3, 1024], 1),
    (&[3, 1025], 1),
    (&[2, 5000], 1),
    (&[10, 21], 0),
    (&[2, 19, 5, 7], 1),
    (&[1, 1025, 18], 1),
];

/// Shapes that are cut into several tasks where there are threads, for some of the cases.
const LARGE_SHAPES: &[(&[usize], usize)] = &[(&[16_400, 10], 1), (&[3, 70_001], 1)];
const LARGE_CASES: &[&str] = &["uniform", "probabilities", "binary"];

/// The cases that are computed in slices as well, and where the classes are cut: at blocks and elsewhere.
const SLICED_CASES: &[&str] = &["none", "uniform", "uniform-others", "uniform-per-class", "mixed-uniform", "negative"];
const CUTS: &[(&str, usize)] = &[("at-a-block", 1024), ("anywhere", 7)];

/// Hashes by the names of their cases.
pub(crate) type Fingerprints = BTreeMap<String, String>;

/// What makes the hashes of all cases, an element type each.
pub(crate) const OF_EACH_TYPE: [fn() -> Fingerprints; 4] =
    [of_type::<f32>, of_type::<f64>, of_type::<f16>, of_type::<bf16>];

/// Where they are committed.
pub(crate) fn file() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fingerprints/fingerprints.txt")
}

pub(crate) fn committed() -> Fingerprints {
    let text = std::fs::read_to_string(file()).unwrap();
    let lines = text.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split_once(' '));
    lines.map(|(case, hashes)| (case.to_owned(), hashes.to_owned())).collect()
}

fn of_type<T: Element>() -> Fingerprints {
    let mut made = Fingerprints::new();
    let large = LARGE_SHAPES.iter().map(|&shape| (shape, true));
    for ((dims, axis), is_large) in SHAPES.iter().map(|&shape| (shape, false)).chain(large) {
        for case in cases::all(dims[axis]) {
            if is_large && !LARGE_CASES.contains(&case.name) {
                continue;
            }
            let shape = dims.iter().enumerate();
            let shape: Vec<_> =
                shape.map(|(at, n)| if at == axis { format!("[{n}]") } else { n.to_string() }).collect();
            let id = format!("{}/{}/{}", T::NAME, shape.join("x"), case.name);
            if !is_large && axis == dims.len() - 1 && SLICED_CASES.contains(&case.name) {
                for &(name, cut) in CUTS.iter().filter(|(_, cut)| *cut < dims[axis]) {
                    for (way, one_pass) in [("two-steps", false), ("one-step", true)] {
                        let hashes = in_slices::<T>(&case, dims, axis, cut, one_pass);
                        made.insert(format!("{id}/sliced-{name}-in-{way}"), hashes);
                    }
                }
            }
            let hashes = fingerprint::<T>(&case, dims, axis);
            assert!(made.insert(id, hashes).is_none(), "two cases of one name");
        }
    }
    made
}

/// The hashes of one case.
fn fingerprint<T: Element>(case: &Case, dims: &[usize], axis: usize) -> String {
    let config: Config = case.config.clone().class_axis(axis).build().unwrap();
    let mut random = Random::new(case.name);
    let input: Input<T> = case.input(&config, dims, &mut random);
    let problem = Problem::new(&config, dims, input.targets).unwrap();
    let logits = &input.logits;

    let mut gradient = vec![T::default(); logits.len()];
    let loss = kernel::loss_and_gradient(&problem, logits, T::Wide::from_f64(1.0), &mut gradient).unwrap();
    let mut of_loss = Hash::default();
    of_loss.number(loss.value);
    of_loss.parts(&loss.parts);

    // Upstream gradients that are not powers of two, so that the multiplication rounds.
    let upstream: Vec<_> = (0..problem.losses()).map(|at| T::Wide::from_f64((at % 13) as f64 * 0.375 - 1.5)).collect();
    let mut losses = vec![T::Wide::default(); problem.losses()];
    let mut gradient_of_rows = vec![T::default(); logits.len()];
    let parts =
        kernel::row_losses_and_gradient(&problem, logits, &upstream, &mut losses, &mut gradient_of_rows).unwrap();
    let mut of_rows = Hash::default();
    of_rows.all(&losses);
    of_rows.parts(&parts);

    let mut of_gradients = Hash::default();
    of_gradients.all(&gradient);
    of_gradients.all(&gradient_of_rows);
    format!("{:016x} {:016x} {:016x}", of_loss.0, of_rows.0, of_gradients.0)
}

/// The hashes of one case, its classes in two slices.
fn in_slices<T: Element>(case: &Case, dims: &[usize], axis: usize, cut: usize, one_pass: bool) -> String {
    let config: Config = case.config.clone().class_axis(axis).build().unwrap();
    let input: Input<T> = case.input(&config, dims, &mut Random::new(case.name));
    let problem = Problem::new(&config, dims, input.targets).unwrap();
    let classes = dims[axis];
    let halves = [0..cut, cut..classes].map(|range| {
        let own: Vec<T> = input.logits.chunks(classes).flat_map(|row| row[range.clone()].to_vec()).collect();
        (Slice::new(&problem, range).unwrap(), own)
    });
    let maxima = halves.each_ref().map(|(slice, own)| slice.maxima(own).unwrap());
    let all = maxima[0].merge(&maxima[1]).unwrap();
    let sums = [0, 1].map(|at| {
        let (slice, own) = &halves[at];
        slice.sums(own, if one_pass { &maxima[at] } else { &all }).unwrap()
    });
    let [first, second] = &sums;
    let sums = if one_pass { first.merge(second, &problem) } else { first.followed_by(second) };
    let merged = sums.unwrap().loss(&problem).unwrap();

    let mut of_loss = Hash::default();
    of_loss.number(merged.loss.value);
    of_loss.parts(&merged.loss.parts);
    let mut of_rows = Hash::default();
    of_rows.all(&merged.row_losses);
    let mut of_gradients = Hash::default();
    for (slice, own) in &halves {
        let mut gradient = vec![T::default(); own.len()];
        slice.gradient(own, &merged, T::Wide::from_f64(1.0), &mut gradient).unwrap();
        of_gradients.all(&gradient);
    }
    format!("{:016x} {:016x} {:016x}", of_loss.0, of_rows.0, of_gradients.0)
}

/// FNV-1a (Fowler, Noll and Vo) with 64 bits.
struct Hash(u64);

impl Default for Hash {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Hash {
    fn bits(&mut self, bits: u64) {
        for byte in bits.to_le_bytes() {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    /// Every NaN counts as the same: which one comes out of an operation differs between processors.
    fn number(&mut self, value: f64) {
        self.bits(if value.is_nan() { f64::NAN.to_bits() } else { value.to_bits() });
    }

    /// Numbers by way of `f64`, which holds those of every type exactly.
    fn all<T: Element>(&mut self, values: &[T]) {
        for value in values {
            self.number(value.to_f64());
        }
    }

    fn parts(&mut self, parts: &LossParts) {
        self.number(parts.sum());
        self.number(parts.denominator());
        self.number(parts.nll());
        self.bits(parts.counted());
        self.bits(parts.correct());
    }
}
