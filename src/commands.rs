//! The commands: what each asks, and what it prints. What they do is in the libraries.

pub(crate) mod replay;
