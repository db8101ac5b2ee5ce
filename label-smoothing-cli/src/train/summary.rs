//! Runs that differ in their seed only, taken together.

use std::collections::BTreeMap;

use serde::Serialize;

use super::run::{Run, Scores};

/// A mean over seeds and the sample standard deviation, which a single seed does not have.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(super) struct Statistic {
    pub(super) mean: f64,
    pub(super) spread: Option<f64>,
}

impl Statistic {
    pub(super) fn new(values: &[f64]) -> Self {
        let count = values.len() as f64;
        let mean = values.iter().sum::<f64>() / count;
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        Self { mean, spread: (values.len() > 1).then(|| (squares / (count - 1.0)).sqrt()) }
    }

    /// As it is printed, in units of `1 / scale`.
    pub(super) fn text(self, scale: f64, digits: usize) -> String {
        let mean = format!("{:.digits$}", scale * self.mean);
        self.spread.map_or_else(|| mean.clone(), |spread| format!("{mean} ± {:.digits$}", scale * spread))
    }
}

/// A score by its name.
pub(super) struct Score {
    pub(super) name: &'static str,
    pub(super) of: fn(&Scores) -> f64,
    /// Which way is better; none where neither is by itself.
    better: Option<Better>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Better {
    Higher,
    Lower,
}

pub(super) const SCORES: [Score; 7] = [
    Score { name: "accuracy", of: |scores| scores.accuracy, better: Some(Better::Higher) },
    Score { name: "nll", of: |scores| scores.nll, better: Some(Better::Lower) },
    Score { name: "brier", of: |scores| scores.brier, better: Some(Better::Lower) },
    Score { name: "ece", of: |scores| scores.ece, better: Some(Better::Lower) },
    Score { name: "ece_equal_mass", of: |scores| scores.ece_equal_mass, better: Some(Better::Lower) },
    Score { name: "mean_confidence", of: |scores| scores.mean_confidence, better: None },
    Score { name: "over_confidence", of: |scores| scores.over_confidence, better: None },
];

/// The runs of one backend, noise and smoothing.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Group<'a> {
    pub(super) backend: &'static str,
    pub(super) label_smoothing: f64,
    pub(super) noise: f64,
    pub(super) temperature: Statistic,
    pub(super) before: BTreeMap<&'static str, Statistic>,
    pub(super) after: BTreeMap<&'static str, Statistic>,
    #[serde(skip)]
    pub(super) runs: Vec<&'a Run>,
}

impl<'a> Group<'a> {
    fn new(runs: Vec<&'a Run>) -> Self {
        let setting = runs[0].setting;
        let over = |of: &dyn Fn(&Run) -> f64| Statistic::new(&runs.iter().map(|run| of(run)).collect::<Vec<_>>());
        let scores = |of: fn(&Run) -> &Scores| {
            SCORES.iter().map(|score| (score.name, over(&|run| (score.of)(of(run))))).collect()
        };
        Self {
            backend: setting.backend,
            label_smoothing: setting.label_smoothing,
            noise: setting.noise,
            temperature: over(&|run| run.temperature),
            before: scores(|run| &run.before),
            after: scores(|run| &run.after),
            runs,
        }
    }

    /// In words.
    pub(super) fn labels(&self) -> String {
        smoothing_name(self.label_smoothing)
    }
}

pub(super) fn smoothing_name(label_smoothing: f64) -> String {
    if label_smoothing == 0.0 { "hard labels".to_owned() } else { format!("smoothing {label_smoothing}") }
}

pub(super) fn noise_name(noise: f64) -> String {
    if noise == 0.0 { "clean labels".to_owned() } else { format!("{} % of the training labels wrong", 100.0 * noise) }
}

/// The runs by what they share, in their order.
pub(super) fn groups(runs: &[Run]) -> Vec<Group<'_>> {
    let mut groups: Vec<Vec<&Run>> = Vec::new();
    let key = |run: &Run| (run.setting.backend, run.setting.noise, run.setting.label_smoothing);
    for run in runs {
        match groups.iter_mut().find(|group| key(group[0]) == key(run)) {
            Some(group) => group.push(run),
            None => groups.push(vec![run]),
        }
    }
    groups.into_iter().map(Group::new).collect()
}

/// What smoothing did to the scores, each seed compared with itself: a difference counts when its mean is larger than its
/// spread.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Verdict {
    pub(super) better: Vec<&'static str>,
    pub(super) worse: Vec<&'static str>,
    pub(super) neither: Vec<&'static str>,
}

impl Verdict {
    pub(super) fn new(hard: &Group, smoothed: &Group, of: fn(&Run) -> &Scores) -> Self {
        let mut verdict = Self::default();
        for score in &SCORES {
            let Some(better) = score.better else { continue };
            let pairs = hard.runs.iter().zip(&smoothed.runs);
            let differences: Vec<f64> =
                pairs.map(|(hard, other)| (score.of)(of(other)) - (score.of)(of(hard))).collect();
            let Statistic { mean, spread } = Statistic::new(&differences);
            let list = if mean.abs() <= spread.unwrap_or(f64::INFINITY) {
                &mut verdict.neither
            } else if (mean > 0.0) == (better == Better::Higher) {
                &mut verdict.better
            } else {
                &mut verdict.worse
            };
            list.push(score.name);
        }
        verdict
    }
}

/// How far the loss curves of the backends are apart.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Agreement {
    pub(super) backends: Vec<&'static str>,
    /// The first steps, which are compared.
    pub(super) steps: usize,
    /// Between two backends at the same step of the same seed, noise and smoothing.
    pub(super) largest_difference: f64,
}

/// Steps for which the curves are compared.
pub(super) const COMPARED: usize = 50;

/// Of several backends.
pub(super) fn agreement(runs: &[Run]) -> Option<Agreement> {
    let mut backends: Vec<&'static str> = runs.iter().map(|run| run.setting.backend).collect();
    backends.dedup();
    if backends.len() < 2 {
        return None;
    }
    let per_backend = runs.len() / backends.len();
    let mut largest_difference = 0.0_f64;
    for at in 0..per_backend {
        let curves = || runs[at..].iter().step_by(per_backend).map(|run| &run.training_loss);
        for (one, other) in curves().flat_map(|one| curves().map(move |other| (one, other))) {
            for (a, b) in one.iter().zip(other).take(COMPARED) {
                let difference = f64::from((a - b).abs());
                // Not `max`, which would drop a NaN.
                largest_difference = if difference <= largest_difference { largest_difference } else { difference };
            }
        }
    }
    let steps = runs[0].training_loss.len().min(COMPARED);
    Some(Agreement { backends, steps, largest_difference })
}

#[cfg(test)]
mod tests {
    use super::Statistic;

    #[test]
    fn a_spread_is_the_sample_standard_deviation() {
        assert_eq!(Statistic::new(&[1.0, 2.0, 6.0]), Statistic { mean: 3.0, spread: Some(7.0_f64.sqrt()) });
        assert_eq!(Statistic::new(&[4.0]), Statistic { mean: 4.0, spread: None });
        assert_eq!(Statistic::new(&[0.981, 0.979]).text(100.0, 1), "98.0 ± 0.1");
        assert_eq!(Statistic::new(&[0.25]).text(1.0, 3), "0.250");
    }
}
