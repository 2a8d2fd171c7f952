//! What a PostgreSQL server's errors mean, and what to do about them.

use std::io;

/// An answer that did not come in time.
pub fn no_answer() -> sqlx::Error {
    sqlx::Error::Io(io::Error::new(io::ErrorKind::TimedOut, "the server did not answer in time"))
}

/// Whether the server is only away, busy or on its way up, so that trying again may help.
pub fn is_temporary(error: &sqlx::Error) -> bool {
    match error {
        // A certificate that does not verify.
        sqlx::Error::Io(error) if error.kind() == io::ErrorKind::InvalidData => false,
        // A connection that ends in the middle of an answer is a protocol error to the client.
        sqlx::Error::Io(_) | sqlx::Error::Protocol(_) => true,
        sqlx::Error::Database(error) => error.code().is_some_and(|code| {
            // Connection exceptions, conflicts with other transactions, out of something, stopped by
            // an operator, and a primary that has become a standby.
            ["08", "40", "53", "57"].contains(&&code[..2.min(code.len())]) || code == "25006"
        }),
        _ => false,
    }
}

const CERTIFICATES: &str =
    "\n  see the certificates that sslmode, sslrootcert, sslcert and sslkey of the URL name";

/// What to do about an error of the server, as the end of a message.
pub fn advice(error: &sqlx::Error) -> &'static str {
    match error {
        sqlx::Error::Io(error) if error.kind() == io::ErrorKind::InvalidData => CERTIFICATES,
        sqlx::Error::Io(error) if error.kind() == io::ErrorKind::NotFound => {
            "\n  see the files that the URL names, and that the server runs"
        }
        sqlx::Error::Io(_) => "\n  see that the server runs and can be reached from here",
        sqlx::Error::Tls(_) => CERTIFICATES,
        sqlx::Error::Database(error) => match error.code().as_deref() {
            Some("28P01" | "28000") => "\n  correct the user or the password in the URL",
            Some("3D000") => "\n  make the database (CREATE DATABASE), or correct its name in the URL",
            Some("42501") => "\n  give the user the right to CREATE in the database, or to use its schemas",
            Some("53300") => "\n  let the server take more connections (max_connections)",
            _ => "",
        },
        _ => "",
    }
}
