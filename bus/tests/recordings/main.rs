//! What a real MassTransit wrote, read and declared, beside what this program does: `scripts/conformance` prints it.

mod all_values;
mod answers;
mod contracts;
mod data;
mod outcome;
mod reading;
mod tolerance;
mod topology;
mod writing;
