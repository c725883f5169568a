//! `report.html`: one file with everything in it, for a browser without a network.

mod parts;

use super::chart::{NARROW, Size, WIDE, draw};
use super::palette::{DARK, LIGHT, Theme};
use super::run::{Run, Tested};
use super::text::escape;
use super::{correct, curves, features};
use crate::error::Result;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// The page as text.
pub fn page(runs: &[Run]) -> Result<String> {
    let tested: Vec<(&Run, &Tested)> = runs.iter().filter_map(|r| Some((r, r.tested.as_ref()?))).collect();
    let mut body = parts::header(runs, tested.first().copied());
    body += "<main>\n";
    body += &parts::runs_table(runs)?;
    body += &curves_section(runs)?;
    body += &parts::epochs_table(runs);
    let mut styles = String::from(include_str!("page/report.css"));
    if let Some(&(run, first)) = tested.first() {
        body += &parts::gallery(&tested);
        body += &parts::class_table(run, first);
        let (name, label) = (&run.config.model, escape(&run.label));
        let sheets =
            [("Right answers", correct::draw(run, first)?), ("Inside the network", features::draw(run, first)?)];
        for (title, sheet) in sheets {
            let source = data_url(&sheet.png()?);
            body += &format!(
                "<section><h2>{title}</h2>\n\
                 <div class=\"scroll wide\" tabindex=\"0\" role=\"group\" aria-label=\"{title}\">\
                 <img src=\"{source}\" alt=\"{title}: {name}, run {label}\"></div></section>\n"
            );
        }
    }
    let mut data = Vec::new();
    for (index, (run, tested)) in tested.iter().enumerate() {
        let (value, sprite) = parts::gallery_data(run, tested, index)?;
        styles += &format!(".sprite-{index} {{ background-image: url({}); }}\n", data_url(&sprite));
        data.push(value);
    }
    // "<" cannot end the script element early when it is written as an escape.
    let data = serde_json::Value::Array(data).to_string().replace('<', "\\u003c");
    let (title, version) = (parts::title(runs, tested.first().copied()), env!("CARGO_PKG_VERSION").to_string());
    let script = include_str!("page/report.js").to_string();
    let mut page = include_str!("page/page.html").to_string();
    // What stands behind the body goes in before it, what stands above it after: no name in it is taken for a place.
    let places = [("version", version), ("data", data), ("script", script), ("body", body)];
    for (name, text) in places.into_iter().chain([("styles", styles), ("title", title)]) {
        page = page.replacen(&format!("{{{{{name}}}}}"), &text, 1);
    }
    Ok(page)
}

/// Each curve in up to four pictures, of which the browser takes one: light and dark, and the first one wide and
/// narrow; the others stand beside each other where there is room.
fn curves_section(runs: &[Run]) -> Result<String> {
    let picture = |theme: Theme, index: usize, size: Size| -> Result<String> {
        let (_, chart) = &curves::all(runs, &theme)[index];
        let url = data_url(&draw(chart, size, theme)?.png()?);
        Ok(format!("=\"{url}\" width=\"{}\" height=\"{}\"", size.width, size.height))
    };
    let (narrow, dark) = ("(max-width: 600px)", "(prefers-color-scheme: dark)");
    let mut out = String::from("<section><h2>Curves</h2>\n<div class=\"curves\">\n");
    for (index, (_, chart)) in curves::all(runs, &LIGHT).iter().enumerate() {
        let size = if index == 0 { WIDE } else { NARROW };
        out += "<picture>\n";
        let phone = [(format!("{narrow} and {dark}"), DARK, NARROW), (narrow.into(), LIGHT, NARROW)];
        let first = if index == 0 { &phone[..] } else { &[] };
        for (media, theme, size) in first.iter().chain(&[(dark.into(), DARK, size)]) {
            out += &format!("<source media=\"{media}\" srcset{}>\n", picture(*theme, index, *size)?);
        }
        out += &format!(
            "<img src{} alt=\"{} of {}; the numbers are in the table below\">\n</picture>\n",
            picture(LIGHT, index, size)?,
            chart.title,
            parts::names(runs)
        );
    }
    Ok(out + "</div>\n")
}

fn data_url(png: &[u8]) -> String {
    format!("data:image/png;base64,{}", STANDARD.encode(png))
}
