//! The gateway over loopback, with a real bus behind it and a real HTTP client before it.

mod commands;
mod dashboard;
mod errors;
mod health;
mod hostile;
mod messages;
mod reads;
mod rebuild;
mod reports;
mod security;
mod service;
mod shared;
mod signals;
mod ticks;
mod trades;
