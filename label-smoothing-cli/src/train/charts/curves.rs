//! Losses by step.

use plotters::coord::combinators::{BindKeyPoints, LogCoord, WithKeyPoints};
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;
use plotters::style::text_anchor::HPos;

use super::super::run::Run;
use super::super::summary::{Agreement, Group, noise_name, smoothing_name};
use super::{COLOURS, HEAD, panels, text};
use crate::chart::{Area, Drawn, FAMILY, Picture};

const PANEL: (u32, u32) = (560, 400);

/// Steps that a point of the training curves is the mean of.
const WINDOW: usize = 50;

type Curve = Vec<(f64, f64)>;
type Chart<'a, D> = ChartContext<'a, D, Cartesian2d<RangedCoordf64, WithKeyPoints<LogCoord<f64>>>>;

/// The loss that is trained on, and the negative log-likelihood of the validation part.
pub(super) struct Loss<'a> {
    pub(super) groups: &'a [&'a Group<'a>],
    pub(super) about: &'a str,
}

impl Picture for Loss<'_> {
    fn size(&self) -> (u32, u32) {
        (2 * PANEL.0, HEAD + PANEL.1)
    }

    fn draw<D: DrawingBackend>(&self, area: &Area<D>) -> Drawn<D> {
        let about = format!("pale: single seeds; strong: their mean; {}", self.about);
        let entries = self.groups.iter().zip(COLOURS).map(|(group, colour)| (group.labels(), colour.to_rgba()));
        let panels = panels(area, 2, ["Loss by step", &about], &entries.collect::<Vec<_>>())?;
        let [training, validation] = panels.as_slice() else { return Ok(()) };
        self.panel(training, "loss trained on, with smoothing and dropout (mean of 50 steps)", training_curve)?;
        self.panel(validation, "NLL of the validation digits, without smoothing", |run| {
            run.validation_nll.iter().map(|&(step, nll)| (step as f64, nll)).collect()
        })
    }
}

fn training_curve(run: &Run) -> Curve {
    let windows = run.training_loss.chunks(WINDOW).enumerate();
    let point = |(at, losses): (usize, &[f32])| {
        let mean = losses.iter().map(|&loss| f64::from(loss)).sum::<f64>() / losses.len() as f64;
        ((at * WINDOW) as f64 + losses.len() as f64 / 2.0, mean)
    };
    windows.map(point).collect()
}

impl Loss<'_> {
    fn panel<D: DrawingBackend>(&self, panel: &Area<D>, title: &str, curve: impl Fn(&Run) -> Curve) -> Drawn<D> {
        let curves: Vec<Vec<Curve>> =
            self.groups.iter().map(|group| group.runs.iter().map(|run| curve(run)).collect()).collect();
        let mut chart = axes(panel, &curves.concat(), self.groups[0].runs[0].training_loss.len())?;
        for (curves, colour) in curves.iter().zip(COLOURS) {
            for curve in curves {
                chart.draw_series(LineSeries::new(curve.iter().copied(), colour.mix(0.25).stroke_width(1)))?;
            }
            chart.draw_series(LineSeries::new(mean(curves), colour.stroke_width(2)))?;
        }
        panel.draw_text(title, &text(14, HPos::Center), (PANEL.0 as i32 / 2 + 20, 16))
    }
}

/// The mean of curves that have their points at the same steps.
fn mean(curves: &[Curve]) -> Curve {
    let count = curves.len() as f64;
    let point = |at: usize| (curves[0][at].0, curves.iter().map(|curve| curve[at].1).sum::<f64>() / count);
    (0..curves[0].len()).map(point).collect()
}

/// What an axis is labelled with: 1, 2 and 5 times the powers of ten.
fn key_points(low: f64, high: f64) -> Vec<f64> {
    let exponents = low.log10().floor() as i32..=high.log10().ceil() as i32;
    let points = exponents.flat_map(|exponent| [1.0, 2.0, 5.0].map(|digit| digit * 10_f64.powi(exponent)));
    points.filter(|point| (low..=high).contains(point)).collect()
}

