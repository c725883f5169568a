//! Numbers as the report writes them, and the marks of its axes.

use warp19::report::axis::{label, log_ticks, nice_step, ticks};
use warp19::report::text::{count, duration, percent, thousands};

#[test]
fn numbers_read_well() {
    assert_eq!(duration(3.654), "3.7 s");
    assert_eq!(duration(52.3), "52 s");
    assert_eq!(duration(250.0), "4 min 10 s");
    assert_eq!(duration(16_430.0), "4 h 34 min");
    assert_eq!(thousands(43_012_802), "43,012,802");
    assert_eq!(thousands(999), "999");
    assert_eq!(percent(0.99987), "99.99 %");
    assert_eq!(percent(0.99999), "> 99.99 %");
    assert_eq!(percent(1.0), "100 %");
    assert_eq!(percent(0.123), "12.3 %");
    assert_eq!(percent(1e-7), "< 0.01 %");
    assert_eq!(count(1, "error", "errors"), "1 error");
}

#[test]
fn ticks_are_round_and_inside() {
    let step = nice_step(98.84, 99.7, 5);
    let texts: Vec<String> = ticks(98.84, 99.7, step).iter().map(|&t| label(t, step)).collect();
    assert_eq!(texts, ["99.0", "99.2", "99.4", "99.6"]);
    let whole = |low, high, count| ticks(low, high, nice_step(low, high, count).ceil());
    assert_eq!(whole(0.5, 3.5, 8), [1.0, 2.0, 3.0]);
    assert_eq!(whole(1.0, 500.0, 6), [100.0, 200.0, 300.0, 400.0, 500.0]);
    assert_eq!(log_ticks(0.009, 2.5), [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0]);
    assert_eq!(log_ticks(1e-6, 1.0).len(), 7);
    assert_eq!(label(99.2, 0.2), "99.2");
    assert_eq!(label(0.25, 0.25), "0.25");
    assert_eq!(label(300.0, 100.0), "300");
}
