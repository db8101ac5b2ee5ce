//! Shapes of batches, at the edges of the kernel's ways: groups of rows, lanes, blocks, a class axis in the middle.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

/// The axes of the logits.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Dims {
    pub(crate) shape: Vec<usize>,
    pub(crate) axis: usize,
}

impl Dims {
    pub(crate) fn classes(&self) -> usize {
        self.shape[self.axis]
    }

    pub(crate) fn elements(&self) -> usize {
        self.shape.iter().product()
    }

    /// The shape of one value per row.
    pub(crate) fn row_shape(&self) -> Vec<usize> {
        let mut shape = self.shape.clone();
        shape.remove(self.axis);
        shape
    }

    pub(crate) fn rows(&self) -> usize {
        self.row_shape().iter().product()
    }
}

/// Any shape with at most a few thousand elements.
pub(crate) fn dims() -> impl Strategy<Value = Dims> {
    prop_oneof![
        8 => (vec(length(), 0..3), classes(33), any::<prop::sample::Index>()).prop_map(placed),
        4 => (vec(1_usize..40, 1), classes(33), any::<prop::sample::Index>()).prop_map(placed),
        2 => (vec(1_usize..4, 0..2), classes(200), any::<prop::sample::Index>()).prop_map(placed),
        1 => (vec(1_usize..3, 1), select(vec![1023_usize, 1024, 1025, 2049]), any::<prop::sample::Index>()).prop_map(placed),
    ]
}

/// Rows of one axis, with the classes last; in a third of the cases of several of the kernel's blocks.
pub(crate) fn dims_in_slices() -> impl Strategy<Value = Dims> {
    let several_blocks = select(vec![1025_usize, 2047, 2048, 2049, 3100]);
    let shapes = prop_oneof![2 => (0_usize..6, classes(200)), 1 => (1_usize..3, several_blocks)];
    shapes.prop_map(|(rows, classes)| Dims { shape: vec![rows, classes], axis: 1 })
}

/// Of an axis of rows; now and then there are none.
fn length() -> impl Strategy<Value = usize> {
    prop_oneof![20 => 1_usize..6, 1 => Just(0)]
}

/// Any number up to `largest`, the edges of vector registers more often.
fn classes(largest: usize) -> impl Strategy<Value = usize> {
    let edges: Vec<usize> = [1, 2, 8, 15, 16, 17, 31, 32, 33, 64, 65, 127, 128, 129].into();
    prop_oneof![1..=largest, select(edges.into_iter().filter(|&edge| edge <= largest).collect::<Vec<_>>())]
}

fn placed((mut shape, classes, place): (Vec<usize>, usize, prop::sample::Index)) -> Dims {
    let axis = place.index(shape.len() + 1);
    shape.insert(axis, classes);
    Dims { shape, axis }
}
