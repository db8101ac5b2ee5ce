//! NumPy's `.npy` files, by way of npyz.

use std::io::{self, Read, Write};
use std::path::Path;

use label_smoothing_core::f16;
use ndarray::{ArrayD, ShapeBuilder};
use npyz::{DType, Deserialize, NpyFile, NpyHeader, Order, TypeChar, TypeStr, WriterBuilder};

use super::{Problem, READABLE, Scalar, Tensor, Values, check_data_length, open, with_room};

/// What NumPy itself takes from files that it does not trust.
const LONGEST_HEADER: usize = 10_000;

/// How much of a strange header a message shows.
const SHOWN: usize = 120;

pub(super) fn read(path: &Path) -> Result<Tensor, Problem> {
    let (mut reader, bytes) = open(path)?;
    let header_bytes = header_bytes(&mut reader)?;
    let header = NpyHeader::from_reader(header_bytes.as_slice()).map_err(|error| error.to_string())?;
    let DType::Plain(element) = header.dtype() else { return Err(unreadable(&header.dtype().descr())) };
    let data_bytes = bytes.saturating_sub(header_bytes.len() as u64);
    let shape = header.shape().iter().map(|&length| usize::try_from(length)).collect::<Result<Vec<_>, _>>();
    let shape = shape.map_err(|error| error.to_string())?;
    let values = values(NpyFile::with_header(header, reader), &shape, &element, data_bytes)?;
    Ok(Tensor { shape, values })
}

/// Everything before the data, seen to be harmless to parse.
fn header_bytes(reader: &mut impl Read) -> Result<Vec<u8>, Problem> {
    let mut bytes = vec![0; 10];
    reader.read_exact(&mut bytes)?;
    if !bytes.starts_with(b"\x93NUMPY") {
        return Problem::new("is not a .npy file: it does not start with \\x93NUMPY");
    }
    // Version 1 has a length of two bytes, later ones of four.
    if bytes[6] > 1 {
        bytes.resize(12, 0);
        reader.read_exact(&mut bytes[10..])?;
    }
    let start = bytes.len();
    let length = bytes[8..].iter().rev().fold(0, |length, &byte| length << 8 | usize::from(byte));
    if length > LONGEST_HEADER {
        return Problem::new(format!("has a header of {length} bytes, but at most {LONGEST_HEADER} are read"));
    }
    bytes.resize(start + length, 0);
    reader.read_exact(&mut bytes[start..])?;
    let text = std::str::from_utf8(&bytes[start..]).map_err(|_| "has a header that is not text".to_owned())?;
    check_header(text)?;
    Ok(bytes)
}

/// The parser of headers recurses as deep as they nest and multiplies the lengths of the axes unchecked. The header of an
/// array of plain numbers has one dictionary with one tuple in it.
fn check_header(text: &str) -> Result<(), Problem> {
    let brackets: String = text.chars().filter(|character| "{[()]}".contains(*character)).collect();
    let (Some(open), Some(close), "{()}") = (text.find('('), text.find(')'), brackets.as_str()) else {
        let header: String = text.trim().chars().take(SHOWN).collect();
        return Problem::new(format!("is not an array of plain numbers: its header is {header}"));
    };
    let lengths = &text[open + 1..close];
    let mut axes = lengths.split(',').map(str::trim).filter(|length| !length.is_empty());
    // An axis of length 0 makes the product 0, but not that of the others.
    let multiply = |bytes: u64, length: &str| bytes.checked_mul(length.parse::<u64>().ok()?.max(1));
    match axes.try_fold(size_of::<f64>() as u64, multiply) {
        Some(_) => Ok(()),
        None => Problem::new(format!("has the shape ({lengths}), which is no list of lengths or too large")),
    }
}

