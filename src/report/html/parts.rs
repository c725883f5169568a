//! The page's parts that are made from numbers.

use crate::error::Result;
use crate::image::{Colour, encode_png};
use crate::report::guesses::{class_counts, confusion, shown_classes};
use crate::report::run::{Run, Tested};
use crate::report::text::{count, duration, escape, percent_of, thousands};
use crate::train::checkpoint::Best;
use crate::train::metrics::Epoch;
use serde_json::json;

/// Most errors of a run that the page holds.
const ERRORS: usize = 2000;
/// The longer side of a picture in it, at most.
const THUMBNAIL: usize = 84;
/// Digits in a row of the picture that holds them.
const COLUMNS: usize = 40;

/// The runs' names for a sentence.
pub fn names(runs: &[Run]) -> String {
    let names: Vec<String> = runs.iter().map(|r| escape(&r.label)).collect();
    names.join(", ")
}

/// The run with the best epoch, where several of one dataset have one.
fn winner(runs: &[Run]) -> Option<(&Run, Best)> {
    let of_one = runs.iter().all(|run| run.config.dataset == runs[0].config.dataset);
    let judged: Vec<(&Run, Best)> = runs.iter().filter_map(|run| Some((run, Best::of(run.best_epoch()?)))).collect();
    if !of_one || judged.len() < 2 {
        return None;
    }
    judged.into_iter().reduce(|best, next| if next.1.beats(&best.1) { next } else { best })
}

/// `vgg19 on mnist: 99.64 %`; of several runs `3 runs on mnist`.
pub fn title(runs: &[Run], tested: Option<(&Run, &Tested)>) -> String {
    if runs.len() > 1 {
        let mut datasets: Vec<&str> = runs.iter().map(|run| run.config.dataset.as_str()).collect();
        datasets.dedup();
        return format!("{} runs on {}", runs.len(), escape(&datasets.join(", ")));
    }
    let config = &tested.map_or(&runs[0], |(run, _)| run).config;
    // A space that does not break: the sign stays with its number on a phone.
    let share = tested.map(|(_, t)| format!(": {}", t.accuracy().replace(' ', "\u{a0}")));
    format!("{} on {}{}", escape(&config.model), escape(&config.dataset), share.unwrap_or_default())
}

pub fn header(runs: &[Run], tested: Option<(&Run, &Tested)>) -> String {
    let Some((run, t)) = tested else {
        return format!(
            "<header><h1>{}</h1>\n<p class=\"muted\">None of the runs has a checkpoint, so there are curves and no \
             digits.</p></header>\n",
            title(runs, None)
        );
    };
    let (all, wrong) = (t.guesses.len(), t.errors.len());
    let recipe = &run.config.recipe;
    let when = match t.epoch {
        Some(epoch) => format!("{epoch} of {}", recipe.epochs),
        None => format!("none over, {} steps", t.step),
    };
    let mut figures = vec![
        ("Test accuracy", t.accuracy()),
        ("Errors", format!("{} in {}", thousands(wrong), thousands(all))),
        ("Test loss", format!("{:.4}", t.evaluation.loss)),
        ("Epoch", when),
    ];
    if let Some(best) = run.best_epoch() {
        figures.push(("Time to best epoch", duration(best.seconds)));
    }
    if let Ok(model) = run.config.model() {
        figures.push(("Parameters", thousands(model.parameter_count())));
    }
    let boxes: String =
        figures.iter().map(|(name, value)| format!("<div><dt>{name}</dt><dd>{value}</dd></div>")).collect();
    let best = winner(runs).map(|(run, best)| {
        let share = 100.0 * run.epochs.iter().find(|e| e.epoch == best.epoch).map_or(0.0, |e| e.test_accuracy);
        format!(
            "<p>Best: <b>{}</b>, {share:.2} % of the test images in epoch {}.</p>\n",
            escape(&run.label),
            best.epoch
        )
    });
    format!(
        "<header><h1>{}</h1>\n{}<p class=\"muted\">Run {}, recipe {}, seed {}{}.</p>\n\
         <dl class=\"figures\">{boxes}</dl></header>\n",
        title(runs, tested),
        best.unwrap_or_default(),
        escape(&run.label),
        escape(&recipe.name),
        run.config.seed,
        t.part()
    )
}

