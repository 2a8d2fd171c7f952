//! The routes as an interface for Refit, with what they take and give.

use tick_sdk::api::routes::{Answer, Query, ROUTES, Route};
use tick_sdk::shape::{Form, Type};

use super::docs::{remarks, summary};
use super::records::{form_docs, part};
use super::types::{optional, part_name};
use crate::messages::{bodies, messages, parts_of};
use crate::source::{Source, pascal_case, path_parameter};

/// What the file has beside what is generated of the routes: how a client is set up.
const SETTINGS: &str = include_str!("settings.cs");

/// Parameters that are explained once, of all lists.
const OF_ALL_LISTS: [&str; 3] = ["limit", "cursor", "after"];

/// The interface, and what routes take and give.
pub(super) fn api(source: &mut Source) {
    source.line("");
    summary(source, "Every route of the gateway. `OrchardApi.Settings` are the settings that it needs.");
    remarks(
        source,
        "`limit`: items of a page. `cursor`: `Next` of the page before. `after`: wait until what this command made can be \
         read. A list has a member for a page, and one that reads page after page.",
    );
    source.line("[Headers(\"Authorization: Bearer\")]");
    source.block("public interface IOrchardApi\n{", "}", 4, |source| {
        for (place, route) in ROUTES.iter().enumerate() {
            if place > 0 {
                source.line("");
            }
            members(source, route);
        }
    });
    source.line("");
    for line in SETTINGS.lines() {
        source.line(line);
    }
    let of_messages: Vec<_> = parts_of(&messages()).iter().map(|shape| shape.name).collect();
    for shape in bodies().into_iter().filter(|shape| !of_messages.contains(&shape.name)) {
        part(source, shape);
    }
}

/// The members by which a route is called.
fn members(source: &mut Source, route: &Route) {
    let name = pascal_case(route.name);
    let summary_of = format!("{}.", route.summary);
    match route.answer {
        Answer::Accepted => {
            let mut parameters = parameters(route, &[]);
            parameters.push("[Header(\"Idempotency-Key\")] string? idempotencyKey = null".to_owned());
            parameters.push("[Header(\"X-Correlation-Id\")] Guid? correlationId = null".to_owned());
            let docs = "The same `idempotencyKey` and body are the same command.";
            let docs = Docs { summary: &summary_of, more: docs, route };
            member(source, docs, "", "Task<ApiResponse<Accepted>>", &name, &cancelled(parameters));
        }
        Answer::One(shape) => {
            let shape = part_name(shape());
            let docs = Docs { summary: &summary_of, more: "", route };
            let returns = format!("Task<{shape}>");
            member(source, docs, "", &returns, &name, &cancelled(parameters(route, &[])));
            if route.has_tag() {
                let mut parameters = parameters(route, &["wait"]);
                parameters.push("[Header(\"If-None-Match\")] string? etag = null".to_owned());
                let docs = Docs { more: "Status 304 without content where `etag` is still right.", ..docs };
                let returns = format!("Task<IApiResponse<{shape}>>");
                member(source, docs, "", &returns, &format!("{name}IfChanged"), &cancelled(parameters));
            }
        }
        Answer::Page(shape) => pages(source, route, &part_name(shape())),
        Answer::Streamed(shape) => {
            let shape = part_name(shape());
            pages(source, route, &shape);
            let parameters = cancelled(parameters(route, &["limit", "cursor"]));
            let docs = Docs { summary: &summary_of, more: "All of them, as they are read.", route };
            let lines = ", Headers(\"Accept: application/x-ndjson\")";
            let returns = format!("IAsyncEnumerable<{shape}>");
            member(source, docs, lines, &returns, &format!("Stream{name}"), &parameters);
            let docs = Docs { more: "All of them as CSV.", ..docs };
            let csv = ", Headers(\"Accept: text/csv\")";
            member(source, docs, csv, "Task<Stream>", &format!("{name}Csv"), &parameters);
        }
        Answer::Other(media) => {
            let returns = if media == "application/json" { "Task<JsonElement>" } else { "Task<string>" };
            let docs = Docs { summary: &summary_of, more: "", route };
            member(source, docs, "", returns, &name, &cancelled(parameters(route, &[])));
        }
    }
}

/// A list page by page, and all of it.
fn pages(source: &mut Source, route: &Route, item: &str) {
    let name = pascal_case(route.name);
    let docs = Docs { summary: &format!("{}.", route.summary), more: "A page.", route };
    let returns = format!("Task<Page<{item}>>");
    member(source, docs, "", &returns, &name, &cancelled(parameters(route, &[])));
    let mut parameters = parameters(route, &["cursor"]);
    parameters.push("[AliasAs(\"cursor\"), PageToken] string? cursor = null".to_owned());
    let docs = Docs { more: "Page after page, as they are read.", ..docs };
    let paged = ", Paged(Items = \"Items\", Next = \"Next\")";
    let returns = format!("PagedEnumerable<Page<{item}>, {item}>");
    member(source, docs, paged, &returns, &format!("All{name}"), &parameters);
}

#[derive(Clone, Copy)]
struct Docs<'a> {
    summary: &'a str,
    more: &'a str,
    route: &'a Route,
}

/// One member, on one line: tests read from it which route it calls.
fn member(source: &mut Source, docs: Docs<'_>, more: &str, returns: &str, name: &str, parameters: &[String]) {
    let Docs { summary: text, more: behind, route } = docs;
    summary(source, format!("{text} {behind}").trim_end());
    let taken = route.query().filter(|query| {
        let is_taken = parameters.iter().any(|one| one.contains(&format!(" {} =", query.name)));
        is_taken && !OF_ALL_LISTS.contains(&query.name)
    });
    let taken: Vec<_> = taken.map(query_docs).collect();
    if !taken.is_empty() {
        remarks(source, &taken.join(" "));
    }
    let method = pascal_case(route.method);
    let parameters = parameters.join(", ");
    source.line(&format!("[{method}(\"{}\"){more}] {returns} {name}({parameters});", route.path));
}

fn query_docs(query: Query) -> String {
    let form = form_docs(query.form).map(|form| format!(" {form}")).unwrap_or_default();
    format!("`{}`: {}.{form}", query.name, query.docs)
}

/// What the path, the body and the query take, without some of the query.
fn parameters(route: &Route, without: &[&str]) -> Vec<String> {
    let in_path = route.path_parameters().map(|name| {
        let kind = if name == "id" { "Guid" } else { "string" };
        format!("[AliasAs(\"{name}\")] {kind} {}", path_parameter(route.path, name))
    });
    let body = route.body.map(|body| format!("[Body(buffered: true)] {} body", part_name((body.shape)())));
    let query = route.query().filter(|query| !without.contains(&query.name));
    in_path.chain(body).chain(query.map(in_query)).collect()
}

fn in_query(query: Query) -> String {
    let more = match (query.kind, query.form) {
        (Type::List(_), _) => ", Query(CollectionFormat.Multi)",
        (_, Form::Time) => ", Query(Format = \"O\")",
        _ => "",
    };
    let kind = match query.form {
        // Written with every digit that it has, and with a point.
        Form::Decimal => "decimal?".to_owned(),
        form => optional(query.kind, form),
    };
    let name = query.name;
    format!("[AliasAs(\"{name}\"){more}] {kind} {name} = null")
}

fn cancelled(mut parameters: Vec<String>) -> Vec<String> {
    parameters.push("CancellationToken cancellationToken = default".to_owned());
    parameters
}
