//! Every case of the kit, for the adapter of tch.

label_smoothing_conformance::main!(label_smoothing_conformance::backends::Tch);
