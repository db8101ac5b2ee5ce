//! `evaluate` against numbers from elsewhere: PyTorch in float64, and 50-digit arithmetic rounded once.

mod common;

use common::{CLASSES, Folder, ROWS, close, data, digits, digits_json, f64s, i64s, json, npy, succeed};
use serde_json::{Value, json as value};

/// Rounding in f64, of sums of some ten thousand terms.
const F64: f64 = 4e-15;

/// The digits in f64 with some options.
fn in_f64(options: &[&str]) -> Value {
    digits_json(&[&["--dtype", "f64"], options].concat())
}

fn weights() -> Vec<f64> {
    (0..CLASSES).map(|class| 0.5 + 0.25 * class as f64).collect()
}

#[test]
fn losses_are_those_of_pytorch() {
    for (epsilon, loss, gradient) in [
        ("0", 0.046_878_016_995_183_13, 0.052_746_487_421_445_84),
        ("0.1", 1.440_142_025_953_405_5, 0.198_881_821_398_189_86),
        ("0.2", 2.833_406_034_911_628, 0.365_890_781_773_132_16),
    ] {
        for backend in ["reference", "kernel", "ndarray"] {
            let report = in_f64(&["--backend", backend, "--label-smoothing", epsilon]);
            close(&report["loss"], loss, F64);
            close(&report["gradient_abs_sum"], gradient, F64);
            close(&report["nll"], 84.239_796_540_344_08, F64);
            assert_eq!(report["denominator"], value!(1797.0));
            assert_eq!(report["counted_rows"], value!(1797));
            assert_eq!(report["backend"], value!(backend));
            assert_eq!(report["dtype"], value!("f64"));
            assert_eq!(report["shape"], value!([1797, 10]));
        }
    }
}

/// In 50 digits the losses start 0.0468780169951831299, 1.44014202595340548 and 2.83340603491162783: what is printed is the
/// `f64` next to each, to its last digit, which is what PyTorch prints too.
#[test]
fn the_loss_is_printed_with_all_its_digits() {
    for (epsilon, loss) in [("0", "0.04687801699518313"), ("0.1", "1.4401420259534055"), ("0.2", "2.833406034911628")] {
        for backend in ["kernel", "ndarray"] {
            let text = succeed(&digits(&["--backend", backend, "--label-smoothing", epsilon, "--dtype", "f64"]));
            let printed = text.lines().find_map(|line| line.strip_prefix("loss ")).unwrap().trim();
            assert_eq!(printed, loss);
            let report = in_f64(&["--backend", backend, "--label-smoothing", epsilon]);
            assert_eq!(report["loss"].to_string(), loss);
        }
    }
}

#[test]
fn element_types_are_the_files_own_or_the_one_asked_for() {
    for (options, dtype, loss, tolerance) in [
        (vec![], "f32", 1.440_142_025_953_405_5, 1e-7),
        (vec!["--dtype", "f32"], "f32", 1.440_142_025_953_405_5, 1e-7),
        // The exact loss of the rounded logits.
        (vec!["--dtype", "f16"], "f16", 1.440_134_320_167_131_3, 1e-7),
        (vec!["--dtype", "bf16"], "bf16", 1.440_116_540_273_661_8, 1e-7),
    ] {
        for backend in ["kernel", "ndarray"] {
            let report = digits_json(&[&["--label-smoothing", "0.1", "--backend", backend], &*options].concat());
            assert_eq!(report["dtype"], value!(dtype));
            close(&report["loss"], loss, tolerance);
            // The loss of every type but f64 is an f32, shown exactly.
            let loss = report["loss"].as_f64().unwrap();
            assert_eq!(f64::from(loss as f32), loss);
        }
    }
}

#[test]
fn conventions_are_kinds_of_smoothing() {
    for (options, kind, loss, gradient) in [
        (vec!["--convention", "all"], "uniform", 1.440_142_025_953_405_5, 0.198_881_821_398_189_94),
        (vec!["--convention", "others"], "uniform_others", 1.594_949_138_059_874_6, 0.217_001_335_385_871_35),
        (vec!["--loss", "binary_cross_entropy"], "uniform_half", 0.606_007_087_219_015_1, 0.136_958_372_580_006_4),
        (
            vec!["--loss", "binary_cross_entropy", "--convention", "others"],
            "uniform_flip",
            0.944_965_433_213_028_4,
            0.163_046_376_377_096_6,
        ),
    ] {
        let report = in_f64(&[&["--label-smoothing", "0.1"], &*options].concat());
        close(&report["loss"], loss, F64);
        close(&report["gradient_abs_sum"], gradient, F64);
        assert_eq!(report["options"]["smoothing"], value!({ "kind": kind, "epsilon": 0.1 }));
    }
}

