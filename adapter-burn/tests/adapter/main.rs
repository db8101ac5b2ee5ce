//! The adapter as its users call it. One program, for the framework's generic code is compiled into each anew.

mod autograd;
mod bits;
mod common;
mod composed;
mod gradient_accumulation;
mod misuse;
mod other_devices;
mod parts;
mod training;
