//! Containers of device code as nvcc makes them ("fatbins"), and the PTX in them.
//!
//! The format is not documented. What is written here was seen in the output of nvcc 13.5's `fatbinary` with every
//! `--compress-mode`; numbers are little-endian.
//!
//! A container: magic `0xba55ed50` (4 bytes), version 1 (2), size of this header 16 (2), bytes that follow (8).
//! Then images, each with a header of
//!
//! | at | bytes | |
//! |---|---|---|
//! | 0 | 2 | kind: 1 PTX, 2 machine code (cubin), `0x100` several together (`--concat`); others are left out |
//! | 2 | 2 | version, `0x101` |
//! | 4 | 4 | size of this header: 64, and what the fields below point to (name, options of ptxas) |
//! | 8 | 8 | size of the contents, which follow: padded with zeros to a multiple of 8 |
//! | 16 | 4 | their size without padding where they are compressed, else 0 |
//! | 28 | 4 | architecture, such as 86 |
//! | 40 | 8 | flags: `0x2000` compressed by LZ4 (a block without frame), `0x8000` by zstd (a frame) |
//! | 56 | 8 | size when unpacked, where they are compressed, else 0 |
//!
//! PTX is a text that ends with a zero. Of several together the unpacked texts follow one another with zeros between.

use std::io::Read;

const MAGIC: u32 = 0xba55_ed50;
const HEADER: usize = 16;
const PTX: u16 = 1;
const CUBIN: u16 = 2;
const TOGETHER: u16 = 0x100;
const LZ4: u64 = 0x2000;
const ZSTD: u64 = 0x8000;
/// No text is larger; a size beyond it is a broken file's.
const MOST: u64 = 1 << 30;

/// The number of 2, 4 or 8 bytes at an offset.
fn number<const N: usize>(bytes: &[u8], at: usize) -> Result<u64, String> {
    let Some(found) = bytes.get(at..at + N) else {
        return Err("the fatbin is cut off".into());
    };
    Ok(found.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte)))
}

/// Whether bytes begin a container.
pub fn begins(bytes: &[u8]) -> bool {
    number::<4>(bytes, 0) == Ok(u64::from(MAGIC))
}

/// Bytes of the container that begins so, of which 16 are given.
///
/// # Errors
/// Its version is not known.
pub fn size(header: &[u8]) -> Result<usize, String> {
    let (version, own) = (number::<2>(header, 4)?, number::<2>(header, 6)?);
    if (version, own) != (1, HEADER as u64) {
        return Err(format!("a fatbin of version {version} with a header of {own} bytes; 1 with 16 is known"));
    }
    Ok(HEADER + number::<8>(header, 8)? as usize)
}

/// One image.
struct Image<'a> {
    kind: u16,
    architecture: u64,
    flags: u64,
    contents: &'a [u8],
    unpacked: u64,
}

/// The image that begins here, and what is behind it.
fn image(bytes: &[u8]) -> Result<(Image<'_>, &[u8]), String> {
    let (kind, version) = (number::<2>(bytes, 0)? as u16, number::<2>(bytes, 2)?);
    if version != 0x101 {
        return Err(format!("an image of version {version:#x} in a fatbin; 0x101 is known"));
    }
    let (header, padded, packed) = (number::<4>(bytes, 4)?, number::<8>(bytes, 8)?, number::<4>(bytes, 16)?);
    let end = header.checked_add(padded).and_then(|end| usize::try_from(end).ok());
    let (Some(all), Some(rest)) = (end.and_then(|e| bytes.get(header as usize..e)), end.and_then(|e| bytes.get(e..)))
    else {
        return Err("the fatbin is cut off".into());
    };
    let contents = if packed == 0 { all } else { &all[..all.len().min(packed as usize)] };
    let (architecture, flags) = (number::<4>(bytes, 28)?, number::<8>(bytes, 40)?);
    Ok((Image { kind, architecture, flags, contents, unpacked: number::<8>(bytes, 56)? }, rest))
}

impl Image<'_> {
    /// What the image holds.
    fn unpack(&self) -> Result<Vec<u8>, String> {
        if self.flags & (LZ4 | ZSTD) == 0 {
            return Ok(self.contents.to_vec());
        }
        if self.unpacked > MOST {
            return Err(format!("an image of {} bytes in a fatbin", self.unpacked));
        }
        let broken = |error: String| format!("an image in a fatbin can't be unpacked: {error}");
        if self.flags & LZ4 != 0 {
            return lz4_flex::block::decompress(self.contents, self.unpacked as usize)
                .map_err(|e| broken(e.to_string()));
        }
        let mut bytes = Vec::new();
        let decoder = ruzstd::decoding::StreamingDecoder::new(self.contents).map_err(|e| broken(e.to_string()))?;
        decoder.take(self.unpacked).read_to_end(&mut bytes).map_err(|e| broken(e.to_string()))?;
        Ok(bytes)
    }
}

/// A PTX text and what its `.target` says.
struct Text {
    ptx: String,
    architecture: u32,
    /// `a`: that architecture only, `f`: its family.
    suffix: Option<char>,
}

/// The PTX texts in an image's contents.
fn texts(contents: &[u8]) -> Vec<Text> {
    let parts = contents.split(|byte| *byte == 0).filter_map(|part| std::str::from_utf8(part).ok());
    let read = |ptx: &str| {
        let target = ptx.split_once(".target")?.1.trim_start().strip_prefix("sm_")?;
        let digits = target.find(|c: char| !c.is_ascii_digit())?;
        let suffix = target[digits..].chars().next().filter(char::is_ascii_lowercase);
        Some(Text { ptx: ptx.to_string(), architecture: target[..digits].parse().ok()?, suffix })
    };
    parts.filter_map(read).collect()
}

/// The PTX of a container for a device: the newest that is not newer than the device.
///
/// # Errors
/// There is none (and which option of nvcc brings it), or the container can't be read.
pub fn ptx(container: &[u8], sm: u32) -> Result<String, String> {
    let end = size(container)?.min(container.len());
    let mut rest = &container[HEADER..end];
    let (mut found, mut machine_code) = (Vec::new(), Vec::new());
    while !rest.is_empty() {
        let (image, next) = image(rest)?;
        rest = next;
        match image.kind {
            PTX | TOGETHER => found.extend(texts(&image.unpack()?)),
            CUBIN => machine_code.push(image.architecture),
            _ => {}
        }
    }
    let runs = |text: &Text| match text.suffix {
        Some('a') => text.architecture == sm,
        Some('f') => text.architecture / 10 == sm / 10 && text.architecture <= sm,
        _ => text.architecture <= sm,
    };
    let suffix = |text: &Text| text.suffix.map(String::from).unwrap_or_default();
    let others = found.iter().map(|text| format!("PTX for sm_{}{}", text.architecture, suffix(text)));
    let others: Vec<String> = others.chain(machine_code.iter().map(|sm| format!("machine code for sm_{sm}"))).collect();
    match found.into_iter().filter(runs).max_by_key(|text| (text.architecture, text.suffix)) {
        Some(text) => Ok(text.ptx),
        None => Err(format!(
            "the fatbin has no PTX that sm_{sm} can run, only {}. Compile with \
             `nvcc -gencode arch=compute_{sm},code=compute_{sm}`, or with `softgpu nvcc`, which keeps PTX",
            if others.is_empty() { "code of other kinds".into() } else { others.join(", ") }
        )),
    }
}
