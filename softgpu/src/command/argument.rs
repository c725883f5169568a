//! The ARG words of the command line.

use super::npy::Dtype;
use std::path::PathBuf;

/// One kernel argument.
#[derive(Clone, Debug, PartialEq)]
pub enum Argument {
    /// `i32:N u32:N i64:N u64:N`: the number, and the bytes of the named type.
    Integer(i128, u32),
    /// `f32:X f64:X`: the bytes of the value.
    Float(Vec<u8>),
    /// `raw:FILE`.
    Raw(PathBuf),
    /// `in:F.npy`, or `inout:IN.npy:OUT.npy` with the file written afterwards.
    In(PathBuf, Option<PathBuf>),
    /// `out:F.npy:DTYPE:SHAPE`: the file written afterwards, the type and the sizes, the last one contiguous.
    Out(PathBuf, Dtype, Vec<usize>),
}

const KINDS: &str = "kinds are i32 u32 i64 u64 f32 f64 in inout out raw";

/// Reads one ARG.
///
/// # Errors
/// A sentence saying which form was meant and what is wrong with it.
pub fn parse(text: &str) -> Result<Argument, String> {
    let (kind, rest) = text.split_once(':').ok_or_else(|| format!("not of the form KIND:VALUE; {KINDS}"))?;
    match kind {
        "i32" => integer(rest, i32::MIN.into(), i32::MAX.into(), 4),
        "u32" => integer(rest, 0, u32::MAX.into(), 4),
        "i64" => integer(rest, i64::MIN.into(), i64::MAX.into(), 8),
        "u64" => integer(rest, 0, u64::MAX.into(), 8),
        "f32" => Ok(Argument::Float(float::<f32>(rest)?.to_le_bytes().to_vec())),
        "f64" => Ok(Argument::Float(float::<f64>(rest)?.to_le_bytes().to_vec())),
        "in" => Ok(Argument::In(file(rest)?, None)),
        "raw" => Ok(Argument::Raw(file(rest)?)),
        "inout" => match rest.split(':').collect::<Vec<_>>()[..] {
            [from, to] => Ok(Argument::In(file(from)?, Some(file(to)?))),
            _ => Err("inout needs two files, inout:IN.npy:OUT.npy".into()),
        },
        "out" => match rest.rsplitn(3, ':').collect::<Vec<_>>()[..] {
            [sizes, dtype, path] => Ok(Argument::Out(file(path)?, Dtype::named(dtype)?, shape(sizes)?)),
            _ => Err("out needs a file, a type and a shape, out:F.npy:float32:64x64".into()),
        },
        other => Err(format!("`{other}` is no kind of argument; {KINDS}")),
    }
}

fn float<F: std::str::FromStr>(text: &str) -> Result<F, String> {
    text.parse().map_err(|_| format!("`{text}` is not a number"))
}

fn integer(text: &str, low: i128, high: i128, bytes: u32) -> Result<Argument, String> {
    let parsed = match text.split_once("0x") {
        Some((sign @ ("" | "-"), digits)) => i128::from_str_radix(&format!("{sign}{digits}"), 16),
        _ => text.parse(),
    };
    match parsed {
        Ok(value) if (low..=high).contains(&value) => Ok(Argument::Integer(value, bytes)),
        Ok(value) => Err(format!("{value} is outside {low} to {high}")),
        Err(_) => Err(format!("`{text}` is not a whole number")),
    }
}

fn file(text: &str) -> Result<PathBuf, String> {
    if text.is_empty() { Err("the file name is missing".into()) } else { Ok(PathBuf::from(text)) }
}

fn shape(text: &str) -> Result<Vec<usize>, String> {
    let sizes = text.split('x').map(str::parse).collect::<Result<Vec<usize>, _>>();
    let sizes = sizes.map_err(|_| format!("`{text}` is not a shape such as 64x64"))?;
    let bytes = sizes.iter().try_fold(8usize, |n, &d| n.checked_mul(d));
    if bytes.is_none_or(|n| n > 1 << 46) {
        return Err(format!("the shape {text} is too large for any device"));
    }
    Ok(sizes)
}
