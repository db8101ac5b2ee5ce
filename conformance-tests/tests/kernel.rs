//! Every case of the kit, for the kernel.

label_smoothing_conformance::main!(label_smoothing_conformance::backends::Kernel);
