//! Failed messages on a real broker: what looking does to them, and what becomes of them.

mod acting;
mod endpoint;
mod looking;