#[test]
fn weights_masks_and_ignored_targets() {
    let folder = Folder::new();
    let class_weights = folder.file("w.npy", npy("<f8", false, "(10,)", &f64s(&weights())));
    let mask: Vec<u8> = (0..ROWS).map(|row| u8::from(row % 3 != 0)).collect();
    let row_mask = folder.file("mask.npy", npy("|b1", false, "(1797,)", &mask));
    let row_weights: Vec<f64> = (0..ROWS).map(|row| (row % 4) as f64 * 0.5).collect();
    let row_weights = folder.file("rows.npy", npy("<f8", false, "(1797,)", &f64s(&row_weights)));
    let upstream = folder.file("upstream.npy", npy("<f8", false, "()", &f64s(&[2.5])));
    for (options, loss, gradient, denominator) in [
        (vec!["--class-weights", &*class_weights], 1.428_604_855_980_697_4, 0.205_491_847_301_676_94, 2916.0),
        (
            vec!["--ignore-index", "-100", "--ignore-index", "3"],
            1.425_685_944_121_703_4,
            0.199_171_048_308_405_38,
            1614.0,
        ),
        (vec!["--row-mask", &*row_mask, "--reduction", "sum"], 1_716.539_990_202_053, 232.194_463_108_462_2, 1198.0),
        (vec!["--row-weights", &*row_weights], 1.435_472_834_295_221_2, 0.205_487_019_176_778_45, 1347.0),
        (vec!["--upstream", &*upstream], 1.440_142_025_953_405_5, 0.497_204_553_495_474_8, 1797.0),
    ] {
        for backend in ["kernel", "ndarray"] {
            let report = in_f64(&[&["--label-smoothing", "0.1", "--backend", backend], &*options].concat());
            close(&report["loss"], loss, F64);
            close(&report["gradient_abs_sum"], gradient, F64);
            assert_eq!(report["denominator"], value!(denominator), "{options:?}");
        }
    }
}

#[test]
fn row_losses_with_their_upstream() {
    let folder = Folder::new();
    let upstream: Vec<f64> = (0..ROWS).map(|row| ((row % 5) as f64 - 2.0) * 0.5).collect();
    let upstream = folder.file("upstream.npy", npy("<f8", false, "(1797,)", &f64s(&upstream)));
    for backend in ["kernel", "ndarray"] {
        let options =
            ["--label-smoothing", "0.1", "--reduction", "none", "--upstream", &upstream, "--backend", backend];
        let report = in_f64(&options);
        let losses = report["loss"].as_array().unwrap();
        assert_eq!(losses.len(), ROWS);
        for (row, loss) in [
            (0, 1.484_932_549_766_727_2),
            (1, 1.387_256_133_390_183_8),
            (2, 1.254_470_269_008_556_7),
            (1796, 1.112_130_905_110_342_7),
        ] {
            close(&losses[row], loss, F64);
        }
        close(&report["gradient_abs_sum"], 211.137_821_630_747_94, F64);
        assert_eq!(report["options"]["reduction"], value!("none"));
    }
}

#[test]
fn floating_point_targets_are_probabilities() {
    let folder = Folder::new();
    let targets = std::fs::read(data("targets.npy")).unwrap();
    let classes: Vec<usize> =
        common::split_npy(&targets).1.chunks_exact(8).map(|class| usize::from(class[0])).collect();
    let mut soft = vec![0.0; ROWS * CLASSES];
    for (row, class) in classes.iter().enumerate() {
        soft[row * CLASSES + class] = 0.75;
        soft[row * CLASSES + (class + 1) % CLASSES] = 0.25;
    }
    let soft = folder.file("soft.npy", npy("<f8", false, "(1797, 10)", &f64s(&soft)));
    for backend in ["kernel", "ndarray"] {
        let options = ["--label-smoothing", "0.1", "--dtype", "f64", "--backend", backend, "--json"];
        let logits = data("logits.npy");
        let arguments = [&["evaluate", "--logits", &logits, "--targets", &soft], &options[..]].concat();
        let report = json(&arguments);
        close(&report["loss"], 5.178_590_795_336_877, F64);
        close(&report["gradient_abs_sum"], 0.630_778_764_568_913_5, F64);
        close(&report["nll"], 7_548.675_839_409_342, F64);
    }
}

#[test]
fn options_take_precedence_over_the_configuration() {
    let folder = Folder::new();
    let hex = [
        "0x1p-1", "0x1.8p-1", "0x1p+0", "0x1.4p+0", "0x1.8p+0", "0x1.cp+0", "0x1p+1", "0x1.2p+1", "0x1.4p+1",
        "0x1.6p+1",
    ];
    let config = value!({
        "smoothing": { "kind": "uniform_others", "epsilon": "0x1.999999999999ap-4" },
        "class_weights": hex,
        "class_weighting": "by_target",
        "ignore_index": [3],
        "reduction": "sum",
        "denominator": "counted",
        "z_loss": "0x1p-10",
    });
    let config = folder.file("config.json", config.to_string());
    let counted = ["--config", &config, "--ignore-index", "-1", "--reduction", "mean"];
    for (options, loss, gradient) in [
        (vec![], 2.628_703_687_834_507, 0.375_888_907_713_909_87),
        // The rate alone leaves the kind.
        (vec!["--label-smoothing", "0.2"], 5.073_821_061_633_832, 0.677_645_187_492_954_5),
        // The kind alone leaves the rate.
        (vec!["--convention", "all"], 2.384_191_950_454_574_5, 0.346_576_455_196_779_65),
    ] {
        let report = in_f64(&[&counted, &*options].concat());
        close(&report["loss"], loss, F64);
        close(&report["gradient_abs_sum"], gradient, F64);
        assert_eq!(report["counted_rows"], value!(1797));
    }
    let alone = in_f64(&["--config", &config]);
    assert_eq!(alone["counted_rows"], value!(1614));
    assert_eq!(alone["options"]["reduction"], value!("sum"));
    assert_eq!(alone["options"]["ignore_index"], value!([3]));
}

