//! Device variables by the address of their host shadow.

use super::copy::{direction, linear};
use crate::abi::*;
use crate::program::variable;

entry!(cudaGetSymbolAddress, |address: Out<usize>, symbol: usize| address.set(variable(symbol)?.0));

entry!(cudaGetSymbolSize, |bytes: Out<usize>, symbol: usize| bytes.set(variable(symbol)?.1));

/// The address of a part of a variable.
pub fn part(symbol: usize, offset: usize, bytes: usize) -> Answer<usize> {
    let (address, size) = variable(symbol)?;
    let inside = offset.checked_add(bytes).is_some_and(|end| end <= size);
    valid(inside, format_args!("{bytes} bytes at offset {offset} of a variable of {size} bytes"))?;
    Ok(address + offset)
}

forms!(
    cudaMemcpyToSymbol,
    cudaMemcpyToSymbol_ptds,
    cudaMemcpyToSymbolAsync,
    cudaMemcpyToSymbolAsync_ptsz,
    when,
    |symbol: usize, from: usize, bytes: usize, offset: usize, kind: i32| {
        linear(part(symbol, offset, bytes)?, from, bytes, direction(kind)?, when)
    }
);

forms!(
    cudaMemcpyFromSymbol,
    cudaMemcpyFromSymbol_ptds,
    cudaMemcpyFromSymbolAsync,
    cudaMemcpyFromSymbolAsync_ptsz,
    when,
    |to: usize, symbol: usize, bytes: usize, offset: usize, kind: i32| {
        linear(to, part(symbol, offset, bytes)?, bytes, direction(kind)?, when)
    }
);
