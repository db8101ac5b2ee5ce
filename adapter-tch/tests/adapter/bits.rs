//! The kernel's bits, whatever the kind, the strides and the class axis, and nothing of the caller's changed.

use crate::common::{
    self, against, binary, bits, elements, everything, gradient, leaf, numbers, read, tensor, widened,
};
use label_smoothing_core::{Array, Labels, Problem, Targets, kernel};
use label_smoothing_tch::tch::{Kind, Tensor};
use label_smoothing_tch::{
    Config, Element, LossFamily, Masked, Mixed, Probabilities, SmoothedBinaryCrossEntropy, SmoothedCrossEntropy,
    SmoothedLoss, Smoothing, TchTargets, Weighted, bf16, f16,
};

/// What the kernel gives for slices: the loss, and the gradient in the wide type.
fn kernel_loss<T: Element>(config: &Config, shape: &[usize], targets: Targets<f32>, z: &[T]) -> (f64, Vec<T::Wide>) {
    let problem = Problem::new(config, shape, targets).unwrap();
    let mut gradient = vec![T::Wide::default(); z.len()];
    let loss = kernel::loss_and_gradient(&problem, z, T::Wide::from_f64(1.0), &mut gradient).unwrap();
    (T::Wide::from_f64(loss.value).to_f64(), gradient)
}

fn kernel_row_losses<T: Element>(
    config: &Config,
    shape: &[usize],
    targets: Targets<f32>,
    z: &[T],
) -> (Vec<f64>, Vec<T::Wide>) {
    let problem = Problem::new(config, shape, targets).unwrap();
    let mut losses = vec![T::Wide::default(); problem.losses()];
    let (ones, mut gradient) = (vec![T::Wide::from_f64(1.0); losses.len()], vec![T::Wide::default(); z.len()]);
    kernel::row_losses_and_gradient(&problem, z, &ones, &mut losses, &mut gradient).unwrap();
    (widened(&losses), gradient)
}

/// `upstream * gradient` in the wide type, rounded once.
fn scaled<T: Element>(gradient: &[T::Wide], upstream: impl Fn(usize) -> f64) -> Vec<f64> {
    let product = |(place, g): (usize, &T::Wide)| T::Wide::from_f64(upstream(place) * g.to_f64());
    gradient.iter().enumerate().map(product).map(|product| T::narrow(product).to_f64()).collect()
}

fn indices(shape: &[usize], classes: &[i64]) -> Targets<'static, f32> {
    Targets::indices(Array::new(shape, classes.to_vec()))
}

const CLASSES: [i64; 6] = [0, 4, -100, 2, 2, 3];

fn loss_has_the_kernels_bits<T: Element>() {
    let z = elements::<T>(30, 1);
    let config = everything(5);
    let (loss, wide) = kernel_loss(&config, &[6, 5], indices(&[6], &CLASSES), &z);
    let criterion = SmoothedCrossEntropy::from_config(config).unwrap();
    let logits = leaf(&[6, 5], &z);
    let ours = criterion.loss(&logits, &Tensor::from_slice(&CLASSES)).unwrap();
    assert_eq!(ours.kind(), common::kind::<T::Wide>());
    assert_eq!(ours.size(), [0_i64; 0]);
    assert_eq!(bits(&read(&ours)), bits(&[loss]), "{}", T::NAME);
    for upstream in [1.0, 3.0, -0.7, 0.0] {
        let upstream = T::Wide::from_f64(upstream).to_f64();
        let product = gradient(&against(&ours, &[upstream]), &logits);
        assert_eq!(product.kind(), logits.kind());
        assert_eq!(bits(&read(&product)), bits(&scaled::<T>(&wide, |_| upstream)), "{} times {upstream}", T::NAME);
    }
}

#[test]
fn the_loss_has_the_kernels_bits_for_every_type() {
    loss_has_the_kernels_bits::<f64>();
    loss_has_the_kernels_bits::<f32>();
    loss_has_the_kernels_bits::<f16>();
    loss_has_the_kernels_bits::<bf16>();
}

