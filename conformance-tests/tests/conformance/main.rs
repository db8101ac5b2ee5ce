//! Every case of the kit for every backend that is built in, and `CONFORMANCE.md`, which is what such a run gives.

mod page;

use std::process::ExitCode;

use label_smoothing_conformance::{backends, test_backends};

fn main() -> ExitCode {
    test_backends(backends::all(), page::is_up_to_date)
}
