//! Every constructor refuses what has no meaning, and says so with the value and its range.

use label_smoothing_core::soft_targets::{
    CutMixBox, Diagonal, Distance, SoftLabel, SoftLabels, SparseSoftLabels, ValueSupport, binomial, exponential,
    from_distances, from_similarities, mixed_pairs, neighbour_labels, poisson, prior_from_counts, sord, triangular,
    zipf, zipf_by_rank,
};
use label_smoothing_core::{Config, Error, PreferenceLoss, PreferencePairs, Smoothing};

const NAN: f64 = f64::NAN;
const INF: f64 = f64::INFINITY;

#[track_caller]
fn refused<T: std::fmt::Debug>(result: Result<T, Error>, expected: &str) {
    let message = result.unwrap_err().to_string();
    assert!(message.starts_with(expected), "`{message}` for `{expected}`");
}

/// Each value is refused with its number and the range in words.
#[track_caller]
fn each_refused<T: std::fmt::Debug>(name: &str, range: &str, values: &[f64], build: impl Fn(f64) -> Result<T, Error>) {
    for &value in values {
        refused(build(value), &format!("{name} is {value}, but {range}"));
    }
}

const POSITIVE: &str = "must be finite and above 0";
const NOT_NEGATIVE: &str = "must be finite and not negative";

#[test]
fn less_than_two_classes() {
    for classes in [0, 1] {
        let message = format!("classes is {classes}, but must be at least 2");
        refused(sord(classes, 1.0, Distance::Absolute), &message);
        refused(exponential(classes, 1.0, 1.0), &message);
        refused(binomial(classes), &message);
        refused(poisson(classes), &message);
        refused(triangular(classes, 0.1), &message);
        refused(zipf(classes, 1.0, 0.0), &message);
        refused(prior_from_counts(&vec![1.0; classes], 0.0), &message);
        refused(from_similarities(&vec![vec![1.0]; classes], 1.0, Diagonal::Included), &message);
        refused(from_distances(&vec![vec![0.0]; classes], 1.0, Diagonal::Included), &message);
        refused(SoftLabel::new(vec![1.0; classes]), &message);
        refused(SoftLabels::new(classes, vec![1.0]), &message);
        refused(ValueSupport::between(0.0, 1.0, classes), &message);
        refused(ValueSupport::centred(0.0, 1.0, classes), &message);
        refused(ValueSupport::from_centres(vec![1.0; classes]), &message);
    }
    refused(ValueSupport::from_edges([0.0, 1.0]), "classes is 1, but must be at least 2");
    refused(ValueSupport::from_edges([0.0]), "the number of edges is 1, but must be larger");
    refused(ValueSupport::from_edges([]), "the number of edges is 0, but must be larger");
}

#[test]
fn soft_labels_that_are_no_distributions() {
    refused(SoftLabel::new([0.5, -0.5]), "probabilities[1] is -0.5, but a probability is finite and not negative");
    refused(SoftLabel::new([NAN, 0.5]), "probabilities[0] is NaN");
    refused(SoftLabel::new([0.5, 0.5 + 2e-6]), "probabilities sums to 1.000001999");
    refused(SoftLabels::new(2, [0.5, 0.5, INF, 0.0]), "row 1[0] is inf, but");
    refused(SoftLabels::new(2, [0.5, 0.5, 0.5, 0.25]), "row 1 sums to 0.75, but a distribution sums to 1 within 1e-6");
    refused(SoftLabels::new(2, [0.5, 0.5, 1.0]), "3 elements in the list of probabilities, but 4 are needed");
    let two = SoftLabels::new(3, [0.5, 0.5, 0.0, 0.25, 0.5, 0.25]).unwrap();
    refused(two.smoothing(0.1), "2 elements in the list of the classes' rows, but 3 are needed");
    refused(two.of(&[0]), "2 elements in the list of the classes' rows, but 3 are needed");
    each_refused("epsilon", "a smoothing rate lies between 0 and 1", &[-0.1, 1.5, NAN], |e| two.smoothed_again(e));
    let three = sord(3, 1.0, Distance::Absolute).unwrap();
    refused(three.of(&[0, 3]), "the target of row 1 is 3, but the classes are 0 to 2");
    refused(three.of(&[-1]), "the target of row 0 is -1, but the classes are 0 to 2");
}

