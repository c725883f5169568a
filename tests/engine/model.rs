//! Networks and their starting weights.

use warp19::model::zoo::{self, build};
use warp19::train::init::weights;
use warp19::train::recipe::{Bias, Init};

fn weights_and_total(name: &str, input: &str, classes: usize) -> (usize, usize) {
    let model = build(name, input.parse().unwrap(), classes).unwrap();
    let parameters = model.parameters();
    let weights = parameters.iter().filter(|p| !p.is_bias()).map(|p| p.len);
    (weights.sum(), model.parameter_count())
}

#[test]
fn parameter_counts_are_the_published_ones() {
    // The article's table counts weights without the 1000x10 output layer.
    let (weights, total) = weights_and_total("vgg19", "28x28x1", 10);
    assert_eq!((weights - 10_000, total), (42_988_096, 43_012_802));
    assert_eq!(weights_and_total("vgg19", "224x224x3", 1000).1, 143_667_240);
    assert_eq!(weights_and_total("deep-mnist", "28x28x1", 10).1, 3_274_634);
    assert_eq!(weights_and_total("deep-mnist-sgd", "28x28x1", 10).1, 1_663_370);
}

#[test]
fn he_has_the_right_spread_and_no_bias() {
    let model = zoo::build("deep-mnist", "28x28x1".parse().unwrap(), 10).unwrap();
    let arena = weights(&model, Init::He, 1);
    for p in model.parameters() {
        let w = &arena[p.offset..p.offset + p.len];
        let power = w.iter().map(|&v| f64::from(v).powi(2)).sum::<f64>() / p.len as f64;
        if p.is_bias() {
            assert_eq!(power, 0.0);
        } else {
            let ratio = power * p.fan_in() as f64 / 2.0;
            let sigma = (2.0 / p.len as f64).sqrt();
            assert!((ratio - 1.0).abs() < 5.0 * sigma, "{} {ratio}", p.name);
        }
    }
}

/// Where nothing is random, a layer whose outputs are its input's channels over again gives `keep` times its input.
#[test]
fn identity_passes_channels_on_where_it_can() {
    let model = zoo::build("deep-mnist", "28x28x1".parse().unwrap(), 10).unwrap();
    let (still, he) = (weights(&model, Init::Identity { keep: 0.7, noise: 0.0 }, 1), weights(&model, Init::He, 1));
    let both = weights(&model, Init::Identity { keep: 0.7, noise: 0.5 }, 1);
    let mut passing = Vec::new();
    for p in model.parameters() {
        let at = p.offset..p.offset + p.len;
        let (still, he, both) = (&still[at.clone()], &he[at.clone()], &both[at]);
        if p.shape.len() != 4 || p.layer == 0 {
            assert!(still == he && both == he, "{}", p.name);
            continue;
        }
        passing.push(p.shape.to_vec());
        for (i, &v) in still.iter().enumerate() {
            let (tap, c, k) = (i / (32 * 64), i / 64 % 32, i % 64);
            let kept = if tap == 12 && k % 32 == c { 0.7 } else { 0.0 };
            assert_eq!(v, kept, "{tap} {c} {k}");
            assert!((both[i] - (v + 0.5 * he[i])).abs() < 1e-7, "{tap} {c} {k}");
        }
    }
    assert_eq!(passing, [[5, 5, 32, 64]]);
}

#[test]
fn truncated_normal_stays_within_two_deviations() {
    let model = zoo::build("deep-mnist-sgd", "28x28x1".parse().unwrap(), 10).unwrap();
    let bias = Bias::ConstantAfterFirst(0.1);
    let arena = weights(&model, Init::TruncatedNormal { std: 0.1, bias }, 1);
    let p = &model.parameters();
    let w = &arena[p[4].offset..][..p[4].len];
    let power = w.iter().map(|&v| f64::from(v).powi(2)).sum::<f64>() / w.len() as f64;
    // The variance of a normal distribution cut at two deviations is 0.7737.
    assert!((power.sqrt() / 0.1 - 0.7737f64.sqrt()).abs() < 0.002);
    assert!(w.iter().all(|v| v.abs() <= 0.2));
    assert!(arena[p[1].offset..][..p[1].len].iter().all(|&v| v == 0.0));
    assert!(arena[p[3].offset..][..p[3].len].iter().all(|&v| v == 0.1));
}
