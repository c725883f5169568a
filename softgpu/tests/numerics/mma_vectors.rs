//! `mma.sync` against Microsoft's MMA-Sim, bit for bit, and the fast path against the model.

use crate::random::Random;
use softgpu::numerics::mma::{self, Accumulator, Architecture, Element, Operation, fragment, model};

const VECTORS: &[u8] = include_bytes!("../vectors/mma_vectors.bin");

fn element(name: &str) -> Element {
    match name {
        "f16" => Element::F16,
        "bf16" => Element::Bf16,
        "tf32" => Element::Tf32,
        "f64" => Element::F64,
        other => panic!("vectors name an unknown element type {other}"),
    }
}

fn operation(architecture: &str, name: &str) -> Operation {
    let parts: Vec<&str> = name.split('.').collect();
    let size: Vec<usize> = parts[0].split(['m', 'n', 'k']).filter_map(|x| x.parse().ok()).collect();
    Operation {
        m: size[0],
        n: size[1],
        k: size[2],
        a: element(parts[2]),
        b: element(parts[3]),
        c: match parts[1] {
            "f16" => Accumulator::F16,
            "f32" => Accumulator::F32,
            _ => Accumulator::F64,
        },
        saturate: false,
        architecture: match architecture {
            "Volta" => Architecture::Volta,
            "Turing" => Architecture::Turing,
            "Ampere" => Architecture::Ampere,
            "Ada" => Architecture::Ada,
            "Hopper" => Architecture::Hopper,
            other => panic!("vectors name an unknown architecture {other}"),
        },
    }
    .check()
    .unwrap_or_else(|e| panic!("{architecture} {name}: {e}"))
}

/// Reads `count` little-endian elements of `bytes` bytes each.
fn take(data: &mut &[u8], count: usize, bytes: usize) -> Vec<u64> {
    let (now, rest) = data.split_at(count * bytes);
    *data = rest;
    now.chunks_exact(bytes)
        .map(|chunk| {
            let mut wide = [0; 8];
            wide[..bytes].copy_from_slice(chunk);
            u64::from_le_bytes(wide)
        })
        .collect()
}

fn c_bytes(op: &Operation) -> usize {
    match op.c {
        Accumulator::F16 => 2,
        Accumulator::F64 => 8,
        _ => 4,
    }
}

#[test]
fn model_has_the_bits_of_mma_sim() {
    let mut data = VECTORS;
    let (mut cases, mut elements) = (0, 0);
    while !data.is_empty() {
        let end = data.iter().position(|&b| b == b'\n').expect("header line");
        let header = std::str::from_utf8(&data[..end]).expect("text header");
        data = &data[end + 1..];
        let mut words = header.split(' ');
        let (architecture, name) = (words.next().unwrap(), words.next().unwrap());
        let tiles: usize = words.next().unwrap().parse().unwrap();
        let op = operation(architecture, name);
        for tile in 0..tiles {
            let a = take(&mut data, op.m * op.k, op.a.bits() / 8);
            let b = take(&mut data, op.k * op.n, op.b.bits() / 8);
            let c = take(&mut data, op.m * op.n, c_bytes(&op));
            let expected = take(&mut data, op.m * op.n, c_bytes(&op));
            let d = model::multiply(&op, &a, &b, &c);
            for i in 0..d.len() {
                // MMA-Sim runs f64 on the host, whose NaN bits are the host's: any NaN will do.
                if op.c == Accumulator::F64 && f64::from_bits(d[i]).is_nan() && f64::from_bits(expected[i]).is_nan() {
                    continue;
                }
                assert_eq!(
                    d[i], expected[i],
                    "{header}: tile {tile}, element {i}: {:#x} instead of {:#x}",
                    d[i], expected[i]
                );
            }
            elements += d.len();
        }
        cases += 1;
    }
    assert!(cases >= 25, "only {cases} cases in the vectors");
    assert!(elements >= 15_000, "only {elements} elements");
}

/// A register full of elements whose difficulty depends on `kind`.
fn register(random: &mut Random, element: Element, kind: u64) -> u32 {
    let one = |random: &mut Random, exponent_bits: u32, fraction_bits: u32| -> u32 {
        let r = random.next();
        let bias = (1u64 << (exponent_bits - 1)) - 1;
        let field = match kind {
            0 => bias - 3 + r % 6,
            1 => bias - bias / 2 + r % bias,
            2 => r % 3,
            3 => 2 * bias - r % 4,
            4 => bias + 40 * (r & 1).min(bias / 100),
            _ => r % (2 * bias + 2),
        };
        let field = if r >> 20 & 7 == 0 { 0 } else { field };
        let fraction = if r >> 24 & 7 == 0 { 0 } else { r >> 30 };
        let sign = r >> 29 & 1;
        (sign << (exponent_bits + fraction_bits) | field << fraction_bits | fraction & ((1 << fraction_bits) - 1))
            as u32
    };
    match element {
        Element::F16 => one(random, 5, 10) | one(random, 5, 10) << 16,
        Element::Bf16 => one(random, 8, 7) | one(random, 8, 7) << 16,
        _ => one(random, 8, 23),
    }
}

