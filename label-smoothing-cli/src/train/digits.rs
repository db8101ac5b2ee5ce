//! The images and how a seed divides them.

use fastrand::Rng;

use super::network::{CLASSES, PIXELS};
use crate::error::Fallible;

/// 1797 scans of digits: see the data's README.
const FILE: &str = include_str!("../../data/digits.csv");

/// Images to train on and to fit the temperature on; the rest is to judge by.
const TRAINING: usize = 400;
const VALIDATION: usize = 400;

/// Images with their labels, row-major.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Images {
    /// `rows x PIXELS`, from 0 to 1.
    pub(super) pixels: Vec<f32>,
    pub(super) labels: Vec<i64>,
}

impl Images {
    pub(super) fn rows(&self) -> usize {
        self.labels.len()
    }

    pub(super) fn select(&self, rows: &[usize]) -> Self {
        Self {
            pixels: rows.iter().flat_map(|row| &self.pixels[row * PIXELS..(row + 1) * PIXELS]).copied().collect(),
            labels: rows.iter().map(|&row| self.labels[row]).collect(),
        }
    }
}

/// Every image.
pub(super) fn all() -> Fallible<Images> {
    let mut images = Images::default();
    for line in FILE.lines() {
        let numbers = line.split(',').map(str::parse).collect::<Result<Vec<u8>, _>>()?;
        let [pixels @ .., label] = numbers.as_slice() else { return Err("an empty line".into()) };
        if pixels.len() != PIXELS || usize::from(*label) >= CLASSES {
            return Err(format!("{line} is no image").into());
        }
        images.pixels.extend(pixels.iter().map(|&pixel| f32::from(pixel) / 16.0));
        images.labels.push(i64::from(*label));
    }
    Ok(images)
}

/// The three parts of the images. No image is in two of them.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Parts {
    /// Of whose labels some may be wrong.
    pub(super) training: Images,
    pub(super) validation: Images,
    pub(super) test: Images,
}

impl Parts {
    /// A part of the images for each purpose, and the share `noise` of the training labels replaced, each by one of the
    /// nine others. The same images are in the same part whatever the share, and a label that is wrong at a share is as
    /// wrong at every greater one.
    pub(super) fn new(images: &Images, noise: f64, mut rng: Rng) -> Self {
        let mut order: Vec<usize> = (0..images.rows()).collect();
        rng.shuffle(&mut order);
        let (training, rest) = order.split_at(TRAINING);
        let (validation, test) = rest.split_at(VALIDATION);
        let mut training = images.select(training);
        let wrong = (noise * TRAINING as f64).round() as usize;
        let mut rows: Vec<usize> = (0..TRAINING).collect();
        rng.shuffle(&mut rows);
        for &row in &rows[..wrong] {
            let label = &mut training.labels[row];
            *label = (*label + rng.i64(1..CLASSES as i64)) % CLASSES as i64;
        }
        Self { training, validation: images.select(validation), test: images.select(test) }
    }
}

#[cfg(test)]
mod tests {
    use super::{Parts, TRAINING, VALIDATION, all};
    use fastrand::Rng;

    #[test]
    fn the_file_is_the_data_set() {
        let images = all().unwrap();
        assert_eq!((images.rows(), images.pixels.len()), (1797, 1797 * 64));
        let counts: Vec<usize> = (0..10).map(|d| images.labels.iter().filter(|&&label| label == d).count()).collect();
        assert_eq!(counts, [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]);
        assert!(images.pixels.iter().all(|pixel| (0.0..=1.0).contains(pixel)));
        assert_eq!(images.pixels[..8], [0.0, 0.0, 5.0, 13.0, 9.0, 1.0, 0.0, 0.0].map(|pixel| pixel / 16.0));
    }

    #[test]
    fn every_image_is_in_one_part() {
        let images = all().unwrap();
        let parts = Parts::new(&images, 0.0, Rng::with_seed(3));
        assert_eq!((parts.training.rows(), parts.validation.rows(), parts.test.rows()), (TRAINING, VALIDATION, 997));
        // Images with their labels, sorted: the bits of the pixels, as floats have no order.
        let sorted = |parts: &[&super::Images]| {
            let row = |images: &super::Images, row: usize| {
                let pixels = images.pixels[row * 64..(row + 1) * 64].iter().map(|p| p.to_bits()).collect::<Vec<_>>();
                (images.labels[row], pixels)
            };
            let mut rows: Vec<_> = parts.iter().flat_map(|part| (0..part.rows()).map(|at| row(part, at))).collect();
            rows.sort();
            rows
        };
        assert_eq!(sorted(&[&parts.training, &parts.validation, &parts.test]), sorted(&[&images]));
        assert_ne!(Parts::new(&images, 0.0, Rng::with_seed(4)).test, parts.test);
    }

    #[test]
    fn the_share_of_wrong_labels_is_the_one_asked_for() {
        let images = all().unwrap();
        let at = |noise| Parts::new(&images, noise, Rng::with_seed(3));
        let (clean, tenth, fifth) = (at(0.0), at(0.1), at(0.2));
        let labels = |parts: &Parts| parts.training.labels.clone();
        let wrong = |parts: &Parts| -> Vec<usize> {
            (0..TRAINING).filter(|&row| labels(parts)[row] != labels(&clean)[row]).collect()
        };
        assert_eq!((wrong(&clean).len(), wrong(&tenth).len(), wrong(&fifth).len()), (0, 40, 80));
        for row in wrong(&tenth) {
            assert_eq!(labels(&tenth)[row], labels(&fifth)[row]);
        }
        for noisy in [tenth, fifth] {
            assert!(labels(&noisy).iter().all(|label| (0..10).contains(label)));
            assert_eq!(
                (&noisy.training.pixels, &noisy.validation, &noisy.test),
                (&clean.training.pixels, &clean.validation, &clean.test)
            );
        }
    }
}
