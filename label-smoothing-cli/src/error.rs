//! Why the command ends with status 2.

use std::fmt;

/// What is wrong with the call or its files, in one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Error(String);

pub(crate) type Result<T, E = Error> = std::result::Result<T, E>;

/// Whatever a framework gives as the reason.
pub(crate) type Fallible<T> = Result<T, Box<dyn std::error::Error>>;

impl Error {
    pub(crate) fn new(message: impl fmt::Display) -> Self {
        Self(message.to_string())
    }

    /// With the file, option or whatever else it is about in front.
    pub(crate) fn about(place: impl fmt::Display, message: impl fmt::Display) -> Self {
        Self(format!("{place}: {message}"))
    }
}

impl fmt::Display for Error {
    /// On one line whatever file names and libraries put into the message.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for character in self.0.chars() {
            if character.is_control() {
                write!(f, "{}", character.escape_default())?;
            } else {
                write!(f, "{character}")?;
            }
        }
        Ok(())
    }
}

impl std::error::Error for Error {}