#[test]
fn a_configuration_may_hold_penalties_and_another_likelihood() {
    let folder = Folder::new();
    let logits = folder.file("logits.npy", npy("<f8", false, "(1, 3)", &f64s(&[1.0, 4.0, 2.0])));
    let targets = folder.file("targets.npy", npy("<i8", false, "(1,)", &i64s(&[0])));
    let cost = (1f64.exp() + 2f64.exp() + 4f64.exp()).ln() - 1.0;
    let max_suppression = value!({ "penalties": [{ "kind": "max_suppression", "strength": "0x1p-1" }] });
    let focal = value!({ "likelihood": { "kind": "focal", "gamma": "0x1p+1" } });
    for (config, loss) in
        [(max_suppression, cost + 0.5 * (4.0 - 7.0 / 3.0)), (focal, (1.0 - (-cost).exp()).powi(2) * cost)]
    {
        let config = folder.file("config.json", config.to_string());
        let report = json(&["evaluate", "--logits", &logits, "--targets", &targets, "--config", &config, "--json"]);
        close(&report["loss"], loss, 1e-14);
        close(&report["nll"], cost, 1e-14);
    }
}

#[test]
fn the_class_axis_is_where_it_is_said_to_be() {
    let folder = Folder::new();
    // Two images of 2 x 1 pixels with three classes: shape [2, 3, 2, 1]. Each pixel's logits are 1, 2, 4 in some order.
    let logits = folder.file(
        "logits.npy",
        npy("<f8", false, "(2, 3, 2, 1)", &f64s(&[1.0, 4.0, 2.0, 1.0, 4.0, 2.0, 2.0, 4.0, 4.0, 2.0, 1.0, 1.0])),
    );
    let targets = folder.file("targets.npy", npy("<i8", false, "(2, 2, 1)", &i64s(&[2, 0, 1, 0])));
    let lse = (1f64.exp() + 2f64.exp() + 4f64.exp()).ln();
    let arguments = ["evaluate", "--logits", &logits, "--targets", &targets, "--class-axis", "1", "--json"];
    let report = json(&arguments);
    close(&report["loss"], lse - 4.0, 1e-14);
    assert_eq!(report["options"]["class_axis"], value!(1));
}

#[test]
fn one_row_needs_no_axis_for_rows() {
    let folder = Folder::new();
    let logits = folder.file("logits.npy", npy("<f8", false, "(3,)", &f64s(&[1.0, 4.0, 2.0])));
    let target = folder.file("target.npy", npy("<i8", false, "()", &i64s(&[1])));
    let lse = (1f64.exp() + 2f64.exp() + 4f64.exp()).ln();
    for reduction in ["mean", "none"] {
        let report = json(&["evaluate", "--logits", &logits, "--targets", &target, "--json", "--reduction", reduction]);
        close(if reduction == "none" { &report["loss"][0] } else { &report["loss"] }, lse - 4.0, 1e-14);
    }
}

#[test]
fn what_is_not_finite_is_a_string_in_json() {
    let folder = Folder::new();
    let row = |values: &[f64]| folder.file("logits.npy", npy("<f8", false, "(1, 2)", &f64s(values)));
    let target = |class: i64| folder.file("targets.npy", npy("<i8", false, "(1,)", &i64s(&[class])));
    let ask = |logits: &str, targets: &str, more: &[&str]| {
        json(&[&["evaluate", "--logits", logits, "--targets", targets, "--json"], more].concat())
    };
    let nan = ask(&row(&[f64::NAN, 0.0]), &target(0), &[]);
    assert_eq!(nan["loss"], value!("nan"));
    assert_eq!(nan["gradient_abs_sum"], value!("nan"));
    let infinite = ask(&row(&[f64::NEG_INFINITY, 0.0]), &target(0), &[]);
    assert_eq!(infinite["loss"], value!("inf"));
    assert_eq!(infinite["gradient_abs_sum"], value!(2.0));
    let empty = ask(&row(&[f64::NAN, 0.0]), &target(-100), &["--ignore-index", "-100"]);
    assert_eq!(empty["loss"], value!("nan"));
    assert_eq!(empty["gradient_abs_sum"], value!(0.0));
    assert_eq!(empty["nll"], value!(0.0));
    let none = ask(&row(&[f64::NEG_INFINITY, 0.0]), &target(0), &["--reduction", "none"]);
    assert_eq!(none["loss"], value!(["inf"]));
}
