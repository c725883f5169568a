//! PTX text to a tree.
//!
//! The parser is written here rather than taken from a crate: what NVRTC emits is a small, regular
//! language, softgpu needs the line of every instruction and must refuse what it doesn't know at
//! decoding, and a generated grammar (`ptx-syntax`, 122,000 lines) would cost more build time than the
//! rest of the crate together. Instructions stay generic here (an opcode, its modifiers in order, its
//! operands); `isa::decoder` gives them a type and refuses every modifier it doesn't use.

pub mod ast;
mod lexer;
mod parser;
mod scope;

pub use ast::*;
pub use parser::parse;
