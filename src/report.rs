//! The report: one HTML page that shows a run without a server or anything else from outside.
//!
//! Fill a [`ReportData`] and [`render`] it. Everything a page holds is bounded: series arrive
//! down-sampled, marks go through [`MarksSample`], and charts are embedded for the
//! [`MAX_CHARTS`] instruments with the most signals; the others keep their rows in the table.

use serde::Serialize;
use strategy_host::{market::Instrument, paper::PaperResults};

mod embed;
mod latency;
mod marks;

pub use embed::MAX_CHARTS;
pub use latency::Latency;
pub use marks::{InstrumentMarks, MARKS_PER_INSTRUMENT, MarksSample, ReportMark};

/// All that a page shows.
#[derive(Clone, Debug, Default, Serialize)]
pub struct ReportData {
    /// The page's heading, such as `usdm_btcusdt_20240808.gz: apple, pear`.
    pub title: String,
    /// The run itself.
    pub facts: RunFacts,
    /// Of [`strategy_host::market::Market::collect`].
    pub instruments: Vec<Instrument>,
    /// Of [`strategy_host::paper::PaperAccount::finish`].
    pub account: PaperResults,
    /// Of [`MarksSample::finish`], with strategies numbered as in the account.
    pub marks: Vec<InstrumentMarks>,
    /// Time a tick took, one sample as the run took them (a tick, or a frame's time over its ticks).
    pub time_per_tick: Latency,
    /// Time a frame took.
    pub time_per_frame: Latency,
}

/// What is known of a run apart from its prices and signals.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct RunFacts {
    /// Files or feeds, in order; of many the first and the last, and how many there are.
    pub sources: Vec<String>,
    /// `ts_recv` of the run's first tick, in ns since the UNIX epoch.
    pub first_ts_recv: u64,
    /// `ts_recv` of the run's last tick, likewise.
    pub last_ts_recv: u64,
    /// How long the run took, in seconds of the clock on the wall.
    pub elapsed_seconds: f64,
    /// Source events that are not ticks: name and count.
    pub skipped: Vec<(String, u64)>,
    /// Lines that could not be read.
    pub bad_lines: u64,
    /// Ticks that came again and had no effect.
    pub duplicates: u64,
    /// Ticks that are missing.
    pub gaps: u64,
    /// The most memory the process held, in bytes; `None` where the system does not say.
    pub peak_memory_bytes: Option<u64>,
    /// Whatever else a reader should know, such as the command line: name and text.
    pub more: Vec<(String, String)>,
}

/// The page of `data`: HTML that needs nothing but itself.
///
/// Symbols, file names and all other text are shown as text, whatever they contain.
pub fn render(data: &ReportData) -> String {
    fill(
        include_str!("report/page.html"),
        &[
            ("title", &escape_html(&data.title)),
            ("style", include_str!("report/page.css")),
            ("data", &escape_script(&embed::json(data))),
            ("chart", include_str!("report/chart.js")),
            ("tables", include_str!("report/tables.js")),
            ("page", include_str!("report/page.js")),
        ],
    )
}

/// Puts the parts in place of their `{{name}}`. Only the template is searched, so a part may contain
/// whatever it likes.
fn fill(template: &str, parts: &[(&str, &str)]) -> String {
    let mut page =
        String::with_capacity(parts.iter().map(|(_, text)| text.len()).sum::<usize>() + template.len());
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("{{") {
        page.push_str(before);
        let (name, after) = after.split_once("}}").unwrap_or((after, ""));
        page.push_str(parts.iter().find(|(part, _)| *part == name).map_or("", |(_, text)| text));
        rest = after;
    }
    page.push_str(rest);
    page
}

fn escape_html(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// In JSON `<` stands in strings only. Escaped there, no text can end the script or start a comment.
fn escape_script(json: &str) -> String {
    json.replace('<', "\\u003c")
}

#[cfg(test)]
mod tests;
