//! The loss in parts: from the pass that gives the loss, and right when added up over batches of unequal padding.

use std::ops::Range;

use label_smoothing_ndarray::ndarray::{Array2, ArrayView1, ArrayView2};
use label_smoothing_ndarray::{
    Config, Element, LossGradient, LossParts, Masked, Probabilities, SmoothedBinaryCrossEntropy, SmoothedCrossEntropy,
    SmoothedLoss, Smoothing,
};

const CLASSES: usize = 5;
const EPSILON: f64 = 0.1;
const PADDING: i64 = -100;
/// Two, one and two rows are counted in the micro-batches, and three of them are predicted.
const TARGETS: [i64; 8] = [3, PADDING, 0, 0, PADDING, PADDING, 1, 1];
const MICRO_BATCHES: [Range<usize>; 3] = [0..3, 3..6, 6..8];

/// Multiples of 1/2 that differ within a row; NaN in padding, which nothing may look at.
fn logits(rows: Range<usize>) -> Vec<f64> {
    let value = |row: usize, class| match TARGETS[row] {
        PADDING => f64::NAN,
        _ => ((7 * row + 3 * class) % 11) as f64 / 2.0 - 2.0,
    };
    rows.flat_map(|row| (0..CLASSES).map(move |class| value(row, class))).collect()
}

/// The sums of the smoothed and of the plain losses, straight from the definition.
fn by_hand() -> (f64, f64) {
    let losses = |row| {
        let z = logits(row..row + 1);
        let lse = z.iter().map(|z| z.exp()).sum::<f64>().ln();
        let plain = lse - z[TARGETS[row] as usize];
        let uniform = lse - z.iter().sum::<f64>() / CLASSES as f64;
        ((1.0 - EPSILON) * plain + EPSILON * uniform, plain)
    };
    let counted = (0..TARGETS.len()).filter(|&row| TARGETS[row] != PADDING);
    counted.map(losses).fold((0.0, 0.0), |(sum, nll), (smoothed, plain)| (sum + smoothed, nll + plain))
}

fn criterion(epsilon: f64) -> SmoothedCrossEntropy {
    let config = Config::cross_entropy().smoothing(Smoothing::Uniform { epsilon }).ignore_index([PADDING]);
    SmoothedCrossEntropy::from_config(config.build().unwrap()).unwrap()
}

/// Numbers below 32 in `f64`, each of a few roundings.
#[track_caller]
fn assert_near(actual: f64, expected: f64) {
    assert!((actual - expected).abs() <= 1e-14, "{actual:e} instead of {expected:e}");
}

fn array<T: Element>(rows: Range<usize>) -> Array2<T> {
    let values = logits(rows.clone()).into_iter().map(T::from_f64).collect();
    Array2::from_shape_vec((rows.len(), CLASSES), values).unwrap()
}

fn targets(rows: Range<usize>) -> ArrayView1<'static, i64> {
    ArrayView1::from(&TARGETS[rows])
}

fn parts(epsilon: f64, rows: Range<usize>) -> LossParts {
    criterion(epsilon).loss_and_parts(array::<f64>(rows.clone()).view(), targets(rows)).unwrap().1
}

fn binary_parts(logits: &[f64], rows: Range<usize>) -> LossParts {
    let elements = 2 * rows.start..2 * rows.end;
    let probabilities = [1.0, 1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0];
    let view = |values| ArrayView2::from_shape((rows.len(), 2), values).unwrap();
    let (logits, soft) = (view(&logits[elements.clone()]), view(&probabilities[elements]));
    let mask = ArrayView1::from(&[true, false, true, true][rows.clone()]);
    let targets = Masked { targets: Probabilities(soft), mask };
    SmoothedBinaryCrossEntropy::new(EPSILON).unwrap().loss_and_parts(logits, targets).unwrap().1
}

#[test]
fn the_parts_of_micro_batches_add_up_to_those_of_the_whole() {
    let (sum, nll) = by_hand();
    let (each, whole) = (MICRO_BATCHES.map(|rows| parts(EPSILON, rows)), parts(EPSILON, 0..TARGETS.len()));
    assert_eq!(each.map(|parts| parts.counted()), [2, 1, 2]);
    for parts in [whole, each.into_iter().sum()] {
        assert_eq!((parts.counted(), parts.correct(), parts.denominator()), (5, 3, 5.0));
        assert_near(parts.sum(), sum);
        assert_near(parts.mean(), sum / 5.0);
        assert_near(parts.nll(), nll);
        assert_near(parts.perplexity(), (nll / 5.0).exp());
        assert_near(parts.accuracy(), 0.6);
    }
    let mean_of_means = each.iter().map(LossParts::mean).sum::<f64>() / 3.0;
    assert!((mean_of_means - whole.mean()).abs() > 0.1, "a mean of means is something else: {mean_of_means}");
}

#[test]
fn the_plain_loss_comes_with_the_smoothed_one() {
    let (smoothed, plain) = (parts(EPSILON, 0..TARGETS.len()), parts(0.0, 0..TARGETS.len()));
    assert_near(smoothed.nll() / smoothed.counted() as f64, plain.mean());
    assert_eq!(smoothed.nll(), plain.nll());
    assert!((smoothed.mean() - plain.mean()).abs() > 0.01, "and is not it");
}

/// Six elements are counted, and four of them predicted; those of the masked row would be wrong.
#[test]
fn the_binary_loss_counts_elements() {
    let softplus = |z: f64| z.exp().ln_1p();
    let nll = softplus(-1.5) + softplus(0.5) + softplus(0.25) + softplus(-2.0) + softplus(-3.0) + softplus(-1.0);
    let parts = |rows| binary_parts(&[1.5, -0.5, f64::NAN, 4.0, 0.25, 2.0, -3.0, -1.0], rows);
    for parts in [parts(0..4), parts(0..1) + parts(1..4)] {
        assert_eq!((parts.counted(), parts.correct(), parts.denominator()), (6, 4, 6.0));
        assert_near(parts.nll(), nll);
    }
}

fn same_bits<T: Element>() {
    let (criterion, logits, targets) = (criterion(EPSILON), array::<T>(0..8), targets(0..8));
    let bits = |loss: T::Wide| loss.to_f64().to_bits();
    let (loss, parts) = criterion.loss_and_parts(logits.view(), targets).unwrap();
    assert_eq!(bits(loss), bits(criterion.loss(logits.view(), targets).unwrap()));
    assert_eq!(bits(loss), bits(T::Wide::from_f64(parts.mean())));

    let upstream = T::Wide::from_f64(0.3);
    let (with_gradient, same_parts, gradient) =
        criterion.loss_parts_and_gradient(logits.view(), targets, upstream).unwrap();
    assert_eq!((bits(with_gradient), same_parts), (bits(loss), parts));
    assert_eq!(gradient, criterion.loss_and_gradient(logits.view(), targets, upstream).unwrap().1);
    assert!(gradient.iter().any(|g| g.to_f64() != 0.0));
}

#[test]
fn the_loss_and_the_gradient_are_those_without_the_parts() {
    same_bits::<f32>();
    same_bits::<f64>();
    same_bits::<label_smoothing_ndarray::f16>();
    same_bits::<label_smoothing_ndarray::bf16>();
}
