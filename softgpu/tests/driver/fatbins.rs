//! PTX in fatbins: every way to pack it, which of several is taken, and what is refused.

use crate::support::{context, turn};
use cudarc::driver::sys::{CUresult::*, *};
use std::ffi::{c_int, c_void};
use std::ptr::null_mut;

const LZ4: u64 = 0x2000;
const ZSTD: u64 = 0x8000;
const PTX: u16 = 1;
const CUBIN: u16 = 2;
const TOGETHER: u16 = 0x100;

/// A kernel `stores_N`, for an architecture.
fn text(target: &str, n: u32) -> Vec<u8> {
    let text = format!(
        ".version 8.0\n.target {target}\n.address_size 64\n.visible .entry stores_{n}(.param .u64 p)\n{{\n.reg .b64 \
         %a;\n.reg .b32 %v;\nld.param.u64 %a, [p];\nmov.u32 %v, {n};\nst.global.u32 [%a], %v;\nret;\n}}\n\0"
    );
    text.into_bytes()
}

/// An image as nvcc's `fatbinary` writes it: the header's fields at their places, the contents padded.
fn image(kind: u16, architecture: u32, flags: u64, contents: &[u8], unpacked: usize) -> Vec<u8> {
    let mut padded = contents.to_vec();
    padded.resize(contents.len().next_multiple_of(8), 0);
    let packed = flags & (LZ4 | ZSTD) != 0;
    let mut header = [0u8; 64];
    header[0..2].copy_from_slice(&kind.to_le_bytes());
    header[2..4].copy_from_slice(&0x101u16.to_le_bytes());
    header[4..8].copy_from_slice(&64u32.to_le_bytes());
    header[8..16].copy_from_slice(&(padded.len() as u64).to_le_bytes());
    header[16..20].copy_from_slice(&(if packed { contents.len() as u32 } else { 0 }).to_le_bytes());
    header[28..32].copy_from_slice(&architecture.to_le_bytes());
    header[40..48].copy_from_slice(&(flags | 0x11).to_le_bytes());
    header[56..64].copy_from_slice(&(if packed { unpacked as u64 } else { 0 }).to_le_bytes());
    [header.to_vec(), padded].concat()
}

fn container(images: &[Vec<u8>]) -> Vec<u8> {
    let contents = images.concat();
    let mut bytes = vec![0x50, 0xed, 0x55, 0xba, 1, 0, 16, 0];
    bytes.extend((contents.len() as u64).to_le_bytes());
    bytes.extend(contents);
    bytes
}

fn packed(kind: u16, architecture: u32, flags: u64, contents: &[u8]) -> Vec<u8> {
    let bytes = match flags {
        LZ4 => lz4_flex::block::compress(contents),
        ZSTD => ruzstd::encoding::compress_to_vec(contents, ruzstd::encoding::CompressionLevel::Fastest),
        _ => contents.to_vec(),
    };
    image(kind, architecture, flags, &bytes, contents.len())
}

/// Loads a module and says which kernel it has, by its number.
fn loaded(bytes: &[u8]) -> Result<u32, CUresult> {
    let mut module = null_mut();
    // SAFETY: an image in one of the forms that the driver takes.
    unsafe { cuModuleLoadData(&mut module, bytes.as_ptr().cast()) }.result().map_err(|error| error.0)?;
    let found = (0..10).find(|n| {
        let (mut function, name) = (null_mut(), format!("stores_{n}\0"));
        // SAFETY: pointers to live values.
        unsafe { cuModuleGetFunction(&mut function, module, name.as_ptr().cast()) == CUDA_SUCCESS }
    });
    // SAFETY: the module that was loaded.
    unsafe { cuModuleUnload(module) }.result().unwrap();
    Ok(found.expect("one of the kernels"))
}

