//! Every case of the kit, for the adapter of dfdx.

label_smoothing_conformance::main!(label_smoothing_conformance::backends::Dfdx);
