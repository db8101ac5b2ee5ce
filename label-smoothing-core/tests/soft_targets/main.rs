//! The builders of soft targets against 60-digit figures and the packages that implement them, and what they refuse.

mod figures;
mod refusals;
mod uses;
