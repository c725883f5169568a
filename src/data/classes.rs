//! What labels stand for: the names of classes, and the check that labels and classes belong together.
//!
//! How many classes there are is said by `--classes`, or by the names that come with the data (a `classes.txt` beside
//! them, one name a line; EMNIST's mapping; CIFAR's own files; folders' names), or else by the highest training label.

use crate::{Error, Result};
use std::collections::HashMap;
use std::path::Path;

/// The file of class names that is looked for beside the data.
pub const NAMES_FILE: &str = "classes.txt";
/// Most classes: a network has no more outputs.
const MOST: usize = 65_536;
/// Longest file of names that is read.
const NAMES_BYTES: u64 = 4 << 20;
/// Classes or labels that a message lists; it counts the others.
const LISTED: usize = 5;

/// The names of a dataset's classes, in the order of their labels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Classes {
    names: Vec<String>,
}

impl Classes {
    /// Classes that are called by their number.
    pub fn numbered(count: usize) -> Classes {
        Classes { names: (0..count).map(|class| class.to_string()).collect() }
    }

    /// Classes of these names.
    ///
    /// # Errors
    /// A name that is empty, of several lines, or there twice; fewer than 2 or too many.
    pub fn named(names: Vec<String>, from: &str) -> Result<Classes> {
        let invalid = |problem: String| Error::Invalid(format!("{from}: {problem}"));
        if !(2..=MOST).contains(&names.len()) {
            return Err(invalid(format!("{} classes; a classifier has 2 to {MOST}", names.len())));
        }
        let mut seen = HashMap::new();
        for (class, name) in names.iter().enumerate() {
            if name.is_empty() || name.chars().any(char::is_control) {
                return Err(invalid(format!("the name of class {class} is {name:?}; give each class a line of text")));
            }
            if let Some(first) = seen.insert(name, class) {
                return Err(invalid(format!("classes {first} and {class} are both called {name:?}; name them apart")));
            }
        }
        Ok(Classes { names })
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.names.len()
    }

    /// The name of a class.
    pub fn name(&self, class: usize) -> &str {
        self.names.get(class).map_or("?", String::as_str)
    }

    /// All names in order.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Whether the names say more than the numbers.
    pub fn are_named(&self) -> bool {
        self.names.iter().enumerate().any(|(class, name)| *name != class.to_string())
    }

    /// A class in a message: `3`, or `3 ("dress")` where it has a name.
    fn told(&self, class: usize) -> String {
        let (number, name) = (class.to_string(), self.name(class));
        if name == number { number } else { format!("{number} (\"{name}\")") }
    }
}

/// The lines of a file of names, if it is there.
///
/// # Errors
/// A file that cannot be read, is no text, or is too long to be one of names.
pub fn lines_of(path: &Path) -> Result<Option<Vec<String>>> {
    let failed = |e| Error::io("read", path, e);
    match std::fs::metadata(path) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(failed(e)),
        Ok(about) if about.len() > NAMES_BYTES => {
            let problem = format!("has {} bytes; a file of class names has one short line a class", about.len());
            return Err(Error::file(path, problem));
        }
        Ok(_) => {}
    }
    let text = std::fs::read_to_string(path).map_err(failed)?;
    let lines = text.trim_start_matches('\u{feff}').trim_end().lines().map(|line| line.trim().to_string());
    Ok(Some(lines.collect()))
}

/// The names in a `classes.txt`, if it is there.
///
/// # Errors
/// Those of [`lines_of`] and [`Classes::named`].
pub fn read(path: &Path) -> Result<Option<Classes>> {
    let Some(lines) = lines_of(path)? else { return Ok(None) };
    Classes::named(lines, &path.display().to_string()).map(Some)
}

/// The names in EMNIST's mapping, if it is there: lines of a label and the codes of its characters. A mapping from
/// label 1 on names the classes from 0 on, as [`settle`] takes such labels.
///
/// # Errors
/// Those of [`read`], and lines that are none of a mapping.
pub fn read_mapping(path: &Path) -> Result<Option<Classes>> {
    let Some(lines) = lines_of(path)? else { return Ok(None) };
    let name = |line: &String| -> Option<(u32, String)> {
        let mut numbers = line.split_whitespace().map(|n| n.parse::<u32>().ok());
        let label = numbers.next()??;
        let characters: Option<Vec<char>> = numbers.map(|code| char::from_u32(code?)).collect();
        // Letters come as capital and small one; one of them names the class.
        Some((label, characters?.first()?.to_string()))
    };
    let bad = |at: usize| {
        let problem = format!("line {}: a label and the codes of its characters are expected there", at + 1);
        Error::file(path, problem)
    };
    let mut entries = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let entry = name(line).ok_or_else(|| bad(at))?;
        let first = entries.first().map_or(entry.0, |(label, _): &(u32, String)| *label);
        if first > 1 || entry.0 as usize != first as usize + at {
            return Err(bad(at));
        }
        entries.push(entry);
    }
    let names = entries.into_iter().map(|(_, name)| name).collect();
    Classes::named(names, &path.display().to_string()).map(Some)
}

/// The labels of a part, and where they are from.
pub struct Labels<'a> {
    pub labels: &'a mut [u32],
    pub from: String,
}

/// How labels were taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settled {
    pub classes: Classes,
    /// What is odd about them, to be told.
    pub notes: Vec<String>,
}

