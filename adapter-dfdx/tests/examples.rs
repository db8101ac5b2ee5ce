//! The example that trains learns what it is there to learn.

#[path = "../examples/train_digits.rs"]
#[expect(dead_code, reason = "what its `main` does is done here, and judged")]
mod train_digits;

/// Right about nine of ten digits that it never saw, and as unsure as smoothed labels make it: the smoothed loss stays above
/// the entropy of a smoothed label, 0.5003 nats, which an unsmoothed loss falls below.
#[test]
fn digits_are_learnt() {
    let parts = train_digits::train(10).unwrap();
    assert_eq!(parts.counted(), 297);
    assert!(parts.accuracy() > 0.88, "{}", parts.accuracy());
    assert!((0.5003..0.9).contains(&parts.mean()), "{}", parts.mean());
}
