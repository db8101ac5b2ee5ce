//! Text files, read with an end to them.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use crate::error::{Error, Result};

/// Far beyond any vector file or configuration, and far below a machine's memory: a device such as `/dev/zero` never
/// ends.
const LONGEST: u64 = 1 << 30;

/// The whole file.
pub(crate) fn read(path: &Path) -> Result<String> {
    let failed = |error| Error::about(path.display(), error);
    let mut text = String::new();
    let file = File::open(path).map_err(failed)?;
    file.take(LONGEST + 1).read_to_string(&mut text).map_err(failed)?;
    if text.len() as u64 > LONGEST {
        return Err(Error::about(path.display(), format_args!("is longer than the {LONGEST} bytes that are read")));
    }
    Ok(text)
}
