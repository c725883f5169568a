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
            let [light, dark] =
                [LIGHT, DARK].map(|theme| draw(run, first, theme).and_then(|sheet| Ok(data_url(&sheet.png()?))));
            body += &format!(
                "<section><h2>{title}</h2>\n\
                 <div class=\"scroll wide\" tabindex=\"0\" role=\"group\" aria-label=\"{title}\"><picture>\
                 <source media=\"{ON_DARK}\" srcset=\"{}\">\
                 <img src=\"{}\" alt=\"{title}: {name}, run {label}\"></picture></div></section>\n",
                dark?, light?
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

/// Which reader is shown the dark pictures; paper never is.
const ON_DARK: &str = "screen and (prefers-color-scheme: dark)";

/// Each curve in up to four pictures, of which the browser takes one: light and dark, and the first one wide and
/// narrow; the others stand beside each other where there is room. With it, for each curve and each width of a picture,
/// the points that can be pointed at.
fn curves_section(runs: &[Run]) -> Result<(String, serde_json::Value)> {
    let (light, dark) = (curves::all(runs, &LIGHT), curves::all(runs, &DARK));
    let narrow = "(max-width: 600px)";
    let mut out = String::from("<section><h2>Curves</h2>\n<div class=\"curves\">\n");
    let mut spots = Vec::new();
    for (index, ((_, light), (_, dark))) in light.iter().zip(&dark).enumerate() {
        let mut own = serde_json::Map::new();
        let mut picture = |chart, theme, size: Size| -> Result<String> {
            let drawn = draw(chart, size, theme)?;
            own.insert(size.width.to_string(), serde_json::json!(drawn.spots));
            let url = data_url(&drawn.canvas.png()?);
            Ok(format!("=\"{url}\" width=\"{}\" height=\"{}\"", size.width, size.height))
        };
        let size = if index == 0 { WIDE } else { NARROW };
        out += "<picture>\n";
        if index == 0 {
            for (media, chart, theme) in
                [(format!("{ON_DARK} and {narrow}"), dark, DARK), (narrow.into(), light, LIGHT)]
            {
                out += &format!("<source media=\"{media}\" srcset{}>\n", picture(chart, theme, NARROW)?);
            }
        }
        out += &format!("<source media=\"{ON_DARK}\" srcset{}>\n", picture(dark, DARK, size)?);
        out += &format!(
            "<img src{} alt=\"{} of {}; the numbers are in the table below\">\n</picture>\n",
            picture(light, LIGHT, size)?,
            light.title,
            parts::names(runs)
        );
        spots.push(serde_json::Value::Object(own));
    }
    Ok((out + "</div>\n", spots.into()))
}

fn data_url(png: &[u8]) -> String {
    format!("data:image/png;base64,{}", STANDARD.encode(png))
}
