//! The ARG words of the command line.

use super::npy::Dtype;
use std::path::PathBuf;

/// One kernel argument.
#[derive(Clone, Debug, PartialEq)]
pub enum Argument {
    /// `i32:N u32:N i64:N u64:N`.
    Integer {
        /// The number.
        value: i128,
        /// Bytes of the named type.
        bytes: u32,
    },
    /// `f32:X f64:X`.
    Float {
        /// Little-endian bytes of the value, four or eight.
        bits: u64,
        /// Bytes of the named type.
        bytes: u32,
    },
    /// `in:F.npy`.
    In(PathBuf),
    /// `inout:IN.npy:OUT.npy`.
    InOut(PathBuf, PathBuf),
    /// `out:F.npy:DTYPE:SHAPE`.
    Out {
        /// File written afterwards.
        file: PathBuf,
        /// Element type.
        dtype: Dtype,
        /// Sizes, the last one contiguous.
        shape: Vec<usize>,
    },
    /// `raw:FILE`.
    Raw(PathBuf),
}

impl Argument {
    /// Bytes of a scalar for a parameter of `size` bytes. An integer may go into a smaller
    /// parameter (a `bool` or `short`) if it fits there.
    ///
    /// # Errors
    /// If the sizes do not agree or the number does not fit.
    pub fn scalar_bytes(&self, size: u32) -> Result<Vec<u8>, String> {
        match *self {
            Argument::Integer { value, bytes } => {
                if size > bytes || !matches!(size, 1 | 2 | 4 | 8) {
                    return Err(format!("an integer of {bytes} bytes for a parameter of {size} bytes"));
                }
                let limit = 1i128 << (8 * size);
                if value >= limit || value < -(limit / 2) {
                    return Err(format!("{value} does not fit the parameter's {size} bytes"));
                }
                Ok(value.to_le_bytes()[..size as usize].to_vec())
            }
            Argument::Float { bits, bytes } => {
                if size != bytes {
                    return Err(format!("a floating-point number of {bytes} bytes for a parameter of {size} bytes"));
                }
                Ok(bits.to_le_bytes()[..size as usize].to_vec())
            }
            _ => Err("not a scalar".into()),
        }
    }
}

/// Reads one ARG.
///
/// # Errors
/// A sentence saying which form was meant and what is wrong with it.
pub fn parse(text: &str) -> Result<Argument, String> {
    let (kind, rest) =
        text.split_once(':').ok_or("not of the form KIND:VALUE; kinds are i32 u32 i64 u64 f32 f64 in inout out raw")?;
    match kind {
        "i32" => integer(rest, i32::MIN as i128, i32::MAX as i128, 4),
        "u32" => integer(rest, 0, u32::MAX as i128, 4),
        "i64" => integer(rest, i64::MIN as i128, i64::MAX as i128, 8),
        "u64" => integer(rest, 0, u64::MAX as i128, 8),
        "f32" => {
            let value: f32 = rest.parse().map_err(|_| not_a_number(rest))?;
            Ok(Argument::Float { bits: value.to_bits() as u64, bytes: 4 })
        }
        "f64" => {
            let value: f64 = rest.parse().map_err(|_| not_a_number(rest))?;
            Ok(Argument::Float { bits: value.to_bits(), bytes: 8 })
        }
        "in" => Ok(Argument::In(file(rest)?)),
        "raw" => Ok(Argument::Raw(file(rest)?)),
        "inout" => match rest.split(':').collect::<Vec<_>>()[..] {
            [from, to] => Ok(Argument::InOut(file(from)?, file(to)?)),
            _ => Err("inout needs two files, inout:IN.npy:OUT.npy".into()),
        },
        "out" => match rest.rsplitn(3, ':').collect::<Vec<_>>()[..] {
            [shape, dtype, path] => {
                Ok(Argument::Out { file: file(path)?, dtype: Dtype::named(dtype)?, shape: parse_shape(shape)? })
            }
            _ => Err("out needs a file, a type and a shape, out:F.npy:float32:64x64".into()),
        },
        other => Err(format!("`{other}` is no kind of argument; kinds are i32 u32 i64 u64 f32 f64 in inout out raw")),
    }
}

fn not_a_number(text: &str) -> String {
    format!("`{text}` is not a number")
}

fn integer(text: &str, low: i128, high: i128, bytes: u32) -> Result<Argument, String> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, text),
    };
    let parsed = match digits.strip_prefix("0x") {
        Some(hexadecimal) => i128::from_str_radix(hexadecimal, 16),
        None => digits.parse(),
    };
    let value = parsed.map_err(|_| format!("`{text}` is not a whole number"))? * sign;
    if value < low || value > high {
        return Err(format!("{value} is outside {low} to {high}"));
    }
    Ok(Argument::Integer { value, bytes })
}

fn file(text: &str) -> Result<PathBuf, String> {
    if text.is_empty() {
        return Err("the file name is missing".into());
    }
    Ok(PathBuf::from(text))
}

fn parse_shape(text: &str) -> Result<Vec<usize>, String> {
    let shape = text
        .split('x')
        .map(|word| word.parse().map_err(|_| format!("`{text}` is not a shape such as 64x64")))
        .collect::<Result<Vec<usize>, String>>()?;
    let bytes = shape.iter().try_fold(8usize, |n, &d| n.checked_mul(d));
    if bytes.is_none_or(|n| n > 1 << 46) {
        return Err(format!("the shape {text} is too large for any device"));
    }
    Ok(shape)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scalars() {
        let bytes = |text: &str, size| parse(text).and_then(|a| a.scalar_bytes(size));
        assert_eq!(bytes("i32:-1", 4), Ok(vec![255; 4]));
        assert_eq!(bytes("u32:0xffffffff", 4), Ok(vec![255; 4]));
        assert_eq!(bytes("i64:-2", 8), Ok((-2i64).to_le_bytes().to_vec()));
        assert_eq!(bytes("u64:18446744073709551615", 8), Ok(vec![255; 8]));
        assert_eq!(bytes("f32:1.5", 4), Ok(1.5f32.to_le_bytes().to_vec()));
        assert_eq!(bytes("f64:-1e300", 8), Ok((-1e300f64).to_le_bytes().to_vec()));
        assert_eq!(bytes("f32:nan", 4).map(|b| b.len()), Ok(4));
        assert_eq!(bytes("i32:1", 1), Ok(vec![1]));
        assert!(bytes("i32:256", 1).is_err());
        assert!(bytes("i32:1", 8).is_err());
        assert!(bytes("f32:1", 8).is_err());
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (text, part) in [
            ("5", "KIND:VALUE"),
            ("int:5", "no kind"),
            ("i32:x", "whole number"),
            ("i32:3000000000", "outside"),
            ("u32:-1", "outside"),
            ("f32:one", "not a number"),
            ("in:", "missing"),
            ("inout:a.npy", "two files"),
            ("out:c.npy:float32", "a file, a type and a shape"),
            ("out:c.npy:float33:4", "float33"),
            ("out:c.npy:float32:4x", "not a shape"),
            ("out:c.npy:float32:99999999999x9999999999", "too large"),
        ] {
            let message = parse(text).expect_err(text);
            assert!(message.contains(part), "{text}: {message}");
        }
    }

    #[test]
    fn buffers() {
        assert_eq!(
            parse("out:a:b.npy:int8:2x3"),
            Ok(Argument::Out { file: "a:b.npy".into(), dtype: Dtype::named("int8").unwrap(), shape: vec![2, 3] })
        );
        assert_eq!(parse("inout:a.npy:b.npy"), Ok(Argument::InOut("a.npy".into(), "b.npy".into())));
    }
}
