//! The subcommands that read and write files of ticks, as a user runs them.

mod convert;
mod generate;
mod info;
mod program;
