//! From tch's tensors to the targets that core checks.

use std::borrow::Cow;

use label_smoothing_core::{Array, Masked, Mixed, Probabilities, Sparse, Targets, Weighted};
use tch::{Device, Kind, Tensor};

use crate::Error;
use crate::memory::{Stored, slice};
use crate::tensor::{FLOATS, check_dense, dims, dtype, to_host};

/// What can be a target: an integer tensor (class indices), or [`Probabilities`], [`Mixed`], [`Sparse`], [`Masked`]
/// and [`Weighted`] around tensors, nested in any order.
///
/// Targets are constants: no gradient goes to them.
pub trait TchTargets<'a> {
    /// The values on the host, borrowed where they lie there already. `device` is that of the logits.
    ///
    /// # Errors
    ///
    /// A tensor of another device or of a kind that has no meaning in its place.
    fn into_targets(self, device: Device) -> Result<HostTargets<'a>, Error>;
}

/// Targets as core takes them, by the type of their probabilities; without probabilities that is `f32`.
#[derive(Debug, Clone, PartialEq)]
pub enum HostTargets<'a> {
    /// Probabilities of kind Float, and of Half and `BFloat16`, which are widened.
    F32(Targets<'a, f32>),
    /// Probabilities of kind Double.
    F64(Targets<'a, f64>),
}

impl<'a> HostTargets<'a> {
    fn masked(self, mask: Array<'a, bool>) -> Self {
        match self {
            Self::F32(targets) => Self::F32(targets.masked(mask)),
            Self::F64(targets) => Self::F64(targets.masked(mask)),
        }
    }

    fn weighted(self, row_weights: Array<'a, f64>) -> Self {
        match self {
            Self::F32(targets) => Self::F32(targets.weighted(row_weights)),
            Self::F64(targets) => Self::F64(targets.weighted(row_weights)),
        }
    }
}

impl<'a> TchTargets<'a> for &'a Tensor {
    fn into_targets(self, device: Device) -> Result<HostTargets<'a>, Error> {
        Ok(HostTargets::F32(Targets::indices(indices("the targets", self, device)?)))
    }
}

impl<'a> TchTargets<'a> for Probabilities<&'a Tensor> {
    fn into_targets(self, device: Device) -> Result<HostTargets<'a>, Error> {
        let name = "the target probabilities";
        let tensor = self.0;
        match check_float(name, tensor, device)? {
            Kind::Double => Ok(HostTargets::F64(Targets::probabilities(array(name, tensor)?))),
            _ => Ok(HostTargets::F32(Targets::probabilities(array(name, tensor)?))),
        }
    }
}

impl<'a> TchTargets<'a> for Mixed<&'a Tensor, &Tensor> {
    fn into_targets(self, device: Device) -> Result<HostTargets<'a>, Error> {
        let first = indices("the first targets", self.first, device)?;
        let second = indices("the second targets", self.second, device)?;
        let lambda = floats("the mixing factors (lambda)", self.lambda, device)?;
        Ok(HostTargets::F32(Targets::mixed(first, second, lambda)))
    }
}

impl<'a> TchTargets<'a> for Sparse<&'a Tensor, &Tensor> {
    fn into_targets(self, device: Device) -> Result<HostTargets<'a>, Error> {
        let classes = indices("the classes of the targets", self.classes, device)?;
        let probabilities = floats("the probabilities of the targets", self.probabilities, device)?;
        Ok(HostTargets::F32(Targets::sparse(classes, probabilities)))
    }
}

impl<'a, T: TchTargets<'a>> TchTargets<'a> for Masked<T, &Tensor> {
    fn into_targets(self, device: Device) -> Result<HostTargets<'a>, Error> {
        let name = "the values of the row mask";
        match check(name, self.mask, device)? {
            Kind::Bool | Kind::Uint8 => {}
            kind => return Err(dtype(name, &format!("{kind:?}"), "Bool or Uint8")),
        }
        let mask: Vec<bool> = to_host::<u8>(name, self.mask)?.into_iter().map(|value| value != 0).collect();
        Ok(self.targets.into_targets(device)?.masked(Array::new(dims(self.mask), mask)))
    }
}

impl<'a, T: TchTargets<'a>> TchTargets<'a> for Weighted<T, &Tensor> {
    fn into_targets(self, device: Device) -> Result<HostTargets<'a>, Error> {
        let row_weights = floats("the row weights", self.row_weights, device)?;
        Ok(self.targets.into_targets(device)?.weighted(row_weights))
    }
}

fn indices<'a>(name: &'static str, tensor: &'a Tensor, device: Device) -> Result<Array<'a, i64>, Error> {
    match check(name, tensor, device)? {
        Kind::Int64 | Kind::Int | Kind::Int16 | Kind::Int8 | Kind::Uint8 => array(name, tensor),
        kind => Err(dtype(name, &format!("{kind:?}"), "integers: Int64, Int, Int16, Int8 or Uint8")),
    }
}

fn floats(name: &'static str, tensor: &Tensor, device: Device) -> Result<Array<'static, f64>, Error> {
    check_float(name, tensor, device)?;
    Ok(Array::new(dims(tensor), to_host(name, tensor)?))
}

fn check_float(name: &'static str, tensor: &Tensor, device: Device) -> Result<Kind, Error> {
    match check(name, tensor, device)? {
        kind @ (Kind::Float | Kind::Double | Kind::Half | Kind::BFloat16) => Ok(kind),
        kind => Err(dtype(name, &format!("{kind:?}"), FLOATS)),
    }
}

fn check(name: &'static str, tensor: &Tensor, device: Device) -> Result<Kind, Error> {
    let kind = check_dense(name, tensor)?;
    let found = tensor.device();
    if found == device { Ok(kind) } else { Err(Error::Device { name, found, expected: device }) }
}

/// The values as `T`, borrowed where libtorch has them so.
fn array<'a, T: Stored>(name: &'static str, tensor: &'a Tensor) -> Result<Array<'a, T>, Error> {
    let as_they_are = tensor.f_kind()? == T::KIND
        && tensor.device() == Device::Cpu
        && tensor.is_contiguous()
        && !tensor.f_is_neg()?;
    let values = if as_they_are { Cow::Borrowed(slice(name, tensor)?) } else { Cow::Owned(to_host(name, tensor)?) };
    Ok(Array::new(dims(tensor), values))
}
