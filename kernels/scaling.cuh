// The places of the state of the gradients' scale (src/ops/scaling.rs).
#pragma once

#define SCALE 0     // what the next loss multiplies by
#define INVERSE 1   // what the optimiser multiplies the gradients at hand by; 0 skips the step
#define GOOD 2      // steps without an overflow since the scale last changed
#define SKIPPED 3   // steps left out
