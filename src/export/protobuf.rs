//! Writing protocol buffer messages: just what ONNX and TensorBoard files need.
//!
//! A field is a key, `number << 3 | wire type`, and a value: a varint (type 0), or a length and bytes (type 2), which
//! is how strings, nested messages and packed lists go; a double is 8 bytes (type 1), a float 4 (type 5). Source: the
//! protocol buffers encoding page, <https://protobuf.dev/programming-guides/encoding/>.

/// A message being written, as pieces, so that a large tensor inside it is moved and not copied.
#[derive(Default)]
pub struct Message {
    pieces: Vec<Vec<u8>>,
}

impl Message {
    /// Number of bytes.
    pub fn size(&self) -> usize {
        self.pieces.iter().map(Vec::len).sum()
    }

    /// The bytes, in order.
    pub fn pieces(&self) -> &[Vec<u8>] {
        &self.pieces
    }

    /// An integer, an enumeration's value or a truth value.
    pub fn int(mut self, field: u32, value: u64) -> Message {
        let mut bytes = key(field, 0);
        bytes.extend(varint(value));
        self.pieces.push(bytes);
        self
    }

    /// A number of 64 bits.
    pub fn double(mut self, field: u32, value: f64) -> Message {
        let mut bytes = key(field, 1);
        bytes.extend(value.to_le_bytes());
        self.pieces.push(bytes);
        self
    }

    /// A number of 32 bits.
    pub fn float(mut self, field: u32, value: f32) -> Message {
        let mut bytes = key(field, 5);
        bytes.extend(value.to_le_bytes());
        self.pieces.push(bytes);
        self
    }

    /// A string.
    pub fn string(self, field: u32, value: &str) -> Message {
        self.bytes(field, value.as_bytes().to_vec())
    }

    /// Raw bytes.
    pub fn bytes(mut self, field: u32, value: Vec<u8>) -> Message {
        let mut head = key(field, 2);
        head.extend(varint(value.len() as u64));
        self.pieces.extend([head, value]);
        self
    }

    /// A list of integers, packed.
    pub fn ints(self, field: u32, values: &[u64]) -> Message {
        self.bytes(field, values.iter().flat_map(|&v| varint(v)).collect())
    }

    /// A message inside this one.
    pub fn message(mut self, field: u32, value: Message) -> Message {
        let mut head = key(field, 2);
        head.extend(varint(value.size() as u64));
        self.pieces.push(head);
        self.pieces.extend(value.pieces);
        self
    }
}

fn key(field: u32, wire_type: u32) -> Vec<u8> {
    varint(u64::from(field << 3 | wire_type))
}

/// Seven bits a byte, the lowest first; the high bit says that more follow.
fn varint(mut value: u64) -> Vec<u8> {
    let mut out = Vec::new();
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
    out
}
