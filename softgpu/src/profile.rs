//! The modelled devices.

/// Limits of one modelled device. Sources: CUDA C++ Programming Guide, "Compute Capabilities".
#[derive(Clone, Debug)]
pub struct Profile {
    /// Name as in `SOFTGPU_DEVICE`, such as `sm_86`.
    pub name: &'static str,
    /// Compute capability times ten, such as 86.
    pub sm: u32,
    /// Multiprocessors.
    pub sm_count: u32,
    pub max_threads_per_block: u32,
    pub max_threads_per_sm: u32,
    pub max_blocks_per_sm: u32,
    /// Shared memory of a block without opting in, bytes.
    pub shared_per_block: u32,
    /// Shared memory of a block with opting in, bytes.
    pub shared_per_block_optin: u32,
    pub shared_per_sm: u32,
    pub registers_per_sm: u32,
    /// Device memory, bytes.
    pub memory_bytes: u64,
}

impl Profile {
    /// The profile of that name, or `None`.
    pub fn named(name: &str) -> Option<Profile> {
        let (sm, sm_count, threads, blocks, optin, shared_sm) = match name {
            "sm_61" => (61, 20, 2048, 32, 48, 96),
            "sm_75" => (75, 46, 1024, 16, 64, 64),
            "sm_80" => (80, 108, 2048, 32, 163, 164),
            "sm_86" => (86, 82, 1536, 16, 99, 100),
            "sm_89" => (89, 128, 1536, 24, 99, 100),
            "sm_90" => (90, 132, 2048, 32, 227, 228),
            _ => return None,
        };
        let name = match sm {
            61 => "sm_61",
            75 => "sm_75",
            80 => "sm_80",
            86 => "sm_86",
            89 => "sm_89",
            _ => "sm_90",
        };
        Some(Profile {
            name,
            sm,
            sm_count,
            max_threads_per_block: 1024,
            max_threads_per_sm: threads,
            max_blocks_per_sm: blocks,
            shared_per_block: 48 << 10,
            shared_per_block_optin: optin << 10,
            shared_per_sm: shared_sm << 10,
            registers_per_sm: 65536,
            memory_bytes: 8 << 30,
        })
    }
}
