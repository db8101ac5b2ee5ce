//! Array files: every element type, order and byte order in; what goes out is read back byte by byte.

mod common;

use std::fs;

use common::{Folder, data, digits, f64s, i64s, json, npy, safetensors, split_npy, split_safetensors, succeed};
use label_smoothing_core::{bf16, f16};
use serde_json::{Value, json as value};

fn loss(logits: &str, targets: &str, options: &[&str]) -> Value {
    json(&[&["evaluate", "--logits", logits, "--targets", targets, "--json"], options].concat())["loss"].clone()
}

/// Integers, so that every element type holds them.
const LOGITS: [i8; 6] = [3, -1, 2, 0, 5, -4];

/// `LOGITS` as one element type's bytes.
macro_rules! encoded {
    ($type:ty, $bytes:ident) => {
        LOGITS.iter().flat_map(|&value| <$type>::from(value).$bytes()).collect::<Vec<u8>>()
    };
}

#[test]
fn npy_files_of_every_type_and_byte_order() {
    let folder = Folder::new();
    let targets = folder.file("targets.npy", npy("<i8", false, "(2,)", &i64s(&[2, 1])));
    let write = |descr: &str, data: &[u8]| folder.file("logits.npy", npy(descr, false, "(2, 3)", data));
    let expected = loss(&write("<f8", &encoded!(f64, to_le_bytes)), &targets, &[]);
    for (descr, data) in [
        (">f8", encoded!(f64, to_be_bytes)),
        ("<f4", encoded!(f32, to_le_bytes)),
        (">f4", encoded!(f32, to_be_bytes)),
        ("<f2", encoded!(f16, to_le_bytes)),
        (">f2", encoded!(f16, to_be_bytes)),
        ("|i1", encoded!(i8, to_le_bytes)),
        ("<i2", encoded!(i16, to_le_bytes)),
        (">i4", encoded!(i32, to_be_bytes)),
        ("<i8", encoded!(i64, to_le_bytes)),
    ] {
        assert_eq!(loss(&write(descr, &data), &targets, &["--dtype", "f64"]), expected, "{descr}");
    }
}

#[test]
fn targets_of_every_integer_type() {
    let folder = Folder::new();
    let logits = folder.file("logits.npy", npy("<f8", false, "(2, 3)", &encoded!(f64, to_le_bytes)));
    let write = |descr: &str, data: &[u8]| folder.file("targets.npy", npy(descr, false, "(2,)", data));
    let expected = loss(&logits, &write("<i8", &i64s(&[2, 1])), &[]);
    for (descr, data) in [
        ("|u1", vec![2, 1]),
        ("|i1", vec![2, 1]),
        ("<u2", vec![2, 0, 1, 0]),
        (">u2", vec![0, 2, 0, 1]),
        (">i2", vec![0, 2, 0, 1]),
        ("<u4", vec![2, 0, 0, 0, 1, 0, 0, 0]),
        (">i4", vec![0, 0, 0, 2, 0, 0, 0, 1]),
        ("<u8", i64s(&[2, 1])),
        (">i8", [2_i64, 1].iter().flat_map(|class| class.to_be_bytes()).collect()),
    ] {
        assert_eq!(loss(&logits, &write(descr, &data), &[]), expected, "{descr}");
    }
}

#[test]
fn column_major_files_are_the_same_arrays() {
    let folder = Folder::new();
    let values: Vec<f64> = (0..24).map(|index| f64::from(index * index % 17) - 8.0).collect();
    let row_major = folder.file("c.npy", npy("<f8", false, "(2, 3, 4)", &f64s(&values)));
    let mut columns = Vec::new();
    for third in 0..4 {
        for second in 0..3 {
            for first in 0..2 {
                columns.push(values[(first * 3 + second) * 4 + third]);
            }
        }
    }
    let column_major = folder.file("f.npy", npy("<f8", true, "(2, 3, 4)", &f64s(&columns)));
    let classes = [3_i64, 0, 1, 2, 2, 0];
    let targets = folder.file("targets.npy", npy("<i8", false, "(2, 3)", &i64s(&classes)));
    let transposed = [classes[0], classes[3], classes[1], classes[4], classes[2], classes[5]];
    let transposed = folder.file("transposed.npy", npy("<i8", true, "(2, 3)", &i64s(&transposed)));

    let gradients = [folder.path("gc.npy"), folder.path("gf.npy")];
    let of_rows = loss(&row_major, &targets, &["--label-smoothing", "0.1", "--gradient-out", &gradients[0]]);
    let of_columns = loss(&column_major, &transposed, &["--label-smoothing", "0.1", "--gradient-out", &gradients[1]]);
    assert_eq!(of_rows, of_columns);
    assert_eq!(fs::read(&gradients[0]).unwrap(), fs::read(&gradients[1]).unwrap());
}

