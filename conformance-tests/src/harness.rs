//! One named test per case and element type, for `cargo test`.

use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};

use libtest_mimic::{Arguments, Completion, Failed, Trial};

use crate::backend::Backend;
use crate::dtype::Dtype;
use crate::report::{BackendReport, Report};
use crate::run::{Status, run_case};
use crate::suite::Suite;

/// Defines the `main` of a test target with `harness = false` that runs every case of the kit on one backend.
///
/// The tests are named `mine f32 exact/...`; the usual arguments of `cargo test` work: a filter, `--list`, `--exact`. Declared
/// gaps are run as well: they show as ignored, with their reason, and fail where they work after all. At the end comes a
/// table; with the environment variable `CONFORMANCE_JSON` set to a path, the report is also written there.
///
/// ```no_run
/// use label_smoothing_conformance::backends::Reference;
///
/// label_smoothing_conformance::main!(Reference);
/// ```
#[macro_export]
macro_rules! main {
    ($backend:expr) => {
        fn main() -> ::std::process::ExitCode {
            $crate::test_backends(::std::vec![::std::boxed::Box::new($backend)], |_| ::std::result::Result::Ok(()))
        }
    };
}

/// What [`main!`](crate::main!) calls, for any number of backends. The report of a run without a filter is handed to `check`,
/// which may have more to say about it.
pub fn test_backends(backends: Vec<Box<dyn Backend>>, check: impl FnOnce(&Report) -> Result<(), String>) -> ExitCode {
    let suite = match Suite::standard() {
        Ok(suite) => suite,
        Err(error) => return fail(&error.to_string()),
    };
    let reports: Vec<_> = backends.into_iter().flat_map(Watched::of_all_types).collect();
    let trials: Vec<Vec<Trial>> = reports.iter().map(|watched| trials(watched, &suite)).collect();
    if trials.is_empty() || trials.iter().any(Vec::is_empty) {
        return fail("there are no cases for an element type that the backend claims");
    }
    let arguments = Arguments::from_args();
    let conclusion = libtest_mimic::run(&arguments, trials.into_iter().flatten().collect());
    let report = Report { backends: reports.iter().map(|watched| watched.with(|report| report.clone())).collect() };
    if !arguments.list && conclusion.num_filtered_out == 0 {
        println!("{}", crate::table::text(&crate::table::matrix(&report.backends)));
        if conclusion.num_passed == 0 {
            return fail("not one case passed");
        }
        if let Err(why) = check(&report) {
            return fail(&why);
        }
    }
    if let Some(path) = std::env::var_os("CONFORMANCE_JSON")
        && let Err(error) = std::fs::write(&path, format!("{:#}\n", report.to_json()))
    {
        return fail(&format!("the report cannot be written to {}: {error}", path.display()));
    }
    conclusion.exit_code()
}

fn fail(message: &str) -> ExitCode {
    eprintln!("label-smoothing-conformance: {message}");
    ExitCode::FAILURE
}

/// A report that tests on several threads add to.
#[derive(Clone)]
struct Watched {
    backend: Arc<dyn Backend>,
    dtype: Dtype,
    report: Arc<Mutex<BackendReport>>,
}

impl Watched {
    fn of_all_types(backend: Box<dyn Backend>) -> Vec<Self> {
        let backend: Arc<dyn Backend> = Arc::from(backend);
        let report = |dtype| Arc::new(Mutex::new(BackendReport::new(backend.as_ref(), dtype)));
        let watched = |&dtype| Self { backend: Arc::clone(&backend), dtype, report: report(dtype) };
        backend.dtypes().iter().map(watched).collect()
    }

    fn with<R>(&self, act: impl FnOnce(&mut BackendReport) -> R) -> R {
        act(&mut self.report.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn trials(watched: &Watched, suite: &Suite) -> Vec<Trial> {
    let Watched { backend, dtype, .. } = watched;
    let mut trials = Vec::new();
    for case in suite.cases() {
        if !case.is_held(*dtype, backend.loss_dtype(*dtype)) {
            watched.with(|report| report.not_held += 1);
            continue;
        }
        let name = format!("{} {dtype} {}", backend.name(), case.id);
        let (watched, case) = (watched.clone(), case.clone());
        trials.push(Trial::ignorable_test(name, move || {
            let Some(result) = run_case(watched.backend.as_ref(), watched.dtype, &case) else {
                return Err(Failed::from("the element type does not hold the case's numbers"));
            };
            let (status, why) = (result.status, result.why.clone());
            watched.with(|report| report.add(&case, result));
            match status {
                Status::Passed => Ok(Completion::Completed),
                Status::Unsupported => Ok(Completion::ignored_with(why)),
                Status::Failed | Status::RefusedWrongly => Err(Failed::from(why)),
            }
        }));
    }
    trials
}
