//! The example that trains lowers the loss; those that take burn's optimisers have their tests beside them.

#[path = "../examples/train_step.rs"]
mod train_step;

/// From weights of 0 the first loss is that of a guess between two classes, whatever the smoothing, and no loss is below the
/// entropy of a smoothed label, 0.1985 nats.
#[test]
fn steps_lower_the_loss() {
    train_step::main().unwrap();
    let losses = train_step::train().unwrap();
    assert!((losses[0] - std::f64::consts::LN_2).abs() < 1e-6, "{losses:?}");
    assert!(losses.is_sorted_by(|before, after| before > after) && losses[4] > 0.1985, "{losses:?}");
}
