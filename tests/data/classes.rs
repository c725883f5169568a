//! Labels and classes: what is odd is told, with the label, how often it is there, in which file, and what to do.

use std::path::Path;
use warp19::data::classes::{self, Classes, Labels, Settled, settle};

fn settled(
    train: &[u32],
    test: &[u32],
    wanted: Option<usize>,
    named: Option<Classes>,
) -> warp19::Result<(Settled, Vec<u32>)> {
    let (mut a, mut b) = (train.to_vec(), test.to_vec());
    let settled = settle(
        Labels { labels: &mut a, from: "train-file".into() },
        Labels { labels: &mut b, from: "test-file".into() },
        wanted,
        named,
    )?;
    Ok((settled, a))
}

fn refused(train: &[u32], test: &[u32], wanted: Option<usize>, parts: &[&str]) {
    let error = settled(train, test, wanted, None).unwrap_err().to_string();
    for part in parts {
        assert!(error.contains(part), "{part}: {error}");
    }
}

/// `0..classes` again and again.
fn turns(classes: u32, count: u32) -> Vec<u32> {
    (0..count).map(|i| i % classes).collect()
}

#[test]
fn usual_labels_are_taken_without_a_word() {
    let (settled, _) = settled(&turns(10, 600), &turns(10, 20), None, None).unwrap();
    assert_eq!((settled.classes.count(), settled.notes), (10, vec![]));
    let (settled, labels) = self::settled(&turns(3000, 6000), &[2999], None, None).unwrap();
    assert_eq!((settled.classes.count(), settled.notes.len(), labels[5999]), (3000, 0, 2999));
}

#[test]
fn one_label_far_beyond_the_others_is_refused() {
    let mut labels = turns(10, 600);
    labels[17] = 255;
    refused(
        &labels,
        &[1],
        None,
        &["train-file", "label 255 is there once among 600", "256 classes", "245", "--classes 256"],
    );
    labels[18] = 4_000_000_000;
    refused(&labels, &[1], None, &["label 4000000000 is there once"]);
    // What is asked for is given, or refused with its place.
    labels[18] = 3;
    assert_eq!(settled(&labels, &[1], Some(256), None).unwrap().0.classes.count(), 256);
    refused(
        &labels,
        &[1],
        Some(10),
        &["train-file: label 255 is there once (first at position 17)", "10 classes, 0 to 9"],
    );
}

#[test]
fn labels_that_count_from_one() {
    let letters: Vec<u32> = turns(26, 520).iter().map(|l| l + 1).collect();
    let (with, labels) = settled(&letters, &[26, 1], Some(26), None).unwrap();
    assert_eq!((with.classes.count(), labels[0], labels[25]), (26, 0, 25));
    assert!(with.notes[0].contains("go from 1 to 26"), "{:?}", with.notes);
    let (without, labels) = settled(&letters, &[26, 1], None, None).unwrap();
    assert_eq!((without.classes.count(), labels[0]), (27, 1));
    let note = &without.notes[0];
    for part in ["train-file", "no image is of class 0;", "--classes 26"] {
        assert!(note.contains(part), "{part}: {note}");
    }
}

#[test]
fn test_labels_that_training_does_not_have() {
    refused(
        &turns(5, 50),
        &[0, 7, 7],
        None,
        &["test-file: label 7 is there 2 times (first at position 1)", "--classes 8"],
    );
    let (settled, _) = settled(&turns(5, 50), &[0, 7, 7], Some(8), None).unwrap();
    let notes = settled.notes.join("; ");
    assert!(notes.contains("no image is of class 5, 6, 7"), "{notes}");
    assert!(notes.contains("test-file: class 7 (2 times) is not in train-file"), "{notes}");
}

#[test]
fn names_come_from_files() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("classes.txt");
    let named = |text: &str| {
        std::fs::write(&path, text).unwrap();
        classes::read(&path).map_err(|e| e.to_string())
    };
    let classes = named("\u{feff}cat\r\n ship \n\n").unwrap().unwrap();
    assert_eq!(classes.names(), ["cat", "ship"]);
    for (text, says) in [
        ("one", "1 classes; a classifier has 2"),
        ("a\n\nb", "the name of class 1 is"),
        ("a\nb\na", "classes 0 and 2 are both called"),
        ("a\nb\u{7}", "the name of class 1"),
    ] {
        let error = named(text).unwrap_err();
        assert!(error.contains(says) && error.contains("classes.txt"), "{error}");
    }
    std::fs::write(&path, [0xff, 0xfe, 0]).unwrap();
    assert!(classes::read(&path).is_err());
    assert!(classes::read(Path::new("absent/classes.txt")).unwrap().is_none());
    let error = settled(&[0, 1], &[0], Some(3), Some(classes)).unwrap_err().to_string();
    assert!(error.contains("--classes 3, but the data name 2"), "{error}");
}

#[test]
fn the_mapping_of_emnist() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("mapping.txt");
    std::fs::write(&path, "0 48\n1 65 97\n2 98\n").unwrap();
    assert_eq!(classes::read_mapping(&path).unwrap().unwrap().names(), ["0", "A", "b"]);
    // Letters begin at 1, and are taken from 0 on.
    std::fs::write(&path, "1 65 97\n2 66 98\n").unwrap();
    let named = classes::read_mapping(&path).unwrap();
    let (settled, labels) = settled(&[1, 2, 2], &[1], None, named).unwrap();
    assert_eq!((settled.classes.names(), labels), (&["A".to_string(), "B".to_string()][..], vec![0, 1, 1]));
    for text in ["0 48\n2 49\n", "0\n", "x 48\n", "5 48\n"] {
        std::fs::write(&path, text).unwrap();
        let error = classes::read_mapping(&path).unwrap_err().to_string();
        assert!(error.contains("a label and the codes"), "{error}");
    }
}
