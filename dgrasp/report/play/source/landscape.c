/* Psi's landscape over one observation: scores of poses and their derivatives in the poses, for the browser.

   The same function as `dgrasp/value/fast.py`, written out once more in C with four numbers at a time. The caller
   (kernel.js) lays everything out in memory, fills in a `struct landscape`, and asks for a few poses at a time, few
   enough that all intermediate results stay in the processor's cache.

   Matrices are stored row by row. A layer's weights come twice: `to` is (inputs, outputs), for the way to the score,
   `back` is (outputs, inputs), for the way back. All widths are multiples of 4. */

typedef float f4 __attribute__((vector_size(16), aligned(4), may_alias));
typedef int i4 __attribute__((vector_size(16), aligned(4), may_alias));

#define FROM_PAGE(name) __attribute__((import_module("math"), import_name(#name)))
#define TO_PAGE(name) __attribute__((export_name(#name)))
FROM_PAGE(sin) double sin_of(double);
FROM_PAGE(cos) double cos_of(double);
FROM_PAGE(log1p) double log1p_of(double);

enum activation { ELU, SOFTPLUS, SILU, RELU };

struct layer {
    float *to, *back, *bias; /* bias: 0 if there is none */
    int inputs, outputs;
};

struct block {
    struct layer inner, outer, shortcut; /* shortcut.to: 0 if the widths are equal */
};

struct camera {
    double *K, *T_cam_world;      /* (3, 3) and the first three rows of (4, 4) */
    float *features, *rgb;        /* (map_height, map_width, hidden), (height, width, 3) */
};

struct landscape {
    int cameras, views;           /* views: cameras that are fused in the network; the logits of groups of them are added */
    int height, width, map_height, map_width, stride;
    int hidden, blocks_per_view, blocks_shared, position_octaves, direction_octaves;
    int in_camera, directions_moved; /* frame of the codes; whether directions are transformed as if they were points */
    int lines, per_line;
    int activation, last_activation;
    struct camera *camera;
    double *points, *directions;  /* in the TCP frame: (lines * per_line, 3), (lines, 3); metres */
    struct layer position, direction, rgb; /* parts of the first layer; the feature maps hold the fourth */
    float *first_bias;
    struct block *per_view, *shared;
    struct layer *per_activation, per_query;
    struct block wide, narrow;    /* the readout's trunk */
    struct layer logit;
    struct scratch *scratch;
};

/* Room for intermediate results of `poses` poses; rows = poses * queries, all rows = rows * views. */
struct scratch {
    int poses;
    double *p_cam, *uv;               /* (views, rows, 3), (views, rows, 2) */
    float *position, *direction;      /* codes: (views, rows, code), (views, poses * lines, code) */
    float *along_lines, *colours;     /* (poses * lines, hidden), (rows, 4) */
    float *z;                         /* (all rows, hidden) */
    float *mean;                      /* (rows, hidden) */
    float *view_in, *view_mid;        /* per block: rectified inputs and inner results (all rows, hidden) */
    float *shared_in, *shared_mid;    /* the same for shared blocks (rows, hidden) */
    float *mixed, *mixed_slope;       /* (rows, activations * features) */
    float *query, *query_slope;       /* (rows, query features) */
    float *wide_in, *wide_in_slope, *wide_mid, *wide_mid_slope;         /* (poses, ...) */
    float *narrow_in, *narrow_in_slope, *narrow_mid, *narrow_mid_slope; /* (poses, ...) */
    float *trunk, *last, *last_slope; /* (poses, trunk features) */
    float *g_mid, *g_trunk;            /* gradients */
    float *of_position, *of_direction;
};

static void zero(float *x, int n) {
    for (int i = 0; i < n; i += 4) *(f4 *)(x + i) = (f4){0, 0, 0, 0};
}

static int padded(int n) { return (n + 3) & ~3; }

/* --- products ---------------------------------------------------------------------------------------------------- */

