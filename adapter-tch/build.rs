//! Lets this package's own tests and examples find libtorch when they run, without `LD_LIBRARY_PATH`.
//!
//! A crate that depends on this one is not affected: what its programs need is told in tch's documentation.

use std::env;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    // Set by torch-sys, which found libtorch; not set with the feature `doc-only`.
    let unix = env::var_os("CARGO_CFG_UNIX").is_some();
    if let (true, Ok(folder)) = (unix, env::var("DEP_TCH_LIBTORCH_LIB")) {
        println!("cargo::rustc-link-arg=-Wl,-rpath,{folder}");
    }
}
