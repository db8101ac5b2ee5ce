//! Every case of the kit, for the adapter of candle.

label_smoothing_conformance::main!(label_smoothing_conformance::backends::Candle);
