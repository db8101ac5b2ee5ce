//! The conformance kit of the label-smoothed loss: vectors, laws, refusals and a report for any backend
