//! Everybody is asked the same, and what is not measured is not 0.

use label_smoothing_conformance::accuracy::{Errors, Point, Sums};
use label_smoothing_conformance::{Dtype, dispatch};
use label_smoothing_core::Element;

use super::figures::{By, Figures, Place};
use super::report;
use crate::compare::{self, Batch};

const POINT: Point = Point { dtype: Dtype::F32, classes: 10, lead: 1, offset: 0 };

/// On rows that nothing is hard about, each loss computes what it says, at the rate that it is asked for, and in the
/// type: `dispatch` gives the type's unit, which is 2^13 times that of a wider one.
#[test]
fn natives_compute_the_loss_in_the_element_type() {
    for &dtype in Dtype::ALL {
        let row = Point { dtype, ..POINT }.row(0);
        let mut seen = 0;
        for epsilon in [0.0, 0.1] {
            let exact = Sums::of(&row).exact(epsilon);
            for (framework, mut native) in compare::natives(&[], &Batch::of_row(&row, epsilon)).unwrap() {
                let name = format!("{framework}: {} in {dtype} at {epsilon}", native.is);
                let answer = native.answer().unwrap();
                let off = (answer.loss - exact.loss.to_f64()).abs() / exact.loss.to_f64();
                assert!(off <= 20.0 * dtype.unit_roundoff(), "{name}: off by {off:e}");
                assert!(answer.gradient.iter().all(|&g| dispatch!(dtype, T => T::from_f64(g).to_f64()) == g), "{name}");
                seen += 1;
            }
        }
        let everybody = cfg!(all(feature = "tch", feature = "all-rust"));
        assert!(seen >= if everybody { 6 } else { 0 }, "{seen} losses in {dtype}");
    }
}

#[test]
fn natives_can_be_chosen() {
    let batch = Batch::of_row(&POINT.row(0), 0.1);
    let names = |chosen: &[&str]| -> Vec<&str> {
        let chosen: Vec<String> = chosen.iter().map(|&name| name.to_owned()).collect();
        compare::natives(&chosen, &batch).unwrap().into_iter().map(|(framework, _)| framework).collect()
    };
    assert_eq!(names(&["kernel"]), [""; 0]);
    #[cfg(feature = "candle")]
    assert_eq!(names(&["kernel", "candle"]), ["candle"]);
}

fn errors(loss: f64) -> Errors {
    Errors { loss, target_gradient: 0.25, row_sum: 0.5 }
}

#[test]
fn the_worst_counts_and_nothing_is_no_zero() {
    let mut figures = Figures::default();
    let place = |lead, epsilon| Place { point: Point { lead, ..POINT }, epsilon, gap: lead.into() };
    figures.add("a", "ours", place(1, 0.0), Ok(errors(2.0)));
    figures.add("a", "ours", place(80, 0.1), Ok(errors(f64::INFINITY)));
    figures.add("a", "ours", place(1, 0.1), Ok(errors(1.0)));
    figures.add("b", "ours", place(1, 0.1), Err("cannot".to_owned()));
    let [a, b] = &figures.contenders[..] else { panic!("{figures:?}") };
    let losses = |by| a.parts(by).map(|(value, worst)| (value, worst.errors.loss, worst.rows)).collect::<Vec<_>>();
    assert_eq!(losses(By::Lead), [(1.0, 2.0, 2), (80.0, f64::INFINITY, 1)]);
    assert_eq!(losses(By::Epsilon), [(0.0, 2.0, 1), (0.1, f64::INFINITY, 2)]);
    assert_eq!(a.worst.unwrap().rows, 3);
    assert!(b.worst.is_none());

    let text = report::tables(&figures, &[By::Lead]);
    let line = |start: &str| text.lines().find(|line| line.contains(start)).unwrap().to_owned();
    assert!(line(" a ").contains("inf") && !line(" b ").contains('0') && line(" b ").contains('-'), "{text}");
    assert!(text.contains("lead 80") && text.contains("b in f32: cannot"), "{text}");
    let json: serde_json::Value = serde_json::from_str(&report::json(&figures).unwrap()).unwrap();
    assert_eq!(json["contenders"][0]["loss"], "inf");
    assert_eq!(json["contenders"][1].get("loss"), None);
    assert_eq!(json["contenders"][1]["failure"], "cannot");
}
