//! Every case of the kit, for the loss that the adapter of candle composes of its operations.

label_smoothing_conformance::main!(label_smoothing_conformance::backends::CandleComposed);
