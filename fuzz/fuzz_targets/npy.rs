//! `.npy` files, by the command's own reader.
#![no_main]
#![allow(dead_code, reason = "the command's files are included as they are")]

#[path = "../../label-smoothing-cli/src/error.rs"]
mod error;
#[path = "../../label-smoothing-cli/src/staged.rs"]
mod staged;
#[path = "../../label-smoothing-cli/src/tensor/mod.rs"]
mod tensor;

mod file;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| file::read(bytes, ".npy", ""));
