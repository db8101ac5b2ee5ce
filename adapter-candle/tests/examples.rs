//! The examples that train learn what they are there to learn.

#[path = "../examples/language_model.rs"]
mod language_model;
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

/// The sentences have 11 + 22 + 7 + 22 letters; who knows only the letter before can predict them with a perplexity of 1.651
/// at best (counted pair by pair). Padding that counted would show as more letters and a lower perplexity.
#[test]
fn letters_are_learnt_and_padding_is_not() {
    language_model::main().unwrap();
    let (first, last) = language_model::train(50).unwrap();
    assert_eq!((first.counted(), last.counted()), (62, 62));
    assert!(first.perplexity() > 15.0, "{}", first.perplexity());
    assert!((1.651..2.5).contains(&last.perplexity()), "{}", last.perplexity());
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