fn values<R: Read>(file: NpyFile<R>, shape: &[usize], element: &TypeStr, bytes: u64) -> Result<Values, Problem> {
    match (element.type_char(), element.size_field()) {
        (TypeChar::Bool, 1) => array::<bool, R>(file, shape, bytes),
        (TypeChar::Int, 1) => array::<i8, R>(file, shape, bytes),
        (TypeChar::Int, 2) => array::<i16, R>(file, shape, bytes),
        (TypeChar::Int, 4) => array::<i32, R>(file, shape, bytes),
        (TypeChar::Int, 8) => array::<i64, R>(file, shape, bytes),
        (TypeChar::Uint, 1) => array::<u8, R>(file, shape, bytes),
        (TypeChar::Uint, 2) => array::<u16, R>(file, shape, bytes),
        (TypeChar::Uint, 4) => array::<u32, R>(file, shape, bytes),
        (TypeChar::Uint, 8) => array::<u64, R>(file, shape, bytes),
        (TypeChar::Float, 2) => array::<f16, R>(file, shape, bytes),
        (TypeChar::Float, 4) => array::<f32, R>(file, shape, bytes),
        (TypeChar::Float, 8) => array::<f64, R>(file, shape, bytes),
        _ => Err(unreadable(&element.to_string())),
    }
}

/// The values in row-major order, whichever order they have in the file. npyz swaps bytes where it must.
fn array<T: Deserialize + Scalar, R: Read>(file: NpyFile<R>, shape: &[usize], bytes: u64) -> Result<Values, Problem> {
    check_data_length(bytes, file.len().saturating_mul(size_of::<T>() as u64))?;
    let order = file.order();
    let mut values = with_room::<T>(shape.iter().product())?;
    for value in file.data::<T>().map_err(|error| error.to_string())? {
        values.push(value?);
    }
    if order == Order::Fortran {
        let array = ArrayD::from_shape_vec(shape.f(), values).map_err(|error| error.to_string())?;
        values = array.iter().copied().collect();
    }
    Ok(T::wrap(values))
}

fn unreadable(element: &str) -> Problem {
    Problem(format!("holds elements of the type {element}; {READABLE}"))
}

/// Writes an array of floating-point numbers; there is no bf16 in NumPy.
pub(super) fn write(tensor: &Tensor, writer: impl Write) -> io::Result<()> {
    let shape: Vec<u64> = tensor.shape.iter().map(|&length| length as u64).collect();
    match &tensor.values {
        Values::F16(values) => write_values(values, &shape, writer),
        Values::F32(values) => write_values(values, &shape, writer),
        Values::F64(values) => write_values(values, &shape, writer),
        other => {
            Err(io::Error::other(format!("a .npy file is written of f16, f32 and f64, not {}", other.type_name())))
        }
    }
}

fn write_values<T: npyz::AutoSerialize + Copy>(values: &[T], shape: &[u64], writer: impl Write) -> io::Result<()> {
    let mut file = npyz::WriteOptions::new().default_dtype().shape(shape).writer(writer).begin_nd()?;
    file.extend(values.iter().copied())?;
    file.finish()
}

#[cfg(test)]
mod tests {
    use super::check_header;

    #[test]
    fn a_header_is_plain_and_its_size_is_known() {
        let plain = "{'descr': '<f4', 'fortran_order': False, 'shape': (1797, 10), }   \n";
        assert_eq!(check_header(plain), Ok(()));
        assert_eq!(check_header("{'descr': '<f4', 'fortran_order': False, 'shape': (), }\n"), Ok(()));
        assert_eq!(check_header("{'descr': '<f4', 'fortran_order': False, 'shape': (3,), }\n"), Ok(()));
        for (header, problem) in [
            ("{'shape': (4294967296, 4294967296)}", "too large"),
            ("{'shape': (2305843009213693952,)}", "too large"),
            ("{'shape': (0, 4294967296, 4294967296)}", "too large"),
            ("{'shape': (-3,)}", "no list of lengths"),
            ("{'shape': ((((((((((3,))))))))))}", "plain numbers"),
            ("{'descr': [('a', '<f4')], 'shape': (3,)}", "plain numbers"),
            (")(", "plain numbers"),
            ("", "plain numbers"),
        ] {
            let found = check_header(header).unwrap_err().to_string();
            assert!(found.contains(problem), "{header}: {found}");
        }
    }
}
