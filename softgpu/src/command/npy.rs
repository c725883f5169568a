//! NumPy's .npy files: one array, format versions 1 to 3.
//!
//! Arrays are held row-major and little-endian; files in another order are rearranged when
//! read. Source: NumPy Enhancement Proposal 1 and `numpy.lib.format`.

use std::path::Path;

/// Element type, as in a file's `descr` without the byte order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dtype {
    /// `b` boolean, `i` signed, `u` unsigned, `f` float, `c` complex, `V` opaque.
    kind: char,
    bytes: usize,
}

/// Names that `out:` accepts.
pub const NAMES: [(&str, char, usize); 15] = [
    ("bool", 'b', 1),
    ("int8", 'i', 1),
    ("int16", 'i', 2),
    ("int32", 'i', 4),
    ("int64", 'i', 8),
    ("uint8", 'u', 1),
    ("uint16", 'u', 2),
    ("uint32", 'u', 4),
    ("uint64", 'u', 8),
    ("float16", 'f', 2),
    ("float32", 'f', 4),
    ("float64", 'f', 8),
    ("complex64", 'c', 8),
    ("complex128", 'c', 16),
    // What ml_dtypes writes for it: two opaque bytes.
    ("bfloat16", 'V', 2),
];

impl Dtype {
    /// The type of that NumPy name.
    ///
    /// # Errors
    /// Lists the names if it is none of them.
    pub fn named(name: &str) -> Result<Dtype, String> {
        let found = NAMES.iter().find(|row| row.0 == name).map(|&(_, kind, bytes)| Dtype { kind, bytes });
        found.ok_or_else(|| format!("`{name}` is no element type; known are {}", NAMES.map(|row| row.0).join(" ")))
    }

    /// The type of a file's `descr`, and whether its bytes are big-endian.
    fn described(descr: &str) -> Option<(Dtype, bool)> {
        let mut characters = descr.chars();
        let (order, kind) = (characters.next()?, characters.next()?);
        let bytes = characters.as_str().parse().ok()?;
        let known = NAMES.iter().any(|row| (row.1, row.2) == (kind, bytes)) || kind == 'V' && (1..=16).contains(&bytes);
        (known && "<>|=".contains(order)).then_some((Dtype { kind, bytes }, order == '>' && kind != 'V'))
    }

    /// Bytes of one element.
    pub fn bytes(self) -> usize {
        self.bytes
    }

    fn descr(self) -> String {
        let order = if self.bytes == 1 || self.kind == 'V' { '|' } else { '<' };
        format!("{order}{}{}", self.kind, self.bytes)
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

/// What a file says of its array.
#[derive(serde::Deserialize)]
struct Header {
    descr: String,
    fortran_order: bool,
    shape: Vec<usize>,
}

impl Header {
    /// Reads a dictionary of Python as JSON, which it is but for quotes, tuples and the names of truth values.
    fn parse(text: &str) -> Result<Header, String> {
        let mut json: String = text.split_whitespace().collect();
        for (python, other) in
            [("'", "\""), (",)", ")"), (",}", "}"), ("(", "["), (")", "]"), ("False", "false"), ("True", "true")]
        {
            json = json.replace(python, other);
        }
        serde_json::from_str(&json).map_err(|e| format!("the header is not that of a plain array: {e}"))
    }
}

impl Array {
    /// Reads a file's contents.
    ///
    /// # Errors
    /// If it is no .npy file, holds Python objects or records, or has more or fewer bytes than its shape says.
    pub fn parse(file: &[u8]) -> Result<Array, String> {
        let Some([version, _, rest @ ..]) = file.strip_prefix(b"\x93NUMPY") else {
            return Err("not a .npy file (it does not begin with \\x93NUMPY)".into());
        };
        let (length, rest) = match (version, rest) {
            (1, [a, b, rest @ ..]) => (u16::from_le_bytes([*a, *b]) as usize, rest),
            (2 | 3, [a, b, c, d, rest @ ..]) => (u32::from_le_bytes([*a, *b, *c, *d]) as usize, rest),
            _ => return Err(format!("format version {version} is not known")),
        };
        let (header, data) = rest.split_at_checked(length).ok_or("the header is cut off")?;
        let Header { descr, fortran_order, shape } = Header::parse(&String::from_utf8_lossy(header))?;
        let (dtype, big_endian) =
            Dtype::described(&descr).ok_or_else(|| format!("elements of type `{descr}` are not supported"))?;
        if shape.iter().try_fold(dtype.bytes, |n, &d| n.checked_mul(d)) != Some(data.len()) {
            return Err(format!(
                "{} bytes of data do not make an array of shape {shape:?} with {} bytes an element",
                data.len(),
                dtype.bytes
            ));
        }
        let mut data = if fortran_order { row_major(data, &shape, dtype.bytes) } else { data.to_vec() };
        if big_endian {
            // The two parts of a complex number are each reversed.
            let word = if dtype.kind == 'c' { dtype.bytes / 2 } else { dtype.bytes };
            data.chunks_exact_mut(word).for_each(<[u8]>::reverse);
        }
        Ok(Array { dtype, shape, data })
    }

    /// Writes a file (format version 1), through a temporary one that is renamed.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write(&self, path: &Path) -> std::io::Result<()> {
        let mut temporary = path.as_os_str().to_owned();
        temporary.push(format!(".{}.tmp", std::process::id()));
        let result = std::fs::write(&temporary, self.to_bytes()).and_then(|()| std::fs::rename(&temporary, path));
        if result.is_err() {
            std::fs::remove_file(&temporary).ok();
        }
        result
    }

    /// The contents of a file.
    pub fn to_bytes(&self) -> Vec<u8> {
        let sizes: Vec<String> = self.shape.iter().map(usize::to_string).collect();
        // A tuple of one keeps a comma.
        let comma = if sizes.len() == 1 { "," } else { "" };
        let (descr, sizes) = (self.dtype.descr(), sizes.join(", "));
        let header = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': ({sizes}{comma}), }}");
        // Data begins at a multiple of 64, after a line end.
        let width = (10 + header.len() + 1).next_multiple_of(64) - 11;
        let mut file = b"\x93NUMPY\x01\x00".to_vec();
        file.extend((width as u16 + 1).to_le_bytes());
        file.extend(format!("{header:width$}\n").as_bytes());
        file.extend(&self.data);
        file
    }
}

/// Column-major elements in row-major order.
fn row_major(data: &[u8], shape: &[usize], bytes: usize) -> Vec<u8> {
    let mut out = vec![0; data.len()];
    for (index, element) in data.chunks_exact(bytes).enumerate() {
        // The first axis changes fastest here, slowest there.
        let (_, at) = shape.iter().fold((index, 0), |(rest, at), d| (rest / d, at * d + rest % d));
        out[at * bytes..(at + 1) * bytes].copy_from_slice(element);
    }
    out
}
