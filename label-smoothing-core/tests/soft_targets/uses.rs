//! What the builders' results are for, and where their formulas meet.

use label_smoothing_core::soft_targets::{
    CutMixBox, Diagonal, Distance, SoftLabels, SparseSoftLabels, ValueSupport, binomial, exponential,
    from_similarities, mixed_pairs, neighbour_labels, poisson, sord, symexp, symlog, zipf, zipf_by_rank,
};
use label_smoothing_core::{Array, Config, Problem, Targets, kernel};

/// Indices with a row per class at rate 1 are the same targets as these rows given as probabilities.
#[test]
fn rows_per_class_and_per_example_are_the_same_loss() {
    let rows = sord(5, 0.8, Distance::Squared).unwrap();
    let classes = [4, 0, 2];
    let logits: Vec<f64> = (0..15).map(|i| f64::from(i * i % 7) - 2.5).collect();
    let by_class = Config::cross_entropy().smoothing(rows.smoothing(1.0).unwrap()).build().unwrap();
    let indices = Targets::<f64>::indices(Array::new([3], &classes[..]));
    let of_classes = kernel::loss(&Problem::new(&by_class, &[3, 5], indices).unwrap(), &logits).unwrap().value;

    let plain = Config::cross_entropy().build().unwrap();
    let values: Vec<f64> = rows.of(&classes).unwrap().probabilities(&plain).unwrap();
    let probabilities = Targets::probabilities(Array::new([3, 5], values));
    let of_rows = kernel::loss(&Problem::new(&plain, &[3, 5], probabilities).unwrap(), &logits).unwrap().value;
    assert!((of_classes - of_rows).abs() <= 1e-15 * of_rows, "{of_classes} and {of_rows}");
}

#[test]
fn sord_is_exponential() {
    for (distance, power) in [(Distance::Absolute, 1.0), (Distance::Squared, 2.0)] {
        assert_eq!(sord(7, 2.0, distance).unwrap(), exponential(7, power, 0.5).unwrap());
    }
}

#[test]
fn many_classes_neither_overflow_nor_vanish() {
    for labels in [binomial(3000).unwrap(), poisson(500).unwrap(), sord(1000, 2.0, Distance::Squared).unwrap()] {
        for row in 0..labels.rows() {
            let sum: f64 = labels.row(row).iter().sum();
            assert!((sum - 1.0).abs() < 1e-12, "row {row} sums to {sum}");
            assert!(labels.row(row).iter().all(|&q| q.is_finite() && q >= 0.0));
        }
    }
    // The likeliest class of a binomial row is near its target.
    assert!(binomial(3000).unwrap().row(0)[0] < 1e-100);
}

#[test]
fn without_its_diagonal_a_row_has_no_mass_on_its_class() {
    let rows =
        from_similarities(&[[9.0, 1.0, 1.0], [1.0, 9.0, 1.0], [1.0, 1.0, 9.0]], 1.0, Diagonal::Excluded).unwrap();
    assert_eq!(rows.values(), [0.0, 0.5, 0.5, 0.5, 0.0, 0.5, 0.5, 0.5, 0.0]);
}

#[test]
fn ranks_in_order_are_the_plain_law() {
    assert_eq!(zipf(6, 1.1, 0.5).unwrap(), zipf_by_rank(&[1, 2, 3, 4, 5, 6], 1.1, 0.5).unwrap());
    assert_eq!(zipf(2, 1.0, 0.0).unwrap().values(), [2.0 / 3.0, 1.0 / 3.0]);
    let reversed = zipf_by_rank(&[2, 1], 1.0, 0.0).unwrap();
    assert_eq!(reversed.values(), [1.0 / 3.0, 2.0 / 3.0]);
}

#[test]
fn values_come_back() {
    for support in
        [ValueSupport::centred(-3.0, 3.0, 13).unwrap(), ValueSupport::from_centres([-3.0, -1.0, 3.0]).unwrap()]
    {
        for value in [-3.0, -2.9, -1.0, 0.0, 1e-9, 1.3, 3.0] {
            let row = support.two_hot(&[value]).unwrap();
            assert!(row.row(0).iter().filter(|&&q| q > 0.0).count() <= 2);
            assert!((support.expected_value(row.row(0)).unwrap() - value).abs() < 1e-15 * 8.0);
        }
    }
    let symlog_support = ValueSupport::centred(-10.0, 10.0, 255).unwrap().symlog();
    for value in [-20000.0, -0.5, 0.0, 1e-6, 123.0] {
        let row = symlog_support.two_hot(&[value]).unwrap();
        let back = symlog_support.expected_value(row.row(0)).unwrap();
        assert!((back - value).abs() <= 1e-12 * value.abs().max(1.0), "{back} for {value}");
    }
    let support = ValueSupport::between(-10.0, 10.0, 101).unwrap();
    for value in [-8.0, -0.05, 0.0, 3.3] {
        let row = support.hl_gauss(&[value], 0.75).unwrap();
        assert!((support.expected_value(row.row(0)).unwrap() - value).abs() < 0.02);
    }
}

