// Convolution 3x3 by Winograd's F(2x2, 3x3) (Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks", CVPR
// 2016): 2x2 outputs from a 4x4 patch of the input with 16 multiplications instead of 36. With d a patch, g a filter:
//
//   Y = A^T [sum over c of (G g G^T) * (B^T d B)] A        * elementwise, a sum for each of the 16 points
//
//         1  0 -1  0            1   0   0
//   B^T = 0  1  1  0       G = 1/2 1/2 1/2       A^T = 1 1  1  0
//         0 -1  1  0           1/2 -1/2 1/2            0 1 -1 -1
//         0  1  0 -1            0   0   1
//
//   conv_forward_winograd        d from x,  g[tap] = w[tap, c, k]        sums run over c, columns are k
//   conv_backward_data_winograd  d from dy, g[tap] = w[8 - tap, c, k]    sums run over k, columns are c
//
// One kernel does it all, nothing transformed is ever in global memory. A block takes TILES pieces of 2x2 outputs and
// COLUMNS channels, STEP channels of the sum at a time: its threads load patches and filters, transform them in
// registers and leave them in shared memory; then each warp multiplies for two of the 16 points, a thread 8 pieces by 8
// channels of each. At the end the points meet in shared memory. The next step's numbers are on their way from global
// memory while this one is multiplied.
//
// Arithmetic bounds it: of the main loop's instructions about seven in ten are multiply-adds, for 2.25 times fewer
// of them than the definition has. Multiplications with padding are not skipped, and outputs beyond an odd edge are
// computed for nothing; src/cuda/plan.rs counts when it pays.
#include "block.cuh"

#define TILES WINOGRAD_TILES
#define COLUMNS WINOGRAD_COLUMNS
#define STEP WINOGRAD_STEP
#define POINTS 16

// Registers are scarce: with all channels unrolled, some compilers spill on these.
#if __CUDA_ARCH__ < 700 || __CUDA_ARCH__ >= 1000
#define CHANNELS_UNROLLED 2
#else
#define CHANNELS_UNROLLED STEP
#endif

static_assert(TILES == 32 && COLUMNS == 64 && STEP == 8, "the places of banks are counted for these");
static_assert(WINOGRAD_THREADS == TILES * STEP, "a thread transforms one patch");
static_assert(WINOGRAD_THREADS == 16 * POINTS, "a warp multiplies for two points");

// v = B^T d B
__device__ __forceinline__ void transform_patch(const float (&d)[16], float (&v)[16]) {
    float t[16];
#pragma unroll
    for (int j = 0; j < 4; j++) {
        t[j] = d[j] - d[8 + j], t[4 + j] = d[4 + j] + d[8 + j];
        t[8 + j] = d[8 + j] - d[4 + j], t[12 + j] = d[4 + j] - d[12 + j];
    }
#pragma unroll
    for (int i = 0; i < 16; i += 4) {
        v[i] = t[i] - t[i + 2], v[i + 1] = t[i + 1] + t[i + 2];
        v[i + 2] = t[i + 2] - t[i + 1], v[i + 3] = t[i + 1] - t[i + 3];
    }
}

// u = G g G^T
__device__ __forceinline__ void transform_filter(const float (&g)[9], float (&u)[16]) {
    float t[4][3];
#pragma unroll
    for (int j = 0; j < 3; j++) {
        float half = 0.5f * (g[j] + g[6 + j]);
        t[0][j] = g[j], t[1][j] = half + 0.5f * g[3 + j], t[2][j] = half - 0.5f * g[3 + j], t[3][j] = g[6 + j];
    }
#pragma unroll
    for (int i = 0; i < 4; i++) {
        float half = 0.5f * (t[i][0] + t[i][2]);
        u[4 * i] = t[i][0], u[4 * i + 1] = half + 0.5f * t[i][1];
        u[4 * i + 2] = half - 0.5f * t[i][1], u[4 * i + 3] = t[i][2];
    }
}

// y = A^T m A
__device__ __forceinline__ void transform_output(const float (&m)[16], float (&y)[4]) {
    float t[2][4];
#pragma unroll
    for (int j = 0; j < 4; j++) {
        t[0][j] = m[j] + m[4 + j] + m[8 + j];
        t[1][j] = m[4 + j] - m[8 + j] - m[12 + j];
    }
#pragma unroll
    for (int i = 0; i < 2; i++) {
        y[2 * i] = t[i][0] + t[i][1] + t[i][2];
        y[2 * i + 1] = t[i][1] - t[i][2] - t[i][3];
    }
}