#[test]
fn soft_labels_are_not_smoothed_by_the_way() {
    let labels = sord(3, 1.0, Distance::Absolute).unwrap();
    for smoothing in [Smoothing::Uniform { epsilon: 0.1 }, SoftLabel::new([0.5, 0.25, 0.25]).unwrap().smoothing(0.1)] {
        let config = Config::cross_entropy().smoothing(smoothing).build().unwrap();
        refused(
            labels.probabilities::<f32>(&config),
            "the targets are soft labels already, and the configuration smooths",
        );
    }
    let plain = Config::cross_entropy().build().unwrap();
    assert_eq!(labels.probabilities::<f64>(&plain).unwrap(), labels.values());
}

#[test]
fn similarities_and_distances() {
    let fine = [[0.0, 1.0], [2.0, 0.0]];
    each_refused("temperature", POSITIVE, &[0.0, -1.0, NAN, INF], |t| from_similarities(&fine, t, Diagonal::Included));
    each_refused("temperature", POSITIVE, &[0.0, -1.0, NAN, INF], |t| from_distances(&fine, t, Diagonal::Excluded));
    each_refused("similarities[1][0]", "must be finite", &[NAN, INF, -INF], |s| {
        from_similarities(&[[1.0, 0.0], [s, 1.0]], 1.0, Diagonal::Included)
    });
    each_refused("distances[0][1]", NOT_NEGATIVE, &[-1.0], |d| {
        from_distances(&[[0.0, d], [1.0, 0.0]], 1.0, Diagonal::Included)
    });
    each_refused("distances[0][1]", "must be finite", &[NAN, INF], |d| {
        from_distances(&[[0.0, d], [1.0, 0.0]], 1.0, Diagonal::Included)
    });
    each_refused("distances[1][1]", "a class's distance to itself must be 0", &[0.5], |d| {
        from_distances(&[[0.0, 1.0], [1.0, d]], 1.0, Diagonal::Included)
    });
    let ragged = [vec![0.0, 1.0], vec![0.0]];
    refused(from_similarities(&ragged, 1.0, Diagonal::Included), "1 elements in a row of a matrix of classes, but 2");
}

#[test]
fn ordinal_parameters() {
    each_refused("alpha", POSITIVE, &[0.0, -1.0, NAN, INF], |alpha| sord(3, alpha, Distance::Squared));
    each_refused("power", POSITIVE, &[0.0, -1.0, NAN, INF], |power| exponential(3, power, 1.0));
    each_refused("tau", POSITIVE, &[0.0, -1.0, NAN, INF], |tau| exponential(3, 1.0, tau));
    each_refused("adjacent", "must be between 0 and 2/9", &[-0.01, 0.2223, NAN], |mass| triangular(3, mass));
}

#[test]
fn priors() {
    each_refused("counts[1]", NOT_NEGATIVE, &[-1.0, NAN, INF], |count| prior_from_counts(&[1.0, count], 0.0));
    each_refused("floor", "must be between 0 and 1 / classes", &[-0.1, 0.51, NAN], |floor| {
        prior_from_counts(&[1.0, 2.0], floor)
    });
    refused(prior_from_counts(&[0.0, 0.0], 0.0), "the sum of the counts is 0, but must be finite and above 0");
    refused(prior_from_counts(&[f64::MAX, f64::MAX], 0.0), "the sum of the counts is inf");
    each_refused("exponent", NOT_NEGATIVE, &[-1.0, NAN, INF], |exponent| zipf(3, exponent, 0.0));
    each_refused("offset", NOT_NEGATIVE, &[-1.0, NAN, INF], |offset| zipf(3, 1.0, offset));
    refused(zipf_by_rank(&[1, 0], 1.0, 0.0), "ranks[1] is 0, but must be at least 1");
}

