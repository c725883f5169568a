//! Finding and loading datasets, and the checks that make one of them.

use std::path::Path;
use warp19::Error;
use warp19::data::{self, Classes, Dataset, Images, Origin, Source, Split, Wanted, dataset, idx};

/// `count` images of 2x3 whose pixels say which image they are of.
fn images(count: usize) -> Images {
    Images {
        count,
        height: 2,
        width: 3,
        channels: 1,
        pixels: (0..count * 6).map(|i| (i / 6 * 10 + i % 6) as u8).collect(),
    }
}

fn split(labels: &[u32]) -> Split {
    Split::new(images(labels.len()), labels.to_vec(), "x").unwrap()
}

fn joined(train: &[u32], test: &[u32]) -> warp19::Result<Dataset> {
    Dataset::new(split(train), split(test), Classes::numbered(10), "x")
}

pub fn load(dir: &Path, name: &str) -> warp19::Result<Dataset> {
    let source = Source::find(dir, name, true)?;
    Ok(Origin::load(&source, source.name(), &Wanted::default())?.0)
}

/// Writes four files of 3 and 2 images with names made from a pattern: `{}` is the part.
fn write_set(dir: &Path, prefix: &str, test_part: &str, separator: char) {
    for (part, count) in [("train", 3), (test_part, 2)] {
        let path = |kind: &str| dir.join(format!("{prefix}{part}-{kind}-ubyte"));
        let labels: Vec<u32> = (0..count as u32).collect();
        std::fs::write(path(&format!("images{separator}idx3")), idx::encode_images(&images(count)).unwrap()).unwrap();
        std::fs::write(path(&format!("labels{separator}idx1")), idx::encode_labels(&labels).unwrap()).unwrap();
    }
}

#[test]
fn every_usual_name_is_found() {
    for (prefix, part, separator) in [("", "t10k", '-'), ("", "t10k", '.'), ("some-letters-", "test", '-')] {
        let dir = tempfile::tempdir().unwrap();
        write_set(dir.path(), prefix, part, separator);
        let dataset = load(dir.path(), "mnist").unwrap();
        assert_eq!((dataset.train.len(), dataset.test.len(), dataset.classes.count()), (3, 2, 3));
        assert_eq!(dataset.train.images, images(3));
        if prefix.is_empty() {
            assert_eq!(Some(dataset.name.as_str()), dir.path().file_name().unwrap().to_str());
        } else {
            assert_eq!(dataset.name, "some-letters");
        }
    }
}

#[test]
fn the_subfolder_of_the_name_wins() {
    let dir = tempfile::tempdir().unwrap();
    write_set(dir.path(), "", "t10k", '-');
    let sub = dir.path().join("kmnist");
    std::fs::create_dir(&sub).unwrap();
    write_set(&sub, "", "t10k", '-');
    assert_eq!(data::find(dir.path(), "kmnist").unwrap().paths[0].parent(), Some(sub.as_path()));
    assert_eq!(data::find(dir.path(), "mnist").unwrap().paths[0].parent(), Some(dir.path()));
    assert_eq!(load(dir.path(), "kmnist").unwrap().name, "kmnist");
}

#[test]
fn several_sets_in_one_folder_are_told_apart_by_name() {
    let dir = tempfile::tempdir().unwrap();
    write_set(dir.path(), "set-a-", "test", '-');
    write_set(dir.path(), "set-b-", "test", '-');
    assert_eq!(load(dir.path(), "set-b").unwrap().name, "set-b");
    let error = load(dir.path(), "mnist").unwrap_err();
    assert!(error.to_string().contains("several datasets (set-a, set-b)"), "{error}");
}

#[test]
fn emnist_is_turned_upright() {
    let dir = tempfile::tempdir().unwrap();
    write_set(dir.path(), "emnist-digits-", "test", '-');
    let dataset = load(dir.path(), "mnist").unwrap();
    let train = &dataset.train.images;
    assert_eq!((train.height, train.width), (3, 2));
    assert_eq!(*train.image(1).unwrap(), [10, 13, 11, 14, 12, 15]);
}

