//! Every case of the kit, for the reference.

label_smoothing_conformance::main!(label_smoothing_conformance::backends::Reference);
