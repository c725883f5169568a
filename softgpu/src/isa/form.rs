//! The forms in which instructions are written.
//!
//! A form is an opcode with its modifiers, then its operands: `add(.ftz)?(.sat)?.f32 d, a, b`. `(a|b)` stands for one
//! of several, `( )?` for what may be missing, a name in capitals for one of the words in [`CLASSES`]. Of the operands
//! `d` is written and `a`, `b`, `c` are read as the first type among the modifiers, `x` and `y` as the second, and `p`
//! is a predicate or two, `p|q`; `v` is a register, or the elements of a vector in braces, and `n` a constant. With
//! `.L2::cache_hint` a cache policy comes last. `%rs`, `%r`, `%rd`, `%f`, `%fd` with a number are registers of a width
//! of their own (or constants, where they are read), and other operands look as in a program: numbers are constants.

use crate::ptx::{Instr, Operand, Type};

/// Names for words that stand together in many forms.
pub const CLASSES: &[(&str, &str)] = &[
    ("INT", "u16|s16|u32|s32|u64|s64"),
    ("SIGNED", "s16|s32|s64"),
    ("WORD", "u32|s32"),
    ("LONG", "u64|s64"),
    ("BITS", "b16|b32|b64"),
    ("ANY", "b16|u16|s16|b32|u32|s32|b64|u64|s64|f32|f64"),
    ("NUMBER", "u8|s8|u16|s16|u32|s32|u64|s64"),
    ("REAL", "f16|bf16|f32|f64"),
    ("ROUND", "rn|rz|rm|rp"),
    ("WHOLE", "rni|rzi|rmi|rpi"),
    ("ORDERED", "eq|ne|lt|le|gt|ge"),
    ("COMPARE", "eq|ne|lt|le|gt|ge|equ|neu|ltu|leu|gtu|geu|num|nan"),
    ("HALF", "f16|bf16"),
    ("HALVES", "f16x2|bf16x2"),
    ("SHARED", "shared|shared::cta"),
    ("SCOPE", "cta|cluster|gpu|sys"),
    ("ELEMENTS", "(v2|v4)?.(b8|u8|s8|b16|u16|s16|b32|u32|s32|f32)|(v2)?.(b64|u64|s64|f64)"),
    ("EVICT", "L1::evict_normal|L1::evict_unchanged|L1::evict_first|L1::evict_last|L1::no_allocate"),
    ("PREFETCH", "L2::64B|L2::128B|L2::256B"),
];

/// The modifier with which an instruction has a cache policy as its last operand.
pub const CACHE_HINT: &str = "L2::cache_hint";

/// A part of a form's modifiers.
#[derive(Debug)]
enum Part {
    Word(&'static str),
    /// One of several, or none of them.
    Choice(Vec<Vec<Part>>, bool),
}

/// A form taken apart.
#[derive(Debug)]
pub struct Form {
    pub opcodes: Vec<&'static str>,
    parts: Vec<Part>,
    pub operands: Vec<&'static str>,
    /// Operands from here on may be missing.
    fewest: usize,
}

/// Why an instruction has not some form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Differs {
    Modifiers,
    Operands,
}

impl Form {
    pub fn new(text: &'static str) -> Form {
        let (left, right) = text.split_once(' ').unwrap_or((text, ""));
        let (mut at, mut parts) = (left, Vec::new());
        parse(&mut at, &mut parts);
        let opcodes = match parts.remove(0) {
            Part::Word(word) => vec![word],
            Part::Choice(words, _) => words
                .iter()
                .filter_map(|alternative| match alternative[..] {
                    [Part::Word(word)] => Some(word),
                    _ => None,
                })
                .collect(),
        };
        // (, a)? may be missing
        let fixed = right.find("(, ").unwrap_or(right.len());
        let operands = split(right);
        Form { opcodes, parts, fewest: split(&right[..fixed]).len(), operands }
    }

    /// Whether an instruction of one of the opcodes has this form.
    pub fn fits(&self, i: &Instr<'_>) -> Result<(), Differs> {
        if !fit(&Rest { parts: &self.parts, then: None }, &i.mods, 0) {
            return Err(Differs::Modifiers);
        }
        let policy = usize::from(i.mods.contains(&CACHE_HINT));
        let right = (self.fewest + policy..=self.operands.len() + policy).contains(&i.operands.len());
        let alike = || self.operands.iter().zip(&i.operands).all(|(form, operand)| alike(form, operand));
        if right && alike() { Ok(()) } else { Err(Differs::Operands) }
    }

    /// Whether a word stands in it somewhere.
    pub fn knows(&self, word: &str) -> bool {
        known(&self.parts, word)
    }
}

