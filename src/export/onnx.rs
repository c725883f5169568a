//! A network with its weights as an ONNX model, field by field (onnx.proto3 of the ONNX project, operator set 13).
//!
//! ```text
//! image [batch, c, h, w], pixels in [0, 1] -> (p - mean) / std
//!     -> Conv, Relu | MaxPool ... -> Flatten -> Gemm, Relu ...
//!     -> logits [batch, classes] -> Softmax -> probabilities [batch, classes]
//! ```
//! Dropout is left out: it does nothing once training is over.

use super::protobuf::Message;
use super::pytorch::{self, Tensor};
use crate::data::atomic;
use crate::error::{Error, Result};
use crate::model::{Layer, Model};
use crate::ops::batch::Channels;
use crate::train::Config;
use std::path::Path;

/// The version of the file format that operator set 13 came with.
const IR_VERSION: u64 = 7;
const OPERATOR_SET: u64 = 13;
/// `TensorProto.FLOAT`.
const FLOAT: u64 = 1;

/// Writes a run's network to an ONNX file.
///
/// # Errors
/// A model over 2 GiB, which protocol buffers cannot hold; those of the file system.
pub fn write(path: &Path, config: &Config, weights: &[f32]) -> Result<()> {
    let message = model(config, weights)?;
    if message.size() > i32::MAX as usize {
        return Err(Error::Invalid(format!(
            "the model needs {} bytes, and an ONNX file holds at most 2 GiB; export it as safetensors",
            message.size()
        )));
    }
    atomic::write_with(path, &mut |file| {
        for piece in message.pieces() {
            file.write_all(piece).map_err(|e| Error::io("write", path, e))?;
        }
        Ok(())
    })
}

fn model(config: &Config, weights: &[f32]) -> Result<Message> {
    let set = Message::default().string(1, "").int(2, OPERATOR_SET);
    Ok(Message::default()
        .int(1, IR_VERSION)
        .string(2, "warp19")
        .string(3, env!("CARGO_PKG_VERSION"))
        .string(6, "Input: images as the network was trained on, pixels scaled to [0, 1].")
        .message(7, graph(config, &config.model()?, weights))
        .message(8, set))
}

/// The nodes in order, the name of the value the next one takes, and the numbers they use.
struct Graph {
    message: Message,
    at: String,
    nodes: usize,
}

impl Graph {
    /// Adds a node that takes the last value, and `more` inputs; its result is the last value from here on.
    fn node(&mut self, operator: &str, more: &[&str], attributes: Vec<Message>, output: &str) {
        let mut node = Message::default().string(1, &self.at);
        for input in more {
            node = node.string(1, input);
        }
        node = node.string(2, output).string(3, &format!("{operator}_{}", self.nodes)).string(4, operator);
        for attribute in attributes {
            node = node.message(5, attribute);
        }
        self.add(1, node);
        self.at = output.into();
        self.nodes += 1;
    }

    /// A node with a result of no particular name.
    fn step(&mut self, operator: &str, more: &[&str], attributes: Vec<Message>) {
        let output = format!("v{}", self.nodes);
        self.node(operator, more, attributes, &output);
    }

    fn initializer(&mut self, tensor: Tensor) {
        let dims: Vec<u64> = tensor.shape.iter().map(|&d| d as u64).collect();
        let bytes = tensor.values.iter().flat_map(|v| v.to_le_bytes()).collect();
        let proto = Message::default().ints(1, &dims).int(2, FLOAT).string(8, &tensor.name).bytes(9, bytes);
        self.add(5, proto);
    }

    /// A number for each of the input's channels.
    fn channels(&mut self, name: &str, values: Channels, count: usize) {
        let values = (0..count).map(|c| values.of(c)).collect();
        self.initializer(Tensor { name: name.into(), shape: vec![count, 1, 1], values });
    }

    fn add(&mut self, field: u32, value: Message) {
        self.message = std::mem::take(&mut self.message).message(field, value);
    }
}

/// An attribute that is an integer (`AttributeProto.INT`).
fn int(name: &str, value: u64) -> Message {
    Message::default().string(1, name).int(3, value).int(20, 2)
}

/// An attribute that is a list of integers (`AttributeProto.INTS`).
fn ints(name: &str, values: &[u64]) -> Message {
    Message::default().string(1, name).ints(8, values).int(20, 7)
}

fn graph(config: &Config, model: &Model, weights: &[f32]) -> Message {
    let mut g = Graph { message: Message::default(), at: "image".into(), nodes: 0 };
    g.channels("mean", config.recipe.mean, model.input.c);
    g.channels("std", config.recipe.std, model.input.c);
    g.step("Sub", &["mean"], vec![]);
    g.step("Div", &["std"], vec![]);
    let mut tensors = pytorch::tensors(model, weights).into_iter();
    let mut flat = false;
    for (_, layer) in &model.layers {
        let mut parameters = |g: &mut Graph| {
            [(); 2].map(|()| {
                let tensor = tensors.next().expect("a weight and a bias a layer");
                let name = tensor.name.clone();
                g.initializer(tensor);
                name
            })
        };
        match *layer {
            Layer::Conv { kernel, .. } => {
                let [w, b] = parameters(&mut g);
                let pads = [(kernel / 2) as u64; 4];
                g.step("Conv", &[&w, &b], vec![ints("pads", &pads)]);
                g.step("Relu", &[], vec![]);
            }
            Layer::Pool => {
                let two = ["kernel_shape", "strides"].map(|name| ints(name, &[2, 2]));
                let [kernel, strides] = two;
                g.step("MaxPool", &[], vec![kernel, strides, int("ceil_mode", 1)]);
            }
            Layer::Linear { relu, .. } => {
                if !flat {
                    g.step("Flatten", &[], vec![int("axis", 1)]);
                    flat = true;
                }
                let [w, b] = parameters(&mut g);
                let transposed = vec![int("transB", 1)];
                if relu {
                    g.step("Gemm", &[&w, &b], transposed);
                    g.step("Relu", &[], vec![]);
                } else {
                    g.node("Gemm", &[&w, &b], transposed, "logits");
                }
            }
            Layer::Dropout { .. } => {}
        }
    }
    g.node("Softmax", &[], vec![int("axis", 1)], "probabilities");
    let input = model.input;
    g.add(11, value("image", &[input.c, input.h, input.w]));
    g.add(12, value("logits", &[model.classes]));
    g.add(12, value("probabilities", &[model.classes]));
    g.message.string(2, &model.name)
}

/// The description of a float input or output of `[batch, sizes...]`.
fn value(name: &str, sizes: &[usize]) -> Message {
    let batch = Message::default().string(2, "batch");
    let mut shape = Message::default().message(1, batch);
    for &size in sizes {
        shape = shape.message(1, Message::default().int(1, size as u64));
    }
    let tensor = Message::default().int(1, FLOAT).message(2, shape);
    let kind = Message::default().message(1, tensor);
    Message::default().string(1, name).message(2, kind)
}
