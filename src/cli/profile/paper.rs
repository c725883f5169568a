//! A device on paper, for plans that are only counted: it names memory and computes nothing.

use crate::device::{DType, Device, Owner, Precision, StepState, View};
use crate::error::Result;
use crate::ops::operation::{Operation, Planned};

/// Buffers named so far.
#[derive(Default)]
pub struct Paper {
    buffers: usize,
}

impl Device for Paper {
    fn describe(&self) -> String {
        "paper".into()
    }
    fn supports(&self, _: Precision) -> Result<()> {
        Ok(())
    }
    fn alloc_for(&mut self, _: &Owner, dtype: DType, len: usize) -> Result<View> {
        self.buffers += 1;
        Ok(View { buffer: self.buffers - 1, dtype, offset: 0, len })
    }
    fn upload(&mut self, _: View, _: &[u8]) -> Result<()> {
        Ok(())
    }
    fn download(&mut self, _: View, dst: &mut [u8]) -> Result<()> {
        dst.fill(0);
        Ok(())
    }
    fn zero(&mut self, _: View) -> Result<()> {
        Ok(())
    }
    fn copy(&mut self, _: View, _: View) -> Result<()> {
        Ok(())
    }
    fn synchronize(&mut self) -> Result<()> {
        Ok(())
    }
    fn set_step(&mut self, _: StepState) -> Result<()> {
        Ok(())
    }
    fn run(&mut self, _: &Operation) -> Result<()> {
        Ok(())
    }
    fn record(&mut self, _: &str, _: &[Planned]) -> Result<()> {
        Ok(())
    }
}
