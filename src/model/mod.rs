//! A network as a plain list of layers, with its shapes and its parameter table.

pub mod table;
pub mod zoo;

use crate::error::{Error, Result};

/// One layer. A ReLU follows every convolution, and a linear layer that says so.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Layer {
    /// `kernel` x `kernel`, stride 1, SAME padding, `out` channels, bias, ReLU.
    Conv { kernel: usize, out: usize },
    /// 2x2 max-pool, stride 2, odd sizes rounded up.
    Pool,
    /// Fully connected, with bias.
    Linear { out: usize, relu: bool },
    /// Inverted dropout; `p` is the probability of dropping.
    Dropout { p: f32 },
}

/// Height, width and channels of an activation; a vector is `1 x 1 x n`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    pub h: usize,
    pub w: usize,
    pub c: usize,
}

impl Shape {
    /// Number of elements of one image.
    pub fn len(&self) -> usize {
        self.h * self.w * self.c
    }
    /// Whether there are no elements.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl std::fmt::Display for Shape {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        write!(f, "{}x{}x{}", self.h, self.w, self.c)
    }
}

impl std::str::FromStr for Shape {
    type Err = Error;
    /// Reads `28x28x1`.
    fn from_str(s: &str) -> Result<Shape> {
        let sizes: Option<Vec<usize>> = s.split('x').map(|p| p.parse().ok()).collect();
        match sizes.as_deref() {
            Some(&[h, w, c]) if (1..=4096).contains(&h) && (1..=4096).contains(&w) && (1..=4096).contains(&c) => {
                Ok(Shape { h, w, c })
            }
            _ => Err(Error::Invalid(format!(
                "input size '{s}' is not HEIGHTxWIDTHxCHANNELS with sizes from 1 to 4096, such as 28x28x1"
            ))),
        }
    }
}

/// A network: its name, input, and layers in order; each layer has a name such as `conv1_1`, `pool1`, `fc1`.
#[derive(Clone, Debug, PartialEq)]
pub struct Model {
    pub name: String,
    pub input: Shape,
    pub classes: usize,
    pub layers: Vec<(String, Layer)>,
}

/// Where a layer's parameters lie in the arena.
#[derive(Clone, Debug, PartialEq)]
pub struct Parameter {
    /// Layer name and `weight` or `bias`, as `conv1_1.weight`.
    pub name: String,
    /// HWIO for convolutions, `[in, out]` for linear layers, `[out]` for biases.
    pub shape: Vec<usize>,
    /// First element in the arena.
    pub offset: usize,
    /// Number of elements.
    pub len: usize,
    /// Index of the layer.
    pub layer: usize,
}

impl Parameter {
    /// Whether this is a bias.
    pub fn is_bias(&self) -> bool {
        self.shape.len() == 1
    }
    /// Number of inputs that add up in one output: the fan-in of a weight.
    pub fn fan_in(&self) -> usize {
        self.shape[..self.shape.len() - 1].iter().product()
    }
}

/// Elements that parameters are aligned to in the arena, so that every tensor starts on 256 bytes. The gaps are zero.
pub const ARENA_ALIGN: usize = 64;

impl Model {
    /// Input and output shape of every layer.
    pub fn shapes(&self) -> Vec<(Shape, Shape)> {
        let mut at = self.input;
        self.layers
            .iter()
            .map(|(_, layer)| {
                let from = at;
                at = match *layer {
                    Layer::Conv { out, .. } => Shape { c: out, ..at },
                    Layer::Pool => Shape { h: at.h.div_ceil(2), w: at.w.div_ceil(2), c: at.c },
                    Layer::Linear { out, .. } => Shape { h: 1, w: 1, c: out },
                    Layer::Dropout { .. } => at,
                };
                (from, at)
            })
            .collect()
    }

    /// All parameters, layer by layer, the weight before the bias.
    pub fn parameters(&self) -> Vec<Parameter> {
        let mut out = Vec::new();
        let mut offset = 0;
        for (index, ((name, layer), (from, _))) in self.layers.iter().zip(self.shapes()).enumerate() {
            let (weight, bias) = match *layer {
                Layer::Conv { kernel, out } => (vec![kernel, kernel, from.c, out], out),
                Layer::Linear { out, .. } => (vec![from.len(), out], out),
                Layer::Pool | Layer::Dropout { .. } => continue,
            };
            for (kind, shape) in [("weight", weight), ("bias", vec![bias])] {
                let len = shape.iter().product();
                out.push(Parameter { name: format!("{name}.{kind}"), shape, offset, len, layer: index });
                offset += usize::next_multiple_of(len, ARENA_ALIGN);
            }
        }
        out
    }

    /// Elements of a parameter arena, the gaps of alignment included.
    pub fn arena_len(&self) -> usize {
        self.parameters().last().map_or(0, |p| p.offset + p.len.next_multiple_of(ARENA_ALIGN))
    }

    /// The first fully connected layer, and where its parameters begin in the arena: what lies before are features.
    pub fn classifier(&self) -> (usize, usize) {
        let first = self.layers.iter().position(|(_, layer)| matches!(layer, Layer::Linear { .. }));
        let first = first.unwrap_or(self.layers.len());
        let offset = self.parameters().iter().find(|p| p.layer >= first).map_or(self.arena_len(), |p| p.offset);
        (first, offset)
    }

    /// Number of parameters.
    pub fn parameter_count(&self) -> usize {
        self.parameters().iter().map(|p| p.len).sum()
    }

    /// Replaces the dropout probabilities, in order; layers beyond the list get 0.
    pub fn set_dropout(&mut self, probabilities: &[f32]) {
        let mut next = probabilities.iter();
        for (_, layer) in &mut self.layers {
            if let Layer::Dropout { p } = layer {
                *p = next.next().copied().unwrap_or(0.0);
            }
        }
    }
}
