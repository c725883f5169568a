//! The IDX format of MNIST: reader and writer for images (3 dimensions) and labels (1 dimension).
//!
//! ```text
//! 0, 0, element type (0x08: unsigned byte), number of dimensions D
//! D sizes, u32 big-endian: count, height, width
//! the elements, last dimension fastest
//! ```
//!
//! Files may be gzip-compressed; that is seen by their content, not by their name. Source: "THE
//! MNIST DATABASE of handwritten digits", section "FILE FORMATS".
//!
//! Memory: what is allocated is bounded by what the file can justify. A raw file's length must equal what its header
//! asks for before anything is allocated. A gzip file's header is compared with the most that its length can expand to,
//! and the buffer then grows with the bytes that really arrive, never past the header's size.

use super::Images;
use super::atomic;
use crate::{Error, Result};
use byteorder::{BigEndian, ByteOrder, WriteBytesExt};
use flate2::bufread::MultiGzDecoder;
use std::fs::File;
use std::io::{BufReader, Cursor, ErrorKind, Read};
use std::path::Path;

/// The IDX code of unsigned bytes.
const TYPE_U8: u8 = 0x08;
/// The largest number of elements read, 8 GiB: datasets are held in memory.
const MAX_ELEMENTS: u64 = 8 << 30;
/// Deflate cannot expand a byte to more than 1032.
const MAX_GZIP_RATIO: u64 = 1032;
/// The buffer's first size for a gzip stream; it grows with the bytes that arrive.
const FIRST_CHUNK: u64 = 64 << 10;

/// What a file is for, and so how many dimensions it has.
#[derive(Clone, Copy)]
enum Role {
    Images,
    Labels,
}

impl Role {
    fn dimensions(self) -> u8 {
        match self {
            Role::Images => 3,
            Role::Labels => 1,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Role::Images => "images",
            Role::Labels => "labels",
        }
    }
}

/// Reads an IDX file of images, raw or gzip-compressed.
///
/// Errors: [`Error::Io`], and one named variant for each way in which a file can be malformed (`Idx*`).
pub fn read_images(path: &Path) -> Result<Images> {
    let (dimensions, pixels) = read_file(path, Role::Images)?;
    Ok(images_of(&dimensions, pixels))
}

/// Reads an IDX file of labels, raw or gzip-compressed. Errors as [`read_images`].
pub fn read_labels(path: &Path) -> Result<Vec<u8>> {
    Ok(read_file(path, Role::Labels)?.1)
}

/// Reads images from the bytes of a file; `name` stands for the path in errors.
pub fn parse_images(bytes: &[u8], name: &Path) -> Result<Images> {
    let (dimensions, pixels) = read(Cursor::new(bytes), bytes.len() as u64, name, Role::Images)?;
    Ok(images_of(&dimensions, pixels))
}

/// Reads labels from the bytes of a file; `name` stands for the path in errors.
pub fn parse_labels(bytes: &[u8], name: &Path) -> Result<Vec<u8>> {
    Ok(read(Cursor::new(bytes), bytes.len() as u64, name, Role::Labels)?.1)
}

/// Writes images as a raw IDX file, atomically.
pub fn write_images(path: &Path, images: &Images) -> Result<()> {
    atomic::write(path, &encode_images(images)?)
}

