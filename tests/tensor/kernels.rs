//! The kernels of `gemm.cu`, compiled for an architecture and launched on softgpu with every check.

use crate::common::nvrtc;
use half::{bf16, f16};
use softgpu::nvrtc::Nvrtc;
use softgpu::{LaunchConfig, Memory, Module, Options, Profile, launch};
use warp19::conformance::values;
use warp19::cuda::nvrtc::{self, Target};
use warp19::cuda::operations::product::{Gemm, Sizes};
use warp19::cuda::units::{Tile, UnitKind, tiles};
use warp19::device::{DType, Precision};

/// NVRTC 12 or 13.
pub fn compiler(major: &str) -> Nvrtc {
    // SAFETY: NVRTC, as it was fetched.
    unsafe { Nvrtc::load(&nvrtc(major).join(format!("libnvrtc.so.{major}"))) }.unwrap()
}

/// What a tile of a precision is compiled to on an architecture.
pub struct Kernels {
    pub sm: u32,
    pub precision: Precision,
    pub tile: Tile,
    suffix: Vec<(&'static str, String)>,
    profile: Profile,
    memory: Memory,
    module: Module,
}

impl Kernels {
    pub fn new(nvrtc: &Nvrtc, sm: u32, precision: Precision, tile: usize) -> Kernels {
        let unit = UnitKind::Gemm(tile).at(precision);
        let ptx = nvrtc::compile(nvrtc, unit.file(), Target::Ptx(sm), &unit.options()).unwrap();
        let text = String::from_utf8(ptx.code).unwrap();
        let (profile, memory) = (Profile::named(&format!("sm_{sm}")).unwrap(), Memory::new(1 << 28));
        let module = Module::load(&text, &profile, &memory).unwrap_or_else(|e| panic!("{}: {e}", unit.name()));
        let suffix = unit.kernels().into_iter().map(|k| (k.name, k.symbol)).collect();
        Kernels { sm, precision, tile: tiles(precision)[tile], suffix, profile, memory, module }
    }

    /// The type of a product's result.
    pub fn result(&self, kind: Gemm, wide: bool) -> DType {
        if wide || kind == Gemm::Tn { DType::F32 } else { self.precision.storage() }
    }

    /// A product in parts, in one order of execution; whatever is found is an error.
    pub fn product(&self, p: &Product, seed: u64) -> Vec<f32> {
        let Sizes { m, n, k } = p.s;
        let stored = self.precision.storage();
        let [a, b] = [&p.a, &p.b].map(|v| self.put(&encode(stored, v)));
        let result = self.result(p.kind, p.wide);
        // What is there before does not matter.
        let c = self.put(&vec![0xff; m * n * result.size()]);
        let blocks = m.div_ceil(self.tile.m) * n.div_ceil(self.tile.n);
        let workspace = self.memory.alloc((4 * blocks * p.parts * self.tile.m * self.tile.n) as u64, "parts").unwrap();
        let counters = self.put(&vec![0; 4 * blocks]);
        let (name, addresses, words): (_, &[u64], &[usize]) = match p.kind {
            Gemm::Nn => ("gemm_nn", &[0; 2], &[0, 0, p.wide as usize]),
            Gemm::Nt => ("gemm_nt", &[0; 2], &[0, 0, p.wide as usize]),
            Gemm::Tn => ("gemm_tn", &[0; 1], &[0]),
        };
        let symbol = &self.suffix.iter().find(|(kernel, _)| *kernel == name).unwrap().1;
        let all = [a, b, c, workspace, counters].into_iter().chain(addresses.iter().copied());
        let mut params: Vec<u8> = all.flat_map(u64::to_le_bytes).collect();
        params.extend(words.iter().chain(&[m, n, k]).flat_map(|&v| (v as i32).to_le_bytes()));
        let config = LaunchConfig {
            grid: [blocks as u32, 1, p.parts as u32],
            block: [self.tile.threads() as u32, 1, 1],
            dynamic_shared: 0,
            params,
        };
        let options = Options { mem: true, init: true, race: true, sync: true, seed, ..Options::default() };
        let report =
            launch(&self.module, symbol, &config, &self.memory, &self.profile, &options, &mut |text| print!("{text}"));
        assert!(report.fault.is_none() && report.findings.is_empty(), "{symbol} on sm_{}: {report:?}", self.sm);
        let mut bytes = vec![0; m * n * result.size()];
        self.memory.read(c, &mut bytes).unwrap();
        for address in [a, b, c, workspace, counters] {
            self.memory.free(address).unwrap();
        }
        decode(result, &bytes)
    }

    fn put(&self, bytes: &[u8]) -> u64 {
        let address = self.memory.alloc(bytes.len() as u64, "operand").unwrap();
        self.memory.write(address, bytes).unwrap();
        address
    }
}

/// A product: factors as they lie in memory, before they are rounded to a type.
pub struct Product {
    pub kind: Gemm,
    pub s: Sizes,
    pub parts: usize,
    /// A result of float32 where it could be stored in 16 bits.
    pub wide: bool,
    pub a: Vec<f32>,
    pub b: Vec<f32>,
}

impl Product {
    /// Factors drawn so that results are about as large as 1.
    pub fn drawn(kind: Gemm, s: Sizes, parts: usize, wide: bool) -> Product {
        let a = values(1, s.m * s.k, 1.0);
        let b = values(2, s.k * s.n, (3.0 / s.k as f32).sqrt());
        Product { kind, s, parts, wide, a, b }
    }
    /// Where element `l` of row `i` of the left factor, and of column `j` of the right one lies.
    pub fn left(&self, i: usize, l: usize) -> usize {
        if self.kind == Gemm::Tn { l * self.s.m + i } else { i * self.s.k + l }
    }
    pub fn right(&self, l: usize, j: usize) -> usize {
        if self.kind == Gemm::Nt { j * self.s.k + l } else { l * self.s.n + j }
    }
}

fn encode(dtype: DType, values: &[f32]) -> Vec<u8> {
    match dtype {
        DType::Bf16 => values.iter().flat_map(|&v| bf16::from_f32(v).to_le_bytes()).collect(),
        DType::F16 => values.iter().flat_map(|&v| f16::from_f32(v).to_le_bytes()).collect(),
        _ => values.iter().flat_map(|v| v.to_le_bytes()).collect(),
    }
}

fn decode(dtype: DType, bytes: &[u8]) -> Vec<f32> {
    let of = |b: &[u8]| match dtype {
        DType::Bf16 => bf16::from_le_bytes([b[0], b[1]]).to_f32(),
        DType::F16 => f16::from_le_bytes([b[0], b[1]]).to_f32(),
        _ => f32::from_le_bytes(b.try_into().unwrap()),
    };
    bytes.chunks_exact(dtype.size()).map(of).collect()
}

pub const KINDS: [Gemm; 3] = [Gemm::Nn, Gemm::Nt, Gemm::Tn];

/// The precisions of tensor cores on an architecture.
pub fn precisions(sm: u32) -> &'static [Precision] {
    if sm < 80 { &[Precision::F16] } else { &Precision::ALL[1..] }
}
