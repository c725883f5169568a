//! The program as a user runs it: its commands, reports and exports.

mod browser;
mod command_line;
#[path = "../common/mod.rs"]
mod common;
mod full_disk;
mod lengths;
mod on_disk;
mod onnx;
mod own_data;
mod profile;
mod report;
mod sources;
mod tensorboard;
mod texts;
mod waiting;