#[test]
fn fast_tiles_have_the_bits_of_the_model() {
    let mut random = Random(7);
    let mut fast = 0;
    for (element, k) in [
        (Element::F16, 8),
        (Element::F16, 16),
        (Element::Bf16, 8),
        (Element::Bf16, 16),
        (Element::Tf32, 4),
        (Element::Tf32, 8),
    ] {
        for architecture in [Architecture::Turing, Architecture::Ampere, Architecture::Hopper] {
            let op = Operation {
                m: 16,
                n: 8,
                k,
                a: element,
                b: element,
                c: Accumulator::F32,
                saturate: false,
                architecture,
            };
            let Ok(op) = op.check() else { continue };
            for round in 0..120 {
                let kind = round % 6;
                let mut rows = |count: usize, e: Element, kind| -> Vec<[u32; 32]> {
                    (0..count).map(|_| std::array::from_fn(|_| register(&mut random, e, kind))).collect()
                };
                let a = rows(op.a_registers(), element, kind);
                let b = rows(op.b_registers(), element, kind);
                // An accumulator of its own difficulty; zero in every fourth tile.
                let c = if round % 4 == 3 { vec![[0; 32]; 4] } else { rows(4, Element::Tf32, round / 6 % 6) };
                let mut d = vec![[0; 32]; 4];
                let mut expected = vec![[0; 32]; 4];
                assert!(mma::fast::execute(&op, &a, &b, &c, &mut d));
                mma::execute_slow(&op, &a, &b, &c, &mut expected);
                assert_eq!(d, expected, "{op:?}, round {round}");
                let mut portable = vec![[0; 32]; 4];
                assert!(mma::fast::execute_portable(&op, &a, &b, &c, &mut portable));
                assert_eq!(portable, expected, "portable, {op:?}, round {round}");
                fast += 1;
            }
        }
    }
    assert!(fast > 1000);
}

#[test]
fn integers_are_exact_and_saturate_on_request() {
    let op = Operation {
        m: 16,
        n: 8,
        k: 32,
        a: Element::S8,
        b: Element::U8,
        c: Accumulator::S32,
        saturate: true,
        architecture: Architecture::Ampere,
    };
    let a = vec![[0x8080_8080; 32]; 4];
    let b = vec![[0xffff_ffff; 32]; 2];
    let c = vec![[0x8000_0010; 32]; 4];
    let mut d = vec![[0; 32]; 4];
    mma::execute(&op, &a, &b, &c, &mut d);
    assert_eq!(d, vec![[0x8000_0000; 32]; 4]);
    let wrapping = Operation { saturate: false, ..op };
    mma::execute(&wrapping, &a, &b, &c, &mut d);
    let sum = (0x8000_0010u32 as i32).wrapping_add(32 * -128 * 255);
    assert_eq!(d, vec![[sum as u32; 32]; 4]);
}

#[test]
fn fragments_cover_each_element_once() {
    for (m, k, element) in [
        (16, 16, Element::F16),
        (16, 8, Element::Tf32),
        (16, 32, Element::S8),
        (8, 16, Element::S8),
        (16, 16, Element::F64),
    ] {
        let c = match element {
            Element::F64 => Accumulator::F64,
            Element::S8 => Accumulator::S32,
            _ => Accumulator::F32,
        };
        let op =
            Operation { m, n: 8, k, a: element, b: element, c, saturate: false, architecture: Architecture::Hopper };
        let per = 32 / element.bits().min(32);
        // Registers full of ones fill the whole matrix, and no more registers exist.
        let tile = fragment::gather_a(&op, |_, _| !0);
        assert!(tile.iter().all(|&x| x != 0));
        assert_eq!(op.a_registers() * 32 * per, m * k);
        let tile = fragment::gather_b(&op, |_, _| !0);
        assert!(tile.iter().all(|&x| x != 0));
        assert_eq!(op.b_registers() * 32 * per, 8 * k);
    }
}

#[test]
fn shapes_are_refused_by_name_and_architecture() {
    let op = Operation {
        m: 16,
        n: 8,
        k: 16,
        a: Element::Bf16,
        b: Element::Bf16,
        c: Accumulator::F32,
        saturate: false,
        architecture: Architecture::Turing,
    };
    let message = op.check().unwrap_err();
    assert!(message.contains("Turing") && message.contains("Ampere"), "{message}");
    let message = Operation { k: 32, ..op }.check().unwrap_err();
    assert!(message.contains("m16n8k32"), "{message}");
}