/// The operands of a text, which commas separate outside braces.
fn split(text: &'static str) -> Vec<&'static str> {
    let (mut out, mut depth, mut from) = (Vec::new(), 0, 0);
    for (at, c) in text.char_indices() {
        match c {
            '{' | '[' => depth += 1,
            '}' | ']' => depth -= 1,
            ',' if depth == 0 => {
                out.push(&text[from..at]);
                from = at + 1;
            }
            _ => {}
        }
    }
    out.push(&text[from..]);
    let trimmed = out.into_iter().map(|o| o.trim().trim_end_matches(['(', '?']).trim_end());
    let trimmed = trimmed.map(|o| if o.starts_with('(') { o } else { o.trim_end_matches(')') });
    trimmed.filter(|o| !o.is_empty()).collect()
}

/// Whether an operand is of the kind that a form's is.
fn alike(form: &str, operand: &Operand<'_>) -> bool {
    let mut choices = form.trim_matches(['(', ')']).split('|');
    let list = form.starts_with('(') || form.as_bytes()[0].is_ascii_digit();
    match operand {
        Operand::Vector(list) => form == "v" || form.starts_with('{') && form.split(',').count() == list.len(),
        Operand::Address(..) => form.starts_with('['),
        Operand::Pair(..) => form == "p" || form.contains('|') && !list,
        Operand::List(_) => false,
        Operand::Integer(v) if list => choices.any(|choice| choice.parse() == Ok(*v)),
        Operand::Special(name) if list => choices.any(|choice| choice.strip_prefix('%') == Some(name)),
        Operand::Integer(_) => !form.starts_with(['{', '[']),
        _ => !list && form != "n" && !form.starts_with(['{', '[']) && !form.contains('|'),
    }
}

/// Takes parts apart up to the end or what closes a group.
fn parse(at: &mut &'static str, parts: &mut Vec<Part>) {
    loop {
        *at = at.trim_start_matches('.');
        if let Some(inner) = at.strip_prefix('(') {
            *at = inner;
            let alternatives = alternatives(at);
            *at = at.strip_prefix(')').unwrap_or(at);
            let optional = at.strip_prefix('?');
            *at = optional.unwrap_or(at);
            parts.push(Part::Choice(alternatives, optional.is_some()));
            continue;
        }
        let end = at.find(['.', '(', ')', '|']).unwrap_or(at.len());
        if end == 0 {
            return;
        }
        let word = &at[..end];
        *at = &at[end..];
        parts.push(match CLASSES.iter().find(|(name, _)| *name == word) {
            Some((_, words)) => Part::Choice(alternatives(&mut { *words }), false),
            None => Part::Word(word),
        });
    }
}

/// Takes what stands between bars apart.
fn alternatives(at: &mut &'static str) -> Vec<Vec<Part>> {
    let mut all = Vec::new();
    loop {
        let mut alternative = Vec::new();
        parse(at, &mut alternative);
        all.push(alternative);
        match at.strip_prefix('|') {
            Some(more) => *at = more,
            None => return all,
        }
    }
}

/// Parts still to be found among the modifiers, and what comes behind them.
struct Rest<'r> {
    parts: &'r [Part],
    then: Option<&'r Rest<'r>>,
}

/// Whether the modifiers outside a mask are the rest of a form. Modifiers may stand in any order, types not.
fn fit(rest: &Rest<'_>, mods: &[&str], used: u32) -> bool {
    let Some((first, parts)) = rest.parts.split_first() else {
        return rest.then.map_or(used.count_ones() as usize == mods.len(), |then| fit(then, mods, used));
    };
    let behind = Rest { parts, then: rest.then };
    match first {
        Part::Word(word) => {
            let mut free = mods.iter().enumerate().filter(|(n, _)| used >> n & 1 == 0);
            let found = if is_type(word) {
                free.find(|(_, m)| is_type(m)).filter(|(_, m)| *m == word)
            } else {
                free.find(|(_, m)| *m == word)
            };
            found.is_some_and(|(n, _)| fit(&behind, mods, used | 1 << n))
        }
        Part::Choice(alternatives, optional) => {
            let one = |parts: &Vec<Part>| fit(&Rest { parts, then: Some(&behind) }, mods, used);
            alternatives.iter().any(one) || *optional && fit(&behind, mods, used)
        }
    }
}

fn known(parts: &[Part], word: &str) -> bool {
    parts.iter().any(|part| match part {
        Part::Word(w) => *w == word,
        Part::Choice(alternatives, _) => alternatives.iter().any(|parts| known(parts, word)),
    })
}

/// Whether a modifier is a type; `.tf32` and packed integers are no fundamental ones.
pub fn is_type(word: &str) -> bool {
    Type::named(word).is_some() || matches!(word, "tf32" | "u16x2" | "s16x2")
}
