//! Standard output, whose errors say that they are its own.

use std::io::{self, Write};

/// Standard output refused what a command had to say. Only this may end a command in silence: whoever
/// read the results has closed them, as `head` does. A pipe or a connection that breaks elsewhere is a
/// failure like any other.
#[derive(Debug, thiserror::Error)]
#[error("standard output: {0}")]
pub(crate) struct StdoutError(#[source] io::Error);

/// Standard output; every error is a [`StdoutError`] inside an `io::Error` of the same kind.
pub(crate) struct Out(io::Stdout);

/// The process's standard output.
pub(crate) fn stdout() -> Out {
    Out(io::stdout())
}

impl Write for Out {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes).map_err(tagged)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush().map_err(tagged)
    }
}

fn tagged(error: io::Error) -> io::Error {
    io::Error::new(error.kind(), StdoutError(error))
}

/// Whether the reader of standard output has gone.
pub(crate) fn is_closed(error: &anyhow::Error) -> bool {
    let broken = |cause: &io::Error| {
        cause.kind() == io::ErrorKind::BrokenPipe
            && cause.get_ref().is_some_and(|inner| inner.is::<StdoutError>())
    };
    error.chain().filter_map(|cause| cause.downcast_ref::<io::Error>()).any(broken)
}

#[cfg(test)]
mod tests {
    use anyhow::Context;

    use super::*;

    fn broken() -> io::Error {
        io::ErrorKind::BrokenPipe.into()
    }

    #[test]
    fn only_a_reader_of_standard_output_may_go_in_silence() {
        let of_stdout = Err::<(), _>(tagged(broken())).context("writing the summary").unwrap_err();
        assert!(is_closed(&of_stdout));
        let of_a_broker = Err::<(), _>(broken()).context("publishing").unwrap_err();
        assert!(!is_closed(&of_a_broker));
        let full = Err::<(), _>(tagged(io::ErrorKind::StorageFull.into())).context("writing").unwrap_err();
        assert!(!is_closed(&full));
    }
}
