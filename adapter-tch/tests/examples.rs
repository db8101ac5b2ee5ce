//! The examples that train learn what they are there to learn.

#[path = "../examples/segmentation.rs"]
mod segmentation;
#[path = "../examples/train_digits.rs"]
#[expect(dead_code, reason = "what its `main` does is done here, and judged")]
mod train_digits;
#[path = "../examples/train_step.rs"]
mod train_step;

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

/// Of 64 pixels in each image, the 28 on its border have no label. No loss can be below the entropy of a smoothed label of two
/// classes, 0.1985 nats.
#[test]
fn shapes_are_found() {
    segmentation::main().unwrap();
    let (first, last) = segmentation::train(30).unwrap();
    assert_eq!((first.counted(), last.counted()), (4 * 36, 4 * 36));
    assert!(last.accuracy() > 0.98, "{}", last.accuracy());
    assert!((0.1985..0.4).contains(&last.mean()) && last.mean() < first.mean(), "{first:?} {last:?}");
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