#[test]
fn symexp_undoes_symlog() {
    for x in [-1e6, -1.0, -1e-12, 0.0, 1e-300, 0.5, 1e9] {
        let off = (symexp(symlog(x)) - x).abs();
        assert!(off <= 1e-14 * x.abs(), "{x}");
        assert_eq!(symlog(-x), -symlog(x));
    }
}

#[test]
fn centres_and_edges_fit() {
    let support = ValueSupport::between(0.0, 4.0, 4).unwrap();
    assert_eq!((support.edges(), support.centres()), (&[0.0, 1.0, 2.0, 3.0, 4.0][..], &[0.5, 1.5, 2.5, 3.5][..]));
    let support = ValueSupport::centred(0.0, 3.0, 4).unwrap();
    assert_eq!((support.edges(), support.centres()), (&[-0.5, 0.5, 1.5, 2.5, 3.5][..], &[0.0, 1.0, 2.0, 3.0][..]));
    let support = ValueSupport::from_centres([0.0, 1.0, 5.0]).unwrap();
    assert_eq!(support.edges(), [-0.5, 0.5, 3.0, 7.0]);
}

#[test]
fn clamping_is_the_nearest_end() {
    let support = ValueSupport::centred(-1.0, 1.0, 3).unwrap();
    let clamped = support.clone().clamped();
    assert_eq!(clamped.two_hot(&[-7.0, f64::INFINITY]).unwrap(), support.two_hot(&[-1.0, 1.0]).unwrap());
    assert_eq!(clamped.hl_gauss(&[9.0], 0.5).unwrap(), support.hl_gauss(&[1.5], 0.5).unwrap());
}

#[test]
fn a_blend_keeps_rows_together() {
    let mixed = mixed_pairs(&[5, 6, 7], &[1, 2, 0], 0.25).unwrap();
    assert_eq!((mixed.first, mixed.second, mixed.lambda), (vec![5, 6, 7], vec![6, 7, 5], vec![0.25; 3]));
    let whole = CutMixBox::new([8, 4], 0..8, 0..4).unwrap();
    assert_eq!(whole.lambda(), 0.0);
    assert_eq!(CutMixBox::new([8, 4], 0..8, 2..2).unwrap().lambda(), 1.0);
    assert_eq!(CutMixBox::new([8, 4], 1..3, 0..3).unwrap().lambda(), 1.0 - 6.0 / 32.0);
    assert_eq!(CutMixBox::around([8, 8], [4, 4], 1.0).unwrap().lambda(), 1.0);
    assert_eq!(CutMixBox::around([8, 8], [4, 4], 0.75).unwrap().lambda(), 0.75);
}

#[test]
fn ignored_tokens_neither_give_nor_take() {
    let labels = neighbour_labels(&[1, -100, 2, 3], &[-100], &[(-1, 0.5), (1, 0.25)]).unwrap();
    let row = |at: usize| {
        let range = 3 * at..3 * at + 3;
        (labels.classes()[range.clone()].to_vec(), labels.probabilities()[range].to_vec())
    };
    assert_eq!(row(0), (vec![1, 1, 1], vec![1.0, 0.0, 0.0]));
    assert_eq!(row(1), (vec![-100; 3], vec![1.0, 0.0, 0.0]));
    assert_eq!(row(2), (vec![2, 2, 3], vec![0.8, 0.0, 0.2]));
    assert_eq!(row(3), (vec![3, 2, 3], vec![1.0 / 1.5, 0.5 / 1.5, 0.0]));
}

#[test]
fn the_largest_come_first_and_equals_in_order() {
    let teacher = SoftLabels::new(4, [0.25, 0.25, 0.5, 0.0, 0.25, 0.25, 0.25, 0.25]).unwrap();
    let top = SparseSoftLabels::top_k(&teacher, 3).unwrap();
    assert_eq!((top.rows(), top.per_row(), top.classes()), (2, 3, &[2, 0, 1, 0, 1, 2][..]));
    let whole = SparseSoftLabels::top_k(&teacher, 4).unwrap();
    assert_eq!(whole.dense(4).unwrap(), teacher);
    let twice = SparseSoftLabels::new(2, vec![1, 1], vec![0.5, 0.5]).unwrap();
    assert_eq!(twice.dense(2).unwrap().row(0), [0.0, 1.0]);
}