/// A table with its heads and its classes in report.css; cells are HTML already.
fn table(classes: &str, heads: &[&str], rows: &[Vec<String>]) -> String {
    let cells = |tag: &str, row: &mut dyn Iterator<Item = &str>| -> String {
        let cells: String = row.map(|c| format!("<{tag}>{c}</{tag}>")).collect();
        format!("<tr>{cells}</tr>\n")
    };
    let head = cells("th", &mut heads.iter().copied());
    let body: String = rows.iter().map(|row| cells("td", &mut row.iter().map(String::as_str))).collect();
    format!(
        "<div class=\"scroll\" tabindex=\"0\" role=\"group\" aria-label=\"table\"><table class=\"{classes}\">\
         <thead>{head}</thead><tbody>{body}</tbody></table></div>\n"
    )
}

/// One column a run, so that a few fit a phone.
pub fn runs_table(runs: &[Run]) -> Result<String> {
    let percent = |share: f64| format!("{:.2} %", 100.0 * share);
    let of_epoch = |e: Option<&Epoch>, text: &dyn Fn(&Epoch) -> String| e.map_or_else(|| "-".to_string(), text);
    let known = |text: &str| if text.is_empty() { "-".into() } else { escape(text) };
    let mut rows: Vec<Vec<String>> = Vec::new();
    for run in runs {
        let (best, last) = (run.best_epoch(), run.epochs.last());
        let column = [
            ("Model", escape(&run.config.model)),
            ("Recipe", format!("{}, batch {}", escape(&run.config.recipe.name), run.config.recipe.batch)),
            ("Seed", run.config.seed.to_string()),
            ("Precision", run.config.precision.to_string()),
            ("Dataset", escape(&run.config.dataset)),
            ("Training images", thousands(run.config.images)),
            ("Parameters", thousands(run.config.model()?.parameter_count())),
            ("Best test accuracy", of_epoch(best, &|e| format!("<b>{}</b>", percent(e.test_accuracy)))),
            ("in epoch", of_epoch(best, &|e| e.epoch.to_string())),
            ("after", of_epoch(best, &|e| duration(e.seconds))),
            ("Last test accuracy", of_epoch(last, &|e| percent(e.test_accuracy))),
            ("Epochs", format!("{} of {}", run.epochs.len(), run.config.recipe.epochs)),
            ("Time in all", of_epoch(last, &|e| duration(e.seconds))),
            ("Device", known(&run.device)),
            ("warp19", known(&run.version)),
            ("Command", known(&run.command)),
        ];
        if rows.is_empty() {
            rows.extend(column.iter().map(|(name, _)| vec![name.to_string()]));
        }
        for (row, (_, value)) in rows.iter_mut().zip(column) {
            row.push(value);
        }
    }
    let best = winner(runs).map(|(run, _)| &run.label);
    let labels = runs.iter().map(|r| match best {
        Some(label) if *label == r.label => format!("{} <span class=\"best\">best</span>", escape(label)),
        _ => escape(&r.label),
    });
    let labels: Vec<String> = labels.collect();
    let heads: Vec<&str> = std::iter::once("Run").chain(labels.iter().map(String::as_str)).collect();
    let table = table(if runs.len() > 1 { "plain runs many" } else { "plain runs" }, &heads, &rows);
    Ok(format!("<section><h2>Runs</h2>\n{table}</section>\n"))
}

/// Closes the section of the curves.
pub fn epochs_table(runs: &[Run]) -> String {
    let heads = "Run|Epoch|Training loss|Training accuracy|Test loss|Test accuracy|Learning rate|Time|Images/s";
    let heads: Vec<&str> = heads.split('|').collect();
    let mut rows = Vec::new();
    for run in runs {
        for e in &run.epochs {
            rows.push(vec![
                escape(&run.label),
                e.epoch.to_string(),
                format!("{:.4}", e.train_loss),
                format!("{:.2} %", 100.0 * e.train_accuracy),
                format!("{:.4}", e.test_loss),
                format!("{:.2} %", 100.0 * e.test_accuracy),
                format!("{:.2e}", e.lr),
                duration(e.seconds),
                format!("{:.0}", e.images_per_second),
            ]);
        }
    }
    if rows.is_empty() {
        return "</section>\n".into();
    }
    format!(
        "<details><summary>All epochs as a table</summary>\n{}</details></section>\n",
        table("plain", &heads, &rows)
    )
}