// Where a piece of 2x2 outputs lies: its image and its first row and column.
struct Piece {
    int n, i, j;
    bool exists;
    __device__ __forceinline__ Piece(int piece, int pieces, const Divisor& by_image, const Divisor& by_row) {
        exists = piece < pieces;
        if (!exists) piece = 0;
        n = by_image.divide(piece);
        int rest = piece - n * (int)by_image.divisor, row = by_row.divide(rest);
        i = 2 * row, j = 2 * (rest - row * (int)by_row.divisor);
    }
};

// Shared memory of the main loop: patches [POINTS][STEP][TILES], then filters [POINTS][STEP][COLUMNS].
//
// A warp writes 8 channels of 4 neighbouring pieces at once. A channel's row has 32 words, as many as there are banks:
// in plain order the 8 channels of a piece would all lie in one bank. So the groups of 4 pieces of channel c change
// places, group g goes to place g ^ c:
//   place          0  1  2  3  4  5  6  7      (4 words each)
//   channel 0      0  1  2  3  4  5  6  7
//   channel 1      1  0  3  2  5  4  7  6
//   channel 2      2  3  0  1  6  7  4  5
//   ...                                        group 0 is in another place for each channel: 8 places, 32 banks
// A group stays together, so that reads of 4 neighbours remain 16 bytes wide.
#define PATCHES (POINTS * STEP * TILES)
#define FILTERS (POINTS * STEP * COLUMNS)
__device__ __forceinline__ int patch_place(int channel, int piece) { return channel * TILES + (piece ^ 4 * channel); }
__device__ __forceinline__ int filter_place(int channel, int column) {
    return channel * COLUMNS + (column ^ 4 * channel);
}

// What one thread loads and transforms: one patch, and two filters.
template <bool BACKWARD>
struct Source {
    const float* px;
    const float* pw;
    int channels, c;                  // channels of the sum, and this step's first
    int image_row, tap_stride, second, step;  // elements between rows of x, taps, the thread's filters, and steps of w
    int patch_channel, filter_channel;  // this thread's, within a step
    int filter_column;
    u32 inside;  // bit 4 i + j: pixel (i, j) of the patch lies in the image
    bool columns_inside[2];
    float d[16], g[2][9];

    __device__ __forceinline__ Source(
        const float* x, const float* w, int pieces, int h, int width, int channels_in, int columns, int piece0,
        int column0, int first, const Divisor& by_image, const Divisor& by_row)
        : channels(channels_in), c(first) {
        patch_channel = (int)threadIdx.x % STEP;
        Piece piece(piece0 + (int)threadIdx.x / STEP, pieces, by_image, by_row);
        image_row = width * channels;
        px = x + (((long long)piece.n * h + piece.i - 1) * width + piece.j - 1) * channels + c + patch_channel;
        inside = 0;
#pragma unroll
        for (int p = 0; p < 16; p++) {
            int i = piece.i - 1 + p / 4, j = piece.j - 1 + p % 4;
            if (piece.exists && i >= 0 && i < h && j >= 0 && j < width) inside |= 1u << p;
        }
        // Neighbouring threads load neighbours in memory: output channels forward, channels of the sum backward.
        filter_channel = BACKWARD ? (int)threadIdx.x % STEP : (int)threadIdx.x / COLUMNS;
        filter_column = BACKWARD ? (int)threadIdx.x / STEP : (int)threadIdx.x % COLUMNS;
        tap_stride = channels * columns;
        second = BACKWARD ? 32 * channels : 4 * columns, step = BACKWARD ? STEP : STEP * columns;
        pw = w + (BACKWARD ? (long long)(column0 + filter_column) * channels + c + filter_channel
                           : (long long)(c + filter_channel) * columns + column0 + filter_column);
        columns_inside[0] = column0 + filter_column < columns;
        columns_inside[1] = column0 + filter_column + (BACKWARD ? 32 : 0) < columns;
    }

