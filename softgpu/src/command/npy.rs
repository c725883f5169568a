//! NumPy's .npy files: one array, format versions 1 to 3.
//!
//! Arrays are held row-major and little-endian; files in another order are rearranged when
//! read. Source: NumPy Enhancement Proposal 1 and `numpy.lib.format`.

use std::path::Path;

/// Element type, as in a file's `descr` without the byte order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dtype {
    /// `b` boolean, `i` signed, `u` unsigned, `f` float, `c` complex, `V` opaque.
    kind: u8,
    bytes: usize,
}

/// Names that `out:` accepts.
const NAMES: [(&str, u8, usize); 15] = [
    ("bool", b'b', 1),
    ("int8", b'i', 1),
    ("int16", b'i', 2),
    ("int32", b'i', 4),
    ("int64", b'i', 8),
    ("uint8", b'u', 1),
    ("uint16", b'u', 2),
    ("uint32", b'u', 4),
    ("uint64", b'u', 8),
    ("float16", b'f', 2),
    ("float32", b'f', 4),
    ("float64", b'f', 8),
    ("complex64", b'c', 8),
    ("complex128", b'c', 16),
    // What ml_dtypes writes for it: two opaque bytes.
    ("bfloat16", b'V', 2),
];

impl Dtype {
    /// The type of that NumPy name.
    ///
    /// # Errors
    /// Lists the names if it is none of them.
    pub fn named(name: &str) -> Result<Dtype, String> {
        NAMES.iter().find(|n| n.0 == name).map(|&(_, kind, bytes)| Dtype { kind, bytes }).ok_or_else(|| {
            let names: Vec<&str> = NAMES.iter().map(|n| n.0).collect();
            format!("`{name}` is no element type; known are {}", names.join(" "))
        })
    }

    /// Bytes of one element.
    pub fn bytes(self) -> usize {
        self.bytes
    }

    /// Bytes that are reversed together in the other byte order.
    fn word(self) -> usize {
        if self.kind == b'c' { self.bytes / 2 } else { self.bytes }
    }

    fn descr(self) -> String {
        let order = if self.bytes == 1 || self.kind == b'V' { '|' } else { '<' };
        format!("{order}{}{}", self.kind as char, self.bytes)
    }
}

/// An array: row-major, little-endian.
#[derive(Clone, Debug, PartialEq)]
pub struct Array {
    /// Element type.
    pub dtype: Dtype,
    /// Sizes, the last one contiguous.
    pub shape: Vec<usize>,
    /// The elements' bytes.
    pub data: Vec<u8>,
}

impl Array {
    /// Reads a file.
    ///
    /// # Errors
    /// If it cannot be read, is no .npy file, holds Python objects or records, or has more or
    /// fewer bytes than its shape says.
    pub fn read(path: &Path) -> Result<Array, String> {
        let file = std::fs::read(path).map_err(|e| e.to_string())?;
        Array::parse(&file)
    }

    /// Reads a file's contents; see [`Array::read`].
    pub fn parse(file: &[u8]) -> Result<Array, String> {
        if file.len() < 10 || &file[..6] != b"\x93NUMPY" {
            return Err("not a .npy file (it does not begin with \\x93NUMPY)".into());
        }
        let (start, length): (usize, usize) = match file[6] {
            1 => (10, u16::from_le_bytes([file[8], file[9]]) as usize),
            2 | 3 if file.len() >= 12 => {
                let bytes = [file[8], file[9], file[10], file[11]];
                (12, u32::from_le_bytes(bytes) as usize)
            }
            version => return Err(format!("format version {version} is not known")),
        };
        let header = file
            .get(start..)
            .and_then(|rest| rest.get(..length))
            .and_then(|h| std::str::from_utf8(h).ok())
            .ok_or("the header is cut off or not text")?;
        let (dtype, big_endian, fortran, shape) = parse_header(header)?;
        let count = shape.iter().try_fold(1usize, |n, &d| n.checked_mul(d));
        let bytes = count.and_then(|n| n.checked_mul(dtype.bytes));
        let data = &file[start + length..];
        if bytes != Some(data.len()) {
            return Err(format!(
                "{} bytes of data do not make an array of shape {shape:?} with {} bytes an element",
                data.len(),
                dtype.bytes
            ));
        }
        let mut data = data.to_vec();
        if big_endian {
            data.chunks_exact_mut(dtype.word()).for_each(<[u8]>::reverse);
        }
        if fortran && shape.len() > 1 {
            data = row_major(&data, &shape, dtype.bytes);
        }
        Ok(Array { dtype, shape, data })
    }

    /// Writes a file (format version 1), through a temporary one that is renamed.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write(&self, path: &Path) -> Result<(), String> {
        let mut temporary = path.as_os_str().to_owned();
        temporary.push(format!(".{}.tmp", std::process::id()));
        let result = std::fs::write(&temporary, self.to_bytes()).and_then(|()| std::fs::rename(&temporary, path));
        if result.is_err() {
            std::fs::remove_file(&temporary).ok();
        }
        result.map_err(|e| e.to_string())
    }

    /// The contents of a file.
    pub fn to_bytes(&self) -> Vec<u8> {
        let sizes: String = self.shape.iter().map(|d| format!("{d}, ")).collect();
        // A tuple of one keeps its comma, longer ones drop the last.
        let sizes = match self.shape.len() {
            0 => "",
            1 => sizes.trim_end(),
            _ => sizes.trim_end_matches(", "),
        };
        let mut header = format!("{{'descr': '{}', 'fortran_order': False, 'shape': ({sizes}), }}", self.dtype.descr());
        // Data begins at a multiple of 64.
        while (10 + header.len() + 1) % 64 != 0 {
            header.push(' ');
        }
        header.push('\n');
        let mut file = b"\x93NUMPY\x01\x00".to_vec();
        file.extend((header.len() as u16).to_le_bytes());
        file.extend(header.as_bytes());
        file.extend(&self.data);
        file
    }
}

