//! Reliability diagrams and histograms of confidence, hard labels beside smoothed ones.

use label_smoothing_core::calibration::{Bin, Binning, reliability_bins};
use plotters::prelude::*;
use plotters::style::text_anchor::HPos;

use super::super::run::BINS;
use super::super::summary::Group;
use super::{HEAD, panels, text};
use crate::chart::{Area, Drawn, FAMILY, Picture};

const PANEL: (u32, u32) = (400, 440);

const BARS: RGBColor = RGBColor(0x1f, 0x6f, 0xb4);
/// Where the confidence is above the accuracy, and where it is below.
const OVER: RGBColor = RGBColor(0xe8, 0x8b, 0x80);
const UNDER: RGBColor = RGBColor(0xf3, 0xc7, 0x6b);

/// Of the histograms.
const CONFIDENCE: RGBColor = RGBColor(0xd0, 0x3a, 0x2a);

/// Accuracy against confidence (`DeGroot` and Fienberg 1983), bin by bin, of all seeds together.
pub(super) struct Reliability<'a> {
    pub(super) groups: &'a [&'a Group<'a>],
    pub(super) about: &'a str,
}

impl Picture for Reliability<'_> {
    fn size(&self) -> (u32, u32) {
        (PANEL.0 * self.groups.len() as u32, HEAD + PANEL.1)
    }

    fn draw<D: DrawingBackend>(&self, area: &Area<D>) -> Drawn<D> {
        let about = format!("test digits, {}", self.about);
        let entries = [("accuracy", BARS), ("over-confident by", OVER), ("under-confident by", UNDER)];
        let entries = entries.map(|(name, colour)| (name.to_owned(), colour.to_rgba()));
        let titles = ["Reliability: accuracy by confidence", &about];
        for (panel, group) in panels(area, self.groups.len(), titles, &entries)?.iter().zip(self.groups) {
            reliability_panel(panel, group)?;
        }
        Ok(())
    }
}

/// The bins of all seeds together.
fn bins(group: &Group, count: usize) -> Vec<Bin> {
    let confidences: Vec<f64> = group.runs.iter().flat_map(|run| &run.confidences).copied().collect();
    let correct: Vec<bool> = group.runs.iter().flat_map(|run| &run.correct).copied().collect();
    // The scores were computed of the same confidences, so they are confidences.
    reliability_bins(&confidences, &correct, Binning::EqualWidth(count)).unwrap_or_default()
}

fn reliability_panel<D: DrawingBackend>(panel: &Area<D>, group: &Group) -> Drawn<D> {
    let mut chart = ChartBuilder::on(panel)
        .margin(12)
        .margin_top(70)
        .x_label_area_size(42)
        .y_label_area_size(52)
        .build_cartesian_2d(0.0..1.0, 0.0..1.0)?;
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .x_labels(6)
        .y_labels(6)
        .x_desc("confidence")
        .y_desc("accuracy")
        .label_style((FAMILY, 13))
        .axis_desc_style((FAMILY, 14))
        .draw()?;
    for bin in bins(group, BINS).iter().filter(|bin| bin.count > 0) {
        let (low, high) = (bin.accuracy.min(bin.mean_confidence), bin.accuracy.max(bin.mean_confidence));
        let gap = if bin.mean_confidence > bin.accuracy { OVER } else { UNDER };
        chart.draw_series([
            Rectangle::new([(bin.lower, 0.0), (bin.upper, low)], BARS.mix(0.75).filled()),
            Rectangle::new([(bin.lower, low), (bin.upper, high)], gap.filled()),
            Rectangle::new([(bin.lower, 0.0), (bin.upper, bin.accuracy)], BARS.stroke_width(1)),
        ])?;
    }
    chart.draw_series(DashedLineSeries::new([(0.0, 0.0), (1.0, 1.0)], 6, 4, BLACK.stroke_width(1)))?;
    let [ece, accuracy, confidence] =
        ["ece", "accuracy", "mean_confidence"].map(|name| group.before[name].text(100.0, 1));
    let figures = [format!("ECE {ece} %"), format!("accuracy {accuracy} %, confidence {confidence} %")];
    headings(panel, group, &figures)
}

