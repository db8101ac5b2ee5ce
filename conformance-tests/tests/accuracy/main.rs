//! The accuracy of the kernel and of what hands its memory to it, on rows whose target leads by 0 to 80 nats.
//!
//! The bounds and their reasons stand in `src/tolerance.rs`.

use std::path::Path;

use label_smoothing_conformance::accuracy::{
    CLASSES, DoubleDouble, EPSILONS, OFFSETS, Point, Sums, Worst, ask, kernel_confident_k, row_sum_k,
};
use label_smoothing_conformance::{Backend, Dtype, backends};

/// The answers that mpmath computed of rows that another program made.
#[test]
fn exact_answers_are_those_of_arithmetic_in_120_digits() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/accuracy/exact.txt");
    let mut checked = 0;
    for line in std::fs::read_to_string(file).unwrap().lines() {
        let words: Vec<&str> = line.split(' ').collect();
        let whole = |place: usize| words[place].parse::<u64>().unwrap();
        let number = |place: usize| words[place].parse::<f64>().unwrap();
        let point = Point {
            dtype: words[0].parse().unwrap(),
            classes: whole(1) as usize,
            lead: whole(2) as u32,
            offset: whole(3) as u32,
        };
        let of_row = Sums::of(&point.row(whole(4))).exact(number(5));
        for (name, actual, place) in [("loss", of_row.loss, 6), ("gradient", of_row.target_gradient, 8)] {
            let exact = DoubleDouble { hi: number(place), lo: number(place + 1) };
            // The two parts of a smoothed gradient may cancel.
            let scale = if name == "loss" { exact.hi.abs() } else { of_row.gradient_scale };
            let error = (actual - exact).abs().to_f64() / scale;
            assert!(error < 2.0_f64.powi(-92), "{line}: {name} {actual:?}, off by {error:e}");
        }
        checked += 1;
    }
    assert!(checked > 200, "{checked} rows");
}

/// Asks about every row of the sweep, and panics where a bound is missed; the worst of what was seen.
fn hold(backend: &dyn Backend, dtype: Dtype, classes: &[usize]) -> Worst {
    let mut worst: Option<Worst> = None;
    for point in Point::all(dtype, classes) {
        for row in point.rows() {
            let sums = Sums::of(&row);
            for &epsilon in EPSILONS {
                let answer = ask(backend, &row, epsilon).unwrap();
                let loss_dtype = backend.loss_dtype(dtype);
                let errors = sums.exact(epsilon).errors(&answer, loss_dtype, dtype);
                let place = format!("{}, {point:?}, lead {}, rate {epsilon}: {errors:?}", backend.name(), row.gap);
                let k = kernel_confident_k(dtype, row.gap);
                assert!(errors.loss <= k && errors.target_gradient <= k, "above {k}: {place}");
                assert!(errors.row_sum <= row_sum_k(dtype, point.classes), "{place}");
                let here = Worst::of(errors, row.gap);
                worst = Some(worst.map_or(here, |worst| worst.and(here)));
            }
        }
    }
    worst.expect("a sweep has rows")
}

#[test]
fn the_kernel_is_within_its_bounds() {
    for &dtype in Dtype::ALL {
        hold(&backends::Kernel, dtype, &CLASSES[..2]);
    }
    hold(&backends::Kernel, Dtype::F32, &CLASSES[2..3]);
}

/// One of those that have the kernel's bits, with nothing lost on the way through its framework.
#[test]
#[cfg(feature = "candle")]
fn an_adapter_is_within_the_bounds() {
    for &dtype in Dtype::ALL {
        hold(&backends::Candle, dtype, &CLASSES[..1]);
    }
    hold(&backends::Candle, Dtype::F32, &CLASSES[1..2]);
}

/// The kernel, and every adapter that hands it its framework's memory.
#[test]
#[ignore = "takes a minute: 262144 classes, from every backend"]
fn every_backend_is_within_the_bounds() {
    let backends: Vec<_> = backends::all().into_iter().filter(|backend| backend.claims_identical_bits()).collect();
    assert_eq!(backends[0].name(), "kernel");
    for backend in backends {
        for &dtype in backend.dtypes() {
            let worst = hold(&*backend, dtype, CLASSES);
            println!("{:10} {dtype:5} {worst:?}", backend.name());
        }
    }
}

/// What the bounds are about is in the sweep: the largest lead, an offset, and full rows.
#[test]
fn the_sweep_is_what_it_says() {
    let points: Vec<Point> = Point::all(Dtype::F32, CLASSES).collect();
    assert!(points.iter().any(|point| point.lead == 80 && point.offset == 1_000_000 && point.classes == 262_144));
    assert_eq!(OFFSETS[0], 0);
    let row = points[0].row(0);
    assert_eq!((row.logits.len(), row.gap), (10, 0.0));
}
