//! Penalties and other likelihoods: what is refused, in which words; figures that others published; and what is exactly 0.

use label_smoothing_core::kernel::{self, slices::Slice};
use label_smoothing_core::{
    Array, Config, ConfigBuilder, Likelihood, Penalty, Preset, Problem, Smoothing, Targets, reference,
};

fn refusal(builder: ConfigBuilder) -> String {
    let error = builder.build().unwrap_err();
    assert_eq!(error.kind().name(), "invalid-configuration", "{error}");
    error.to_string()
}

fn focal(gamma: f64, alpha: Option<f64>) -> Likelihood {
    Likelihood::Focal { gamma, alpha }
}

#[test]
fn refusals_name_term_value_and_range() {
    let penalty = |penalty| refusal(Config::cross_entropy().penalties([penalty]));
    assert_eq!(
        penalty(Penalty::Confidence { strength: -0.5 }),
        "the strength of the penalty confidence is -0.5, but must be finite and not negative"
    );
    assert_eq!(
        penalty(Penalty::Margin { strength: 1.0, margin: f64::NAN }),
        "the margin of the penalty margin is NaN, but must be finite and not negative"
    );
    assert_eq!(
        penalty(Penalty::Poly { epsilon: -1.5 }),
        "the epsilon of the penalty poly is -1.5, but must be finite and at least -1"
    );
    let poly = Penalty::Poly { epsilon: 1.0 };
    assert_eq!(refusal(Config::cross_entropy().penalties([poly, poly])), "penalties has poly twice");
    let likelihood = |likelihood| refusal(Config::cross_entropy().likelihood(likelihood));
    assert_eq!(
        likelihood(focal(-1.0, None)),
        "the gamma of the likelihood focal is -1, but must be finite and not negative"
    );
    assert_eq!(
        likelihood(Likelihood::Relaxed { alpha: 1.5 }),
        "the alpha of the likelihood relaxed is 1.5, but must lie between 0 and 1"
    );
}

#[test]
fn what_has_no_meaning_together_is_refused() {
    let relaxed = || Config::cross_entropy().likelihood(Likelihood::Relaxed { alpha: 0.1 });
    let binary = Config::binary_cross_entropy;
    let poly = [Penalty::Poly { epsilon: 1.0 }];
    for (builder, message) in [
        (relaxed().smoothing(Smoothing::Uniform { epsilon: 0.1 }), "relaxed does not go with smoothing uniform"),
        (relaxed().subtract_entropy(true), "relaxed does not go with subtract_entropy"),
        (binary().likelihood(Likelihood::Relaxed { alpha: 0.1 }), "relaxed does not go with binary cross entropy"),
        (binary().penalties(poly), "binary cross entropy does not go with the penalty poly"),
        (
            Config::cross_entropy().likelihood(focal(2.0, None)).penalties(poly),
            "focal does not go with the penalty poly",
        ),
        (
            Config::cross_entropy().likelihood(focal(2.0, Some(0.25))),
            "focal does not go with an alpha for cross entropy: give class_weights",
        ),
        (
            binary().likelihood(focal(2.0, None)).smoothing(Smoothing::UnbiasedFlip { epsilon: 0.1 }),
            "focal does not go with smoothing unbiased_flip",
        ),
    ] {
        let refused = refusal(builder);
        assert!(refused.ends_with(message), "{refused}");
    }
    let config = relaxed().build().unwrap();
    let soft = Targets::probabilities(Array::new([1, 2], vec![0.5_f32, 0.5]));
    let refused = Problem::new(&config, &[1, 2], soft).unwrap_err().to_string();
    assert_eq!(refused, "likelihood relaxed needs index targets and was given probabilities");
}

#[test]
fn presets_slices_and_composed_losses_refuse_by_name() {
    let preset = Preset::PytorchIndices.config(0.1);
    let refused = refusal(preset.clone().penalties([Penalty::MaxSuppression { strength: 0.1 }]));
    assert!(refused.ends_with("has no penalty max_suppression"), "{refused}");
    let refused = refusal(preset.likelihood(focal(2.0, None)));
    assert!(refused.ends_with("has no likelihood focal"), "{refused}");

    let config = Config::cross_entropy().penalties([Penalty::Confidence { strength: 0.1 }]).build().unwrap();
    let problem = Problem::new(&config, &[1, 4], Targets::<f32>::indices(Array::new([1], vec![0]))).unwrap();
    let refused = Slice::new(&problem, 0..2).unwrap_err();
    assert!(refused.to_string().contains("penalties"), "{refused}");
    let refused = reference::Coefficients::new(&problem, &[0.0; 4]).unwrap_err();
    assert!(refused.to_string().starts_with("the penalty confidence is computed by the kernel only"), "{refused}");
}