#[test]
fn later_versions_of_npy_are_read() {
    let folder = Folder::new();
    let targets = folder.file("targets.npy", npy("<i8", false, "(2,)", &i64s(&[2, 1])));
    let first = npy("<f8", false, "(2, 3)", &encoded!(f64, to_le_bytes));
    let expected = loss(&folder.file("1.npy", &first), &targets, &[]);
    for version in [2, 3] {
        let mut bytes = b"\x93NUMPY".to_vec();
        bytes.extend([version, 0, first[8], first[9], 0, 0]);
        bytes.extend(&first[10..]);
        assert_eq!(loss(&folder.file("later.npy", bytes), &targets, &[]), expected, "version {version}");
    }
}

#[test]
fn safetensors_of_every_type() {
    let folder = Folder::new();
    let classes = [2, 0, 0, 0, 1, 0, 0, 0];
    let write = |dtype: &str, data: &[u8]| {
        let tensors =
            [("y", "U32", "[2]", &classes[..]), ("model.z", dtype, "[2,3]", data), ("a:b", "BOOL", "[2]", &[1, 0])];
        folder.file("all.safetensors", safetensors(&tensors))
    };
    let places = |file: &str| (format!("{file}:model.z"), format!("{file}:y"), format!("{file}:a:b"));
    let ask = |file: &str, options: &[&str]| {
        let (logits, targets, mask) = places(file);
        loss(&logits, &targets, &[&["--row-mask", &mask], options].concat())
    };
    let expected = ask(&write("F64", &encoded!(f64, to_le_bytes)), &[]);
    // The second row is masked: what is left is -log softmax(3, -1, 2)[2].
    let exact = (1.0_f64.exp() + (-3.0_f64).exp() + 1.0).ln();
    assert!((expected.as_f64().unwrap() - exact).abs() < 1e-15);
    for (dtype, data) in [
        ("F32", encoded!(f32, to_le_bytes)),
        ("F16", encoded!(f16, to_le_bytes)),
        ("BF16", encoded!(bf16, to_le_bytes)),
        ("I8", encoded!(i8, to_le_bytes)),
        ("I64", encoded!(i64, to_le_bytes)),
    ] {
        assert_eq!(ask(&write(dtype, &data), &["--dtype", "f64"]), expected, "{dtype}");
    }
}

#[test]
fn the_only_tensor_needs_no_name() {
    let folder = Folder::new();
    let logits = folder.file("z.safetensors", safetensors(&[("z", "F64", "[2,3]", &encoded!(f64, to_le_bytes))]));
    let targets = folder.file("y.safetensors", safetensors(&[("y", "I64", "[2]", &i64s(&[2, 1]))]));
    let named = loss(&format!("{logits}:z"), &format!("{targets}:y"), &[]);
    assert_eq!(loss(&logits, &targets, &[]), named);
}

/// The values of a file, widened.
fn widened<const N: usize>(data: &[u8], value: impl Fn([u8; N]) -> f64) -> Vec<f64> {
    data.chunks_exact(N).map(|bytes| value(bytes.try_into().unwrap())).collect()
}

fn is_header(header: &str, descr: &str, shape: &str) {
    let dense = header.trim_end().replace(' ', "").replace(",)", ")").replace(",}", "}");
    assert_eq!(dense, format!("{{'descr':'{descr}','fortran_order':False,'shape':{shape}}}"));
}

