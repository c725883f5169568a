//! The networks by name.

use super::{Layer, Model, Shape};
use crate::error::{Error, Result};

/// Names that [`build`] knows.
pub const NAMES: [&str; 6] =
    ["vgg19", "vgg16-4pool", "deep-mnist", "deep-mnist-sgd", "vgg19-torchvision", "vgg16-torchvision"];

/// The network of that name for an input and a number of classes.
///
/// # Errors
/// An unknown name, with the known ones; fewer than 2 or more than 65,536 classes.
pub fn build(name: &str, input: Shape, classes: usize) -> Result<Model> {
    if !(2..=65_536).contains(&classes) {
        return Err(Error::Invalid(format!("{classes} classes: a classifier needs between 2 and 65536")));
    }
    match name {
        "vgg19" => Ok(vgg(name, &[2, 2, 4, 4, 4], input, classes)),
        "vgg16-4pool" => Ok(vgg(name, &[2, 2, 3, 3], input, classes)),
        "vgg19-torchvision" => Ok(vgg(name, &[2, 2, 4, 4, 4], input, classes)),
        "vgg16-torchvision" => Ok(vgg(name, &[2, 2, 3, 3, 3], input, classes)),
        "deep-mnist" => Ok(deep_mnist(name, 1024, input, classes)),
        "deep-mnist-sgd" => Ok(deep_mnist(name, 512, input, classes)),
        _ => Err(Error::Invalid(format!("unknown model '{name}'; known are {}", NAMES.join(", ")))),
    }
}

/// VGG (Simonyan and Zisserman, arXiv 1409.1556): blocks of 3x3 convolutions, a pool after each, then 4096, 4096,
/// 1000. With 1000 classes, and in torchvision's form, the last of these is the output; otherwise it is one more hidden
/// layer before it, as in the article this project re-does.
fn vgg(name: &str, convs: &[usize], input: Shape, classes: usize) -> Model {
    let mut layers = Vec::new();
    for (block, &count) in convs.iter().enumerate() {
        let out = 64 << block.min(3);
        for i in 0..count {
            let conv = Layer::Conv { kernel: 3, out };
            layers.push((format!("conv{}_{}", block + 1, i + 1), conv));
        }
        layers.push((format!("pool{}", block + 1), Layer::Pool));
    }
    let hidden: &[usize] =
        if classes == 1000 || name.ends_with("torchvision") { &[4096, 4096] } else { &[4096, 4096, 1000] };
    fully_connected(&mut layers, hidden, classes);
    Model { name: name.into(), input, classes, layers }
}

/// TensorFlow's "Deep MNIST for Experts" (1024 hidden units) and `convolutional.py` (512).
fn deep_mnist(name: &str, hidden: usize, input: Shape, classes: usize) -> Model {
    let mut layers = Vec::new();
    for (i, out) in [32, 64].into_iter().enumerate() {
        layers.push((format!("conv{}", i + 1), Layer::Conv { kernel: 5, out }));
        layers.push((format!("pool{}", i + 1), Layer::Pool));
    }
    fully_connected(&mut layers, &[hidden], classes);
    Model { name: name.into(), input, classes, layers }
}

/// Hidden layers with ReLU and dropout 0.5, then the output layer.
fn fully_connected(layers: &mut Vec<(String, Layer)>, hidden: &[usize], classes: usize) {
    for (i, &out) in hidden.iter().enumerate() {
        layers.push((format!("fc{}", i + 1), Layer::Linear { out, relu: true }));
        layers.push((format!("dropout{}", i + 1), Layer::Dropout { p: 0.5 }));
    }
    let output = Layer::Linear { out: classes, relu: false };
    layers.push((format!("fc{}", hidden.len() + 1), output));
}
