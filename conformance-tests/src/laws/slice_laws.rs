//! Laws about a vocabulary in slices.

use label_smoothing_core::Reduction;

use super::Rule;
use super::compare::Trial;
use super::scene::Scene;
use crate::backend::Failure;
use crate::input::Slices;

/// For scenes of more than seven blocks of 1024 classes.
pub(super) const RULES: &[Rule] = &[
    Rule { name: "slices-at-blocks", applies: |_| true, check: slices_at_blocks },
    Rule { name: "slices-anywhere", applies: |_| true, check: slices_anywhere },
    Rule { name: "slices-in-one-pass", applies: |_| true, check: slices_in_one_pass },
];

const EIGHT: [usize; 7] = [1024, 2048, 3072, 4096, 5120, 6144, 7168];

/// The whole, and the same in slices; as one number and row by row.
fn compare(trial: &mut Trial, scene: &Scene, cuts: &[&[usize]], one_pass: bool, bits: bool) -> Result<(), Failure> {
    for reduction in [Some(Reduction::Mean), None] {
        let scene = Scene { reduction, ..scene.clone() };
        for cuts in cuts {
            // First, so that a backend without slices has nothing else to compute.
            let sliced = trial.ask_in_slices(&scene, &Slices { cuts: cuts.to_vec(), one_pass })?;
            let whole = trial.ask(&scene)?;
            if bits { trial.same(&whole, &sliced) } else { trial.near(&whole, &sliced) }
        }
    }
    Ok(())
}

/// Slices that meet where the kernel's blocks do give the whole's bits.
fn slices_at_blocks(trial: &mut Trial, scene: &Scene) -> Result<(), Failure> {
    compare(trial, scene, &[&[1024], &[1024, 5120], &EIGHT], false, true)
}

/// Elsewhere they are as near as the whole is.
fn slices_anywhere(trial: &mut Trial, scene: &Scene) -> Result<(), Failure> {
    compare(trial, scene, &[&[1], &[1000, 8001], &[1, 33, 1023, 1025, 3000, 3001, 8199]], false, false)
}

/// So they are if each is added up relative to its own maximum.
fn slices_in_one_pass(trial: &mut Trial, scene: &Scene) -> Result<(), Failure> {
    compare(trial, scene, &[&[4096], &[1000, 8001], &EIGHT], true, false)
}
