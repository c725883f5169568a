//! Kernel arguments in device memory, and results back to files.

use super::argument::Argument;
use super::failure::{Failure, usage};
use super::npy::Array;
use crate::kernel::KernelInfo;
use crate::memory::Memory;
use std::path::{Path, PathBuf};

/// A device buffer that is written to a file afterwards.
pub(super) struct Buffer {
    address: u64,
    /// What it was at first; its type, shape and size stay.
    array: Array,
    file: PathBuf,
}

impl Buffer {
    pub(super) fn write_back(mut self, memory: &Memory) -> Result<(), Failure> {
        let file = self.file.display();
        memory.read(self.address, &mut self.array.data).map_err(|e| format!("cannot read back {file}: {e}"))?;
        self.array.write(&self.file).map_err(|e| format!("cannot write {file}: {e}").into())
    }
}

/// Packs the arguments at the parameters' offsets, with the buffers they need allocated.
pub(super) fn place(
    arguments: &[Argument],
    kernel: &KernelInfo,
    memory: &Memory,
) -> Result<(Vec<u8>, Vec<Buffer>), Failure> {
    let params = &kernel.params;
    if arguments.len() != params.len() {
        let list: Vec<String> = params.iter().map(|p| format!("{} ({} bytes)", p.name, p.size)).collect();
        return Err(usage(format!(
            "the kernel has {} parameters but {} arguments were given; the parameters are: {}",
            params.len(),
            arguments.len(),
            list.join(", ")
        )));
    }
    let mut packed = vec![0; kernel.param_bytes as usize];
    let mut buffers = Vec::new();
    for (number, (argument, param)) in (1..).zip(arguments.iter().zip(params)) {
        let allocate = |bytes: usize| {
            let address = memory.alloc(bytes.max(1) as u64, &format!("argument {number}"));
            address.map_err(|e| format!("argument {number}: {e}"))
        };
        let value = match argument {
            Argument::Integer(value, bytes) => integer_bytes(*value, *bytes, param.size)
                .map_err(|e| usage(format!("argument {number} ({}): {e}", param.name)))?,
            Argument::Float(bytes) => bytes.clone(),
            Argument::Raw(path) => read(path)?,
            Argument::In(from, to) => {
                let array = Array::parse(&read(from)?).map_err(|e| format!("cannot read {}: {e}", from.display()))?;
                let address = allocate(array.data.len())?;
                memory.write(address, &array.data).map_err(|e| format!("argument {number}: {e}"))?;
                buffers.extend(to.clone().map(|file| Buffer { address, array, file }));
                address.to_le_bytes().to_vec()
            }
            Argument::Out(file, dtype, shape) => {
                let bytes = shape.iter().product::<usize>() * dtype.bytes();
                let address = allocate(bytes)?;
                let array = Array { dtype: *dtype, shape: shape.clone(), data: vec![0; bytes] };
                buffers.push(Buffer { address, array, file: file.clone() });
                address.to_le_bytes().to_vec()
            }
        };
        if value.len() != param.size as usize {
            return Err(usage(format!(
                "argument {number} has {} bytes, but the kernel's parameter {} has {}",
                value.len(),
                param.name,
                param.size
            )));
        }
        let at = param.offset as usize;
        packed[at..at + value.len()].copy_from_slice(&value);
    }
    Ok((packed, buffers))
}

/// An integer of a type of so many bytes as a parameter of `size`, which may be smaller (a `bool` or `short`) if the
/// number fits there.
fn integer_bytes(value: i128, bytes: u32, size: u32) -> Result<Vec<u8>, String> {
    if size > bytes || !matches!(size, 1 | 2 | 4 | 8) {
        return Err(format!("an integer of {bytes} bytes for a parameter of {size} bytes"));
    }
    let limit = 1i128 << (8 * size);
    if value >= limit || value < -(limit / 2) {
        return Err(format!("{value} does not fit the parameter's {size} bytes"));
    }
    Ok(value.to_le_bytes()[..size as usize].to_vec())
}

fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    std::fs::read(path).map_err(|e| format!("cannot read {}: {e}", path.display()).into())
}
