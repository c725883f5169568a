//! A network of two layers, trained by burn on its CUDA backend as it comes (fusion and autotune on): points in a
//! circle, in a ring around it, and outside. The same network, from the same weights, is trained on burn's CPU backend;
//! losses and predictions have to agree.

use burn::backend::{Autodiff, Cuda, NdArray};
use burn::module::Module;
use burn::nn::loss::CrossEntropyLossConfig;
use burn::nn::{Linear, LinearConfig};
use burn::optim::{AdamConfig, GradientsParams, Optimizer};
use burn::tensor::activation::relu;
use burn::tensor::backend::{AutodiffBackend, Backend};
use burn::tensor::{Int, Tensor, TensorData};

const POINTS: usize = 192;
const HIDDEN: usize = 32;
const STEPS: usize = 120;

#[derive(Module, Debug)]
struct Mlp<B: Backend> {
    first: Linear<B>,
    second: Linear<B>,
}

/// A number from -1 to 1 for each index: a hash of it.
fn number(index: usize) -> f32 {
    let mut x = (index as u32).wrapping_mul(0x9e37_79b9) ^ 0x5bd1_e995;
    for _ in 0..2 {
        x = (x ^ (x >> 15)).wrapping_mul(0x2c1b_3c6d);
    }
    (x >> 8) as f32 / 8_388_608.0 - 1.0
}

fn numbers<B: Backend, const D: usize>(shape: [usize; D], from: usize, scale: f32, device: &B::Device) -> Tensor<B, D> {
    let count: usize = shape.iter().product();
    let values: Vec<f32> = (from..from + count).map(|i| scale * number(i)).collect();
    Tensor::from_data(TensorData::new(values, shape), device)
}

/// The losses of all steps, and the predicted classes at the end.
fn train<B: AutodiffBackend>(device: &B::Device) -> (Vec<f32>, Vec<i64>, Vec<i64>) {
    let points: Tensor<B, 2> = numbers([POINTS, 2], 0, 1.0, device);
    let class = |i: usize| {
        let radius = (number(2 * i).powi(2) + number(2 * i + 1).powi(2)).sqrt();
        i64::from(radius > 0.5) + i64::from(radius > 0.9)
    };
    let classes: Vec<i64> = (0..POINTS).map(class).collect();
    let targets: Tensor<B, 1, Int> = Tensor::from_data(TensorData::new(classes.clone(), [POINTS]), device);

    let mut model = Mlp::<B> {
        first: LinearConfig::new(2, HIDDEN).init(device),
        second: LinearConfig::new(HIDDEN, 3).init(device),
    };
    model.first.weight = model.first.weight.map(|_| numbers([2, HIDDEN], 1000, 1.0, device).require_grad());
    model.first.bias = model.first.bias.map(|b| b.map(|_| numbers([HIDDEN], 2000, 0.5, device).require_grad()));
    model.second.weight = model.second.weight.map(|_| numbers([HIDDEN, 3], 3000, 0.3, device).require_grad());
    model.second.bias = model.second.bias.map(|b| b.map(|_| numbers([3], 4000, 0.1, device).require_grad()));

    let mut adam = AdamConfig::new().init();
    let mut losses = Vec::new();
    let forward = |model: &Mlp<B>| model.second.forward(relu(model.first.forward(points.clone())));
    for _ in 0..STEPS {
        let loss = CrossEntropyLossConfig::new().init(device).forward(forward(&model), targets.clone());
        losses.push(loss.clone().into_data().iter::<f32>().next().expect("a loss"));
        let gradients = GradientsParams::from_grads(loss.backward(), &model);
        model = adam.step(0.02, model, gradients);
    }
    let predicted = forward(&model).argmax(1).into_data().iter::<i64>().collect();
    (losses, predicted, classes)
}

fn main() {
    let (cuda, predicted, classes) = train::<Autodiff<Cuda>>(&Default::default());
    let (cpu, expected, _) = train::<Autodiff<NdArray>>(&Default::default());
    let right = predicted.iter().zip(&classes).filter(|(p, c)| p == c).count();
    let same = predicted.iter().zip(&expected).filter(|(p, e)| p == e).count();
    let apart = cuda.iter().zip(&cpu).map(|(a, b)| (a - b).abs() / b).fold(0.0, f32::max);
    println!("loss {} -> {} (CPU backend {}), at most {apart:e} apart", cuda[0], cuda[STEPS - 1], cpu[STEPS - 1]);
    println!("{right} of {POINTS} points right, {same} as on the CPU backend");
    // burn's autotune may take products of tf32, whose inputs are rounded by 2^-11: four of them in a step
    assert!(apart < 4.0 / 2048.0 && same == POINTS && right > POINTS * 9 / 10);
}