/* R rows by 8 columns of out (+)= a b: the sums stay in registers. */
#define TILE(R)                                                                                                       \
    static inline void tile##R(const float *a, int lda, int k, const float *b, int n, float *out, int ldo, int add) { \
        f4 left[R], right[R];                                                                                         \
        for (int r = 0; r < R; r++) {                                                                                 \
            left[r] = add ? *(f4 *)(out + r * ldo) : (f4){0, 0, 0, 0};                                                \
            right[r] = add ? *(f4 *)(out + r * ldo + 4) : (f4){0, 0, 0, 0};                                           \
        }                                                                                                             \
        for (int i = 0; i < k; i++, b += n) {                                                                         \
            f4 b0 = *(f4 *)b, b1 = *(f4 *)(b + 4);                                                                    \
            _Pragma("unroll") for (int r = 0; r < R; r++) {                                                           \
                float x = a[r * lda + i];                                                                             \
                f4 splat = {x, x, x, x};                                                                              \
                left[r] += splat * b0;                                                                                \
                right[r] += splat * b1;                                                                               \
            }                                                                                                         \
        }                                                                                                             \
        for (int r = 0; r < R; r++) {                                                                                 \
            *(f4 *)(out + r * ldo) = left[r];                                                                         \
            *(f4 *)(out + r * ldo + 4) = right[r];                                                                    \
        }                                                                                                             \
    }
TILE(1)
TILE(4)

/* One row by 4 columns: what is left where the width is no multiple of 8. */
static inline void tile_rest(const float *a, int k, const float *b, int n, float *out, int add) {
    f4 sum = add ? *(f4 *)out : (f4){0, 0, 0, 0};
    for (int i = 0; i < k; i++) {
        f4 splat = {a[i], a[i], a[i], a[i]};
        sum += splat * *(f4 *)(b + i * n);
    }
    *(f4 *)out = sum;
}

/* out (rows, n; a row every ldo numbers) = or += a (rows, k; every lda) b (k, n). */
static void multiply(const float *a, int lda, int rows, int k, const float *b, int n, float *out, int ldo, int add) {
    int r = 0;
    for (; r + 4 <= rows; r += 4) {
        int c = 0;
        for (; c + 8 <= n; c += 8) tile4(a + r * lda, lda, k, b + c, n, out + r * ldo + c, ldo, add);
        for (; c < n; c += 4)
            for (int i = r; i < r + 4; i++) tile_rest(a + i * lda, k, b + c, n, out + i * ldo + c, add);
    }
    for (; r < rows; r++) {
        int c = 0;
        for (; c + 8 <= n; c += 8) tile1(a + r * lda, lda, k, b + c, n, out + r * ldo + c, ldo, add);
        for (; c < n; c += 4) tile_rest(a + r * lda, k, b + c, n, out + r * ldo + c, add);
    }
}

/* out = layer(x), with `stride` numbers from row to row of out. */
static void forward(const struct layer *l, const float *x, int rows, float *out, int stride) {
    for (int r = 0; r < rows; r++)
        for (int c = 0; c < l->outputs; c += 4) *(f4 *)(out + r * stride + c) = *(f4 *)(l->bias + c);
    multiply(x, l->inputs, rows, l->inputs, l->to, l->outputs, out, stride, 1);
}

/* Gradient of a layer's inputs from that of its outputs, of which a row comes every `stride` numbers. */
static void backward(const struct layer *l, const float *g, int stride, int rows, float *out, int add) {
    multiply(g, stride, rows, l->outputs, l->back, l->inputs, out, l->inputs, add);
}

/* --- activations -------------------------------------------------------------------------------------------------- */

