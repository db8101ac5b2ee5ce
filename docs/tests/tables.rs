//! The tables that say what something else is are what that is.

use std::fs;
use std::path::Path;

use label_smoothing_conformance::{Accuracy, Dtype, backends};
use serde_json::Value;

fn read(file: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(file);
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// The cells of the rows of a page's tables.
fn rows(page: &str) -> Vec<Vec<String>> {
    let cells = |line: &str| line.trim_matches('|').split(" | ").map(|cell| cell.trim().to_owned()).collect();
    page.lines().filter(|line| line.starts_with('|')).map(cells).collect()
}

/// The first string behind `key = ` in a manifest.
fn value(manifest: &str, key: &str) -> String {
    let line = manifest.lines().find(|line| line.starts_with(&format!("{key} = "))).unwrap_or_else(|| panic!("{key}"));
    line.split('"').nth(1).unwrap().to_owned()
}

/// `0.17` of `0.17.2`.
fn minor(version: &str) -> &str {
    version.rsplit_once('.').unwrap().0
}

const ADAPTERS: [(&str, &str); 5] =
    [("ndarray", "ndarray"), ("candle", "candle-core"), ("burn", "burn"), ("dfdx", "dfdx"), ("tch", "tch")];

#[test]
fn adapters_have_the_versions_of_their_manifests() {
    let (workspace, page) = (read("Cargo.toml"), read("docs/which-adapter.md"));
    let ours = value(&workspace, "version");
    for (name, framework) in ADAPTERS {
        let version = value(&workspace, framework);
        let rust = value(&read(&format!("adapter-{name}/Cargo.toml")), "rust-version");
        let package = format!("[label-smoothing-{name}](../adapter-{name})");
        let row =
            rows(&page).into_iter().find(|row| row.get(1) == Some(&package)).unwrap_or_else(|| panic!("{package}"));
        assert_eq!((&row[0], row.last()), (&format!("{framework} {}", minor(&version)), Some(&rust)));

        let readme = rows(&read(&format!("adapter-{name}/README.md")));
        let row = readme.iter().find(|row| row[0] == minor(&ours)).unwrap_or_else(|| panic!("{name}"));
        assert_eq!((&*row[1], row.last()), (minor(&version), Some(&rust)), "the README of {name}");
    }
}

#[test]
fn adapters_take_the_element_types_of_their_backends() {
    let page = rows(&read("docs/which-adapter.md"));
    for (name, _) in ADAPTERS {
        let backend = backends::all().into_iter().find(|backend| backend.name() == name).unwrap();
        let package = format!("[label-smoothing-{name}](../adapter-{name})");
        let row = page.iter().find(|row| row.get(1) == Some(&package)).unwrap();
        for dtype in Dtype::ALL {
            let said = row[2].split('`').any(|word| word == dtype.name());
            assert_eq!(said, backend.dtypes().contains(dtype), "{name}, {dtype:?}");
        }
    }
}

#[test]
fn accuracies_are_those_that_backends_promise() {
    let page = rows(&read("docs/numerics.md"));
    let says = |path: String, k: String| assert!(page.contains(&vec![path.clone(), k.clone()]), "{path}: {k}");
    let (short, any) = (Accuracy::Kernel.k(16), Accuracy::Kernel.k(17));
    says(
        "the kernel, and every adapter on it".to_owned(),
        format!("{short} for up to 16 classes, {any} for any number"),
    );
    for backend in backends::all() {
        match (backend.name().strip_suffix("-composed"), backend.accuracy()) {
            (Some(name), Accuracy::Composed { base, per_class }) => {
                let growth = if per_class == 0.0 { String::new() } else { format!(" + `K`/{}", 1.0 / per_class) };
                says(format!("composed, {name}"), format!("{base}{growth}"));
            }
            (_, accuracy) => assert_eq!(accuracy, Accuracy::Kernel, "{}", backend.name()),
        }
    }
}

/// The burn of the program that trains with it is the workspace's.
#[test]
fn packages_of_their_own_have_the_versions_of_the_workspace() {
    let burn = value(&read("Cargo.toml"), "burn");
    assert_eq!(value(&read("adapter-burn/examples/with_optimiser/Cargo.toml"), "burn"), burn);
}

/// The rows of the README's table of speeds: a label, and how `compare` names what it measured and what is beside it.
const SPEEDS: [(&str, &str, &str, &str); 7] = [
    ("kernel, into a buffer", "kernel", "buffer reused", "a plain scalar loop"),
    ("kernel, in place", "kernel", "in_place", "a plain scalar loop"),
    ("ndarray", "ndarray", "", "a plain loop over the rows"),
    ("candle", "candle", "", "smoothed by hand"),
    ("burn", "burn", "", "CrossEntropyLossConfig"),
    ("dfdx", "dfdx", "", "cross_entropy_with_logits_loss"),
    ("tch", "tch", "", "libtorch's cross_entropy_loss"),
];

#[test]
fn speeds_are_those_that_were_measured() {
    let readme = read("README.md");
    let (_, file) =
        readme.split_once("(docs/measurements/").expect("the README names the file that it has the speeds from");
    let file = file.split(')').next().unwrap();
    let measured: Value = serde_json::from_str(&read(&format!("docs/measurements/{file}"))).unwrap();
    let table = rows(&readme);
    let head = table.iter().position(|row| row[0].is_empty()).expect("the head of the table of speeds");
    let shapes = &table[head][1..table[head].len() - 1];
    assert_eq!(shapes.len(), 4);
    for ((label, backend, ours, native), row) in SPEEDS.iter().zip(&table[head + 2..]) {
        assert_eq!(row[0], *label);
        for (shape, cell) in shapes.iter().zip(&row[1..]) {
            let is = |entry: &&Value| {
                let text = |key: &str| entry[key].as_str().unwrap();
                let beside = text("ours_is").contains(ours) && text("native_is").starts_with(native);
                let of_shape = format!("{} x {}", entry["rows"], entry["classes"]) == *shape;
                text("backend") == *backend && of_shape && beside
            };
            let mut entries = measured["rows"].as_array().unwrap().iter().filter(is);
            let entry = entries.next().unwrap_or_else(|| panic!("no measurement of {label}, {shape}"));
            assert_eq!(entries.count(), 0, "several measurements of {label}, {shape}");
            let number = |key: &str| entry[key].as_f64().unwrap();
            assert_eq!(
                *cell,
                format!("{:.2} ({:.1})", number("ours_ns_per_logit"), number("ratio")),
                "{label}, {shape}"
            );
        }
    }
}

/// The rows of the tables of accuracy: a label, and how `accuracy` names what it measured.
const MEASURED: [(&str, &str, &str); 10] = [
    ("the kernel, and every adapter on it", "kernel", "ours"),
    ("composed, candle", "candle-composed", "ours"),
    ("composed, burn", "burn-composed", "ours"),
    ("composed, tch", "tch-composed", "ours"),
    ("ndarray: a plain loop", "ndarray", "a plain loop over the rows"),
    ("candle: `candle_nn::loss::cross_entropy`, which does not smooth", "candle", "candle_nn::loss::cross_entropy"),
    ("candle: smoothed by hand", "candle", "smoothed by hand"),
    ("burn: `CrossEntropyLossConfig`", "burn", "CrossEntropyLossConfig"),
    ("dfdx: `cross_entropy_with_logits_loss`", "dfdx", "cross_entropy_with_logits_loss"),
    ("tch: libtorch's `cross_entropy_loss`", "tch", "libtorch's cross_entropy_loss"),
];

/// What was measured of somebody in an element type.
fn measured<'a>(report: &'a Value, backend: &str, calls: &str, dtype: &str) -> Option<&'a Value> {
    let is = |it: &&Value| {
        let text = |key: &str| it[key].as_str().unwrap();
        text("backend") == backend && text("calls").starts_with(calls) && text("dtype") == dtype
    };
    let mut found = report["contenders"].as_array().unwrap().iter().filter(is);
    let first = found.next();
    assert_eq!(found.count(), 0, "{backend}, {calls}, {dtype} stands there twice");
    first
}

