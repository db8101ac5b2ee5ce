//! Maxima and sums of slices as another process may have written them: whatever they hold there is an error or a number,
//! never a panic.

#![cfg(feature = "serde")]

use label_smoothing_core::kernel::slices::{Maxima, Slice, Sums};
use label_smoothing_core::{Array, Config, ConfigBuilder, Problem, Smoothing, Targets};
use serde::de::value::{Error as Unreadable, MapDeserializer, SeqDeserializer};
use serde::de::{Deserialize, Deserializer, IntoDeserializer, Visitor};
use serde_json::Value;

const ROWS: usize = 3;
const CLASSES: usize = 5;
const CUT: usize = 2;
const LOGITS: [[f32; CLASSES]; ROWS] =
    [[0.5, 2.0, -1.0, 0.25, 1.0], [3.0, -7.0, 3.0, 0.0, -2.0], [-4.0, 1.0, 0.0, 6.0, 5.0]];

/// What a format hands over. JSON has neither NaN nor infinities, so the sums have none before they are changed.
#[derive(Debug, Clone)]
enum Tree {
    Nothing,
    Number(f64),
    Count(u64),
    List(Vec<Tree>),
    Struct(Vec<(String, Tree)>),
}

impl From<Value> for Tree {
    fn from(value: Value) -> Self {
        match value {
            Value::Null => Self::Nothing,
            Value::Number(number) => {
                number.as_u64().map_or_else(|| Self::Number(number.as_f64().unwrap()), Self::Count)
            }
            Value::Array(values) => Self::List(values.into_iter().map(Self::from).collect()),
            Value::Object(fields) => Self::Struct(fields.into_iter().map(|(name, of)| (name, of.into())).collect()),
            Value::Bool(_) | Value::String(_) => unreachable!("neither is in sums or maxima"),
        }
    }
}

