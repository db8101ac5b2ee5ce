//! From burn's tensors to the targets that core checks.

use burn::backend::flex::FlexTensor;
use burn::tensor::{Bool, DType, Device, Element as BurnElement, Int, Tensor, TensorData};
use label_smoothing_core::{Array, Masked, Mixed, Probabilities, Sparse, TargetIndex, Targets, Weighted};

use crate::Error;
use crate::memory::{FlexElement, check_float, on_host};

/// What can be a target: a tensor of integers (class indices), or [`Probabilities`], [`Mixed`], [`Sparse`], [`Masked`]
/// and [`Weighted`] around tensors.
///
/// Targets are constants: no gradient goes to them. They are on the device of the logits, with or without autodiff, and
/// are read to the host.
pub trait BurnTargets {
    /// The values on the host.
    ///
    /// # Errors
    ///
    /// Another device than that of the logits, an element type that has no place there, and whatever keeps burn from
    /// reading a tensor.
    fn into_targets<const D: usize>(self, logits: &Tensor<D>) -> Result<HostTargets, Error>;
}

/// Targets whose values are on the host: what [`BurnTargets`] gives, in shapes that are not looked at yet.
#[derive(Debug)]
pub struct HostTargets {
    labels: HostLabels,
    masks: Vec<Array<'static, bool>>,
    row_weights: Vec<Array<'static, f64>>,
}

#[derive(Debug)]
enum HostLabels {
    Indices(Array<'static, i64>),
    /// In `f32` or `f64`.
    Probabilities(Vec<usize>, FlexTensor),
    Mixed {
        first: Array<'static, i64>,
        second: Array<'static, i64>,
        lambda: Array<'static, f64>,
    },
    Sparse {
        classes: Array<'static, i64>,
        probabilities: Array<'static, f64>,
    },
}

impl HostTargets {
    /// Whether there are probabilities in `f64`; everything else is at home in `f32`.
    pub(crate) fn are_f64(&self) -> bool {
        matches!(&self.labels, HostLabels::Probabilities(_, values) if values.dtype() == DType::F64)
    }

    /// The targets as core takes them, borrowed from here.
    pub(crate) fn targets<P: FlexElement>(&self) -> Targets<'_, P> {
        let mut targets = match &self.labels {
            HostLabels::Indices(classes) => Targets::indices(borrowed(classes)),
            HostLabels::Probabilities(shape, values) => {
                Targets::probabilities(Array::new(shape.clone(), P::slice(values)))
            }
            HostLabels::Mixed { first, second, lambda } => {
                Targets::mixed(borrowed(first), borrowed(second), borrowed(lambda))
            }
            HostLabels::Sparse { classes, probabilities } => {
                Targets::sparse(borrowed(classes), borrowed(probabilities))
            }
        };
        for mask in &self.masks {
            targets = targets.masked(borrowed(mask));
        }
        for weights in &self.row_weights {
            targets = targets.weighted(borrowed(weights));
        }
        targets
    }
}

impl From<HostLabels> for HostTargets {
    fn from(labels: HostLabels) -> Self {
        Self { labels, masks: Vec::new(), row_weights: Vec::new() }
    }
}

fn borrowed<'a, T: Clone>(array: &'a Array<'static, T>) -> Array<'a, T> {
    Array::new(array.shape(), array.values())
}

impl<const R: usize> BurnTargets for Tensor<R, Int> {
    fn into_targets<const D: usize>(self, logits: &Tensor<D>) -> Result<HostTargets, Error> {
        Ok(HostLabels::Indices(indices("the targets", self, logits)?).into())
    }
}

impl<const R: usize> BurnTargets for Probabilities<Tensor<R>> {
    fn into_targets<const D: usize>(self, logits: &Tensor<D>) -> Result<HostTargets, Error> {
        let name = "the target probabilities";
        check_device(name, &self.0.device(), logits)?;
        check_float(name, self.0.dtype())?;
        let shape = self.0.dims().to_vec();
        let values = match self.0.dtype() {
            DType::F32 | DType::F64 => on_host(self.0)?,
            // Exact, and half as many kernels for the compiler.
            _ => FlexTensor::from_data(self.0.try_into_data_as::<f32>()?),
        };
        Ok(HostLabels::Probabilities(shape, values).into())
    }
}

