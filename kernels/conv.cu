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
        w_piece = THREADS / OB::ACROSS * (BACKWARD ? channels : columns);
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
        return pw + (w_offset + i * w_piece);
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
    const Stored* x, const Stored* w, void* y, bool wide, float* workspace, u32* counters, Epilogue e, int images, int h,
    int width, int channels, int columns, int kernel, int group) {
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
    using OA = Operand<0, OUTER, TILE_M>;
    using OB = Operand<1, OUTER, TILE_N>;
    const Stored* px;
    const Stored* py;
    int p, end;
    bool a_inside, b_inside;
    Divisor by_images, by_columns;
    // Where pixel q lies in memory. The rectangle's pixels are numbered position by position, image fastest:
    //   q        = (i columns + j) images + n          row i and column j of the rectangle, image n
    //   position = q / images  = i columns + j         so  n = q - position images
    //   i        = position / columns                  so  j = position - i columns
    // In memory an image is `image` elements long, a row of it `row`, a pixel `pixel`:
    //   offset = n image + i row + j pixel
    //          = (q - position images) image + i row + (position - i columns) pixel
    //          = q image  +  position (pixel - images image)  +  i (row - columns pixel)
    //                                  \____ step ________/         \____ turn _______/
    // Two divisions and three multiply-adds, and neither n nor j is computed.
    //
    // The three products pass 2^32 (q image from 55 images of 28x28x64 on passes 2^31), their sum does not: it is the
    // offset of an element. Unsigned arithmetic is exact modulo 2^32, so that the sum is right. Beyond the rectangle's
    // end it may be any number, and nothing is read there.
    struct Place {
        u32 image, step, turn;
        __device__ __forceinline__ Place(u32 image, u32 row, u32 pixel, u32 images, u32 columns)
            : image(image), step(pixel - images * image), turn(row - columns * pixel) {}
    } in_x, in_y;

    __device__ __forceinline__ u32 offset(u32 q, const Place& in) const {
        u32 position = by_images.divide(q), i = by_columns.divide(position);
        return q * in.image + position * in.step + i * in.turn;
    }
    __device__ __forceinline__ void begin() {}
    __device__ __forceinline__ const Stored* a(int i, bool& inside) const {
        int q = p + OA::inner(i);
        inside = a_inside && q < end;
        return px + offset(q, in_x);
    }
    __device__ __forceinline__ const Stored* b(int i, bool& inside) const {
        int q = p + OB::inner(i);
        inside = b_inside && q < end;
        return py + offset(q, in_y);
    }
    __device__ __forceinline__ void next() { p += TILE_K; }
};

// Blocks [0, taps ceil(c / TILE_M) ceil(k / TILE_N)) compute dw, the ceil(k / TILE_N) after them db. Parts (z) are
// parts of the pixels. `by_columns[d]` divides by w - d, the width of the
// rectangle for a tap d columns from the middle.
extern "C" __global__ void __launch_bounds__(THREADS, RESIDENT(384)) KERNEL(conv_backward_weight)(
    const Stored* __restrict__ x, const Stored* __restrict__ dy, float* __restrict__ dw, float* __restrict__ db,
    float* workspace, u32* counters, int n, int h, int width, int c, int k, int kernel, Divisor by_images,
    Divisor by_columns0, Divisor by_columns1, Divisor by_columns2) {
    using T = Tile<PixelPairs>;
    __shared__ __align__(128) Stored shared[T::SHARED];
    int tiles_k = ceil_div(k, TILE_N), tiles_c = ceil_div(c, TILE_M), taps = kernel * kernel;
    int column0 = (int)blockIdx.x % tiles_k * TILE_N, rest = (int)blockIdx.x / tiles_k;
    if (rest >= taps * tiles_c) {
        column_sums(dy, n * h * width, k, column0, (float*)shared, workspace, counters, db);
        return;
    }
    int tap = rest / tiles_c, row0 = rest % tiles_c * TILE_M;
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
        row0 + PixelPairs::OA::outer(0) < c,
        column0 + PixelPairs::OB::outer(0) < k,
        by_images,
        away == 0 ? by_columns0 : away == 1 ? by_columns1 : by_columns2,
        PixelPairs::Place(h * width * c, width * c, c, n, columns),
        PixelPairs::Place(h * width * k, width * k, k, n, columns),
    };
    Sums acc = {};
    T::multiply(from, part.count, shared, acc);
    if (!add_parts(acc, workspace, counters, shared)) return;
    dw += tap * c * k;
    store_fragment<T::F>(acc, dw, column0, k, Epilogue{}, [&](int i) { return row0 + i < c ? (row0 + i) * k : -1; });
}