impl<'de> Deserializer<'de> for Tree {
    type Error = Unreadable;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unreadable> {
        match self {
            Self::Nothing => visitor.visit_unit(),
            Self::Number(number) => visitor.visit_f64(number),
            Self::Count(count) => visitor.visit_u64(count),
            Self::List(values) => visitor.visit_seq(SeqDeserializer::new(values.into_iter())),
            Self::Struct(fields) => visitor.visit_map(MapDeserializer::new(fields.into_iter())),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unreadable> {
        if matches!(self, Self::Nothing) { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 char str string bytes byte_buf unit unit_struct newtype_struct seq tuple
        tuple_struct map struct enum identifier ignored_any
    }
}

impl IntoDeserializer<'_, Unreadable> for Tree {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

impl Tree {
    fn of(value: &impl serde::Serialize) -> Self {
        serde_json::to_value(value).unwrap().into()
    }

    fn read<T: for<'de> Deserialize<'de>>(&self) -> Result<T, Unreadable> {
        T::deserialize(self.clone())
    }

    fn child(&mut self, name: &str) -> &mut Self {
        let Self::Struct(fields) = self else { panic!("{self:?} has no {name}") };
        &mut fields.iter_mut().find(|(field, _)| field == name).unwrap().1
    }

    fn list(&mut self) -> &mut Vec<Self> {
        let Self::List(values) = self else { panic!("{self:?} is no list") };
        values
    }

    /// Every number in it.
    fn numbers(&mut self) -> Vec<&mut Self> {
        match self {
            Self::List(values) => values.iter_mut().flat_map(Self::numbers).collect(),
            Self::Struct(fields) => fields.iter_mut().flat_map(|(_, value)| value.numbers()).collect(),
            number => vec![number],
        }
    }

    /// Its lists, but for those in a list.
    fn lists(&mut self) -> Vec<&mut Vec<Self>> {
        match self {
            Self::Struct(fields) => fields.iter_mut().flat_map(|(_, value)| value.lists()).collect(),
            Self::List(values) => vec![values],
            _ => Vec::new(),
        }
    }

    /// Changes one number, or one list.
    fn change(&mut self, random: &mut impl FnMut(usize) -> usize) {
        const NUMBERS: [f64; 7] = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e308, -1e308, 1e-320, -1.0];
        const COUNTS: [u64; 6] = [0, 1, 4, 5, u64::MAX / 2, u64::MAX];
        if random(3) == 0 {
            let mut lists = self.lists();
            let count = lists.len();
            let list = &mut *lists[random(count)];
            match (random(3), list.first().cloned()) {
                (0, _) => list.clear(),
                (1, _) => list.truncate(list.len() / 2),
                (_, Some(first)) => list.push(first),
                (_, None) => {}
            }
            return;
        }
        let mut numbers = self.numbers();
        let count = numbers.len();
        if count == 0 {
            return;
        }
        let number = &mut *numbers[random(count)];
        *number = match number {
            Self::Count(_) => Self::Count(COUNTS[random(COUNTS.len())]),
            Self::Number(_) if random(5) == 0 => Self::Nothing,
            _ => Self::Number(NUMBERS[random(NUMBERS.len())]),
        };
    }
}

/// Rows of a spread, and others.
fn configs() -> [ConfigBuilder; 3] {
    let uniform = Config::cross_entropy().smoothing(Smoothing::Uniform { epsilon: 0.1 });
    let others = Config::cross_entropy().smoothing(Smoothing::UniformOthers { epsilon: 0.25 });
    [uniform.clone().z_loss(0.5), others, uniform.class_weights([1.0, 2.0, 3.0, 4.0, 5.0])]
}

fn with_problem(config: ConfigBuilder, check: impl FnOnce(&Problem<'_, f32>)) {
    let config = config.ignore_index([-1]).build().unwrap();
    let targets = Targets::indices(Array::new([ROWS], vec![1, 3, -1]));
    check(&Problem::new(&config, &[ROWS, CLASSES], targets).unwrap());
}

/// Both slices with their logits.
fn slices<'a>(problem: &'a Problem<'a, f32>) -> [(Slice<'a, f32>, Vec<f32>); 2] {
    [0..CUT, CUT..CLASSES].map(|classes| {
        let logits = LOGITS.iter().flat_map(|row| row[classes.clone()].to_vec()).collect();
        (Slice::new(problem, classes).unwrap(), logits)
    })
}

/// What each slice gives.
struct Parts {
    maxima: [Maxima<f32>; 2],
    /// Relative to all maxima, for `followed_by`.
    of_all: [Sums<f32>; 2],
    /// Relative to its own, for `merge`.
    own: [Sums<f32>; 2],
}

fn parts(problem: &Problem<'_, f32>) -> Parts {
    let slices = slices(problem);
    let maxima = slices.each_ref().map(|(slice, logits)| slice.maxima(logits).unwrap());
    let all = maxima[0].merge(&maxima[1]).unwrap();
    let of_all = slices.each_ref().map(|(slice, logits)| slice.sums(logits, &all).unwrap());
    let own = [0, 1].map(|at| slices[at].0.sums(&slices[at].1, &maxima[at]).unwrap());
    Parts { maxima, of_all, own }
}

/// Does all there is to do with what was read; how much of it had an answer.
fn use_all(problem: &Problem<'_, f32>, maxima: Option<&Maxima<f32>>, sums: Option<&Sums<f32>>) -> usize {
    let Parts { maxima: of_slices, of_all, own } = parts(problem);
    let mut answers = 0;
    let mut merged = Vec::new();
    if let Some(maxima) = maxima {
        merged.extend(of_slices.iter().flat_map(|other| [maxima.merge(other), other.merge(maxima)]));
        for (slice, logits) in &slices(problem) {
            answers += usize::from(slice.sums(logits, maxima).is_ok_and(|sums| sums.loss(problem).is_ok()));
        }
    }
    answers += merged.iter().filter(|merged| merged.is_ok()).count();
    if let Some(sums) = sums {
        let others = of_all.iter().chain(&own);
        let pairs = others.flat_map(|other| {
            [sums.followed_by(other), other.followed_by(sums), sums.merge(other, problem), other.merge(sums, problem)]
        });
        for sums in pairs.chain([Ok(sums.clone())]).flatten() {
            let Ok(merged) = sums.loss(problem) else { continue };
            answers += 1;
            for (slice, logits) in &slices(problem) {
                slice.gradient(logits, &merged, 1.0, &mut vec![0.0_f32; logits.len()]).unwrap();
            }
        }
    }
    answers
}

#[test]
fn whatever_another_process_wrote_does_not_panic() {
    let mut state = 7_u64;
    let mut random = |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    };
    for config in configs() {
        with_problem(config, |problem| {
            let Parts { maxima, of_all, own } = parts(problem);
            let trees = [Tree::of(&maxima[0]), Tree::of(&maxima[1])];
            let of_sums = [Tree::of(&of_all[0]), Tree::of(&of_all[1]), Tree::of(&own[0]), Tree::of(&own[1])];
            let (mut answers, mut read) = (0, 0);
            for _ in 0..1500 {
                let (mut maxima, mut sums) = (trees[random(2)].clone(), of_sums[random(4)].clone());
                for _ in 0..=random(3) {
                    maxima.change(&mut random);
                    sums.change(&mut random);
                }
                let (maxima, sums) = (maxima.read().ok(), sums.read().ok());
                read += usize::from(sums.is_some());
                answers += use_all(problem, maxima.as_ref(), sums.as_ref());
            }
            // Many can be read, and of many there is an answer: the code behind them was reached.
            assert!(read > 500 && answers > 500, "{read} read, {answers} answers");
        });
    }
}

