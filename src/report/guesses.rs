//! What a network answered, image by image.

use crate::ops::loss::argmax;
use crate::train::Evaluation;

/// Most classes shown for an image.
pub const SHOWN: usize = 5;

/// The answer to one test image.
#[derive(Clone, Debug, PartialEq)]
pub struct Guess {
    /// Index of the image.
    pub image: usize,
    pub label: usize,
    /// The most likely classes with their probabilities, the first one the answer.
    pub top: Vec<(usize, f32)>,
}

impl Guess {
    /// The class answered.
    pub fn answer(&self) -> usize {
        self.top[0].0
    }

    /// The probability of the answer.
    pub fn sureness(&self) -> f32 {
        self.top[0].1
    }

    pub fn is_right(&self) -> bool {
        self.answer() == self.label
    }
}

/// The answers to all images of an evaluation, in their order.
pub fn all(evaluation: &Evaluation, labels: &[u32]) -> Vec<Guess> {
    let rows = evaluation.probabilities.chunks_exact(evaluation.classes);
    rows.zip(labels)
        .enumerate()
        .map(|(image, (row, &label))| {
            let mut order: Vec<usize> = (0..row.len()).collect();
            // Equal probabilities in the order of classes, the counted answer before all.
            let answer = argmax(row);
            order.sort_by(|&a, &b| row[b].total_cmp(&row[a]).then((b == answer).cmp(&(a == answer))).then(a.cmp(&b)));
            order.truncate(SHOWN);
            Guess { image, label: label as usize, top: order.into_iter().map(|c| (c, row[c])).collect() }
        })
        .collect()
}

/// The wrong answers, the surest first.
pub fn errors(guesses: &[Guess]) -> Vec<Guess> {
    let mut errors: Vec<Guess> = guesses.iter().filter(|g| !g.is_right()).cloned().collect();
    errors.sort_by(|a, b| b.sureness().total_cmp(&a.sureness()).then(a.image.cmp(&b.image)));
    errors
}

/// For each class the right answer given most surely and the one given least surely, where there are two; among equally
/// sure ones, the one whose second class is less likely.
pub fn surest(guesses: &[Guess], classes: usize) -> Vec<(Option<Guess>, Option<Guess>)> {
    let second = |g: &Guess| g.top.get(1).map_or(0.0, |t| t.1);
    (0..classes)
        .map(|class| {
            let mut right: Vec<&Guess> = guesses.iter().filter(|g| g.label == class && g.is_right()).collect();
            right.sort_by(|a, b| {
                let sure = b.sureness().total_cmp(&a.sureness());
                let rival = second(a).total_cmp(&second(b));
                sure.then(rival).then(a.image.cmp(&b.image))
            });
            let last = if right.len() > 1 { right.last() } else { None };
            (right.first().map(|&g| g.clone()), last.map(|&g| g.clone()))
        })
        .collect()
}

/// `confusion[true class][answer]`.
pub fn confusion(guesses: &[Guess], classes: usize) -> Vec<Vec<usize>> {
    let mut confusion = vec![vec![0; classes]; classes];
    for guess in guesses {
        confusion[guess.label][guess.answer()] += 1;
    }
    confusion
}

/// Classes that a matrix or a sheet shows at most, and how many of more.
const ALL_SHOWN: usize = 64;
const MOST_SHOWN: usize = 40;

/// The classes of a [`confusion`] matrix that are shown: all, or of many those with the most mistakes.
pub fn shown_classes(confusion: &[Vec<usize>]) -> Vec<usize> {
    let mut classes: Vec<usize> = (0..confusion.len()).collect();
    if classes.len() > ALL_SHOWN {
        let counts = class_counts(confusion);
        let mistakes = |class: usize| counts[class].images + counts[class].answers - 2 * counts[class].right;
        classes.sort_by_key(|&class| (std::cmp::Reverse(mistakes(class)), class));
        classes.truncate(MOST_SHOWN);
        classes.sort_unstable();
    }
    classes
}

/// What became of a class's images.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClassCounts {
    pub images: usize,
    /// Images of the class answered right.
    pub right: usize,
    /// Images answered with the class.
    pub answers: usize,
}

/// The counts of every class of a [`confusion`] matrix.
pub fn class_counts(confusion: &[Vec<usize>]) -> Vec<ClassCounts> {
    let answers = |class: usize| confusion.iter().map(|row| row[class]).sum();
    let counts = |(class, row): (usize, &Vec<usize>)| ClassCounts {
        images: row.iter().sum(),
        right: row[class],
        answers: answers(class),
    };
    confusion.iter().enumerate().map(counts).collect()
}
