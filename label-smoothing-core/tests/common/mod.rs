//! What several tests need.
#![allow(dead_code, reason = "each test target uses its own share")]

use label_smoothing_core::Element;

/// Numbers that sum to 1, larger for later classes.
pub(crate) fn prior(classes: usize) -> Vec<f64> {
    let total = (classes * (classes + 1) / 2) as f64;
    (0..classes).map(|class| (class + 1) as f64 / total).collect()
}

/// Class weights between 0.5 and 1.5.
pub(crate) fn class_weights(classes: usize) -> Vec<f64> {
    (0..classes).map(|class| 0.5 + (class % 5) as f64 * 0.25).collect()
}

/// The bits of the values; every NaN counts as the same.
pub(crate) fn bits<T: Element>(values: &[T]) -> Vec<u64> {
    let number = |value: &T| if value.to_f64().is_nan() { f64::NAN } else { value.to_f64() };
    values.iter().map(|value| number(value).to_bits()).collect()
}