fn row_losses_have_the_kernels_bits<T: Element>() {
    let z = elements::<T>(30, 2);
    let upstream: Vec<f64> = widened(&elements::<T::Wide>(30, 3));
    let compare = |losses: &Tensor, logits: &Tensor, expected: (Vec<f64>, Vec<T::Wide>), per_loss: usize| {
        assert_eq!(bits(&read(losses)), bits(&expected.0), "{}", T::NAME);
        let product = gradient(&against(losses, &upstream[..losses.numel()]), logits);
        // What is upstream of an ignored row does not count, not even its sign.
        let is_ignored = |place: usize| CLASSES[place / 5] == -100;
        let wanted = scaled::<T>(&expected.1, |place| if is_ignored(place) { 0.0 } else { upstream[place / per_loss] });
        assert_eq!(bits(&read(&product)), bits(&wanted), "{}", T::NAME);
    };
    let (targets, classes) = (Tensor::from_slice(&CLASSES), indices(&[6], &CLASSES));
    let config = everything(5);
    let expected = kernel_row_losses(&config, &[6, 5], classes.clone(), &z);
    let logits = leaf(&[6, 5], &z);
    let losses = SmoothedCrossEntropy::from_config(config).unwrap().row_losses(&logits, &targets).unwrap();
    assert_eq!(losses.size(), [6]);
    compare(&losses, &logits, expected, 5);

    let config = binary().to_builder().ignore_index([-100]).build().unwrap();
    let expected = kernel_row_losses(&config, &[6, 5], classes, &z);
    let losses = SmoothedBinaryCrossEntropy::from_config(config).unwrap().row_losses(&logits, &targets).unwrap();
    assert_eq!(losses.size(), [6, 5]);
    compare(&losses, &logits, expected, 1);
}

#[test]
fn the_row_losses_have_the_kernels_bits_for_every_type_and_upstream() {
    row_losses_have_the_kernels_bits::<f64>();
    row_losses_have_the_kernels_bits::<f32>();
    row_losses_have_the_kernels_bits::<f16>();
    row_losses_have_the_kernels_bits::<bf16>();
}

/// The same values in the same shape, in memory that is not contiguous.
fn strided(values: &Tensor) -> Vec<(&'static str, Tensor)> {
    let nan = values.full_like(f64::NAN);
    let conjugate = Tensor::complex(&nan.to_kind(Kind::Double), &-values.to_kind(Kind::Double)).conj().imag();
    let sizes = values.size();
    let (rows, columns) = (sizes[0], sizes[sizes.len() - 1]);
    vec![
        ("interleaved", Tensor::stack(&[values, &nan], -1).select(-1, 0)),
        ("transposed", values.transpose(0, -1).contiguous().transpose(0, -1)),
        ("narrowed", Tensor::cat(&[&nan, values, &nan], -1).narrow(-1, columns, columns)),
        ("narrowed rows", Tensor::cat(&[&nan, values, &nan], 0).narrow(0, rows, rows)),
        ("reversed twice", values.flip([0]).flip([0])),
        ("negated in the view", conjugate.to_kind(values.kind())),
        ("negated without strides", (-values).internal_neg_view()),
    ]
}

fn strides_do_not_matter<T: Element>() {
    let z = elements::<T>(60, 4);
    let config = everything(5).to_builder().class_axis(1).build().unwrap();
    let classes: Vec<i64> = CLASSES.iter().chain(&CLASSES).copied().collect();
    let (loss, wide) = kernel_loss(&config, &[3, 5, 4], indices(&[3, 4], &classes), &z);
    let (rows, _) = kernel_row_losses(&config, &[3, 5, 4], indices(&[3, 4], &classes), &z);
    let criterion = SmoothedCrossEntropy::from_config(config).unwrap();
    let targets = Tensor::from_slice(&classes).reshape([3, 4]);
    for (name, view) in strided(&tensor(&[3, 5, 4], &z)) {
        let logits = view.detach().set_requires_grad(true);
        let ours = criterion.loss(&logits, &targets).unwrap();
        assert_eq!(bits(&read(&ours)), bits(&[loss]), "{name}");
        let product = gradient(&(&ours * 3.0), &logits);
        assert_eq!(product.size(), [3, 5, 4]);
        assert_eq!(bits(&read(&product)), bits(&scaled::<T>(&wide, |_| 3.0)), "{name}");
        assert_eq!(bits(&read(&criterion.row_losses(&logits, &targets).unwrap())), bits(&rows), "{name}");
    }
}

#[test]
fn strides_and_a_class_axis_in_the_middle_do_not_matter() {
    strides_do_not_matter::<f64>();
    strides_do_not_matter::<f32>();
    strides_do_not_matter::<f16>();
    strides_do_not_matter::<bf16>();
}

