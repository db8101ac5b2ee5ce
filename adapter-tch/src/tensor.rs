//! What this crate asks of tensors, with tch's panics kept out of the way.

use label_smoothing_core as core;
use tch::{Device, Kind, Tensor};

use crate::Error;
use crate::memory::{Stored, slice};

/// The element types of logits, in words.
const LOGITS: &str = "Float, Double, Half or BFloat16";

/// Refuses tensors that are not dense: their sizes, strides or data make tch panic.
pub(crate) fn check_dense(name: &'static str, tensor: &Tensor) -> Result<Kind, Error> {
    if !tensor.defined() {
        return Err(dtype(name, "undefined", "dense tensors with values"));
    }
    let kind = tensor.f_kind()?;
    // An operation that strided tensors have and no other layout has.
    let probe = match tensor.f_as_strided([0], [1], None) {
        Ok(probe) => probe,
        Err(error) => {
            let Some(layout) = layout(tensor) else { return Err(error.into()) };
            return Err(dtype(name, layout, "dense (strided)"));
        }
    };
    if tensor.device() != Device::Cpu {
        // tch takes devices that it does not know for MPS. A meta tensor is one of them, and cannot be copied.
        let _ = probe.f_to_device(Device::Cpu)?;
    }
    Ok(kind)
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

/// Refuses logits that are not dense floating-point tensors.
pub(crate) fn check_logits(logits: &Tensor) -> Result<Kind, Error> {
    let kind = check_dense("the logits", logits)?;
    match kind {
        Kind::Float | Kind::Double | Kind::Half | Kind::BFloat16 => Ok(kind),
        _ => Err(dtype("the logits", &format!("{kind:?}"), LOGITS)),
    }
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
