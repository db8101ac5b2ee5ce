//! From a JSON tree to typed values, with errors that name the key.

use super::hex;
use super::json::Node;

/// What is wrong, and under which key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    /// From the outside in: `config`, `smoothing`, `epsilon`.
    pub(super) keys: Vec<String>,
    pub(super) message: String,
}

pub(super) type Read<T> = Result<T, Fault>;

impl Fault {
    pub(super) fn new<T>(message: impl Into<String>) -> Read<T> {
        Err(Self { keys: Vec::new(), message: message.into() })
    }

    fn within(mut self, key: impl Into<String>) -> Self {
        self.keys.insert(0, key.into());
        self
    }
}

/// The keys of an object.
pub(super) struct Fields<'a>(&'a [(String, Node)]);

impl<'a> Fields<'a> {
    /// An object that has no other keys than `known`.
    pub(super) fn of(node: &'a Node, known: &[&str]) -> Read<Self> {
        let Node::Object(fields) = node else {
            return Fault::new(format!("is {}, but must be an object", node.kind()));
        };
        match fields.iter().find(|(key, _)| !known.contains(&key.as_str())) {
            Some((key, _)) => Fault::new(format!("has the unknown key `{key}`; known are {}", known.join(", "))),
            None => Ok(Self(fields)),
        }
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.0.iter().any(|(known, _)| known == key)
    }

    pub(super) fn optional<T>(&self, key: &str, read: impl FnOnce(&'a Node) -> Read<T>) -> Read<Option<T>> {
        let Some((_, node)) = self.0.iter().find(|(known, _)| known == key) else { return Ok(None) };
        read(node).map(Some).map_err(|fault| fault.within(key))
    }

    pub(super) fn required<T>(&self, key: &str, read: impl FnOnce(&'a Node) -> Read<T>) -> Read<T> {
        match self.optional(key, read)? {
            Some(value) => Ok(value),
            None => Fault::new(format!("lacks the key `{key}`")),
        }
    }
}

/// The value of the key that says which kind an object is; the other keys are read by [`Fields::of`] afterwards.
pub(super) fn tag<'a>(node: &'a Node, key: &str) -> Read<&'a str> {
    let Node::Object(fields) = node else {
        return Fault::new(format!("is {}, but must be an object", node.kind()));
    };
    Fields(fields).required(key, text)
}

pub(super) fn text(node: &Node) -> Read<&str> {
    match node {
        Node::Text(text) => Ok(text),
        other => Fault::new(format!("is {}, but must be a string", other.kind())),
    }
}

pub(super) fn truth(node: &Node) -> Read<bool> {
    match node {
        Node::Bool(value) => Ok(*value),
        other => Fault::new(format!("is {}, but must be true or false", other.kind())),
    }
}

pub(super) fn integer(node: &Node) -> Read<i64> {
    match node {
        Node::Integer(value) => Ok(*value),
        other => Fault::new(format!("is {}, but must be an integer", other.kind())),
    }
}

/// A length, an axis or a class.
pub(super) fn count(node: &Node) -> Read<usize> {
    let value = integer(node)?;
    usize::try_from(value).or_else(|_| Fault::new(format!("is {value}, but must not be negative")))
}

/// 0 or 1.
pub(super) fn bit(node: &Node) -> Read<bool> {
    match integer(node)? {
        0 => Ok(false),
        1 => Ok(true),
        value => Fault::new(format!("is {value}, but must be 0 or 1")),
    }
}

/// A floating-point number, which is a string.
pub(super) fn float(node: &Node) -> Read<f64> {
    match node {
        Node::Text(text) => hex::parse(text).or_else(|problem| Fault::new(format!("`{text}` {problem}"))),
        other => Fault::new(format!("is {}, but a float is a string such as \"0x1.8p+3\"", other.kind())),
    }
}

pub(super) fn list<'a, T>(item: impl Fn(&'a Node) -> Read<T>) -> impl Fn(&'a Node) -> Read<Vec<T>> {
    move |node| {
        let Node::List(items) = node else {
            return Fault::new(format!("is {}, but must be a list", node.kind()));
        };
        let read = |(index, node): (usize, &'a Node)| item(node).map_err(|fault| fault.within(index.to_string()));
        items.iter().enumerate().map(read).collect()
    }
}

/// One of several words.
pub(super) fn word<T: Copy>(words: &'static [(&'static str, T)]) -> impl Fn(&Node) -> Read<T> {
    move |node| {
        let found = text(node)?;
        if let Some((_, value)) = words.iter().find(|(word, _)| *word == found) {
            return Ok(*value);
        }
        let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        Fault::new(format!("is `{found}`, but must be one of {}", known.join(", ")))
    }
}
