//! The page: one HTML file that shows an [`Outcome`] without a server or anything else from outside.

use crate::outcome::Outcome;

mod sentence;
mod thin;

/// The page of `outcome`: HTML that needs nothing but itself.
///
/// Names, commands and all other text are shown as text, whatever they contain.
pub(crate) fn render(outcome: &Outcome) -> String {
    let result = sentence::of(outcome);
    let mut shown = outcome.clone();
    for step in &mut shown.steps {
        step.series = thin::series(&step.series);
    }
    let data = serde_json::to_string(&shown).expect("numbers, texts and lists are always JSON");
    fill(
        include_str!("page/page.html"),
        &[
            ("workload", &escape_html(&outcome.workload)),
            ("result", &escape_html(&result)),
            ("style", include_str!("page/page.css")),
            ("data", &escape_script(&data)),
            ("chart", include_str!("page/chart.js")),
            ("over_time", include_str!("page/over_time.js")),
            ("percentiles", include_str!("page/percentiles.js")),
            ("rates", include_str!("page/rates.js")),
            ("tables", include_str!("page/tables.js")),
            ("page", include_str!("page/page.js")),
        ],
    )
}

/// Puts the parts in place of their `{{name}}`. Only the template is searched, so that a part may
/// contain whatever it likes.
fn fill(template: &str, parts: &[(&str, &str)]) -> String {
    let mut pieces = template.split("{{");
    let mut page = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let (name, after) = piece.split_once("}}").expect("the template closes each name");
        let part = parts.iter().find(|(part, _)| *part == name);
        page.push_str(part.expect("the template names parts only").1);
        page.push_str(after);
    }
    page
}

fn escape_html(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// In JSON `<` stands in texts only. Escaped there, no text can end the script or start a comment.
fn escape_script(json: &str) -> String {
    json.replace('<', "\\u003c")
}

#[cfg(test)]
mod tests;