/// Axes around all points, from the start to a step.
fn axes<'a, D: DrawingBackend>(
    panel: &'a Area<D>,
    curves: &[Curve],
    last: usize,
) -> Result<Chart<'a, D>, DrawingAreaErrorKind<D::ErrorType>> {
    let points = || curves.iter().flatten();
    // Whatever a curve does, the axis has a range.
    let losses = || points().map(|&(_, loss)| loss).filter(|loss| loss.is_finite() && *loss > 0.0);
    let (low, high) = (0.9 * losses().fold(1.0, f64::min), 1.1 * losses().fold(1.0, f64::max));
    let mut chart = ChartBuilder::on(panel)
        .margin(12)
        .margin_top(30)
        .margin_right(28)
        .x_label_area_size(42)
        .y_label_area_size(62)
        .build_cartesian_2d(0.0..last as f64, (low..high).log_scale().with_key_points(key_points(low, high)))?;
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .x_labels(6)
        .x_label_formatter(&|step| format!("{step:.0}"))
        .y_label_formatter(&|loss| format!("{}", (1e6 * loss).round() / 1e6))
        .x_desc("step")
        .y_desc("loss in nats (logarithmic)")
        .label_style((FAMILY, 13))
        .axis_desc_style((FAMILY, 14))
        .draw()?;
    Ok(chart)
}

/// The same training in several frameworks.
pub(super) struct Frameworks<'a> {
    pub(super) runs: &'a [Run],
    pub(super) agreement: &'a Agreement,
}

/// Steps that are shown.
const SHOWN: usize = 100;

impl Picture for Frameworks<'_> {
    fn size(&self) -> (u32, u32) {
        (900, HEAD + PANEL.1)
    }

    fn draw<D: DrawingBackend>(&self, area: &Area<D>) -> Drawn<D> {
        const LINES: [RGBColor; 5] = [
            RGBColor(0xf2, 0xc1, 0x4e),
            RGBColor(0x2a, 0x8f, 0x4f),
            RGBColor(0xd0, 0x3a, 0x2a),
            RGBColor(0x1f, 0x6f, 0xb4),
            RGBColor(0, 0, 0),
        ];
        let backends = &self.agreement.backends;
        // The last of the first noise and seed, which is the one that smooths most.
        let per_backend = &self.runs[..self.runs.len() / backends.len()];
        let first = per_backend[0].setting;
        let like = |run: &&Run| run.setting.noise == first.noise && run.setting.seed == first.seed;
        let rate = per_backend.iter().filter(like).map(|run| run.setting.label_smoothing).fold(0.0, f64::max);
        let shown = |run: &&Run| like(run) && run.setting.label_smoothing == rate;
        let curve = |run: &Run| {
            run.training_loss
                .iter()
                .take(SHOWN)
                .enumerate()
                .map(|(at, &loss)| ((at + 1) as f64, f64::from(loss)))
                .collect()
        };
        let curves: Vec<Curve> = self.runs.iter().filter(shown).map(curve).collect();

        let about = format!(
            "{}, {}, seed {}; over the first {} steps of all runs at most {:.1e} apart",
            smoothing_name(rate),
            noise_name(first.noise),
            first.seed,
            self.agreement.steps,
            self.agreement.largest_difference
        );
        let entries = backends.iter().zip(LINES).map(|(name, colour)| ((*name).to_owned(), colour.to_rgba()));
        let titles = ["The same training in each framework: loss of each step's batch", &about];
        let panels = panels(area, 1, titles, &entries.collect::<Vec<_>>())?;
        let mut chart = axes(&panels[0], &curves, curves[0].len())?;
        // From broad to fine, so that those below are seen.
        for ((curve, colour), at) in curves.iter().zip(LINES).zip(0..) {
            let width = 1 + 2 * (backends.len() as u32 - 1 - at);
            chart.draw_series(LineSeries::new(curve.iter().copied(), colour.stroke_width(width)))?;
        }
        Ok(())
    }
}
