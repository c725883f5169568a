//! The modelled devices: limits, attributes and the occupancy calculator.
//!
//! Limits per compute capability are those of the CUDA C++ Programming Guide, appendix "Compute
//! Capabilities", table "Technical Specifications per Compute Capability"; allocation granularities those
//! of the occupancy calculator in NVIDIA Nsight Compute. Multiprocessors, clocks, bus and cache are those
//! of one well-known board of each kind, named in `board`.

use serde::Serialize;

/// Limits of one modelled device.
#[derive(Clone, Debug)]
pub struct Profile {
    /// Name as in `SOFTGPU_DEVICE`, such as `sm_86`.
    pub name: &'static str,
    /// The board that the counts and clocks are taken from.
    pub board: &'static str,
    /// Compute capability times ten, such as 86.
    pub sm: u32,
    /// Multiprocessors.
    pub sm_count: u32,
    /// Threads a block can have.
    pub max_threads_per_block: u32,
    /// Threads a multiprocessor holds.
    pub max_threads_per_sm: u32,
    /// Blocks a multiprocessor holds.
    pub max_blocks_per_sm: u32,
    /// Shared memory of a block without opting in, bytes.
    pub shared_per_block: u32,
    /// Shared memory of a block with opting in, bytes.
    pub shared_per_block_optin: u32,
    /// Shared memory of a multiprocessor, bytes.
    pub shared_per_sm: u32,
    /// Shared memory that the system takes of each block, bytes.
    pub shared_reserved: u32,
    /// Registers of a multiprocessor.
    pub registers_per_sm: u32,
    /// Shared memory is given to blocks in multiples of this, bytes.
    pub shared_granularity: u32,
    /// Bytes of kernel parameters at most.
    pub max_param_bytes: u32,
    /// Core clock, kHz.
    pub clock_khz: u32,
    /// Memory clock, kHz.
    pub memory_clock_khz: u32,
    /// Width of the memory bus, bits.
    pub bus_bits: u32,
    /// Second-level cache.
    pub l2_bytes: u32,
    /// Device memory, bytes.
    pub memory_bytes: u64,
}

/// Largest grid in x, y and z, for every compute capability from 3.0.
pub const MAX_GRID: [u32; 3] = [0x7fff_ffff, 65535, 65535];
/// Largest block in x, y and z.
pub const MAX_BLOCK: [u32; 3] = [1024, 1024, 64];
/// Lanes of a warp.
pub const WARP: u32 = 32;
/// Registers a thread can have.
pub const MAX_REGISTERS_PER_THREAD: u32 = 255;

/// What differs from device to device, in the order of the columns of [`DEVICES`].
type Device = (&'static str, &'static str, [u32; 5], [u32; 4]);

/// Name and board; multiprocessors, threads and blocks of each, shared memory in KiB of a block that opts in and of a
/// multiprocessor; core MHz, memory MHz, bits of the bus, KiB of the second-level cache.
const DEVICES: [Device; 7] = [
    ("sm_61", "GeForce GTX 1080", [20, 2048, 32, 48, 96], [1733, 5005, 256, 2048]),
    ("sm_70", "Tesla V100 SXM2", [80, 2048, 32, 96, 96], [1530, 877, 4096, 6144]),
    ("sm_75", "GeForce RTX 2080", [46, 1024, 16, 64, 64], [1710, 7000, 256, 4096]),
    ("sm_80", "A100 80GB", [108, 2048, 32, 163, 164], [1410, 1512, 5120, 40960]),
    ("sm_86", "GeForce RTX 3090", [82, 1536, 16, 99, 100], [1695, 9751, 384, 6144]),
    ("sm_89", "GeForce RTX 4090", [128, 1536, 24, 99, 100], [2520, 10501, 384, 73728]),
    ("sm_90", "H100 SXM", [132, 2048, 32, 227, 228], [1980, 2619, 5120, 51200]),
];

impl Default for Profile {
    fn default() -> Profile {
        Profile::of(DEVICES[4])
    }
}

impl std::str::FromStr for Profile {
    type Err = String;
    fn from_str(name: &str) -> Result<Profile, String> {
        let known = Profile::NAMES.join(", ");
        Profile::named(name).ok_or_else(|| format!("no device of that name is modelled; known are {known}"))
    }
}