/// Writes labels as a raw IDX file, atomically.
pub fn write_labels(path: &Path, labels: &[u8]) -> Result<()> {
    atomic::write(path, &encode(&[labels.len()], labels)?)
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

fn images_of(dimensions: &[u32], pixels: Vec<u8>) -> Images {
    Images { count: dimensions[0] as usize, height: dimensions[1] as usize, width: dimensions[2] as usize, pixels }
}

fn read_file(path: &Path, role: Role) -> Result<(Vec<u32>, Vec<u8>)> {
    let action = "read";
    let file = File::open(path).map_err(|e| Error::io(action, path, e))?;
    let metadata = file.metadata().map_err(|e| Error::io(action, path, e))?;
    if !metadata.is_file() {
        let kind = std::io::Error::new(ErrorKind::InvalidInput, "it is not a regular file");
        return Err(Error::io(action, path, kind));
    }
    read(BufReader::new(file), metadata.len(), path, role)
}

/// Reads a raw or compressed IDX stream of `file_len` bytes.
fn read(mut source: impl std::io::BufRead, file_len: u64, path: &Path, role: Role) -> Result<(Vec<u32>, Vec<u8>)> {
    let start = source.fill_buf().map_err(|e| Error::io("read", path, e))?;
    if is_gzip(start) {
        read_gzip(MultiGzDecoder::new(source), file_len, path, role)
    } else {
        read_raw(source, file_len, path, role)
    }
}

fn read_raw(mut source: impl Read, file_len: u64, path: &Path, role: Role) -> Result<(Vec<u32>, Vec<u8>)> {
    let io = |e| Error::io("read", path, e);
    let dimensions = read_header(&mut source, path, role)?.map_err(io)?;
    let elements = element_count(&dimensions, path)?;
    let expected = header_len(role) + elements;
    if file_len < expected {
        return Err(truncated(path, expected, file_len));
    }
    if file_len > expected {
        return Err(Error::IdxTrailing { path: path.to_path_buf(), expected });
    }
    let mut data = Vec::new();
    reserve(&mut data, elements, path)?;
    source.take(elements).read_to_end(&mut data).map_err(io)?;
    // The file can have shrunk since its length was asked for.
    if (data.len() as u64) < elements {
        let found = header_len(role) + data.len() as u64;
        return Err(truncated(path, expected, found));
    }
    Ok((dimensions, data))
}

fn read_gzip(mut source: impl Read, file_len: u64, path: &Path, role: Role) -> Result<(Vec<u32>, Vec<u8>)> {
    let damaged = |source: std::io::Error| Error::IdxGzip { path: path.to_path_buf(), source };
    let dimensions = read_header(&mut source, path, role)?.map_err(damaged)?;
    let elements = element_count(&dimensions, path)?;
    let expected = header_len(role) + elements;
    let most = file_len.saturating_mul(MAX_GZIP_RATIO);
    if expected > most {
        return Err(truncated(path, expected, most));
    }
    let mut data = Vec::new();
    let mut size = elements.min(FIRST_CHUNK);
    loop {
        let have = data.len() as u64;
        reserve(&mut data, size - have, path)?;
        source.by_ref().take(size - have).read_to_end(&mut data).map_err(damaged)?;
        if (data.len() as u64) < size {
            let found = header_len(role) + data.len() as u64;
            return Err(truncated(path, expected, found));
        }
        if size == elements {
            break;
        }
        size = elements.min(size * 2);
    }
    // Reading on to the end also makes the decoder check the stream's own checksum.
    if source.read(&mut [0]).map_err(damaged)? != 0 {
        return Err(Error::IdxTrailing { path: path.to_path_buf(), expected });
    }
    Ok((dimensions, data))
}

fn header_len(role: Role) -> u64 {
    4 + 4 * u64::from(role.dimensions())
}

/// Reads and checks the header. The inner result is for failures of the stream, which raw and
/// compressed files name differently.
fn read_header(source: &mut impl Read, path: &Path, role: Role) -> Result<std::io::Result<Vec<u32>>> {
    let mut header = Vec::new();
    if let Err(e) = source.take(header_len(role)).read_to_end(&mut header) {
        return Ok(Err(e));
    }
    let path_buf = path.to_path_buf();
    if header.len() < 4 && [0, 0, TYPE_U8, role.dimensions()].starts_with(&header) {
        return Err(truncated(path, header_len(role), header.len() as u64));
    }
    let magic_ok = header.len() >= 4 && header[..2] == [0, 0];
    let Some(element) = (if magic_ok { element_name(header[2]) } else { None }) else {
        header.truncate(4);
        return Err(Error::IdxMagic {
            path: path_buf,
            what: role.name(),
            dimensions: role.dimensions(),
            found: header,
        });
    };
    if header[2] != TYPE_U8 {
        return Err(Error::IdxElementType { path: path_buf, code: header[2], name: element });
    }
    if header[3] != role.dimensions() {
        return Err(Error::IdxDimensionCount {
            path: path_buf,
            what: role.name(),
            expected: role.dimensions(),
            found: header[3],
        });
    }
    if (header.len() as u64) < header_len(role) {
        return Err(truncated(path, header_len(role), header.len() as u64));
    }
    let sizes = header[4..].chunks_exact(4).map(BigEndian::read_u32);
    Ok(Ok(sizes.collect()))
}

/// The name of an IDX element type.
fn element_name(code: u8) -> Option<&'static str> {
    match code {
        0x08 => Some("unsigned byte"),
        0x09 => Some("signed byte"),
        0x0b => Some("16-bit integer"),
        0x0c => Some("32-bit integer"),
        0x0d => Some("32-bit float"),
        0x0e => Some("64-bit float"),
        _ => None,
    }
}

/// The product of the dimensions, checked.
fn element_count(dimensions: &[u32], path: &Path) -> Result<u64> {
    let invalid = |problem| Error::IdxDimensions { path: path.to_path_buf(), dimensions: dimensions.to_vec(), problem };
    // A count of zero is an empty file; an image of no pixels is nonsense.
    if dimensions[1..].contains(&0) {
        return Err(invalid("make images without a pixel"));
    }
    dimensions
        .iter()
        .try_fold(1u64, |product, &size| product.checked_mul(u64::from(size)))
        .filter(|&elements| elements <= MAX_ELEMENTS && usize::try_from(elements).is_ok())
        .ok_or_else(|| invalid("is more than 8 GiB"))
}

fn reserve(data: &mut Vec<u8>, more: u64, path: &Path) -> Result<()> {
    data.try_reserve_exact(more as usize)
        .map_err(|e| Error::io("find the memory to read", path, std::io::Error::other(e)))
}

fn truncated(path: &Path, expected: u64, found: u64) -> Error {
    Error::IdxTruncated { path: path.to_path_buf(), expected, found }
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
    let mut bytes = Vec::with_capacity(4 + 4 * dimensions.len() + data.len());
    bytes.extend_from_slice(&[0, 0, TYPE_U8, dimensions.len() as u8]);
    for &size in dimensions {
        let size = u32::try_from(size).map_err(|_| invalid(format!("a size of {size}")))?;
        bytes.write_u32::<BigEndian>(size).map_err(|e| Error::io("write", "memory", e))?;
    }
    bytes.extend_from_slice(data);
    Ok(bytes)
}
