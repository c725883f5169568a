//! What a profiler would show, exactly repeatable.

use crate::profile::Occupancy;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt::Write;

/// Executions of a class of instructions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Executed {
    /// Warp instructions.
    pub warps: u64,
    /// Thread instructions: the lanes active in them.
    pub threads: u64,
}

/// Traffic of one kind of memory access.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Traffic {
    /// Warp instructions.
    pub requests: u64,
    /// Bytes the lanes asked for.
    pub bytes: u64,
    /// Global: 32-byte sectors moved. Shared: wavefronts, that is passes over the 32 banks.
    pub moved: u64,
    /// The least. Global: sectors that the requests' different bytes would fill. Shared: passes without a bank
    /// conflict, one for up to 32 lanes of 4 bytes, 16 lanes of 8 or 8 lanes of 16.
    pub ideal: u64,
}

impl Traffic {
    /// Adds another count.
    pub fn add(&mut self, other: &Traffic) {
        self.requests += other.requests;
        self.bytes += other.bytes;
        self.moved += other.moved;
        self.ideal += other.ideal;
    }

    /// Ideal over moved; 1 when nothing moved.
    pub fn efficiency(&self) -> f64 {
        if self.moved == 0 { 1.0 } else { self.ideal as f64 / self.moved as f64 }
    }
}

/// Counts of one launch, or summed over the launches of a kernel (geometry of the last one).
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Counters {
    /// Its name in the PTX.
    pub kernel: String,
    /// Launches summed up.
    pub launches: u64,
    /// Blocks in each direction.
    pub grid: [u32; 3],
    /// Threads of a block in each direction.
    pub block: [u32; 3],
    /// Blocks run.
    pub blocks: u64,
    /// Threads run.
    pub threads: u64,
    /// Shared memory of a block that the kernel declares, bytes.
    pub static_shared: u32,
    /// Shared memory of a block that the launch adds, bytes.
    pub dynamic_shared: u32,
    /// Registers of a thread: those ptxas gave it where that is known, otherwise the values alive at once in the PTX.
    pub registers: u32,
    /// Whether ptxas gave the registers.
    pub registers_known: bool,
    /// Instructions of warps.
    pub warp_instructions: u64,
    /// Instructions of threads: active lanes summed over warp instructions.
    pub thread_instructions: u64,
    /// The same by class of instruction.
    pub by_class: BTreeMap<&'static str, Executed>,
    /// Floating-point operations, a fused multiply-add as two.
    pub flops_f32: u64,
    /// As `flops_f32`, of double precision.
    pub flops_f64: u64,
    /// As `flops_f32`, of f16 and bf16 outside tensor cores.
    pub flops_half: u64,
    /// Multiply-adds of tensor-core instructions.
    pub tensor_multiply_adds: u64,
    /// Loads from global memory.
    pub global_loads: Traffic,
    /// Stores to global memory.
    pub global_stores: Traffic,
    /// Different bytes of global memory touched; summed over launches.
    pub unique_global_bytes: u64,
    /// Loads from shared memory.
    pub shared_loads: Traffic,
    /// Stores to shared memory.
    pub shared_stores: Traffic,
    /// Lanes that executed an atomic.
    pub global_atomics: u64,
    /// The same in shared memory.
    pub shared_atomics: u64,
    /// Warps that executed a barrier.
    pub barriers: u64,
    /// Bytes read from local memory.
    pub local_bytes_read: u64,
    /// Bytes written to local memory.
    pub local_bytes_written: u64,
    /// Of a multiprocessor.
    pub occupancy: Occupancy,
}

impl Counters {
    /// Share of lanes that were active in the warp instructions executed.
    pub fn lane_efficiency(&self) -> f64 {
        if self.warp_instructions == 0 {
            return 1.0;
        }
        self.thread_instructions as f64 / (32.0 * self.warp_instructions as f64)
    }

