//! Every case of the kit, for the loss composed of burn's operations.

label_smoothing_conformance::main!(label_smoothing_conformance::backends::BurnComposed);
