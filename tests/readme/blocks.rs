//! The README's commands: its `sh` blocks, section by section.

/// What is between two headings.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Section {
    /// The heading's text.
    pub(crate) heading: String,
    /// The lines of each block that is to be run.
    pub(crate) blocks: Vec<Vec<String>>,
}

/// A line that begins so leaves the next block out; nobody sees it on the page.
const NOT_RUN: &str = "<!-- not run: ";

/// Takes the blocks out of a page.
pub(crate) fn sections(page: &str) -> Vec<Section> {
    let mut sections = vec![Section::default()];
    let mut lines = page.lines();
    let mut is_run = true;
    while let Some(line) = lines.next() {
        let section = sections.last_mut().expect("there is a first one");
        if let Some(heading) = line.strip_prefix("## ") {
            sections.push(Section { heading: heading.to_owned(), blocks: Vec::new() });
        } else if line.starts_with(NOT_RUN) {
            is_run = false;
        } else if let Some(language) = line.strip_prefix("```") {
            let block: Vec<String> =
                lines.by_ref().take_while(|line| *line != "```").map(str::to_owned).collect();
            if language == "sh" && is_run {
                section.blocks.push(block);
            }
            is_run = true;
        }
    }
    sections
}

/// The assignments of a page, which later sections use.
pub(crate) fn assignments(sections: &[Section]) -> Vec<&str> {
    let is_assignment = |line: &&str| {
        line.split_once('=').is_some_and(|(name, value)| {
            name.bytes().all(|byte| byte.is_ascii_uppercase()) && !value.contains([' ', '$'])
        })
    };
    sections
        .iter()
        .flat_map(|section| section.blocks.iter().flatten())
        .map(String::as_str)
        .filter(is_assignment)
        .collect()
}

#[test]
fn blocks_are_found_by_section_and_left_out_by_a_comment() {
    let page = "\
# Title
## One
```sh
C=file
orchard info $C # what it is
```
text
```rust
## no heading
```
## Two
<!-- not run: it takes minutes -->
```sh
scripts/test
```

```sh
a
b
```
";
    let found = sections(page);
    let own = |lines: &[&str]| lines.iter().map(|line| (*line).to_owned()).collect::<Vec<_>>();
    let one = vec![own(&["C=file", "orchard info $C # what it is"])];
    assert_eq!(found[1], Section { heading: "One".to_owned(), blocks: one });
    assert_eq!(found[2], Section { heading: "Two".to_owned(), blocks: vec![own(&["a", "b"])] });
    assert_eq!((found.len(), assignments(&found)), (3, vec!["C=file"]));
}
