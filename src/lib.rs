//! warp19: VGG19 trained from scratch.
