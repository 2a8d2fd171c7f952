//! The OpenAPI 3.1 document of all routes, and a page that shows it. Both come from the binary.

use std::sync::OnceLock;

use axum::http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use serde_json::{Map, Value, json};
use tick_sdk::api::routes::ROUTES;

use super::read::json as answer_json;

mod operations;
mod schemas;

pub(super) async fn document() -> Response {
    static DOCUMENT: OnceLock<Bytes> = OnceLock::new();
    answer_json(DOCUMENT.get_or_init(|| openapi().to_string().into()).clone())
}

pub(super) async fn page() -> Response {
    const PAGE: &str = include_str!("openapi/docs.html");
    let policy = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'; \
                  frame-ancestors 'none'; base-uri 'none'; form-action 'none'";
    ([(CONTENT_TYPE, "text/html; charset=utf-8"), (CONTENT_SECURITY_POLICY, policy)], PAGE).into_response()
}

fn openapi() -> Value {
    let mut paths = Map::new();
    for route in ROUTES {
        let path = paths.entry(route.path).or_insert_with(|| json!({}));
        path[route.method] = operations::operation(route);
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Orchard",
            "version": env!("CARGO_PKG_VERSION"),
            "summary": "Replay market captures through strategies.",
            "description": "Whatever changes something answers 202 before it is done; its status says what became \
                            of it. What is asked for under `/api/errors` is done at once instead, and by no command. Reads come from documents made of events; `?after=COMMANDID` waits until what \
                            that command made can be read, and answers 409 where that takes longer: ask again. Lists come in pages: `next` is the next one's `cursor`.",
        },
        "servers": [{"url": "/"}],
        "security": [{"bearer": []}, {"apiKey": []}, {}],
        "paths": paths,
        "components": {
            "schemas": schemas::all(),
            "responses": {"problem": {
                "description": "Why it was not done (RFC 9457)",
                "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
            }},
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "apiKey": {"type": "apiKey", "in": "header", "name": "X-Api-Key"},
            },
        },
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// Every `$ref` names a schema that is there.
    #[test]
    fn references_lead_somewhere() {
        let document = openapi();
        let text = document.to_string();
        let named: BTreeSet<_> =
            text.split("#/components/schemas/").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
        let schemas = document["components"]["schemas"].as_object().unwrap();
        for name in named {
            assert!(schemas.contains_key(name), "{name}");
        }
    }

    #[test]
    fn operations_have_names_of_their_own() {
        let names: BTreeSet<_> = ROUTES.iter().map(|route| route.name).collect();
        assert_eq!(names.len(), ROUTES.len());
    }

    /// An example has the members that its schema asks for, and no others.
    #[test]
    fn examples_are_bodies() {
        let schemas = schemas::all();
        for route in ROUTES {
            let Some(body) = route.body else { continue };
            let schema = &schemas[(body.shape)().name];
            let example: Map<String, Value> = serde_json::from_str(body.example).unwrap();
            for name in example.keys() {
                assert!(schema["properties"].get(name).is_some(), "{}: {name}", route.name);
            }
            for name in schema["required"].as_array().into_iter().flatten() {
                assert!(example.contains_key(name.as_str().unwrap()), "{}: {name}", route.name);
            }
        }
    }
}
