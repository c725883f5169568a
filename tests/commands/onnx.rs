//! The exported ONNX graph, read back by a small reader of its own and run in f64 in PyTorch's layout, gives the
//! engine's probabilities: the wiring, the names and the permuted layouts are right.

use std::collections::HashMap;
use warp19::cpu::CpuDevice;
use warp19::data::{Images, Split};
use warp19::export::onnx;
use warp19::export::protobuf::Message;
use warp19::train::{Config, Recipe, evaluate, init};

/// The fields of a protocol buffer message: number and value.
enum Field<'a> {
    Int(u64),
    Bytes(&'a [u8]),
}

fn varint(bytes: &mut &[u8]) -> u64 {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = bytes.split_first().expect("a varint");
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return value;
        }
    }
    panic!("a varint of more than 64 bits");
}

fn fields(mut bytes: &[u8]) -> Vec<(u64, Field<'_>)> {
    let mut out = Vec::new();
    while !bytes.is_empty() {
        let key = varint(&mut bytes);
        let value = match key & 7 {
            0 => Field::Int(varint(&mut bytes)),
            2 => {
                let length = varint(&mut bytes) as usize;
                let (value, rest) = bytes.split_at(length);
                bytes = rest;
                Field::Bytes(value)
            }
            other => panic!("wire type {other}"),
        };
        out.push((key >> 3, value));
    }
    out
}

