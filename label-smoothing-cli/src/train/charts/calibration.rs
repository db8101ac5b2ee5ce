//! Reliability diagrams and histograms of confidence, hard labels beside smoothed ones.

use label_smoothing_core::calibration::{Bin, Binning, reliability_bins};
use plotters::prelude::*;
use plotters::style::text_anchor::HPos;

use super::super::run::BINS;
use super::super::summary::Group;
use super::{HEAD, legend, panels, text};
use crate::chart::{Area, Drawn, FAMILY, Picture};

const PANEL: (u32, u32) = (400, 400);

const BARS: RGBColor = RGBColor(0x1f, 0x6f, 0xb4);
const GAP: RGBColor = RGBColor(0xd0, 0x3a, 0x2a);

/// Accuracy against confidence (DeGroot and Fienberg 1983), bin by bin, of all seeds together.
pub(super) struct Reliability<'a> {
    pub(super) groups: &'a [&'a Group<'a>],
    pub(super) about: &'a str,
}

impl Picture for Reliability<'_> {
    fn size(&self) -> (u32, u32) {
        (PANEL.0 * self.groups.len() as u32, HEAD + PANEL.1)
    }

    fn draw<D: DrawingBackend>(&self, area: &Area<D>) -> Drawn<D> {
        let about = format!("600 test digits, {}", self.about);
        for (panel, group) in
            panels(area, self.groups.len(), "Reliability: accuracy by confidence", &about)?.iter().zip(self.groups)
        {
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
        .margin_top(30)
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
        chart.draw_series([
            Rectangle::new([(bin.lower, 0.0), (bin.upper, bin.accuracy)], BARS.mix(0.75).filled()),
            Rectangle::new([(bin.lower, bin.accuracy), (bin.upper, bin.mean_confidence)], GAP.mix(0.35).filled()),
            Rectangle::new([(bin.lower, 0.0), (bin.upper, bin.accuracy)], BARS.stroke_width(1)),
        ])?;
    }
    chart.draw_series(DashedLineSeries::new([(0.0, 0.0), (1.0, 1.0)], 6, 4, BLACK.stroke_width(1)))?;
    panel.draw_text(&group.labels(), &text(16, HPos::Center), (PANEL.0 as i32 / 2 + 20, 16))?;
    let figures = ["ece", "accuracy", "mean_confidence"].map(|name| group.before[name].text(100.0, 1));
    for (line, (name, figure)) in ["ECE", "accuracy", "confidence"].iter().zip(figures).enumerate() {
        panel.draw_text(&format!("{name} {figure} %"), &text(13, HPos::Left), (76, 46 + 18 * line as i32))?;
    }
    let entries = [("accuracy".to_owned(), BARS.mix(0.75)), ("gap to confidence".to_owned(), GAP.mix(0.35))];
    legend(panel, (76, 106), &entries)
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
        let about = format!("600 test digits, {}", self.about);
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
        let panels = panels(area, self.groups.len(), "How confident the predictions are", &about)?;
        for ((panel, group), shares) in panels.iter().zip(self.groups).zip(&shares) {
            confidence_panel(panel, group, shares, 1.1 * highest)?;
        }
        Ok(())
    }
}

fn confidence_panel<D: DrawingBackend>(panel: &Area<D>, group: &Group, shares: &[f64], top: f64) -> Drawn<D> {
    let mut chart = ChartBuilder::on(panel)
        .margin(12)
        .margin_top(30)
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
    for (at, colour) in [(confidence.mean, GAP), (accuracy.mean, BLACK)] {
        chart.draw_series([PathElement::new([(at, 0.0), (at, top)], colour.stroke_width(2))])?;
    }
    panel.draw_text(&group.labels(), &text(16, HPos::Center), (PANEL.0 as i32 / 2 + 20, 16))?;
    let entries = [
        (format!("mean confidence {} %", confidence.text(100.0, 1)), GAP.to_rgba()),
        (format!("accuracy {} %", accuracy.text(100.0, 1)), BLACK.to_rgba()),
    ];
    legend(panel, (76, 46), &entries)
}