#[test]
fn supports_and_values() {
    each_refused("low", "must be finite", &[NAN, -INF], |low| ValueSupport::between(low, 1.0, 4));
    each_refused("high", "must be finite", &[NAN, INF], |high| ValueSupport::centred(0.0, high, 4));
    refused(ValueSupport::between(1.0, 1.0, 4), "the width of the support is 0, but must be finite and above 0");
    refused(ValueSupport::between(2.0, 1.0, 4), "the width of the support is -1");
    refused(ValueSupport::between(-f64::MAX, f64::MAX, 4), "the width of the support is inf");
    refused(ValueSupport::between(1.0, 1.0 + f64::EPSILON, 9), "edges[1] is 1, but must be above the one before it");
    refused(ValueSupport::from_edges([0.0, 2.0, 1.0]), "edges[2] is 1, but must be above the one before it");
    refused(ValueSupport::from_edges([0.0, 0.0, 1.0]), "edges[1] is 0, but must be above the one before it");
    refused(ValueSupport::from_edges([0.0, NAN, 1.0]), "edges[1] is NaN, but must be finite");
    refused(ValueSupport::from_centres([0.0, 1.0, 1.0]), "centres[2] is 1, but must be above the one before it");
    refused(ValueSupport::from_centres([0.0, INF]), "centres[1] is inf, but must be finite");

    let support = ValueSupport::between(-2.0, 2.0, 4).unwrap();
    each_refused("sigma_in_bins", POSITIVE, &[0.0, -1.0, NAN, INF], |sigma| support.hl_gauss(&[0.0], sigma));
    refused(support.hl_gauss(&[0.0], f64::MAX), "sigma_in_bins is 179769");
    refused(support.hl_gauss(&[0.0, 2.5], 1.0), "the value of row 1 is 2.5, but the support goes from -2 to 2");
    refused(support.hl_gauss(&[-2.1], 1.0), "the value of row 0 is -2.1, but the support goes from -2 to 2");
    // Two-hot interpolates between centres.
    refused(support.two_hot(&[1.75]), "the value of row 0 is 1.75, but the support goes from -1.5 to 1.5");
    for clamped in [false, true] {
        let support = if clamped { support.clone().clamped() } else { support.clone() };
        refused(support.two_hot(&[NAN]), "the value of row 0 is NaN, but the support goes from -1.5 to 1.5");
        refused(support.hl_gauss(&[NAN], 1.0), "the value of row 0 is NaN");
    }
    // In the units of the value, not of its symlog.
    let symlog = ValueSupport::centred(-1.0, 1.0, 3).unwrap().symlog();
    refused(symlog.two_hot(&[2.0]), "the value of row 0 is 2, but the support goes from -1.71828");
    refused(support.expected_value(&[1.0]), "1 elements in the list of the bins' probabilities, but 4");
    refused(support.expected_value(&[0.5, 0.5, NAN, 0.0]), "probabilities[2] is NaN");
    refused(support.expected_value(&[1.5, -0.5, 0.0, 0.0]), "probabilities[1] is -0.5");
    refused(support.expected_value(&[0.5, 0.0, 0.0, 0.0]), "the sum of the probabilities is 0.5, but must be 1");
}

#[test]
fn pairs_and_boxes() {
    each_refused("lambda", "must be between 0 and 1", &[-0.1, 1.1, NAN], |lambda| {
        mixed_pairs(&[0, 1], &[1, 0], lambda)
    });
    each_refused("lambda", "must be between 0 and 1", &[-0.1, 1.1, NAN], |l| CutMixBox::around([4, 4], [0, 0], l));
    refused(mixed_pairs(&[0, 1], &[1], 0.5), "1 elements in the permutation, but 2 are needed");
    refused(mixed_pairs(&[0, 1], &[1, 2], 0.5), "permutation[1] is 2, but must be the number of a row");
    refused(mixed_pairs(&[0, 1], &[1, 1], 0.5), "permutation[1] is 1, but must not be there twice");
    refused(CutMixBox::new([0, 4], 0..0, 0..1), "the image's height is 0");
    refused(CutMixBox::new([4, 4], 0..5, 0..1), "the end of the box's height is 5, but must not be beyond the image");
    let reversed = std::ops::Range { start: 2, end: 1 };
    refused(
        CutMixBox::new([4, 4], 0..1, reversed),
        "the end of the box's width is 1, but must not be before its start",
    );
    refused(CutMixBox::around([4, 4], [0, 4], 0.5), "pixel[1] is 4, but must lie in the image");
}

