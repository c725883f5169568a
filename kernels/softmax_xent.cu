// Softmax cross-entropy, forward and backward in one (src/ops/loss.rs), and softmax alone. With z a row of logits:
//   p = exp(z - max z) / sum exp(z - max z),  L = log(sum exp(z - max z)) - (z[label] - max z)
//   dz = (p - onehot(label)) / n                                  mean over the batch
//   dz =  p - onehot(label), or 0 where p[label] < clip           sum of -log(max(p[label], clip))
// times the scale of the gradients where there is one. Logits are float, their gradients Stored.
//
// A warp takes a row; one block takes the whole batch, so that the losses are added in the order of the rows:
// stats (f64) += [sum of losses, correct rows, rows, rows whose loss is not finite].
// A label outside the classes counts as a loss that is not finite. The batch is small: latency bounds this kernel.
// With no other block on the multiprocessor it may take the registers that it likes.
#include "number.cuh"
#include "scaling.cuh"

#define WARPS (LOSS_THREADS / 32)

__device__ __forceinline__ float warp_sum(float v) {
#pragma unroll
    for (int d = 16; d > 0; d /= 2) v += __shfl_xor_sync(FULL_WARP, v, d);
    return v;
}

// The largest of a row and its first position; NaN is never larger.
__device__ __forceinline__ void row_max(const float* __restrict__ z, int classes, float& best, int& first) {
    int lane = (int)threadIdx.x % 32;
    best = -__int_as_float(0x7f800000), first = 0x7fffffff;
    for (int i = lane; i < classes; i += 32)
        if (z[i] > best || first == 0x7fffffff) best = z[i], first = i;
#pragma unroll
    for (int d = 16; d > 0; d /= 2) {
        float other = __shfl_xor_sync(FULL_WARP, best, d);
        int position = __shfl_xor_sync(FULL_WARP, first, d);
        bool mine_is_nan = best != best, other_is_nan = other != other;
        bool larger = position != 0x7fffffff &&
                      (first == 0x7fffffff || (other > best || (mine_is_nan && !other_is_nan)) ||
                       ((other == best || (mine_is_nan && other_is_nan)) && position < first));
        if (larger) best = other, first = position;
    }
}

extern "C" __global__ void __launch_bounds__(LOSS_THREADS, 1) KERNEL(softmax_cross_entropy)(
    const float* __restrict__ logits, const u32* __restrict__ labels, Stored* __restrict__ dlogits, double* stats,
    const float* __restrict__ scaling, int rows, int classes, int summed_clipped) {
    __shared__ double losses[WARPS];
    __shared__ int correct[WARPS], bad[WARPS];
    int lane = (int)threadIdx.x % 32, warp = (int)threadIdx.x / 32;
    float gradient_scale = scaling ? scaling[SCALE] : 1.0f;
    double total = 0.0;
    int total_correct = 0, total_bad = 0;
    for (int row0 = 0; row0 < rows; row0 += WARPS) {
        int row = row0 + warp;
        if (row < rows) {
            const float* z = logits + row * classes;
            u32 label = labels[row];
            bool known = label < (u32)classes;
            float largest;
            int first;
            row_max(z, classes, largest, first);
            float sum = 0.0f;
            for (int i = lane; i < classes; i += 32) sum += expf(z[i] - largest);
            sum = warp_sum(sum);
            float at_label = known ? z[label] - largest : __int_as_float(0x7fc00000);
            double loss = log((double)sum) - (double)at_label;
            bool clipped = false;
            if (summed_clipped) {
                clipped = loss > LOSS_CLIP;  // p[label] < clip
                if (clipped) loss = LOSS_CLIP;
            }
            if (dlogits) {
                float scale = summed_clipped ? (clipped ? 0.0f : 1.0f) : 1.0f / (float)rows;
                for (int i = lane; i < classes; i += 32) {
                    float p = expf(z[i] - largest) / sum - ((u32)i == label ? 1.0f : 0.0f);
                    dlogits[row * classes + i] = narrow(p * scale * gradient_scale);
                }
            }
            if (lane == 0) {
                losses[warp] = loss;
                correct[warp] = (u32)first == label;
                bad[warp] = !(loss - loss == 0.0);
            }
        }
        __syncthreads();
        if (threadIdx.x == 0)
            for (int i = 0; i < WARPS && row0 + i < rows; i++)
                total += losses[i], total_correct += correct[i], total_bad += bad[i];
        __syncthreads();
    }
    if (threadIdx.x == 0) {
        stats[0] += total, stats[1] += (double)total_correct, stats[2] += (double)rows, stats[3] += (double)total_bad;
    }
}

// probabilities = softmax(logits), a warp a row.
extern "C" __global__ void __launch_bounds__(LOSS_THREADS) KERNEL(softmax)(
    const float* __restrict__ logits, float* __restrict__ probabilities, int rows, int classes) {
    int lane = (int)threadIdx.x % 32, row = (int)blockIdx.x * WARPS + (int)threadIdx.x / 32;
    if (row >= rows) return;
    const float* z = logits + row * classes;
    float largest, sum = 0.0f;
    int first;
    row_max(z, classes, largest, first);
    for (int i = lane; i < classes; i += 32) sum += expf(z[i] - largest);
    sum = warp_sum(sum);
    for (int i = lane; i < classes; i += 32) probabilities[row * classes + i] = expf(z[i] - largest) / sum;
}
