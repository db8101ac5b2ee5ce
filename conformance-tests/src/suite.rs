//! The cases of one run.

use std::collections::{BTreeMap, HashSet};

use crate::case::Case;
use crate::vectors::{VectorError, VectorFile, embedded};
use crate::{laws, refusals};

/// Cases with unique ids.
#[derive(Debug, Clone, Default)]
pub struct Suite {
    cases: Vec<Case>,
    flags: BTreeMap<String, String>,
}

impl Suite {
    /// The kit's own: every embedded vector file, the laws and the refusals.
    ///
    /// # Errors
    ///
    /// None while the kit's tests pass.
    pub fn standard() -> Result<Self, VectorError> {
        let mut suite = Self::from_files(embedded()?)?;
        suite.cases.extend(laws::cases());
        suite.cases.extend(refusals::cases());
        Ok(suite)
    }

    /// The cases of vector files.
    ///
    /// # Errors
    ///
    /// An id that stands in two files.
    pub fn from_files(files: impl IntoIterator<Item = VectorFile>) -> Result<Self, VectorError> {
        let (mut suite, mut ids) = (Self::default(), HashSet::new());
        for file in files {
            for case in file.cases {
                if !ids.insert(case.id.clone()) {
                    let message = "stands in another file too".to_owned();
                    return Err(VectorError { file: file.name, case: Some(case.id), key: "id".to_owned(), message });
                }
                suite.cases.push(case);
            }
            suite.flags.extend(file.flags);
        }
        Ok(suite)
    }

    /// Only the cases whose id contains the text.
    #[must_use]
    pub fn filter(mut self, text: &str) -> Self {
        self.cases.retain(|case| case.id.contains(text));
        self
    }

    /// The cases, in the order of a run.
    #[must_use]
    pub fn cases(&self) -> &[Case] {
        &self.cases
    }

    /// Each flag of the vector files, and the known mistake that it stands for.
    #[must_use]
    pub fn flags(&self) -> &BTreeMap<String, String> {
        &self.flags
    }
}
