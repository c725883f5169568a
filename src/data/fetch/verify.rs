//! Is a file the one it should be?

use crate::data::idx;
use crate::data::known::{KnownFile, Sum};
use crate::{Error, Result};
use flate2::bufread::MultiGzDecoder;
use sha2::{Digest, Sha256};
use std::io::Read;
use std::path::Path;

/// Unpacks what a mirror gave (a .gz file, or the raw one where the server unpacked it) and checks it; gives the raw
/// file.
///
/// A file whose only known checksum is of its .gz form must come in that form.
pub fn unpack(file: &KnownFile, body: &[u8], source: &Path) -> Result<Vec<u8>> {
    if let Sum::Gz(expected) = &file.sum {
        check_sum(source, body, expected)?;
    }
    let mut raw = Vec::new();
    if idx::is_gzip(body) {
        // One byte more than there should be shows a file that is too long without unpacking it all.
        MultiGzDecoder::new(body)
            .take(file.raw_len() + 1)
            .read_to_end(&mut raw)
            .map_err(|e| Error::file(source, format!("is a damaged gzip file ({e}); fetch the file again")))?;
    } else {
        raw.extend(body);
    }
    check_raw(file, &raw, source)?;
    Ok(raw)
}

/// Checks a raw file: IDX of the right counts and sizes, and its SHA-256 where that is known.
pub fn check_raw(file: &KnownFile, raw: &[u8], source: &Path) -> Result<()> {
    let (count, image_size) = match file.image_size {
        Some(_) => {
            let images = idx::parse_images(raw, source)?;
            (images.count, Some((images.height, images.width)))
        }
        None => (idx::parse_labels(raw, source)?.len(), None),
    };
    if (count, image_size) != (file.count, file.image_size) {
        return Err(Error::Shape {
            what: format!("contents of {}", source.display()),
            expected: shape(file.count, file.image_size),
            found: shape(count, image_size),
        });
    }
    match &file.sum {
        Sum::Raw(expected) => check_sum(source, raw, expected),
        Sum::Gz(_) => Ok(()),
    }
}

/// Checks a file in the local folder. Its .gz form can be somebody's own compression, so only the raw checksum says
/// anything about it.
pub fn local(file: &KnownFile, path: &Path) -> Result<()> {
    let raw = match file.image_size {
        Some(_) => idx::encode_images(&idx::read_images(path)?)?,
        None => idx::encode_labels(&idx::read_labels(path)?)?,
    };
    check_raw(file, &raw, path)
}

fn shape(count: usize, image_size: Option<(usize, usize)>) -> String {
    match image_size {
        Some((height, width)) => format!("{count} images of {height}x{width}"),
        None => format!("{count} labels"),
    }
}

/// An error if bytes have another SHA-256 than they should.
pub fn check_sum(source: &Path, bytes: &[u8], expected: &str) -> Result<()> {
    let found = format!("{:x}", Sha256::digest(bytes));
    if found == expected {
        return Ok(());
    }
    Err(Error::file(source, format!("has SHA-256 {found}, not {expected}: it is damaged or another file")))
}
