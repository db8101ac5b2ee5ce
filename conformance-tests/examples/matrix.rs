//! The matrix of the backends that are built in, or of those named, over the cases whose id contains a text.
//!
//!     cargo run -p label-smoothing-conformance --features ndarray --example matrix -- kernel law/

use label_smoothing_conformance::{Report, Suite, backends};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let (name, text) = (arguments.next().unwrap_or_default(), arguments.next().unwrap_or_default());
    let suite = Suite::standard()?.filter(&text);
    let backends = backends::all();
    let named = backends.iter().map(AsRef::as_ref).filter(|backend| backend.name().contains(&name));
    let report = Report::run(named, &suite, &mut || ());
    println!("{report}");
    if report.is_ok() { Ok(()) } else { Err("not every case passed".into()) }
}
