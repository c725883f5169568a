// Convolution 3x3 and 5x5, stride 1, SAME padding, NHWC x HWIO -> NHWC, as implicit matrix products: the patches
// are never written out, each block gathers its piece of them while it multiplies (product.cuh). With r = kernel / 2:
//
//   conv_forward          y[p,k]     = b[k] + sum over taps, c of x[p + tap - r, c] w[tap, c, k]
//                         a row is an output pixel, a column an output channel, k runs over (tap, c)
//   conv_backward_data    dx[p,c]    = sum over taps, k of dy[p - tap + r, k] w[tap, c, k]
//                         the same product with the flipped kernel; w is read transposed, k inner
//   conv_backward_weight  dw[tap,c,k] = sum over pixels p of x[p + tap - r, c] dy[p, k]
//                         a row is an input channel at one tap, a column an output channel, k runs over pixels
//
// Padding: x outside the image is zero, and is not multiplied where that can be seen from a tile as a whole.
// - Forward and backward data: rows are numbered position by position, `group` images at a time. So a block's rows
//   share few positions, and it walks only the taps through which one of them sees the image: on a 2x2 map 4 of 9.
//   group = 1 numbers image by image: better for the caches on large maps, where little is padding.
// - Backward weight walks, for each tap, the rectangle of pixels that see the image through it, and no other.
//
// Arithmetic bounds these kernels for 64 channels and more.
#include "product.cuh"

// An image pixel by its row number in the product.
struct Pixel {
    int n, i, j;
    bool exists;
    __device__ __forceinline__ Pixel(int row, int images, int h, int w, int group) {
        exists = row < images * h * w;
        int whole = group * h * w, base = row / whole * group;
        int size = min_int(group, images - base), rest = row - base * h * w;
        if (!exists) size = 1, rest = 0, base = 0;
        int position = rest / size;
        n = base + rest % size, i = position / w, j = position % w;
    }
    __device__ __forceinline__ int index(int h, int w) const { return (n * h + i) * w + j; }
};

// Bit `tap` is set where output pixel (i, j) sees the inside of the image through it; `direction` is 1 forward and -1
// for the flipped kernel.
__device__ __forceinline__ u32 alive_taps(const Pixel& p, int h, int w, int kernel, int direction) {
    u32 alive = 0;
    int r = kernel / 2;
    for (int u = 0, tap = 0; u < kernel; u++)
        for (int v = 0; v < kernel; v++, tap++) {
            int i = p.i + direction * (u - r), j = p.j + direction * (v - r);
            if (p.exists && i >= 0 && i < h && j >= 0 && j < w) alive |= 1u << tap;
        }
    return alive;
}

// The taps at least one of the block's rows is alive for; `word` is one of shared memory, nobody's before and after.
__device__ __forceinline__ u32 taps_of_block(
    u32* word, int row0, int images, int h, int w, int group, int kernel, int direction) {
    if (threadIdx.x == 0) *word = 0;
    __syncthreads();
    for (int row = threadIdx.x; row < TILE_M; row += THREADS)
        atomicOr(word, alive_taps(Pixel(row0 + row, images, h, w, group), h, w, kernel, direction));
    __syncthreads();
    u32 all = *word;
    __syncthreads();
    return all;
}

// Forward and backward data: A is gathered from `x` pixel by pixel, B is w.
template <bool BACKWARD>
struct Patches {
    static constexpr int A_LAYOUT = INNER, B_LAYOUT = BACKWARD ? INNER : OUTER;
    static constexpr bool SPREADS = true;
    using OA = Operand<0, A_LAYOUT, TILE_M>;
    using OB = Operand<1, B_LAYOUT, TILE_N>;
    // The next tile: channels [c, c + TILE_K) at tap `tap`; `taps` are those still to do, its own included.
    u32 taps;
    int tap, c, channels;
    const Stored* px[OA::PIECES];
    u32 alive[OA::PIECES];
    const Stored* pw;
    int n_left;
    int image_w, kernel, inverse;  // inverse = ceil(2^16 / kernel): tap / kernel without a division
    int w_channel, w_tap, w_piece; // elements of w between channels of k, between taps, between a thread's pieces
    // From this thread's first pixel and weight to the tile's. A pixel may be `kernel / 2` rows away, and the last tile
    // may reach past the last channel: src/cuda/limits.rs sees to it that both fit.
    int x_offset, w_offset;