/// Column-major elements in row-major order.
fn row_major(data: &[u8], shape: &[usize], bytes: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(data.len());
    let mut strides = vec![1; shape.len()];
    for i in 1..shape.len() {
        strides[i] = strides[i - 1] * shape[i - 1];
    }
    let mut index = vec![0; shape.len()];
    for _ in 0..data.len() / bytes {
        let at: usize = index.iter().zip(&strides).map(|(i, s)| i * s).sum();
        out.extend(&data[at * bytes..(at + 1) * bytes]);
        for axis in (0..shape.len()).rev() {
            index[axis] += 1;
            if index[axis] < shape[axis] {
                break;
            }
            index[axis] = 0;
        }
    }
    out
}

/// Type, whether big-endian, whether column-major, shape.
type Header = (Dtype, bool, bool, Vec<usize>);

fn parse_header(header: &str) -> Result<Header, String> {
    let value = |key: &str| {
        let at = header.find(&format!("'{key}'"))?;
        let rest = &header[at + key.len() + 2..];
        Some(rest.trim_start().strip_prefix(':')?.trim_start())
    };
    let descr = value("descr").ok_or("the header has no descr")?;
    let descr = descr
        .strip_prefix('\'')
        .and_then(|d| d.split_once('\''))
        .ok_or("arrays of records are not supported; save a plain array")?
        .0;
    let (dtype, big_endian) = parse_descr(descr)?;
    let fortran = match value("fortran_order") {
        Some(text) if text.starts_with("True") => true,
        Some(text) if text.starts_with("False") => false,
        _ => return Err("the header has no fortran_order".into()),
    };
    let shape = value("shape")
        .and_then(|s| s.strip_prefix('('))
        .and_then(|s| s.split_once(')'))
        .ok_or("the header has no shape")?
        .0
        .split(',')
        .map(str::trim)
        .filter(|word| !word.is_empty())
        .map(|word| word.parse().map_err(|_| format!("`{word}` is not a size in the shape")))
        .collect::<Result<Vec<usize>, String>>()?;
    Ok((dtype, big_endian, fortran, shape))
}

fn parse_descr(descr: &str) -> Result<(Dtype, bool), String> {
    let unknown = || format!("elements of type `{descr}` are not supported");
    let mut characters = descr.chars();
    let order = characters.next().ok_or_else(unknown)?;
    let kind = characters.next().ok_or_else(unknown)?;
    let bytes: usize = characters.as_str().parse().map_err(|_| unknown())?;
    let fits = match kind {
        'b' => bytes == 1,
        'i' | 'u' => matches!(bytes, 1 | 2 | 4 | 8),
        'f' => matches!(bytes, 2 | 4 | 8),
        'c' => matches!(bytes, 8 | 16),
        'V' => (1..=16).contains(&bytes),
        _ => false,
    };
    if !fits || !matches!(order, '<' | '>' | '|' | '=') {
        return Err(unknown());
    }
    let dtype = Dtype { kind: kind as u8, bytes };
    Ok((dtype, order == '>' && kind != 'V'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(header: &str, data: &[u8]) -> Vec<u8> {
        let mut file = b"\x93NUMPY\x01\x00".to_vec();
        file.extend((header.len() as u16).to_le_bytes());
        file.extend(header.as_bytes());
        file.extend(data);
        file
    }

    #[test]
    fn what_is_written_is_read() {
        for (name, _, bytes) in NAMES {
            for shape in [vec![], vec![3], vec![2, 3], vec![0, 4]] {
                let count = shape.iter().product::<usize>() * bytes;
                let array =
                    Array { dtype: Dtype::named(name).unwrap(), shape, data: (0..count).map(|i| i as u8).collect() };
                assert_eq!(Array::parse(&array.to_bytes()), Ok(array.clone()));
                let start = array.to_bytes().len() - array.data.len();
                assert_eq!(start % 64, 0);
            }
        }
    }

    #[test]
    fn other_orders_are_rearranged() {
        let header = "{'descr': '>i2', 'fortran_order': True, 'shape': (2, 3), }\n";
        // Column-major 2 x 3, values 1..6: rows are 1 3 5 and 2 4 6.
        let data: Vec<u8> = (1..7u16).flat_map(u16::to_be_bytes).collect();
        let array = Array::parse(&file(header, &data)).unwrap();
        let values: Vec<u8> = array.data.iter().step_by(2).copied().collect();
        assert_eq!(values, [1, 3, 5, 2, 4, 6]);
        assert_eq!(array.shape, [2, 3]);
    }

    #[test]
    fn bad_files_are_refused() {
        let good = "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }\n";
        assert!(Array::parse(&file(good, &[0; 8])).is_ok());
        for (bytes, part) in [
            (file(good, &[0; 7]), "do not make an array"),
            (b"hello world".to_vec(), "not a .npy file"),
            (file(&good.replace("<f4", "|O"), &[0; 8]), "not supported"),
            (file(&good.replace("<f4", "<U4"), &[0; 8]), "not supported"),
            (file(&good.replace("'shape'", "'form'"), &[0; 8]), "no shape"),
            (file(good, &[])[..20].to_vec(), "cut off"),
            (file(&good.replace("(2,)", "(18446744073709551615, 9)"), &[0; 8]), "do not make an array"),
        ] {
            let message = Array::parse(&bytes).expect_err(part);
            assert!(message.contains(part), "{message}");
        }
    }
}
