//! What the pages point at is there, and the way from an adapter's README to a loss is short.

use std::fs;
use std::path::{Path, PathBuf};

fn is_markdown(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "md")
}

/// The Markdown files below a folder, without what was built or installed there.
fn markdown(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() && !name.starts_with('.') && name != "target" {
            markdown(&path, found);
        } else if is_markdown(&path) {
            found.push(path);
        }
    }
}

/// The targets of `[text](target)`, outside of blocks of code.
fn links(text: &str) -> impl Iterator<Item = &str> {
    let prose = text.split("```").step_by(2);
    prose.flat_map(|part| part.split("](").skip(1)).filter_map(|rest| rest.split(')').next())
}

/// The anchor of a heading, as GitHub makes it.
fn anchor(heading: &str) -> String {
    let kept: String = heading.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c)).collect();
    kept.trim().to_lowercase().replace(' ', "-")
}

#[test]
fn links_lead_to_files_and_headings() {
    let mut files = Vec::new();
    markdown(Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap(), &mut files);
    let mut checked = 0;
    for file in &files {
        let (here, text) = (file.display(), fs::read_to_string(file).unwrap());
        for link in links(&text).filter(|link| !link.contains("://")) {
            let (path, heading) = link.split_once('#').unwrap_or((link, ""));
            let target = if path.is_empty() { file.clone() } else { file.parent().unwrap().join(path) };
            assert!(target.exists(), "{here}: {link} leads nowhere");
            if !heading.is_empty() {
                let text = fs::read_to_string(&target).unwrap();
                let mut headings = text.lines().filter(|line| line.starts_with('#')).map(anchor);
                assert!(headings.any(|anchor| anchor == heading), "{here}: {link} is no heading");
            }
            checked += 1;
        }
    }
    assert!(checked > 30, "{checked} links in {} files", files.len());
}

/// Every page is compiled with its snippets, and found from the first.
#[test]
fn pages_are_all_there() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let index = fs::read_to_string(folder.join("README.md")).unwrap();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy();
        if is_markdown(&path) {
            assert!(label_smoothing_docs::PAGES.contains(&&*name), "{name} is not in lib.rs");
            assert!(name == "README.md" || index.contains(&format!("({name})")), "README.md does not name {name}");
        }
    }
}

/// Ten lines, from the imports to the gradient.
#[test]
fn a_loss_takes_ten_lines() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    for name in ["ndarray", "candle", "burn", "dfdx", "tch"] {
        let readme = fs::read_to_string(root.join(format!("adapter-{name}/README.md"))).unwrap();
        let (_, code) = readme.split_once("## Use\n\n```rust\n").unwrap_or_else(|| panic!("{name}"));
        let code = code.split("```").next().unwrap();
        let lines = code.lines().filter(|line| !line.is_empty() && !line.starts_with("# ")).count();
        assert!(lines <= 10 && code.contains("::new(0.1)?") && code.contains("grad"), "{name}: {lines} lines");
    }
}