/// Loss, target's gradient and row sum, with a digit behind the point.
fn errors(part: Option<&Value>) -> String {
    let Some(part) = part else { return "-".to_owned() };
    let figure = |key: &str| match part[key].as_f64() {
        Some(units) if units < 999.5 => format!("{units:.1}"),
        Some(units) => format!("{units:.1e}"),
        None => part[key].as_str().unwrap().to_owned(),
    };
    ["loss", "target_gradient", "row_sum"].map(figure).join(", ")
}

#[test]
fn errors_are_those_that_were_measured() {
    let page = read("docs/numerics.md");
    let (_, file) = page.split_once("(measurements/").expect("the page names the file that it has the errors from");
    let report = read(&format!("docs/measurements/{}", file.split(')').next().unwrap()));
    let report: Value = serde_json::from_str(&report).unwrap();
    let mut tables = page.split("\n\n").map(rows).filter(|table| table.first().is_some_and(|head| head[0].is_empty()));

    let dtypes = ["f64", "f32", "f16", "bf16"];
    let by_type = tables.next().unwrap();
    assert_eq!(by_type[0][1..], dtypes.map(|dtype| format!("`{dtype}`")));
    let of_kernel = |dtype: &str| measured(&report, "kernel", "ours", dtype).unwrap();
    for ((label, backend, calls), row) in MEASURED.iter().zip(&by_type[2..]) {
        let cells = dtypes.map(|dtype| errors(measured(&report, backend, calls, dtype)));
        assert_eq!((&**label, &row[1..]), (&*row[0], &cells[..]));
    }
    for ((label, key), row) in
        [("share of `2.5 + gap`", "of_bound"), ("share of `2.5 + gap/16`", "of_bound_with_residue")]
            .iter()
            .zip(&by_type[2 + MEASURED.len()..])
    {
        let cells = dtypes.map(|dtype| format!("{:.0} %", 100.0 * of_kernel(dtype)[key].as_f64().unwrap()));
        assert_eq!((*label, &row[1..]), (&*row[0], &cells[..]));
    }
    assert_eq!(by_type.len(), 2 + MEASURED.len() + 2);

    let by_lead = tables.next().unwrap();
    assert_eq!(by_lead[0][1..], ["0", "1", "4", "17", "40", "80"]);
    for ((label, backend, calls), row) in MEASURED.iter().zip(&by_lead[2..]) {
        let parts = measured(&report, backend, calls, "f32").unwrap()["by_lead"].as_array().unwrap();
        let leads: Vec<String> = parts.iter().map(|part| part["lead"].as_f64().unwrap().to_string()).collect();
        assert_eq!(leads, by_lead[0][1..], "{label}");
        let cells: Vec<String> = parts.iter().map(|part| errors(Some(part))).collect();
        assert_eq!((*label, &row[1..]), (&*row[0], &cells[..]));
    }
    assert_eq!(by_lead.len(), 2 + MEASURED.len());

    // "Every adapter on it": but for the losses of dfdx, whose types force `f16`.
    for dtype in dtypes {
        for (adapter, _) in ADAPTERS.iter().filter(|(name, _)| *name != "dfdx" || !dtype.ends_with("f16")) {
            let figures = errors(measured(&report, adapter, "ours", dtype));
            assert_eq!(figures, errors(Some(of_kernel(dtype))), "{adapter}, {dtype}");
        }
    }
}
