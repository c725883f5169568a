//! Formats of fewer bits: how numbers are rounded to them, and the scale of float16's gradients.

use warp19::device::{DType, Precision};
use warp19::ops::scaling::{GROWTH, LARGEST, START, next};

/// 2 to a power.
fn two(power: i32) -> f64 {
    2f64.powi(power)
}

#[test]
fn numbers_are_stored_as_the_nearest_and_halfway_as_the_even_one() {
    // Significands of 8 and of 11 bits: the distance of neighbours of 1.
    for (dtype, bits) in [(DType::Bf16, 8), (DType::F16, 11)] {
        let (unit, next) = (two(-bits), two(1 - bits));
        assert_eq!(dtype.unit(), unit);
        for (v, stored) in [
            (1.0 + unit, 1.0),
            (1.0 + 1.01 * unit, 1.0 + next),
            (1.0 + 3.0 * unit, 1.0 + 2.0 * next),
            (-1.0 - 3.0 * unit, -1.0 - 2.0 * next),
        ] {
            assert_eq!(dtype.round(v), stored, "{v} as {dtype:?}");
        }
    }
    // float16 ends at 65504, and its smallest number is 2^-24; bfloat16 has float32's range.
    assert_eq!([65519.0, 65520.0].map(|v| DType::F16.round(v)), [65504.0, f64::INFINITY]);
    assert_eq!([two(-25), 1.5 * two(-25)].map(|v| DType::F16.round(v)), [0.0, two(-24)]);
    assert_eq!(DType::Bf16.round(two(127)), two(127));
}

#[test]
fn tf32_rounds_factors_and_nothing_else() {
    let tf32 = |v| Precision::Tf32.factor(v);
    // Halfway is away from zero.
    assert_eq!([1.0 + two(-11), -1.0 - two(-11), 1.0 + two(-12)].map(tf32), [1.0 + two(-10), -1.0 - two(-10), 1.0]);
    assert!(tf32(f64::NAN).is_nan() && tf32(-f64::NAN).is_nan() && tf32(f64::INFINITY) == f64::INFINITY);
    assert_eq!(Precision::Tf32.storage(), DType::F32);
    // The sum of two factors has all bits of a float32.
    assert_eq!(Precision::Tf32x3.factor(1.0 + two(-23)), 1.0 + two(-23));
}

#[test]
fn the_scale_halves_at_an_overflow_and_doubles_after_many_good_steps() {
    let scale = START[0];
    let overflowed = next(START, false);
    assert_eq!(overflowed, [scale / 2.0, 0.0, 0.0, 1.0], "an inverse of 0 leaves the step out");
    // The next gradients have the new scale, and are divided by it.
    assert_eq!(next(overflowed, true), [scale / 2.0, 2.0 / scale, 1.0, 1.0]);
    let mut state = START;
    for _ in 0..GROWTH as u32 {
        state = next(state, true);
    }
    // Those that were seen had the old one still.
    assert_eq!(state, [2.0 * scale, 1.0 / scale, 0.0, 0.0]);
    assert_eq!(next([1.0, 1.0, 7.0, 3.0], false), [1.0, 0.0, 0.0, 4.0], "never below 1");
    assert_eq!(next([LARGEST, 1.0, GROWTH, 0.0], true)[0], LARGEST);
}

#[test]
fn names_are_read_back() {
    for precision in Precision::ALL {
        assert_eq!(precision.name().parse::<Precision>().unwrap(), precision);
    }
    let error = "fp16".parse::<Precision>().unwrap_err().to_string();
    assert!(error.contains("fp16") && error.contains("tf32x3"), "{error}");
}