/* exp(x) for -87 <= x <= 88: 2^n times a polynomial on [-ln 2 / 2, ln 2 / 2] (Cephes' expf). */
static f4 exp_of(f4 x) {
    f4 n = __builtin_elementwise_floor(x * 1.44269504088896341f + 0.5f);
    f4 r = x - n * 0.693359375f + n * 2.12194440e-4f;
    f4 p = ((((1.9875691500e-4f * r + 1.3981999507e-3f) * r + 8.3334519073e-3f) * r + 4.1665795894e-2f) * r
            + 1.6666665459e-1f) * r + 5.0000001201e-1f;
    i4 power = (__builtin_convertvector(n, i4) + 127) << 23;
    return (p * r * r + r + 1.0f) * (f4)power;
}

static f4 clamped(f4 x, float low, float high) {
    f4 l = {low, low, low, low}, h = {high, high, high, high};
    return __builtin_wasm_pmin_f32x4(__builtin_wasm_pmax_f32x4(x, l), h);
}

static f4 sigmoid(f4 x) { return 1.0f / (1.0f + exp_of(clamped(-x, -80, 80))); }

/* x -> y = activation(x) and its slope there. y may be x. */
static void activate(int kind, const float *x, float *y, float *slope, int n) {
    for (int i = 0; i < n; i += 4) {
        f4 v = *(f4 *)(x + i), out, s;
        f4 positive = clamped(v, 0, 3e38f);
        if (kind == ELU) {
            s = exp_of(clamped(v, -40, 0));
            out = positive + s - 1.0f;
        } else if (kind == SILU) {
            f4 gate = sigmoid(v);
            out = v * gate;
            s = gate + out * (1.0f - gate);
        } else if (kind == SOFTPLUS) {
            f4 small = exp_of(clamped(positive + positive - v, 0, 80) * -1.0f); /* exp(-|x|) */
            s = sigmoid(v);
            for (int k = 0; k < 4; k++) out[k] = positive[k] + (float)log1p_of(small[k]);
        } else {
            out = positive;
            s = (f4)((v > 0.0f) & (i4)(f4){1, 1, 1, 1});
        }
        *(f4 *)(y + i) = out;
        *(f4 *)(slope + i) = s;
    }
}

static void rectify(const float *x, float *y, int n) {
    for (int i = 0; i < n; i += 4) *(f4 *)(y + i) = clamped(*(f4 *)(x + i), 0, 3e38f);
}

/* g = 0 where the rectifier stopped its input. */
static void mask(float *g, const float *rectified, int n) {
    for (int i = 0; i < n; i += 4) *(i4 *)(g + i) &= *(f4 *)(rectified + i) > 0.0f;
}

static void times(float *x, const float *y, int n) {
    for (int i = 0; i < n; i += 4) *(f4 *)(x + i) *= *(f4 *)(y + i);
}

static void plus(float *x, const float *y, int n) {
    for (int i = 0; i < n; i += 4) *(f4 *)(x + i) += *(f4 *)(y + i);
}

/* --- residual blocks of Phi ---------------------------------------------------------------------------------------- */

/* z += outer(relu(inner(relu(z)))); leaves both rectified inputs in `in` and `mid`. */
static void block_forward(const struct block *b, float *z, int rows, float *in, float *mid) {
    int width = b->inner.inputs, n = rows * width;
    rectify(z, in, n);
    forward(&b->inner, in, rows, mid, b->inner.outputs);
    rectify(mid, mid, rows * b->inner.outputs);
    for (int r = 0; r < rows; r++) plus(z + r * width, b->outer.bias, width);
    multiply(mid, b->outer.inputs, rows, b->outer.inputs, b->outer.to, width, z, width, 1);
}

/* From the gradient of a block's output to that of its input, in place; `in` and `mid` are written over. */
static void block_backward(const struct block *b, float *g, int rows, float *in, float *mid) {
    int width = b->inner.inputs, inner = b->inner.outputs;
    for (int r = 0; r < rows; r += 4) { /* few rows at a time: `of_mid` stays on the stack */
        int few = rows - r < 4 ? rows - r : 4;
        float *at = mid + r * inner, of_mid[4 * 1024];
        multiply(g + r * width, width, few, width, b->outer.back, inner, of_mid, inner, 0);
        mask(of_mid, at, few * inner);
        multiply(of_mid, inner, few, inner, b->inner.back, width, at, width, 0);
        mask(at, in + r * width, few * width);
        plus(g + r * width, at, few * width);
    }
}

