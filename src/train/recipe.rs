//! Everything that decides how a network is trained, in one value that is stored with the run.

use crate::data::Images;
use crate::error::{Error, Result};
use crate::ops::batch::{Augment, Channels};
use crate::ops::loss::LossKind;
use crate::ops::optimizer::{AdamParams, Epsilon, SgdParams};
use serde::{Deserialize, Serialize};

/// How weights start.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum Init {
    /// He: normal of standard deviation `sqrt(2 / fan_in)`, biases zero (He et al., arXiv 1502.01852).
    He,
    /// `w = keep I + noise He`, biases zero: a convolution whose outputs are its input's channels, once or several
    /// times over, passes them on at first, as a residual network does. `I` is 1 at the middle tap from channel `c` to
    /// each output `k` with `k mod inputs = c`. Other layers start as with [`Init::He`].
    Identity { keep: f64, noise: f64 },
    /// Normal of standard deviation `std`, values beyond two of them drawn again.
    TruncatedNormal {
        std: f64,
        /// How biases start.
        bias: Bias,
    },
}

/// How biases start.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind", content = "value")]
pub enum Bias {
    Constant(f32),
    /// This value, but zero in the first layer.
    ConstantAfterFirst(f32),
    /// Drawn like the weights.
    LikeWeights,
}

/// The optimiser and its constants.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum Optimizer {
    Adam(AdamParams),
    /// L2 applies to the weights and biases of linear layers.
    Sgd(SgdParams),
}

/// How the learning rate moves.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum Schedule {
    Constant,
    /// Linear warm-up over the first `warmup_epochs`, then linear decay to zero at the end of the last epoch.
    WarmupLinear {
        warmup_epochs: f64,
    },
    /// Times `factor` after each epoch.
    Staircase {
        factor: f64,
    },
}

/// One way of training.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    pub name: String,
    pub epochs: u64,
    pub batch: usize,
    pub lr: f32,
    pub schedule: Schedule,
    pub optimizer: Optimizer,
    pub loss: LossKind,
    pub init: Init,
    /// Dropout probabilities of the network's dropout layers, in order.
    pub dropout: Vec<f32>,
    /// Input: pixels in [0, 1], then `(p - mean) / std`.
    pub mean: Channels,
    pub std: Channels,
    pub augment: Option<Augment>,
    /// Largest decay a step of the moving average of the weights, `min(limit, (1 + t) / (10 + t))`; without it there
    /// is no average.
    pub ema: Option<f64>,
}

const ADAM: AdamParams = AdamParams { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, epsilon_kind: Epsilon::Outer };

impl Recipe {
    /// The names that [`Recipe::named`] knows.
    pub const NAMES: [&str; 4] = ["robust", "quick", "article", "fine-tune"];

    /// The recipe of that name for a model. Without a name: `robust` for the VGGs, the tutorials' own for the others.
    ///
    /// # Errors
    /// An unknown name.
    pub fn named(name: Option<&str>, model: &str) -> Result<Recipe> {
        match (name, model) {
            (Some("robust"), _) | (None, "vgg19" | "vgg16-4pool" | "vgg19-torchvision" | "vgg16-torchvision") => {
                Ok(Recipe::robust())
            }
            (Some("quick"), _) => Ok(Recipe::quick()),
            (Some("fine-tune"), _) => Ok(Recipe::fine_tune()),
            (Some("article"), "deep-mnist-sgd") | (None, "deep-mnist-sgd") => Ok(Recipe::convolutional()),
            (Some("article"), "deep-mnist") | (None, "deep-mnist") => Ok(Recipe::deep_mnist()),
            (Some("article"), _) | (None, _) => Ok(Recipe::article()),
            (Some(other), _) => {
                Err(Error::Invalid(format!("unknown recipe '{other}'; known are {}", Recipe::NAMES.join(", "))))
            }
        }
    }

    /// Trains deep plain networks from any seed: He initialisation, normalised input, warm-up, deformed digits, and a
    /// moving average of the weights.
    fn robust() -> Recipe {
        Recipe {
            name: "robust".into(),
            epochs: 10,
            batch: 128,
            lr: 3e-4,
            schedule: Schedule::WarmupLinear { warmup_epochs: 0.5 },
            optimizer: Optimizer::Adam(ADAM),
            loss: LossKind::Mean,
            init: Init::He,
            dropout: vec![0.5, 0.5],
            mean: Channels::All(0.1307),
            std: Channels::All(0.3081),
            augment: Some(Augment { degrees: 12.0, scale: 0.1, shear: 0.15, shift: 2.0, elastic: 2.0, spacing: 7 }),
            ema: Some(0.998),
        }
    }

    /// Few epochs: layers that begin near the identity learn from the first steps on.
    fn quick() -> Recipe {
        Recipe {
            name: "quick".into(),
            epochs: 3,
            batch: 64,
            schedule: Schedule::WarmupLinear { warmup_epochs: 0.2 },
            init: Init::Identity { keep: 0.7, noise: 0.5 },
            ..Recipe::robust()
        }
    }

    /// Goes on from weights that were trained on ImageNet, with its normalisation: momentum SGD at a small rate, L2 as
    /// VGG was trained with, and no average, so that little memory is needed.
    fn fine_tune() -> Recipe {
        Recipe {
            name: "fine-tune".into(),
            epochs: 5,
            batch: 16,
            lr: 2e-4,
            optimizer: Optimizer::Sgd(SgdParams { momentum: 0.9, l2: 5e-4 }),
            mean: Channels::Each([0.485, 0.456, 0.406]),
            std: Channels::Each([0.229, 0.224, 0.225]),
            ema: None,
            ..Recipe::robust()
        }
    }

