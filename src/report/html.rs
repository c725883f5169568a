//! `report.html`: one file with everything in it, for a browser without a network.

mod parts;

use super::canvas::Canvas;
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
    let (curves, spots) = curves_section(runs)?;
    body += &curves;
    body += &parts::epochs_table(runs);
    let styles = String::from(include_str!("page/report.css"));
    if let Some(&(run, first)) = tested.first() {
        body += &parts::gallery(&tested);
        body += &parts::class_table(run, first);
        let (name, label) = (&run.config.model, escape(&run.label));
        type Sheet = fn(&Run, &Tested, Theme) -> Result<Canvas>;
        let sheets: [(&str, Sheet); 2] = [("Right answers", correct::draw), ("Inside the network", features::draw)];
        for (title, draw) in sheets {
            let mut pictures = String::new();
            for (class, theme) in THEMES {
                let source = data_url(&draw(run, first, theme)?.png()?);
                pictures += &format!("<img class=\"{class}\" src=\"{source}\" alt=\"{title}: {name}, run {label}\">\n");
            }
            body += &format!(
                "<section><h2>{title}</h2>\n<div class=\"scroll wide\" tabindex=\"0\" role=\"group\" \
                 aria-label=\"{title}\">{pictures}</div></section>\n"
            );
        }
    }
    let mut data = Vec::new();
    for (run, tested) in &tested {
        let (mut value, sprite) = parts::gallery_data(run, tested)?;
        value["sprite"] = data_url(&sprite).into();
        data.push(value);
    }
    // "<" cannot end the script element early when it is written as an escape.
    let inside = |value: serde_json::Value| value.to_string().replace('<', "\\u003c");
    let (data, spots) = (inside(data.into()), inside(spots));
    let (title, version) = (parts::title(runs, tested.first().copied()), env!("CARGO_PKG_VERSION").to_string());
    let script = include_str!("page/report.js").to_string();
    let mut page = include_str!("page/page.html").to_string();
    // What stands behind the body goes in before it, what stands above it after: no name in it is taken for a place.
    let places = [("version", version), ("data", data), ("spots", spots), ("script", script), ("body", body)];
    for (name, text) in places.into_iter().chain([("styles", styles), ("title", title)]) {
        page = page.replacen(&format!("{{{{{name}}}}}"), &text, 1);
    }
    Ok(page)
}

/// A picture for the light page and one for the dark page, of which report.css shows one; paper has the light one.
const THEMES: [(&str, Theme); 2] = [("day", LIGHT), ("night", DARK)];

/// Each curve in a light and a dark picture, the wide ones with a narrow one for phones. With it, for each curve and
/// each width of a picture, the points that can be pointed at.
fn curves_section(runs: &[Run]) -> Result<(String, serde_json::Value)> {
    let mut out = String::from("<section><h2>Curves</h2>\n<div class=\"curves\">\n");
    let mut all = Vec::new();
    let themes = THEMES.map(|(class, theme)| (class, theme, curves::all(runs, &theme)));
    for (index, (name, _)) in themes[0].2.iter().enumerate() {
        let is_wide = matches!(*name, "accuracy" | "steps");
        let mut spots = serde_json::Map::new();
        out += if is_wide { "<figure class=\"across\">\n" } else { "<figure>\n" };
        for (class, theme, curves) in &themes {
            let (_, chart) = &curves[index];
            let mut picture = |size: Size| -> Result<String> {
                let drawn = draw(chart, size, *theme)?;
                spots.insert(size.width.to_string(), serde_json::json!(drawn.spots));
                let url = data_url(&drawn.canvas.png()?);
                Ok(format!("=\"{url}\" width=\"{}\" height=\"{}\"", size.width, size.height))
            };
            let (narrow, wide) = (picture(NARROW)?, if is_wide { Some(picture(WIDE)?) } else { None });
            let phone = format!("<source media=\"(max-width: 600px)\" srcset{narrow}>\n");
            out += &format!(
                "<picture class=\"{class}\">\n{}<img src{} alt=\"{} of {}; the numbers are in the table below\">\n\
                 </picture>\n",
                if is_wide { phone } else { String::new() },
                wide.unwrap_or(narrow),
                chart.title,
                parts::names(runs)
            );
        }
        out += "</figure>\n";
        all.push(serde_json::Value::Object(spots));
    }
    Ok((out + "</div>\n", all.into()))
}

fn data_url(png: &[u8]) -> String {
    format!("data:image/png;base64,{}", STANDARD.encode(png))
}
