//! The chart of `compare`: two bars for each comparison, by a logarithmic axis.

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::contender::Fallible;
use super::report::Row;
use crate::chart::{self, Area, Drawn, FAMILY, Picture};

const WIDTH: u32 = 1000;
/// Of one comparison, in pixels.
const GROUP: u32 = 34;
const HEAD: u32 = 60;
const FOOT: u32 = 50;
/// For the names on the left and the ratios on the right.
const LEFT: u32 = 330;
const RIGHT: u32 = 70;

const OURS: RGBColor = RGBColor(0x1f, 0x6f, 0xb4);
const NATIVE: RGBColor = RGBColor(0xb0, 0xb0, 0xb0);

/// The text of an SVG file.
pub(super) fn svg(rows: &[Row]) -> Fallible<String> {
    chart::svg(&Bars(rows))
}

struct Bars<'a>(&'a [Row]);

impl Picture for Bars<'_> {
    fn size(&self) -> (u32, u32) {
        (WIDTH, HEAD + GROUP * self.0.len() as u32 + FOOT)
    }

    fn draw<D: DrawingBackend>(&self, area: &Area<D>) -> Drawn<D> {
        let Self(rows) = *self;
        title(rows, area)?;
        let (low, high) = range(rows);
        let mut chart = ChartBuilder::on(area)
            .margin_top(HEAD)
            .margin_right(RIGHT)
            .set_label_area_size(LabelAreaPosition::Left, LEFT)
            .set_label_area_size(LabelAreaPosition::Bottom, FOOT)
            // The first comparison is on top.
            .build_cartesian_2d((low..high).log_scale(), rows.len() as f64..0.0)?;
        chart
            .configure_mesh()
            .disable_y_mesh()
            .disable_y_axis()
            .x_max_light_lines(0)
            .x_desc("ns per logit, loss and gradient (logarithmic)")
            .x_label_formatter(&ToString::to_string)
            .label_style((FAMILY, 13))
            .draw()?;
        for (index, row) in rows.iter().enumerate() {
            let y = index as f64;
            let bar = |from: f64, value: f64, color: RGBColor| {
                Rectangle::new([(low, y + from), (value, y + from + 0.38)], color.filled())
            };
            chart.draw_series([bar(0.12, row.ours_ns_per_logit, OURS), bar(0.5, row.native_ns_per_logit, NATIVE)])?;
            let (left, middle) = chart.backend_coord(&(low, y + 0.5));
            area.draw_text(&name(row), &label(HPos::Right), (left - 8, middle))?;
            let longer = row.native_ns_per_logit.max(row.ours_ns_per_logit);
            let (right, middle) = chart.backend_coord(&(longer, y + 0.5));
            area.draw_text(&ratio(row.ratio), &label(HPos::Left), (right + 6, middle))?;
        }
        Ok(())
    }
}

fn title<D: DrawingBackend>(rows: &[Row], area: &Area<D>) -> Drawn<D> {
    let threads = rows.first().map_or(1, |row| row.threads);
    let text = format!("Label-smoothed cross-entropy, f32, threads: {threads}");
    area.draw_text(&text, &(FAMILY, 18).into_text_style(area), (20, 14))?;
    for (x, color, text) in
        [(LEFT as i32, OURS, "ours"), (LEFT as i32 + 90, NATIVE, "native; at the end of the longer bar: native/ours")]
    {
        area.draw(&Rectangle::new([(x, 38), (x + 14, 50)], color.filled()))?;
        area.draw_text(text, &label(HPos::Left), (x + 20, 44))?;
    }
    Ok(())
}

/// Powers of ten around all figures.
fn range(rows: &[Row]) -> (f64, f64) {
    let figures = || rows.iter().flat_map(|row| [row.ours_ns_per_logit, row.native_ns_per_logit]);
    let (low, high) = (figures().fold(f64::INFINITY, f64::min), figures().fold(0.0, f64::max));
    // The shortest bar is still seen.
    (10_f64.powf((0.8 * low).log10().floor()), 10_f64.powf(high.log10().ceil()))
}

fn label(position: HPos) -> TextStyle<'static> {
    (FAMILY, 13).into_font().color(&BLACK).pos(Pos::new(position, VPos::Center))
}

/// What tells the comparisons of a backend and batch apart is known to ours or to native.
fn name(row: &Row) -> String {
    let mark = if row.ours_is.ends_with("in_place") {
        ", in place"
    } else if row.native_is.contains("no smoothing") {
        " (native: no smoothing)"
    } else {
        ""
    };
    format!("{} {}{mark}", row.backend, row.shape())
}

fn ratio(ratio: f64) -> String {
    if ratio < 10.0 { format!("{ratio:.2}x") } else { format!("{ratio:.0}x") }
}