#[test]
fn npy_outputs_hold_every_bit() {
    let folder = Folder::new();
    let (losses, gradient) = (folder.path("losses.npy"), folder.path("gradient.npy"));
    for (dtype, descr, loss_descr) in [("f64", "<f8", "<f8"), ("f32", "<f4", "<f4"), ("f16", "<f2", "<f4")] {
        let options = ["--dtype", dtype, "--label-smoothing", "0.1", "--reduction", "none", "--json"];
        let arguments = digits(&[&options[..], &["--loss-out", &losses, "--gradient-out", &gradient]].concat());
        let report = json(&arguments);

        let bytes = fs::read(&losses).unwrap();
        let (header, data) = split_npy(&bytes);
        is_header(&header, loss_descr, "(1797)");
        let values = if loss_descr == "<f8" {
            widened(data, f64::from_le_bytes)
        } else {
            widened(data, |bytes| f64::from(f32::from_le_bytes(bytes)))
        };
        assert!(value!(values) == report["loss"], "the losses of {dtype} are not those that are printed");

        let bytes = fs::read(&gradient).unwrap();
        let (header, data) = split_npy(&bytes);
        is_header(&header, descr, "(1797,10)");
        let values = match dtype {
            "f64" => widened(data, f64::from_le_bytes),
            "f32" => widened(data, |bytes| f64::from(f32::from_le_bytes(bytes))),
            _ => widened(data, |bytes| f16::from_le_bytes(bytes).to_f64()),
        };
        assert_eq!(values.len(), 17970);
        let sum: f64 = values.iter().map(|value| value.abs()).sum();
        common::close(&report["gradient_abs_sum"], sum, 1e-12);
    }
    assert_eq!(folder.names(), ["gradient.npy", "losses.npy"]);
}

#[test]
fn safetensors_outputs_hold_the_same_as_npy() {
    let folder = Folder::new();
    let path = |name: &str| folder.path(name);
    let evaluate = |options: &[&str]| {
        let arguments = digits(&[&["--dtype", "f64", "--label-smoothing", "0.1"], options].concat());
        succeed(&arguments);
    };
    evaluate(&["--loss-out", &path("l.npy"), "--gradient-out", &path("g.npy")]);
    let named = format!("{}:d logits", path("g.safetensors"));
    evaluate(&["--loss-out", &path("l.safetensors"), "--gradient-out", &named]);
    for (npy, file, name, shape) in
        [("l.npy", "l.safetensors", "loss", value!([])), ("g.npy", "g.safetensors", "d logits", value!([1797, 10]))]
    {
        let (npy, bytes) = (fs::read(path(npy)).unwrap(), fs::read(path(file)).unwrap());
        let (header, data) = split_safetensors(&bytes);
        assert_eq!(data, split_npy(&npy).1);
        assert_eq!(header, value!({ name: { "dtype": "F64", "shape": shape, "data_offsets": [0, data.len()] } }));
        assert_eq!((bytes.len() - data.len()) % 8, 0, "the data is aligned");
    }
}

#[test]
fn bf16_gradients_go_to_safetensors() {
    let folder = Folder::new();
    let gradient = folder.path("g.safetensors");
    let arguments = digits(&["--dtype", "bf16", "--reduction", "sum", "--json", "--gradient-out", &gradient]);
    let report: Value = serde_json::from_str(&succeed(&arguments)).unwrap();
    let bytes = fs::read(&gradient).unwrap();
    let (header, data) = split_safetensors(&bytes);
    assert_eq!(header["gradient"]["dtype"], value!("BF16"));
    let sum: f64 = widened(data, |bytes| bf16::from_le_bytes(bytes).to_f64()).iter().map(|value| value.abs()).sum();
    common::close(&report["gradient_abs_sum"], sum, 1e-12);
}

#[test]
fn what_was_written_can_be_read_again() {
    let folder = Folder::new();
    // The gradient of the gradient file, as logits, from either format.
    let write = |name: &str| {
        let place = folder.path(name);
        let arguments = digits(&["--gradient-out", &place]);
        succeed(&arguments);
        loss(&place, &data("targets.npy"), &[])
    };
    assert_eq!(write("again.npy"), write("again.safetensors"));
    assert_eq!(write("again.safetensors:a name"), write("again.npy"));
}

#[cfg(unix)]
#[test]
fn outputs_have_the_permissions_of_new_files_and_links_stay() {
    use std::os::unix::fs::PermissionsExt;

    let folder = Folder::new();
    let plain = folder.file("plain", "");
    let mode = |path: &str| fs::metadata(path).unwrap().permissions().mode();
    let gradient = folder.path("g.npy");
    let (target, link) = (folder.file("target.npy", ""), folder.path("link.npy"));
    std::os::unix::fs::symlink(&target, &link).unwrap();
    let arguments = digits(&["--gradient-out", &gradient, "--loss-out", &link]);
    succeed(&arguments);
    assert_eq!(mode(&gradient), mode(&plain));
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(split_npy(&fs::read(&target).unwrap()).1.len(), 4);
}
