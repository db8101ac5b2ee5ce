//! Arrays in files.

#[cfg(test)]
mod broken_files;
mod npy;
mod place;
mod safetensors;
mod values;

use std::fmt;
use std::fs::File;
use std::io::{self, BufReader};
use std::path::Path;

pub(crate) use place::Place;
pub(crate) use values::{Scalar, Values};

/// An array on the host.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Tensor {
    pub(crate) shape: Vec<usize>,
    pub(crate) values: Values,
}

/// What is wrong with a file; [`Place`] puts the file's name in front.
#[derive(Debug, PartialEq)]
struct Problem(String);

/// The element types that are read, for messages.
const READABLE: &str = "read are bool, integers of 8 to 64 bits, and floating-point numbers of 16, 32 and 64 bits";

/// The file, and how many bytes it has.
fn open(path: &Path) -> Result<(BufReader<File>, u64), Problem> {
    let file = File::open(path)?;
    let metadata = file.metadata()?;
    if metadata.is_dir() {
        return Problem::new("is a directory");
    }
    Ok((BufReader::with_capacity(1 << 18, file), metadata.len()))
}

impl Problem {
    fn new<T>(message: impl Into<String>) -> Result<T, Self> {
        Err(Self(message.into()))
    }
}

impl From<io::Error> for Problem {
    fn from(error: io::Error) -> Self {
        Self(match error.kind() {
            io::ErrorKind::NotFound => "does not exist".to_owned(),
            io::ErrorKind::UnexpectedEof => "is truncated".to_owned(),
            _ => error.to_string(),
        })
    }
}

impl From<String> for Problem {
    fn from(message: String) -> Self {
        Self(message)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Compares how many bytes of data the file has with how many its header promises.
fn check_data_length(found: u64, promised: u64) -> Result<(), Problem> {
    match found {
        _ if found < promised => Problem::new(format!("is truncated: it holds {found} of {promised} bytes of data")),
        _ if found > promised => Problem::new(format!("holds {} bytes behind its data", found - promised)),
        _ => Ok(()),
    }
}

/// An empty vector with room for `length` values, if there is that much memory.
fn with_room<T>(length: usize) -> Result<Vec<T>, Problem> {
    let mut values = Vec::new();
    values.try_reserve_exact(length).map_err(|_| format!("its {length} values do not fit into memory"))?;
    Ok(values)
}
