//! Structures of the driver API, as `cuda.h` documents them.

use crate::abi::{Given, Handle};

/// `CUmemorytype`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MemoryKind {
    #[default]
    Host = 1,
    Device = 2,
    Unified = 4,
}

/// One end of a `CUDA_MEMCPY3D`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct End {
    pub x: usize,
    pub y: usize,
    pub z: usize,
    pub level: usize,
    pub kind: MemoryKind,
    pub host: usize,
    pub device: usize,
    pub array: usize,
    pub reserved: usize,
    pub pitch: usize,
    pub height: usize,
}

/// `CUDA_MEMCPY3D`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct Copy3D {
    pub source: End,
    pub target: End,
    pub width: usize,
    pub height: usize,
    pub depth: usize,
}

/// `CUDA_MEMSET_NODE_PARAMS`, which `cudaMemsetParams` equals.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct Fill {
    pub address: usize,
    pub pitch: usize,
    pub value: u32,
    pub element: u32,
    pub width: usize,
    pub height: usize,
}

/// `CUDA_HOST_NODE_PARAMS`, which `cudaHostNodeParams` equals.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct HostCall {
    pub function: usize,
    pub argument: usize,
}

/// `CUDA_KERNEL_NODE_PARAMS_v2`; the first version ends before `kernel`.
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub struct KernelNode<'a> {
    pub function: Handle,
    pub grid: [u32; 3],
    pub block: [u32; 3],
    pub shared: u32,
    pub params: Given<'a>,
    pub extra: Given<'a>,
    pub kernel: Handle,
    pub context: Handle,
}

/// `CUlaunchConfig`.
#[repr(C)]
pub struct LaunchConfig<'a> {
    pub grid: [u32; 3],
    pub block: [u32; 3],
    pub shared: u32,
    pub stream: Handle,
    pub attributes: Given<'a>,
    pub count: u32,
}

/// `CUmemLocation`, which `cudaMemLocation` equals.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Location {
    pub kind: i32,
    pub id: i32,
}
