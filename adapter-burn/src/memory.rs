//! burn's tensors as slices on the host.

use burn::Tensor;
use burn::backend::Flex;
use burn::backend::flex::FlexTensor;
use burn::tensor::{Bytes, DType, TensorData};
use label_smoothing_core::kernel::GradientOf;
use label_smoothing_core::{Element, bf16, f16};

use crate::Error;

/// An element type of core's in the memory of burn's CPU backend.
pub(crate) trait FlexElement: Element<Wide: GradientOf<Self>> + burn::tensor::Element {
    /// The values of a tensor that is contiguous and of this type; of any other none at all, which core refuses.
    fn slice(tensor: &FlexTensor) -> &[Self];

    /// The same for a tensor of the wide type.
    fn wide_slice(tensor: &FlexTensor) -> &[Self::Wide];

    /// A tensor of the wide type that owns `values`.
    fn wide_tensor(shape: Vec<usize>, values: Vec<Self::Wide>) -> FlexTensor;

    /// Rounds to this type, in place where it is the wide type itself.
    fn narrow_all(wide: Vec<Self::Wide>) -> Vec<Self>;
}

macro_rules! flex_element {
    ($($type:ty, $narrow_all:expr;)*) => {$(
        impl FlexElement for $type {
            fn slice(tensor: &FlexTensor) -> &[Self] {
                tensor.as_slice().unwrap_or_default()
            }

            fn wide_slice(tensor: &FlexTensor) -> &[Self::Wide] {
                tensor.as_slice().unwrap_or_default()
            }

            fn wide_tensor(shape: Vec<usize>, values: Vec<Self::Wide>) -> FlexTensor {
                owned(shape, values)
            }

            fn narrow_all(wide: Vec<Self::Wide>) -> Vec<Self> {
                $narrow_all(wide)
            }
        }
    )*};
}
flex_element! {
    f32, |wide| wide;
    f64, |wide| wide;
    f16, |wide: Vec<f32>| wide.into_iter().map(f16::narrow).collect();
    bf16, |wide: Vec<f32>| wide.into_iter().map(bf16::narrow).collect();
}

/// Runs `$body` with the type alias `$T` for the element type that a burn `DType` names.
macro_rules! dispatch {
    ($name:literal, $dtype:expr, $T:ident => $body:expr) => {
        match $dtype {
            burn::tensor::DType::F64 => {
                type $T = f64;
                $body
            }
            burn::tensor::DType::F32 => {
                type $T = f32;
                $body
            }
            burn::tensor::DType::F16 => {
                type $T = label_smoothing_core::f16;
                $body
            }
            burn::tensor::DType::BF16 => {
                type $T = label_smoothing_core::bf16;
                $body
            }
            other => Err($crate::memory::unsupported($name, other)),
        }
    };
}
pub(crate) use dispatch;

/// Refuses an element type that has no place in a loss.
pub(crate) fn check_float(name: &'static str, dtype: DType) -> Result<(), Error> {
    match dtype {
        DType::F64 | DType::F32 | DType::F16 | DType::BF16 => Ok(()),
        other => Err(unsupported(name, other)),
    }
}

pub(crate) fn unsupported(name: &'static str, found: DType) -> Error {
    let found = found.name().to_owned();
    label_smoothing_core::Error::Dtype { name, found, supported: "f32, f64, f16 or bf16" }.into()
}

/// The values in standard layout: the CPU backend's own memory where it is so already, one copy elsewhere.
pub(crate) fn on_host<const D: usize>(tensor: Tensor<D>) -> Result<FlexTensor, Error> {
    let tensor = tensor.inner();
    let tensor = match tensor.clone().try_into_primitive::<Flex>() {
        Ok(tensor) => tensor,
        Err(_) => FlexTensor::from_data(tensor.try_into_data()?),
    };
    Ok(dense(tensor))
}

/// The same values, contiguous and aligned as slices need them.
pub(crate) fn dense(tensor: FlexTensor) -> FlexTensor {
    let size = tensor.dtype().size();
    let is_aligned = tensor.bytes().as_ptr().addr().is_multiple_of(size);
    let tensor = if is_aligned {
        tensor
    } else {
        // A part of shared bytes may start anywhere; bytes that burn allocates do not.
        let bytes = Bytes::from_bytes_vec(tensor.bytes().to_vec());
        FlexTensor::new(bytes, tensor.layout().clone(), tensor.dtype())
    };
    if tensor.is_contiguous() { tensor } else { tensor.to_contiguous() }
}

/// A new tensor that owns `values`.
pub(crate) fn owned<T: burn::tensor::Element>(shape: Vec<usize>, values: Vec<T>) -> FlexTensor {
    FlexTensor::from_data(TensorData::new(values, shape))
}
