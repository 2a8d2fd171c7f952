//! The `orchard` program. A strategy author's own program is this one with their strategy in it:
//!
//! ```no_run
//! fn main() -> std::process::ExitCode {
//!     orchard::main()
//! }
//! ```

mod budget;
mod cli;
mod convert;
mod dead_letters;
mod duration;
mod ended;
mod generate;
mod info;
mod ingest;
mod manifest;
mod new;
mod perf;
mod plan;
mod replay;
pub mod report;
mod run;
mod sources;
mod status;
mod strategy_list;
mod text;
mod tick_output;
mod verify;

pub use cli::main;

/// Every program made of this one has it: frames are allocated on one thread and freed on another.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The strategy that the README shows compiles.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