/// The figures of optax's own tests of its `poly_loss_cross_entropy`, made with the program on page 10 of the paper.
#[test]
fn poly_has_the_published_figures() {
    let (logits, q) = ([0.14_f64, 1.456, 2.356, -0.124, -2.47], vec![0.1_f64, 0.15, 0.2, 0.25, 0.3]);
    for (epsilon, expected) in [
        (2.0, 4.5317),
        (1.0, 3.7153),
        (-1.0, 2.0827),
        (0.0, 2.8990),
        (-0.5, 2.4908),
        (1.15, 3.8378),
        (1.214, 3.8900),
        (5.45, 7.3480),
    ] {
        let config = Config::cross_entropy().penalties([Penalty::Poly { epsilon }]).build().unwrap();
        let targets = Targets::probabilities(Array::new([1, 5], q.clone()));
        let loss = kernel::loss(&Problem::new(&config, &[1, 5], targets).unwrap(), &logits).unwrap().value;
        assert!((loss - expected).abs() < 1e-4, "{epsilon}: {loss} for {expected}");
    }
}

fn loss_and_gradient(config: &Config, logits: &[f32], target: i64) -> (f64, Vec<f32>) {
    let targets = Targets::<f32>::indices(Array::new([1], vec![target]));
    let problem = Problem::new(config, &[1, logits.len()], targets).unwrap();
    let mut gradient = vec![f32::NAN; logits.len()];
    let loss = kernel::loss_and_gradient(&problem, logits, 1.0, &mut gradient).unwrap();
    (loss.value, gradient)
}

#[test]
fn a_target_with_its_share_costs_exactly_nothing() {
    let config = |alpha| Config::cross_entropy().likelihood(Likelihood::Relaxed { alpha }).build().unwrap();
    for (alpha, logits) in [(0.5, [1.0, 1.0]), (0.25, [9.0, 0.0]), (0.125, [200.0, 0.0]), (1.0, [-3.0, 0.0])] {
        assert_eq!(loss_and_gradient(&config(alpha), &logits, 0), (0.0, vec![0.0, 0.0]), "{alpha}");
    }
    assert!(loss_and_gradient(&config(0.5), &[1.0, 1.01], 0).0 > 0.0);
}

#[test]
fn parameters_at_their_zero_are_the_cross_entropy() {
    let logits = [0.5_f32, -1.25, 3.0, 2.75];
    let plain = loss_and_gradient(&Config::cross_entropy().build().unwrap(), &logits, 3);
    let none = [
        Penalty::Confidence { strength: 0.0 },
        Penalty::Margin { strength: 0.0, margin: 1.0 },
        Penalty::MaxSuppression { strength: 0.0 },
        Penalty::Poly { epsilon: 0.0 },
    ];
    for builder in [
        Config::cross_entropy().penalties(none),
        Config::cross_entropy().likelihood(focal(0.0, None)),
        Config::cross_entropy().likelihood(Likelihood::Relaxed { alpha: 0.0 }),
    ] {
        let other = loss_and_gradient(&builder.build().unwrap(), &logits, 3);
        assert!((plain.0 - other.0).abs() < 1e-6, "{plain:?} {other:?}");
        assert!(plain.1.iter().zip(&other.1).all(|(a, b)| (a - b).abs() < 1e-6), "{plain:?} {other:?}");
    }
}

#[cfg(feature = "serde")]
#[test]
fn they_survive_the_round_trip_and_unknown_fields_do_not_pass() {
    let config = Config::cross_entropy()
        .likelihood(focal(2.0, None))
        .penalties([Penalty::Margin { strength: 0.1, margin: 10.0 }, Penalty::MaxSuppression { strength: 0.2 }])
        .build()
        .unwrap();
    let text = serde_json::to_string(&config).unwrap();
    assert!(text.contains(r#""likelihood":{"kind":"focal","gamma":2.0}"#), "{text}");
    assert!(text.contains(r#"{"kind":"max_suppression","strength":0.2}"#), "{text}");
    assert_eq!(serde_json::from_str::<Config>(&text).unwrap(), config);
    for unknown in [
        r#"{"penalties": [{"kind": "poly", "epsilon": 1.0, "strength": 1.0}]}"#,
        r#"{"penalties": [{"kind": "margin", "strength": 1.0}]}"#,
        r#"{"likelihood": {"kind": "focal", "gamma": 1.0, "beta": 1.0}}"#,
        r#"{"likelihood": {"kind": "relaxed", "alpha": 2.0}}"#,
    ] {
        assert!(serde_json::from_str::<Config>(unknown).is_err(), "{unknown}");
    }
}
