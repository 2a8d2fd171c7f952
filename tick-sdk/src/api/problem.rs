use std::collections::BTreeMap;

use crate::shape;

/// The type of a problem that its status alone describes.
pub const PROBLEM_TYPE: &str = "about:blank";

shape! {
    /// Why a request was not answered as asked (RFC 9457), with the media type `application/problem+json`.
    #[derive(Clone, Debug, Default, PartialEq, Eq)]
    pub struct Problem {
        /// What kind of problem: [`PROBLEM_TYPE`] where the status says it all.
        #[serde(rename = "type")]
        pub kind: String,
        /// The status in words.
        pub title: String,
        /// The status of the answer.
        pub status: u16,
        /// What is wrong with this request, and what to do.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        pub detail: Option<String>,
        /// The path that was asked for.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        pub instance: Option<String>,
        /// What is wrong, by the member's or parameter's name; the shape that .NET's clients read.
        #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
        pub errors: BTreeMap<String, Vec<String>>,
        /// What is wrong, by its place in the body.
        #[serde(skip_serializing_if = "Vec::is_empty", default)]
        pub pointers: Vec<Pointer>,
        /// The request, as its log lines name it.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        pub request_id: Option<String>,
    }
}

shape! {
    /// One wrong place of a body.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Pointer {
        /// A JSON pointer (RFC 6901), as `/files/0`.
        pub pointer: String,
        /// What is wrong there.
        pub detail: String,
    }
}
