//! The examples do what they are there to show.

#[path = "../examples/speech_batch.rs"]
mod speech_batch;
#[path = "../examples/train_digits.rs"]
#[expect(dead_code, reason = "what its `main` does is done here, and judged")]
mod train_digits;
#[path = "../examples/train_step.rs"]
mod train_step;

use label_smoothing_ndarray::{SmoothedCrossEntropy, SmoothedLoss};
use ndarray::{Array3, Axis, array};

/// Right about nine of ten digits that it never saw (0.875 to 0.949 of them from 400 different starts), and as unsure as
/// smoothed labels make it: the smoothed loss stays above the entropy of a smoothed label, 0.5003 nats, which an unsmoothed
/// loss falls below.
#[test]
fn digits_are_learnt() {
    let parts = train_digits::train(10).unwrap();
    assert_eq!(parts.counted(), 297);
    assert!(parts.accuracy() > 0.85, "{}", parts.accuracy());
    assert!((0.5003..0.9).contains(&parts.mean()), "{}", parts.mean());
}

/// The frames within the lengths, cut out and taken as rows, have the same loss; behind them nothing is read or written.
#[test]
fn frames_behind_the_end_do_not_count() {
    speech_batch::main().unwrap();
    let mut logits = Array3::from_shape_fn((2, 4, 5), |(u, t, c)| ((u * 20 + t * 5 + c) as f32).sin());
    let labels = array![[1_i64, 0, 3, 4], [2, 2, -7, 5]];
    let rows = logits.to_shape((8, 5)).unwrap().into_owned();
    logits.index_axis_mut(Axis(0), 1).slice_axis_mut(Axis(0), (2..).into()).fill(f32::NAN);
    let (parts, gradient) = speech_batch::loss(&logits, &labels, &[4, 2]).unwrap();
    assert_eq!(parts.counted(), 6);

    let criterion = SmoothedCrossEntropy::new(0.1).unwrap();
    let six = array![1_i64, 0, 3, 4, 2, 2];
    let of_six = criterion.loss(rows.slice_axis(Axis(0), (..6).into()), six.view()).unwrap();
    assert!((parts.mean() - f64::from(of_six)).abs() < 1e-6, "{} {of_six}", parts.mean());
    for ((utterance, frame, _), &value) in gradient.indexed_iter() {
        assert_eq!(value == 0.0, utterance == 1 && frame >= 2, "utterance {utterance}, frame {frame}");
    }
}

/// From weights of 0 the first loss is that of a guess between two classes, whatever the smoothing, and no loss is below the
/// entropy of a smoothed label, 0.1985 nats.
#[test]
fn steps_lower_the_loss() {
    train_step::main().unwrap();
    let losses = train_step::train().unwrap();
    assert!((losses[0] - std::f64::consts::LN_2).abs() < 1e-6, "{losses:?}");
    assert!(losses.is_sorted_by(|before, after| before > after) && losses[4] > 0.1985, "{losses:?}");
}