/// Brings labels and classes together. `wanted` is `--classes`, `named` the names that come with the data. Labels that
/// go from 1 to the number of classes are counted from 0 on.
///
/// # Errors
/// Labels of no class, names that are not as many as the classes wanted, and labels of which most classes between would
/// be empty: the label, how often it is there, in which file, and what to do.
pub fn settle(train: Labels, test: Labels, wanted: Option<usize>, named: Option<Classes>) -> Result<Settled> {
    let mut notes = Vec::new();
    let known = match (wanted, named) {
        (Some(n), Some(classes)) if n != classes.count() => {
            return Err(Error::Invalid(format!(
                "--classes {n}, but the data name {} classes; leave --classes out, or mend the names",
                classes.count()
            )));
        }
        (_, Some(classes)) => Some(classes),
        (Some(n), None) if !(2..=MOST).contains(&n) => {
            return Err(Error::Invalid(format!("--classes {n}: a classifier has 2 to {MOST} classes")));
        }
        (Some(n), None) => Some(Classes::numbered(n)),
        (None, None) => None,
    };
    let [train, test] = [train, test].map(|part| (part.labels, part.from));
    let highest = |labels: &[u32]| labels.iter().max().copied().unwrap_or(0) as usize;
    let count = known.as_ref().map_or(highest(train.0) + 1, Classes::count);
    let from_one = known.is_some()
        && train.0.iter().chain(test.0.iter()).all(|&label| label >= 1)
        && highest(train.0).max(highest(test.0)) == count;
    if from_one {
        train.0.iter_mut().chain(test.0.iter_mut()).for_each(|label| *label -= 1);
        notes.push(format!("the labels go from 1 to {count}, and are counted from 0 on here: class 0 is label 1"));
    }
    for (labels, from) in [&train, &test] {
        refuse_beyond(labels, from, count, known.is_some())?;
    }
    let top = count - 1;
    let distinct = distinct(train.0);
    if known.is_none() && (2 * distinct < count || count > MOST) {
        let often = train.0.iter().filter(|&&label| label as usize == top).count();
        return Err(Error::Invalid(format!(
            "{}: label {top} is there {} among {} and would make {count} classes, {} of them without an image. \
             Correct it if it is wrong; number the classes from 0 on; or say --classes {count} if it is meant",
            train.1,
            times(often),
            train.0.len(),
            count - distinct
        )));
    }
    let (used, tested) = (counts(train.0, count), counts(test.0, count));
    let empty: Vec<usize> = (0..count).filter(|&class| used[class] == 0).collect();
    let classes = known.unwrap_or_else(|| Classes::numbered(count.max(2)));
    if !empty.is_empty() {
        let told: Vec<String> = empty.iter().map(|&class| classes.told(class)).collect();
        let mut note = format!(
            "{}: no image is of class {}; the network gets outputs for {count} classes, and nothing trains these",
            train.1,
            listed(&told)
        );
        if wanted.is_none() && !classes.are_named() {
            note += &format!(" (the highest label, {top}, is there {})", times(used[top]));
            if empty[0] == 0 {
                note += &format!(". Labels that count from 1 are taken so with --classes {top}");
            }
        }
        notes.push(note);
    }
    let unknown: Vec<String> = (0..count)
        .filter(|&class| used[class] == 0 && tested[class] > 0)
        .map(|class| format!("{} ({})", classes.told(class), times(tested[class])))
        .collect();
    if !unknown.is_empty() {
        notes.push(format!(
            "{}: class {} is not in {}, so that it cannot be learned; add training images of it",
            test.1,
            listed(&unknown),
            train.1
        ));
    }
    Ok(Settled { classes, notes })
}

/// An error if labels are beyond the classes.
fn refuse_beyond(labels: &[u32], from: &str, count: usize, is_known: bool) -> Result<()> {
    let beyond = |label: &&u32| **label as usize >= count;
    let Some(at) = labels.iter().position(|label| beyond(&label)) else { return Ok(()) };
    let label = labels[at];
    let often = labels.iter().filter(|&&other| other == label).count();
    let mut others: Vec<u32> = labels.iter().filter(|l| beyond(l) && **l != label).copied().collect();
    others.sort_unstable();
    others.dedup();
    let more = match others.len() {
        0 => String::new(),
        n => format!(", and {n} more such labels up to {}", others[n - 1]),
    };
    let classes = if is_known { "classes" } else { "classes in the training labels" };
    let advice = match is_known {
        true => format!("correct it, or have --classes or the file of names say {} classes", highest_of(labels) + 1),
        false => format!(
            "correct it, add training images of it, or say --classes {} to have an output for it that nothing trains",
            highest_of(labels) + 1
        ),
    };
    Err(Error::Invalid(format!(
        "{from}: label {label} is there {} (first at position {at}){more}, and there are {count} {classes}, 0 to {}; \
         {advice}",
        times(often),
        count - 1
    )))
}

fn highest_of(labels: &[u32]) -> u64 {
    labels.iter().max().copied().map_or(0, u64::from)
}

/// How many different labels there are.
fn distinct(labels: &[u32]) -> usize {
    let mut all = labels.to_vec();
    all.sort_unstable();
    all.dedup();
    all.len()
}

/// How many labels each class has; every label must be below `count`.
pub(super) fn counts(labels: &[u32], count: usize) -> Vec<usize> {
    let mut counts = vec![0; count];
    labels.iter().for_each(|&label| counts[label as usize] += 1);
    counts
}

fn times(n: usize) -> String {
    if n == 1 { "once".into() } else { format!("{n} times") }
}

/// The first few, and how many more.
fn listed(all: &[String]) -> String {
    let shown = all[..all.len().min(LISTED)].join(", ");
    if all.len() > LISTED { format!("{shown} and {} more", all.len() - LISTED) } else { shown }
}
