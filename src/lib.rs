//! The `orchard` program. A strategy author's own program is this one with their strategy in it:
//!
//! ```no_run
//! fn main() -> std::process::ExitCode {
//!     orchard::main()
//! }
//! ```

#[cfg(feature = "rabbitmq")]
mod budget;
mod cli;
mod commands;
mod convert;
mod counts;
mod duration;
mod ended;
mod generate;
mod info;
#[cfg(feature = "rabbitmq")]
mod ingest;
mod logging;
mod new;
#[cfg(not(all(feature = "rabbitmq", feature = "services")))]
mod not_built_in;
#[cfg(feature = "rabbitmq")]
mod plan;
mod progress_display;
pub mod replay;
pub mod report;
#[cfg(feature = "rabbitmq")]
mod run;
#[cfg(feature = "services")]
pub mod serve;
mod sources;
#[cfg(feature = "rabbitmq")]
mod status;
mod stdout;
mod strategy_list;
mod text;
mod tick_output;
#[cfg(all(feature = "rabbitmq", feature = "services"))]
mod topology;
#[cfg(feature = "rabbitmq")]
mod verify;

pub use cli::main;

/// Every program made of this one has it: frames are allocated on one thread and freed on another.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The strategy that the README shows compiles.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
