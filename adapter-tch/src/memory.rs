//! Libtorch's memory as slices: the only file with `unsafe`.
//!
//! The kernel takes slices, and tch has pointers only. [`slice`] checks everything that makes a pointer a slice;
//! [`Fresh`] is a tensor that nobody else can have, so that its memory may be written to.

#![allow(unsafe_code, reason = "tch gives a tensor's memory as a raw pointer only")]

use std::marker::PhantomData;
use std::slice::{from_raw_parts, from_raw_parts_mut};

use label_smoothing_core::{bf16, f16};
use tch::{Device, Kind, TchError, Tensor};

use crate::Error;
use crate::tensor::to_i64s;

/// An element type that has the same bytes in libtorch as in Rust. (`tch::kind::Element` says that `bf16` is `Half`.)
///
/// # Safety
///
/// Tensors of kind `KIND` hold values of this size, and every bit pattern is a value of it.
pub(crate) unsafe trait Stored: Copy + 'static {
    const KIND: Kind;
}

macro_rules! stored {
    ($($element:ty = $kind:ident),*) => {$(
        // SAFETY: the kind is defined as this type, of which every bit pattern is a value.
        unsafe impl Stored for $element {
            const KIND: Kind = Kind::$kind;
        }
    )*};
}
stored!(u8 = Uint8, i64 = Int64, f16 = Half, bf16 = BFloat16, f32 = Float, f64 = Double);

/// The values of a dense tensor on the CPU, in row-major order.
///
/// As with every operation of libtorch, no other thread may write to the tensor meanwhile (through a
/// `shallow_clone`, say): neither libtorch nor tch stops it.
pub(crate) fn slice<'t, T: Stored>(name: &'static str, tensor: &'t Tensor) -> Result<&'t [T], Error> {
    let refuse = |what: String| Err(Error::Framework(TchError::Convert(format!("{name} {what}"))));
    let kind = tensor.f_kind()?;
    if kind != T::KIND || tensor.device() != Device::Cpu || !tensor.is_contiguous() || tensor.f_is_neg()? {
        return refuse(format!("of kind {kind:?} have no {:?} values in contiguous memory on the CPU", T::KIND));
    }
    let (length, pointer) = (tensor.numel(), tensor.data_ptr().cast_const().cast::<T>());
    if length == 0 {
        return Ok(&[]); // An empty tensor's pointer may be null.
    }
    if pointer.is_null() {
        return refuse("have no memory".to_owned());
    }
    if !pointer.is_aligned() {
        return refuse(format!("lie at {pointer:?}, which is not aligned for {:?}", T::KIND));
    }
    // SAFETY: the tensor is of kind `T::KIND`, on the CPU and contiguous, so libtorch holds `length` values of this type
    // from `pointer` on; the pointer is neither null nor unaligned. The tensor keeps the memory while it is borrowed, and
    // this crate writes to no tensor but a `Fresh` one, whose memory is its own.
    Ok(unsafe { from_raw_parts(pointer, length) })
}

#[cfg(test)]
thread_local! {
    /// How many tensors were made by this thread.
    pub(crate) static FRESH: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

/// A new tensor on the CPU, to be filled before anybody sees it.
pub(crate) struct Fresh<T> {
    tensor: Tensor,
    length: usize,
    element: PhantomData<T>,
}

impl<T: Stored> Fresh<T> {
    /// Room for the values; what it holds before they are written is of no meaning.
    pub(crate) fn new(dims: &[usize]) -> Result<Self, Error> {
        #[cfg(test)]
        FRESH.with(|count| count.set(count.get() + 1));
        let tensor = Tensor::f_empty(to_i64s(dims), (T::KIND, Device::Cpu))?;
        let length = tensor.numel();
        if length > 0 && tensor.data_ptr().is_null() {
            return Err(Error::Framework(TchError::Convert(format!("libtorch gave no memory for shape {dims:?}"))));
        }
        Ok(Self { tensor, length, element: PhantomData })
    }

    /// The values in row-major order.
    pub(crate) fn values(&mut self) -> &mut [T] {
        if self.length == 0 {
            return &mut [];
        }
        // SAFETY: `f_empty` makes a contiguous tensor of kind `T::KIND` with `length` elements in memory of its own, which
        // libtorch aligns to 64 bytes, and `new` saw that the pointer is not null. The tensor was never handed out, so
        // nothing else refers to that memory while `self` is borrowed. The memory comes from a foreign allocator: its
        // bytes are unspecified, but every bit pattern is a value of `T`.
        unsafe { from_raw_parts_mut(self.tensor.data_ptr().cast::<T>(), self.length) }
    }

    /// The tensor, now that it is filled.
    pub(crate) fn into_tensor(self) -> Tensor {
        self.tensor
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal<T: Stored + std::fmt::Debug>(tensor: &Tensor) -> String {
        slice::<T>("the logits", tensor).unwrap_err().to_string()
    }

    #[test]
    fn only_what_is_a_slice_becomes_one() {
        let tensor = Tensor::from_slice2(&[[1.0_f32, 2.0], [3.0, 4.0]]);
        assert_eq!(slice::<f32>("the logits", &tensor).unwrap(), [1.0, 2.0, 3.0, 4.0]);
        assert_eq!(slice::<f32>("the logits", &tensor.get(1)).unwrap(), [3.0, 4.0]);
        assert!(slice::<f32>("the logits", &Tensor::zeros([3, 0], tch::kind::FLOAT_CPU)).unwrap().is_empty());
        assert!(refusal::<f64>(&tensor).contains("the logits of kind Float have no Double values"));
        assert!(refusal::<f32>(&tensor.tr()).contains("contiguous"));
        assert!(refusal::<f32>(&Tensor::internal_efficientzerotensor([2], tch::kind::FLOAT_CPU)).contains("no memory"));
    }

    /// As a file that is mapped into memory may give them.
    #[test]
    fn values_that_are_not_aligned_are_refused() {
        let bytes = [0_u64; 3];
        let address = bytes.as_ptr().cast::<u8>().wrapping_add(1);
        // SAFETY: 16 bytes from the second on lie within the 24 of `bytes`, which outlives the tensor.
        let tensor = unsafe { Tensor::from_blob(address, &[4], &[1], Kind::Float, Device::Cpu) };
        assert!(refusal::<f32>(&tensor).contains("not aligned for Float"));
    }

    #[test]
    fn what_is_written_to_a_fresh_tensor_is_its_value() {
        let mut fresh = Fresh::<bf16>::new(&[2, 3]).unwrap();
        fresh.values().copy_from_slice(&[bf16::from_f32(1.5); 6]);
        let tensor = fresh.into_tensor();
        assert_eq!((tensor.size(), tensor.kind()), (vec![2, 3], Kind::BFloat16));
        assert_eq!(f64::try_from(tensor.sum(Kind::Double)).unwrap(), 9.0);
        assert!(Fresh::<f32>::new(&[0, 3]).unwrap().values().is_empty());
    }
}
