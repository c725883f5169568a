//! Test images of MNIST whose label is known to be wrong.

/// Index in the test set, label, and what most of five people saw; five of the fifteen had no majority. The guess is no
/// truth: these images are marked, and never counted in another way. Source: the label-errors collection of cleanlab
/// (Northcutt, Athalye, Mueller, "Pervasive Label Errors in Test Sets", 2021).
pub const WRONG_LABELS: [(usize, u8, u8); 15] = [
    (947, 8, 9),
    (6651, 0, 6),
    (2462, 2, 0),
    (2597, 5, 3),
    (3558, 5, 0),
    (5937, 5, 3),
    (1621, 0, 6),
    (1901, 9, 4),
    (6783, 1, 6),
    (9729, 5, 6),
    (2130, 4, 9),
    (8527, 4, 9),
    (2654, 6, 1),
    (3520, 6, 4),
    (9679, 6, 3),
];

/// What people see in a test image whose label is in doubt. Other data sets, and a test set that has another label at
/// this place and so is another one, have no such images.
pub fn doubted(dataset: &str, images: usize, index: usize, label: u8) -> Option<u8> {
    if dataset != "mnist" || images != 10_000 {
        return None;
    }
    let found = WRONG_LABELS.iter().find(|w| (w.0, w.1) == (index, label));
    found.map(|w| w.2)
}
