//! What this crate asks of tensors, with tch's panics kept out of the way.

use label_smoothing_core as core;
use tch::{Device, Kind, TchError, Tensor};

use crate::Error;
use crate::memory::{Stored, slice};

/// The floating-point kinds that are taken, in words.
pub(crate) const FLOATS: &str = "Float, Double, Half or BFloat16";

/// Refuses tensors that are not dense: their sizes, strides or data make tch panic.
pub(crate) fn check_dense(name: &'static str, tensor: &Tensor) -> Result<Kind, Error> {
    if !tensor.defined() {
        return Err(dtype(name, "undefined", "dense tensors with values"));
    }
    let kind = tensor.f_kind()?;
    match nothing_of(tensor) {
        Ok(_) => Ok(kind),
        Err(error) => match layout(tensor) {
            Some(layout) => Err(dtype(name, layout, "dense (strided)")),
            None => Err(error.into()),
        },
    }
}

/// An empty view, which strided tensors have and those of no other layout.
fn nothing_of(tensor: &Tensor) -> Result<Tensor, TchError> {
    tensor.f_as_strided([0], [1], None)
}

/// What a tensor is that is not strided, as far as tch can tell.
fn layout(tensor: &Tensor) -> Option<&'static str> {
    if tensor.is_sparse() {
        Some("sparse (COO)")
    } else if tensor.is_mkldnn() {
        Some("opaque (MKL-DNN)")
    } else if tensor.f_crow_indices().is_ok() {
        Some("sparse (CSR or BSR)")
    } else if tensor.f_ccol_indices().is_ok() {
        Some("sparse (CSC or BSC)")
    } else {
        None
    }
}

/// Refuses logits that are not dense floating-point tensors with values.
pub(crate) fn check_logits(logits: &Tensor) -> Result<Kind, Error> {
    let kind = check_dense("the logits", logits)?;
    if !matches!(kind, Kind::Float | Kind::Double | Kind::Half | Kind::BFloat16) {
        return Err(dtype("the logits", &format!("{kind:?}"), FLOATS));
    }
    if logits.device() != Device::Cpu {
        // tch takes devices that it does not know for MPS. A meta tensor's is one of them: it cannot be copied.
        let _ = nothing_of(logits)?.f_to_device(Device::Cpu)?;
    }
    Ok(kind)
}

pub(crate) fn dtype(name: &'static str, found: &str, supported: &'static str) -> Error {
    core::Error::Dtype { name, found: found.to_owned(), supported }.into()
}

/// The lengths of the axes of a tensor that was checked.
pub(crate) fn dims(tensor: &Tensor) -> Vec<usize> {
    tensor.size().into_iter().map(|length| length as usize).collect()
}

/// A length or an axis as libtorch counts them. No slice or shape that passed the input check is longer than `i64::MAX`.
pub(crate) fn to_i64(length: usize) -> i64 {
    i64::try_from(length).unwrap_or(i64::MAX)
}

pub(crate) fn to_i64s(dims: &[usize]) -> Vec<i64> {
    dims.iter().copied().map(to_i64).collect()
}

/// A copy of the values on the host, in row-major order.
pub(crate) fn to_host<T: Stored>(name: &'static str, tensor: &Tensor) -> Result<Vec<T>, Error> {
    let tensor = tensor.f_detach()?.f_to_device(Device::Cpu)?.f_resolve_neg()?;
    Ok(slice(name, &tensor.f_to_kind(T::KIND)?.f_contiguous()?)?.to_vec())
}
