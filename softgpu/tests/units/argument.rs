//! The ARG words of softgpu-run.

use softgpu::command::argument::{Argument, parse};
use softgpu::command::npy::Dtype;

#[test]
fn scalars() {
    assert_eq!(parse("i32:-1"), Ok(Argument::Integer(-1, 4)));
    assert_eq!(parse("u32:0xffffffff"), Ok(Argument::Integer(0xffff_ffff, 4)));
    assert_eq!(parse("i64:-0x10"), Ok(Argument::Integer(-16, 8)));
    assert_eq!(parse("u64:18446744073709551615"), Ok(Argument::Integer(u64::MAX.into(), 8)));
    assert_eq!(parse("f32:1.5"), Ok(Argument::Float(1.5f32.to_le_bytes().to_vec())));
    assert_eq!(parse("f64:-1e300"), Ok(Argument::Float((-1e300f64).to_le_bytes().to_vec())));
    assert!(matches!(parse("f32:nan"), Ok(Argument::Float(bytes)) if bytes.len() == 4));
}

#[test]
fn buffers() {
    let int8 = Dtype::named("int8").unwrap();
    assert_eq!(parse("out:a:b.npy:int8:2x3"), Ok(Argument::Out("a:b.npy".into(), int8, vec![2, 3])));
    assert_eq!(parse("inout:a.npy:b.npy"), Ok(Argument::In("a.npy".into(), Some("b.npy".into()))));
    assert_eq!(parse("in:a.npy"), Ok(Argument::In("a.npy".into(), None)));
}

#[test]
fn what_is_wrong_is_said() {
    for (text, part) in [
        ("5", "KIND:VALUE"),
        ("int:5", "no kind"),
        ("i32:x", "whole number"),
        ("i32:3000000000", "outside"),
        ("u32:-1", "outside"),
        ("f32:one", "not a number"),
        ("in:", "missing"),
        ("inout:a.npy", "two files"),
        ("out:c.npy:float32", "a file, a type and a shape"),
        ("out:c.npy:float33:4", "float33"),
        ("out:c.npy:float32:4x", "not a shape"),
        ("out:c.npy:float32:99999999999x9999999999", "too large"),
    ] {
        let message = parse(text).expect_err(text);
        assert!(message.contains(part), "{text}: {message}");
    }
}
