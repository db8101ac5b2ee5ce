//! INTERIM: to be replaced by the canonical kernel in this same change; it only lets the callers be built meanwhile.
use crate::check::Problem;
use crate::element::Element;
use crate::parts::LossParts;
use crate::reference;

/// Row statistics.
#[derive(Debug, Clone)]
pub struct RowStatistics;

pub(super) fn run<T: Element, P: Element, G: Element<Wide = T::Wide>>(
    problem: &Problem<P>,
    logits: &[T],
    losses: Option<&mut [T::Wide]>,
    gradient: Option<(&mut [G], &[T::Wide])>,
) -> LossParts {
    let z: Vec<f64> = logits.iter().map(|z| z.to_f64()).collect();
    if let Some(losses) = losses {
        for (out, loss) in losses.iter_mut().zip(reference::row_losses(problem, &z).unwrap()) {
            *out = T::Wide::from_f64(loss);
        }
    }
    if let Some((gradient, upstream)) = gradient {
        let upstream: Vec<f64> = upstream.iter().map(|u| u.to_f64()).collect();
        let g = reference::row_losses_gradient(problem, &z, &upstream).unwrap();
        for (out, g) in gradient.iter_mut().zip(g) {
            *out = G::narrow(T::Wide::from_f64(g));
        }
    }
    reference::parts(problem, &z).unwrap()
}

pub(super) fn run_scaled<T: Element, P: Element, G: Element<Wide = T::Wide>>(
    problem: &Problem<P>,
    logits: &[T],
    upstream: T::Wide,
    gradient: &mut [G],
) -> LossParts {
    let z: Vec<f64> = logits.iter().map(|z| z.to_f64()).collect();
    let g = reference::loss_gradient(problem, &z, upstream.to_f64()).unwrap();
    for (out, g) in gradient.iter_mut().zip(g) {
        *out = G::narrow(T::Wide::from_f64(g));
    }
    reference::parts(problem, &z).unwrap()
}
