//! Vector files: no text makes the parser panic, and no case that it reads makes the kernel.
#![no_main]

use label_smoothing_conformance::backends::{Kernel, Reference};
use label_smoothing_conformance::{Backend, Dtype, VectorFile, run_case};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Ok(file) = VectorFile::parse("fuzz", text) else { return };
    for case in &file.cases {
        for backend in [&Reference as &dyn Backend, &Kernel] {
            for &dtype in Dtype::ALL {
                let why = run_case(backend, dtype, case).map(|result| result.why).unwrap_or_default();
                assert!(!why.contains("panicked"), "{} in {dtype}: {why}", backend.name());
            }
        }
    }
});
