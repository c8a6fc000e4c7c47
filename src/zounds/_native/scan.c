/* Exact search for the nearest codes by Hamming distance; zounds/index/scan.py calls it.

   Codes lie in groups of GROUP rows: first the first words of all its codes, then the second words,
   and so on. So what is loaded at once is one word of several codes, and memory is read from its
   beginning to its end, which is what processors fetch ahead. BLOCK rows are compared with every
   query while they are in the cache. Of each query the best k rows are known at any time, and so the distance that a row has to be below: of
   equal distance, the earlier row wins, and later rows have to be nearer. Since distances are
   small whole numbers, at most k (bits + 1) rows pass; all others cost a comparison. */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define GROUP 8
#define BLOCK 1024
#define MOST_WORDS 64
#define TILE 4
#define SHIFT 48 /* a result is its distance and its row in one number, in the order of results */

#ifdef _WIN32
#define EXPORT __declspec(dllexport)
#else
#define EXPORT __attribute__((visibility("default")))
#endif

struct scan {
    const uint64_t *groups;
    int64_t start, stop; /* rows; start is that of a group */
    int words;
    const uint8_t *live; /* a bit for each row, the least significant first; or NULL */
    int64_t k;
};

/* The best rows of one query so far, in the order of rows, and some that no longer count. */
struct best {
    uint64_t *found;
    int64_t size, room;
    uint64_t limit; /* rows at this distance or farther are not wanted any more */
    int64_t nearer; /* how many are below the limit: less than k */
    int64_t *at;    /* how many there are at each distance */
};

/* Drop what no longer counts: exactly k stay. */
static void squeeze(struct best *best, int64_t k)
{
    int64_t size = 0, equal = k - best->nearer;
    best->at[best->limit] = equal;
    for (int64_t i = 0; i < best->size; i++) {
        uint64_t distance = best->found[i] >> SHIFT;
        if (distance < best->limit || (distance == best->limit && equal-- > 0))
            best->found[size++] = best->found[i];
    }
    best->size = size;
}

static void accept(struct best *best, int64_t k, uint64_t distance, uint64_t row)
{
    if (best->size == best->room)
        squeeze(best, k);
    best->found[best->size++] = distance << SHIFT | row;
    best->at[distance]++;
    best->nearer++;
    while (best->nearer >= k)
        best->nearer -= best->at[--best->limit];
}

/* Write the results in their order; return how many. */
static int64_t finish(struct best *best, int64_t k, int64_t bits, uint64_t *keys)
{
    int64_t place = 0;
    if (best->limit <= (uint64_t)bits) {
        squeeze(best, k);
        memset(best->at + best->limit + 1, 0, sizeof(int64_t) * (bits - best->limit));
    }
    for (int64_t distance = 0; distance <= bits; distance++) {
        int64_t count = best->at[distance];
        best->at[distance] = place;
        place += count;
    }
    for (int64_t i = 0; i < best->size; i++)
        keys[best->at[best->found[i] >> SHIFT]++] = best->found[i];
    return best->size;
}

#define NAME(x) x##_plain
#define TARGET
#define LANES 1
#define VEC uint64_t
#define LOAD(p) (*(p))
#define BROADCAST(x) (x)
#define XOR(a, b) ((a) ^ (b))
#define ADD(a, b) ((a) + (b))
#define COUNT(a) ((uint64_t)__builtin_popcountll(a))
#define FINISH(a) (a)
#define BELOW(a, b) ((a) < (b))
#include "kernel.h"

#if defined(__x86_64__) && !defined(_WIN32)
#include <immintrin.h>

#define NAME(x) x##_popcnt
#define TARGET __attribute__((target("popcnt")))
#define LANES 1
#define VEC uint64_t
#define LOAD(p) (*(p))
#define BROADCAST(x) (x)
#define XOR(a, b) ((a) ^ (b))
#define ADD(a, b) ((a) + (b))
#define COUNT(a) ((uint64_t)__builtin_popcountll(a))
#define FINISH(a) (a)
#define BELOW(a, b) ((a) < (b))
#include "kernel.h"