    // This step's numbers, into registers: the patch, then the filters, which go on to the next step.
    __device__ __forceinline__ void load_patch() {
        bool here = c + patch_channel < channels;
#pragma unroll
        for (int p = 0; p < 16; p++)
            d[p] = here && (inside >> p & 1) ? px[p / 4 * image_row + p % 4 * channels] : 0.0f;
    }

    __device__ __forceinline__ void load_filters() {
#pragma unroll
        for (int f = 0; f < 2; f++) {
            bool there = columns_inside[f] && c + filter_channel + (BACKWARD ? 0 : 4 * f) < channels;
#pragma unroll
            for (int t = 0; t < 9; t++) g[f][BACKWARD ? 8 - t : t] = there ? pw[t * tap_stride + f * second] : 0.0f;
        }
        c += STEP;
        px += STEP;
        pw += step;
    }

    // Transformed, into shared memory.
    __device__ __forceinline__ void deposit(float* shared) const {
        float v[16];
        transform_patch(d, v);
        float* patch = shared + patch_place(patch_channel, (int)threadIdx.x / STEP);
#pragma unroll
        for (int p = 0; p < POINTS; p++) patch[p * STEP * TILES] = v[p];
#pragma unroll
        for (int f = 0; f < 2; f++) {
            transform_filter(g[f], v);
            float* filter = shared + PATCHES +
                            (BACKWARD ? filter_place(filter_channel, filter_column + 32 * f)
                                      : filter_place(filter_channel + 4 * f, filter_column));
#pragma unroll
            for (int p = 0; p < POINTS; p++) filter[p * STEP * COLUMNS] = v[p];
        }
    }
};

// acc += patches x filters of one point. A thread's pieces are 4 lane_t + i and 16 more, its columns 4 lane_k + j and
// 32 more.
__device__ __forceinline__ void multiply_point(
    const float* shared, int point, int lane_t, int lane_k, float (&acc)[8][8]) {
    const float* v = shared + point * STEP * TILES;
    const float* u = shared + PATCHES + point * STEP * COLUMNS;
#pragma unroll CHANNELS_UNROLLED
    for (int c = 0; c < STEP; c++) {
        float a[8], b[8];
#pragma unroll
        for (int half = 0; half < 2; half++) {
            float4 f = *(const float4*)(v + patch_place(c, 4 * lane_t + 16 * half));
            a[4 * half] = f.x, a[4 * half + 1] = f.y, a[4 * half + 2] = f.z, a[4 * half + 3] = f.w;
            f = *(const float4*)(u + filter_place(c, 4 * lane_k + 32 * half));
            b[4 * half] = f.x, b[4 * half + 1] = f.y, b[4 * half + 2] = f.z, b[4 * half + 3] = f.w;
        }
#pragma unroll
        for (int i = 0; i < 8; i++)
#pragma unroll
            for (int j = 0; j < 8; j++) acc[i][j] += a[i] * b[j];
    }
}

