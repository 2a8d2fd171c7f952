//! A server for clients of every kind to be tried against:
//!
//! ```text
//! cargo run -p signalr --example server -- 127.0.0.1:5000
//! ```
//!
//! It has the hubs of `tests/recordings/data/README.md` (`/hubs/test`, `/hubs/stateful`, …) and the surface of ASP.NET
//! Core's functional tests (`/testhub`, `/echo`, …). A bearer token is a user's name.

mod application;

use std::error::Error;

use application::Application;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:5000".to_owned());
    let listener =
        tokio::net::TcpListener::bind(&address).await.map_err(|error| format!("{address}: {error}"))?;
    println!("listening on http://{}", listener.local_addr()?);
    Application::start(listener, 1).run().await;
    Ok(())
}
