//! The IDX format of MNIST: reader and writer for images (3 dimensions) and labels (1 dimension).
//!
//! ```text
//! 0, 0, element type (0x08: unsigned byte), number of dimensions D
//! D sizes, u32 big-endian: count, height, width
//! the elements, last dimension fastest
//! ```
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

/// The IDX code of unsigned bytes.
const TYPE_U8: u8 = 0x08;
/// The largest number of elements read, 8 GiB: datasets are held in memory.
const MAX_ELEMENTS: u64 = 8 << 30;
/// Deflate cannot expand a byte to more than 1032.
const MAX_GZIP_RATIO: u64 = 1032;

/// What a file is for, and so how many dimensions it has.
type Role = (&'static str, u8);
const IMAGES: Role = ("images", 3);
const LABELS: Role = ("labels", 1);

/// Reads an IDX file of images, raw or gzip-compressed.
///
/// # Errors
/// [`Error::Io`], and [`Error::File`] for each way in which a file can be malformed.
pub fn read_images(path: &Path) -> Result<Images> {
    read_file(path, IMAGES).map(images_of)
}

/// Reads an IDX file of labels, raw or gzip-compressed. Errors as [`read_images`].
pub fn read_labels(path: &Path) -> Result<Vec<u8>> {
    Ok(read_file(path, LABELS)?.1)
}

/// Reads images from the bytes of a file; `name` stands for the path in errors.
pub fn parse_images(bytes: &[u8], name: &Path) -> Result<Images> {
    read(bytes, bytes.len() as u64, name, IMAGES).map(images_of)
}

/// Reads labels from the bytes of a file; `name` stands for the path in errors.
pub fn parse_labels(bytes: &[u8], name: &Path) -> Result<Vec<u8>> {
    Ok(read(bytes, bytes.len() as u64, name, LABELS)?.1)
}

/// The raw IDX bytes of images.
pub fn encode_images(images: &Images) -> Result<Vec<u8>> {
    encode(&[images.count, images.height, images.width], &images.pixels)
}

/// The raw IDX bytes of labels.
pub fn encode_labels(labels: &[u8]) -> Result<Vec<u8>> {
    encode(&[labels.len()], labels)
}

/// Whether `bytes` begin as a gzip stream does.
pub fn is_gzip(bytes: &[u8]) -> bool {
    bytes.starts_with(&[0x1f, 0x8b])
}

fn images_of((dimensions, pixels): (Vec<u32>, Vec<u8>)) -> Images {
    Images { count: dimensions[0] as usize, height: dimensions[1] as usize, width: dimensions[2] as usize, pixels }
}

fn read_file(path: &Path, role: Role) -> Result<(Vec<u32>, Vec<u8>)> {
    let failed = |e| Error::io("read", path, e);
    let file = File::open(path).map_err(failed)?;
    let metadata = file.metadata().map_err(failed)?;
    if !metadata.is_file() {
        return Err(failed(io::Error::other("it is not a regular file")));
    }
    read(BufReader::new(file), metadata.len(), path, role)
}

/// Reads a raw or compressed IDX stream of `file_len` bytes.
fn read(mut file: impl BufRead, file_len: u64, path: &Path, role: Role) -> Result<(Vec<u32>, Vec<u8>)> {
    let packed = is_gzip(file.fill_buf().map_err(|e| Error::io("read", path, e))?);
    let failed = |e: io::Error| match packed {
        true => Error::file(path, format!("is a damaged gzip file ({e}); fetch the file again")),
        false => Error::io("read", path, e),
    };
    let most = if packed { file_len.saturating_mul(MAX_GZIP_RATIO) } else { file_len };
    let mut source: Box<dyn Read + '_> = if packed { Box::new(MultiGzDecoder::new(file)) } else { Box::new(file) };
    let mut header = Vec::new();
    source.by_ref().take(header_len(role)).read_to_end(&mut header).map_err(failed)?;
    let dimensions = dimensions(header, path, role)?;
    let elements = element_count(&dimensions, path)?;
    let expected = header_len(role) + elements;
    if expected > most {
        return Err(truncated(path, expected, most));
    }
    let mut data = Vec::new();
    let memory = |e| Error::io("find the memory to read", path, io::Error::other(e));
    data.try_reserve_exact(elements.min(file_len) as usize).map_err(memory)?;
    source.by_ref().take(elements).read_to_end(&mut data).map_err(failed)?;
    if (data.len() as u64) < elements {
        return Err(truncated(path, expected, header_len(role) + data.len() as u64));
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
    Ok((dimensions, data))
}

fn header_len((_, dimensions): Role) -> u64 {
    4 + 4 * u64::from(dimensions)
}

/// Checks a header, as much of it as there was, and gives its sizes.
fn dimensions(mut header: Vec<u8>, path: &Path, role: Role) -> Result<Vec<u32>> {
    let (what, dimensions) = role;
    let cut_off = truncated(path, header_len(role), header.len() as u64);
    if header.len() < 4 && [0, 0, TYPE_U8, dimensions].starts_with(&header) {
        return Err(cut_off);
    }
    let magic = header.len() >= 4 && header[..2] == [0, 0];
    let problem = match if magic { element_name(header[2]) } else { None } {
        None => {
            header.truncate(4);
            format!(
                "is not an IDX file: it starts with {header:02x?}, where an IDX file of {what} starts with \
                 [00, 00, 08, 0{dimensions}]; fetch the file again or give another one"
            )
        }
        Some(name) if header[2] != TYPE_U8 => {
            format!("holds elements of IDX type 0x{:02x} ({name}); only unsigned bytes (0x08) are read", header[2])
        }
        Some(_) if header[3] != dimensions => format!(
            "has {} dimension(s), where an IDX file of {what} has {dimensions}; were images and labels exchanged?",
            header[3]
        ),
        Some(_) if (header.len() as u64) < header_len(role) => return Err(cut_off),
        Some(_) => return Ok(header[4..].as_chunks().0.iter().map(|&size| u32::from_be_bytes(size)).collect()),
    };
    Err(Error::file(path, problem))
}

/// The name of an IDX element type.
fn element_name(code: u8) -> Option<&'static str> {
    Some(match code {
        0x08 => "unsigned byte",
        0x09 => "signed byte",
        0x0b => "16-bit integer",
        0x0c => "32-bit integer",
        0x0d => "32-bit float",
        0x0e => "64-bit float",
        _ => return None,
    })
}

/// The product of the dimensions, checked. A count of zero is an empty file; an image of no pixels is nonsense.
fn element_count(dimensions: &[u32], path: &Path) -> Result<u64> {
    let product = dimensions.iter().try_fold(1u64, |product, &size| product.checked_mul(u64::from(size)));
    let problem = match product {
        _ if dimensions[1..].contains(&0) => "make images without a pixel",
        Some(n) if n <= MAX_ELEMENTS && usize::try_from(n).is_ok() => return Ok(n),
        _ => "are more than 8 GiB",
    };
    Err(Error::file(path, format!("declares dimensions {dimensions:?}, which {problem}; the header is damaged")))
}

fn truncated(path: &Path, expected: u64, found: u64) -> Error {
    Error::file(
        path,
        format!("is truncated: its header asks for {expected} bytes in all, it has {found}; fetch the file again"),
    )
}

fn encode(dimensions: &[usize], data: &[u8]) -> Result<Vec<u8>> {
    let invalid = |found: String| Error::Shape {
        what: format!("IDX data for dimensions {dimensions:?}"),
        expected: "sizes below 2^32 whose product is the number of bytes".to_string(),
        found,
    };
    let product = dimensions.iter().try_fold(1usize, |product, &size| product.checked_mul(size));
    if product != Some(data.len()) {
        return Err(invalid(format!("{} bytes", data.len())));
    }
    let mut bytes = vec![0, 0, TYPE_U8, dimensions.len() as u8];
    for &size in dimensions {
        let size = u32::try_from(size).map_err(|_| invalid(format!("a size of {size}")))?;
        bytes.extend(size.to_be_bytes());
    }
    bytes.extend(data);
    Ok(bytes)
}
