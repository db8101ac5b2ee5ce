//! Bytes as a file that the command reads.

use std::cell::LazyCell;

use tempfile::NamedTempFile;

use crate::tensor::Place;

/// Reads the bytes with and without the name of a tensor: an error, or as many values as the shape says.
pub fn read(bytes: &[u8], extension: &str, name: &str) {
    thread_local! {
        static FILES: LazyCell<[NamedTempFile; 2]> =
            LazyCell::new(|| [".npy", ".safetensors"].map(|end| tempfile::Builder::new().suffix(end).tempfile().unwrap()));
    }
    let path = FILES.with(|files| files[usize::from(extension != ".npy")].path().to_owned());
    std::fs::write(&path, bytes).unwrap();
    for name in ["", name] {
        let place: Place = format!("{}{name}", path.display()).parse().unwrap();
        if let Ok(tensor) = place.read() {
            assert_eq!(tensor.values.len(), tensor.shape.iter().product::<usize>());
        }
    }
}
