//! The hub protocols without input and output: as recorded, as drawn at random, and against simple models.

#[path = "../recordings/data.rs"]
mod data;
#[path = "../recordings/messagepack.rs"]
mod messagepack;

mod cuts;
mod numbering;
mod probes;
mod random_bytes;
mod round_trip;
mod sent;
mod transcripts;
mod view;
