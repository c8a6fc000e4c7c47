/* The scan, written once for every kind of processor: scan.c includes this file with

   NAME(x)        names of this kind's functions
   TARGET         the attribute that lets the compiler use its instructions
   LANES          how many rows are looked at together
   VEC            the type that holds a word of each of them
   LOAD, BROADCAST, XOR, ADD, COUNT, FINISH, BELOW   what can be done with it
*/

/* Hand the rows that are near enough to the query's best ones; return the new limit. */
TARGET static __attribute__((noinline)) uint64_t NAME(take)(
    struct best *best, const struct scan *scan, const uint64_t *query, int64_t row, unsigned hit)
{
    const uint64_t *group = scan->groups + row / GROUP * GROUP * scan->words;
    for (; hit; hit &= hit - 1) {
        int64_t here = row + __builtin_ctz(hit);
        if (here >= scan->stop || (scan->live && !(scan->live[here >> 3] >> (here & 7) & 1)))
            continue;
        uint64_t distance = 0;
        for (int w = 0; w < scan->words; w++)
            distance += (uint64_t)__builtin_popcountll(group[w * GROUP + here % GROUP] ^ query[w]);
        if (distance < best->limit)
            accept(best, scan->k, distance, (uint64_t)here);
    }
    return best->limit;
}

/* Compare rows with a few queries; what is loaded once serves all of them. */
TARGET static inline __attribute__((always_inline)) void NAME(tile)(
    const struct scan *scan, int64_t row, int64_t stop, const uint64_t *queries,
    struct best *bests, const int words, const int tile)
{
    VEC query[TILE][MOST_WORDS], limit[TILE];
    for (int j = 0; j < tile; j++) {
        for (int w = 0; w < words; w++)
            query[j][w] = BROADCAST(queries[j * words + w]);
        limit[j] = BROADCAST(bests[j].limit);
    }
    for (; row < stop; row += LANES) {
        const uint64_t *group = scan->groups + row / GROUP * GROUP * words + row % GROUP;
        VEC distance[TILE];
        unsigned hit[TILE], any = 0;
        for (int w = 0; w < words; w++) {
            VEC codes = LOAD(group + w * GROUP);
            for (int j = 0; j < tile; j++) {
                VEC count = COUNT(XOR(codes, query[j][w]));
                distance[j] = w ? ADD(distance[j], count) : count;
            }
        }
        for (int j = 0; j < tile; j++)
            any |= hit[j] = BELOW(FINISH(distance[j]), limit[j]);
        if (__builtin_expect(any != 0, 0))
            for (int j = 0; j < tile; j++)
                if (hit[j])
                    limit[j] = BROADCAST(NAME(take)(
                        bests + j, scan, queries + j * words, row, hit[j]));
    }
}

TARGET static inline __attribute__((always_inline)) void NAME(rows)(
    const struct scan *scan, const uint64_t *queries, int64_t count, struct best *bests,
    const int words, const int most)
{
    for (int64_t row = scan->start; row < scan->stop; row += BLOCK) {
        int64_t stop = scan->stop - row < BLOCK ? scan->stop : row + BLOCK, j = 0;
        for (; j + most <= count; j += most)
            NAME(tile)(scan, row, stop, queries + j * words, bests + j, words, most);
        for (; j < count; j++)
            NAME(tile)(scan, row, stop, queries + j * words, bests + j, words, 1);
    }
}

TARGET static void NAME(scan)(
    const struct scan *scan, const uint64_t *queries, int64_t count, struct best *bests)
{
    switch (scan->words) {
    case 1: NAME(rows)(scan, queries, count, bests, 1, TILE); break;
    case 2: NAME(rows)(scan, queries, count, bests, 2, TILE); break;
    case 4: NAME(rows)(scan, queries, count, bests, 4, TILE); break;
    case 8: NAME(rows)(scan, queries, count, bests, 8, 2); break;
    default: NAME(rows)(scan, queries, count, bests, scan->words, 1);
    }
}

#undef NAME
#undef TARGET
#undef LANES
#undef VEC
#undef LOAD
#undef BROADCAST
#undef XOR
#undef ADD
#undef COUNT
#undef FINISH
#undef BELOW
