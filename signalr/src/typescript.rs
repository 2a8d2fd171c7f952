//! A typed client in TypeScript, generated from a hub.

use crate::hub::Hub;

/// The source of a client for this hub: its methods, streams, events and the types of what they carry.
pub fn typescript<H: Hub>() -> String {
    todo!()
}