impl<const R: usize, const L: usize> BurnTargets for Mixed<Tensor<R, Int>, Tensor<L>> {
    fn into_targets<const D: usize>(self, logits: &Tensor<D>) -> Result<HostTargets, Error> {
        let first = indices("the first targets", self.first, logits)?;
        let second = indices("the second targets", self.second, logits)?;
        let lambda = numbers("the mixing factors (lambda)", self.lambda, logits)?;
        Ok(HostLabels::Mixed { first, second, lambda }.into())
    }
}

impl<const R: usize, const P: usize> BurnTargets for Sparse<Tensor<R, Int>, Tensor<P>> {
    fn into_targets<const D: usize>(self, logits: &Tensor<D>) -> Result<HostTargets, Error> {
        // One axis more than the rows have: nothing of rank 0 to be told by its shape.
        let shapes = (self.classes.dims().to_vec(), self.probabilities.dims().to_vec());
        let classes = indices("the classes of the targets", self.classes, logits)?;
        let probabilities = numbers("the probabilities of the targets", self.probabilities, logits)?;
        let classes = Array::new(shapes.0, classes.values().to_vec());
        let probabilities = Array::new(shapes.1, probabilities.values().to_vec());
        Ok(HostLabels::Sparse { classes, probabilities }.into())
    }
}

impl<T: BurnTargets, const R: usize> BurnTargets for Masked<T, Tensor<R, Bool>> {
    fn into_targets<const D: usize>(self, logits: &Tensor<D>) -> Result<HostTargets, Error> {
        let mut targets = self.targets.into_targets(logits)?;
        check_device("the values of the row mask", &self.mask.device(), logits)?;
        let shape = row_dims::<D, R>(self.mask.dims());
        targets.masks.push(Array::new(shape, self.mask.try_into_vec_as::<bool>()?));
        Ok(targets)
    }
}

impl<T: BurnTargets, const R: usize> BurnTargets for Weighted<T, Tensor<R>> {
    fn into_targets<const D: usize>(self, logits: &Tensor<D>) -> Result<HostTargets, Error> {
        let mut targets = self.targets.into_targets(logits)?;
        targets.row_weights.push(numbers("the row weights", self.row_weights, logits)?);
        Ok(targets)
    }
}

/// burn's own operations panic on tensors of different devices. Autodiff is not part of a device's identity.
fn check_device<const D: usize>(name: &'static str, found: &Device, logits: &Tensor<D>) -> Result<(), Error> {
    let expected = logits.device();
    if *found == expected { Ok(()) } else { Err(Error::Device { name, found: found.clone(), expected }) }
}

/// The shape of one value per row as core writes it. burn has no tensors of rank 0, so the only row of logits of rank 1
/// has its value in a tensor of shape `[1]`.
fn row_dims<const D: usize, const R: usize>(dims: [usize; R]) -> Vec<usize> {
    if D == 1 && dims.as_slice() == [1] { Vec::new() } else { dims.to_vec() }
}

fn indices<const D: usize, const R: usize>(
    name: &'static str,
    tensor: Tensor<R, Int>,
    logits: &Tensor<D>,
) -> Result<Array<'static, i64>, Error> {
    check_device(name, &tensor.device(), logits)?;
    let shape = row_dims::<D, R>(tensor.dims());
    let data = tensor.try_into_data()?;
    let classes = match data.dtype() {
        DType::I64 => classes::<i64>(data)?,
        DType::I32 => classes::<i32>(data)?,
        DType::I16 => classes::<i16>(data)?,
        DType::I8 => classes::<i8>(data)?,
        DType::U64 => classes::<u64>(data)?,
        DType::U32 => classes::<u32>(data)?,
        DType::U16 => classes::<u16>(data)?,
        DType::U8 => classes::<u8>(data)?,
        other => {
            let found = other.name().to_owned();
            return Err(label_smoothing_core::Error::Dtype { name, found, supported: "integers" }.into());
        }
    };
    Ok(Array::new(shape, classes))
}

fn classes<I: TargetIndex + BurnElement>(data: TensorData) -> Result<Vec<i64>, Error> {
    let values = data.try_into_vec::<I>().map_err(burn::tensor::TensorReadError::from)?;
    Ok(I::to_i64s(&values).into_owned())
}

fn numbers<const D: usize, const R: usize>(
    name: &'static str,
    tensor: Tensor<R>,
    logits: &Tensor<D>,
) -> Result<Array<'static, f64>, Error> {
    check_device(name, &tensor.device(), logits)?;
    check_float(name, tensor.dtype())?;
    let shape = row_dims::<D, R>(tensor.dims());
    Ok(Array::new(shape, tensor.try_into_vec_as::<f64>()?))
}