template <bool BACKWARD>
__device__ __forceinline__ void winograd(
    const float* x, const float* w, float* y, float* workspace, u32* counters, Epilogue e, int pieces, int h, int width,
    int channels, int columns, Divisor by_image, Divisor by_row) {
    __shared__ __align__(16) float shared[PATCHES + FILTERS];
    int blocks_n = ceil_div(columns, COLUMNS);
    int piece0 = (int)blockIdx.x / blocks_n * TILES, column0 = (int)blockIdx.x % blocks_n * COLUMNS;
    int lane = (int)threadIdx.x % 32, warp = (int)threadIdx.x / 32, lane_t = lane % 4, lane_k = lane / 4;
    Part part(ceil_div(channels, STEP));
    float acc[2][8][8] = {};
    if (part.count > 0) {
        Source<BACKWARD> from(
            x, w, pieces, h, width, channels, columns, piece0, column0, part.first * STEP, by_image, by_row);
        from.load_patch(), from.load_filters();
        for (int s = 0; s < part.count; s++) {
            from.deposit(shared);
            __syncthreads();
            bool more = s + 1 < part.count;
            if (more) from.load_patch();
            multiply_point(shared, 2 * warp, lane_t, lane_k, acc[0]);
            if (more) from.load_filters();
            multiply_point(shared, 2 * warp + 1, lane_t, lane_k, acc[1]);
            __syncthreads();
        }
    }
    // In four rounds of 16 pieces and 32 channels the points meet in shared memory, [POINTS][16 pieces][32 channels]. A
    // row has 8 groups of 4 channels; 8 lanes write at once, groups lane_k = 0 and 1 of the pieces of lane_t = 0 to 3.
    // In plain order they would fill two places four times over; group g of lane_t goes to place g ^ 2 lane_t:
    //   lane_t        0  0  1  1  2  2  3  3
    //   group         0  1  0  1  0  1  0  1
    //   place         0  1  2  3  4  5  6  7
    bool divided = gridDim.z > 1;
    constexpr int PART = TILES * 4 * COLUMNS;
    float* own = workspace + ((long long)blockIdx.x * gridDim.z + blockIdx.z) * PART + threadIdx.x;
    auto store = [&](int round, int q, const float(&v)[4]) {
        int column = column0 + 32 * (round % 2) + lane;
        Piece piece(piece0 + 16 * (round / 2) + warp + 8 * q, pieces, by_image, by_row);
        if (!piece.exists || column >= columns) return;
#pragma unroll
        for (int o = 0; o < 4; o++) {
            int i = piece.i + o / 2, j = piece.j + o % 2;
            if (i >= h || j >= width) continue;
            int at = ((piece.n * h + i) * width + j) * columns + column;
            float one[1] = {v[o]};
            e.apply(one, column, at, y);
            y[at] = one[0];
        }
    };
#pragma unroll
    for (int round = 0; round < 4; round++) {
#pragma unroll
        for (int p = 0; p < 2; p++)
#pragma unroll
            for (int i = 0; i < 4; i++) {
                const float(&a)[8] = acc[p][round / 2 * 4 + i];
                int row = (2 * warp + p) * 16 + 4 * lane_t + i;
                ((float4*)shared)[row * 8 + (lane_k ^ 2 * lane_t)] = make_float4(
                    a[round % 2 * 4], a[round % 2 * 4 + 1], a[round % 2 * 4 + 2], a[round % 2 * 4 + 3]);
            }
        __syncthreads();
#pragma unroll
        for (int q = 0; q < 2; q++) {
            int piece = warp + 8 * q;
            float m[16], v[4];
#pragma unroll
            for (int p = 0; p < POINTS; p++) m[p] = shared[p * 512 + piece * 32 + (lane ^ piece / 4 * 8)];
            transform_output(m, v);
            if (!divided) {
                store(round, q, v);
                continue;
            }
#pragma unroll
            for (int o = 0; o < 4; o++) own[((round * 2 + q) * 4 + o) * WINOGRAD_THREADS] = v[o];
        }
        __syncthreads();
    }
    if (!divided || !last_part(counters, (u32*)shared)) return;
    const float* parts = workspace + (long long)blockIdx.x * gridDim.z * PART + threadIdx.x;
    for (int rq = 0; rq < 8; rq++) {
        float v[4] = {};
        for (int z = 0; z < (int)gridDim.z; z++)
#pragma unroll
            for (int o = 0; o < 4; o++) v[o] += parts[z * PART + (rq * 4 + o) * WINOGRAD_THREADS];
        store(rq / 2, rq % 2, v);
    }
}

extern "C" __global__ void __launch_bounds__(WINOGRAD_THREADS, 1) KERNEL(conv_forward_winograd)(
    const float* __restrict__ x, const float* __restrict__ w, const float* __restrict__ b, float* y, float* workspace,
    u32* counters, int relu, int pieces, int h, int width, int c, int k, Divisor by_image, Divisor by_row) {
    winograd<false>(
        x, w, y, workspace, counters, Epilogue{b, nullptr, relu, 0}, pieces, h, width, c, k, by_image, by_row);
}

extern "C" __global__ void __launch_bounds__(WINOGRAD_THREADS, 1) KERNEL(conv_backward_data_winograd)(
    const float* __restrict__ dy, const float* __restrict__ w, const float* __restrict__ mask, float* dx,
    float* workspace, u32* counters, int pieces, int h, int width, int c, int k, Divisor by_image, Divisor by_row) {
    winograd<true>(
        dy, w, dx, workspace, counters, Epilogue{nullptr, mask, 0, 0}, pieces, h, width, k, c, by_image, by_row);
}
