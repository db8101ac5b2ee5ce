//! The pictures of `train`, each as SVG and as PNG.

mod calibration;
mod curves;

use std::io::{self, Write};

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::report::Results;
use super::summary::{Group, noise_name};
use crate::chart::{self, Area, FAMILY, Picture};
use crate::error::{Error, Result};
use crate::staged::{Folder, Staged};

/// Of the title and the two lines below it, in pixels.
const HEAD: u32 = 96;

/// Of hard labels, and of each smoothing rate.
const COLOURS: [RGBColor; 4] =
    [RGBColor(0x55, 0x55, 0x55), RGBColor(0x1f, 0x6f, 0xb4), RGBColor(0xe0, 0x7b, 0x1a), RGBColor(0x2a, 0x8f, 0x4f)];

/// Draws everything, of the first backend where a picture shows one only; nothing has its name yet.
pub(super) fn stage(results: &Results, folder: &Folder) -> Result<Vec<Staged>> {
    let backend = results.plan.backends[0].name;
    let mut files = Vec::new();
    for &noise in &results.plan.noises {
        let of_noise = |group: &&Group| group.backend == backend && group.noise == noise;
        let groups: Vec<&Group> = results.groups.iter().filter(of_noise).collect();
        let seeds = results.plan.seeds.len();
        let seeds = if seeds == 1 { "1 seed".to_owned() } else { format!("{seeds} seeds") };
        let about = format!("{seeds}, {}, {backend}", noise_name(noise));
        let name = if noise == 0.0 { "clean".to_owned() } else { format!("noise-{}", 100.0 * noise) };
        let reliability = calibration::Reliability { groups: &groups, about: &about };
        files.extend(both(&reliability, folder, &format!("reliability-{name}"))?);
        let confidence = calibration::Confidence { groups: &groups, about: &about };
        files.extend(both(&confidence, folder, &format!("confidence-{name}"))?);
        let loss = curves::Loss { groups: &groups, about: &about };
        files.extend(both(&loss, folder, &format!("loss-{name}"))?);
    }
    if let Some(agreement) = &results.agreement {
        let frameworks = curves::Frameworks { runs: results.runs, agreement };
        files.extend(both(&frameworks, folder, "frameworks")?);
    }
    Ok(files)
}

fn both(picture: &impl Picture, folder: &Folder, name: &str) -> Result<[Staged; 2]> {
    let path = folder.file(&format!("{name}.svg"));
    let text = chart::svg(picture).map_err(|error| Error::about(path.display(), error))?;
    let svg = Staged::new(&path, |writer| writer.write_all(text.as_bytes()))?;
    let path = folder.file(&format!("{name}.png"));
    let png =
        Staged::new(&path, |writer| chart::png(picture, writer).map_err(|error| io::Error::other(error.to_string())))?;
    Ok([svg, png])
}

/// What a colour means.
type Entry = (String, RGBAColor);

/// The title, a line below it, what the colours mean, and the areas of the panels under all that.
fn panels<D: DrawingBackend>(
    area: &Area<D>,
    count: usize,
    [title, about]: [&str; 2],
    entries: &[Entry],
) -> Result<Vec<Area<D>>, DrawingAreaErrorKind<D::ErrorType>> {
    let (head, body) = area.split_vertically(HEAD);
    head.draw_text(title, &text(20, HPos::Left), (20, 22))?;
    head.draw_text(about, &text(14, HPos::Left), (20, 50))?;
    let (mut x, y) = (20, 78);
    for (name, colour) in entries {
        head.draw(&Rectangle::new([(x, y - 6), (x + 14, y + 6)], colour.filled()))?;
        let style = text(13, HPos::Left);
        head.draw_text(name, &style, (x + 20, y))?;
        x += 44 + head.estimate_text_size(name, &style)?.0 as i32;
    }
    Ok(body.split_evenly((1, count)))
}

/// A text of a size that stands with its middle, and one of its ends or its middle, at a point.
fn text(size: u32, position: HPos) -> TextStyle<'static> {
    (FAMILY, size).into_font().color(&BLACK).pos(Pos::new(position, VPos::Center))
}
