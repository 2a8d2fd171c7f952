//! Transports against a client that writes every byte by hand, over an echo that knows nothing of hubs.

mod client;
mod echo;
mod events;
mod limits;
mod listeners;
mod negotiate;
mod origins;
mod polling;
mod requests;
mod shutdown;
mod stateful;
mod web_socket;