/// The name of a panel and two lines of figures, above its chart.
fn headings<D: DrawingBackend>(panel: &Area<D>, group: &Group, figures: &[String; 2]) -> Drawn<D> {
    let middle = PANEL.0 as i32 / 2 + 20;
    panel.draw_text(&group.labels(), &text(16, HPos::Center), (middle, 16))?;
    panel.draw_text(&figures[0], &text(13, HPos::Center), (middle, 38))?;
    panel.draw_text(&figures[1], &text(13, HPos::Center), (middle, 56))
}

/// How many test images have which confidence.
pub(super) struct Confidence<'a> {
    pub(super) groups: &'a [&'a Group<'a>],
    pub(super) about: &'a str,
}

/// Of the histograms.
const COLUMNS: usize = 20;

impl Picture for Confidence<'_> {
    fn size(&self) -> (u32, u32) {
        (PANEL.0 * self.groups.len() as u32, HEAD + PANEL.1)
    }

    fn draw<D: DrawingBackend>(&self, area: &Area<D>) -> Drawn<D> {
        let histograms: Vec<Vec<Bin>> = self.groups.iter().map(|group| bins(group, COLUMNS)).collect();
        let share = |group: &Group, bin: &Bin| {
            bin.count as f64 / group.runs.iter().map(|run| run.correct.len()).sum::<usize>() as f64
        };
        let shares: Vec<Vec<f64>> = self
            .groups
            .iter()
            .zip(&histograms)
            .map(|(group, bins)| bins.iter().map(|bin| 100.0 * share(group, bin)).collect())
            .collect();
        let highest = shares.iter().flatten().copied().fold(10.0, f64::max);
        let about = format!("test digits, {}", self.about);
        let entries = [("mean confidence", CONFIDENCE), ("accuracy", BLACK)];
        let entries = entries.map(|(name, colour)| (name.to_owned(), colour.to_rgba()));
        let titles = ["How confident the predictions are", &about];
        let panels = panels(area, self.groups.len(), titles, &entries)?;
        for ((panel, group), shares) in panels.iter().zip(self.groups).zip(&shares) {
            confidence_panel(panel, group, shares, 1.1 * highest)?;
        }
        Ok(())
    }
}

fn confidence_panel<D: DrawingBackend>(panel: &Area<D>, group: &Group, shares: &[f64], top: f64) -> Drawn<D> {
    let mut chart = ChartBuilder::on(panel)
        .margin(12)
        .margin_top(70)
        .x_label_area_size(42)
        .y_label_area_size(52)
        .build_cartesian_2d(0.0..1.0, 0.0..top)?;
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .x_labels(6)
        .y_labels(6)
        .y_label_formatter(&|share| format!("{share:.0}"))
        .x_desc("confidence")
        .y_desc("test images, per cent")
        .label_style((FAMILY, 13))
        .axis_desc_style((FAMILY, 14))
        .draw()?;
    let width = 1.0 / shares.len() as f64;
    chart.draw_series(shares.iter().enumerate().map(|(at, &share)| {
        let left = at as f64 * width;
        Rectangle::new([(left, 0.0), (left + width, share)], BARS.mix(0.75).filled())
    }))?;
    let (confidence, accuracy) = (group.before["mean_confidence"], group.before["accuracy"]);
    for (at, colour) in [(confidence.mean, CONFIDENCE), (accuracy.mean, BLACK)] {
        chart.draw_series([PathElement::new([(at, 0.0), (at, top)], colour.stroke_width(2))])?;
    }
    let figures = [("confidence", confidence), ("accuracy", accuracy)];
    headings(panel, group, &figures.map(|(name, figure)| format!("{name} {} %", figure.text(100.0, 1))))
}