impl Profile {
    /// The names that [`Profile::named`] knows.
    pub const NAMES: [&'static str; 7] = ["sm_61", "sm_70", "sm_75", "sm_80", "sm_86", "sm_89", "sm_90"];

    /// The profile of that name, or `None`.
    pub fn named(name: &str) -> Option<Profile> {
        DEVICES.into_iter().find(|device| device.0 == name).map(Profile::of)
    }

    fn of(
        (name, board, [sm_count, threads, blocks, optin, shared], [clock, memory_clock, bus_bits, l2]): Device,
    ) -> Profile {
        let sm = name["sm_".len()..].parse().unwrap_or(0);
        Profile {
            name,
            board,
            sm,
            sm_count,
            max_threads_per_block: 1024,
            max_threads_per_sm: threads,
            max_blocks_per_sm: blocks,
            shared_per_block: 48 << 10,
            shared_per_block_optin: optin << 10,
            shared_per_sm: shared << 10,
            shared_reserved: if sm >= 80 { 1024 } else { 0 },
            registers_per_sm: 65536,
            shared_granularity: if sm >= 80 { 128 } else { 256 },
            max_param_bytes: if sm >= 70 { 32764 } else { 4096 },
            clock_khz: clock * 1000,
            memory_clock_khz: memory_clock * 1000,
            bus_bits,
            l2_bytes: l2 << 10,
            memory_bytes: 8 << 30,
        }
    }

    /// Compute capability as (major, minor).
    pub(crate) fn capability(&self) -> (u32, u32) {
        (self.sm / 10, self.sm % 10)
    }

    /// Registers that a warp of a kernel with this many a thread occupies (units of 256).
    fn registers_per_warp(registers: u32) -> u32 {
        (registers.max(1) * WARP).next_multiple_of(256)
    }

    /// Most threads a block of a kernel with this many registers a thread can have.
    ///
    /// Warps are given registers in four equal parts of the file, so their number is a multiple of 4.
    pub(crate) fn threads_by_registers(&self, registers: u32) -> u32 {
        let warps = self.registers_per_sm / Self::registers_per_warp(registers) / 4 * 4;
        (warps * WARP).min(self.max_threads_per_block)
    }

    /// Registers a thread can have at most where so many blocks of so many threads are to share a multiprocessor.
    pub(crate) fn registers_for_blocks(&self, threads: u32, blocks: u32) -> u32 {
        let fit = |&registers: &u32| {
            let found = self.occupancy(threads, registers, 0);
            found.blocks_per_sm >= blocks || found.limited_by != "registers"
        };
        let counts = (8..=248).rev().step_by(8);
        std::iter::once(MAX_REGISTERS_PER_THREAD).chain(counts).find(fit).unwrap_or(8)
    }

    /// Blocks of a kernel that one multiprocessor holds at once, and what bounds them.
    ///
    /// blocks = min(most blocks, floor(warps of the multiprocessor / warps of a block),
    /// floor(registers), floor(shared memory / (static + dynamic + reserved))), each rounded to
    /// its granularity; 0 when a single block does not fit. `registers` 0 means not known and does not bound.
    pub fn occupancy(&self, threads: u32, registers: u32, shared: u32) -> Occupancy {
        let warps_per_block = threads.div_ceil(WARP);
        if threads == 0 || threads > self.max_threads_per_block || shared > self.shared_per_block_optin {
            return Occupancy { limited_by: "nothing fits", ..Occupancy::default() };
        }
        let (mut blocks, mut limited_by) = (self.max_blocks_per_sm, "blocks");
        let mut limit = |most: u32, what: &'static str| {
            if most < blocks {
                (blocks, limited_by) = (most, what);
            }
        };
        limit(self.max_threads_per_sm / WARP / warps_per_block, "threads");
        if registers > 0 {
            let warps = self.registers_per_sm / Self::registers_per_warp(registers) / 4 * 4;
            limit(warps / warps_per_block, "registers");
        }
        let shared = (shared + self.shared_reserved).next_multiple_of(self.shared_granularity);
        if let Some(blocks) = self.shared_per_sm.checked_div(shared) {
            limit(blocks, "shared memory");
        }
        let warps = blocks * warps_per_block;
        let share = f64::from(warps * WARP) / f64::from(self.max_threads_per_sm);
        Occupancy { blocks_per_sm: blocks, warps_per_sm: warps, share, limited_by }
    }

    /// Dynamic shared memory left to each block when `blocks` are to share a multiprocessor, bytes.
    pub(crate) fn shared_for_blocks(&self, blocks: u32, static_shared: u32) -> u32 {
        let share = self.shared_per_sm / blocks.max(1) / self.shared_granularity * self.shared_granularity;
        share.saturating_sub(self.shared_reserved).min(self.shared_per_block_optin).saturating_sub(static_shared)
    }

    /// The value of a `CUdevice_attribute`, or `None` for a number that names none.
    ///
    /// What softgpu does not model (textures, virtual memory management, handles to
    /// other processes) is 0, which is how a driver says that a device lacks it.
    pub(crate) fn attribute(&self, id: i32) -> Option<i32> {
        let (major, minor) = self.capability();
        let value = match id {
            1 => self.max_threads_per_block,
            2..=4 => MAX_BLOCK[id as usize - 2],
            5..=7 => MAX_GRID[id as usize - 5],
            8 => self.shared_per_block,
            9 => 65536, // constant memory
            10 => WARP,
            11 => 0x7fff_ffff,                // largest pitch
            12 | 82 => self.registers_per_sm, // of a block and of a multiprocessor
            13 => self.clock_khz,
            14 => 512, // texture alignment
            15 => 1,   // copies overlap kernels
            16 => self.sm_count,
            30 => 512, // surface alignment
            31 => 1,   // concurrent kernels
            33 => 1,   // PCI bus
            36 => self.memory_clock_khz,
            37 => self.bus_bits,
            38 => self.l2_bytes,
            39 => self.max_threads_per_sm,
            40 => 2,  // copy engines
            41 => 1,  // one address space for host and device
            51 => 32, // texture pitch alignment
            75 => major,
            76 => minor,
            78 => 1,      // stream priorities
            79 | 80 => 1, // L1 caches global and local memory
            81 => self.shared_per_sm,
            87 if matches!(self.sm, 70 | 80 | 90) => 2, // float to double rate
            87 => 32,
            83 | 89 => 1, // managed memory, also while kernels run
            90 => 1,      // compute preemption
            95 => 1,      // cooperative launch
            97 => self.shared_per_block_optin,
            99 => 1, // host memory can be registered
            106 => self.max_blocks_per_sm,
            111 => self.shared_reserved,
            115 => 1, // memory pools
            _ if (1..=148).contains(&id) => 0,
            _ => return None,
        };
        Some(value as i32)
    }
}

/// What a multiprocessor can hold of a kernel, by the profile's limits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Occupancy {
    /// Blocks at a time.
    pub blocks_per_sm: u32,
    /// Warps at a time.
    pub warps_per_sm: u32,
    /// Of the threads a multiprocessor can hold.
    pub share: f64,
    /// What does not allow more.
    pub limited_by: &'static str,
}