    __device__ __forceinline__ Patches(
        const Stored* x, const Stored* w, int images, int h, int width, int channels_in, int columns, int ks, int group,
        int row0, int column0, u32 all, int first_tile)
        : channels(channels_in), image_w(width), kernel(ks), n_left(columns - column0) {
        inverse = (65536 + kernel - 1) / kernel;
#pragma unroll
        for (int i = 0; i < OA::PIECES; i++) {
            Pixel p(row0 + OA::outer(i), images, h, width, group);
            px[i] = x + (long long)p.index(h, width) * channels + OA::inner(i);
            alive[i] = alive_taps(p, h, width, kernel, BACKWARD ? -1 : 1);
        }
        w_channel = BACKWARD ? 1 : columns;
        w_tap = channels * columns;
        w_piece = OB::between(BACKWARD ? channels : columns);
        pw = w + (BACKWARD ? (column0 + OB::outer(0)) * channels + OB::inner(0)
                           : OB::inner(0) * columns + column0 + OB::outer(0));
        int per_tap = ceil_div(channels, TILE_K);
        taps = all;
        for (int skip = first_tile / per_tap; skip > 0; skip--) taps &= taps - 1;
        tap = __ffs(taps) - 1;
        c = first_tile % per_tap * TILE_K;
    }
    __device__ __forceinline__ void begin() {
        int u = tap * inverse >> 16, v = tap - u * kernel, r = kernel / 2;
        int pixels = (u - r) * image_w + (v - r);
        x_offset = (BACKWARD ? -pixels : pixels) * channels + c;
        w_offset = tap * w_tap + c * w_channel;
    }
    __device__ __forceinline__ const Stored* a(int i, bool& inside) const {
        inside = (alive[i] >> tap & 1) && c + OA::inner(i) < channels;
        return px[i] + x_offset;
    }
    __device__ __forceinline__ const Stored* b(int i, bool& inside) const {
        inside = OB::outer(i) < n_left && c + OB::inner(i) < channels;
        return pw + w_offset + i * w_piece;
    }
    __device__ __forceinline__ void next() {
        c += TILE_K;
        if (c >= channels) {
            c = 0;
            taps &= taps - 1;
            tap = __ffs(taps) - 1;
        }
    }
};

template <bool BACKWARD>
__device__ __forceinline__ void convolve(
    const Stored* x, const Stored* w, void* y, bool wide, float* workspace, u32* counters, Epilogue e, int images,
    int h, int width, int channels, int columns, int kernel, int group) {
    using L = Patches<BACKWARD>;
    using T = Tile<L>;
    __shared__ __align__(128) Stored shared[T::SHARED];
    int tiles_n = ceil_div(columns, TILE_N);
    int row0 = (int)blockIdx.x / tiles_n * TILE_M, column0 = (int)blockIdx.x % tiles_n * TILE_N;
    u32 all = taps_of_block((u32*)shared, row0, images, h, width, group, kernel, BACKWARD ? -1 : 1);
    Part part(__popc(all) * ceil_div(channels, TILE_K));
    Sums acc = {};
    if (part.count > 0) {
        L loader(x, w, images, h, width, channels, columns, kernel, group, row0, column0, all, part.first);
        T::multiply(loader, part.count, shared, acc);
    }
    if (!add_parts(acc, workspace, counters, shared)) return;
    store_result<typename T::F>(acc, y, wide, column0, columns, e, [&](int i) {
        Pixel p(row0 + i, images, h, width, group);
        return p.exists ? p.index(h, width) * columns : -1;
    });
}

// `wide`: y is float, as logits are; else it is stored as x is.
extern "C" __global__ void __launch_bounds__(THREADS, RESIDENT(256)) KERNEL(conv_forward)(
    const Stored* __restrict__ x, const Stored* __restrict__ w, const float* __restrict__ b, void* y,
    float* workspace, u32* counters, int relu, int wide, int n, int h, int width, int c, int k, int kernel, int group) {
    Epilogue e = {b, nullptr, relu, 0};
    convolve<false>(x, w, y, wide, workspace, counters, e, n, h, width, c, k, kernel, group);
}

extern "C" __global__ void __launch_bounds__(THREADS, RESIDENT(256)) KERNEL(conv_backward_data)(
    const Stored* __restrict__ dy, const Stored* __restrict__ w, const Stored* __restrict__ mask, Stored* dx,
    float* workspace, u32* counters, int n, int h, int width, int c, int k, int kernel, int group) {
    Epilogue e = {nullptr, mask, 0, 0};
    convolve<true>(dy, w, dx, false, workspace, counters, e, n, h, width, k, c, kernel, group);
}

// Backward weight: A and B are pixels of x and dy at one tap; the inner index numbers the pixels of the rectangle
// that is inside for this tap, image fastest.
struct PixelPairs {
    static constexpr int A_LAYOUT = OUTER, B_LAYOUT = OUTER;
    static constexpr bool SPREADS = true;
    using OA = Operand<0, OUTER, TILE_M>;
    using OB = Operand<1, OUTER, TILE_N>;
    const Stored* px;
    const Stored* py;
    int p, end;
    int a_left, b_left;  // channels of x and of dy from the thread's first on
    Divisor by_images, by_columns;
    // Which pixel of x and dy is number q of the rectangle. Its pixels are numbered by position, image fastest:
    //   q        = (i columns + j) images + n          row i and column j of the rectangle, image n
    //   position = q / images  = i columns + j         so  n = q - position images
    //   i        = position / columns                  so  j = position - i columns
    // In memory an image has `image` pixels, a row of it `row`:
    //   pixel = n image + i row + j
    //         = (q - position images) image + i row + (position - i columns)
    //         = q image  +  position (1 - images image)  +  i (row - columns)
    //                                \____ step ______/        \__ turn ___/
    // Two divisions and three multiply-adds, and neither n nor j is computed.
    //
    // The three products may pass 2^32, their sum does not: it is the number of a pixel. Unsigned arithmetic is exact
    // modulo 2^32, so that the sum is right. Beyond the rectangle's end it may be any number: nothing is read there.
    u32 image, step, turn;
    u32 a_channels, b_channels;

