//! The adapter for ndarray, beside a plain loop over an array's rows.

use label_smoothing_conformance::Dtype;
use label_smoothing_core::Element;
use label_smoothing_ndarray::ndarray::{Array1, Array2, NdFloat, Zip};
use label_smoothing_ndarray::{LossGradient, SmoothedCrossEntropy};

use super::batch::Batch;
use super::contender::{Answer, Contender, Fallible, Pair};

#[derive(Clone)]
struct Setup<T> {
    criterion: SmoothedCrossEntropy,
    epsilon: f64,
    logits: Array2<T>,
    targets: Array1<i64>,
}

type Output<T> = (T, Array2<T>);

impl<T: Element + NdFloat> Setup<T> {
    fn new(batch: &Batch) -> Fallible<Self> {
        Ok(Self {
            criterion: SmoothedCrossEntropy::new(batch.epsilon)?,
            epsilon: batch.epsilon,
            logits: Array2::from_shape_vec((batch.shape.rows, batch.shape.classes), batch.logits())?,
            targets: batch.targets().into(),
        })
    }

    fn native(self) -> Contender {
        Contender::new("a plain loop over the rows", self, native, read)
    }
}

pub(super) fn pairs(batch: &Batch) -> Fallible<Vec<Pair>> {
    let setup = Setup::<f32>::new(batch)?;
    Ok(vec![Pair {
        ours: Contender::new("SmoothedCrossEntropy::loss_and_gradient", setup.clone(), ours, read),
        native: setup.native(),
    }])
}

/// The half types have no arithmetic that one would write such a loop in.
pub(super) fn natives(batch: &Batch) -> Fallible<Vec<Contender>> {
    Ok(match batch.dtype {
        Dtype::F64 => vec![Setup::<f64>::new(batch)?.native()],
        Dtype::F32 => vec![Setup::<f32>::new(batch)?.native()],
        Dtype::F16 | Dtype::Bf16 => Vec::new(),
    })
}

fn ours(setup: &mut Setup<f32>) -> Fallible<Output<f32>> {
    Ok(setup.criterion.loss_and_gradient(setup.logits.view(), setup.targets.view(), 1.0)?)
}

fn native<T: Element + NdFloat>(setup: &mut Setup<T>) -> Fallible<Output<T>> {
    let (rows, classes) = setup.logits.dim();
    let number = <T as Element>::from_f64;
    let (epsilon, rows, classes) = (number(setup.epsilon), number(rows as f64), number(classes as f64));
    let mut loss = T::zero();
    let mut gradient = Array2::zeros(setup.logits.dim());
    Zip::from(gradient.rows_mut()).and(setup.logits.rows()).and(&setup.targets).for_each(|mut g, z, &target| {
        let target = target as usize;
        let max = z.fold(T::neg_infinity(), |max, &z| max.max(z));
        g.zip_mut_with(&z, |g, &z| *g = (z - max).exp());
        let sum = g.sum();
        let log_sum = sum.ln() + max;
        loss += log_sum - (T::one() - epsilon) * z[target] - epsilon * z.sum() / classes;
        g.mapv_inplace(|g| (g / sum - epsilon / classes) / rows);
        g[target] -= (T::one() - epsilon) / rows;
    });
    Ok((loss / rows, gradient))
}

fn read<T: Element + NdFloat>(_: &Setup<T>, (loss, gradient): Output<T>) -> Fallible<Answer> {
    let widened = <T as Element>::to_f64;
    Ok(Answer { loss: widened(loss), gradient: gradient.into_iter().map(widened).collect() })
}
