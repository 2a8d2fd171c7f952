//! The commands of `tick-ingest/FORMATS.md`: each reads the small file of its vendor's shape.

use std::path::Path;

use crate::program::Folder;
use crate::readers::words;

/// The commands of the page's first table, as a shell gets them.
fn commands(page: &str) -> Vec<String> {
    let rows = page.lines().filter(|line| line.starts_with("| ") && line.contains("`orchard replay "));
    let command = |row: &str| {
        let (_, command) = row.split_once("`orchard replay ").expect("a command");
        command.rsplit_once('`').expect("its end").0.replace("\\|", "|")
    };
    rows.map(command).collect()
}

#[test]
fn each_vendors_file_is_read_by_its_command() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tick-ingest");
    let page = std::fs::read_to_string(root.join("FORMATS.md")).expect("the page");
    let files = root.join("tests/data/vendors");
    let folder = Folder::new();
    let mut read = String::new();
    for command in commands(&page) {
        let mut words = words(&command);
        let name = std::mem::take(&mut words[0]);
        let file = files.join(&name).into_os_string().into_string().expect("UTF-8");
        let options = words[1..].iter().map(String::as_str);
        let args: Vec<&str> = ["convert", &file, "out.csv", "--force"].into_iter().chain(options).collect();
        folder.done(&args);
        let ticks = String::from_utf8(folder.read("out.csv")).expect("UTF-8");
        let ticks = ticks.split_once('\n').expect("a header").1;
        read.push_str(&format!("{name}\n{ticks}"));
    }
    let expected = std::fs::read_to_string(files.join("../vendors.txt")).expect("the expected ticks");
    assert_eq!(read, expected);
}