/* Counts of bytes, by a table of those of half bytes (W. Mula et al., Faster population counts
   using AVX2 instructions, 2018). A byte holds the sum of 31 of them. */
__attribute__((target("avx2,popcnt"))) static inline __m256i bytes_of(__m256i codes)
{
    const __m256i table = _mm256_setr_epi8(
        0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4, 0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4);
    const __m256i low = _mm256_set1_epi8(15);
    __m256i first = _mm256_shuffle_epi8(table, _mm256_and_si256(codes, low));
    __m256i second = _mm256_and_si256(_mm256_srli_epi16(codes, 4), low);
    return _mm256_add_epi8(first, _mm256_shuffle_epi8(table, second));
}

#define NAME(x) x##_avx2
#define TARGET __attribute__((target("avx2,popcnt")))
#define LANES 4
#define VEC __m256i
#define LOAD(p) _mm256_loadu_si256((const __m256i *)(p))
#define BROADCAST(x) _mm256_set1_epi64x((long long)(x))
#define XOR(a, b) _mm256_xor_si256(a, b)
#define ADD(a, b) _mm256_add_epi8(a, b)
#define COUNT(a) bytes_of(a)
#define FINISH(a) _mm256_sad_epu8(a, _mm256_setzero_si256())
#define BELOW(a, b) (unsigned)_mm256_movemask_pd(_mm256_castsi256_pd(_mm256_cmpgt_epi64(b, a)))
#include "kernel.h"

#define NAME(x) x##_avx512
#define TARGET __attribute__((target("avx512f,avx512vpopcntdq,popcnt")))
#define LANES 8
#define VEC __m512i
#define LOAD(p) _mm512_loadu_si512(p)
#define BROADCAST(x) _mm512_set1_epi64((long long)(x))
#define XOR(a, b) _mm512_xor_si512(a, b)
#define ADD(a, b) _mm512_add_epi64(a, b)
#define COUNT(a) _mm512_popcnt_epi64(a)
#define FINISH(a) (a)
#define BELOW(a, b) (unsigned)_mm512_cmplt_epu64_mask(a, b)
#include "kernel.h"
#endif

typedef void (*scanner)(const struct scan *, const uint64_t *, int64_t, struct best *);

static const struct {
    const char *name;
    scanner scan;
} kinds[] = {
    {"plain", scan_plain},
#if defined(__x86_64__) && !defined(_WIN32)
    {"popcnt", scan_popcnt},
    {"avx2", scan_avx2},
    {"avx512", scan_avx512},
#endif
};

static int can(int kind)
{
    if (kind == 0)
        return 1;
#if defined(__x86_64__) && !defined(_WIN32)
    __builtin_cpu_init();
    if (kind == 1)
        return __builtin_cpu_supports("popcnt");
    if (kind == 2)
        return __builtin_cpu_supports("popcnt") && __builtin_cpu_supports("avx2");
    if (kind == 3)
        return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vpopcntdq");
#endif
    return 0;
}

/* Return the name of a kind of scan, the slowest first; NULL after the last. */
EXPORT const char *zounds_kind(int kind)
{
    return kind < 0 || (size_t)kind >= sizeof kinds / sizeof *kinds ? NULL : kinds[kind].name;
}

/* Return whether this processor can run it. */
EXPORT int zounds_can(int kind) { return zounds_kind(kind) != NULL && can(kind); }

/* Return the digest of the sources this was compiled from. */
EXPORT const char *zounds_sources(void)
{
#ifdef SOURCES
    return SOURCES;
#else
    return "";
#endif
}

/* Write the k best rows of each query, fewer where there are not so many; return how many of each,
   or -1 if there is not enough memory. */
