//! Weights for other programs: PyTorch's layouts and names, and ONNX graphs.

pub mod onnx;
pub(crate) mod protobuf;
pub mod pytorch;