/// Gallery and matrix; the script fills them.
pub fn gallery(tested: &[(&Run, &Tested)]) -> String {
    let options: String = tested
        .iter()
        .enumerate()
        .map(|(i, (run, _))| format!("<option value=\"{i}\">{}</option>", escape(&run.label)))
        .collect();
    let run = format!("<label>Run <select id=\"run\">{options}</select></label>\n");
    let run = if tested.len() > 1 { run } else { String::new() };
    let doubts = tested.iter().any(|(run, t)| t.errors.iter().any(|g| run.doubted(t, g).is_some()));
    let doubt = "<li><i style=\"--c: var(--doubt)\"></i>a label known to be wrong</li>";
    let doubt = if doubts { doubt } else { "" };
    let page = include_str!("../page/gallery.html");
    page.replace("{{run}}", &run).replace("{{doubt}}", doubt)
}

pub fn class_table(run: &Run, tested: &Tested) -> String {
    let name = |class: usize| escape(run.classes.name(class));
    let table_of = confusion(&tested.guesses, tested.evaluation.classes);
    let ratio = |n: usize, all: usize| if all == 0 { "-".into() } else { percent_of(n, all) };
    let mut rows = Vec::new();
    for (class, counts) in class_counts(&table_of).into_iter().enumerate() {
        let others = table_of[class].iter().enumerate().filter(|(j, n)| *j != class && **n > 0);
        // Of equally frequent ones the lowest class.
        let most = others.max_by_key(|(j, n)| (**n, std::cmp::Reverse(*j)));
        rows.push(vec![
            name(class),
            thousands(counts.images),
            thousands(counts.images - counts.right),
            ratio(counts.right, counts.answers),
            ratio(counts.right, counts.images),
            most.map_or("-".into(), |(j, n)| format!("{} ({})", name(j), count(*n, "time", "times"))),
        ]);
    }
    let heads = ["Class", "Images", "Errors", "Precision", "Recall", "Most often taken for"];
    format!(
        "<section><h2>Per class</h2>\n<p class=\"muted\">Run {}</p>\n{}</section>\n",
        escape(&run.label),
        table("plain", &heads, &rows)
    )
}

/// What the script needs of a run, and the picture with the misread digits.
pub fn gallery_data(run: &Run, tested: &Tested) -> Result<(serde_json::Value, Vec<u8>)> {
    let images = &tested.test.images;
    let shown = &tested.errors[..tested.errors.len().min(ERRORS)];
    let columns = COLUMNS.min(shown.len().max(1));
    let rows = shown.len().div_ceil(columns).max(1);
    let channels = images.channels;
    let (h, w, _) = images.within(0, THUMBNAIL)?;
    let mut pixels = vec![0; columns * w * rows * h * channels];
    for (at, guess) in shown.iter().enumerate() {
        let (left, top) = (at % columns * w, at / columns * h);
        let (_, _, image) = images.within(guess.image, THUMBNAIL)?;
        for (y, line) in image.chunks_exact(w * channels).enumerate() {
            let start = ((top + y) * columns * w + left) * channels;
            pixels[start..start + w * channels].copy_from_slice(line);
        }
    }
    let sprite = encode_png(columns * w, rows * h, Colour::of(channels), &pixels)?;
    let table = confusion(&tested.guesses, tested.evaluation.classes);
    let classes = shown_classes(&table);
    let part: Vec<Vec<usize>> = classes.iter().map(|&i| classes.iter().map(|&j| table[i][j]).collect()).collect();
    let errors: Vec<_> = shown
        .iter()
        .enumerate()
        .map(|(at, guess)| {
            let (image, people) = (tested.number(guess.image), run.doubted(tested, guess));
            json!({"at": at, "image": image, "label": guess.label, "top": guess.top, "people": people})
        })
        .collect();
    let value = json!({
        "width": w,
        "height": h,
        "columns": columns,
        "total": tested.errors.len(),
        "coloured": channels == 3,
        "names": run.classes.names(),
        "classes": classes,
        "confusion": part,
        "errors": errors,
    });
    Ok((value, sprite))
}
