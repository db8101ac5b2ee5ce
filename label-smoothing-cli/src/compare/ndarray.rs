//! The adapter for ndarray, beside a plain loop over an array's rows.

use label_smoothing_ndarray::ndarray::{Array1, Array2, Zip};
use label_smoothing_ndarray::{LossGradient, SmoothedCrossEntropy};

use super::batch::{Batch, EPSILON};
use super::contender::{Answer, Contender, Fallible, Pair};

#[derive(Clone)]
struct Setup {
    criterion: SmoothedCrossEntropy,
    logits: Array2<f32>,
    targets: Array1<i64>,
}

type Output = (f32, Array2<f32>);

pub(super) fn pairs(batch: &Batch) -> Fallible<Vec<Pair>> {
    let setup = Setup {
        criterion: SmoothedCrossEntropy::new(EPSILON)?,
        logits: Array2::from_shape_vec((batch.shape.rows, batch.shape.classes), batch.logits.clone())?,
        targets: batch.targets().into(),
    };
    Ok(vec![Pair {
        ours: Contender::new("SmoothedCrossEntropy::loss_and_gradient", setup.clone(), ours, read),
        native: Contender::new("a plain loop over the rows", setup, native, read),
    }])
}

fn ours(setup: &mut Setup) -> Fallible<Output> {
    Ok(setup.criterion.loss_and_gradient(setup.logits.view(), setup.targets.view(), 1.0)?)
}

fn native(setup: &mut Setup) -> Fallible<Output> {
    let (rows, classes) = setup.logits.dim();
    let (epsilon, rows, classes) = (EPSILON as f32, rows as f32, classes as f32);
    let mut loss = 0.0;
    let mut gradient = Array2::zeros(setup.logits.dim());
    Zip::from(gradient.rows_mut()).and(setup.logits.rows()).and(&setup.targets).for_each(|mut g, z, &target| {
        let target = target as usize;
        let max = z.fold(f32::NEG_INFINITY, |max, &z| max.max(z));
        g.zip_mut_with(&z, |g, &z| *g = (z - max).exp());
        let sum = g.sum();
        let log_sum = sum.ln() + max;
        loss += log_sum - (1.0 - epsilon) * z[target] - epsilon * z.sum() / classes;
        g.mapv_inplace(|g| (g / sum - epsilon / classes) / rows);
        g[target] -= (1.0 - epsilon) / rows;
    });
    Ok((loss / rows, gradient))
}

fn read(_: &Setup, (loss, gradient): Output) -> Fallible<Answer> {
    Ok(Answer { loss, gradient: gradient.into_iter().collect() })
}