/* --- geometry ------------------------------------------------------------------------------------------------------- */

/* Places are rounded as PyTorch's are, which computes with single numbers throughout: the landscape has kinks (Phi's
   rectifiers), and the nearer the places, the fewer poses lie on different sides of one. */
static double rounded(double x) { return (double)(float)x; }

/* y = T x for T the first three rows of a (4, 4) matrix; `moved`: with the translation. */
static void transform(const double *T, const double *x, int moved, double *y) {
    for (int i = 0; i < 3; i++) {
        double turned = rounded(T[4 * i] * x[0] + T[4 * i + 1] * x[1] + T[4 * i + 2] * x[2]);
        y[i] = moved ? rounded(turned + T[4 * i + 3]) : turned;
    }
}

/* Add R^T g to y. */
static void rotate_back(const double *T, const double *g, double *y) {
    for (int i = 0; i < 3; i++) y[i] += T[i] * g[0] + T[4 + i] * g[1] + T[8 + i] * g[2];
}

static const double PI = 3.14159265358979323846;

/* sin(pi 2^k x), cos(pi 2^k x): first all sines, octave by octave, then all cosines. */
static void code_of(const double *x, int octaves, float *code) {
    for (int d = 0; d < 3; d++) {
        for (int k = 0; k < octaves; k++) {
            double angle = rounded(x[d] * rounded(PI * (double)(1 << k)));
            code[3 * k + d] = (float)sin_of(angle);
            code[3 * (octaves + k) + d] = (float)cos_of(angle);
        }
    }
    for (int i = 6 * octaves; i < padded(6 * octaves); i++) code[i] = 0;
}

/* Gradient of x from that of its code. */
static void of_code(const float *code, const float *g, int octaves, double *of_x) {
    for (int d = 0; d < 3; d++) {
        of_x[d] = 0;
        for (int k = 0; k < octaves; k++) {
            int s = 3 * k + d, c = 3 * (octaves + k) + d;
            of_x[d] += PI * (double)(1 << k) * ((double)code[c] * g[s] - (double)code[s] * g[c]);
        }
    }
}

/* Pixels of a point in the camera's frame; behind the camera finite numbers come out, too. */
static void pixels_of(const double *K, const double *p, double *uv) {
    double depth = p[2] > 1e-8 ? p[2] : 1e-8;
    for (int i = 0; i < 2; i++) {
        double x = rounded(rounded(K[3 * i] * p[0] + K[3 * i + 1] * p[1] + K[3 * i + 2] * p[2]) / depth);
        uv[i] = x < -1e6 ? -1e6 : x > 1e6 ? 1e6 : x;
    }
}

static void of_pixels(const double *K, const double *p, const double *uv, const double *g, double *of_p) {
    double depth = p[2] > 1e-8 ? p[2] : 1e-8;
    for (int i = 0; i < 3; i++) of_p[i] = 0;
    for (int i = 0; i < 2; i++) {
        if (uv[i] <= -1e6 || uv[i] >= 1e6) continue;
        for (int j = 0; j < 3; j++) of_p[j] += g[i] * K[3 * i + j] / depth;
        if (p[2] > 1e-8) of_p[2] -= g[i] * uv[i] / depth;
    }
}

/* The four pixels round a place: the first one, how far beyond it the place lies, and whether the border is repeated. */
struct cell {
    int first, right, down;
    float fu, fv;
    int inside_u, inside_v;
};

static int axis(double x, int size, float *share, int *inside) {
    double last = size - 1;
    *inside = x > 0 && x < last;
    x = x < 0 ? 0 : x > last ? last : x;
    int first = (int)x;
    if (first > size - 2) first = size - 2;
    *share = (float)(x - first);
    return first;
}

