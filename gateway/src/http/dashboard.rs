//! The dashboard: files that are built in `dashboard/` and are in this binary. They say nothing that is not in the program's own
//! files, so whoever asks is given them; what they show they ask the other routes for.
//!
//! The page is asked for anew each time, and is rarely sent. It names the others below a folder that is named by the content of all,
//! so that these are asked for once.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::sync::LazyLock;

use axum::Router;
use axum::extract::Path;
use axum::http::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG,
    REFERRER_POLICY, VARY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest, Sha256};

use super::read::Known;
use super::refusal::Refusal;
use crate::documents::Text;

/// Every file with its path below `dashboard/dist`.
static FILES: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/dashboard.rs"));

/// The page.
const PAGE: &str = "index.html";
/// Where the page's files are, as it names them.
const ASSETS: &str = "./assets/";

/// Nothing comes from elsewhere, and nothing runs that is not a file of these.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; \
                      connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The routes of the files.
pub(super) fn router<S: Clone + Send + Sync + 'static>() -> Router<S> {
    Router::new().route("/", get(page)).route("/icon.svg", get(icon)).route("/assets/{*path}", get(asset))
}

/// Whether this is the path of a file, which needs no key.
pub(super) fn is_path(path: &str) -> bool {
    matches!(path, "/" | "/icon.svg") || path.starts_with("/assets/")
}

async fn page(headers: HeaderMap, known: Known) -> Response {
    answer(PAGE, &headers, &known, false)
}

async fn icon(headers: HeaderMap, known: Known) -> Response {
    answer("icon.svg", &headers, &known, false)
}

async fn asset(Path(path): Path<String>, headers: HeaderMap, known: Known) -> Response {
    let named = path.split_once('/').filter(|(version, _)| *version == DASHBOARD.version);
    let is_kept = named.is_some();
    let name = named.map_or(path.as_str(), |(_, name)| name);
    answer(&format!("assets/{name}"), &headers, &known, is_kept)
}

fn answer(name: &str, headers: &HeaderMap, known: &Known, is_kept: bool) -> Response {
    let Some(file) = DASHBOARD.files.get(name) else {
        let detail = "the dashboard has no such file; a page of another version may ask for it: load it anew";
        return Refusal::not_found(detail).into_response();
    };
    // The same name always has the same content where the folder is named by it.
    let kept = if is_kept { "public, max-age=31536000, immutable" } else { "no-cache" };
    let mut answer = if known.has(&file.plain) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        match &file.packed {
            Some(packed) if takes_gzip(headers) => {
                ([(CONTENT_ENCODING, "gzip")], packed.clone()).into_response()
            }
            _ => file.plain.body.clone().into_response(),
        }
    };
    let all: [(HeaderName, &'static str); 6] = [
        (CONTENT_TYPE, file.kind),
        (CACHE_CONTROL, kept),
        (VARY, "accept-encoding"),
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "no-referrer"),
    ];
    for (name, value) in all {
        answer.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    if let Ok(tag) = HeaderValue::from_maybe_shared(file.plain.tag.clone()) {
        answer.headers_mut().insert(ETAG, tag);
    }
    answer
}

/// Whether gzip is among what the client takes, and not ruled out there (RFC 9110 12.5.3).
fn takes_gzip(headers: &HeaderMap) -> bool {
    let given = headers.get_all(ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    let mut codings = given.flat_map(|value| value.split(',')).map(|coding| {
        let (name, parameters) = coding.split_once(';').unwrap_or((coding, ""));
        let weight = parameters.trim().strip_prefix("q=").map_or(Ok(1.0), str::parse::<f32>);
        (name.trim(), weight.unwrap_or(0.0))
    });
    codings.any(|(name, weight)| (name.eq_ignore_ascii_case("gzip") || name == "*") && weight > 0.0)
}

struct File {
    kind: &'static str,
    plain: Text,
    /// The same in gzip, where that is shorter.
    packed: Option<Bytes>,
}

struct Dashboard {
    /// Names the content of all files.
    version: String,
    files: BTreeMap<&'static str, File>,
}

/// Packed once, when the first file is asked for.
static DASHBOARD: LazyLock<Dashboard> = LazyLock::new(|| {
    let mut digest = Sha256::new();
    for (name, content) in FILES {
        digest.update(name);
        digest.update(content);
    }
    let version = hex(&digest.finalize());
    let files = FILES.iter().map(|&(name, content)| (name, file(name, content, &version))).collect();
    Dashboard { version, files }
});

fn file(name: &str, content: &'static [u8], version: &str) -> File {
    let body = match name {
        PAGE => {
            let page = String::from_utf8_lossy(content);
            page.replace(ASSETS, &format!("{ASSETS}{version}/")).into()
        }
        _ => Bytes::from_static(content),
    };
    let tag = format!("\"{}\"", hex(&Sha256::digest(&body))).into();
    let packed = gzip(&body).filter(|packed| packed.len() < body.len());
    File { kind: kind(name), plain: Text { body, tag }, packed }
}

fn gzip(body: &[u8]) -> Option<Bytes> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(body).ok()?;
    encoder.finish().ok().map(Bytes::from)
}

/// The first 16 digits tell files of a few versions from each other.
fn hex(digest: &[u8]) -> String {
    digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

fn kind(name: &str) -> &'static str {
    match name.rsplit('.').next().unwrap_or_default() {
        "html" => "text/html; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "txt" => "text/plain; charset=utf-8",
        "json" => "application/json",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a browser loads for every page together, over a line: the issue's limit.
    const MOST_BYTES: usize = 400_000;

    #[test]
    fn the_dashboard_is_small_once_compressed() {
        let sizes = DASHBOARD.files.values().map(|file| match &file.packed {
            Some(packed) => packed.len(),
            None => file.plain.body.len(),
        });
        let total: usize = sizes.sum();
        assert!(total < MOST_BYTES, "{total} bytes");
        assert!(DASHBOARD.files.contains_key(PAGE));
    }

    #[test]
    fn gzip_is_sent_to_whoever_takes_it() {
        let takes = |value: &'static str| {
            takes_gzip(&HeaderMap::from_iter([(ACCEPT_ENCODING, HeaderValue::from_static(value))]))
        };
        assert!(takes("gzip, deflate, br") && takes("br;q=1.0, GZIP;q=0.5") && takes("*"));
        assert!(!takes("identity") && !takes("gzip;q=0") && !takes("br"));
        assert!(!takes_gzip(&HeaderMap::new()));
    }
}
