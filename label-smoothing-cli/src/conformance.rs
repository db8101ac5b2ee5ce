//! `conformance` and `check`: the kit's cases or other people's, for every backend that is asked for.

use std::path::Path;

use label_smoothing_conformance::{Report, Suite, VectorFile};

use crate::args::{CheckArgs, ConformanceArgs};
use crate::backends;
use crate::error::{Error, Result};
use crate::progress;
use crate::staged;
use crate::text;

/// Runs the kit's own cases.
pub(crate) fn conformance(args: &ConformanceArgs) -> Result<(String, bool)> {
    let mut suite = Suite::standard().map_err(Error::new)?;
    if let Some(text) = &args.filter {
        suite = suite.filter(text);
        if suite.cases().is_empty() {
            return Err(Error::new(format_args!("--filter {text} leaves no case: no id contains it")));
        }
    }
    run(&args.backends, &suite, args.json.as_deref())
}

/// Runs the cases of vector files.
pub(crate) fn check(args: &CheckArgs) -> Result<(String, bool)> {
    let files = args.vectors.iter().map(|path| read(path)).collect::<Result<Vec<_>>>()?;
    let suite = Suite::from_files(files).map_err(Error::new)?;
    if suite.cases().is_empty() {
        return Err(Error::new("the vector files hold no case"));
    }
    run(&args.backends, &suite, args.json.as_deref())
}

fn read(path: &Path) -> Result<VectorFile> {
    VectorFile::parse(&path.display().to_string(), &text::read(path)?).map_err(Error::new)
}

/// The matrix with what failed, and whether all is well.
fn run(names: &[String], suite: &Suite, json: Option<&Path>) -> Result<(String, bool)> {
    let backends = backends::choose(names)?;
    json.map_or(Ok(()), staged::check)?;
    let runs: usize = backends.iter().map(|backend| backend.dtypes().len()).sum();
    let progress = progress::bar(runs * suite.cases().len(), "cases");
    let report = Report::run(backends.iter().map(AsRef::as_ref), suite, &mut || progress.inc(1));
    progress.finish_and_clear();
    if let Some(path) = json {
        staged::write_text(path, &format!("{:#}\n", report.to_json()))?;
    }
    Ok((report.to_string(), report.is_ok()))
}