/// libtorch may hold the negated values and say that they are to be negated.
#[test]
fn targets_with_a_pending_negation_are_read_with_it() {
    let criterion = SmoothedCrossEntropy::new(0.1).unwrap();
    let logits = tensor(&[2, 3], &elements::<f64>(6, 5));
    let soft = tensor(&[2, 3], &[0.5, 0.25, 0.25, 0.0, 1.0, 0.0]);
    let weights = Tensor::from_slice(&[0.5_f64, 2.0]);
    let (negated_soft, negated_weights) = ((-&soft).internal_neg_view(), (-&weights).internal_neg_view());
    assert!(negated_soft.f_is_neg().unwrap() && negated_soft.is_contiguous());
    let plain = Weighted { targets: Probabilities(&soft), row_weights: &weights };
    let negated = Weighted { targets: Probabilities(&negated_soft), row_weights: &negated_weights };
    let [plain, negated] = [plain, negated].map(|targets| read(&criterion.loss(&logits, targets).unwrap()));
    assert_eq!(bits(&negated), bits(&plain));
}

#[test]
fn an_expanded_row_is_as_good_as_its_copies() {
    let row = leaf(&[1, 4], &elements::<f32>(4, 6));
    let criterion = SmoothedCrossEntropy::from_config(common::sum()).unwrap();
    let targets = Tensor::from_slice(&[1_i64, 1, 1]);
    let expanded = criterion.loss(&row.expand([3, 4], false), &targets).unwrap();
    let copied = criterion.loss(&row.repeat([3, 1]), &targets).unwrap();
    assert_eq!(bits(&read(&expanded)), bits(&read(&copied)));
    assert_eq!(bits(&read(&gradient(&expanded, &row))), bits(&read(&gradient(&copied, &row))));
}

/// Every kind of target, as tensors and as core has them.
#[test]
fn every_kind_of_target_reaches_the_kernel_as_it_is() {
    let z = elements::<f32>(30, 7);
    let soft: Vec<f32> = numbers(30, 8).iter().map(|value| (value + 4.0) as f32 / 8.0).collect();
    let (first, second) = ([0_i64, 4, 1, 2, 2, 3], [1_i64, 4, 0, 0, 3, 2]);
    let lambda = [0.0_f64, 0.25, 0.3, 1.0, 0.5, 0.9];
    let (mask, weights) = ([true, true, false, true, false, true], [1.0_f64, 0.0, 2.0, 0.5, 3.0, 0.1]);
    let config = Config::cross_entropy().smoothing(Smoothing::Uniform { epsilon: 0.2 }).build().unwrap();
    let array = |values: &[i64]| Array::new([6], values.to_vec());
    let indices = Labels::Indices(array(&first));
    let probabilities = Labels::Probabilities(Array::new([6, 5], soft.clone()));
    let mixed =
        Labels::Mixed { first: array(&first), second: array(&second), lambda: Array::new([6], lambda.to_vec()) };
    let [first, second] = [first, second].map(|classes| Tensor::from_slice(&classes));
    let (soft, lambda) = (Tensor::from_slice(&soft).reshape([6, 5]), Tensor::from_slice(&lambda));
    let (mask_tensor, weight_tensor) = (Tensor::from_slice(&mask), Tensor::from_slice(&weights));
    let byte_mask = mask_tensor.to_kind(Kind::Uint8);

    let check = |name: &str, ours: Tensor, targets: Targets<f32>| {
        let (rows, _) = kernel_row_losses(&config, &[6, 5], targets, &z);
        assert_eq!(bits(&read(&ours)), bits(&rows), "{name}");
    };
    let criterion = SmoothedCrossEntropy::from_config(config.clone()).unwrap();
    let logits = leaf(&[6, 5], &z);
    let plain = |labels: &Labels<'static, f32>| Targets::from(labels.clone());
    let masked = |labels: &Labels<'static, f32>| plain(labels).masked(Array::new([6], mask.to_vec()));
    let both = |labels: &Labels<'static, f32>| masked(labels).weighted(Array::new([6], weights.to_vec()));

    check("indices", criterion.row_losses(&logits, &first).unwrap(), plain(&indices));
    check("probabilities", criterion.row_losses(&logits, Probabilities(&soft)).unwrap(), plain(&probabilities));
    let halves = Mixed { first: &first, second: &second, lambda: &lambda };
    check("mixed", criterion.row_losses(&logits, halves).unwrap(), plain(&mixed));
    let targets = Masked { targets: &first, mask: &byte_mask };
    check("byte mask", criterion.row_losses(&logits, targets).unwrap(), masked(&indices));
    let targets = Masked { targets: Weighted { targets: halves, row_weights: &weight_tensor }, mask: &mask_tensor };
    check("masked weighted mixed", criterion.row_losses(&logits, targets).unwrap(), both(&mixed));
    let targets =
        Weighted { targets: Masked { targets: Probabilities(&soft), mask: &mask_tensor }, row_weights: &weight_tensor };
    check("weighted masked probabilities", criterion.row_losses(&logits, targets).unwrap(), both(&probabilities));
}

