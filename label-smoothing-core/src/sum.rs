//! The one order in which rows are added.

/// Sums `value(0) + ... + value(len - 1)` as a balanced binary tree over the index.
///
/// A node covers an aligned power of two of indices, so the sum depends on the values and their places only, and the
/// sums of aligned parts are nodes of the whole's tree.
pub(crate) fn pairwise(len: usize, value: &impl Fn(usize) -> f64) -> f64 {
    fn node(from: usize, len: usize, value: &impl Fn(usize) -> f64) -> f64 {
        match len {
            0 => 0.0,
            1 => value(from),
            _ => {
                let half = len.next_power_of_two() / 2;
                node(from, half, value) + node(from + half, len - half, value)
            }
        }
    }
    node(0, len, value)
}

#[cfg(test)]
mod tests {
    use super::pairwise;

    #[test]
    fn the_tree_is_aligned() {
        let values: Vec<f64> = (0..13).map(|i| f64::from(i).exp()).collect();
        let sum = |from: usize, to: usize| pairwise(to - from, &|i| values[from + i]);
        assert_eq!(sum(0, 13), sum(0, 8) + (sum(8, 12) + values[12]));
        assert_eq!(sum(0, 0), 0.0);
        assert_eq!(sum(3, 4), values[3]);
    }
}
