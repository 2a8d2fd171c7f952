//! A zip archive is a folder of files, and what is none of its data is never read as such.

use std::fs;
use std::io::{Cursor, Read, Write};
use std::path::{Path, PathBuf};

use rawzip::{CompressionMethod, ZipArchiveWriter};
use tick_ingest::input::{Compression, Input};
use tick_ingest::sources::{self, ExpandError};
use tick_ingest::{Batch, Format, ReadOptions, detect};

/// Writes an archive of these files; a name that ends in `/` is a folder.
fn write_zip(path: &Path, files: &[(&str, &[u8])]) -> String {
    let mut archive = ZipArchiveWriter::new(fs::File::create(path).unwrap());
    for (name, content) in files {
        if name.ends_with('/') {
            archive.new_dir(name).create().unwrap();
            continue;
        }
        let (mut entry, config) =
            archive.new_file(name).compression_method(CompressionMethod::DEFLATE).start().unwrap();
        let packed = flate2::write::DeflateEncoder::new(&mut entry, flate2::Compression::fast());
        let mut writer = config.wrap(packed);
        writer.write_all(content).unwrap();
        let (_, descriptor) = writer.finish().unwrap();
        entry.finish(descriptor).unwrap();
    }
    archive.finish().unwrap();
    path.to_str().unwrap().to_owned()
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

fn given(name: &str) -> String {
    let path: PathBuf = [env!("CARGO_MANIFEST_DIR"), "tests/data/readers", name].iter().collect();
    path.to_str().unwrap().to_owned()
}

fn content(name: &str) -> String {
    let mut text = String::new();
    Input::open(name).unwrap().read_to_string(&mut text).unwrap();
    text
}

fn refused(name: &str) -> String {
    let read = Input::open(name).and_then(|mut input| {
        let mut bytes = Vec::new();
        input.read_to_end(&mut bytes).map(|_| ()).map_err(|error| input.error(error))
    });
    read.unwrap_err().to_string()
}

#[test]
fn an_exchanges_archive_is_the_csv_in_it() {
    let archive = given("03-BTCUSDT-aggTrades-2024-07-04.zip");
    let member = format!("{archive}/BTCUSDT-aggTrades-2024-07-04.csv");
    assert_eq!(sources::expand(&archive).unwrap(), std::slice::from_ref(&member));
    let (as_archive, as_member) = (Input::open(&archive).unwrap(), Input::open(&member).unwrap());
    assert_eq!((as_archive.name(), as_archive.compression()), (&*member, Compression::Zip));
    assert_eq!(as_member.name(), member);
    let opened = detect::open(&archive, &ReadOptions::default()).unwrap();
    assert_eq!(opened.format, Format::BinanceAggTrades);
    let (mut reader, mut batch) = (opened.reader, Batch::default());
    while reader.read(&mut batch).unwrap() {}
    assert_eq!(batch.new_symbols[0].symbol, "BTCUSDT");
    assert_eq!(batch.ticks.len(), 20);
}

#[test]
fn several_files_come_in_order_of_name_without_what_is_no_data() {
    let folder = folder();
    let gzipped = {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(b"of b").unwrap();
        encoder.finish().unwrap()
    };
    let archive = write_zip(
        &folder.path().join("all.zip"),
        &[
            ("__MACOSX/._a.csv", b"junk"),
            ("2024/", b""),
            ("2024/b.csv.gz", &gzipped),
            ("2024/a.csv", b"of a"),
            ("2024/a.csv.CHECKSUM", b"junk"),
            ("2024/a.txt", b"a report of gaps"),
            (".DS_Store", b"junk"),
            ("README.txt", b"junk"),
            ("metadata.json", b"junk"),
            ("c.txt", b"of c"),
        ],
    );
    let names = |names: &[&str]| names.iter().map(|name| format!("{archive}/{name}")).collect::<Vec<_>>();
    let all = names(&["2024/a.csv", "2024/b.csv.gz", "c.txt"]);
    assert_eq!(sources::expand(&archive).unwrap(), all);
    assert_eq!(sources::expand(&format!("{archive}/2024")).unwrap(), all[..2]);
    assert_eq!(sources::expand(&format!("{archive}/*.txt")).unwrap(), all[2..]);
    assert_eq!(all.iter().map(|name| content(name)).collect::<Vec<_>>(), ["of a", "of b", "of c"]);
    let error = refused(&archive);
    assert!(
        error.contains("is a zip archive of 3 data files") && error.contains("all.zip/2024/a.csv"),
        "{error}"
    );
    // What is asked for by its name is read, whatever it looks like.
    let report = format!("{archive}/2024/a.txt");
    assert_eq!(sources::expand(&report).unwrap(), std::slice::from_ref(&report));
    assert_eq!(content(&report), "a report of gaps");
}

#[test]
fn an_archive_that_cannot_be_read_says_why() {
    let folder = folder();
    let path = |name: &str| folder.path().join(name);
    let said = |name: &str, reasons: &[&str]| {
        let name = path(name).to_str().unwrap().to_owned();
        let errors = [sources::expand(&name).map(|_| ()).unwrap_err().to_string(), refused(&name)];
        for (error, reason) in
            errors.iter().flat_map(|error| reasons.iter().map(move |reason| (error, reason)))
        {
            assert!(error.starts_with(&name) && error.contains(reason), "{reason}: {error}");
        }
    };
    write_zip(&path("empty.zip"), &[]);
    said("empty.zip", &["with nothing in it"]);
    write_zip(&path("junk.zip"), &[(".DS_Store", b"junk"), ("folder/", b"")]);
    said("junk.zip", &["without a data file among its 1 file"]);

    let whole = write_zip(&path("whole.zip"), &[("a.csv", &b"1,2,3\n".repeat(1000))]);
    let bytes = fs::read(&whole).unwrap();
    fs::write(path("cut.zip"), &bytes[..bytes.len() - 30]).unwrap();
    said("cut.zip", &["without its directory", "fetch it again"]);

    let mut damaged = bytes.clone();
    damaged[30 + 5 + 4] ^= 0x10;
    fs::write(path("damaged.zip"), &damaged).unwrap();
    let error = refused(path("damaged.zip").to_str().unwrap());
    assert!(error.contains("damaged.zip/a.csv: unpacking it: "), "{error}");

    for (method, name) in [(9, "deflate64"), (98, "ppmd"), (77, "method 77")] {
        let mut other = bytes.clone();
        // In its own header, and in the directory.
        let directory = bytes.windows(4).position(|word| word == b"PK\x01\x02").unwrap();
        for at in [8, directory + 10] {
            other[at] = method;
        }
        fs::write(path("other.zip"), &other).unwrap();
        let error = refused(path("other.zip").to_str().unwrap());
        assert!(error.contains(&format!("other.zip/a.csv: is packed with {name} ")), "{error}");
        other[directory + 8] |= 1;
        fs::write(path("secret.zip"), &other).unwrap();
        let error = refused(path("secret.zip").to_str().unwrap());
        assert!(error.contains("secret.zip/a.csv: is encrypted"), "{error}");
    }

    let nested = write_zip(&path("nested.zip"), &[("inner.zip", &bytes)]);
    let error = refused(&nested);
    assert!(error.contains("nested.zip/inner.zip: is a zip archive within a zip archive"), "{error}");
    let error = refused(&format!("{whole}/b.csv"));
    assert!(error.contains("without a file b.csv") && error.contains("it has: a.csv"), "{error}");
}

#[test]
fn an_archive_cannot_be_a_stream() {
    let folder = folder();
    let archive = write_zip(&folder.path().join("a.zip"), &[("a.csv", b"1")]);
    let bytes = fs::read(archive).unwrap();
    let error = Input::from_reader("standard input", Box::new(Cursor::new(bytes))).map(|_| ()).unwrap_err();
    let error = error.to_string();
    assert!(error.contains("read as a stream") && error.contains("unzip -p"), "{error}");
}

#[test]
fn a_folder_and_a_pattern_are_their_files() {
    let folder = folder();
    let path = folder.path();
    for name in
        ["b.csv", "a.csv", ".hidden.csv", "a.csv.CHECKSUM", "page.html", "sub/c.csv", "only/folders/d.csv"]
    {
        let file = path.join(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, "x").unwrap();
    }
    write_zip(&path.join("c.zip"), &[("2.csv", b"y"), ("1.csv", b"z")]);
    let name = |name: &str| path.join(name).to_str().unwrap().to_owned();
    let names = |files: &[&str]| files.iter().map(|file| name(file)).collect::<Vec<_>>();
    let all = names(&["a.csv", "b.csv", "c.zip/1.csv", "c.zip/2.csv"]);
    assert_eq!(sources::expand(path.to_str().unwrap()).unwrap(), all);
    assert_eq!(sources::expand(&name("")).unwrap(), all);
    assert_eq!(sources::expand(&name("[ab].c?v")).unwrap(), all[..2]);
    assert_eq!(sources::expand(&name("*/*.csv")).unwrap(), names(&["sub/c.csv"]));
    assert_eq!(sources::expand(&name("b.csv")).unwrap(), all[1..2]);
    assert_eq!(sources::expand(&name("s*")).unwrap(), names(&["sub/c.csv"]));
    // Whoever opens it says that it is not there.
    assert_eq!(sources::expand(&name("none.csv")).unwrap(), names(&["none.csv"]));
    assert_eq!(sources::expand("-").unwrap(), ["-"]);

    let error = sources::expand(&name("*.zst")).unwrap_err();
    assert!(matches!(error, ExpandError::NoMatch { .. }), "{error}");
    let error = sources::expand(&name("[.csv")).unwrap_err();
    assert!(matches!(error, ExpandError::Pattern { .. }), "{error}");
    let error = sources::expand(&name("only")).unwrap_err().to_string();
    assert!(error.contains("only: is a folder without a file") && error.contains("only/*/*'"), "{error}");
}

#[test]
fn the_given_folder_is_two_days() {
    let folder = given("24-dir");
    let days =
        ["BTCUSDT-trades-2024-12.csv", "BTCUSDT-trades-2025-01.csv"].map(|day| format!("{folder}/{day}"));
    assert_eq!(sources::expand(&folder).unwrap(), days);
    assert_eq!(sources::expand(&format!("{folder}/*.csv")).unwrap(), days);
}
