//! The worst errors of everybody, over all rows and by what the rows have in common.

use std::collections::BTreeMap;

use clap::ValueEnum;
use label_smoothing_conformance::Dtype;
use label_smoothing_conformance::accuracy::{Errors, Point, Worst};

/// What rows have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum By {
    /// The lead of the target's logit that was asked for, in nats
    Lead,
    /// The number of classes
    Classes,
    /// What is added to every logit
    Offset,
    /// The smoothing rate
    Epsilon,
}

impl By {
    pub(super) const ALL: [Self; 4] = [Self::Lead, Self::Classes, Self::Offset, Self::Epsilon];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Lead => "lead",
            Self::Classes => "classes",
            Self::Offset => "offset",
            Self::Epsilon => "epsilon",
        }
    }

    fn of(self, place: &Place) -> f64 {
        match self {
            Self::Lead => place.point.lead.into(),
            Self::Classes => place.point.classes as f64,
            Self::Offset => place.point.offset.into(),
            Self::Epsilon => place.epsilon,
        }
    }
}

/// Where an error was seen.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub(super) point: Point,
    pub(super) epsilon: f64,
    /// The lead after rounding.
    pub(super) gap: f64,
}

/// One way to compute the loss, in one element type.
#[derive(Debug)]
pub(super) struct Contender {
    pub(super) backend: String,
    /// What is called.
    pub(super) calls: &'static str,
    pub(super) dtype: Dtype,
    /// None before it gave an answer: no error is not an error of 0.
    pub(super) worst: Option<Worst>,
    /// Why it gave none, the last time that it did not.
    pub(super) failure: Option<String>,
    /// By the bits of the value, which are in the order of the values: none is negative.
    parts: BTreeMap<(By, u64), Worst>,
}

impl Contender {
    fn add(&mut self, place: &Place, errors: Errors) {
        let one = Worst::of(errors, place.gap);
        self.worst = Some(self.worst.map_or(one, |worst| worst.and(one)));
        for by in By::ALL {
            let part = self.parts.entry((by, by.of(place).to_bits()));
            part.and_modify(|worst| *worst = worst.and(one)).or_insert(one);
        }
    }

    /// The values that rows had, ascending, and the worst of each.
    pub(super) fn parts(&self, by: By) -> impl Iterator<Item = (f64, &Worst)> {
        self.parts.range((by, 0)..=(by, u64::MAX)).map(|((_, bits), worst)| (f64::from_bits(*bits), worst))
    }
}

/// All of it, in the order in which it came.
#[derive(Debug, Default)]
pub(super) struct Figures {
    pub(super) contenders: Vec<Contender>,
}

impl Figures {
    pub(super) fn is_empty(&self) -> bool {
        self.contenders.is_empty()
    }

    pub(super) fn add(&mut self, backend: &str, calls: &'static str, place: Place, errors: Result<Errors, String>) {
        let dtype = place.point.dtype;
        let same = |it: &Contender| it.backend == backend && it.calls == calls && it.dtype == dtype;
        let index = self.contenders.iter().position(same).unwrap_or(self.contenders.len());
        if index == self.contenders.len() {
            let (backend, parts) = (backend.to_owned(), BTreeMap::new());
            self.contenders.push(Contender { backend, calls, dtype, worst: None, failure: None, parts });
        }
        match errors {
            Ok(errors) => self.contenders[index].add(&place, errors),
            Err(failure) => self.contenders[index].failure = Some(failure),
        }
    }

    pub(super) fn of(&self, dtype: Dtype) -> impl Iterator<Item = &Contender> {
        self.contenders.iter().filter(move |contender| contender.dtype == dtype)
    }
}
