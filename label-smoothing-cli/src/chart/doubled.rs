//! Drawings at twice their size, because text of a dozen pixels is hard to read as pixels.

use plotters::style::RGBAColor;
use plotters::style::{FontDesc, ShapeStyle, TextStyle};
use plotters_backend::{BackendColor, BackendCoord, BackendStyle, BackendTextStyle, DrawingBackend, DrawingErrorKind};

type Drawn<B> = Result<(), DrawingErrorKind<<B as DrawingBackend>::ErrorType>>;

/// A backend on which everything takes twice as many pixels in both directions.
pub(super) struct Doubled<B>(pub(super) B);

fn twice((x, y): BackendCoord) -> BackendCoord {
    (2 * x, 2 * y)
}

fn doubled(style: &impl BackendStyle) -> ShapeStyle {
    let BackendColor { alpha, rgb: (r, g, b) } = style.color();
    ShapeStyle { color: RGBAColor(r, g, b, alpha), filled: true, stroke_width: 2 * style.stroke_width() }
}

impl<B: DrawingBackend> DrawingBackend for Doubled<B> {
    type ErrorType = B::ErrorType;

    fn get_size(&self) -> (u32, u32) {
        let (width, height) = self.0.get_size();
        (width / 2, height / 2)
    }

    fn ensure_prepared(&mut self) -> Drawn<B> {
        self.0.ensure_prepared()
    }

    fn present(&mut self) -> Drawn<B> {
        self.0.present()
    }

    fn draw_pixel(&mut self, (x, y): BackendCoord, color: BackendColor) -> Drawn<B> {
        self.0.draw_rect((2 * x, 2 * y), (2 * x + 1, 2 * y + 1), &color, true)
    }

    fn draw_line<S: BackendStyle>(&mut self, from: BackendCoord, to: BackendCoord, style: &S) -> Drawn<B> {
        self.0.draw_line(twice(from), twice(to), &doubled(style))
    }

    fn draw_rect<S: BackendStyle>(&mut self, from: BackendCoord, to: BackendCoord, style: &S, fill: bool) -> Drawn<B> {
        self.0.draw_rect(twice(from), twice(to), &doubled(style), fill)
    }

    fn draw_path<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(&mut self, path: I, style: &S) -> Drawn<B> {
        self.0.draw_path(path.into_iter().map(twice), &doubled(style))
    }

    fn draw_circle<S: BackendStyle>(&mut self, at: BackendCoord, radius: u32, style: &S, fill: bool) -> Drawn<B> {
        self.0.draw_circle(twice(at), 2 * radius, &doubled(style), fill)
    }

    fn fill_polygon<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(
        &mut self,
        corners: I,
        style: &S,
    ) -> Drawn<B> {
        self.0.fill_polygon(corners.into_iter().map(twice), &doubled(style))
    }

    fn draw_text<S: BackendTextStyle>(&mut self, text: &str, style: &S, at: BackendCoord) -> Drawn<B> {
        let font = FontDesc::new(style.family(), 2.0 * style.size(), style.style()).transform(style.transform());
        let style = TextStyle { font, color: style.color(), pos: style.anchor() };
        self.0.draw_text(text, &style, twice(at))
    }
}
