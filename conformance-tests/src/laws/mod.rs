//! Statements about several answers, for inputs whose exact answer nobody has to know.
//!
//! Inputs are seeded, so that every run and every machine asks the same. A law is judged by the tolerance of the answers
//! that it relates, and where it says that numbers are the same, by their bits if the backend claims those.

mod compare;
mod parts_laws;
mod random;
mod scale_laws;
mod scene;
mod scenes;
mod shape_laws;
mod slice_laws;
mod target_laws;

use crate::backend::Failure;
use crate::case::{Case, Check};
use crate::input::{CaseInput, Layout};
use crate::session::Session;
use compare::{Found, Trial};
use scene::Scene;

/// A law, and the scene that it is tried on.
#[derive(Debug, Clone)]
pub struct Law {
    rule: &'static Rule,
    scene: Scene,
}

/// One law, whatever the scene.
#[derive(Debug)]
struct Rule {
    name: &'static str,
    applies: fn(&Scene) -> bool,
    check: fn(&mut Trial, &Scene) -> Result<(), Failure>,
}

/// Makes the scenes that laws are tried on where they apply.
type MakeScenes = fn() -> Vec<Scene>;

/// Every law, with its scenes.
const RULES: &[(&[Rule], MakeScenes)] = &[
    (shape_laws::RULES, scenes::scenes),
    (scale_laws::RULES, scenes::scenes),
    (target_laws::RULES, scenes::scenes),
    (parts_laws::RULES, scenes::scenes),
    (slice_laws::RULES, scenes::vocabularies),
];

impl Law {
    /// The first question, before its numbers are rounded to an element type.
    #[must_use]
    pub fn input(&self) -> CaseInput {
        self.scene.input()
    }

    pub(crate) fn check(&self, session: &Session, layout: Layout) -> Result<Found, Failure> {
        let mut trial = Trial::new(session, layout);
        (self.rule.check)(&mut trial, &self.scene.clone().rounded(session.dtype, session.loss_dtype))?;
        Ok(trial.found)
    }
}

/// Every law on every scene that it applies to.
pub(crate) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for (rule, scenes) in RULES.iter().flat_map(|(rules, scenes)| rules.iter().map(move |rule| (rule, scenes))) {
        for scene in scenes().into_iter().filter(rule.applies) {
            let id = format!("law/{}/{}", rule.name, scene.name);
            cases.push(Case { id, flags: Vec::new(), check: Check::Law(Law { rule, scene }) });
        }
    }
    cases
}
