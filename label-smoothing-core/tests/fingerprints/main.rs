//! The kernel's bits, case by case, against those of a committed file: they are a promise.
//!
//! A row with the loss, the row losses and the gradients of each case, as 64-bit FNV-1a hashes, stands in
//! `fingerprints.txt`. The inputs are made with integers, so that they are the same on every machine; the bits have to be
//! the same on every machine too. A change to them is a breaking change; where it is meant,
//! `UPDATE_FINGERPRINTS=1 cargo test -p label-smoothing-core --test fingerprints` writes the file again.

// The kernel's own tests make the same hashes on every instruction set.
#[path = "../../src/kernel/fingerprints/mod.rs"]
mod fingerprints;

use std::fmt::Write;

const HEAD: &str = "\
# The bits of the kernel, as hashes: see main.rs. The class axis of a shape stands in brackets.
# UPDATE_FINGERPRINTS=1 cargo test -p label-smoothing-core --test fingerprints
#
# case / loss / row losses / gradients
";

#[test]
fn the_bits_are_those_of_the_file() {
    let made: fingerprints::Fingerprints = fingerprints::OF_EACH_TYPE.iter().flat_map(|of_type| of_type()).collect();
    if std::env::var_os("UPDATE_FINGERPRINTS").is_some() {
        let mut text = HEAD.to_owned();
        for (case, hashes) in &made {
            writeln!(text, "{case} {hashes}").unwrap();
        }
        std::fs::write(fingerprints::file(), text).unwrap();
    }
    let written = fingerprints::committed();
    let mut differences = Vec::new();
    for (case, hashes) in &made {
        match written.get(case) {
            Some(written) if written == hashes => {}
            Some(written) => differences.push(format!("{case}: {}", changed(written, hashes))),
            None => differences.push(format!("{case}: not in the file")),
        }
    }
    differences.extend(written.keys().filter(|&case| !made.contains_key(case)).map(|case| format!("{case}: no case")));
    assert!(
        differences.is_empty(),
        "{} of {} cases do not have the bits of fingerprints.txt; if that is meant, UPDATE_FINGERPRINTS=1 with this test \
         writes it:\n{}",
        differences.len(),
        made.len(),
        differences.join("\n")
    );
}

/// Which of the hashes are not the same.
fn changed(written: &str, made: &str) -> String {
    let names = ["loss", "row losses", "gradients"];
    let pairs = names.iter().zip(written.split(' ').zip(made.split(' ')));
    pairs.filter(|(_, (written, made))| written != made).map(|(name, _)| *name).collect::<Vec<_>>().join(", ")
}
