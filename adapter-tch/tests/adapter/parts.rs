//! The loss in parts: from the pass that gives the loss, and right when added up over batches of unequal padding.

use std::ops::Range;

use crate::common::{bits, gradient, leaf, read, tensor, widened};
use label_smoothing_tch::tch::Tensor;
use label_smoothing_tch::{
    Config, Element, Error, ErrorKind, LossParts, Masked, Probabilities, SmoothedBinaryCrossEntropy,
    SmoothedCrossEntropy, SmoothedLoss, Smoothing,
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

fn targets(rows: Range<usize>) -> Tensor {
    Tensor::from_slice(&TARGETS[rows])
}

fn parts(epsilon: f64, rows: Range<usize>) -> LossParts {
    let logits = tensor::<f64>(&[rows.len(), CLASSES], &logits(rows.clone()));
    criterion(epsilon).loss_and_parts(&logits, &targets(rows)).unwrap().1
}

fn binary_parts(logits: &[f64], rows: Range<usize>) -> LossParts {
    let elements = 2 * rows.start..2 * rows.end;
    let probabilities = [1.0, 1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0];
    let [logits, soft] = [logits, &probabilities].map(|values| tensor(&[rows.len(), 2], &values[elements.clone()]));
    let mask = Tensor::from_slice(&[true, false, true, true][rows]);
    let targets = Masked { targets: Probabilities(&soft), mask: &mask };
    SmoothedBinaryCrossEntropy::new(EPSILON).unwrap().loss_and_parts(&logits, targets).unwrap().1
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
    let (criterion, targets) = (criterion(EPSILON), targets(0..8));
    let values: Vec<T> = logits(0..8).into_iter().map(T::from_f64).collect();
    let logits = leaf(&[8, CLASSES], &values);
    let expected = criterion.loss(&logits, &targets).unwrap();
    let (loss, parts) = criterion.loss_and_parts(&logits, &targets).unwrap();
    let (untracked, same_parts) = criterion.loss_and_parts(&logits.detach(), &targets).unwrap();
    assert_eq!(parts, same_parts);
    for loss in [&loss, &untracked] {
        assert_eq!(bits(&read(loss)), bits(&read(&expected)));
    }
    assert_eq!(bits(&read(&loss)), bits(&widened(&[T::Wide::from_f64(parts.mean())])));
    let [gradient, expected] = [&loss, &expected].map(|loss| read(&gradient(loss, &logits)));
    assert_eq!(bits(&gradient), bits(&expected));
    assert!(gradient.iter().any(|&g| g != 0.0));
}

#[test]
fn the_loss_and_its_gradient_are_those_without_the_parts() {
    same_bits::<f32>();
    same_bits::<f64>();
    same_bits::<label_smoothing_tch::f16>();
    same_bits::<label_smoothing_tch::bf16>();
}

#[test]
fn a_composed_loss_has_no_parts_and_says_so() {
    let logits = tensor::<f64>(&[8, CLASSES], &logits(0..8));
    let error = criterion(EPSILON).composed().loss_and_parts(&logits, &targets(0..8)).unwrap_err();
    assert!(matches!(error, Error::NoParts) && error.kind() == ErrorKind::Framework);
    assert!(error.to_string().contains("the parts of the loss come from the kernel"), "{error}");
}