fn all(bytes: &[u8], number: u64) -> Vec<&[u8]> {
    let own = fields(bytes).into_iter().filter(|(n, _)| *n == number);
    own.map(|(_, f)| match f {
        Field::Bytes(b) => b,
        Field::Int(_) => panic!("field {number} is an integer"),
    })
    .collect()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn int(bytes: &[u8], number: u64) -> Option<u64> {
    fields(bytes).into_iter().find_map(|(n, f)| match f {
        Field::Int(v) if n == number => Some(v),
        _ => None,
    })
}

fn packed(mut bytes: &[u8]) -> Vec<usize> {
    let mut out = Vec::new();
    while !bytes.is_empty() {
        out.push(varint(&mut bytes) as usize);
    }
    out
}

/// Row-major numbers.
#[derive(Clone)]
struct Array {
    shape: Vec<usize>,
    v: Vec<f64>,
}

fn tensor(bytes: &[u8]) -> (String, Array) {
    assert_eq!(int(bytes, 2), Some(1), "float");
    let raw = all(bytes, 9)[0].chunks_exact(4);
    let v = raw.map(|b| f64::from(f32::from_le_bytes(b.try_into().unwrap())));
    let array = Array { shape: packed(all(bytes, 1)[0]), v: v.collect() };
    assert_eq!(array.shape.iter().product::<usize>(), array.v.len());
    (text(all(bytes, 8)[0]), array)
}

fn conv(x: &Array, w: &Array, b: &Array, pad: usize) -> Array {
    let [n, c, h, width] = x.shape[..] else { panic!() };
    let [k, _, r, _] = w.shape[..] else { panic!() };
    let mut y = Vec::new();
    for (image, o, i, j) in
        (0..n * k * h * width).map(|e| (e / (k * h * width), e / (h * width) % k, e / width % h, e % width))
    {
        let mut sum = b.v[o];
        for (channel, u, v) in (0..c * r * r).map(|t| (t / (r * r), t / r % r, t % r)) {
            let (p, q) = (i + u, j + v);
            if p >= pad && q >= pad && p - pad < h && q - pad < width {
                let from = ((image * c + channel) * h + p - pad) * width + q - pad;
                sum += x.v[from] * w.v[((o * c + channel) * r + u) * r + v];
            }
        }
        y.push(sum);
    }
    Array { shape: vec![n, k, h, width], v: y }
}

fn max_pool(x: &Array) -> Array {
    let [n, c, h, w] = x.shape[..] else { panic!() };
    let (oh, ow) = (h.div_ceil(2), w.div_ceil(2));
    let mut y = vec![f64::NEG_INFINITY; n * c * oh * ow];
    for (plane, i, j) in (0..n * c * h * w).map(|e| (e / (h * w), e / w % h, e % w)) {
        let to = &mut y[(plane * oh + i / 2) * ow + j / 2];
        *to = to.max(x.v[(plane * h + i) * w + j]);
    }
    Array { shape: vec![n, c, oh, ow], v: y }
}

/// `x w^T + b`.
fn gemm(x: &Array, w: &Array, b: &Array) -> Array {
    let (n, inputs, outputs) = (x.shape[0], x.shape[1], w.shape[0]);
    assert_eq!(w.shape[1], inputs);
    let dot = |i: usize, o: usize| {
        let row = &x.v[i * inputs..][..inputs];
        let products = row.iter().zip(&w.v[o * inputs..][..inputs]);
        b.v[o] + products.map(|(a, b)| a * b).sum::<f64>()
    };
    let v = (0..n * outputs).map(|e| dot(e / outputs, e % outputs));
    Array { shape: vec![n, outputs], v: v.collect() }
}

fn softmax(x: &Array) -> Array {
    let rows = x.v.chunks(x.shape[1]);
    Array { v: rows.flat_map(warp19::ops::loss::softmax).collect(), ..x.clone() }
}

fn map(x: &Array, f: impl Fn(f64) -> f64) -> Array {
    Array { v: x.v.iter().map(|&v| f(v)).collect(), ..x.clone() }
}

/// Runs a graph's nodes in order; all values by name at the end.
fn run(graph: &[u8], image: Array) -> HashMap<String, Array> {
    let mut values: HashMap<_, _> = all(graph, 5).into_iter().map(tensor).collect();
    values.insert("image".into(), image);
    for node in all(graph, 1) {
        let inputs: Vec<Array> = all(node, 1).into_iter().map(|name| values[&text(name)].clone()).collect();
        let attributes = all(node, 5);
        let attribute = |name: &str| attributes.iter().find(|a| text(all(a, 1)[0]) == name);
        let one = |name: &str| int(attribute(name).unwrap(), 3);
        let list = |name: &str| packed(all(attribute(name).unwrap(), 8)[0]);
        let x = &inputs[0];
        let y = match text(all(node, 4)[0]).as_str() {
            "Sub" => map(x, |v| v - inputs[1].v[0]),
            "Div" => map(x, |v| v / inputs[1].v[0]),
            "Relu" => map(x, |v| v.max(0.0)),
            "Conv" => {
                let pads = list("pads");
                assert!(pads.len() == 4 && pads.iter().all(|&p| p == pads[0]));
                conv(x, &inputs[1], &inputs[2], pads[0])
            }
            "MaxPool" => {
                assert_eq!((list("kernel_shape"), list("strides")), (vec![2, 2], vec![2, 2]));
                assert_eq!(one("ceil_mode"), Some(1));
                max_pool(x)
            }
            "Flatten" => {
                assert_eq!(one("axis"), Some(1));
                Array { shape: vec![x.shape[0], x.v.len() / x.shape[0]], ..x.clone() }
            }
            "Gemm" => {
                assert_eq!(one("transB"), Some(1));
                gemm(x, &inputs[1], &inputs[2])
            }
            "Softmax" => softmax(x),
            other => panic!("operator {other}"),
        };
        values.insert(text(all(node, 2)[0]), y);
    }
    values
}

/// A dataset image size at which the last map is 2x3, so that the first linear layer's inputs are permuted, and both
/// pools round up.
#[test]
fn the_graph_gives_the_engines_probabilities() {
    let (h, w, n) = (7, 9, 3);
    for recipe in ["robust", "article"] {
        let config = Config {
            model: "deep-mnist-sgd".into(),
            input: format!("{h}x{w}x1"),
            classes: 10,
            dataset: "noise".into(),
            recipe: Recipe::named(Some(recipe), "deep-mnist-sgd").unwrap(),
            extended: Vec::new(),
            seed: 5,
            images: n,
            validation: 0,
            test_images: 0,
            frozen_features: false,
            precision: Default::default(),
        };
        let model = config.model().unwrap();
        let mut weights = init::weights(&model, config.recipe.init, 5);
        for p in model.parameters().iter().filter(|p| p.is_bias()) {
            for (i, b) in weights[p.offset..p.offset + p.len].iter_mut().enumerate() {
                *b = 0.1 * (i as f32).sin();
            }
        }
        let byte = |i: usize| (i * 7919 % 256) as u8;
        let pixels: Vec<u8> = (0..n * h * w).map(byte).collect();
        let image = Array { shape: vec![n, 1, h, w], v: pixels.iter().map(|&p| f64::from(p) / 255.0).collect() };
        let images = Images { count: n, height: h, width: w, channels: 1, pixels: pixels.into() };
        let split = Split::new(images, vec![0; n], "noise").unwrap();
        let d = &mut CpuDevice::new(Some(1)).unwrap();
        let ours = evaluate(d, &config, &weights, &split, 2, &mut |_, _| {}).unwrap();

        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("out.onnx");
        onnx::write(&path, &config, &weights).unwrap();
        let bytes = std::fs::read(&path).unwrap();
        let graph = all(&bytes, 7)[0];
        let names = |number| all(graph, number).into_iter().map(|v| text(all(v, 1)[0]));
        assert_eq!(names(11).collect::<Vec<_>>(), ["image"]);
        assert_eq!(names(12).collect::<Vec<_>>(), ["logits", "probabilities"]);
        let values = run(graph, image);
        let theirs = &values["probabilities"];
        assert_eq!(theirs.shape, [n, 10]);
        let spread = theirs.v.iter().copied().fold(0.0, f64::max);
        assert!(spread > 0.15, "probabilities that differ, so that an error shows");
        for (a, b) in ours.probabilities.iter().zip(&theirs.v) {
            assert!((f64::from(*a) - b).abs() < 1e-5, "{recipe}: {a} {b}");
        }
        assert_eq!(values["classifier.3.weight"].shape, [10, 512]);
    }
}

/// The examples of the encoding page.
#[test]
fn the_published_examples() {
    let flat = |m: Message| m.pieces().concat();
    assert_eq!(flat(Message::default().int(1, 150)), [0x08, 0x96, 0x01]);
    let text = flat(Message::default().string(2, "testing"));
    assert_eq!(text, [&[0x12, 0x07][..], b"testing"].concat());
    let inner = Message::default().int(1, 150);
    let nested = flat(Message::default().message(3, inner));
    assert_eq!(nested, [0x1a, 0x03, 0x08, 0x96, 0x01]);
    let packed = flat(Message::default().ints(6, &[3, 270, 86942]));
    assert_eq!(packed, [0x32, 0x06, 0x03, 0x8e, 0x02, 0x9e, 0xa7, 0x05]);
}
