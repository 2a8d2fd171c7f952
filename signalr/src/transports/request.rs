//! What transports read from a request.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::extract::ConnectInfo;
use axum::http::header::{
    ACCEPT, AUTHORIZATION, CONNECTION, COOKIE, HOST, HeaderMap, HeaderName, HeaderValue, ORIGIN,
    SEC_WEBSOCKET_EXTENSIONS, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, UPGRADE,
};
use axum::http::request::Parts;
use axum::http::{Method, Request, Uri};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::{Bytes, BytesMut};
use percent_encoding::percent_decode_str;
use sha1::{Digest, Sha1};

/// The value of this name in the query, whatever the case of the name. One that is given twice is joined by a comma, as ASP.NET
/// does, and so fits nothing.
pub(super) fn query(parts: &Parts, name: &str) -> Option<String> {
    let values: Vec<_> = pairs(parts.uri.query().unwrap_or_default())
        .filter(|(key, _)| decode(key).eq_ignore_ascii_case(name))
        .map(|(_, value)| decode(value))
        .collect();
    (!values.is_empty()).then(|| values.join(","))
}

/// The connection's secret; an empty one is none.
pub(super) fn id(parts: &Parts) -> Option<String> {
    query(parts, "id").filter(|id| !id.is_empty())
}

/// From `Authorization: Bearer`, or the query, where browsers put it that cannot set a header.
pub(super) fn token(parts: &Parts) -> Option<String> {
    parts
        .headers
        .get(AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .map(|(_, token)| token.trim().to_owned())
        .or_else(|| query(parts, "access_token"))
        .filter(|token| !token.is_empty())
}

/// Of the client, where the server was made with `into_make_service_with_connect_info::<SocketAddr>()`.
pub(super) fn address(parts: &Parts) -> Option<IpAddr> {
    parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(address)| address.ip().to_canonical())
}

/// What `Sec-WebSocket-Accept` has to say, where a WebSocket is asked for in a way that RFC 6455 allows.
pub(super) fn web_socket_accept(parts: &Parts) -> Option<HeaderValue> {
    const KEY_BYTES: usize = 16;
    let headers = &parts.headers;
    let asks = parts.method == Method::GET
        && lists(headers, &CONNECTION, "upgrade")
        && lists(headers, &UPGRADE, "websocket")
        && headers.get(SEC_WEBSOCKET_VERSION).is_some_and(|version| version == "13");
    let key = headers.get(SEC_WEBSOCKET_KEY)?.as_bytes();
    let has_key = STANDARD.decode(key).is_ok_and(|key| key.len() == KEY_BYTES);
    if !asks || !has_key {
        return None;
    }
    let hash = Sha1::new().chain_update(key).chain_update("258EAFA5-E914-47DA-95CA-C5AB0DC85B11").finalize();
    HeaderValue::from_maybe_shared(Bytes::from(STANDARD.encode(hash))).ok()
}

/// Whether the type stands in `Accept`, without parameters: only then does ASP.NET stream events.
pub(super) fn accepts_events(parts: &Parts) -> bool {
    lists(&parts.headers, &ACCEPT, "text/event-stream")
}

/// Whether a browser's page of this origin may connect: the page's own host, and those of the options. Requests of other
/// programs have no origin.
pub(super) fn is_origin_allowed(parts: &Parts, origins: &[Arc<str>]) -> bool {
    let Some(origin) = parts.headers.get(ORIGIN) else { return true };
    is_listed(origin, origins) || is_own_host(parts, origin)
}

/// Whether the origin is one of the options'.
pub(super) fn is_listed(origin: &HeaderValue, origins: &[Arc<str>]) -> bool {
    origins
        .iter()
        .any(|listed| origin.as_bytes().eq_ignore_ascii_case(listed.trim_end_matches('/').as_bytes()))
}

fn is_own_host(parts: &Parts, origin: &HeaderValue) -> bool {
    let host = parts.headers.get(HOST).and_then(|host| host.to_str().ok());
    let origin = origin.to_str().ok().and_then(|origin| origin.split_once("://"));
    host.zip(origin).is_some_and(|(host, (_, origin))| origin.eq_ignore_ascii_case(host))
}

/// A copy for handlers, which lives as long as the connection: it does not keep the buffer that the request was read into, and it
/// has neither the connection's id nor the token in its query. `Authorization` and `Cookie` are there, but not in what is printed.
pub(super) fn kept(parts: Parts) -> Parts {
    let (mut kept, ()) = Request::new(()).into_parts();
    kept.uri = kept_uri(&parts.uri);
    kept.headers = kept_headers(&parts.headers);
    kept.method = parts.method;
    kept.version = parts.version;
    kept.extensions = parts.extensions;
    kept.extensions.remove::<axum::extract::OriginalUri>();
    kept
}

fn kept_uri(uri: &Uri) -> Uri {
    let mut kept = uri.path().to_owned();
    let mut separator = '?';
    for pair in uri.query().unwrap_or_default().split('&') {
        let name = decode(pair.split('=').next().unwrap_or_default());
        if !name.eq_ignore_ascii_case("id") && !name.eq_ignore_ascii_case("access_token") {
            kept.push(separator);
            kept.push_str(pair);
            separator = '&';
        }
    }
    kept.parse().unwrap_or_default()
}