#[test]
fn integers_and_probabilities_of_every_kind_mean_the_same() {
    let criterion = SmoothedCrossEntropy::new(0.1).unwrap();
    let logits = tensor(&[3, 4], &elements::<f32>(12, 9));
    let classes = Tensor::from_slice(&[3_i64, 0, 2]);
    let expected = bits(&read(&criterion.row_losses(&logits, &classes).unwrap()));
    for kind in [Kind::Int, Kind::Int16, Kind::Int8, Kind::Uint8] {
        let targets = classes.to_kind(kind);
        assert_eq!(bits(&read(&criterion.row_losses(&logits, &targets).unwrap())), expected, "{kind:?}");
    }
    let every_other = Tensor::stack(&[&classes, &classes.full_like(77)], -1).select(-1, 0);
    assert_eq!(bits(&read(&criterion.row_losses(&logits, &every_other).unwrap())), expected);

    let soft =
        Tensor::from_slice(&[0.5_f64, 0.25, 0.25, 0.0, 1.0, 0.0, 0.0, 0.0, 0.125, 0.125, 0.25, 0.5]).reshape([3, 4]);
    let of = |soft: &Tensor| bits(&read(&criterion.row_losses(&logits, Probabilities(soft)).unwrap()));
    let expected = of(&soft);
    for kind in [Kind::Float, Kind::Half, Kind::BFloat16] {
        assert_eq!(of(&soft.to_kind(kind)), expected, "{kind:?}");
    }
    assert_eq!(of(&soft.tr().contiguous().tr()), expected);
}

#[test]
fn rank_1_and_batches_of_nothing_have_losses() {
    let criterion = SmoothedCrossEntropy::new(0.1).unwrap();
    let z = elements::<f32>(4, 10);
    let logits = leaf(&[4], &z);
    let one = criterion.loss(&logits, &Tensor::from(2_i64)).unwrap();
    let (loss, wide) = kernel_loss(criterion.config(), &[4], indices(&[], &[2]), &z);
    assert_eq!(bits(&read(&one)), bits(&[loss]));
    assert_eq!(bits(&read(&gradient(&one, &logits))), bits(&widened(&wide)));
    assert_eq!(criterion.row_losses(&logits, &Tensor::from(2_i64)).unwrap().size(), [0_i64; 0]);

    let nothing = leaf::<f32>(&[0, 4], &[]);
    let no_classes = Tensor::from_slice::<i64>(&[]);
    let mean = criterion.loss(&nothing, &no_classes).unwrap();
    assert!(read(&mean)[0].is_nan());
    assert_eq!(gradient(&mean, &nothing).size(), [0, 4]);
    let rows = criterion.row_losses(&nothing, &no_classes).unwrap();
    assert_eq!(rows.size(), [0]);
    assert_eq!(gradient(&rows.sum(Kind::Float), &nothing).size(), [0, 4]);
}

/// Neither values nor version counters of what the caller passed.
#[test]
fn nothing_of_the_callers_is_changed() {
    let z = elements::<f32>(12, 11);
    let inputs = [leaf(&[3, 4], &z), Tensor::from_slice(&[0_i64, 1, 2]), Tensor::from_slice(&[true, false, true])];
    let before: Vec<_> = inputs.iter().map(|tensor| (bits(&read(tensor)), tensor.internal_version())).collect();
    let targets = Masked { targets: &inputs[1], mask: &inputs[2] };
    for family in [LossFamily::CrossEntropy, LossFamily::BinaryCrossEntropy] {
        let losses = match family {
            LossFamily::CrossEntropy => both(&SmoothedCrossEntropy::new(0.1).unwrap(), &inputs[0], targets),
            LossFamily::BinaryCrossEntropy => both(&SmoothedBinaryCrossEntropy::new(0.1).unwrap(), &inputs[0], targets),
        };
        losses.backward();
    }
    let after: Vec<_> = inputs.iter().map(|tensor| (bits(&read(tensor)), tensor.internal_version())).collect();
    assert_eq!(before, after);
}

fn both<'a, C, Y>(criterion: &C, logits: &'a Tensor, targets: Y) -> Tensor
where
    C: SmoothedLoss<&'a Tensor, Y, Loss = Tensor, RowLosses = Tensor, Error = label_smoothing_tch::Error>,
    Y: TchTargets<'a> + Copy,
{
    criterion.loss(logits, targets).unwrap() + criterion.row_losses(logits, targets).unwrap().sum(Kind::Float)
}