#[test]
fn what_was_written_is_read_again() {
    for config in configs() {
        with_problem(config, |problem| {
            let Parts { of_all, own, .. } = parts(problem);
            let again = |sums: &Sums<f32>| Tree::of(sums).read::<Sums<f32>>().unwrap();
            assert_eq!(again(&of_all[0]), of_all[0]);
            let expected = of_all[0].followed_by(&of_all[1]).unwrap().loss(problem).unwrap();
            assert_eq!(again(&of_all[0]).followed_by(&again(&of_all[1])).unwrap().loss(problem).unwrap(), expected);
            let expected = own[0].merge(&own[1], problem).unwrap();
            assert_eq!(again(&own[0]).merge(&again(&own[1]), problem).unwrap(), expected);
        });
    }
}

/// Both slices' sums as one, with something changed; the loss, or the reason why there is none.
fn loss_of(config: ConfigBuilder, change: impl FnOnce(&mut Tree)) -> Result<f64, String> {
    let mut loss = Err(String::new());
    with_problem(config, |problem| {
        let Parts { of_all, .. } = parts(problem);
        let mut tree = Tree::of(&of_all[0].followed_by(&of_all[1]).unwrap());
        change(&mut tree);
        let sums: Sums<f32> = tree.read().unwrap();
        loss = sums.loss(problem).map(|merged| merged.loss.value).map_err(|error| error.to_string());
    });
    loss
}

#[test]
fn lists_that_do_not_belong_together_are_refused() {
    let [spread, _, general] = configs();
    assert!(loss_of(spread.clone(), |_| ()).unwrap().is_finite());
    let refusal = |change: fn(&mut Tree)| loss_of(general.clone(), change).unwrap_err();
    assert_eq!(
        refusal(|sums| drop(sums.child("targets").list().pop())),
        "2 elements in the slices' targets, but 3 are needed"
    );
    assert_eq!(refusal(|sums| sums.child("blocks").list().clear()), "the slices' sums have 0 blocks for 3 rows");
    assert_eq!(refusal(|sums| drop(sums.child("blocks").list().pop())), "the slices' sums have 5 blocks for 3 rows");
    assert_eq!(
        refusal(|sums| *sums.child("maxima").list()[1].child("column") = Tree::Count(u64::MAX)),
        "row 1 has its maximum at class 18446744073709551615, but the classes are 0 to 4"
    );
    let nothing = |sums: &mut Tree| {
        for list in ["maxima", "blocks", "targets"] {
            sums.child(list).list().clear();
        }
    };
    assert_eq!(refusal(nothing), "the slices hold classes [0..5] of 0 rows, not all 5 classes of 3 rows");
    // Target classes that nobody has seen, of rows that need them.
    let unseen = |sums: &mut Tree| sums.child("targets").list()[0] = Tree::List(vec![Tree::Nothing, Tree::Nothing]);
    assert!(loss_of(spread, unseen).unwrap().is_nan());
}

#[test]
fn slices_of_no_classes_are_refused() {
    let [config, ..] = configs();
    with_problem(config, |problem| {
        let Parts { maxima, .. } = parts(problem);
        let mut tree = Tree::of(&maxima[1]);
        *tree.child("classes").list()[0].child("end") = Tree::Count(1);
        let error = maxima[0].merge(&tree.read().unwrap()).unwrap_err().to_string();
        assert_eq!(error, "a slice cannot hold classes 2 to 1 (excluded)");
    });
}