static struct cell cell_of(const double *uv, double scale, int height, int width, int channels) {
    struct cell c;
    int u = axis(uv[0] * scale, width, &c.fu, &c.inside_u), v = axis(uv[1] * scale, height, &c.fv, &c.inside_v);
    c.first = (v * width + u) * channels;
    c.right = channels;
    c.down = width * channels;
    return c;
}

/* --- the first layer ------------------------------------------------------------------------------------------------ */

/* Where the queries of some poses lie in one camera's image, and their codes. */
static void places(const struct landscape *l, const struct camera *cam, const double *T, int poses, int view) {
    struct scratch *s = l->scratch;
    int queries = l->lines * l->per_line, rows = poses * queries;
    int pw = padded(6 * l->position_octaves), dw = padded(6 * l->direction_octaves);
    for (int i = 0; i < poses; i++) {
        for (int q = 0; q < queries; q++) {
            int row = view * rows + i * queries + q;
            double world[3], *p = s->p_cam + 3 * row;
            transform(T + 12 * i, l->points + 3 * q, 1, world);
            transform(cam->T_cam_world, world, 1, p);
            pixels_of(cam->K, p, s->uv + 2 * row);
            if (l->in_camera || view == 0) /* the world's codes are those of all views */
                code_of(l->in_camera ? p : world, l->position_octaves, s->position + row * pw);
        }
        for (int line = 0; line < l->lines; line++) {
            double world[3], cam_d[3];
            transform(T + 12 * i, l->directions + 3 * line, 0, world);
            transform(cam->T_cam_world, world, l->directions_moved, cam_d);
            int row = (view * poses + i) * l->lines + line;
            if (l->in_camera || view == 0)
                code_of(l->in_camera ? cam_d : world, l->direction_octaves, s->direction + row * dw);
        }
    }
}

/* z = W [position code; direction code; colour; features] + bias for one camera. */
static void first_layer(const struct landscape *l, const struct camera *cam, int poses, int view) {
    struct scratch *s = l->scratch;
    int h = l->hidden, queries = l->lines * l->per_line, rows = poses * queries;
    int pw = padded(6 * l->position_octaves), dw = padded(6 * l->direction_octaves);
    float *z = s->z + view * rows * h;
    int of = l->in_camera ? view : 0;
    multiply(s->direction + of * poses * l->lines * dw, dw, poses * l->lines, dw, l->direction.to, h,
             s->along_lines, h, 0);
    for (int r = 0; r < rows; r++) {
        const double *uv = s->uv + 2 * (view * rows + r);
        struct cell c = cell_of(uv, 1.0 / l->stride, l->map_height, l->map_width, h);
        const float *m = cam->features + c.first, *line = s->along_lines + r / l->per_line * h;
        float a = (1 - c.fv) * (1 - c.fu), b = (1 - c.fv) * c.fu, d = c.fv * (1 - c.fu), e = c.fv * c.fu;
        for (int i = 0; i < h; i += 4)
            *(f4 *)(z + r * h + i) = *(f4 *)(m + i) * a + *(f4 *)(m + c.right + i) * b + *(f4 *)(m + c.down + i) * d
                + *(f4 *)(m + c.down + c.right + i) * e + *(f4 *)(line + i) + *(f4 *)(l->first_bias + i);
        struct cell k = cell_of(uv, 1, l->height, l->width, 3);
        const float *rgb = cam->rgb + k.first;
        for (int i = 0; i < 3; i++)
            s->colours[4 * r + i] = (1 - k.fv) * ((1 - k.fu) * rgb[i] + k.fu * rgb[k.right + i])
                + k.fv * ((1 - k.fu) * rgb[k.down + i] + k.fu * rgb[k.down + k.right + i]);
        s->colours[4 * r + 3] = 0;
    }
    multiply(s->colours, 4, rows, 4, l->rgb.to, h, z, h, 1);
    multiply(s->position + of * rows * pw, pw, rows, pw, l->position.to, h, z, h, 1);
}

