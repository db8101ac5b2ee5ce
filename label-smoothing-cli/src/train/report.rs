//! What `train` prints, and its JSON.

use std::fmt::Write;

use anstyle::{AnsiColor, Style};
use comfy_table::Table;
use comfy_table::presets::UTF8_BORDERS_ONLY;
use serde_json::json;

use super::Plan;
use super::network::{BATCH, DROPOUT};
use super::run::{BINS, Run, Scores};
use super::summary::{Agreement, Group, Verdict, noise_name};
use super::timing::Timing;
use crate::error::{Error, Result};

/// Everything that came out.
pub(super) struct Results<'a> {
    pub(super) plan: &'a Plan,
    pub(super) runs: &'a [Run],
    pub(super) groups: &'a [Group<'a>],
    pub(super) timings: &'a [Timing],
    pub(super) agreement: Option<Agreement>,
}

impl Results<'_> {
    pub(super) fn json(&self) -> Result<String> {
        let plan = self.plan;
        let value = json!({
            "settings": {
                "label_smoothing": plan.rates,
                "noise": plan.noises,
                "seeds": plan.seeds,
                "steps": plan.steps,
                "batch": BATCH,
                "dropout": DROPOUT,
                "optimizer": plan.optimizer.name(),
                "bins": BINS,
            },
            "summary": self.groups,
            "timing": self.timings,
            "agreement": self.agreement,
            "runs": self.runs,
        });
        Ok(format!("{}\n", serde_json::to_string(&value).map_err(Error::new)?))
    }

    /// Tables and sentences.
    pub(super) fn text(&self) -> String {
        let mut text = format!("{}\n", self.table());
        text.push_str(UNITS);
        for backend in &self.plan.backends {
            for &noise in &self.plan.noises {
                self.verdicts(backend.name, noise, &mut text);
            }
        }
        text.push('\n');
        for timing in self.timings {
            let _ = writeln!(
                text,
                "{}: a step on {BATCH} images takes {:.0} us with hard labels and {:.0} us with smoothing {}; it adds {:.1} us{UNOPTIMISED}",
                timing.backend,
                timing.hard_microseconds,
                timing.smoothed_microseconds,
                timing.label_smoothing,
                timing.added_microseconds,
            );
        }
        if let Some(Agreement { backends, steps, largest_difference }) = &self.agreement {
            let names = backends.join(", ");
            let _ = writeln!(
                text,
                "the losses of the first {steps} steps in {names} differ by at most {largest_difference:.1e}"
            );
        }
        text
    }

    fn table(&self) -> Table {
        let mut table = Table::new();
        table.load_style(UTF8_BORDERS_ONLY);
        table.set_header([
            "backend",
            "labels",
            "smoothing",
            "temperature",
            "accuracy",
            "NLL",
            "Brier",
            "ECE",
            "equal mass",
            "confidence",
        ]);
        for group in self.groups {
            for (temperature, scores) in
                [("1".to_owned(), &group.before), (group.temperature.text(1.0, 2), &group.after)]
            {
                let cell = |name: &str, scale: f64, digits: usize| scores[name].text(scale, digits);
                table.add_row([
                    group.backend.to_owned(),
                    if group.noise == 0.0 { "clean".to_owned() } else { format!("{} % wrong", 100.0 * group.noise) },
                    group.label_smoothing.to_string(),
                    temperature,
                    cell("accuracy", 100.0, 1),
                    cell("nll", 1.0, 3),
                    cell("brier", 1.0, 3),
                    cell("ece", 100.0, 1),
                    cell("ece_equal_mass", 100.0, 1),
                    cell("mean_confidence", 100.0, 1),
                ]);
            }
        }
        table
    }

    /// Whether smoothing helped, for each rate, with and without temperature scaling.
    fn verdicts(&self, backend: &str, noise: f64, text: &mut String) {
        let mut groups = self.groups.iter().filter(|group| group.backend == backend && group.noise == noise);
        let Some(hard) = groups.next().filter(|group| group.label_smoothing == 0.0) else { return };
        for smoothed in groups {
            for (when, of) in [
                ("", (|run| &run.before) as fn(&Run) -> &Scores),
                (", both with temperature scaling", |run| &run.after),
            ] {
                let verdict = Verdict::new(hard, smoothed, of);
                let _ =
                    write!(text, "{backend}, {}, {} against hard labels{when}: ", noise_name(noise), smoothed.labels());
                let parts = [
                    ("better", verdict.better, Style::new().fg_color(Some(AnsiColor::Green.into()))),
                    ("worse", verdict.worse, Style::new().fg_color(Some(AnsiColor::Red.into()))),
                    ("no clear difference", verdict.neither, Style::new()),
                ];
                let named = parts.iter().filter(|(_, scores, _)| !scores.is_empty());
                let named =
                    named.map(|(word, scores, style)| format!("{style}{word}{style:#} in {}", scores.join(", ")));
                let _ = writeln!(text, "{}", named.collect::<Vec<_>>().join("; "));
            }
        }
    }
}

/// What the table's figures are.
const UNITS: &str = "\
accuracy, ECE (15 bins of equal width, and of equal mass) and mean confidence in per cent, NLL in nats; mean ± standard
deviation over the seeds, on test images that are always labelled correctly; the second line of each with the temperature that
fits the validation images best

";

/// For who forgot `--release`.
const UNOPTIMISED: &str =
    if cfg!(debug_assertions) { " (this command is built without optimisation: the times mean nothing)" } else { "" };
