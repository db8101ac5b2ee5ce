//! Vector files, format 1: inputs with exact answers, which any framework in any language can be checked with.

mod case;
mod config;
mod embedded;
pub(crate) mod hex;
mod json;
mod read;

use std::collections::{BTreeMap, HashSet};

use label_smoothing_core::LossFamily;

use crate::case::Case;
use json::Node;
use read::{Fault, Fields, Read, count, text};

pub use config::ParsedConfig;
pub use embedded::{EMBEDDED, embedded};

const FORMAT: &str = "label-smoothing-vectors/1";
const KEYS: &[&str] = &["format", "source", "flags", "case_count", "cases"];

/// A vector file, read and found to be in order.
#[derive(Debug, Clone)]
pub struct VectorFile {
    /// The name it was given.
    pub name: String,
    /// Where its answers come from.
    pub source: String,
    /// Each flag of its cases, and the known mistake that it stands for.
    pub flags: BTreeMap<String, String>,
    /// Its cases.
    pub cases: Vec<Case>,
}

/// Something that cannot be read, by file, case and key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}: {}{message}", place(case.as_deref(), key))]
pub struct VectorError {
    /// The file's name.
    pub file: String,
    /// The case, where it is one that is wrong.
    pub case: Option<String>,
    /// The key, with those around it: `config.smoothing.epsilon`. Empty for a whole object.
    pub key: String,
    /// What is wrong with it.
    pub message: String,
}

fn place(case: Option<&str>, key: &str) -> String {
    let case = case.map(|id| format!("case {id}: ")).unwrap_or_default();
    if key.is_empty() { case } else { format!("{case}{key} ") }
}

impl VectorFile {
    /// Reads a vector file; `name` is for messages.
    ///
    /// # Errors
    ///
    /// A text that is no JSON, or not in the format: unknown, missing or repeated keys, values of another kind, counts
    /// that do not match, an id that stands twice. Values that a backend has to refuse are no error here.
    pub fn parse(name: &str, text: &str) -> Result<Self, VectorError> {
        let error = |case: Option<&str>, fault: Fault| VectorError {
            file: name.to_owned(),
            case: case.map(str::to_owned),
            key: fault.keys.join("."),
            message: fault.message,
        };
        let node = tree(name, text)?;
        let (nodes, mut file) = head(name, &node).map_err(|fault| error(None, fault))?;
        let mut ids = HashSet::new();
        for (index, node) in nodes.iter().enumerate() {
            let numbered = || format!("number {}", index + 1);
            let id = case::id(node).map_err(|fault| error(Some(&numbered()), fault))?;
            let case = case::case(node).map_err(|fault| error(Some(id), fault))?;
            if !ids.insert(id) {
                let message = "stands twice in the file".to_owned();
                return Err(error(Some(id), Fault { keys: vec!["id".to_owned()], message }));
            }
            file.cases.push(case);
        }
        Ok(file)
    }
}

/// Reads a `config` object by itself; `name` is for messages.
///
/// # Errors
///
/// As for [`VectorFile::parse`].
pub fn parse_config(name: &str, text: &str, loss: LossFamily) -> Result<ParsedConfig, VectorError> {
    config::config(&tree(name, text)?, loss).map_err(|fault| VectorError {
        file: name.to_owned(),
        case: None,
        key: fault.keys.join("."),
        message: fault.message,
    })
}

fn tree(name: &str, text: &str) -> Result<Node, VectorError> {
    Node::parse(text).map_err(|error| VectorError {
        file: name.to_owned(),
        case: None,
        key: String::new(),
        message: format!("cannot be read as JSON: {error}"),
    })
}

/// Everything but the cases, and the nodes of those.
fn head<'a>(name: &str, node: &'a Node) -> Read<(&'a [Node], VectorFile)> {
    // The format is read first: a file of another format has other keys.
    let format = read::tag(node, "format")?;
    if format != FORMAT {
        return Fault::new(format!("has the format `{format}`, but `{FORMAT}` is read"));
    }
    let fields = Fields::of(node, KEYS)?;
    let source = fields.optional("source", text)?.unwrap_or_default().to_owned();
    let flags = fields.optional("flags", flags)?.unwrap_or_default();
    let case_count = fields.required("case_count", count)?;
    let cases = fields.required("cases", |node| match node {
        Node::List(cases) => Ok(cases.as_slice()),
        other => Fault::new(format!("is {}, but must be a list", other.kind())),
    })?;
    if cases.len() != case_count {
        return Fault::new(format!("has {} cases, but its case_count is {case_count}", cases.len()));
    }
    Ok((cases, VectorFile { name: name.to_owned(), source, flags, cases: Vec::new() }))
}

fn flags(node: &Node) -> Read<BTreeMap<String, String>> {
    let Node::Object(fields) = node else {
        return Fault::new(format!("is {}, but must be an object", node.kind()));
    };
    fields.iter().map(|(flag, node)| Ok((flag.clone(), text(node)?.to_owned()))).collect()
}
