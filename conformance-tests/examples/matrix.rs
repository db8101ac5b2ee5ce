//! The matrix of every backend that is built in.

use label_smoothing_conformance::{Report, Suite, backends};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let suite = Suite::standard()?;
    let backends = backends::all();
    let report = Report::run(backends.iter().map(AsRef::as_ref), &suite, &mut || ());
    println!("{report}");
    if report.is_ok() { Ok(()) } else { Err("some cases failed".into()) }
}