#[test]
fn preferences() {
    for beta in [0.0, -0.1, NAN, INF] {
        refused(PreferenceLoss::conservative(beta, 0.1), &format!("beta is {beta}, but {POSITIVE}"));
        refused(PreferenceLoss::robust(beta, 0.1), &format!("beta is {beta}, but {POSITIVE}"));
    }
    let range = "a smoothing rate lies between 0 and 1";
    each_refused("epsilon", range, &[-0.1, 1.1, NAN], |epsilon| PreferenceLoss::conservative(0.1, epsilon));
    let range = "the rate of unbiased_flip is at least 0 and below 1/2";
    each_refused("epsilon", range, &[-0.1, 0.5, 1.0, NAN], |epsilon| PreferenceLoss::robust(0.1, epsilon));
    let loss = PreferenceLoss::robust(0.1, 0.1).unwrap();
    let one = &[-1.0][..];
    let pairs =
        PreferencePairs { policy_chosen: one, policy_rejected: one, reference_chosen: one, reference_rejected: one };
    refused(
        loss.evaluate(&PreferencePairs { reference_chosen: &[], ..pairs }),
        "0 elements in reference_chosen, but 1 are needed",
    );
    for value in [NAN, INF, -INF] {
        let pairs = PreferencePairs { policy_rejected: &[value], ..pairs };
        refused(loss.evaluate(&pairs), &format!("policy_rejected[0] is {value}, but must be finite"));
    }
    let none =
        PreferencePairs { policy_chosen: &[], policy_rejected: &[], reference_chosen: &[], reference_rejected: &[] };
    assert!(loss.evaluate(&none).unwrap().loss.is_nan());
}

#[test]
fn sparse_labels() {
    each_refused("the weight of offset 1", NOT_NEGATIVE, &[-0.1, NAN, INF], |weight| {
        neighbour_labels(&[0, 1], &[], &[(1, weight)])
    });
    refused(neighbour_labels(&[0, 1], &[], &[(1, 0.1), (0, 0.1)]), "the offset 1 is 0, but must not be 0");
    refused(neighbour_labels(&[0, 1], &[], &[(2, 0.1), (2, 0.1)]), "the offset 1 is 2, but must not be there twice");
    refused(neighbour_labels(&[0, -1], &[-100], &[]), "labels[1] is -1, but must be a class or an ignored id");
    refused(SparseSoftLabels::new(0, vec![], vec![]), "the number of entries per row is 0");
    refused(SparseSoftLabels::new(2, vec![0], vec![1.0]), "1 elements in the list of classes, but 2 are needed");
    refused(SparseSoftLabels::new(1, vec![0], vec![]), "0 elements in the list of probabilities, but 1 are needed");
    each_refused("probabilities[0]", NOT_NEGATIVE, &[-0.1, NAN, INF], |p| SparseSoftLabels::new(1, vec![0], vec![p]));
    let teacher = SoftLabels::new(2, [0.5, 0.5]).unwrap();
    for k in [0, 3] {
        let message = format!("k is {k}, but must be between 1 and the number of classes");
        refused(SparseSoftLabels::top_k(&teacher, k), &message);
    }
    let empty = SparseSoftLabels::new(1, vec![0], vec![0.0]).unwrap();
    refused(empty.normalised(), "the sum of row 0 is 0, but must be finite and above 0");
    refused(empty.dense(2), "row 0 sums to 0, but");
    let far = SparseSoftLabels::new(1, vec![5], vec![1.0]).unwrap();
    refused(far.dense(2), "the target of row 0 is 5, but the classes are 0 to 1");
}
