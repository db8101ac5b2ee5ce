//! Every case of the kit, for the adapter of burn.

label_smoothing_conformance::main!(label_smoothing_conformance::backends::Burn);
