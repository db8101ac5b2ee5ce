//! Every case of the kit, for the loss that the adapter of tch composes of libtorch's operations.

label_smoothing_conformance::main!(label_smoothing_conformance::backends::TchComposed);
