//! The kit's own vector files, inside the program.

use super::{VectorError, VectorFile};

macro_rules! embed {
    ($($name:literal,)*) => {
        /// Each file of the kit's folder `vectors`: its name and its text.
        pub const EMBEDDED: &[(&str, &str)] =
            &[$(($name, include_str!(concat!("../../vectors/", $name)))),*];
    };
}

embed! {
    "exact-binary.json",
    "exact-combined.json",
    "exact-ignore.json",
    "exact-medium.json",
    "exact-non-finite.json",
    "exact-numerics.json",
    "exact-rejected.json",
    "exact-shapes.json",
    "exact-smoothing.json",
    "exact-weights.json",
    "exact-z-loss.json",
    "own-axes.json",
    "own-binary.json",
    "own-block-maximum.json",
    "own-blocks.json",
    "own-combinations.json",
    "own-confident.json",
    "own-excluded-classes.json",
    "own-lanes.json",
    "own-maximum.json",
    "own-mixes.json",
    "own-non-finite.json",
    "own-offsets.json",
    "own-refusals.json",
    "own-row-weights.json",
    "own-soft-targets.json",
    "own-subtract-entropy.json",
    "own-unbounded.json",
    "own-z-loss.json",
    "peer-espnet.json",
    "peer-fairseq.json",
    "peer-keras.json",
    "peer-optax.json",
    "peer-pytorch.json",
    "peer-t5x.json",
    "peer-tensor2tensor.json",
    "peer-timm.json",
    "peer-transformers.json",
    "reading-binary-kinds.json",
    "reading-binary-unit.json",
    "reading-infinite-loss.json",
    "reading-large-rates.json",
    "reading-refusals.json",
    "reading-zero-weights.json",
    "system-burn.json",
    "system-classy-vision.json",
    "system-espnet.json",
    "system-fairseq.json",
    "system-keras.json",
    "system-megatron.json",
    "system-opennmt.json",
    "system-t5x.json",
    "system-tensor2tensor.json",
    "system-timm.json",
}

/// The kit's own vector files, read.
///
/// # Errors
///
/// None while the kit's tests pass.
pub fn embedded() -> Result<Vec<VectorFile>, VectorError> {
    EMBEDDED.iter().map(|(name, text)| VectorFile::parse(name, text)).collect()
}