#[test]
fn what_is_missing_is_named() {
    let dir = tempfile::tempdir().unwrap();
    write_set(dir.path(), "", "t10k", '-');
    std::fs::remove_file(dir.path().join("t10k-labels-idx1-ubyte")).unwrap();
    let error = load(dir.path(), "mnist").unwrap_err();
    assert!(matches!(error, Error::DatasetNotFound(_)), "{error}");
    assert!(error.to_string().contains("lacks t10k-labels-idx1-ubyte"), "{error}");
    assert!(error.to_string().contains("warp19 data fetch"), "{error}");

    let absent = dir.path().join("absent");
    let error = data::open(Some(&absent), "mnist", &Wanted::default()).unwrap_err();
    assert!(matches!(error, Error::DatasetNotFound(_)), "{error}");
    assert!(error.to_string().contains("no such folder"), "{error}");
    assert!(!absent.exists(), "a folder that was named is not fetched into");
}

#[test]
fn counts_that_disagree_name_both_files() {
    let dir = tempfile::tempdir().unwrap();
    write_set(dir.path(), "", "t10k", '-');
    std::fs::write(dir.path().join("train-labels-idx1-ubyte"), idx::encode_labels(&[1, 2]).unwrap()).unwrap();
    let error = load(dir.path(), "mnist").unwrap_err();
    assert!(error.to_string().contains("3 images, but 2 labels"), "{error}");
    assert!(error.to_string().contains("train-images-idx3-ubyte"), "{error}");
    assert!(error.to_string().contains("train-labels-idx1-ubyte"), "{error}");
}

#[test]
fn parts_fit_each_other() {
    let error = joined(&[0, 1], &[]).unwrap_err();
    assert!(error.to_string().contains("test part has no images"), "{error}");
    let mut wide = split(&[0]);
    (wide.images.height, wide.images.width) = (1, 6);
    let error = Dataset::new(split(&[0]), wide, Classes::numbered(2), "x").unwrap_err();
    assert!(matches!(error, Error::Shape { .. }), "{error}");
}

#[test]
fn head_and_validation() {
    let dataset = joined(&[0, 1, 2, 3, 4], &[9]).unwrap();
    assert_eq!(dataset.train.head(2), split(&[0, 1]));
    assert_eq!(dataset.train.head(99), dataset.train);
    let validation = dataset.split_validation(2).unwrap();
    assert_eq!(validation.train, split(&[0, 1, 2]));
    assert_eq!(validation.test.labels, [3, 4]);
    assert_eq!(validation.test.images.image(1).unwrap(), dataset.train.images.image(4).unwrap());
    assert_eq!(validation.classes.count(), 10);
    for n in [0, 5, 6] {
        assert!(dataset.split_validation(n).is_err(), "{n}");
    }
}

#[test]
fn the_synthetic_dataset_loads_and_is_the_same_each_time() {
    let (a, b) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    crate::common::synthetic::dataset(a.path(), 240, 48);
    crate::common::synthetic::dataset(b.path(), 240, 48);
    let dataset = load(a.path(), "mnist").unwrap();
    assert_eq!(dataset.classes.count(), crate::common::synthetic::CLASSES);
    assert_eq!(dataset.train, load(b.path(), "mnist").unwrap().train);
    assert_eq!(dataset.train.class_counts(12), [20; 12]);
    assert_eq!(dataset.test.class_counts(12), [4; 12]);
    // Classes can be told apart: the nearest training image mostly has the test image's label.
    let distance = |a: &[u8], b: &[u8]| -> u64 {
        let squares = a.iter().zip(b).map(|(a, b)| u64::from(a.abs_diff(*b)).pow(2));
        squares.sum()
    };
    let right = (0..48).filter(|&i| {
        let image = dataset.test.images.image(i).unwrap();
        let nearest = (0..240).min_by_key(|&j| distance(&image, &dataset.train.images.image(j).unwrap()));
        dataset.train.labels[nearest.unwrap()] == dataset.test.labels[i]
    });
    assert!(right.count() >= 40);
}

#[test]
fn images_evenly_spaced() {
    let labels: Vec<u32> = (0..10).collect();
    let all = split(&labels);
    for (n, chosen) in
        [(1, vec![0]), (3, vec![0, 3, 6]), (4, vec![0, 2, 5, 7]), (10, labels.clone()), (99, labels.clone())]
    {
        let some = all.evenly(n);
        assert_eq!(some.labels, chosen);
        assert_eq!(some.len(), some.images.count);
        for (i, &at) in chosen.iter().enumerate() {
            assert_eq!(some.images.image(i).unwrap(), all.images.image(at as usize).unwrap());
            assert_eq!(dataset::spaced(i, some.len(), all.len()), at as usize);
        }
    }
}
