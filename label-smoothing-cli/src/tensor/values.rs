//! The values of an array in the element type that they have in their file.

use label_smoothing_core::{Element, TargetIndex, bf16, f16};

/// A number as it lies in a file.
pub(crate) trait Scalar: Copy {
    /// As the value that it stands for; integers beyond 2^53 are rounded.
    fn number(self) -> f64;

    /// The values with their type as data.
    fn wrap(values: Vec<Self>) -> Values;

    /// The values, if they have this type.
    fn unwrap(values: Values) -> Result<Vec<Self>, Values>;
}

macro_rules! element_types {
    ($($variant:ident = $type:ty, $name:literal, $number:expr;)*) => {
        /// The values of an array, the last axis fastest.
        #[derive(Debug, Clone, PartialEq)]
        pub(crate) enum Values { $($variant(Vec<$type>),)* }

        impl Values {
            /// The element type, such as `f32`.
            pub(crate) fn type_name(&self) -> &'static str {
                match self { $(Self::$variant(_) => $name,)* }
            }

            pub(crate) fn len(&self) -> usize {
                match self { $(Self::$variant(values) => values.len(),)* }
            }

            /// The numbers in turn.
            pub(crate) fn numbers(&self) -> Box<dyn Iterator<Item = f64> + '_> {
                match self { $(Self::$variant(values) => Box::new(values.iter().map(|&value| value.number())),)* }
            }

            /// The values converted, unless they have the type already.
            pub(crate) fn into_elements<T: Element + Scalar>(self) -> Vec<T> {
                T::unwrap(self).unwrap_or_else(|values| match values {
                    $(Self::$variant(values) => {
                        values.into_iter().map(|value| T::from_f64(value.number())).collect()
                    })*
                })
            }
        }

        $(impl Scalar for $type {
            fn number(self) -> f64 {
                let number: fn($type) -> f64 = $number;
                number(self)
            }

            fn wrap(values: Vec<Self>) -> Values {
                Values::$variant(values)
            }

            fn unwrap(values: Values) -> Result<Vec<Self>, Values> {
                match values {
                    Values::$variant(values) => Ok(values),
                    other => Err(other),
                }
            }
        })*
    };
}

element_types! {
    Bool = bool, "bool", |value| f64::from(u8::from(value));
    I8 = i8, "i8", f64::from;
    I16 = i16, "i16", f64::from;
    I32 = i32, "i32", f64::from;
    I64 = i64, "i64", |value| value as f64;
    U8 = u8, "u8", f64::from;
    U16 = u16, "u16", f64::from;
    U32 = u32, "u32", f64::from;
    U64 = u64, "u64", |value| value as f64;
    F16 = f16, "f16", f16::to_f64;
    Bf16 = bf16, "bf16", bf16::to_f64;
    F32 = f32, "f32", f64::from;
    F64 = f64, "f64", |value| value;
}

impl Values {
    /// Class numbers, if the values are integers.
    pub(crate) fn into_indices(self) -> Result<Vec<i64>, Self> {
        match self {
            Self::I64(values) => Ok(values),
            Self::I8(values) => Ok(i8::to_i64s(&values).into_owned()),
            Self::I16(values) => Ok(i16::to_i64s(&values).into_owned()),
            Self::I32(values) => Ok(i32::to_i64s(&values).into_owned()),
            Self::U8(values) => Ok(u8::to_i64s(&values).into_owned()),
            Self::U16(values) => Ok(u16::to_i64s(&values).into_owned()),
            Self::U32(values) => Ok(u32::to_i64s(&values).into_owned()),
            Self::U64(values) => Ok(u64::to_i64s(&values).into_owned()),
            other => Err(other),
        }
    }
}
