//! The adapter as its users call it. One program, for the framework's generic code is compiled into each anew.

mod misuse;
mod parts;
