//! Writing all or nothing.

use std::fs;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::error::{Error, Result};

/// A complete file beside its place, which takes its name when it is published and vanishes when it is dropped.
#[derive(Debug)]
pub(crate) struct Staged {
    /// As it was given, for messages.
    path: PathBuf,
    resolved: PathBuf,
    file: NamedTempFile,
}

impl Staged {
    /// Writes the file's content.
    pub(crate) fn new(
        path: &Path,
        fill: impl FnOnce(&mut BufWriter<&NamedTempFile>) -> io::Result<()>,
    ) -> Result<Self> {
        let resolved = resolved(path);
        let stage = || {
            let file = beside(&resolved)?;
            let mut writer = BufWriter::with_capacity(1 << 18, &file);
            fill(&mut writer)?;
            writer.flush()?;
            drop(writer);
            Ok(file)
        };
        match stage() {
            Ok(file) => Ok(Self { path: path.to_owned(), resolved, file }),
            Err(error) => Err(cannot_write(path, &error)),
        }
    }

    /// The path that the file is to have.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Gives the file its name, in place of any that had it.
    pub(crate) fn publish(self) -> Result<()> {
        let Self { path, resolved, file } = self;
        file.persist(&resolved).map(drop).map_err(|error| cannot_write(&path, &error.error))
    }
}

/// A folder for results: made where there is none, and taken away again if nothing comes to be in it.
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
    is_new: bool,
}

impl Folder {
    /// Refuses, before long work, a path that no files can be written to.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let is_new = !path.exists();
        if is_new {
            check(path)?;
            fs::create_dir(path).map_err(|error| cannot_write(path, &error))?;
        } else if !path.is_dir() {
            return Err(Error::about(path.display(), "is no folder"));
        }
        let folder = Self { path: path.to_owned(), is_new };
        // What comes later, tried out.
        beside(&path.join("a")).map_err(|error| cannot_write(path, &error))?;
        Ok(folder)
    }

    /// The path of a file in it.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if self.is_new {
            // Which it does not, unless the folder is empty.
            let _ = fs::remove_dir(&self.path);
        }
    }
}

/// The file that a path leads to, whichever way it is written. A link stays, and what it points to is replaced.
pub(crate) fn resolved(path: &Path) -> PathBuf {
    let in_folder = || Some(fs::canonicalize(folder_of(path)).ok()?.join(path.file_name()?));
    fs::canonicalize(path).ok().or_else(in_folder).unwrap_or_else(|| path.to_owned())
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

/// Refuses a pipe or a device, which the file that is written aside would take the place of.
pub(crate) fn check_replaceable(path: &Path) -> Result<()> {
    if fs::metadata(path).is_ok_and(|metadata| !metadata.is_file() && !metadata.is_dir()) {
        return Err(Error::about(path.display(), "is no ordinary file, and an array is written to no other"));
    }
    Ok(())
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
    builder.prefix(".label-smoothing-").tempfile_in(folder_of(path)).map_err(|error| {
        // Without the path of the temporary file, which tempfile adds.
        io::Error::from(error.kind())
    })
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}
