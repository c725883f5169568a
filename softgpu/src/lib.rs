//! softgpu: a CUDA device in software.
