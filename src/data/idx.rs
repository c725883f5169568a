//! The IDX format of MNIST: reader and writer for images (2 to 4 dimensions) and labels (1 dimension).
//!
//! ```text
//! 0, 0, element type (0x08: unsigned byte, 0x0c: 32-bit integer), number of dimensions D
//! D sizes, u32 big-endian: count, height, width
//! the elements, last dimension fastest, integers big-endian
//! ```
//!
//! Images are unsigned bytes: `[count, height, width]` grey, `[count, height, width, 3]` or `[count, 3, height, width]`
//! in colour (1 for 3: grey), and `[count, pixels]`, squares where the number is one and rows where it is not.
//! Labels are unsigned bytes or, for more than 256 classes, 32-bit integers.
//!
//! Files may be gzip-compressed; that is seen by their content, not by their name. Source: "THE MNIST DATABASE of
//! handwritten digits", section "FILE FORMATS".
//!
//! Memory: what is allocated is bounded by what the file can justify. The header is compared with the most that the
//! file's length can hold or expand to, and the buffer then grows with the bytes that really arrive.

use super::Images;
use crate::{Error, Result};
use flate2::bufread::MultiGzDecoder;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

/// The IDX codes of unsigned bytes and of 32-bit integers.
const TYPE_U8: u8 = 0x08;
const TYPE_I32: u8 = 0x0c;
/// The largest number of bytes read, 8 GiB: datasets are held in memory.
const MAX_BYTES: u64 = 8 << 30;
/// Deflate cannot expand a byte to more than 1032.
const MAX_GZIP_RATIO: u64 = 1032;

/// What a file is for, and so what it may hold.
#[derive(Clone, Copy)]
struct Role {
    what: &'static str,
    /// Numbers of dimensions, the usual one first.
    dimensions: &'static [u8],
    /// Codes of elements.
    types: &'static [u8],
}

const IMAGES: Role = Role { what: "images", dimensions: &[3, 2, 4], types: &[TYPE_U8] };
const LABELS: Role = Role { what: "labels", dimensions: &[1], types: &[TYPE_U8, TYPE_I32] };

/// What a file holds: the code of its elements, its sizes, its bytes.
struct Contents {
    code: u8,
    sizes: Vec<u32>,
    bytes: Vec<u8>,
}

/// Reads an IDX file of images, raw or gzip-compressed.
///
/// # Errors
/// [`Error::Io`], and [`Error::File`] for each way in which a file can be malformed.
pub fn read_images(path: &Path) -> Result<Images> {
    images_of(read_file(path, IMAGES)?, path)
}

/// Reads an IDX file of labels, raw or gzip-compressed. Errors as [`read_images`], and a label below 0.
pub fn read_labels(path: &Path) -> Result<Vec<u32>> {
    labels_of(read_file(path, LABELS)?, path)
}

/// Reads images from the bytes of a file; `name` stands for the path in errors.
pub fn parse_images(bytes: &[u8], name: &Path) -> Result<Images> {
    images_of(read(bytes, bytes.len() as u64, name, IMAGES)?, name)
}

/// Reads labels from the bytes of a file; `name` stands for the path in errors.
pub fn parse_labels(bytes: &[u8], name: &Path) -> Result<Vec<u32>> {
    labels_of(read(bytes, bytes.len() as u64, name, LABELS)?, name)
}

/// The raw IDX bytes of images.
pub fn encode_images(images: &Images) -> Result<Vec<u8>> {
    let mut sizes = vec![images.count, images.height, images.width];
    sizes.extend((images.channels != 1).then_some(images.channels));
    let pixels = images.all()?;
    encode(TYPE_U8, &sizes, pixels.len(), &pixels)
}

/// The raw IDX bytes of labels: unsigned bytes where they all fit, else 32-bit integers.
pub fn encode_labels(labels: &[u32]) -> Result<Vec<u8>> {
    let bytes: Option<Vec<u8>> = labels.iter().map(|&label| u8::try_from(label).ok()).collect();
    match bytes {
        Some(bytes) => encode(TYPE_U8, &[labels.len()], labels.len(), &bytes),
        None => {
            let bytes: Vec<u8> = labels.iter().flat_map(|label| label.to_be_bytes()).collect();
            encode(TYPE_I32, &[labels.len()], labels.len(), &bytes)
        }
    }
}

