//! Pictures as SVG and as PNG, from one drawing.

mod doubled;

use std::io::Write;

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::register_font;

use crate::error::Fallible;
use doubled::Doubled;

/// See the font's README. In an SVG it is only measured: whoever shows the file has a sans-serif font.
const FONT: &[u8] = include_bytes!("../../data/font/DejaVuSans-subset.ttf");

/// What every text is set in.
pub(crate) const FAMILY: &str = "sans-serif";

pub(crate) type Area<D> = DrawingArea<D, Shift>;
pub(crate) type Drawn<D> = Result<(), DrawingAreaErrorKind<<D as DrawingBackend>::ErrorType>>;

/// Something to draw.
pub(crate) trait Picture {
    /// Width and height, in pixels.
    fn size(&self) -> (u32, u32);

    fn draw<D: DrawingBackend>(&self, area: &Area<D>) -> Drawn<D>;
}

/// The text of an SVG file.
pub(crate) fn svg(picture: &impl Picture) -> Fallible<String> {
    let mut text = String::new();
    draw(picture, SVGBackend::with_string(&mut text, picture.size()))?;
    Ok(text)
}

/// Writes a PNG file with twice as many pixels in both directions.
pub(crate) fn png(picture: &impl Picture, to: impl Write) -> Fallible<()> {
    let (width, height) = picture.size();
    let (width, height) = (2 * width, 2 * height);
    let mut pixels = vec![0; (3 * width * height) as usize];
    draw(picture, Doubled(BitMapBackend::with_buffer(&mut pixels, (width, height))))?;
    let mut encoder = png::Encoder::new(to, width, height);
    encoder.set_color(png::ColorType::Rgb);
    encoder.write_header()?.write_image_data(&pixels)?;
    Ok(())
}

fn draw<D: DrawingBackend>(picture: &impl Picture, backend: D) -> Fallible<()> {
    register_font(FAMILY, FontStyle::Normal, FONT).map_err(|_| "the font for charts is none")?;
    let area = backend.into_drawing_area();
    let drawn = area.fill(&WHITE).and_then(|()| picture.draw(&area)).and_then(|()| area.present());
    // plotters' errors borrow from what is written.
    drawn.map_err(|error| error.to_string().into())
}
