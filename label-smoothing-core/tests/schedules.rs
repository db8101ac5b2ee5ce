//! Schedules of rates, and online label smoothing.

use label_smoothing_core::{Config, Error, OnlineLabelSmoothing, Schedule, Smoothing, per_class_smoothing};

#[track_caller]
fn refused<T: std::fmt::Debug>(result: Result<T, Error>, expected: &str) {
    let message = result.unwrap_err().to_string();
    assert!(message.starts_with(expected), "`{message}` for `{expected}`");
}

fn factors(schedule: &Schedule, steps: &[u64]) -> Vec<f64> {
    steps.iter().map(|&step| schedule.factor(step)).collect()
}

#[test]
fn each_shape_at_its_ends_and_between() {
    let constant = Schedule::constant(0.3).unwrap();
    assert_eq!(factors(&constant, &[0, 1, u64::MAX]), [0.3; 3]);
    let linear = Schedule::linear(1.0, 0.5, 4).unwrap();
    assert_eq!(factors(&linear, &[0, 1, 2, 4, 5, u64::MAX]), [1.0, 0.875, 0.75, 0.5, 0.5, 0.5]);
    let up = Schedule::warm_up(2).unwrap();
    assert_eq!(factors(&up, &[0, 1, 2, 3]), [0.0, 0.5, 1.0, 1.0]);
    let cosine = Schedule::cosine(1.0, 0.0, 6).unwrap();
    // (1 + cos(pi / 3)) / 2 = 3/4 at a third of the way.
    for (found, expected) in factors(&cosine, &[0, 2, 3, 4, 6, 9]).into_iter().zip([1.0, 0.75, 0.5, 0.25, 0.0, 0.0]) {
        assert!((found - expected).abs() < 1e-15, "{found} for {expected}");
    }
    let rising = Schedule::cosine(0.25, 0.75, 2).unwrap();
    assert!((rising.factor(1) - 0.5).abs() < 1e-15);
}

#[test]
fn pieces_follow_each_other() {
    let up = || Schedule::warm_up(4).unwrap();
    let schedule = up().then(Schedule::hold(1.0, 2).unwrap()).then(Schedule::linear(1.0, 0.0, 4).unwrap());
    assert_eq!(factors(&schedule, &[0, 2, 4, 5, 6, 8, 10, 11]), [0.0, 0.5, 1.0, 1.0, 1.0, 0.5, 0.0, 0.0]);
    let endless = Schedule::constant(0.5).unwrap();
    assert_eq!(endless.clone().then(up()), endless);
    assert_eq!(factors(&up().then(endless), &[3, 4, 1000]), [0.75, 0.5, 0.5]);
}

#[test]
fn what_is_switched_off_stays_off() {
    let off = Schedule::warm_up(4).unwrap().off_from(3);
    assert_eq!(factors(&off, &[2, 3, 4, 99]), [0.5, 0.0, 0.0, 0.0]);
    assert_eq!(off.clone().then(Schedule::constant(1.0).unwrap()), off);
    assert_eq!(off.clone().off_from(10), off);
    assert_eq!(off.off_from(1).factor(1), 0.0);
    // The steps of what follows count from where it begins.
    let second = Schedule::constant(1.0).unwrap().off_from(5);
    let both = Schedule::hold(0.5, 10).unwrap().then(second);
    assert_eq!(factors(&both, &[9, 10, 14, 15]), [0.5, 1.0, 1.0, 0.0]);
}