/// Whether `bytes` begin as a gzip stream does.
pub fn is_gzip(bytes: &[u8]) -> bool {
    bytes.starts_with(&[0x1f, 0x8b])
}

/// Images of whatever sizes the file has, channels last.
fn images_of(file: Contents, path: &Path) -> Result<Images> {
    let sizes: Vec<usize> = file.sizes.iter().map(|&size| size as usize).collect();
    let images = |[count, height, width, channels]: [usize; 4], pixels: Vec<u8>| Images {
        count,
        height,
        width,
        channels,
        pixels: pixels.into(),
    };
    match sizes[..] {
        [count, pixels] => {
            let side = pixels.isqrt();
            let (height, width) = if side * side == pixels { (side, side) } else { (1, pixels) };
            Ok(images([count, height, width, 1], file.bytes))
        }
        [count, height, width] => Ok(images([count, height, width, 1], file.bytes)),
        [count, height, width, channels @ (1 | 3)] => Ok(images([count, height, width, channels], file.bytes)),
        [count, channels @ (1 | 3), height, width] => {
            let mut pixels = Vec::with_capacity(file.bytes.len());
            for image in file.bytes.chunks_exact(channels * height * width) {
                let places = 0..height * width;
                pixels.extend(places.flat_map(|at| (0..channels).map(move |c| image[c * height * width + at])));
            }
            Ok(images([count, height, width, channels], pixels))
        }
        _ => Err(Error::file(
            path,
            format!(
                "has sizes {sizes:?}: images of four dimensions have 1 channel or 3, as the last size or the second; \
                 convert them to grey or to red, green, blue"
            ),
        )),
    }
}

fn labels_of(file: Contents, path: &Path) -> Result<Vec<u32>> {
    if file.code == TYPE_U8 {
        return Ok(file.bytes.into_iter().map(u32::from).collect());
    }
    let labels = file.bytes.as_chunks().0.iter().enumerate().map(|(at, &bytes)| {
        let label = i32::from_be_bytes(bytes);
        u32::try_from(label).map_err(|_| {
            Error::file(path, format!("has the label {label} at position {at}; labels are numbers from 0 on"))
        })
    });
    labels.collect()
}

fn read_file(path: &Path, role: Role) -> Result<Contents> {
    let failed = |e| Error::io("read", path, e);
    let file = File::open(path).map_err(failed)?;
    let metadata = file.metadata().map_err(failed)?;
    if !metadata.is_file() {
        return Err(failed(io::Error::other("it is not a regular file")));
    }
    read(BufReader::new(file), metadata.len(), path, role)
}

/// Reads a raw or compressed IDX stream of `file_len` bytes.
fn read(mut file: impl BufRead, file_len: u64, path: &Path, role: Role) -> Result<Contents> {
    let packed = is_gzip(file.fill_buf().map_err(|e| Error::io("read", path, e))?);
    let failed = |e: io::Error| match packed {
        true => Error::file(path, format!("is a damaged gzip file ({e}); fetch the file again")),
        false => Error::io("read", path, e),
    };
    let most = if packed { file_len.saturating_mul(MAX_GZIP_RATIO) } else { file_len };
    let mut source: Box<dyn Read + '_> = if packed { Box::new(MultiGzDecoder::new(file)) } else { Box::new(file) };
    let mut header = Vec::new();
    source.by_ref().take(4).read_to_end(&mut header).map_err(failed)?;
    let (code, count) = magic(&header, path, role)?;
    let header_len = 4 + 4 * u64::from(count);
    source.by_ref().take(header_len - 4).read_to_end(&mut header).map_err(failed)?;
    if (header.len() as u64) < header_len {
        return Err(truncated(path, header_len, header.len() as u64));
    }
    let sizes: Vec<u32> = header[4..].as_chunks().0.iter().map(|&size| u32::from_be_bytes(size)).collect();
    let bytes = byte_count(&sizes, code, path)?;
    let expected = header_len + bytes;
    if expected > most {
        return Err(truncated(path, expected, most));
    }
    let mut data = Vec::new();
    let memory = |e| Error::io("find the memory to read", path, io::Error::other(e));
    data.try_reserve_exact(bytes.min(file_len) as usize).map_err(memory)?;
    source.by_ref().take(bytes).read_to_end(&mut data).map_err(failed)?;
    if (data.len() as u64) < bytes {
        return Err(truncated(path, expected, header_len + data.len() as u64));
    }
    // Reading on to the end also makes the decoder check the stream's own checksum.
    if source.read(&mut [0]).map_err(failed)? != 0 {
        return Err(Error::file(
            path,
            format!(
                "has bytes after its end: its header asks for {expected} bytes in all, and more follow; \
                 fetch the file again"
            ),
        ));
    }
    Ok(Contents { code, sizes, bytes: data })
}

