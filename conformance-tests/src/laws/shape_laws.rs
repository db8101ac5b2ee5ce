//! Laws about where rows and classes stand.

use label_smoothing_core::{Reduction, Smoothing};

use super::Rule;
use super::compare::{Answer, Near, Trial};
use super::random::Random;
use super::scene::{Scene, SceneTargets, id};
use crate::backend::Failure;

pub(super) const RULES: &[Rule] = &[
    Rule { name: "rows-permuted", applies: |scene| scene.rows() > 1, check: rows_permuted },
    Rule { name: "classes-permuted", applies: |_| true, check: classes_permuted },
    Rule { name: "chunks-are-the-whole", applies: |scene| scene.rows() > 1, check: chunks },
    Rule { name: "rows-do-not-meet", applies: |scene| scene.rows() > 1, check: rows_do_not_meet },
    Rule { name: "class-axis-moves", applies: |scene| !scene.row_dims.is_empty(), check: class_axis_moves },
    Rule { name: "twice-the-same", applies: |_| true, check: twice },
    Rule { name: "ignored-rows-hold-anything", applies: has_ignored_rows, check: ignored_rows_hold_anything },
];

/// The order of the rows does not matter to any row, and not to their mean.
fn rows_permuted(trial: &mut Trial, scene: &Scene) -> Result<(), Failure> {
    let order = Random::new(101).permutation(scene.rows());
    let mean = trial.ask(scene)?.total();
    let mean_of_permuted = trial.ask(&scene.pick_rows(&order))?.total();
    trial.losses(mean, mean_of_permuted);

    let rows = Scene { reduction: None, ..scene.clone() };
    let answer = trial.ask(&rows)?;
    let permuted = trial.ask(&rows.pick_rows(&order))?;
    let expected = Answer {
        loss: order.iter().map(|&row| answer.loss[row].clone()).collect(),
        gradient: order.iter().map(|&row| answer.gradient[row].clone()).collect(),
    };
    trial.same(&expected, &permuted);
    Ok(())
}

/// New numbers for the classes change nothing but the order of the gradient.
fn classes_permuted(trial: &mut Trial, scene: &Scene) -> Result<(), Failure> {
    let order = Random::new(102).permutation(scene.classes());
    let mut permuted = scene.clone();
    let pick = |values: &Vec<f64>| order.iter().map(|&class| values[class]).collect::<Vec<f64>>();
    // Only ids of classes move; ignored ids stay what they are.
    let new_number = |class: i64| {
        let at = order.iter().position(|&old| id(old) == class);
        at.map_or(class, id)
    };
    let renumber = |classes: &mut Vec<i64>| classes.iter_mut().for_each(|class| *class = new_number(*class));
    permuted.logits = scene.logits.iter().map(pick).collect();
    permuted.class_weights = scene.class_weights.as_ref().map(pick);
    permuted.excluded_classes.iter_mut().for_each(|class| *class = new_number(id(*class)) as usize);
    match &mut permuted.smoothing {
        Smoothing::Distribution { distribution, .. } => *distribution = pick(distribution),
        Smoothing::ClassRows { rows, .. } => *rows = order.iter().map(|&class| pick(&rows[class])).collect(),
        _ => {}
    }
    match &mut permuted.targets {
        SceneTargets::Indices(y) => renumber(y),
        SceneTargets::Probabilities(q) => q.iter_mut().for_each(|row| *row = pick(row)),
        SceneTargets::Mixed { first, second, .. } => [first, second].into_iter().for_each(renumber),
    }
    let answer = trial.ask(scene)?;
    let gradient = answer.gradient.iter().map(|row| order.iter().map(|&class| row[class]).collect()).collect();
    let permuted = trial.ask(&permuted)?;
    trial.near(&Answer { gradient, ..answer }, &permuted);
    Ok(())
}

/// A batch in two parts has the rows of the whole, and its sum.
fn chunks(trial: &mut Trial, scene: &Scene) -> Result<(), Failure> {
    let whole: Vec<usize> = (0..scene.rows()).collect();
    let (first, second) = whole.split_at(scene.rows().div_ceil(3));
    for reduction in [Some(Reduction::Sum), None] {
        let scene = Scene { reduction, upstream: None, ..scene.clone() };
        let answer = trial.ask(&scene.pick_rows(&whole))?;
        let [mut first, second] = [trial.ask(&scene.pick_rows(first))?, trial.ask(&scene.pick_rows(second))?];
        trial.losses(answer.total(), first.total().plus(second.total()));
        first.gradient.extend(second.gradient);
        first.loss.extend(second.loss);
        if reduction.is_some() {
            first.loss.clone_from(&answer.loss); // Compared above, as a sum.
        }
        trial.same(&answer, &first);
    }
    Ok(())
}

/// What a row gives does not depend on what the other rows hold, be it infinite or NaN.
fn rows_do_not_meet(trial: &mut Trial, scene: &Scene) -> Result<(), Failure> {
    let scene = Scene { reduction: None, ..scene.clone() };
    let random = &mut Random::new(103);
    let answer = trial.ask(&scene)?;
    let mut changed = scene.clone();
    for row in (1..scene.rows()).step_by(2) {
        changed.logits[row] =
            scene.logits[row].iter().map(|_| trial.session().dtype.round(random.between(-40.0, 40.0))).collect();
        changed.logits[row][0] = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY][row / 2 % 3];
    }
    let changed = trial.ask(&changed)?;
    let even = |answer: &Answer| Answer {
        loss: answer.loss.iter().step_by(2).cloned().collect(),
        gradient: answer.gradient.iter().step_by(2).cloned().collect(),
    };
    trial.same(&even(&answer), &even(&changed));
    Ok(())
}

/// The same rows with the classes on another axis give the same answer.
fn class_axis_moves(trial: &mut Trial, scene: &Scene) -> Result<(), Failure> {
    let answer = trial.ask(scene)?;
    for axis in (0..=scene.row_dims.len()).filter(|&axis| axis != scene.axis) {
        let moved = trial.ask(&Scene { axis, ..scene.clone() })?;
        trial.same(&answer, &moved);
    }
    Ok(())
}

/// Nothing of one call is left over in the next, also with another call in between.
fn twice(trial: &mut Trial, scene: &Scene) -> Result<(), Failure> {
    let first = trial.ask(scene)?;
    trial.ask(&Scene { reduction: None, logits: scene.logits.iter().rev().cloned().collect(), ..scene.clone() })?;
    let second = trial.ask(scene)?;
    trial.same(&first, &second);
    Ok(())
}

fn has_ignored_rows(scene: &Scene) -> bool {
    (0..scene.rows()).any(|row| !scene.is_counted(row))
}

/// What stands in an ignored row changes nothing, and its gradient is exactly 0.
fn ignored_rows_hold_anything(trial: &mut Trial, scene: &Scene) -> Result<(), Failure> {
    for reduction in [scene.reduction, None] {
        let scene = Scene { reduction, ..scene.clone() };
        let answer = trial.ask(&scene)?;
        for anything in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            let mut changed = scene.clone();
            let mut expected = answer.clone();
            for row in (0..scene.rows()).filter(|&row| !scene.is_counted(row)) {
                changed.logits[row].fill(anything);
                expected.gradient[row].fill(Near::exactly(0.0));
                if let Some(weights) = &mut changed.row_weights {
                    weights[row] = anything;
                }
                if let SceneTargets::Probabilities(q) = &mut changed.targets {
                    q[row].fill(anything);
                }
            }
            let changed = trial.ask(&changed)?;
            trial.same(&expected, &changed);
        }
    }
    Ok(())
}
