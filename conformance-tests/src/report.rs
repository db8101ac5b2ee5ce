//! What a run found: counts, the worst `k`, and every failure.

use std::collections::BTreeMap;
use std::fmt;
use std::num::NonZero;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{OnceLock, mpsc};
use std::thread;

use serde_json::{Value, json};

use crate::backend::Backend;
use crate::case::Case;
use crate::dtype::Dtype;
use crate::run::{CaseResult, Status, run};
use crate::suite::Suite;
use crate::{markdown, table};

/// How many cases there were of each status, and the worst `k`.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Counts {
    /// See [`Status::Passed`].
    pub passed: usize,
    /// See [`Status::Failed`].
    pub failed: usize,
    /// See [`Status::Unsupported`].
    pub unsupported: usize,
    /// See [`Status::RefusedWrongly`].
    pub refused_wrongly: usize,
    /// The largest `k` of the tolerance that a loss needed.
    pub worst_k_loss: f64,
    /// The largest `k` that a gradient needed.
    pub worst_k_gradient: f64,
}

impl Counts {
    /// All cases; each counts once.
    #[must_use]
    pub fn total(&self) -> usize {
        self.passed + self.failed + self.unsupported + self.refused_wrongly
    }

    fn add(&mut self, result: &CaseResult) {
        *match result.status {
            Status::Passed => &mut self.passed,
            Status::Failed => &mut self.failed,
            Status::Unsupported => &mut self.unsupported,
            Status::RefusedWrongly => &mut self.refused_wrongly,
        } += 1;
        self.worst_k_loss = self.worst_k_loss.max(result.k_loss);
        self.worst_k_gradient = self.worst_k_gradient.max(result.k_gradient);
    }
}

/// A case that is not as it should be, or a declared gap.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The case.
    pub id: String,
    /// What is wrong with it; for a gap, its reason.
    pub why: String,
}

/// One backend in one element type.
#[derive(Debug, Clone, PartialEq)]
pub struct BackendReport {
    /// The backend's name.
    pub name: String,
    /// Its framework, with the version.
    pub framework: String,
    /// Where it computes.
    pub device: String,
    /// The element type of the logits.
    pub dtype: Dtype,
    /// All cases.
    pub counts: Counts,
    /// Whether every bit was that of the kernel; none where that is not claimed or nothing was run.
    pub identical_bits: Option<bool>,
    /// By the first two parts of the ids.
    pub groups: BTreeMap<String, Counts>,
    /// Failed and wrongly refused cases.
    pub failures: Vec<Finding>,
    /// Declared gaps.
    pub gaps: Vec<Finding>,
    /// Cases whose numbers the element type does not hold; they are run in those that do.
    pub not_held: usize,
}

impl BackendReport {
    pub(crate) fn new(backend: &dyn Backend, dtype: Dtype) -> Self {
        Self {
            name: backend.name(),
            framework: backend.framework(),
            device: backend.device(),
            dtype,
            counts: Counts::default(),
            identical_bits: None,
            groups: BTreeMap::new(),
            failures: Vec::new(),
            gaps: Vec::new(),
            not_held: 0,
        }
    }

    pub(crate) fn add(&mut self, case: &Case, result: CaseResult) {
        self.counts.add(&result);
        self.groups.entry(case.group().to_owned()).or_default().add(&result);
        if let Some(identical) = result.identical_bits {
            self.identical_bits = Some(self.identical_bits.unwrap_or(true) && identical);
        }
        let finding = Finding { id: case.id.clone(), why: result.why };
        match result.status {
            Status::Passed => {}
            Status::Unsupported => self.gaps.push(finding),
            Status::Failed | Status::RefusedWrongly => self.failures.push(finding),
        }
    }

    fn to_json(&self) -> Value {
        let Counts { passed, failed, unsupported, refused_wrongly, worst_k_loss, worst_k_gradient } = self.counts;
        let failures: Vec<Value> =
            self.failures.iter().map(|finding| json!({ "id": finding.id, "why": finding.why })).collect();
        json!({
            "name": self.name,
            "dtype": self.dtype.name(),
            "passed": passed,
            "failed": failed,
            "unsupported": unsupported,
            "refused_wrongly": refused_wrongly,
            "worst_k_loss": number(worst_k_loss),
            "worst_k_gradient": number(worst_k_gradient),
            "identical_bits": self.identical_bits,
            "failures": failures,
        })
    }
}

