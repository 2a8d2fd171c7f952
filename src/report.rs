//! The report: one HTML page that shows a run without a server or anything else from outside.
//!
//! Fill a [`ReportData`] and [`render`] it. Everything a page holds is bounded: series arrive
//! down-sampled, marks go through [`MarksSample`], and charts are embedded for the
//! [`MAX_CHARTS`] instruments with the most signals; the others keep their rows in the table.

use strategy_host::{market::Instrument, paper::PaperResults};

mod cards;
mod embed;
mod figures;
mod latency;
mod marks;
mod numbers;
mod sections;
mod still;
mod trades;

pub use embed::{MAX_CHARTS, MAX_ROWS};
pub use latency::Latency;
pub use marks::{InstrumentMarks, MARKS_PER_INSTRUMENT, MarksSample, ReportMark};
pub use trades::{MAX_TRADES, ReportTrade, ReportTrades, TradesSample};

use crate::replay::ConfiguredStrategy;
use crate::text::thousands;

/// All that a page shows.
#[derive(Clone, Debug, Default)]
pub struct ReportData {
    /// The page's heading, such as `usdm_btcusdt_20240808.gz: apple, pear`.
    pub title: String,
    /// The run's id.
    pub run: String,
    /// The run itself.
    pub facts: RunFacts,
    /// What ran, in the order of the account's strategies.
    pub strategies: Vec<ConfiguredStrategy>,
    /// Of [`strategy_host::market::Market::collect`].
    pub instruments: Vec<Instrument>,
    /// Of [`strategy_host::paper::PaperAccount::finish`].
    pub account: PaperResults,
    /// Of [`MarksSample::finish`], with strategies numbered as in the account.
    pub marks: Vec<InstrumentMarks>,
    /// Of [`TradesSample::finish`], with strategies numbered likewise.
    pub trades: ReportTrades,
    /// Time a tick took, one sample as the run took them (a tick, or a frame's time over its ticks).
    pub time_per_tick: Latency,
    /// Time a frame took.
    pub time_per_frame: Latency,
}

/// What is known of a run apart from its prices and signals.
#[derive(Clone, Debug, Default, PartialEq)]
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
            ("subtitle", &sections::subtitle(data)),
            ("cards", &cards::cards(data)),
            ("strategies", &sections::strategies(data)),
            ("rules", &sections::rules(data)),
            ("facts", &sections::facts(data)),
            ("listed", &listed(&data.trades)),
            ("zoom", include_str!("report/zoom.html").trim_end()),
            ("equity", &still::equity(data)),
            ("results", &still::results(data)),
            ("trades", &still::trades(data)),
            ("instruments", &still::instruments(data)),
            ("data", &escape_script(&embed::json(data))),
            ("scripts", &SCRIPTS.concat()),
        ],
    )
}

/// In the order in which they build on each other.
const SCRIPTS: [&str; 7] = [
    include_str!("report/chart.js"),
    include_str!("report/view.js"),
    include_str!("report/curves.js"),
    include_str!("report/candles.js"),
    include_str!("report/tables.js"),
    include_str!("report/bars.js"),
    include_str!("report/page.js"),
];

/// Which round trips the page has.
fn listed(trades: &ReportTrades) -> String {
    let shown = trades.listed.len() as u64;
    if trades.count <= shown {
        return format!("All {} that were closed are here.", thousands(shown));
    }
    format!(
        "The first and the last {} of {} that were closed are here; <code>orchard replay --trades FILE</code> \
         writes all of them.",
        thousands(shown / 2),
        thousands(trades.count)
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
