//! The one order in which rows are added, and sums that carry what their roundings lost.

use std::ops::{Add, Neg};

/// A sum in `f64` with its rounding error beside it: of a million terms it is the exact sum, rounded once, but for
/// second-order errors (Knuth's two-sum).
#[derive(Debug, Clone, Copy, PartialEq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct CarriedSum {
    sum: f64,
    lost: f64,
}

impl CarriedSum {
    /// A sum and what its roundings lost, which of an infinite sum is not a number, and no concern.
    #[inline(always)]
    pub(crate) fn new(sum: f64, lost: f64) -> Self {
        Self { sum, lost: if sum.is_finite() { lost } else { 0.0 } }
    }

    /// The sum, rounded once.
    #[inline(always)]
    pub(crate) fn value(self) -> f64 {
        self.sum + self.lost
    }

    /// The sum over a number, rounded once.
    pub(crate) fn over(self, divisor: f64) -> f64 {
        let quotient = self.sum / divisor;
        let rest = (-quotient).mul_add(divisor, self.sum) + self.lost;
        if rest.is_finite() { quotient + rest / divisor } else { quotient }
    }
}

impl From<f64> for CarriedSum {
    #[inline(always)]
    fn from(sum: f64) -> Self {
        Self { sum, lost: 0.0 }
    }
}

impl Add for CarriedSum {
    type Output = Self;

    #[inline(always)]
    fn add(self, other: Self) -> Self {
        let sum = self.sum + other.sum;
        let kept = sum - self.sum;
        let lost = ((self.sum - (sum - kept)) + (other.sum - kept)) + (self.lost + other.lost);
        Self::new(sum, lost)
    }
}

impl Neg for CarriedSum {
    type Output = Self;

    fn neg(self) -> Self {
        Self { sum: -self.sum, lost: -self.lost }
    }
}

/// A balanced binary tree over an index, filled from left to right.
///
/// A node covers an aligned power of two of leaves: `2^level` of them from a multiple of `2^level` on. So the sum of all
/// depends on the leaves and their places only, and the sums of aligned parts are nodes of the whole's tree.
#[derive(Debug, Clone)]
pub struct Tree<T> {
    nodes: Vec<Node<T>>,
}

#[derive(Debug, Clone, Copy)]
struct Node<T> {
    start: usize,
    level: u32,
    sum: T,
}

impl<T: Copy + Add<Output = T>> Tree<T> {
    pub(crate) fn new() -> Self {
        Self { nodes: Vec::new() }
    }

    /// Adds the node of the `2^level` leaves from `start` on, which is a multiple of `2^level` and follows what is there.
    #[inline(always)]
    pub(crate) fn push(&mut self, start: usize, level: u32, sum: T) {
        let mut node = Node { start, level, sum };
        while let Some(left) = self.nodes.pop_if(|left| left.level == node.level && is_left(left)) {
            node = Node { start: left.start, level: left.level + 1, sum: left.sum + node.sum };
        }
        self.nodes.push(node);
    }

    /// Adds a tree whose leaves follow those that are there.
    pub(crate) fn append(&mut self, right: Self) {
        for Node { start, level, sum } in right.nodes {
            self.push(start, level, sum);
        }
    }

    /// The sum of all leaves; none if there are none.
    pub(crate) fn total(self) -> Option<T> {
        self.nodes.into_iter().map(|node| node.sum).rev().reduce(|right, left| left + right)
    }
}

/// Whether a node is the left child of its parent.
#[inline(always)]
fn is_left<T>(node: &mut Node<T>) -> bool {
    node.start >> node.level & 1 == 0
}

/// Sums `value(0) + ... + value(len - 1)` in the tree's order, rounded once.
pub(crate) fn pairwise(len: usize, value: &impl Fn(usize) -> f64) -> f64 {
    carried(len, value).value()
}

