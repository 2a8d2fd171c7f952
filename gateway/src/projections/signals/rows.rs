//! The signals of a bucket, read out of its text as they are needed: a page needs a few of a thousand.

use std::sync::Arc;

use serde::Deserialize;

use super::{END, ROWS, Row};

/// What a bucket says of all of its signals.
#[derive(Debug, Deserialize)]
struct Head {
    shard: u16,
}

/// A bucket's rows from some place on.
#[derive(Clone, Debug)]
pub(super) struct Rows {
    pub(super) shard: u16,
    body: Arc<str>,
    /// Where the next row begins.
    next: usize,
    /// Behind the last row.
    end: usize,
}

impl Rows {
    /// Begins with the first row; the error says why the text is not that of a bucket.
    pub(super) fn of(body: Arc<str>) -> Result<Self, String> {
        // Within a text of JSON a quotation mark has a backslash before it: what is found is the member.
        let at = body.find(ROWS).ok_or("it has no rows")?;
        let head: Head = serde_json::from_str(&format!("{}}}", &body[..at])).map_err(|e| e.to_string())?;
        let (next, end) = (at + ROWS.len(), body.len().saturating_sub(END.len()));
        if next > end || !body.ends_with(END) {
            return Err("it is cut off".to_owned());
        }
        Ok(Self { shard: head.shard, body, next, end })
    }

    /// The next row, and goes on behind it.
    pub(super) fn next(&mut self) -> Result<Option<Row>, String> {
        if self.next >= self.end {
            return Ok(None);
        }
        let (row, behind) = self.row(self.next)?;
        self.next = behind;
        Ok(Some(row))
    }

    /// Leaves out the rows that `is_before` is true for, which are the first ones. It looks at few of them.
    pub(super) fn skip_while(&mut self, mut is_before: impl FnMut(&Row) -> bool) -> Result<(), String> {
        let (mut from, mut to) = (self.next, self.end);
        while from < to {
            // A row has no brackets within, so each one begins where one opens.
            let middle = from + (to - from) / 2;
            let begin = self.body.as_bytes()[from..=middle].iter().rposition(|&byte| byte == b'[');
            let begin = from + begin.ok_or("its rows are none")?;
            let (row, behind) = self.row(begin)?;
            if is_before(&row) {
                from = behind;
            } else {
                to = begin;
            }
        }
        self.next = from;
        Ok(())
    }

    /// The row that begins here, and where the one behind it does.
    fn row(&self, begin: usize) -> Result<(Row, usize), String> {
        let rest = &self.body.as_bytes()[begin..self.end];
        let length = rest.iter().position(|&byte| byte == b']').ok_or("a row is cut off")? + 1;
        let row = serde_json::from_slice(&rest[..length]).map_err(|error| error.to_string())?;
        // A comma is between two rows.
        Ok((row, begin + length + 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_read_in_order_and_sought_by_halves() {
        let text = |times: &[u64]| {
            let rows: Vec<Row> = times.iter().map(|&at| (at % 7, 0, at, -1, 1, None)).collect();
            let rows = serde_json::to_string(&rows).unwrap();
            let head = r#"{"run":"[r],\"rows\":[","strategy":"a","symbol":"]}","shard":3"#;
            format!("{head},\"rows\":{rows}}}")
        };
        let times: Vec<u64> = (0..1000).map(|at| at / 3 * 10).collect();
        let all = Rows::of(text(&times).into()).unwrap();
        assert_eq!(all.shard, 3);
        for from in [0, 1, 10, 15, 1700, 3330, 3331] {
            let mut rows = all.clone();
            let mut looks = 0;
            let is_before = |row: &Row| {
                looks += 1;
                row.2 < from
            };
            rows.skip_while(is_before).unwrap();
            assert!(looks <= 12, "{looks}");
            let mut found = Vec::new();
            while let Some(row) = rows.next().unwrap() {
                found.push(row.2);
            }
            let expected: Vec<u64> = times.iter().copied().filter(|&at| at >= from).collect();
            assert_eq!(found, expected, "{from}");
        }
        let mut none = Rows::of(text(&[]).into()).unwrap();
        none.skip_while(|_| true).unwrap();
        assert_eq!(none.next(), Ok(None));
    }

    #[test]
    fn a_damaged_bucket_says_so() {
        let fails = |text: &str| {
            let Ok(mut rows) = Rows::of(text.into()) else { return true };
            rows.clone().skip_while(|_| true).is_err() && rows.next().is_err()
        };
        assert!(!fails(r#"{"shard":3,"rows":[[1,0,2,0,1,null]]}"#));
        for text in [
            "",
            "{}",
            r#"{"shard":3,"rows":["#,
            r#"{"shard":-3,"rows":[]}"#,
            r#"{"rows":[]}"#,
            r#"{"shard":3,"rows":[é]}"#,
            r#"{"shard":3,"rows":[[1,0,2]]}"#,
            r#"{"shard":3,"rows":[[1,0,2,0,1,null]}"#,
            r#"{"shard":3,"rows":[1,0,2,0,1,null]]}"#,
        ] {
            assert!(fails(text), "{text}");
        }
    }
}