    /// The article's constants: summed clipped loss, TensorFlow 1's Adam at a constant 5e-5, truncated normal 0.01.
    fn article() -> Recipe {
        Recipe {
            name: "article".into(),
            epochs: 500,
            batch: 64,
            lr: 5e-5,
            schedule: Schedule::Constant,
            optimizer: Optimizer::Adam(AdamParams { epsilon_kind: Epsilon::Hat, ..ADAM }),
            loss: LossKind::SummedClipped,
            init: Init::TruncatedNormal { std: 0.01, bias: Bias::LikeWeights },
            dropout: vec![0.5; 3],
            mean: Channels::All(0.0),
            std: Channels::All(1.0),
            augment: None,
            ema: None,
        }
    }

    /// "Deep MNIST for Experts" as the article ran it, with Adam 1e-3.
    fn deep_mnist() -> Recipe {
        Recipe {
            epochs: 20,
            batch: 50,
            lr: 1e-3,
            loss: LossKind::Mean,
            init: Init::TruncatedNormal { std: 0.1, bias: Bias::Constant(0.1) },
            dropout: vec![0.5],
            ..Recipe::article()
        }
    }

    /// TensorFlow's `convolutional.py`: momentum SGD with decay and L2, input in [-0.5, 0.5].
    fn convolutional() -> Recipe {
        Recipe {
            epochs: 10,
            batch: 64,
            lr: 0.01,
            schedule: Schedule::Staircase { factor: 0.95 },
            optimizer: Optimizer::Sgd(SgdParams { momentum: 0.9, l2: 5e-4 }),
            init: Init::TruncatedNormal { std: 0.1, bias: Bias::ConstantAfterFirst(0.1) },
            mean: Channels::All(0.5),
            ..Recipe::deep_mnist()
        }
    }

    /// Suits what depends on the images to them, in the recipes of this project: they are normalised by their own mean
    /// and deviation, channel by channel, which for MNIST are 0.1307 and 0.3081, and deformed in proportion to their
    /// size, as MNIST's are.
    ///
    /// # Errors
    /// Pictures on disk that cannot be read.
    pub fn suit(&mut self, images: &Images) -> Result<()> {
        match self.name.as_str() {
            // ImageNet's, where there are colours.
            "fine-tune" if images.channels == 3 => {}
            "robust" | "quick" | "fine-tune" => (self.mean, self.std) = normalisation(images)?,
            _ => return Ok(()),
        }
        if let Some(augment) = &mut self.augment {
            let scale = images.height.max(images.width) as f32 / 28.0;
            augment.shift *= scale;
            augment.elastic *= scale;
            augment.spacing = ((augment.spacing as f32 * scale).round() as usize).max(2);
        }
        Ok(())
    }

    /// Learning rate of step `step` (from 0) of a training on `images` images.
    pub fn lr_at(&self, step: u64, images: usize) -> f32 {
        let epoch = step as f64 * self.batch as f64 / images as f64;
        let factor = match self.schedule {
            Schedule::Constant => 1.0,
            Schedule::Staircase { factor } => factor.powf(epoch.floor()),
            Schedule::WarmupLinear { warmup_epochs } => {
                let end = self.epochs as f64;
                let warmup = warmup_epochs.min(end / 2.0);
                // The middle of the step, so that neither the first nor the last has a rate of zero.
                let middle = epoch + 0.5 * self.batch as f64 / images as f64;
                if middle < warmup { middle / warmup } else { ((end - middle) / (end - warmup)).max(0.0) }
            }
        };
        (f64::from(self.lr) * factor) as f32
    }

    /// Decay of the moving average at a step.
    pub fn ema_at(&self, step: u64) -> f32 {
        let t = step as f64;
        self.ema.map_or(0.0, |limit| limit.min((1.0 + t) / (10.0 + t)) as f32)
    }

    /// An error if a constant makes no sense.
    pub fn check(&self) -> Result<()> {
        if self.batch == 0 || self.batch > 65_536 {
            return Err(Error::Invalid(format!("batch {}: it must be between 1 and 65536", self.batch)));
        }
        if !(self.lr.is_finite() && self.lr > 0.0) {
            return Err(Error::Invalid(format!(
                "learning rate {}: it must be a positive number, such as 3e-4",
                self.lr
            )));
        }
        if self.epochs == 0 || self.epochs > 1_000_000 {
            return Err(Error::Invalid(format!("{} epochs: it must be between 1 and 1000000", self.epochs)));
        }
        Ok(())
    }
}

/// Mean and standard deviation of images whose bytes are scaled to [0, 1], by channel, to four digits; a deviation is
/// at least 0.01.
fn normalisation(images: &Images) -> Result<(Channels, Channels)> {
    let rounded = |v: f64| ((v * 1e4).round() / 1e4) as f32;
    let mut counts = vec![[0u64; 256]; images.channels];
    for pixels in images.pieces() {
        for pixel in pixels?.chunks_exact(images.channels) {
            counts.iter_mut().zip(pixel).for_each(|(counts, &v)| counts[usize::from(v)] += 1);
        }
    }
    let of = |channel: usize| {
        let counts = &counts[channel];
        let total = counts.iter().sum::<u64>().max(1) as f64;
        let moment = |power: i32| -> f64 {
            let each = counts.iter().enumerate().map(|(v, &n)| n as f64 * (v as f64 / 255.0).powi(power));
            each.sum::<f64>() / total
        };
        let mean = moment(1);
        (rounded(mean), rounded((moment(2) - mean * mean).max(0.0).sqrt().max(0.01)))
    };
    if images.channels == 3 {
        let all = [of(0), of(1), of(2)];
        return Ok((Channels::Each(all.map(|a| a.0)), Channels::Each(all.map(|a| a.1))));
    }
    let (mean, std) = of(0);
    Ok((Channels::All(mean), Channels::All(std)))
}
