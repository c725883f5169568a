//! Running operations one by one, on the CPU with each instruction set.

use warp19::cpu::{CpuDevice, Isa};
use warp19::device::{Device, Precision, View};
use warp19::ops::conv::ConvShape;
use warp19::ops::layer::{LayerPass, LayerShape, Pass};
use warp19::ops::linear::LinearShape;
use warp19::ops::operation::{Kind, Operation};

/// The CPU with every instruction set that this processor has, one device for each.
pub fn cpus() -> Vec<CpuDevice> {
    Isa::all().into_iter().map(|isa| CpuDevice::with(isa, None).unwrap()).collect()
}

/// Runs an operation on views.
pub fn run(d: &mut dyn Device, kind: Kind, views: &[View]) {
    try_run(d, kind, views).unwrap();
}

/// As [`run`], for those that may fail.
pub fn try_run(d: &mut dyn Device, kind: Kind, views: &[View]) -> warp19::Result<()> {
    d.run(&Operation::new(kind, Precision::F32, views)?)
}

/// A pass of a convolution.
pub fn conv(s: &ConvShape, pass: Pass) -> Kind {
    Kind::Layer(LayerPass { shape: LayerShape::Conv(*s), pass })
}

/// A pass of a fully connected layer.
pub fn linear(s: &LinearShape, pass: Pass) -> Kind {
    Kind::Layer(LayerPass { shape: LayerShape::Linear(*s), pass })
}
