//! Whoever is wrong must look wrong: a measure that shares a mistake, or divides by the wrong thing, would show little.

use super::{Answer, DoubleDouble, Errors, Exact, Point, Row, Sums, Worst};
use crate::dtype::Dtype;

fn row(lead: u32) -> Row {
    Point { dtype: Dtype::F32, classes: 1000, lead, offset: 0 }.row(0)
}

/// The exact answers, rounded to `f32`.
fn right(row: &Row, epsilon: f64) -> (Exact, Answer) {
    let exact = Sums::of(row).exact(epsilon);
    let others: f64 = row.logits.iter().map(|z| (z - row.logits[row.target]).exp()).sum();
    let share = epsilon / row.logits.len() as f64;
    let mut gradient: Vec<f64> =
        row.logits.iter().map(|z| (z - row.logits[row.target]).exp() / others - share).map(round).collect();
    gradient[row.target] = round(exact.target_gradient.to_f64());
    (exact, Answer::new(row, round(exact.loss.to_f64()), gradient).unwrap())
}

fn round(value: f64) -> f64 {
    f64::from(value as f32)
}

fn errors(exact: &Exact, answer: &Answer) -> Errors {
    exact.errors(answer, Dtype::F32, Dtype::F32)
}

#[test]
fn what_is_rounded_once_is_off_by_one_unit_at_most() {
    for epsilon in [0.0, 0.1] {
        for lead in [0, 17, 80] {
            let (exact, answer) = right(&row(lead), epsilon);
            let errors = errors(&exact, &answer);
            assert!(errors.loss <= 1.0 && errors.target_gradient <= 1.0 && errors.row_sum <= 4.0, "{lead}: {errors:?}");
        }
    }
}

/// The usual way: `log(sum exp)` and `p - 1`, in `f32`.
#[test]
fn a_difference_of_numbers_near_1_shows() {
    for (lead, least) in [(17, 1e4), (40, 1.6e7)] {
        let row = row(lead);
        let (exact, mut answer) = right(&row, 0.0);
        let exponentials: Vec<f32> =
            row.logits.iter().map(|z| (*z - row.logits[row.target]) as f32).map(f32::exp).collect();
        let sum: f32 = exponentials.iter().sum();
        answer.loss = f64::from(sum.ln());
        answer.gradient = exponentials.iter().map(|e| f64::from(e / sum)).collect();
        answer.gradient[row.target] = f64::from(1.0 / sum - 1.0);
        let errors = errors(&exact, &answer);
        assert!(errors.loss >= least && errors.target_gradient >= least, "{lead}: {errors:?}");
    }
}

/// Relative to the quantity, however small: to 1, these would look right.
#[test]
fn an_answer_of_zero_is_off_by_all_of_its_units() {
    let (exact, mut answer) = right(&row(40), 0.0);
    answer.loss = 0.0;
    answer.gradient[answer.target] = 0.0;
    let errors = errors(&exact, &answer);
    let all = 1.0 / Dtype::F32.unit_roundoff();
    assert_eq!((errors.loss.round(), errors.target_gradient.round()), (all, all));
    assert!(errors.row_sum < 1.0, "which the row sum does not see: {errors:?}");
}

#[test]
fn a_known_mistake_has_its_size() {
    let (exact, answer) = right(&row(4), 0.1);
    let unit = Dtype::F32.unit_roundoff();
    let off = |actual: f64, expected: f64| (actual - expected).abs() < 1.1;
    let larger = Answer { loss: answer.loss * (1.0 + 1000.0 * unit), ..answer.clone() };
    assert!(off(errors(&exact, &larger).loss, 1000.0));
    let mut moved = answer.clone();
    moved.gradient[moved.target] += 1000.0 * unit * exact.gradient_scale;
    assert!(off(errors(&exact, &moved).target_gradient, 1000.0));
    let (before, mut elsewhere) = (errors(&exact, &answer).row_sum, answer.clone());
    let class = usize::from(elsewhere.target == 0);
    elsewhere.gradient[class] += 1000.0 * unit;
    assert!(
        off(errors(&exact, &elsewhere).row_sum, 1000.0 + before)
            || off(errors(&exact, &elsewhere).row_sum, 1000.0 - before)
    );
    assert_eq!(errors(&exact, &elsewhere).target_gradient, errors(&exact, &answer).target_gradient);
}

#[test]
fn what_is_no_number_is_infinitely_wrong() {
    for wrong in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let (exact, mut answer) = right(&row(1), 0.0);
        answer.loss = wrong;
        answer.gradient[answer.target] = wrong;
        let all = Errors { loss: f64::INFINITY, target_gradient: f64::INFINITY, row_sum: f64::INFINITY };
        assert_eq!(errors(&exact, &answer), all);
    }
}

#[test]
fn below_the_normal_numbers_a_unit_is_theirs() {
    let tiny =
        Exact { loss: DoubleDouble::from(1e-9), target_gradient: DoubleDouble::from(-1e-9), gradient_scale: 1e-9 };
    let answer = Answer { loss: 0.0, gradient: vec![0.0, 0.0], target: 0 };
    let errors = tiny.errors(&answer, Dtype::F16, Dtype::F16);
    assert!(errors.loss < 1.0 && errors.target_gradient < 1.0, "{errors:?}");
    assert!(tiny.errors(&answer, Dtype::F32, Dtype::F16).loss > 1e7);
}

#[test]
fn the_worst_is_the_largest_of_each() {
    let errors = |loss, target_gradient, row_sum| Errors { loss, target_gradient, row_sum };
    let worst = Worst::of(errors(5.0, 1.0, 0.5), 0.0).and(Worst::of(errors(1.0, f64::INFINITY, 2.0), 16.0));
    assert_eq!((worst.rows, worst.errors), (2, errors(5.0, f64::INFINITY, 2.0)));
    let one = Worst::of(errors(7.0, 3.5, 0.0), 16.0);
    assert_eq!((one.of_bound, one.of_bound_with_residue), (7.0 / 18.5, 2.0));
}

#[test]
fn an_answer_has_a_gradient_for_each_class() {
    assert!(Answer::new(&row(0), 0.0, vec![0.0; 999]).is_err());
}
