//! `warp19 data`.

use super::{output, progress};
use crate::data::{self, DEFAULT_DIR, Dataset, Images, Origin, Source, Split, Wanted, atomic};
use crate::error::Result;
use crate::image::{Colour, encode_png, refit};
use crate::model::Shape;
use std::fmt::Write;
use std::path::{Path, PathBuf};

#[derive(clap::Subcommand)]
pub enum Command {
    /// Download, verify and unpack a dataset.
    Fetch(Args),
    /// Say what a dataset's files hold.
    Info(InfoArgs),
}

#[derive(clap::Args)]
pub struct Args {
    /// mnist, fashion-mnist, kmnist, emnist or cifar10; for `info` any name.
    #[arg(long, default_value = "mnist")]
    dataset: String,
    /// Folder the datasets lie in.
    #[arg(long, default_value = DEFAULT_DIR)]
    data: PathBuf,
}

#[derive(clap::Args)]
pub struct InfoArgs {
    #[command(flatten)]
    set: Args,
    /// Number of classes [default: as many as the data name, or the training labels need].
    #[arg(long)]
    classes: Option<usize>,
    /// Size that pictures are brought to, such as 224x224x3 [default: their own].
    #[arg(long)]
    input: Option<Shape>,
    /// Draw training images of every class, a row a class, as a PNG.
    #[arg(long)]
    sheet: Option<PathBuf>,
}

pub fn run(command: &Command) -> Result<()> {
    match command {
        Command::Fetch(args) => {
            data::fetch(&args.dataset, &args.data)?;
            info(args, &Wanted::default(), None)
        }
        Command::Info(args) => {
            let size = args.input.map(|Shape { h, w, c }| [h, w, c]);
            let wanted = Wanted { classes: args.classes, size, ..Wanted::default() };
            info(&args.set, &wanted, args.sheet.as_deref())
        }
    }
}

fn info(args: &Args, wanted: &Wanted, sheet: Option<&Path>) -> Result<()> {
    let source = Source::find(&args.data, &args.dataset, args.data != Path::new(DEFAULT_DIR))?;
    let reading = progress::waiting("reading the data");
    let (set, origin) = Origin::load(&source, source.name(), wanted)?;
    drop(reading);
    for note in &origin.notes {
        eprintln!("note: {note}");
    }
    let mut out = format!("{}: {} classes\n", set.name, set.classes.count());
    for (part, split) in [("training", &set.train), ("test", &set.test)] {
        describe(&mut out, part, split, &set);
    }
    if let Some(path) = sheet {
        atomic::write(path, &contact_sheet(&set)?)?;
        let _ = writeln!(out, "{}: training images of each class", path.display());
    }
    output::print(&out)
}

fn describe(out: &mut String, part: &str, split: &Split, set: &Dataset) {
    let Images { height, width, channels, .. } = split.images;
    let colour = if channels == 3 { " in colour" } else { "" };
    let counts = split.class_counts(set.classes.count());
    let _ = writeln!(out, "{part}: {} images of {height}x{width}{colour}, by class", split.len());
    if set.classes.are_named() {
        let named = counts.iter().enumerate().map(|(class, n)| format!("{} {n}", set.classes.name(class)));
        let _ = writeln!(out, "  {}", named.collect::<Vec<_>>().join(", "));
    } else {
        let _ = writeln!(out, "  {counts:?}");
    }
}

/// Images in a row of the sheet, rows of it at most, and the side of one in pixels.
const COLUMNS: usize = 16;
const ROWS: usize = 100;
const SIDE: usize = 48;
const GAP: usize = 2;

/// The first training images of each class, a row a class; of many classes, evenly spaced ones.
fn contact_sheet(set: &Dataset) -> Result<Vec<u8>> {
    let (images, count) = (&set.train.images, set.classes.count());
    let rows = count.min(ROWS);
    let (width, height) = (COLUMNS * (SIDE + GAP) + GAP, rows * (SIDE + GAP) + GAP);
    let mut sheet = vec![128u8; 3 * width * height];
    for row in 0..rows {
        let class = data::dataset::spaced(row, rows, count) as u32;
        let own = set.train.labels.iter().enumerate().filter(|(_, label)| **label == class).map(|(at, _)| at);
        for (column, at) in own.take(COLUMNS).enumerate() {
            let size = [images.height, images.width, images.channels];
            let small = refit(&images.image(at)?, size, [SIDE, SIDE, 3]);
            let (top, left) = (GAP + row * (SIDE + GAP), GAP + column * (SIDE + GAP));
            for (y, line) in small.chunks_exact(3 * SIDE).enumerate() {
                sheet[3 * ((top + y) * width + left)..][..3 * SIDE].copy_from_slice(line);
            }
        }
    }
    encode_png(width, height, Colour::Rgb, &sheet)
}
