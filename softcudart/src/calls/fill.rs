//! Filling memory with a byte.

use super::memory::{Extent, Pitched};
use crate::abi::*;
use crate::context::current;

forms!(
    cudaMemset,
    cudaMemset_ptds,
    cudaMemsetAsync,
    cudaMemsetAsync_ptsz,
    when,
    |address: usize, value: i32, bytes: usize| {
        let (driver, value) = (current()?, value as u8);
        match when {
            _ if bytes == 0 => Ok(()),
            When::Now => driver.cuMemsetD8_v2(address, value, bytes),
            When::NowOwn => driver.cuMemsetD8_v2_ptds(address, value, bytes),
            When::On(stream) => driver.cuMemsetD8Async(address, value, bytes, stream),
        }
    }
);

fn rows(address: usize, pitch: usize, value: i32, width: usize, height: usize, when: When) -> Answer {
    let (driver, value) = (current()?, value as u8);
    match when {
        _ if width == 0 || height == 0 => Ok(()),
        When::Now => driver.cuMemsetD2D8_v2(address, pitch, value, width, height),
        When::NowOwn => driver.cuMemsetD2D8_v2_ptds(address, pitch, value, width, height),
        When::On(stream) => driver.cuMemsetD2D8Async(address, pitch, value, width, height, stream),
    }
}

forms!(
    cudaMemset2D,
    cudaMemset2D_ptds,
    cudaMemset2DAsync,
    cudaMemset2DAsync_ptsz,
    when,
    |address: usize, pitch: usize, value: i32, width: usize, height: usize| {
        rows(address, pitch, value, width, height, when)
    }
);

// Slice by slice: between the slices there may be rows that stay as they are.
forms!(
    cudaMemset3D,
    cudaMemset3D_ptds,
    cudaMemset3DAsync,
    cudaMemset3DAsync_ptsz,
    when,
    |place: Pitched, value: i32, extent: Extent| {
        for slice in 0..extent.depth {
            let address = place.address + slice * place.pitch * place.height;
            rows(address, place.pitch, value, extent.width, extent.height, when)?;
        }
        Ok(())
    }
);
