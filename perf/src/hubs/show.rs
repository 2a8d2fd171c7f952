//! Rows for people, or all in JSON.

use std::io::Write;

use super::Row;

pub(super) fn print(rows: &[Row], is_json: bool) -> std::io::Result<()> {
    let mut output = std::io::stdout().lock();
    if is_json {
        serde_json::to_writer(&mut output, rows)?;
        return writeln!(output);
    }
    writeln!(
        output,
        "connections  stalled  window  updates/s   cores    p99 ms | hubserve: cores, p99 ms | ASP.NET: cores, p99 ms | idle KiB"
    )?;
    for row in rows {
        writeln!(
            output,
            "{:>11} {:>8} {:>4} ms {:>10.0} {:>7.2} {:>9.1} | {:>15} {:>7} | {:>14} {:>7} | {:>8}",
            row.connections,
            row.stalled,
            row.window_ms,
            row.updates_per_s,
            row.server_cores,
            row.p99_ms,
            figure(row.hubserve_cores, 2),
            figure(row.hubserve_p99_ms, 1),
            figure(row.aspnet_cores, 2),
            figure(row.aspnet_p99_ms, 1),
            figure(row.idle_kib, 1),
        )?;
    }
    Ok(())
}

fn figure(value: Option<f64>, digits: usize) -> String {
    value.map_or_else(String::new, |value| format!("{value:.digits$}"))
}