/// Sums `value(0) + ... + value(len - 1)` in the tree's order.
pub(crate) fn carried(len: usize, value: &impl Fn(usize) -> f64) -> CarriedSum {
    let mut tree = Tree::new();
    for index in 0..len {
        tree.push(index, 0, CarriedSum::from(value(index)));
    }
    tree.total().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::{CarriedSum, Tree, pairwise};

    #[test]
    fn what_is_rounded_off_is_not_lost() {
        let values = [1.0, f64::EPSILON / 4.0, f64::EPSILON / 4.0, f64::EPSILON / 4.0, f64::EPSILON / 4.0];
        assert_eq!(pairwise(values.len(), &|i| values[i]), 1.0 + f64::EPSILON);
        assert_eq!(pairwise(2, &|_| f64::MAX), f64::INFINITY);
        assert!(pairwise(2, &|i| [f64::INFINITY, f64::NEG_INFINITY][i]).is_nan());
        assert_eq!(pairwise(0, &|_| 1.0), 0.0);
    }

    /// Two-sum: the sum as rounded, and exactly what the rounding lost, whichever of the two is larger.
    #[test]
    fn a_sum_knows_what_it_lost() {
        let (small, large) = (2.0_f64.powi(-60), 2.0_f64.powi(53));
        for (a, b, sum, lost) in [(1.0, small, 1.0, small), (large, 3.0, large + 4.0, -1.0), (1.0, 2.0, 3.0, 0.0)] {
            for total in [CarriedSum::from(a) + CarriedSum::from(b), CarriedSum::from(b) + CarriedSum::from(a)] {
                assert_eq!(total, CarriedSum { sum, lost }, "{a} and {b}");
            }
        }
        let (a, b) = (CarriedSum::new(1.0, small), CarriedSum::new(2.0, small / 2.0));
        assert_eq!(a + b, CarriedSum { sum: 3.0, lost: small + small / 2.0 });
        assert_eq!(CarriedSum::new(f64::INFINITY, f64::NAN).value(), f64::INFINITY);
        assert_eq!((-CarriedSum::new(1.0, 0.25)).value(), -1.25);
    }

    /// `(2^53 + 1) / 3` is a whole number, which neither `2^53 / 3` nor a quotient of rounded numbers is.
    #[test]
    fn a_quotient_is_that_of_the_whole_sum() {
        assert_eq!(CarriedSum::new(2.0_f64.powi(53), 1.0).over(3.0), 3_002_399_751_580_331.0);
        assert_eq!(CarriedSum::from(1.0).over(3.0), 1.0 / 3.0);
        assert_eq!(CarriedSum::from(f64::INFINITY).over(2.0), f64::INFINITY);
        assert_eq!(CarriedSum::from(f64::MAX).over(0.5), f64::INFINITY);
    }

    /// A sum that shows its parentheses.
    #[derive(Debug, Clone, Copy, PartialEq)]
    struct Shape {
        hash: u64,
    }

    impl std::ops::Add for Shape {
        type Output = Self;

        fn add(self, other: Self) -> Self {
            Self { hash: self.hash.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(other.hash.rotate_left(17)) }
        }
    }

    #[test]
    fn the_tree_is_the_same_however_it_is_filled() {
        let leaf = |index: usize| Shape { hash: index as u64 + 1 };
        let filled = |range: std::ops::Range<usize>| {
            let mut tree = Tree::new();
            range.for_each(|index| tree.push(index, 0, leaf(index)));
            tree
        };
        let aligned = ((leaf(0) + leaf(1)) + (leaf(2) + leaf(3))) + leaf(4);
        assert_eq!(filled(0..5).total(), Some(aligned));
        for end in 0..70 {
            for cut in 0..=end {
                let mut parts = filled(0..cut);
                parts.append(filled(cut..end));
                assert_eq!(parts.total(), filled(0..end).total(), "{cut} of {end}");
            }
        }
    }

    #[test]
    fn aligned_parts_are_nodes() {
        let values: Vec<f64> = (0..13).map(|i| f64::from(i).exp()).collect();
        let node = |from: usize, to: usize| {
            let mut tree = Tree::new();
            (from..to).for_each(|i| tree.push(i - from, 0, CarriedSum::from(values[i])));
            tree.total().unwrap()
        };
        assert_eq!(node(0, 13), node(0, 8) + (node(8, 12) + node(12, 13)));
    }
}
