//! Array files that are nearly right: read, with as many values as their shape says, or refused. `fuzz/` has the same as
//! targets of libFuzzer, whose corpus this starts from.

#[path = "../../../fuzz/mutate.rs"]
mod mutate;

use std::fs;

use super::Place;
use mutate::Mutations;

/// Of each format in an ordinary run.
const MUTATIONS: usize = 4000;

/// How many of the mutations are read.
fn nearly_right(extension: &str, names: &[&str]) -> usize {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(format!("a.{extension}"));
    let read = |bytes: &[u8]| {
        fs::write(&path, bytes).unwrap();
        let tensors = names.iter().filter_map(|name| {
            let place: Place = format!("{}{name}", path.display()).parse().unwrap();
            place.read().ok()
        });
        let tensors: Vec<_> = tensors.collect();
        for tensor in &tensors {
            assert_eq!(tensor.values.len(), tensor.shape.iter().product::<usize>());
        }
        !tensors.is_empty()
    };
    let mut mutations = Mutations::new(extension);
    let whole = mutations.corpus().iter().filter(|bytes| read(bytes)).count();
    // One file of the corpus is right and holds nothing.
    assert!(whole + 1 >= mutations.corpus().len());
    (0..MUTATIONS).filter(|_| read(&mutations.mutation())).count()
}

#[test]
fn npy_files_nearly_right() {
    let read = nearly_right("npy", &[""]);
    assert!((1..MUTATIONS).contains(&read), "{read} of {MUTATIONS} were read");
}

#[test]
fn safetensors_nearly_right() {
    let read = nearly_right("safetensors", &["", ":z"]);
    assert!((1..MUTATIONS).contains(&read), "{read} of {MUTATIONS} were read");
}
