//! The rows of all families.

use crate::isa::decoder::{Row, Rows};
use crate::isa::form::CLASSES;
use crate::isa::{arithmetic, flow, mbarrier, memory, moves, tensor, warp};
use std::sync::LazyLock;

/// The families: what they are called, and their lists of rows.
const FAMILIES: [(&str, &[&[Row]]); 9] = [
    ("Integers and bits", &[arithmetic::integer::ROWS, arithmetic::video::ROWS]),
    ("Floating point", &[arithmetic::float::ROWS]),
    (
        "Moves, comparisons, conversions",
        &[moves::mov::ROWS, moves::compare::ROWS, moves::convert::ROWS, moves::pairs::ROWS, moves::address::ROWS],
    ),
    ("Memory", &[memory::syntax::ROWS]),
    ("Atomics", memory::syntax::ATOMICS),
    ("Warps", &[warp::ROWS]),
    ("Matrices and asynchronous copies", &[tensor::syntax::ROWS, tensor::wmma_syntax::ROWS]),
    ("Objects of shared memory that count arrivals", &[mbarrier::syntax::ROWS]),
    ("Flow of control", &[flow::ROWS]),
];

/// All rows, by opcode.
pub static ROWS: LazyLock<Rows> = LazyLock::new(|| Rows::new(rows().map(|(_, row)| row)));

fn rows() -> impl Iterator<Item = (&'static str, &'static Row)> {
    FAMILIES
        .iter()
        .flat_map(|(family, lists)| lists.iter().flat_map(move |list| list.iter().map(move |row| (*family, row))))
}

/// The forms of the instructions that are executed, as `docs/instructions.md` lists them: the family, the form, the
/// target that has it first (0 for all), and the form with its names of classes written out.
pub fn instructions() -> impl Iterator<Item = (&'static str, &'static str, u32, String)> {
    rows().map(|(family, row)| (family, row.form, row.since, spelled(row.form)))
}

/// A form without names of classes.
fn spelled(form: &str) -> String {
    let words = form.split_inclusive(|c: char| !c.is_ascii_uppercase());
    words
        .map(|part| {
            let name = part.trim_end_matches(|c: char| !c.is_ascii_uppercase());
            match CLASSES.iter().find(|(class, _)| *class == name) {
                Some((_, list)) => format!("({list}){}", &part[name.len()..]),
                None => part.to_string(),
            }
        })
        .collect()
}
