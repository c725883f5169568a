//! Results on standard output.

use crate::error::{Error, Result};
use std::io::{ErrorKind, Write};

/// A value as indented JSON on standard output.
pub fn print_json(value: &serde_json::Value) -> Result<()> {
    print(&format!("{value:#}\n"))
}

/// Text on standard output; a closed pipe is no failure.
pub fn print(text: &str) -> Result<()> {
    match std::io::stdout().write_all(text.as_bytes()) {
        Err(e) if e.kind() != ErrorKind::BrokenPipe => Err(Error::io("write", "standard output", e)),
        _ => Ok(()),
    }
}

/// A table, each column as wide as its widest cell. A head begins with how its column is aligned: `<` or `>`.
pub fn table(heads: &[&str], rows: &[Vec<String>]) -> String {
    let titles: Vec<String> = heads.iter().map(|head| head[1..].to_string()).collect();
    let lines: Vec<&Vec<String>> = std::iter::once(&titles).chain(rows).collect();
    let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..heads.len()).map(width).collect();
    let mut text = String::new();
    for line in lines {
        let cell = |column: usize| {
            let (cell, width) = (&line[column], widths[column]);
            if heads[column].starts_with('<') { format!("{cell:<width$}  ") } else { format!("{cell:>width$}  ") }
        };
        text += (0..heads.len()).map(cell).collect::<String>().trim_end();
        text.push('\n');
    }
    text
}
