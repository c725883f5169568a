//! `warp19 predict`.

use super::backend::Backend;
use super::run::{Source, unlabelled};
use super::{output, progress};
use crate::data::Classes;
use crate::error::{Error, Result};
use crate::image::{self, Colour, Fit, Form, Seen, encode_png};
use crate::network::evaluation_batch;
use crate::report::guesses::{self, Guess};
use crate::train::{Config, evaluate};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    source: Source,
    /// Pictures, PNG, JPEG, WebP or BMP, any size, light on dark or dark on light.
    #[arg(required = true)]
    images: Vec<PathBuf>,
    #[command(flatten)]
    backend: Backend,
    /// How a picture becomes the network's input [default: mnist where the run's data are centred as MNIST's digits
    /// are, else stretch].
    #[arg(long, value_enum)]
    fit: Option<FitName>,
    /// Leave light and dark as they are; a picture of another size is stretched.
    #[arg(long, conflicts_with = "fit")]
    as_is: bool,
    /// Show what the network sees, and write it beside each picture as NAME.seen.png.
    #[arg(long)]
    show: bool,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// A way to fit a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum FitName {
    /// Cut out the digit, scale and centre it as MNIST's are.
    Mnist,
    /// Scale the whole picture each way.
    Stretch,
    /// Scale the largest part of the frame's shape from the middle.
    Crop,
}

/// Answers every picture that can be read; 1 when one could not.
pub fn run(args: &Args) -> Result<ExitCode> {
    let checkpoint = args.source.open()?;
    let config = &checkpoint.meta.config;
    let form = form(args, config)?;
    let classes = args.source.classes(config)?;
    let read: Vec<Result<Seen>> = args.images.iter().map(|path| image::read(path, &form)).collect();
    let seen: Vec<&Seen> = read.iter().filter_map(|r| r.as_ref().ok()).collect();
    let mut answers = Vec::new();
    if !seen.is_empty() {
        let pixels = seen.iter().flat_map(|seen| seen.pixels.iter().copied()).collect();
        let split = unlabelled(&form, pixels)?;
        let mut device = args.backend.open()?;
        let batch = evaluation_batch(&config.model()?, seen.len());
        let weights = checkpoint.evaluated()?;
        let result = evaluate(device.as_mut(), config, weights, &split, batch, &mut progress::evaluating())?;
        answers = guesses::all(&result, &split.labels);
    }
    let mut answers = answers.into_iter();
    let (mut list, mut text, mut code) = (Vec::new(), String::new(), ExitCode::SUCCESS);
    for (path, read) in args.images.iter().zip(&read) {
        match read {
            Ok(seen) => {
                let guess = answers.next().expect("an answer for each picture that was read");
                if args.show {
                    show(path, seen, &form)?;
                }
                if let Some(doubt) = seen.doubt {
                    eprintln!("warning: {} may be no picture of one digit: {doubt}", path.display());
                }
                text += &line(path, &guess, &classes);
                list.push(entry(path, &guess, seen, &classes));
            }
            Err(e) => {
                eprintln!("error: {e}");
                list.push(json!({"image": path, "error": e.to_string()}));
                code = ExitCode::FAILURE;
            }
        }
    }
    if args.json {
        output::print_json(&Value::Array(list))?
    } else {
        output::print(&text)?
    }
    Ok(code)
}

/// The form that the flags ask for, or else the run's.
fn form(args: &Args, config: &Config) -> Result<Form> {
    let mut form = args.source.form(config)?;
    if args.as_is {
        form.polarity = None;
    }
    form.fit = match (args.as_is, args.fit) {
        (true, _) => Fit::Stretch,
        (_, Some(FitName::Mnist)) => Fit::Mnist,
        (_, Some(FitName::Stretch)) => Fit::Stretch,
        (_, Some(FitName::Crop)) => Fit::Crop,
        (_, None) => form.fit,
    };
    Ok(form)
}

fn line(path: &Path, guess: &Guess, classes: &Classes) -> String {
    let one = |&(class, p): &(usize, f32)| format!("  {} {:.2} %", classes.name(class), 100.0 * p);
    let top: String = guess.top.iter().map(one).collect();
    format!("{}:{top}\n", path.display())
}

fn entry(path: &Path, guess: &Guess, seen: &Seen, classes: &Classes) -> Value {
    let one = |&(class, p): &(usize, f32)| json!({"class": class, "name": classes.name(class), "probability": p});
    let top = guess.top.iter().map(one);
    let mut entry = json!({"image": path, "class": guess.answer(), "top": top.collect::<Vec<_>>()});
    if let Some(doubt) = seen.doubt {
        entry["warning"] = doubt.into();
    }
    entry
}

/// Draws what the network sees on standard error, and writes it beside the picture.
fn show(path: &Path, seen: &Seen, form: &Form) -> Result<()> {
    let to = path.with_extension("seen.png");
    std::fs::write(&to, encode_png(form.width, form.height, Colour::of(form.channels), &seen.pixels)?)
        .map_err(|e| Error::io("write", &to, e))?;
    const INK: [char; 5] = [' ', '░', '▒', '▓', '█'];
    let mut text = format!("{} as the network sees it ({}):\n", path.display(), to.display());
    // A character is about twice as high as wide; a terminal has about eighty.
    let (row, step) = (form.width * form.channels, form.width.div_ceil(40));
    for row in seen.pixels.chunks_exact(row).step_by(step) {
        let mean = |p: &[u8]| p.iter().map(|&v| usize::from(v)).sum::<usize>() / p.len();
        let pixels = row.chunks_exact(form.channels).step_by(step);
        text.extend(pixels.flat_map(|p| [INK[mean(p) * INK.len() / 256]; 2]));
        text.push('\n');
    }
    eprint!("{text}");
    Ok(())
}
