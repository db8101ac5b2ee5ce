//! Where an array is.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use super::{Tensor, npy, safetensors};
use crate::error::{Error, Result};
use crate::staged::{self, Staged};

/// A `.npy` file, or a tensor of a `.safetensors` file: `FILE:NAME`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    path: PathBuf,
    format: Format,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Format {
    Npy,
    Safetensors {
        /// None: the only tensor there is.
        name: Option<String>,
    },
}

const SAFETENSORS: &str = ".safetensors";

impl FromStr for Place {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let safetensors = |path: &str, name: Option<&str>| Self {
            path: PathBuf::from(path),
            format: Format::Safetensors { name: name.map(str::to_owned) },
        };
        if Path::new(text).extension().is_some_and(|extension| extension == "npy") {
            return Ok(Self { path: PathBuf::from(text), format: Format::Npy });
        }
        if text.ends_with(SAFETENSORS) {
            return Ok(safetensors(text, None));
        }
        match text.find(".safetensors:") {
            Some(dot) => {
                let (path, name) = text.split_at(dot + SAFETENSORS.len());
                Ok(safetensors(path, Some(&name[1..])))
            }
            None => Err(Error::new("neither FILE.npy nor FILE.safetensors[:NAME]")),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.path.display())?;
        match &self.format {
            Format::Safetensors { name: Some(name) } => write!(f, ":{name}"),
            _ => Ok(()),
        }
    }
}

impl Place {
    /// The array there.
    pub(crate) fn read(&self) -> Result<Tensor> {
        let tensor = match &self.format {
            Format::Npy => npy::read(&self.path),
            Format::Safetensors { name } => safetensors::read(&self.path, name.as_deref()),
        };
        tensor.map_err(|problem| Error::about(self, problem))
    }

    /// Writes the array aside; `name` is that of the tensor where the place gives none.
    pub(crate) fn stage(&self, name: &str, tensor: &Tensor) -> Result<Staged> {
        Staged::new(&self.path, |writer| match &self.format {
            Format::Npy => npy::write(tensor, writer),
            Format::Safetensors { name: given } => safetensors::write(tensor, given.as_deref().unwrap_or(name), writer),
        })
    }

    /// Whether both are the same file, so that one would replace the other.
    pub(crate) fn is_same_file(&self, other: &Self) -> bool {
        staged::resolved(&self.path) == staged::resolved(&other.path)
    }

    /// Refuses, before any work is done, what cannot be written.
    pub(crate) fn check_writable(&self, type_name: &str) -> Result<()> {
        staged::check(&self.path)?;
        staged::check_replaceable(&self.path)?;
        if self.format == Format::Npy && type_name == "bf16" {
            return Err(Error::about(self, "a .npy file holds no bf16; write a .safetensors file"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{Format, Place};

    #[test]
    fn a_name_follows_the_extension() {
        let name = |text: &str| match text.parse::<Place>().map(|place| place.format) {
            Ok(Format::Safetensors { name }) => name,
            other => panic!("{text}: {other:?}"),
        };
        assert_eq!(name("a.safetensors"), None);
        assert_eq!(name("a:b/c.safetensors:layer.0:weight").as_deref(), Some("layer.0:weight"));
        assert_eq!(name("a.safetensors:x.npy.safetensors.npz").as_deref(), Some("x.npy.safetensors.npz"));
        assert!("a.npz".parse::<Place>().is_err());
        assert!("npy".parse::<Place>().is_err());
        assert!("".parse::<Place>().is_err());
    }
}
