//! Kernel arguments in device memory, and results back to files.

use super::argument::Argument;
use super::failure::{Failure, usage};
use super::npy;
use crate::kernel::ParamInfo;
use crate::memory::Memory;
use std::path::PathBuf;

/// A device buffer that is written to a file afterwards.
pub(super) struct Buffer {
    address: u64,
    bytes: usize,
    dtype: npy::Dtype,
    shape: Vec<usize>,
    file: PathBuf,
}

impl Buffer {
    pub(super) fn write_back(&self, memory: &Memory) -> Result<(), Failure> {
        let mut data = vec![0; self.bytes];
        memory.read(self.address, &mut data).map_err(|e| format!("cannot read back {}: {e}", self.file.display()))?;
        let array = npy::Array { dtype: self.dtype, shape: self.shape.clone(), data };
        array.write(&self.file).map_err(|e| Failure::from(format!("cannot write {}: {e}", self.file.display())))
    }
}

/// Packs the arguments at the parameters' offsets, with the buffers they need allocated.
pub(super) fn place(
    arguments: &[Argument],
    params: &[ParamInfo],
    bytes: u32,
    memory: &Memory,
) -> Result<(Vec<u8>, Vec<Buffer>), Failure> {
    if arguments.len() != params.len() {
        let list: Vec<String> = params.iter().map(|p| format!("{} ({} bytes)", p.name, p.size)).collect();
        return Err(usage(format!(
            "the kernel has {} parameters but {} arguments were given; the parameters are: {}",
            params.len(),
            arguments.len(),
            list.join(", ")
        )));
    }
    let mut packed = vec![0; bytes as usize];
    let mut buffers = Vec::new();
    for (index, (argument, param)) in arguments.iter().zip(params).enumerate() {
        let number = index + 1;
        let value = match argument {
            Argument::Integer { .. } | Argument::Float { .. } => argument
                .scalar_bytes(param.size)
                .map_err(|e| usage(format!("argument {number} ({}): {e}", param.name)))?,
            Argument::Raw(path) => {
                std::fs::read(path).map_err(|e| format!("argument {number}: cannot read {}: {e}", path.display()))?
            }
            Argument::In(path) => upload(memory, read(path)?, None, &mut buffers, number)?,
            Argument::InOut(from, to) => upload(memory, read(from)?, Some(to.clone()), &mut buffers, number)?,
            Argument::Out { file, dtype, shape } => {
                let count = shape.iter().product::<usize>();
                let bytes = count * dtype.bytes();
                let address = allocate(memory, bytes, number)?;
                buffers.push(Buffer { address, bytes, dtype: *dtype, shape: shape.clone(), file: file.clone() });
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

fn read(path: &std::path::Path) -> Result<npy::Array, Failure> {
    npy::Array::read(path).map_err(|e| Failure::from(format!("cannot read {}: {e}", path.display())))
}

fn allocate(memory: &Memory, bytes: usize, number: usize) -> Result<u64, Failure> {
    memory
        .alloc(bytes.max(1) as u64, &format!("argument {number}"))
        .map_err(|e| Failure::from(format!("argument {number}: {e}")))
}

/// Allocates a buffer with an array in it; gives the argument's bytes.
fn upload(
    memory: &Memory,
    array: npy::Array,
    file: Option<PathBuf>,
    buffers: &mut Vec<Buffer>,
    number: usize,
) -> Result<Vec<u8>, Failure> {
    let bytes = array.data.len();
    let address = allocate(memory, bytes, number)?;
    memory.write(address, &array.data).map_err(|e| format!("argument {number}: {e}"))?;
    if let Some(file) = file {
        buffers.push(Buffer { address, bytes, dtype: array.dtype, shape: array.shape, file });
    }
    Ok(address.to_le_bytes().to_vec())
}
