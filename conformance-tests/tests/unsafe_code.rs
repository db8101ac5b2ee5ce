//! Which code may be unsafe: that of two files, with a reason at each place; all other packages forbid it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// The only packages that deny unsafe code instead of forbidding it, each with its only file that has some: tch gives a
/// tensor's memory as a pointer, and hints to processor and operating system cannot be given otherwise.
const EXCEPTIONS: [(&str, &str); 2] =
    [("adapter-tch", "src/memory.rs"), ("label-smoothing-core", "src/kernel/hints.rs")];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The members of the workspace, as the root's manifest lists them.
fn members() -> Vec<String> {
    let manifest = read(&root().join("Cargo.toml"));
    let list = manifest.split_once("members = [").unwrap().1.split_once(']').unwrap().0;
    list.split(',').map(|name| name.trim().trim_matches('"').to_owned()).filter(|name| !name.is_empty()).collect()
}

/// What stands under a heading of a manifest.
fn section<'a>(manifest: &'a str, heading: &str) -> &'a str {
    let after = manifest.split_once(&format!("\n{heading}\n")).map_or("", |(_, after)| after);
    after.split_once("\n[").map_or(after, |(section, _)| section)
}

/// Every file below a folder whose name ends so.
fn files(folder: &Path, end: &str) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let paths = entries.map(|entry| entry.unwrap().path()).filter(|path| !path.ends_with("target"));
    let has_end = |path: &PathBuf| path.to_string_lossy().ends_with(end);
    paths.flat_map(|path| if path.is_dir() { files(&path, end) } else { vec![path] }).filter(has_end).collect()
}

/// The manifests of the packages that are a workspace of their own.
fn own_workspaces() -> Vec<PathBuf> {
    // The root's begins with these words, which no line stands before.
    files(&root(), "Cargo.toml").into_iter().filter(|path| read(path).contains("\n[workspace]\n")).collect()
}

#[test]
fn every_other_package_forbids_unsafe_code() {
    let workspace = read(&root().join("Cargo.toml"));
    assert!(section(&workspace, "[workspace.lints.rust]").contains("unsafe_code = \"forbid\""));
    let members = members();
    assert!(members.len() >= 8, "{members:?}");
    for member in &members {
        let manifest = read(&root().join(member).join("Cargo.toml"));
        if EXCEPTIONS.iter().any(|(package, _)| package == member) {
            assert!(section(&manifest, "[lints.rust]").contains("unsafe_code = \"deny\""));
        } else {
            // Nothing in the code can take back what is forbidden: the compiler refuses `allow` then.
            assert_eq!(section(&manifest, "[lints]").trim(), "workspace = true", "{member}");
        }
    }
    let own = own_workspaces();
    assert!(own.len() >= 4, "{own:?}");
    for path in own {
        let manifest = read(&path);
        assert_eq!(section(&manifest, "[lints.rust]").trim(), "unsafe_code = \"forbid\"", "{}", path.display());
    }
}

#[test]
fn unsafe_code_is_in_two_files_and_says_why_it_is_sound() {
    let mut with_unsafe = BTreeSet::new();
    for member in members() {
        for path in files(&root().join(&member), ".rs") {
            let text = read(&path);
            let lines: Vec<&str> = text.lines().collect();
            for (number, line) in lines.iter().enumerate() {
                let code = line.split("//").next().unwrap_or_default();
                let is_unsafe = ["unsafe {", "unsafe fn", "unsafe impl", "unsafe trait", "unsafe extern"];
                if !is_unsafe.iter().any(|word| code.contains(word)) || path.ends_with("tests/unsafe_code.rs") {
                    continue;
                }
                with_unsafe.insert((member.clone(), path.strip_prefix(root().join(&member)).unwrap().to_owned()));
                // A trait says in its documentation what who implements it has to see to.
                let before = &lines[number.saturating_sub(8)..number];
                let is_explained = before.iter().any(|line| line.contains("SAFETY") || line.contains("# Safety"));
                assert!(is_explained, "{}:{}: no SAFETY note above {line}", path.display(), number + 1);
            }
        }
    }
    let expected = EXCEPTIONS.map(|(package, file)| (package.to_owned(), PathBuf::from(file)));
    assert_eq!(with_unsafe, BTreeSet::from(expected));
}