static float sum(f4 x) { return (x[0] + x[1]) + (x[2] + x[3]); }

/* Gradient in a query's pixel from that of its row of the first layer. */
static void of_place(const struct landscape *l, const struct camera *cam, const double *uv, const float *g, double *of_uv) {
    int h = l->hidden;
    struct cell c = cell_of(uv, 1.0 / l->stride, l->map_height, l->map_width, h);
    const float *m = cam->features + c.first;
    f4 along_u = {0, 0, 0, 0}, along_v = {0, 0, 0, 0};
    for (int i = 0; i < h; i += 4) {
        f4 a = *(f4 *)(m + i), b = *(f4 *)(m + c.right + i), d = *(f4 *)(m + c.down + i);
        f4 e = *(f4 *)(m + c.down + c.right + i), w = *(f4 *)(g + i);
        along_u += w * ((b - a) * (1 - c.fv) + (e - d) * c.fv);
        along_v += w * ((d - a) * (1 - c.fu) + (e - b) * c.fu);
    }
    of_uv[0] = c.inside_u ? sum(along_u) / l->stride : 0;
    of_uv[1] = c.inside_v ? sum(along_v) / l->stride : 0;
    struct cell k = cell_of(uv, 1, l->height, l->width, 3);
    const float *rgb = cam->rgb + k.first;
    float of_rgb[4];
    multiply(g, h, 1, h, l->rgb.back, 4, of_rgb, 4, 0);
    for (int i = 0; i < 3; i++) {
        float a = rgb[i], b = rgb[k.right + i], d = rgb[k.down + i], e = rgb[k.down + k.right + i];
        if (k.inside_u) of_uv[0] += of_rgb[i] * ((b - a) * (1 - k.fv) + (e - d) * k.fv);
        if (k.inside_v) of_uv[1] += of_rgb[i] * ((d - a) * (1 - k.fu) + (e - b) * k.fu);
    }
}

/* Add one camera's share of the derivatives in the poses. */
static void first_layer_backward(
    const struct landscape *l, const struct camera *cam, int poses, int view, double *slopes) {
    struct scratch *s = l->scratch;
    int h = l->hidden, queries = l->lines * l->per_line, rows = poses * queries;
    int pw = padded(6 * l->position_octaves), dw = padded(6 * l->direction_octaves);
    float *g = s->z + view * rows * h;
    int of = l->in_camera ? view : 0;
    multiply(g, h, rows, h, l->position.back, pw, s->of_position, pw, 0);
    zero(s->along_lines, poses * l->lines * h);
    for (int r = 0; r < rows; r++) plus(s->along_lines + r / l->per_line * h, g + r * h, h);
    multiply(s->along_lines, h, poses * l->lines, h, l->direction.back, dw, s->of_direction, dw, 0);
    for (int r = 0; r < rows; r++) {
        int row = view * rows + r;
        double of_uv[2], of_cam[3], of_x[3], of_world[3] = {0, 0, 0};
        of_place(l, cam, s->uv + 2 * row, g + r * h, of_uv);
        of_pixels(cam->K, s->p_cam + 3 * row, s->uv + 2 * row, of_uv, of_cam);
        of_code(s->position + (of * rows + r) * pw, s->of_position + r * pw, l->position_octaves, of_x);
        for (int i = 0; i < 3; i++) (l->in_camera ? of_cam : of_world)[i] += of_x[i];
        rotate_back(cam->T_cam_world, of_cam, of_world);
        double *slope = slopes + 12 * (r / queries);
        const double *p = l->points + 3 * (r % queries);
        for (int i = 0; i < 3; i++) {
            for (int j = 0; j < 3; j++) slope[4 * i + j] += of_world[i] * p[j];
            slope[4 * i + 3] += of_world[i];
        }
    }
    for (int r = 0; r < poses * l->lines; r++) {
        double of_d[3], of_world[3] = {0, 0, 0};
        of_code(s->direction + (of * poses * l->lines + r) * dw, s->of_direction + r * dw, l->direction_octaves, of_d);
        if (l->in_camera) rotate_back(cam->T_cam_world, of_d, of_world);
        double *slope = slopes + 12 * (r / l->lines);
        const double *d = l->directions + 3 * (r % l->lines);
        for (int i = 0; i < 3; i++)
            for (int j = 0; j < 3; j++) slope[4 * i + j] += (l->in_camera ? of_world : of_d)[i] * d[j];
    }
}

