//! Writing all or nothing.

use std::fs;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::error::{Error, Result};

/// A complete file beside its place, which takes its name when it is published and vanishes when it is dropped.
#[derive(Debug)]
pub(crate) struct Staged {
    path: PathBuf,
    file: NamedTempFile,
}

impl Staged {
    /// Writes the file's content.
    pub(crate) fn new(
        path: &Path,
        fill: impl FnOnce(&mut BufWriter<&NamedTempFile>) -> io::Result<()>,
    ) -> Result<Self> {
        // A link stays, and what it points to is replaced.
        let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let stage = || {
            let file = beside(&path)?;
            let mut writer = BufWriter::with_capacity(1 << 18, &file);
            fill(&mut writer)?;
            writer.flush()?;
            drop(writer);
            Ok(file)
        };
        match stage() {
            Ok(file) => Ok(Self { path, file }),
            Err(error) => Err(cannot_write(&path, &error)),
        }
    }

    /// Gives the file its name, in place of any that had it.
    pub(crate) fn publish(self) -> Result<()> {
        let Self { path, file } = self;
        file.persist(&path).map(drop).map_err(|error| cannot_write(&path, &error.error))
    }
}

/// Refuses, before long work, a path that cannot be written to.
pub(crate) fn check(path: &Path) -> Result<()> {
    if path.is_dir() {
        return Err(Error::about(path.display(), "is a directory"));
    }
    let folder = folder_of(path);
    if folder.is_dir() {
        return Ok(());
    }
    Err(Error::about(path.display(), format_args!("cannot be written: there is no folder {}", folder.display())))
}

/// Writes a text, all or nothing where the path can be renamed to; a pipe or a device is written to as it is.
pub(crate) fn write_text(path: &Path, text: &str) -> Result<()> {
    if fs::metadata(path).is_ok_and(|metadata| !metadata.is_file() && !metadata.is_dir()) {
        return fs::write(path, text).map_err(|error| cannot_write(path, &error));
    }
    Staged::new(path, |writer| writer.write_all(text.as_bytes()))?.publish()
}

fn cannot_write(path: &Path, error: &io::Error) -> Error {
    Error::about(path.display(), format_args!("cannot be written: {error}"))
}

/// A temporary file in the same folder, so that it can be renamed, with the permissions of any new file.
fn beside(path: &Path) -> io::Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    builder.prefix(".label-smoothing-").tempfile_in(folder_of(path))
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}
