//! Files that are nearly right: a file of the corpus with a few changes that have broken parsers before. Included by the
//! tests of the packages whose readers are fuzzed, so that each ordinary run tries some.

use std::path::{Path, PathBuf};

/// Changed files, the same on every machine.
pub(crate) struct Mutations {
    corpus: Vec<Vec<u8>>,
    state: u64,
}

/// Bytes that mean something to one of the formats, or are at the edge of a type.
const TOKENS: [&[u8]; 16] = [
    b"\"",
    b"{",
    b"[",
    b"}",
    b"]",
    b"(",
    b",",
    b":",
    b"-",
    b"0x1p+1023",
    b"nan",
    b"9223372036854775807",
    b"\xff\xff\xff\xff",
    b"\0\0\0\0",
    b"\xff\xff\xff\xff\xff\xff\xff\x7f",
    b"\xc3",
];

impl Mutations {
    /// Of the corpus of one target.
    pub(crate) fn new(target: &str) -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus").join(target);
        let entries = std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        Self { corpus: paths.iter().map(|path| std::fs::read(path).unwrap()).collect(), state: 1 }
    }

    /// The files as they are.
    pub(crate) fn corpus(&self) -> &[Vec<u8>] {
        &self.corpus
    }

    /// A file with one to four changes.
    pub(crate) fn mutation(&mut self) -> Vec<u8> {
        let mut bytes = self.file();
        for _ in 0..=self.below(4) {
            self.change(&mut bytes);
        }
        bytes
    }

    fn change(&mut self, bytes: &mut Vec<u8>) {
        let at = self.below(bytes.len() + 1);
        let end = (at + self.below(17)).min(bytes.len());
        match self.below(7) {
            0 => bytes.truncate(at),
            1 => drop(bytes.drain(at..end)),
            2 => {
                let again = bytes[at..end].to_vec();
                drop(bytes.splice(at..at, again));
            }
            3 => {
                let token = TOKENS[self.below(TOKENS.len())];
                drop(bytes.splice(at..end.min(at + 1), token.iter().copied()));
            }
            4 => {
                // The rest of another file behind the beginning of this one.
                let other = self.file();
                bytes.truncate(at);
                bytes.extend(&other[at.min(other.len())..]);
            }
            _ if at < bytes.len() => bytes[at] ^= 1 << self.below(8),
            _ => bytes.push(b'\n'),
        }
    }

    /// Any file of the corpus.
    fn file(&mut self) -> Vec<u8> {
        let at = self.below(self.corpus.len());
        self.corpus[at].clone()
    }

    fn below(&mut self, end: usize) -> usize {
        // Knuth's MMIX generator; its high bits are random enough.
        self.state = self.state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.state >> 33) as usize % end
    }
}