/// Checks the first four bytes, as much of them as there was: the code of the elements and the number of dimensions.
fn magic(header: &[u8], path: &Path, role: Role) -> Result<(u8, u8)> {
    let Role { what, dimensions, types } = role;
    let usual = [0, 0, types[0], dimensions[0]];
    if header.len() < 4 && usual.starts_with(header) {
        return Err(truncated(path, 4 + 4 * u64::from(dimensions[0]), header.len() as u64));
    }
    let name = match *header {
        [0, 0, code, _] => element_name(code).map(|name| (code, name)),
        _ => None,
    };
    let problem = match name {
        None => format!(
            "is not an IDX file: it starts with {header:02x?}, where an IDX file of {what} starts with {usual:02x?}; \
             fetch the file again or give another one"
        ),
        Some((code, name)) if !types.contains(&code) => {
            let read: Vec<&str> = types.iter().filter_map(|&code| element_name(code)).collect();
            format!("holds elements of IDX type 0x{code:02x} ({name}); {what} are read as {}", read.join(" or "))
        }
        Some((code, _)) if dimensions.contains(&header[3]) => return Ok((code, header[3])),
        Some(_) if matches!(header[3], 1..=4) => {
            let have = if dimensions.len() == 1 { "1" } else { "2 to 4" };
            format!(
                "has {} dimension(s), where an IDX file of {what} has {have}; were images and labels exchanged?",
                header[3]
            )
        }
        Some(_) => format!("has {} dimensions, and none of images or labels has so many", header[3]),
    };
    Err(Error::file(path, problem))
}

/// The name of an IDX element type.
fn element_name(code: u8) -> Option<&'static str> {
    Some(match code {
        TYPE_U8 => "unsigned byte",
        0x09 => "signed byte",
        0x0b => "16-bit integer",
        TYPE_I32 => "32-bit integer",
        0x0d => "32-bit float",
        0x0e => "64-bit float",
        _ => return None,
    })
}

/// Bytes of the elements, checked. A count of zero is an empty file; an image of no pixels is nonsense.
fn byte_count(sizes: &[u32], code: u8, path: &Path) -> Result<u64> {
    let each = if code == TYPE_I32 { 4 } else { 1 };
    let product = sizes.iter().try_fold(each, |product: u64, &size| product.checked_mul(u64::from(size)));
    let problem = match product {
        _ if sizes[1..].contains(&0) => "make images without a pixel",
        Some(n) if n <= MAX_BYTES && usize::try_from(n).is_ok() => return Ok(n),
        _ => "are more than 8 GiB",
    };
    Err(Error::file(path, format!("declares dimensions {sizes:?}, which {problem}; the header is damaged")))
}

fn truncated(path: &Path, expected: u64, found: u64) -> Error {
    Error::file(
        path,
        format!("is truncated: its header asks for {expected} bytes in all, it has {found}; fetch the file again"),
    )
}

/// The bytes of a file of so many elements.
fn encode(code: u8, sizes: &[usize], elements: usize, data: &[u8]) -> Result<Vec<u8>> {
    let invalid = |found: String| Error::Shape {
        what: format!("IDX data for dimensions {sizes:?}"),
        expected: "sizes below 2^32 whose product is the number of bytes".to_string(),
        found,
    };
    let product = sizes.iter().try_fold(1usize, |product, &size| product.checked_mul(size));
    if product != Some(elements) {
        return Err(invalid(format!("{elements} bytes")));
    }
    let mut bytes = vec![0, 0, code, sizes.len() as u8];
    for &size in sizes {
        let size = u32::try_from(size).map_err(|_| invalid(format!("a size of {size}")))?;
        bytes.extend(size.to_be_bytes());
    }
    bytes.extend(data);
    Ok(bytes)
}
