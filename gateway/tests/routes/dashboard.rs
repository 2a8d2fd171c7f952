//! The dashboard's files.

use gateway::GatewayOptions;

use crate::service::Service;

/// A browser that takes gzip is given it; the client of these tests unpacks nothing.
#[tokio::test(flavor = "multi_thread")]
async fn the_page_and_its_files_come_without_a_key_and_run_nothing_else() {
    let service =
        Service::start_with(|options| GatewayOptions { is_key_needed_locally: true, ..options }).await;
    let page = service.get("/").send().await.unwrap();
    assert_eq!(page.status(), 200);
    assert_eq!(page.headers()["content-type"], "text/html; charset=utf-8");
    assert_eq!(page.headers()["cache-control"], "no-cache");
    assert_eq!(page.headers()["x-content-type-options"], "nosniff");
    let policy = page.headers()["content-security-policy"].to_str().unwrap().to_owned();
    assert!(policy.contains("default-src 'none'") && policy.contains("script-src 'self'"), "{policy}");
    assert!(!policy.contains("unsafe-inline") && !policy.contains("unsafe-eval"), "{policy}");
    let tag = page.headers()["etag"].clone();
    let page = page.text().await.unwrap();
    assert!(!page.contains("<script>") && !page.contains("style="), "{page}");

    let same = service.get("/").header("if-none-match", &tag).send().await.unwrap();
    assert_eq!((same.status().as_u16(), same.bytes().await.unwrap().len()), (304, 0));

    let files: Vec<_> = page.split('"').filter(|text| text.starts_with("./assets/")).collect();
    assert!(
        files.iter().any(|file| file.ends_with(".js")) && files.iter().any(|file| file.ends_with(".css"))
    );
    for file in files {
        let path = file.trim_start_matches('.');
        let plain = service.get(path).send().await.unwrap();
        let kind = if path.ends_with(".js") { "text/javascript" } else { "text/css" };
        assert!(plain.headers()["content-type"].to_str().unwrap().starts_with(kind), "{path}");
        assert!(plain.headers()["cache-control"].to_str().unwrap().contains("immutable"), "{path}");
        let plain = plain.bytes().await.unwrap();
        let packed = service.get(path).header("accept-encoding", "gzip").send().await.unwrap();
        assert_eq!(packed.headers()["content-encoding"], "gzip", "{path}");
        let packed = packed.bytes().await.unwrap();
        assert!(packed.starts_with(&[0x1f, 0x8b]) && packed.len() < plain.len(), "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_of_another_version_is_not_there_and_nothing_is_beyond_the_files() {
    let service = Service::start().await;
    for path in ["/assets/0123456789abcdef/index.js", "/assets/none.js", "/assets/..%2f..%2fCargo.toml"] {
        let answer = service.get(path).send().await.unwrap();
        assert_eq!(answer.status(), 404, "{path}");
        assert_eq!(answer.headers()["content-type"], "application/problem+json", "{path}");
    }
    let stable = service.get("/assets/index.js").send().await.unwrap();
    assert_eq!(
        (stable.status().as_u16(), &stable.headers()["cache-control"]),
        (200, &"no-cache".parse().unwrap())
    );
}