/// A number to full precision; what JSON has no number for is a string, as in vector files.
fn number(value: f64) -> Value {
    if value.is_finite() { json!(value) } else { json!(value.to_string().to_lowercase()) }
}

/// A whole run: one entry per backend and element type.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Report {
    /// The entries, in the order of the run.
    pub backends: Vec<BackendReport>,
}

impl Report {
    /// Runs a suite for backends, in every element type that they claim; `progress` is called after each case.
    ///
    /// One thread per core takes one backend and element type after another. The entries of the report are in the order of
    /// the backends all the same.
    pub fn run<'a>(
        backends: impl IntoIterator<Item = &'a dyn Backend>,
        suite: &Suite,
        progress: &mut dyn FnMut(),
    ) -> Self {
        let pairs = |backend: &'a dyn Backend| backend.dtypes().iter().map(move |&dtype| (backend, dtype));
        let runs: Vec<(&dyn Backend, Dtype)> = backends.into_iter().flat_map(pairs).collect();
        let entries: Vec<OnceLock<BackendReport>> = runs.iter().map(|_| OnceLock::new()).collect();
        let (next, (sender, cases)) = (AtomicUsize::new(0), mpsc::channel());
        let work = |sender: mpsc::Sender<()>| {
            // Nobody listens any more only where `progress` panicked, and then the report is lost anyway.
            let mut progress = || sender.send(()).unwrap_or_default();
            while let Some((&(backend, dtype), entry)) = take(&next, &runs, &entries) {
                entry.get_or_init(|| run(backend, dtype, suite, &mut progress));
            }
        };
        thread::scope(|scope| {
            for _ in 0..thread::available_parallelism().map_or(1, NonZero::get).min(runs.len()) {
                let sender = sender.clone();
                let work = &work;
                scope.spawn(move || work(sender));
            }
            drop(sender);
            for () in cases {
                progress();
            }
        });
        Self { backends: entries.into_iter().filter_map(OnceLock::into_inner).collect() }
    }

    /// Whether nothing failed, nothing was refused wrongly, and every backend was asked something.
    #[must_use]
    pub fn is_ok(&self) -> bool {
        let asked = |name: &str| self.backends.iter().any(|entry| entry.name == name && entry.counts.total() > 0);
        let right = |entry: &BackendReport| entry.failures.is_empty() && asked(&entry.name);
        !self.backends.is_empty() && self.backends.iter().all(right)
    }

    /// `{"backends": [{"name", "dtype", "passed", "failed", "unsupported", "refused_wrongly", "worst_k_loss",
    /// "worst_k_gradient", "identical_bits", "failures": [{"id", "why"}]}]}`.
    #[must_use]
    pub fn to_json(&self) -> Value {
        json!({ "backends": self.backends.iter().map(BackendReport::to_json).collect::<Vec<_>>() })
    }
}

impl Report {
    /// The text of `CONFORMANCE.md`: the same for every run that gives the same results.
    #[must_use]
    pub fn to_markdown(&self) -> String {
        markdown::page(self)
    }
}

/// The next run that no thread has taken, and the place of its entry.
fn take<'r, R, E>(next: &AtomicUsize, runs: &'r [R], entries: &'r [E]) -> Option<(&'r R, &'r E)> {
    let at = next.fetch_add(1, Ordering::Relaxed);
    runs.get(at).zip(entries.get(at))
}

/// The matrix, and below it every failure.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", table::text(&table::matrix(&self.backends)))?;
        for entry in &self.backends {
            for Finding { id, why } in &entry.failures {
                write!(f, "\n{} {}: {id}\n    {why}", entry.name, entry.dtype)?;
            }
            if !entry.failures.is_empty() {
                writeln!(f)?;
            }
        }
        Ok(())
    }
}
