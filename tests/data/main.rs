//! Data: IDX files, datasets in folders, fetching them, pictures as digits.

mod classes;
#[path = "../common/mod.rs"]
mod common;
mod dataset;
mod fetch;
mod idx;
mod idx_allocation;
mod image;
mod photographs;

use flate2::Compression;
use flate2::write::GzEncoder;
use std::io::Write;

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[global_allocator]
static ALLOCATOR: common::allocations::Counting = common::allocations::Counting;