#[test]
fn ptx_is_found_however_it_is_packed() {
    let _turn = turn();
    let _context = context();
    for flags in [0, LZ4, ZSTD] {
        let alone = container(&[packed(PTX, 80, flags, &text("sm_80", 3))]);
        assert_eq!(loaded(&alone), Ok(3), "{flags:#x}");
        // Beside machine code, and two texts in one image with zeros between them.
        let both = [text("sm_75", 1), vec![0; 5], text("sm_80", 2)].concat();
        let images = [image(CUBIN, 86, 0, b"\x7fELF....", 0), packed(TOGETHER, 0, flags, &both)];
        assert_eq!(loaded(&container(&images)), Ok(2), "{flags:#x}");
    }
    // The wrapper of nvcc's host code: magic, version, the container's address.
    let inner = container(&[packed(PTX, 80, ZSTD, &text("sm_80", 4))]);
    let wrapper = [1 << 32 | 0x466243b1, inner.as_ptr() as usize, 0];
    let mut module = null_mut();
    // SAFETY: a wrapper and its container.
    unsafe { cuModuleLoadFatBinary(&mut module, wrapper.as_ptr().cast()) }.result().unwrap();
    // SAFETY: the module that was loaded.
    unsafe { cuModuleUnload(module) }.result().unwrap();
}

/// The device is an sm_86.
#[test]
fn the_newest_ptx_that_the_device_runs_is_taken() {
    let turn = turn();
    let _context = context();
    let of = |targets: &[&str]| {
        let images = targets.iter().enumerate().map(|(n, target)| {
            let digits: String = target.chars().filter(char::is_ascii_digit).collect();
            packed(PTX, digits.parse().unwrap(), ZSTD, &text(target, n as u32))
        });
        loaded(&container(&images.collect::<Vec<_>>()))
    };
    assert_eq!(of(&["sm_75", "sm_80", "sm_90"]), Ok(1));
    assert_eq!(of(&["sm_86", "sm_80"]), Ok(0));
    // sm_80a is for that architecture alone, sm_90 too new.
    for target in ["sm_80a", "sm_90"] {
        assert_eq!(of(&[target]), Err(CUDA_ERROR_NO_BINARY_FOR_GPU));
        let message = turn.library.last_message().unwrap();
        assert!(message.contains(&format!("only PTX for {target}.")), "{message}");
        assert!(message.contains("code=compute_86"), "{message}");
    }
}

#[test]
fn machine_code_alone_and_broken_containers_are_refused() {
    let turn = turn();
    let _context = context();
    let cubins = container(&[image(CUBIN, 75, 0, b"\x7fELF....", 0), image(CUBIN, 86, 0, b"\x7fELF....", 0)]);
    assert_eq!(loaded(&cubins), Err(CUDA_ERROR_NO_BINARY_FOR_GPU));
    let message = turn.library.last_message().unwrap();
    assert!(message.contains("machine code for sm_75, machine code for sm_86"), "{message}");

    let good = container(&[packed(PTX, 80, ZSTD, &text("sm_80", 3))]);
    let with = |at: usize, byte: u8| {
        let mut bytes = good.clone();
        bytes[at] = byte;
        bytes
    };
    // The container's version; an image's version; its header beyond the end; contents that are no zstd.
    for (bytes, part) in [
        (with(4, 2), "version 2"),
        (with(18, 2), "version 0x102"),
        (with(21, 0x70), "cut off"),
        (with(80, 0), "can't be unpacked"),
    ] {
        assert!(loaded(&bytes).is_err(), "{part}");
        let message = turn.library.last_message().unwrap();
        assert!(message.contains(part), "{message}");
    }
}

#[test]
fn fatbins_are_linked() {
    let _turn = turn();
    let _context = context();
    let input = container(&[packed(PTX, 80, LZ4, &text("sm_80", 6))]);
    // SAFETY: pointers to live values, and the size that belongs to the input.
    unsafe {
        let mut link = null_mut();
        cuLinkCreate_v2(0, null_mut(), null_mut(), &mut link).result().unwrap();
        let kind = CUjitInputType::CU_JIT_INPUT_FATBINARY;
        let (data, none) = (input.as_ptr().cast_mut().cast(), null_mut::<c_int>());
        let added = cuLinkAddData_v2(
            link,
            kind,
            data,
            input.len(),
            c"unit".as_ptr(),
            0,
            none.cast(),
            none.cast::<*mut c_void>(),
        );
        added.result().unwrap();
        let (mut image, mut bytes) = (null_mut(), 0);
        cuLinkComplete(link, &mut image, &mut bytes).result().unwrap();
        let linked = std::slice::from_raw_parts(image.cast::<u8>(), bytes);
        assert_eq!(loaded(linked), Ok(6));
        cuLinkDestroy(link).result().unwrap();
    }
}
