//! From candle's tensors to the targets that core checks.

use candle_core::{DType, Device, Storage, Tensor, WithDType};
use label_smoothing_core::{
    Array, Element, Labels, Masked, Mixed, Probabilities, Sparse, TargetIndex, Targets, Weighted, bf16, f16,
};

use crate::Error;

const INTEGERS: &str = "integers (u8, u32, i16, i32 or i64)";
pub(crate) const FLOATS: &str = "f32, f64, f16 or bf16";

/// What can be a target: a tensor of integers (class indices), or [`Probabilities`], [`Mixed`], [`Sparse`], [`Masked`]
/// and [`Weighted`] around tensors.
///
/// All of them lie on the device of the logits. They are constants of the loss: no gradient flows into them.
pub trait CandleTargets {
    /// Fetches what the input check and the formula need from `device`, that of the logits.
    ///
    /// # Errors
    ///
    /// A tensor on another device, or of an element type that has no meaning here.
    fn into_targets(self, device: &Device) -> Result<HostTargets, Error>;
}

/// Targets on the host, not checked yet. Implementations of [`CandleTargets`] make them.
#[derive(Debug, Clone)]
pub struct HostTargets {
    pub(crate) labels: HostLabels,
    pub(crate) rows: Rows,
}

/// The labels. Probabilities stay a tensor, to be read without a copy.
#[derive(Debug, Clone)]
pub(crate) enum HostLabels {
    Classes(Labels<'static, f32>),
    Probabilities(Tensor),
}

/// What there is besides the labels, one value per row.
#[derive(Debug, Clone, Default)]
pub(crate) struct Rows {
    masks: Vec<Array<'static, bool>>,
    weights: Vec<Array<'static, f64>>,
}

impl Rows {
    pub(crate) fn targets<P: Clone>(self, labels: Labels<'_, P>) -> Targets<'_, P> {
        let targets = self.masks.into_iter().fold(Targets::from(labels), Targets::masked);
        self.weights.into_iter().fold(targets, Targets::weighted)
    }
}

impl HostTargets {
    fn new(labels: HostLabels) -> Self {
        Self { labels, rows: Rows::default() }
    }
}

impl CandleTargets for &Tensor {
    fn into_targets(self, device: &Device) -> Result<HostTargets, Error> {
        Ok(HostTargets::new(HostLabels::Classes(Labels::Indices(integers("the targets", self, device)?))))
    }
}

impl CandleTargets for Probabilities<&Tensor> {
    fn into_targets(self, device: &Device) -> Result<HostTargets, Error> {
        let name = "the target probabilities";
        check_device(name, self.0, device)?;
        let host = self.0.detach().to_device(&Device::Cpu)?;
        let host = match host.dtype() {
            DType::F32 | DType::F64 => host,
            DType::F16 | DType::BF16 => host.to_dtype(DType::F32)?,
            other => return Err(dtype(name, other, FLOATS)),
        };
        Ok(HostTargets::new(HostLabels::Probabilities(host)))
    }
}

impl CandleTargets for Mixed<&Tensor, &Tensor> {
    fn into_targets(self, device: &Device) -> Result<HostTargets, Error> {
        Ok(HostTargets::new(HostLabels::Classes(Labels::Mixed {
            first: integers("the first targets", self.first, device)?,
            second: integers("the second targets", self.second, device)?,
            lambda: floats("the mixing factors (lambda)", self.lambda, device)?,
        })))
    }
}

impl CandleTargets for Sparse<&Tensor, &Tensor> {
    fn into_targets(self, device: &Device) -> Result<HostTargets, Error> {
        Ok(HostTargets::new(HostLabels::Classes(Labels::Sparse {
            classes: integers("the classes of the targets", self.classes, device)?,
            probabilities: floats("the probabilities of the targets", self.probabilities, device)?,
        })))
    }
}

impl<T: CandleTargets> CandleTargets for Masked<T, &Tensor> {
    fn into_targets(self, device: &Device) -> Result<HostTargets, Error> {
        let mut targets = self.targets.into_targets(device)?;
        let mask = integers("the values of the row mask", self.mask, device)?;
        let counted: Vec<bool> = mask.values().iter().map(|&value| value != 0).collect();
        targets.rows.masks.push(Array::new(mask.shape(), counted));
        Ok(targets)
    }
}

impl<T: CandleTargets> CandleTargets for Weighted<T, &Tensor> {
    fn into_targets(self, device: &Device) -> Result<HostTargets, Error> {
        let mut targets = self.targets.into_targets(device)?;
        targets.rows.weights.push(floats("the row weights", self.row_weights, device)?);
        Ok(targets)
    }
}

/// The values of any integer type.
fn integers(name: &'static str, tensor: &Tensor, device: &Device) -> Result<Array<'static, i64>, Error> {
    fn read<T: WithDType + TargetIndex>(tensor: &Tensor) -> Result<Vec<i64>, Error> {
        with_values::<T, _>(tensor, |values| Ok(T::to_i64s(values).into_owned()))
    }
    check_device(name, tensor, device)?;
    let values = match tensor.dtype() {
        DType::U8 => read::<u8>(tensor),
        DType::U32 => read::<u32>(tensor),
        DType::I16 => read::<i16>(tensor),
        DType::I32 => read::<i32>(tensor),
        DType::I64 => read::<i64>(tensor),
        other => Err(dtype(name, other, INTEGERS)),
    }?;
    Ok(Array::new(tensor.dims(), values))
}

fn floats(name: &'static str, tensor: &Tensor, device: &Device) -> Result<Array<'static, f64>, Error> {
    check_device(name, tensor, device)?;
    Ok(Array::new(tensor.dims(), widened(name, tensor)?))
}

/// The values of any floating-point type.
pub(crate) fn widened(name: &'static str, tensor: &Tensor) -> Result<Vec<f64>, Error> {
    fn read<T: WithDType + Element>(tensor: &Tensor) -> Result<Vec<f64>, Error> {
        with_values::<T, _>(tensor, |values| Ok(values.iter().map(|&value| Element::to_f64(value)).collect()))
    }
    match tensor.dtype() {
        DType::F32 => read::<f32>(tensor),
        DType::F64 => read::<f64>(tensor),
        DType::F16 => read::<f16>(tensor),
        DType::BF16 => read::<bf16>(tensor),
        other => Err(dtype(name, other, FLOATS)),
    }
}

/// Lends the values in row-major order: candle's own memory where it is so on the CPU, a copy elsewhere.
pub(crate) fn with_values<T: WithDType, R>(
    tensor: &Tensor,
    read: impl FnOnce(&[T]) -> Result<R, Error>,
) -> Result<R, Error> {
    let tensor = tensor.detach().to_device(&Device::Cpu)?.contiguous()?;
    let (storage, layout) = tensor.storage_and_layout();
    match (&*storage, layout.contiguous_offsets()) {
        (Storage::Cpu(storage), Some((start, end))) => read(&T::cpu_storage_as_slice(storage)?[start..end]),
        _ => Err(candle_core::Error::RequiresContiguous { op: "the smoothed loss" }.into()),
    }
}

fn check_device(name: &'static str, tensor: &Tensor, device: &Device) -> Result<(), Error> {
    if tensor.device().same_device(device) {
        return Ok(());
    }
    Err(Error::Device { name, found: tensor.device().location(), expected: device.location() })
}

pub(crate) fn dtype(name: &'static str, found: DType, supported: &'static str) -> Error {
    label_smoothing_core::Error::Dtype { name, found: found.as_str().to_owned(), supported }.into()
}
