//! What a profile's step is made of.

use crate::data::{Classes, Dataset, Images, Split};
use crate::device::Precision;
use crate::error::Result;
use crate::train::{Config, Recipe};

/// A run on random pictures by the network's own recipe.
pub fn run(model: &str, precision: Precision, batch: usize) -> Result<(Config, Dataset)> {
    const SIDE: usize = 28;
    let (mut recipe, classes) = (Recipe::named(None, model)?, 10);
    recipe.batch = batch;
    let split = |count: usize| Split {
        images: Images {
            count,
            height: SIDE,
            width: SIDE,
            channels: 1,
            pixels: (0..count * SIDE * SIDE).map(|i| (i * 7919 % 251) as u8).collect(),
        },
        labels: (0..count).map(|i| (i % classes) as u32).collect(),
    };
    let dataset = Dataset::new(split(batch), split(1), Classes::numbered(classes), "random pictures")?;
    let config = Config {
        model: model.into(),
        input: format!("{SIDE}x{SIDE}x1"),
        classes,
        dataset: dataset.name.clone(),
        recipe,
        extended: Vec::new(),
        seed: 0,
        images: batch,
        test_images: 1,
        validation: 0,
        frozen_features: false,
        precision,
    };
    Ok((config, dataset))
}
