//! `y = max(x, 0)`; backward `dx = dy (y > 0)`, which reads the output alone, so the input need not be kept.

/// Reference forward pass in place.
pub fn forward(x: &mut [f64]) {
    for v in x {
        *v = v.max(0.0);
    }
}

/// Reference backward pass in place: zeroes the gradient where the output is not positive.
pub fn backward(y: &[f64], d: &mut [f64]) {
    for (d, &y) in d.iter_mut().zip(y) {
        if y <= 0.0 {
            *d = 0.0;
        }
    }
}