#[test]
fn every_rate_is_scaled() {
    let half = Schedule::constant(0.5).unwrap();
    let scaled = |smoothing: Smoothing| half.smoothing(0, &smoothing);
    assert_eq!(scaled(Smoothing::None), Smoothing::None);
    assert_eq!(scaled(Smoothing::UniformOthers { epsilon: 0.5 }), Smoothing::UniformOthers { epsilon: 0.25 });
    assert_eq!(scaled(Smoothing::Negative { rate: -3.0 }), Smoothing::Negative { rate: -1.5 });
    let per_class = |epsilons: [f64; 2]| Smoothing::UniformPerClass { epsilons: epsilons.to_vec() };
    assert_eq!(scaled(per_class([0.5, 0.0])), per_class([0.25, 0.0]));
    let rows = |epsilon| Smoothing::ClassRows { epsilon, rows: vec![vec![0.5, 0.5]; 2] };
    assert_eq!(scaled(rows(1.0)), rows(0.5));
    let off = Schedule::constant(0.0).unwrap();
    assert_eq!(off.smoothing(7, &rows(1.0)), Smoothing::None);

    let of_class = [Schedule::constant(0.1).unwrap(), Schedule::warm_up(10).unwrap()];
    assert_eq!(per_class_smoothing(&of_class, 0), per_class([0.1, 0.0]));
    assert_eq!(per_class_smoothing(&of_class, 5), per_class([0.1, 0.5]));
    assert_eq!(per_class_smoothing(&[off.clone(), off], 5), Smoothing::None);
}

#[test]
fn schedules_without_meaning() {
    for factor in [-0.1, 1.1, f64::NAN] {
        let range = "must be between 0 and 1";
        refused(Schedule::constant(factor), &format!("the factor at the start is {factor}, but {range}"));
        refused(Schedule::hold(factor, 2), &format!("the factor at the start is {factor}, but {range}"));
        refused(Schedule::linear(0.0, factor, 2), &format!("the factor at the end is {factor}, but {range}"));
        refused(Schedule::cosine(0.0, factor, 2), &format!("the factor at the end is {factor}, but {range}"));
    }
    refused(Schedule::warm_up(0), "the number of steps is 0, but must be at least 1");
    refused(Schedule::hold(1.0, 0), "the number of steps is 0, but must be at least 1");
}

const BATCHES: [([f64; 6], [i64; 2]); 3] = [
    ([2.0, 1.0, 0.0, 0.0, 3.0, 0.5], [0, 1]),
    ([1.0, 0.0, 4.0, 5.0, 1.0, 1.0], [0, 0]), // the first is wrong
    ([0.0, 0.0, 0.0, 1.0, 2.0, 2.0], [0, 2]), // of equals the first is the prediction: the second is wrong
];

fn softmax(z: &[f64]) -> Vec<f64> {
    let total: f64 = z.iter().map(|z| z.exp()).sum();
    z.iter().map(|z| z.exp() / total).collect()
}

#[test]
fn rows_are_the_means_of_what_was_right() {
    let mut online = OnlineLabelSmoothing::new(3).unwrap();
    for (logits, targets) in BATCHES {
        online.observe(&logits, &targets, &[]).unwrap();
    }
    assert_eq!(online.counts(), [3, 1, 0]);
    assert_eq!(online.row(0), [1.0 / 3.0; 3]); // the first epoch is uniform
    online.finish_epoch();
    let right = [softmax(&BATCHES[0].0[..3]), softmax(&BATCHES[1].0[3..]), softmax(&BATCHES[2].0[..3])];
    for class in 0..3 {
        let mean: f64 = right.iter().map(|p| p[class]).sum::<f64>() / 3.0;
        assert!((online.row(0)[class] - mean).abs() < 1e-15);
        assert!((online.row(1)[class] - softmax(&BATCHES[0].0[3..])[class]).abs() < 1e-15);
    }
    assert_eq!(online.row(2), [1.0 / 3.0; 3]);
    // An epoch without correct predictions changes nothing.
    let before = online.clone();
    online.observe(&[0.0, 1.0, 0.0], &[0], &[]).unwrap();
    online.finish_epoch();
    assert_eq!(online, before);
    assert!(Config::cross_entropy().smoothing(online.smoothing(0.5)).build().is_ok());
}

#[test]
fn workers_add_up() {
    let mut whole = OnlineLabelSmoothing::new(3).unwrap();
    let mut merged = whole.clone();
    for (logits, targets) in BATCHES {
        whole.observe(&logits, &targets, &[]).unwrap();
        let mut worker = OnlineLabelSmoothing::new(3).unwrap();
        worker.observe(&logits, &targets, &[]).unwrap();
        merged.merge(&worker).unwrap();
    }
    assert_eq!(merged.counts(), whole.counts());
    merged.finish_epoch();
    whole.finish_epoch();
    for class in 0..3 {
        assert!(merged.row(class).iter().zip(whole.row(class)).all(|(a, b)| (a - b).abs() < 1e-15));
    }
    let other = OnlineLabelSmoothing::new(2).unwrap();
    refused(merged.merge(&other), "2 elements in the other worker's counts, but 3 are needed");
}

