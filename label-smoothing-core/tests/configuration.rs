//! What a configuration refuses, in words that name value, place and range.

use label_smoothing_core::{Array, Config, ConfigBuilder, Denominator, Error, Problem, Smoothing, Targets};

fn refusal(builder: ConfigBuilder) -> (String, &'static str) {
    let error = builder.build().unwrap_err();
    (error.to_string(), error.kind().name())
}

#[test]
fn refusals_name_value_place_and_range() {
    let uniform = |epsilon| Config::cross_entropy().smoothing(Smoothing::Uniform { epsilon });
    let rate = "a smoothing rate lies between 0 and 1";
    assert_eq!(refusal(uniform(1.5)), (format!("epsilon is 1.5, but {rate}"), "invalid-smoothing"));
    assert_eq!(refusal(uniform(f64::NAN)), (format!("epsilon is NaN, but {rate}"), "invalid-smoothing"));
    let per_class = Smoothing::UniformPerClass { epsilons: vec![0.1, -0.5] };
    let expected = (format!("epsilons[1] is -0.5, but {rate}"), "invalid-smoothing");
    assert_eq!(refusal(Config::cross_entropy().smoothing(per_class)), expected);
    let expected = "class_weights[1] is -inf, but a class weight is finite and not negative";
    let weights = Config::cross_entropy().class_weights([1.0, f64::NEG_INFINITY]);
    assert_eq!(refusal(weights), (expected.to_owned(), "invalid-class-weights"));
    let constant = uniform(0.1).denominator(Denominator::Constant(-1.0));
    let expected = "the constant denominator is -1, but must be finite and not negative";
    assert_eq!(refusal(constant), (expected.to_owned(), "invalid-configuration"));
}

#[test]
fn what_is_not_bounded_below_has_ranges_of_its_own() {
    let flip = |epsilon| Config::binary_cross_entropy().smoothing(Smoothing::UnbiasedFlip { epsilon });
    for epsilon in [-0.1, 0.5, 0.9, f64::NAN] {
        let expected = format!("epsilon is {epsilon}, but the rate of unbiased_flip is at least 0 and below 1/2");
        assert_eq!(refusal(flip(epsilon)), (expected, "invalid-smoothing"));
    }
    let negative = |rate| Config::cross_entropy().smoothing(Smoothing::Negative { rate });
    for rate in [0.0, 0.1, f64::NAN, f64::NEG_INFINITY] {
        let expected = format!("rate is {rate}, but the rate of negative is finite and below 0");
        assert_eq!(refusal(negative(rate)), (expected, "invalid-smoothing"));
    }
    let expected = "subtract_entropy needs a target that is a distribution, which unbiased_flip does not give";
    let refused = refusal(flip(0.1).subtract_entropy(true));
    assert_eq!(refused, (expected.to_owned(), "invalid-configuration"));
    let binary = Config::binary_cross_entropy().smoothing(Smoothing::Negative { rate: -1.0 });
    let expected = "binary cross entropy does not go with negative";
    assert_eq!(refusal(binary), (expected.to_owned(), "invalid-configuration"));
    assert_eq!(negative(-2.0).build().unwrap().smoothing().largest_rate(), 2.0);
}

#[test]
fn a_target_out_of_range_is_named_with_its_row_and_the_ids_that_are_ignored() {
    let config = Config::cross_entropy().ignore_index([-100, 255]).build().unwrap();
    let targets = Targets::<f32>::indices(Array::new([3], vec![255, 1, -1]));
    let error = Problem::new(&config, &[3, 4], targets).unwrap_err();
    let expected = "the target of row 2 is -1, but the classes are 0 to 3, and [-100, 255] are ignored";
    assert_eq!(error.to_string(), expected);
    assert!(matches!(error, Error::TargetOutOfRange { row: 2, value: -1, classes: 4, .. }));
}

#[cfg(feature = "serde")]
mod serde {
    use super::{Config, Denominator, Smoothing};

    #[test]
    fn a_configuration_survives_the_round_trip() {
        let config = Config::cross_entropy()
            .smoothing(Smoothing::ClassRows { epsilon: 0.1, rows: vec![vec![0.5, 0.5], vec![0.25, 0.75]] })
            .class_weights([1.0, 2.0])
            .denominator(Denominator::Constant(3.0))
            .build()
            .unwrap();
        let text = serde_json::to_string(&config).unwrap();
        assert_eq!(serde_json::from_str::<Config>(&text).unwrap(), config);
    }

    #[test]
    fn a_configuration_is_checked_when_it_is_read() {
        let read = |text: &str| serde_json::from_str::<Config>(text).unwrap_err().to_string();
        let rate = read(r#"{"smoothing": {"kind": "uniform", "epsilon": 1.5}}"#);
        assert!(rate.starts_with("epsilon is 1.5"), "{rate}");
        assert!(read(r#"{"epsilon": 0.1}"#).starts_with("unknown field `epsilon`"));
    }
}