    /// Adds the counts of another launch of the same kernel.
    pub fn add(&mut self, o: &Counters) {
        self.launches += o.launches;
        (self.grid, self.block) = (o.grid, o.block);
        self.blocks += o.blocks;
        self.threads += o.threads;
        (self.static_shared, self.dynamic_shared) = (o.static_shared, o.dynamic_shared);
        (self.registers, self.registers_known) = (o.registers, o.registers_known);
        self.warp_instructions += o.warp_instructions;
        self.thread_instructions += o.thread_instructions;
        for (class, e) in &o.by_class {
            let mine = self.by_class.entry(class).or_default();
            mine.warps += e.warps;
            mine.threads += e.threads;
        }
        self.flops_f32 += o.flops_f32;
        self.flops_f64 += o.flops_f64;
        self.flops_half += o.flops_half;
        self.tensor_multiply_adds += o.tensor_multiply_adds;
        self.global_loads.add(&o.global_loads);
        self.global_stores.add(&o.global_stores);
        self.unique_global_bytes += o.unique_global_bytes;
        self.shared_loads.add(&o.shared_loads);
        self.shared_stores.add(&o.shared_stores);
        self.global_atomics += o.global_atomics;
        self.shared_atomics += o.shared_atomics;
        self.barriers += o.barriers;
        self.local_bytes_read += o.local_bytes_read;
        self.local_bytes_written += o.local_bytes_written;
        self.occupancy = o.occupancy;
    }

    /// The counts as a table for people.
    pub fn table(&self) -> String {
        let mut t = String::new();
        let [gx, gy, gz] = self.grid;
        let [bx, by, bz] = self.block;
        // writing to a string never fails
        let mut line = |name: &str, value: String| {
            let _ = writeln!(t, "  {name:<28}{value}");
        };
        line("launches", format!("{} (last: grid {gx}x{gy}x{gz}, block {bx}x{by}x{bz})", self.launches));
        line("warp instructions", self.warp_instructions.to_string());
        line("thread instructions", self.thread_instructions.to_string());
        line("active lanes", format!("{:.1} %", 100.0 * self.lane_efficiency()));
        for (class, e) in &self.by_class {
            line(&format!("  {class}"), format!("{} warps, {} threads", e.warps, e.threads));
        }
        line("flops f32 / f64 / half", format!("{} / {} / {}", self.flops_f32, self.flops_f64, self.flops_half));
        line("tensor multiply-adds", self.tensor_multiply_adds.to_string());
        for (name, traffic, unit) in [
            ("global loads", &self.global_loads, "sectors"),
            ("global stores", &self.global_stores, "sectors"),
            ("shared loads", &self.shared_loads, "wavefronts"),
            ("shared stores", &self.shared_stores, "wavefronts"),
        ] {
            line(
                name,
                format!(
                    "{} requests, {} bytes, {} {unit} of {} ideal ({:.1} %)",
                    traffic.requests,
                    traffic.bytes,
                    traffic.moved,
                    traffic.ideal,
                    100.0 * traffic.efficiency()
                ),
            );
        }
        line("unique global bytes", self.unique_global_bytes.to_string());
        line("atomics global / shared", format!("{} / {}", self.global_atomics, self.shared_atomics));
        line("barriers (warps)", self.barriers.to_string());
        line("local bytes read / written", format!("{} / {}", self.local_bytes_read, self.local_bytes_written));
        line("shared memory", format!("{} static, {} dynamic bytes", self.static_shared, self.dynamic_shared));
        line(
            "occupancy (theoretical)",
            format!(
                "{:.0} %: {} blocks, {} warps a multiprocessor, limited by {}; {}{} registers",
                100.0 * self.occupancy.share,
                self.occupancy.blocks_per_sm,
                self.occupancy.warps_per_sm,
                self.occupancy.limited_by,
                if self.registers_known { "" } else { "at least " },
                self.registers
            ),
        );
        format!("{}\n{t}", self.kernel)
    }
}