    // Where the channels of that pixel begin, counted from `from`. Pieces of a thread lie a constant away from one
    // another then; the empty asm keeps the compiler from adding the constants first, which takes a pointer for each.
    __device__ __forceinline__ const Stored* pixel(const Stored* from, u32 channels, u32 q) const {
        u32 position = by_images.divide(q), i = by_columns.divide(position);
        const Stored* p = from + (q * image + position * step + i * turn) * channels;
        asm("" : "+l"(p));
        return p;
    }
    __device__ __forceinline__ void begin() {}
    __device__ __forceinline__ const Stored* a(int i, bool& inside) const {
        int q = p + OA::inner(i);
        inside = OA::outer(i) - OA::outer(0) < a_left && q < end;
        return pixel(px, a_channels, q) + (OA::outer(i) - OA::outer(0));
    }
    __device__ __forceinline__ const Stored* b(int i, bool& inside) const {
        int q = p + OB::inner(i);
        inside = OB::outer(i) - OB::outer(0) < b_left && q < end;
        return pixel(py, b_channels, q) + (OB::outer(i) - OB::outer(0));
    }
    __device__ __forceinline__ void next() { p += TILE_K; }
};

// A block's piece of dw: which tap, from which channel of x and of dy on. After the taps come the columns of db.
struct Target {
    int tap, row0, column0;
    __device__ __forceinline__ Target(int block, int c, int k) {
        int tiles_k = ceil_div(k, TILE_N), tiles_c = ceil_div(c, TILE_M), rest = block / tiles_k;
        tap = rest / tiles_c, row0 = rest % tiles_c * TILE_M, column0 = block % tiles_k * TILE_N;
    }
};

// The block's number, read anew: what is found from it behind a loop takes no registers in the loop.
__device__ __forceinline__ int block_again() {
    int block;
    asm volatile("mov.u32 %0, %%ctaid.x;" : "=r"(block));
    return block;
}

// Blocks [0, taps ceil(c / TILE_M) ceil(k / TILE_N)) compute dw, the ceil(k / TILE_N) after them db. Parts (z) are
// parts of the pixels. `by_columns[d]` divides by w - d, the width of the rectangle of a tap d columns from the middle.
extern "C" __global__ void __launch_bounds__(THREADS, RESIDENT_OUTER) KERNEL(conv_backward_weight)(
    const Stored* __restrict__ x, const Stored* __restrict__ dy, float* __restrict__ dw, float* __restrict__ db,
    float* workspace, u32* counters, int n, int h, int width, int c, int k, int kernel, Divisor by_images,
    Divisor by_columns0, Divisor by_columns1, Divisor by_columns2) {
    using T = Tile<PixelPairs>;
    __shared__ __align__(128) Stored shared[T::SHARED];
    Target target((int)blockIdx.x, c, k);
    int tap = target.tap, row0 = target.row0, column0 = target.column0;
    if (tap >= kernel * kernel) {
        column_sums(dy, n * h * width, k, column0, (float*)shared, workspace, counters, db);
        return;
    }
    // The tap looks (di, dj) away; the pixels that see the image through it start at (i0, j0).
    int di = tap / kernel - kernel / 2, dj = tap % kernel - kernel / 2;
    int i0 = di < 0 ? -di : 0, j0 = dj < 0 ? -dj : 0;
    int rows = h - (di < 0 ? -di : di), away = dj < 0 ? -dj : dj, columns = width - away;
    int pixels = rows > 0 && columns > 0 ? rows * columns * n : 0;
    Part part(ceil_div(pixels, TILE_K));
    PixelPairs from = {
        x + ((i0 + di) * width + j0 + dj) * c + row0 + PixelPairs::OA::outer(0),
        dy + (i0 * width + j0) * k + column0 + PixelPairs::OB::outer(0),
        part.first * TILE_K,
        pixels,
        c - row0 - PixelPairs::OA::outer(0),
        k - column0 - PixelPairs::OB::outer(0),
        by_images,
        away == 0 ? by_columns0 : away == 1 ? by_columns1 : by_columns2,
        (u32)(h * width),
        1u - (u32)n * (u32)(h * width),
        (u32)(width - columns),
        (u32)c,
        (u32)k,
    };
    Sums acc = {};
    T::multiply(from, part.count, shared, acc);
    if (!add_parts(acc, workspace, counters, shared)) return;
    Target to(block_again(), c, k);
    dw += to.tap * c * k;
    store_fragment<T::F>(acc, dw, to.column0, k, Epilogue{}, [&](int i) {
        return to.row0 + i < c ? (to.row0 + i) * k : -1;
    });
}
