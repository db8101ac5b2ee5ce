//! Every case of the kit, for the adapter of ndarray.

label_smoothing_conformance::main!(label_smoothing_conformance::backends::Ndarray);