/* --- the readout ------------------------------------------------------------------------------------------------------ */

/* From the first layer's rows to the features of each query. */
static void features(const struct landscape *l, int rows) {
    struct scratch *s = l->scratch;
    int h = l->hidden, all = rows * l->views, parts = 1 + l->blocks_shared;
    int wide = l->per_activation[0].outputs, mixed = parts * wide;
    for (int k = 0; k < l->blocks_per_view; k++)
        block_forward(l->per_view + k, s->z, all, s->view_in + k * all * h, s->view_mid + k * all * h);
    for (int i = 0; i < rows * h; i += 4) {
        f4 total = *(f4 *)(s->z + i);
        for (int v = 1; v < l->views; v++) total += *(f4 *)(s->z + v * rows * h + i);
        *(f4 *)(s->mean + i) = total / (float)l->views;
    }
    for (int k = 0; k < parts; k++) {
        if (k > 0) {
            int at = (k - 1) * rows * h;
            block_forward(l->shared + k - 1, s->mean, rows, s->shared_in + at, s->shared_mid + at);
        }
        forward(l->per_activation + k, s->mean, rows, s->mixed + k * wide, mixed);
    }
    activate(l->activation, s->mixed, s->mixed, s->mixed_slope, rows * mixed);
    forward(&l->per_query, s->mixed, rows, s->query, l->per_query.outputs);
    activate(l->activation, s->query, s->query, s->query_slope, rows * l->per_query.outputs);
}

/* From the gradient of the features of each query (in s->query) to that of the first layer's rows (in s->z). */
static void features_backward(const struct landscape *l, int rows) {
    struct scratch *s = l->scratch;
    int h = l->hidden, all = rows * l->views, parts = 1 + l->blocks_shared;
    int wide = l->per_activation[0].outputs, mixed = parts * wide;
    times(s->query, s->query_slope, rows * l->per_query.outputs);
    backward(&l->per_query, s->query, l->per_query.outputs, rows, s->mixed, 0);
    times(s->mixed, s->mixed_slope, rows * mixed);
    for (int k = parts - 1; k >= 0; k--) {
        backward(l->per_activation + k, s->mixed + k * wide, mixed, rows, s->mean, k < parts - 1);
        int at = (k - 1) * rows * h;
        if (k > 0) block_backward(l->shared + k - 1, s->mean, rows, s->shared_in + at, s->shared_mid + at);
    }
    for (int i = 0; i < rows * h; i += 4)
        for (int v = 0; v < l->views; v++) *(f4 *)(s->z + v * rows * h + i) = *(f4 *)(s->mean + i) / (float)l->views;
    for (int k = l->blocks_per_view - 1; k >= 0; k--)
        block_backward(l->per_view + k, s->z, all, s->view_in + k * all * h, s->view_mid + k * all * h);
}

/* y = shortcut(x) + outer(act(inner(act(x)))) for a block of the readout; keeps what the way back needs. */
static void trunk_forward(
    const struct landscape *l, const struct block *b, const float *x, int poses,
    float *in, float *in_slope, float *mid, float *mid_slope, float *y) {
    int inner = b->inner.outputs, out = b->outer.outputs, width = b->inner.inputs;
    activate(l->activation, x, in, in_slope, poses * width);
    forward(&b->inner, in, poses, mid, inner);
    activate(l->activation, mid, mid, mid_slope, poses * inner);
    if (b->shortcut.to) {
        forward(&b->outer, mid, poses, y, out);
        multiply(x, width, poses, width, b->shortcut.to, out, y, out, 1);
    } else { /* y is x */
        for (int r = 0; r < poses; r++) plus(y + r * out, b->outer.bias, out);
        multiply(mid, inner, poses, inner, b->outer.to, out, y, out, 1);
    }
}