#[test]
fn what_has_no_softmax_is_left_out() {
    let mut online = OnlineLabelSmoothing::new(2).unwrap();
    let (nan, inf) = (f32::NAN, f32::INFINITY);
    online.observe(&[nan, 0.0, 1.0, nan, inf, 0.0, -inf, -inf, 9.0, 0.0], &[0, 0, 0, 0, -100], &[-100]).unwrap();
    assert_eq!(online.counts(), [0, 0]);
    online.observe(&[0.0, -inf], &[0], &[]).unwrap();
    assert_eq!(online.counts(), [1, 0]);
}

#[test]
fn observations_without_meaning() {
    refused(OnlineLabelSmoothing::new(1), "classes is 1, but must be at least 2");
    let mut online = OnlineLabelSmoothing::new(2).unwrap();
    let untouched = online.clone();
    refused(online.observe(&[0.0_f64; 3], &[0], &[]), "3 elements in the logits, but 2 are needed");
    refused(
        online.observe(&[1.0_f64, 0.0, 1.0, 0.0], &[0, 2], &[-1]),
        "the target of row 1 is 2, but the classes are 0 to 1",
    );
    assert_eq!(online, untouched);
}

#[cfg(feature = "serde")]
mod serde {
    use super::{BATCHES, OnlineLabelSmoothing, Schedule};

    #[test]
    fn what_is_kept_is_what_was() {
        let schedule = Schedule::warm_up(3).unwrap().then(Schedule::cosine(1.0, 0.5, 9).unwrap()).off_from(11);
        let text = serde_json::to_string(&schedule).unwrap();
        assert_eq!(serde_json::from_str::<Schedule>(&text).unwrap(), schedule);
        let mut online = OnlineLabelSmoothing::new(3).unwrap();
        online.observe(&BATCHES[0].0.map(|z| z as f32), &BATCHES[0].1, &[]).unwrap();
        let text = serde_json::to_string(&online).unwrap();
        let kept: OnlineLabelSmoothing = serde_json::from_str(&text).unwrap();
        assert_eq!(kept.counts(), online.counts());
        let entries = (0..3).flat_map(|class| kept.row(class).iter().zip(online.row(class)));
        assert!(entries.into_iter().all(|(a, b)| (a - b).abs() < 1e-15));
    }

    #[test]
    fn what_is_read_is_checked() {
        let schedule = |text: &str| serde_json::from_str::<Schedule>(text).unwrap_err().to_string();
        assert!(schedule(r#"{"pieces": []}"#).starts_with("the number of pieces is 0"));
        let above = r#"{"pieces": [{"shape": "linear", "from": 2.0, "to": 0.0, "steps": 3}]}"#;
        assert!(schedule(above).starts_with("the factor at the start is 2"));
        let online = |text: &str| serde_json::from_str::<OnlineLabelSmoothing>(text).unwrap_err().to_string();
        let short = r#"{"classes": 2, "rows": [0.5, 0.5], "sums": [0, 0, 0, 0], "counts": [0, 0]}"#;
        assert!(online(short).starts_with("2 elements in rows, but 4 are needed"), "{}", online(short));
        let off = r#"{"classes": 2, "rows": [0.5, 0.5, 1.0, 0.5], "sums": [0, 0, 0, 0], "counts": [0, 0]}"#;
        assert!(online(off).starts_with("row 1 sums to 1.5"), "{}", online(off));
        let negative = r#"{"classes": 2, "rows": [0.5, 0.5, 1.0, 0.0], "sums": [0, -1, 0, 0], "counts": [0, 0]}"#;
        assert!(online(negative).starts_with("sums[1] is -1"), "{}", online(negative));
    }
}