fn kept_headers(headers: &HeaderMap) -> HeaderMap {
    const OF_THE_SOCKET: [HeaderName; 6] = [
        CONNECTION,
        UPGRADE,
        SEC_WEBSOCKET_KEY,
        SEC_WEBSOCKET_VERSION,
        SEC_WEBSOCKET_EXTENSIONS,
        SEC_WEBSOCKET_PROTOCOL,
    ];
    let wanted = || headers.iter().filter(|(name, _)| !OF_THE_SOCKET.contains(name));
    let mut values = BytesMut::with_capacity(wanted().map(|(_, value)| value.len()).sum());
    let mut kept = HeaderMap::with_capacity(wanted().count());
    for (_, value) in wanted() {
        values.extend_from_slice(value.as_bytes());
    }
    let mut values = values.freeze();
    for (name, value) in wanted() {
        let Ok(mut copy) = HeaderValue::from_maybe_shared(values.split_to(value.len())) else { continue };
        copy.set_sensitive(value.is_sensitive() || name == AUTHORIZATION || name == COOKIE);
        kept.append(name.clone(), copy);
    }
    kept
}

fn lists(headers: &HeaderMap, name: &HeaderName, item: &str) -> bool {
    headers
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|listed| listed.trim().eq_ignore_ascii_case(item))
}

fn pairs(query: &str) -> impl Iterator<Item = (&str, &str)> {
    query.split('&').filter(|pair| !pair.is_empty()).map(|pair| pair.split_once('=').unwrap_or((pair, "")))
}

fn decode(encoded: &str) -> String {
    percent_decode_str(&encoded.replace('+', " ")).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(uri: &str, headers: &[(HeaderName, Vec<u8>)]) -> Option<Parts> {
        let mut request = Request::builder().uri(uri).body(()).ok()?;
        for (name, value) in headers {
            request.headers_mut().append(name.clone(), HeaderValue::from_bytes(value).ok()?);
        }
        Some(request.into_parts().0)
    }

    fn query_of(uri: &str, name: &str) -> Option<String> {
        query(&of(uri, &[]).unwrap(), name)
    }

    #[test]
    fn names_have_any_case_and_values_may_be_escaped() {
        assert_eq!(query_of("/hub?ID=a%20b+c", "id").as_deref(), Some("a b c"));
        assert_eq!(query_of("/hub?%69d=x", "id").as_deref(), Some("x"));
        assert_eq!(query_of("/hub?x=1&id", "id").as_deref(), Some(""));
        assert_eq!(query_of("/hub?id=1&Id=2", "id").as_deref(), Some("1,2"));
        assert_eq!(query_of("/hub?idx=1", "id"), None);
        assert_eq!(query_of("/hub", "id"), None);
    }

    #[test]
    fn the_header_comes_before_the_query() {
        let header = |value: &str| [(AUTHORIZATION, value.as_bytes().to_vec())];
        let token_of = |value| token(&of("/hub?access_token=query", &header(value)).unwrap()).unwrap();
        assert_eq!(token_of("Bearer header"), "header");
        assert_eq!(token_of("bEARER  header "), "header");
        assert_eq!(token_of("Basic dXNlcg=="), "query");
        assert_eq!(token(&of("/hub?access_token=", &[]).unwrap()), None);
    }

    #[test]
    fn only_listed_origins_and_the_own_host_may_connect() {
        let origins = ["https://app.example/".into()];
        let allowed = |origin: &str, host: &str| {
            let headers = [(ORIGIN, origin.into()), (HOST, host.into())];
            is_origin_allowed(&of("/hub", &headers).unwrap(), &origins)
        };
        assert!(allowed("https://app.example", "hub.example"));
        assert!(allowed("http://hub.example:8080", "hub.example:8080"));
        assert!(!allowed("http://hub.example", "hub.example:8080"));
        assert!(!allowed("https://app.example.evil", "hub.example"));
        assert!(!allowed("null", "null"));
        assert!(!allowed("", "hub.example"));
    }

    proptest! {
        #[test]
        fn no_request_makes_it_panic_and_none_keeps_its_secrets(
            pairs in proptest::collection::vec(
                ("(id|ID|%69d|access_token|room|[a-z%+]{0,4})", "=?[ -~&&[^#<>\"{}`\\\\^| ]]{0,12}"), 0..6),
            values in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..40), 0..4),
        ) {
            let query: Vec<_> = pairs.iter().map(|(key, value)| format!("{key}{value}")).collect();
            let names = [AUTHORIZATION, ORIGIN, HOST, SEC_WEBSOCKET_KEY];
            let headers: Vec<_> = names.into_iter().zip(values).collect();
            let Some(parts) = of(&format!("/hub?{}", query.join("&")), &headers) else { return Ok(()) };
            let _ = (id(&parts), token(&parts), web_socket_accept(&parts), is_origin_allowed(&parts, &[]));
            let headers = parts.headers.len();
            let kept = kept(parts);
            prop_assert_eq!(super::query(&kept, "id"), None);
            prop_assert_eq!(super::query(&kept, "access_token"), None);
            prop_assert!(kept.headers.len() <= headers);
            prop_assert_eq!(kept.uri.path(), "/hub");
        }
    }
}
