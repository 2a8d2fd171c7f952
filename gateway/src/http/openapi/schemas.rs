//! What bodies look like, as JSON schemas: made of the shapes that the routes take and give.

use serde_json::{Map, Value};
use tick_sdk::api::routes::{Answer, ROUTES};
use tick_sdk::api::{Accepted, Page, Problem};
use tick_sdk::shape::json_schema::{JsonSchema, ReadBy, reached};
use tick_sdk::shape::{Parameter, Shape, Shaped};

const REQUESTS: JsonSchema = JsonSchema { references: "#/components/schemas/", read_by: ReadBy::Gateway };
/// What answers look like.
pub(super) const ANSWERS: JsonSchema = JsonSchema { read_by: ReadBy::Client, ..REQUESTS };

/// A page of items.
pub(super) fn page(item: &Shape) -> Value {
    ANSWERS.object_of(Page::<Parameter>::shape(), &ANSWERS.reference(item))
}

/// Every schema by name. What a request can have is described as the gateway takes it.
pub(super) fn all() -> Map<String, Value> {
    let bodies = ROUTES.iter().filter_map(|route| route.body.map(|body| (body.shape)()));
    let answers = ROUTES.iter().filter_map(|route| match route.answer {
        Answer::One(shape) | Answer::Page(shape) | Answer::Streamed(shape) => Some(shape()),
        Answer::Accepted | Answer::Other(_) => None,
    });
    let answers = answers.chain([Accepted::shape(), Problem::shape()]);
    let mut all: Map<_, _> =
        reached(answers).into_iter().map(|(name, shape)| (name.to_owned(), ANSWERS.object(shape))).collect();
    all.extend(reached(bodies).into_iter().map(|(name, shape)| (name.to_owned(), REQUESTS.object(shape))));
    all
}
