//! Weights for other programs: PyTorch's layouts and names, and ONNX graphs.

pub mod onnx;
pub mod protobuf;
pub mod pytorch;
pub mod weights;
