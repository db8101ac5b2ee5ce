//! `accuracy`: how far ours and the frameworks' own losses are off the exact answers, in units roundoff.
//!
//! The rows, the exact answers and the measure are those of the conformance kit.

mod args;
mod figures;
mod report;

use label_smoothing_conformance::accuracy::{Answer, CLASSES, EPSILONS, Point, Row, Sums, ask};
use label_smoothing_conformance::{Backend, Dtype};

use crate::backends;
use crate::compare::{self, Batch};
use crate::error::{Error, Fallible, Result};
use crate::progress;
use crate::staged;
use figures::{Figures, Place};

pub(crate) use args::AccuracyArgs;

/// What a backend of ours is said to call.
const OURS: &str = "ours";

/// Measures, writes the file that is asked for, and gives the tables to print.
pub(crate) fn run(args: &AccuracyArgs) -> Result<String> {
    let backends = backends::choose(&args.backends)?;
    if let Some(path) = &args.json {
        staged::check(path)?;
    }
    // So that no framework adds up in an order that depends on the machine.
    compare::set_threads(1)?;
    let dtypes: Vec<Dtype> =
        Dtype::ALL.iter().copied().filter(|it| args.dtypes.is_empty() || args.dtypes.contains(it)).collect();
    let classes = classes(args);
    let points: Vec<Point> = dtypes.iter().flat_map(|&dtype| Point::all(dtype, &classes)).collect();
    let progress = progress::bar(points.len(), "kinds of rows");
    let mut figures = Figures::default();
    for point in points {
        for row in point.rows() {
            measure(&row, point, &backends, args, &mut figures)?;
        }
        progress.inc(1);
    }
    progress.finish_and_clear();
    if figures.is_empty() {
        let names: Vec<&str> = dtypes.iter().map(|dtype| dtype.name()).collect();
        return Err(Error::new(format_args!("--dtype: none of these backends takes {}", names.join(", "))));
    }
    if let Some(path) = &args.json {
        staged::write_text(path, &report::json(&figures)?)?;
    }
    Ok(report::tables(&figures, &args.by))
}

fn classes(args: &AccuracyArgs) -> Vec<usize> {
    let mut classes = if args.classes.is_empty() { CLASSES.to_vec() } else { args.classes.clone() };
    classes.sort_unstable();
    classes.dedup();
    classes
}

/// Asks everybody about one row.
fn measure(
    row: &Row,
    point: Point,
    backends: &[Box<dyn Backend>],
    args: &AccuracyArgs,
    figures: &mut Figures,
) -> Result<()> {
    let sums = Sums::of(row);
    for &epsilon in EPSILONS {
        let exact = sums.exact(epsilon);
        let place = Place { point, epsilon, gap: row.gap };
        let mut note = |backend: &str, calls: &'static str, answer: Fallible<Answer>| {
            let errors = answer.map(|answer| exact.errors(&answer, point.dtype, point.dtype));
            figures.add(backend, calls, place, errors.map_err(|error| error.to_string()));
        };
        for backend in backends.iter().filter(|backend| backend.dtypes().contains(&point.dtype)) {
            note(&backend.name(), OURS, ask(&**backend, row, epsilon).map_err(Into::into));
        }
        let natives = compare::natives(&args.backends, &Batch::of_row(row, epsilon));
        for (framework, mut native) in natives.map_err(|error| Error::about("the frameworks' own losses", error))? {
            let answer = native.answer().and_then(|it| Ok(Answer::new(row, it.loss, it.gradient)?));
            note(framework, native.is, answer);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
