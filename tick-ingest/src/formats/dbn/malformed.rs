//! What is wrong with a record, and what to do.

/// A record that is not what its format says; one word, for the result of every record carries it.
#[derive(Debug)]
pub(super) struct Malformed(Box<Reason>);

/// What is wrong with it.
#[derive(Debug)]
pub(super) struct Reason {
    /// Completes "record 7 …".
    pub(super) reason: String,
    /// The next step.
    pub(super) advice: &'static str,
}

impl Malformed {
    /// What is wrong, and what to do.
    pub(super) fn reason(self) -> Reason {
        *self.0
    }

    /// Where the header of a DBN file stands instead of a record.
    #[cold]
    pub(super) fn another_file() -> Self {
        Self(Box::new(Reason {
            reason: "is the header of another DBN file, which begins here".to_owned(),
            advice: "two files were joined, and each has a header and symbols of its own: give them one by one",
        }))
    }
}

impl From<String> for Malformed {
    #[cold]
    fn from(reason: String) -> Self {
        Self(Box::new(Reason { reason, advice: "the file is damaged or was cut there: fetch it again" }))
    }
}
