//! Every route with its parameters, body and answers.

use serde_json::{Value, json};
use tick_sdk::api::Accepted;
use tick_sdk::api::routes::{Answer, Query, Route};
use tick_sdk::shape::{Form, Shaped, Type};

use super::schemas::{ANSWERS, page};

/// A route's part of the document.
pub(super) fn operation(route: &Route) -> Value {
    let mut operation = json!({
        "operationId": route.name,
        "summary": route.summary,
        "tags": [route.path.strip_prefix("/api/").map_or("server", |path| path.split('/').next().unwrap_or(path))],
        "parameters": parameters(route),
        "responses": answers(route),
    });
    if let Some(body) = &route.body {
        let example: Value = serde_json::from_str(body.example).unwrap_or_default();
        operation["requestBody"] = json!({
            "required": true,
            "content": {"application/json": {"schema": ANSWERS.reference((body.shape)()), "example": example}},
        });
    }
    operation
}

fn parameters(route: &Route) -> Vec<Value> {
    let in_path = route.path_parameters().map(|name| {
        let kind = if name == "id" { Type::Guid } else { Type::Text };
        json!({"name": name, "in": "path", "required": true, "schema": ANSWERS.value(kind, Form::Any)})
    });
    let mut all: Vec<_> = in_path.chain(route.query().map(in_query)).collect();
    if matches!(route.answer, Answer::Accepted) {
        let key = "the same key and body give the same answer; another body is refused (422)";
        all.push(header("Idempotency-Key", key, json!({"type": "string", "maxLength": 255})));
        let tree = "the tree of causes that the command belongs to";
        all.push(header("X-Correlation-Id", tree, json!({"type": "string", "format": "uuid"})));
    }
    if route.has_tag() {
        all.push(header("If-None-Match", "a tag that is known: 304", json!({"type": "string"})));
    }
    all
}

fn in_query(query: Query) -> Value {
    let mut schema = ANSWERS.value(query.kind, query.form);
    match query.name {
        "limit" => schema["default"] = 100.into(),
        "wait" => schema["pattern"] = "^[0-9.]+(ms|s)?$".into(),
        _ => {}
    }
    json!({"name": query.name, "in": "query", "description": query.docs, "schema": schema, "explode": true})
}

fn header(name: &str, description: &str, schema: Value) -> Value {
    json!({"name": name, "in": "header", "description": description, "schema": schema})
}

fn answers(route: &Route) -> Value {
    let content = |schema: Value| json!({"application/json": {"schema": schema}});
    let ok = |description: &str, content: Value| json!({"description": description, "content": content});
    let problem = json!({"$ref": "#/components/responses/problem"});
    let mut answers = json!({
        "400": problem, "401": problem, "403": problem, "429": problem, "503": problem, "default": problem,
    });
    if route.path.contains('{') {
        answers["404"] = problem.clone();
    }
    match route.answer {
        Answer::Accepted => {
            answers["202"] = ok("On disk; not yet done", content(ANSWERS.reference(Accepted::shape())));
            answers["202"]["headers"] =
                json!({"Location": {"schema": {"type": "string"}, "description": "the status"}});
            answers["422"] = problem.clone();
        }
        Answer::One(shape) => {
            answers["200"] = ok("It", content(ANSWERS.reference(shape())));
            if route.has_tag() {
                answers["304"] = json!({"description": "The client has it"});
            }
        }
        Answer::Page(shape) => answers["200"] = ok("A page", content(page(shape()))),
        Answer::Streamed(shape) => {
            let mut formats = content(page(shape()));
            formats["text/csv"] = json!({"schema": {"type": "string"}});
            formats["application/x-ndjson"] = json!({"schema": {"type": "string"}});
            answers["200"] = ok("A page; or all of them as CSV or JSON lines, streamed", formats);
            answers["406"] = problem.clone();
        }
        Answer::Other(media) => answers["200"] = ok("It", json!({media: {"schema": {}}})),
    }
    if route.body.is_some() {
        answers["413"] = problem.clone();
        answers["415"] = problem;
    }
    answers
}
