//! Weights of torchvision's names: VGG19 at 224x224x3 with 1000 classes computes what PyTorch does.

use crate::common::golden::noise;
use serde_json::json;
use std::io::Write;
use std::path::Path;
use warp19::cpu::CpuDevice;
use warp19::data::{Images, Split};
use warp19::export::pytorch::{self, Layout, names};
use warp19::export::weights::Weights;
use warp19::model::Model;
use warp19::train::{Config, Recipe, activations, init};

fn config() -> Config {
    Config {
        model: "vgg19-torchvision".into(),
        input: "224x224x3".into(),
        classes: 1000,
        dataset: "noise".into(),
        recipe: Recipe::named(Some("fine-tune"), "vgg19-torchvision").unwrap(),
        seed: 0,
        images: 1,
        validation: 0,
        test_images: 0,
        extended: vec![],
        frozen_features: true,
        precision: Default::default(),
    }
}

/// The file that tests/golden/make_vgg19_224.py has the tensors of, written tensor by tensor.
fn write(model: &Model, path: &Path) {
    let shapes = model.shapes();
    let mut tensors = Vec::new();
    for (index, name) in names(model) {
        let layout = Layout::of(&model.layers[index].1, shapes[index].0).unwrap();
        let scale = (6.0 / layout.row() as f64).sqrt() as f32;
        tensors.push((format!("{name}.weight"), layout.shape.clone(), scale));
        tensors.push((format!("{name}.bias"), vec![layout.shape[0]], 0.05));
    }
    let (mut header, mut at) = (serde_json::Map::new(), 0);
    for (name, shape, _) in &tensors {
        let end = at + 4 * shape.iter().product::<usize>();
        header.insert(name.clone(), json!({"dtype": "F32", "shape": shape, "data_offsets": [at, end]}));
        at = end;
    }
    let header = serde_json::Value::Object(header).to_string();
    let mut file = std::io::BufWriter::new(std::fs::File::create(path).unwrap());
    file.write_all(&(header.len() as u64).to_le_bytes()).unwrap();
    file.write_all(header.as_bytes()).unwrap();
    for (seed, (_, shape, scale)) in tensors.iter().enumerate() {
        let values: Vec<f32> = noise(seed as u32 + 1, shape.iter().product()).iter().map(|v| v * scale).collect();
        file.write_all(bytemuck::cast_slice(&values)).unwrap();
    }
    file.flush().unwrap();
}

#[test]
#[ignore = "a file of 575 MB and 2 GB of memory"]
fn vgg19_at_224_computes_what_pytorch_does() {
    let config = config();
    let model = config.model().unwrap();
    assert_eq!(model.parameter_count(), 143_667_240);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("vgg19.safetensors");
    write(&model, &path);
    let mut weights = vec![0.0; model.arena_len()];
    let mut file = Weights::open(&path).unwrap();
    assert_eq!(file.network(), Some("vgg19-torchvision"));
    assert!(file.fill(&model, &mut weights).unwrap().is_empty());

    let pixels = noise(99, 224 * 224 * 3).iter().map(|&v| ((f64::from(v) + 1.0) * 128.0).floor() as u8).collect();
    let images = Images { count: 1, height: 224, width: 224, channels: 3, pixels };
    let split = Split::new(images, vec![0], "noise").unwrap();
    let mut device = CpuDevice::new(None).unwrap();
    let layers = activations(&mut device, &config, &weights, &split, 0).unwrap();
    let got = &layers.last().unwrap().values;
    let golden: serde_json::Value = serde_json::from_str(include_str!("../golden/vgg19_224.json")).unwrap();
    let want: Vec<f64> = golden["logits"].as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect();
    let worst = got.iter().zip(&want).map(|(g, w)| (f64::from(*g) - w).abs() / w.abs().max(1.0)).fold(0.0, f64::max);
    println!("logits differ by {worst:.2e} at most");
    assert!(want.len() == 1000 && worst <= 1e-4, "{worst}");
    drop(layers);

    // Back as it came, but for the order of tensors.
    let bytes = std::fs::read(&path).unwrap();
    let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    for tensor in pytorch::tensors(&model, &weights) {
        assert!(tensors.tensor(&tensor.name).unwrap().data() == bytemuck::cast_slice::<f32, u8>(&tensor.values));
    }
}

#[test]
fn layers_that_do_not_fit_start_anew_and_convolutions_must() {
    let mut few = config();
    (few.model, few.input, few.classes) = ("vgg16-torchvision".into(), "32x32x3".into(), 5);
    let other = Config { classes: 7, ..few.clone() };
    let (model, target) = (few.model().unwrap(), other.model().unwrap());
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("vgg16.safetensors");
    write(&model, &path);
    let start = init::weights(&target, other.recipe.init, 3);
    let mut weights = start.clone();
    let mut file = Weights::open(&path).unwrap();
    assert_eq!(file.network(), Some("vgg16-torchvision"));
    assert_eq!(file.fill(&target, &mut weights).unwrap(), ["fc3"]);
    let fresh = target.parameters().iter().find(|p| p.name == "fc3.weight").unwrap().offset;
    assert!(weights[fresh..] == start[fresh..] && weights[..fresh] != start[..fresh]);
    let bytes = std::fs::read(&path).unwrap();
    let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    for tensor in pytorch::tensors(&target, &weights).iter().take(30).filter(|t| !t.name.contains(".6.")) {
        let there = tensors.tensor(&tensor.name).unwrap();
        assert!(there.data() == bytemuck::cast_slice::<f32, u8>(&tensor.values), "{}", tensor.name);
    }
    // Other maps: the first linear layer has other inputs, and all of them start anew.
    let larger = Config { input: "64x64x3".into(), ..other.clone() }.model().unwrap();
    let mut weights = vec![0.0; larger.arena_len()];
    assert_eq!(file.fill(&larger, &mut weights).unwrap(), ["fc1", "fc2", "fc3"]);
    let grey = Config { input: "32x32x1".into(), ..other }.model().unwrap();
    let error = file.fill(&grey, &mut weights).unwrap_err().to_string();
    assert!(error.contains("does not fit") && error.contains("features.0.weight is [64, 3, 3, 3]"), "{error}");
    std::fs::write(&path, b"PK\x03\x04 and more").unwrap();
    let error = Weights::open(&path).err().unwrap().to_string();
    assert!(error.contains("torch.save") && error.contains("save_file"), "{error}");
    std::fs::write(&path, [8, 0, 0, 0, 0, 0, 0, 0, b'{']).unwrap();
    assert!(Weights::open(&path).is_err());
}
