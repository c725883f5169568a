//! CIFAR-10's and CIFAR-100's binary files.
//!
//! ```text
//! CIFAR-10:  data_batch_N.bin, test_batch.bin  records of: label, 1024 red, 1024 green, 1024 blue (32x32)
//! CIFAR-100: train.bin, test.bin               records of: coarse label, fine label, 3072 as above
//! ```
//! The names of the classes lie beside them, one a line: `batches.meta.txt`, `fine_label_names.txt`. Source: "The
//! CIFAR-10 dataset", section "Binary version".

use super::{Images, Split};
use crate::{Error, Result};
use std::path::{Path, PathBuf};

const SIDE: usize = 32;
const PLANE: usize = SIDE * SIDE;
/// The largest file read, 4 GiB: datasets are held in memory.
const MAX_BYTES: u64 = 4 << 30;

/// The files of a set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CifarFiles {
    pub train: Vec<PathBuf>,
    pub test: PathBuf,
    /// Bytes of labels before a picture; the last of them counts.
    labels: usize,
    /// The file of names, which need not be there.
    pub names: PathBuf,
}

impl CifarFiles {
    /// Those in a folder, or in the folder that the archives of their makers have, if they are there.
    pub fn find(folder: &Path) -> Option<CifarFiles> {
        let folders = [folder.to_path_buf(), folder.join("cifar-10-batches-bin"), folder.join("cifar-100-binary")];
        folders.iter().find_map(|folder| CifarFiles::in_folder(folder))
    }

    fn in_folder(folder: &Path) -> Option<CifarFiles> {
        let file = |name: &str| Some(folder.join(name)).filter(|path| path.is_file());
        let batches: Vec<PathBuf> = (1..).map_while(|n| file(&format!("data_batch_{n}.bin"))).collect();
        if let Some(test) = file("test_batch.bin").filter(|_| !batches.is_empty()) {
            return Some(CifarFiles { train: batches, test, labels: 1, names: folder.join("batches.meta.txt") });
        }
        let (train, test) = (file("train.bin")?, file("test.bin")?);
        Some(CifarFiles { train: vec![train], test, labels: 2, names: folder.join("fine_label_names.txt") })
    }

    /// All files with pictures.
    pub fn paths(&self) -> Vec<&Path> {
        self.train.iter().chain([&self.test]).map(PathBuf::as_path).collect()
    }

    /// The training and the test pictures.
    ///
    /// # Errors
    /// [`Error::Io`], and files that are not a whole number of records.
    pub fn load(&self) -> Result<[Split; 2]> {
        Ok([self.read(&self.train)?, self.read(std::slice::from_ref(&self.test))?])
    }

    fn read(&self, files: &[PathBuf]) -> Result<Split> {
        let (mut labels, mut pixels) = (Vec::new(), Vec::new());
        for path in files {
            let failed = |e| Error::io("read", path, e);
            let length = std::fs::metadata(path).map_err(failed)?.len();
            if length > MAX_BYTES {
                return Err(Error::file(path, format!("has {length} bytes, and at most {MAX_BYTES} are read")));
            }
            let bytes = std::fs::read(path).map_err(failed)?;
            let record = self.labels + 3 * PLANE;
            if !bytes.len().is_multiple_of(record) {
                let problem = format!(
                    "has {} bytes, and a file of CIFAR-10{}'s pictures a multiple of {record}: it is cut off or \
                     another file; fetch it again",
                    bytes.len(),
                    if self.labels == 2 { "0" } else { "" }
                );
                return Err(Error::file(path, problem));
            }
            pixels.reserve(bytes.len());
            for record in bytes.chunks_exact(record) {
                labels.push(u32::from(record[self.labels - 1]));
                let planes = &record[self.labels..];
                pixels.extend((0..PLANE).flat_map(|at| [planes[at], planes[PLANE + at], planes[2 * PLANE + at]]));
            }
        }
        let images = Images { count: labels.len(), height: SIDE, width: SIDE, channels: 3, pixels: pixels.into() };
        Split::new(images, labels, "CIFAR")
    }
}
