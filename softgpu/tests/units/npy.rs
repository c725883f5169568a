//! NumPy files read and written.

use softgpu::command::npy::{Array, Dtype, NAMES};

fn file(header: &str, data: &[u8]) -> Vec<u8> {
    let mut file = b"\x93NUMPY\x01\x00".to_vec();
    file.extend((header.len() as u16).to_le_bytes());
    file.extend(header.as_bytes());
    file.extend(data);
    file
}

#[test]
fn what_is_written_is_read() {
    for (name, _, bytes) in NAMES {
        for shape in [vec![], vec![3], vec![2, 3], vec![0, 4]] {
            let count = shape.iter().product::<usize>() * bytes;
            let array =
                Array { dtype: Dtype::named(name).unwrap(), shape, data: (0..count).map(|i| i as u8).collect() };
            assert_eq!(Array::parse(&array.to_bytes()), Ok(array.clone()));
            let start = array.to_bytes().len() - array.data.len();
            assert_eq!(start % 64, 0);
        }
    }
}

#[test]
fn other_orders_are_rearranged() {
    let header = "{'descr': '>i2', 'fortran_order': True, 'shape': (2, 3), }\n";
    // Column-major 2 x 3, values 1..6: rows are 1 3 5 and 2 4 6.
    let data: Vec<u8> = (1..7u16).flat_map(u16::to_be_bytes).collect();
    let array = Array::parse(&file(header, &data)).unwrap();
    let values: Vec<u8> = array.data.iter().step_by(2).copied().collect();
    assert_eq!(values, [1, 3, 5, 2, 4, 6]);
    assert_eq!(array.shape, [2, 3]);
}

#[test]
fn bad_files_are_refused() {
    let good = "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }\n";
    assert!(Array::parse(&file(good, &[0; 8])).is_ok());
    for (bytes, part) in [
        (file(good, &[0; 7]), "do not make an array"),
        (b"hello world".to_vec(), "not a .npy file"),
        (file(&good.replace("<f4", "|O"), &[0; 8]), "not supported"),
        (file(&good.replace("<f4", "<U4"), &[0; 8]), "not supported"),
        (file(&good.replace("'shape'", "'form'"), &[0; 8]), "shape"),
        (file(good, &[])[..20].to_vec(), "cut off"),
        (file(&good.replace("(2,)", "(18446744073709551615, 9)"), &[0; 8]), "do not make an array"),
    ] {
        let message = Array::parse(&bytes).expect_err(part);
        assert!(message.contains(part), "{message}");
    }
}