EXPORT int64_t zounds_nearest(
    int kind, const uint64_t *groups, int64_t start, int64_t stop, int words, const uint8_t *live,
    const uint64_t *queries, int64_t count, int64_t k, uint64_t *keys)
{
    struct scan scan = {groups, start, stop, words, live, k};
    int64_t bits = 64 * (int64_t)words, written = 0;
    int64_t room = 2 * k < stop - start ? 2 * k : stop - start;
    struct best *bests = calloc(count ? count : 1, sizeof *bests);
    uint64_t *found = malloc(sizeof(uint64_t) * (room * count + 1));
    int64_t *at = calloc((bits + 2) * count + 1, sizeof(int64_t));
    if (bests && found && at) {
        for (int64_t j = 0; j < count; j++) {
            bests[j].found = found + j * room;
            bests[j].room = room;
            bests[j].limit = (uint64_t)bits + 1;
            bests[j].at = at + j * (bits + 2);
        }
        /* AVX2 sums bytes, of which one holds 31 counts at most */
        if (words > MOST_WORDS)
            written = -1;
        else
            kinds[kind == 2 && words > 31 ? 1 : kind].scan(&scan, queries, count, bests);
        for (int64_t j = 0; written >= 0 && j < count; j++)
            written = finish(bests + j, k, bits, keys + j * k);
    } else {
        written = -1;
    }
    free(at);
    free(found);
    free(bests);
    return written;
}

static void sink(uint64_t *heap, int64_t size, int64_t i)
{
    uint64_t moved = heap[i];
    for (int64_t child; (child = 2 * i + 1) < size; i = child) {
        child += child + 1 < size && heap[child + 1] > heap[child];
        if (heap[child] <= moved)
            break;
        heap[i] = heap[child];
    }
    heap[i] = moved;
}

/* Add one of the keys, if it is among the `most` smallest; return whether it was. */
static int keep(uint64_t *heap, int64_t *size, int64_t most, uint64_t key)
{
    if (*size == most) {
        if (key >= heap[0])
            return 0;
        heap[0] = key;
        sink(heap, most, 0);
        return 1;
    }
    int64_t i = (*size)++;
    for (; i && heap[(i - 1) / 2] < key; i = (i - 1) / 2)
        heap[i] = heap[(i - 1) / 2];
    heap[i] = key;
    return 1;
}

/* Write the k nearest rows, given the nearest codes that are different; return how many. The rows of
   code i are postings[starts[i]] to postings[starts[i + 1] - 1], in ascending order. */
static int64_t rows_of_codes(
    const uint64_t *codes, int64_t count, const int64_t *starts, const uint32_t *postings, int64_t k,
    uint64_t *keys)
{
    int64_t written = 0;
    for (int64_t i = 0; i < count && written < k;) {
        uint64_t distance = codes[i] >> SHIFT, *heap = keys + written;
        int64_t size = 0, most = k - written;
        for (; i < count && codes[i] >> SHIFT == distance; i++) {
            uint64_t code = codes[i] & (((uint64_t)1 << SHIFT) - 1);
            for (int64_t at = starts[code]; at < starts[code + 1]; at++)
                if (!keep(heap, &size, most, distance << SHIFT | postings[at]))
                    break; /* later rows of this code are larger still */
        }
        for (int64_t last = size - 1; last > 0; last--) {
            uint64_t largest = heap[0];
            heap[0] = heap[last];
            heap[last] = largest;
            sink(heap, last, 0);
        }
        written += size;
    }
    return written;
}

/* The same for many queries, which have `count` codes each. */
EXPORT int64_t zounds_rows(
    const uint64_t *codes, int64_t queries, int64_t count, const int64_t *starts,
    const uint32_t *postings, int64_t k, uint64_t *keys)
{
    int64_t written = 0;
    for (int64_t j = 0; j < queries; j++)
        written = rows_of_codes(codes + j * count, count, starts, postings, k, keys + j * k);
    return written;
}
