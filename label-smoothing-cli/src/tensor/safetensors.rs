//! `.safetensors` files: one tensor is read of however many there are.

use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

use label_smoothing_core::{bf16, f16};
use safetensors::Dtype;
use safetensors::tensor::{Metadata, TensorInfo};

use super::{Problem, READABLE, Scalar, Tensor, Values, check_data_length, open, with_room};

/// The limit of the format.
const LONGEST_HEADER: u64 = 100_000_000;

/// How many names a message lists.
const NAMES: usize = 8;

pub(super) fn read(path: &Path, name: Option<&str>) -> Result<Tensor, Problem> {
    let (mut reader, bytes) = open(path)?;
    let mut length = [0; 8];
    reader.read_exact(&mut length)?;
    let (length, rest) = (u64::from_le_bytes(length), bytes.saturating_sub(8));
    if length > LONGEST_HEADER {
        return Problem::new(format!("has a header of {length} bytes, but the format allows {LONGEST_HEADER}"));
    }
    if length > rest {
        return Problem::new(format!("is truncated: it holds {rest} of the {length} bytes of its header"));
    }
    let mut header = Vec::new();
    reader.by_ref().take(length).read_to_end(&mut header)?;
    let metadata: Metadata =
        serde_json::from_slice(&header).map_err(|error| format!("has a header that cannot be read: {error}"))?;
    check_data_length(rest - length, metadata.data_len() as u64)?;
    let info = find(&metadata, name)?;
    reader.seek(SeekFrom::Start(8 + length + info.data_offsets.0 as u64))?;
    Ok(Tensor { shape: info.shape.clone(), values: values(&mut reader, info)? })
}

fn find<'a>(metadata: &'a Metadata, name: Option<&str>) -> Result<&'a TensorInfo, Problem> {
    let mut names = metadata.offset_keys();
    names.sort();
    match (name, names.as_slice()) {
        (None, [only]) => metadata.info(only).ok_or_else(|| Problem("has no tensor".to_owned())),
        (None, _) => Problem::new(format!("needs FILE:NAME with the name of a tensor; {}", held(&names))),
        (Some(name), _) => {
            metadata.info(name).ok_or_else(|| Problem(format!("has no tensor of that name; {}", held(&names))))
        }
    }
}

fn held(names: &[String]) -> String {
    match names.split_at_checked(NAMES) {
        _ if names.is_empty() => "it holds none".to_owned(),
        Some((first, rest)) if !rest.is_empty() => format!("it holds {} and {} more", first.join(", "), rest.len()),
        _ => format!("it holds {}", names.join(", ")),
    }
}

fn values(reader: &mut impl Read, info: &TensorInfo) -> Result<Values, Problem> {
    let length = info.shape.iter().product();
    match info.dtype {
        Dtype::BOOL => decode(reader, length, |[byte]| byte != 0),
        Dtype::I8 => decode(reader, length, i8::from_le_bytes),
        Dtype::I16 => decode(reader, length, i16::from_le_bytes),
        Dtype::I32 => decode(reader, length, i32::from_le_bytes),
        Dtype::I64 => decode(reader, length, i64::from_le_bytes),
        Dtype::U8 => decode(reader, length, u8::from_le_bytes),
        Dtype::U16 => decode(reader, length, u16::from_le_bytes),
        Dtype::U32 => decode(reader, length, u32::from_le_bytes),
        Dtype::U64 => decode(reader, length, u64::from_le_bytes),
        Dtype::F16 => decode(reader, length, f16::from_le_bytes),
        Dtype::BF16 => decode(reader, length, bf16::from_le_bytes),
        Dtype::F32 => decode(reader, length, f32::from_le_bytes),
        Dtype::F64 => decode(reader, length, f64::from_le_bytes),
        other => Problem::new(format!("holds elements of the type {other}; {READABLE}")),
    }
}

fn decode<T: Scalar, const N: usize>(
    reader: &mut impl Read,
    length: usize,
    value: fn([u8; N]) -> T,
) -> Result<Values, Problem> {
    let mut values = with_room(length)?;
    for _ in 0..length {
        let mut bytes = [0; N];
        reader.read_exact(&mut bytes)?;
        values.push(value(bytes));
    }
    Ok(T::wrap(values))
}

/// Writes a file with one tensor of floating-point numbers.
pub(super) fn write(tensor: &Tensor, name: &str, writer: &mut impl Write) -> io::Result<()> {
    let shape = tensor.shape.clone();
    match &tensor.values {
        Values::F16(values) => encode(values, f16::to_le_bytes, (name, Dtype::F16, shape), writer),
        Values::Bf16(values) => encode(values, bf16::to_le_bytes, (name, Dtype::BF16, shape), writer),
        Values::F32(values) => encode(values, f32::to_le_bytes, (name, Dtype::F32, shape), writer),
        Values::F64(values) => encode(values, f64::to_le_bytes, (name, Dtype::F64, shape), writer),
        other => Err(io::Error::other(format!("floating-point numbers are written, not {}", other.type_name()))),
    }
}

fn encode<T: Copy, const N: usize>(
    values: &[T],
    bytes: fn(T) -> [u8; N],
    (name, dtype, shape): (&str, Dtype, Vec<usize>),
    writer: &mut impl Write,
) -> io::Result<()> {
    let info = TensorInfo { dtype, shape, data_offsets: (0, values.len() * N) };
    let metadata = Metadata::new(None, vec![(name.to_owned(), info)]).map_err(io::Error::other)?;
    let mut header = serde_json::to_vec(&metadata)?;
    header.resize(header.len().next_multiple_of(8), b' '); // aligns the data
    writer.write_all(&(header.len() as u64).to_le_bytes())?;
    writer.write_all(&header)?;
    values.iter().try_for_each(|&value| writer.write_all(&bytes(value)))
}