/* of_x = gradient of the block's input from g, that of its output; of_x may not be g. */
static void trunk_backward(
    const struct block *b, const float *g, int poses,
    const float *in_slope, const float *mid_slope, float *of_mid, float *of_x) {
    int inner = b->inner.outputs, out = b->outer.outputs, width = b->inner.inputs;
    backward(&b->outer, g, out, poses, of_mid, 0);
    times(of_mid, mid_slope, poses * inner);
    backward(&b->inner, of_mid, inner, poses, of_x, 0);
    times(of_x, in_slope, poses * width);
    if (b->shortcut.to)
        multiply(g, out, poses, out, b->shortcut.back, width, of_x, width, 1);
    else
        plus(of_x, g, poses * width);
}

/* Scores from the features of all queries of each pose; with slopes, leaves the features' gradient in s->query. */
static void head(const struct landscape *l, int poses, double *scores, int slopes) {
    struct scratch *s = l->scratch;
    int out = l->wide.outer.outputs;
    trunk_forward(l, &l->wide, s->query, poses, s->wide_in, s->wide_in_slope, s->wide_mid, s->wide_mid_slope, s->trunk);
    trunk_forward(l, &l->narrow, s->trunk, poses, s->narrow_in, s->narrow_in_slope, s->narrow_mid,
                  s->narrow_mid_slope, s->trunk);
    activate(l->last_activation, s->trunk, s->last, s->last_slope, poses * out);
    for (int i = 0; i < poses; i++) {
        f4 total = {0, 0, 0, 0};
        for (int c = 0; c < out; c += 4) total += *(f4 *)(s->last + i * out + c) * *(f4 *)(l->logit.back + c);
        scores[i] += sum(total) + l->logit.bias[0];
    }
    if (!slopes) return;
    for (int i = 0; i < poses; i++)
        for (int c = 0; c < out; c += 4) *(f4 *)(s->trunk + i * out + c) = *(f4 *)(l->logit.back + c);
    times(s->trunk, s->last_slope, poses * out);
    trunk_backward(&l->narrow, s->trunk, poses, s->narrow_in_slope, s->narrow_mid_slope, s->g_mid, s->g_trunk);
    trunk_backward(&l->wide, s->g_trunk, poses, s->wide_in_slope, s->wide_mid_slope, s->g_mid, s->query);
}

/* --- what the page asks for -------------------------------------------------------------------------------------------- */

static void few(const struct landscape *l, const double *T, int poses, double *scores, double *slopes) {
    int rows = poses * l->lines * l->per_line;
    for (int i = 0; i < poses; i++) scores[i] = 0;
    for (int i = 0; slopes && i < 12 * poses; i++) slopes[i] = 0;
    for (int group = 0; group < l->cameras; group += l->views) {
        for (int v = 0; v < l->views; v++) {
            places(l, l->camera + group + v, T, poses, v);
            first_layer(l, l->camera + group + v, poses, v);
        }
        features(l, rows);
        head(l, poses, scores, slopes != 0);
        if (!slopes) continue;
        features_backward(l, rows);
        for (int v = 0; v < l->views; v++) first_layer_backward(l, l->camera + group + v, poses, v, slopes);
    }
}

/* Scores (n) of poses T (n, 12: the first three rows), and their derivatives there (n, 12) unless `slopes` is 0. */
TO_PAGE(evaluate) void evaluate(const struct landscape *l, const double *T, int n, double *scores, double *slopes) {
    for (int i = 0; i < n; i += l->scratch->poses) {
        int poses = n - i < l->scratch->poses ? n - i : l->scratch->poses;
        few(l, T + 12 * i, poses, scores + i, slopes ? slopes + 12 * i : 0);
    }
}
