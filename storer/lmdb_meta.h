/* storer/lmdb_meta.h - the first two pages of an LMDB 0.9 data file, for those who look at bytes: kv.c before LMDB maps
 * the file, pages.c instead of LMDB.
 *
 * Layout:  MDB_meta of LMDB's mdb.c. A page header of 16 bytes, then magic u32 and version u32, mapping address u64, map
 *          size u64, two tables of 48 bytes (of free pages, which begins with the page size u32, and the main one), the
 *          last used page u64 and the transaction id u64. Numbers are in the machine's byte order, which kv.h refuses
 *          to mix. Of the two pages the one with the greater transaction id counts.
 * Threads: pure. */
#ifndef SLG_STORER_LMDB_META_H
#define SLG_STORER_LMDB_META_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define SLG_LMDB_META_BYTES     152 /* of each of the two pages */
#define SLG_LMDB_META_MAIN_AT   88  /* the main table */
#define SLG_LMDB_PAGE_BYTES_MIN 512U
#define SLG_LMDB_PAGE_BYTES_MAX 65536U

static inline uint16_t slg_lmdb_load_u16(const uint8_t *at)
{
    uint16_t value;

    memcpy(&value, at, sizeof(value));
    return value;
}

static inline uint32_t slg_lmdb_load_u32(const uint8_t *at)
{
    uint32_t value;

    memcpy(&value, at, sizeof(value));
    return value;
}

static inline uint64_t slg_lmdb_load_u64(const uint8_t *at)
{
    uint64_t value;

    memcpy(&value, at, sizeof(value));
    return value;
}

struct slg_lmdb_meta {
    uint32_t page_bytes; /* a power of two between the bounds above */
    uint64_t last_page;
    uint64_t txn_id;
};

/* Read the SLG_LMDB_META_BYTES at page. False: another magic, version or page size. */
static inline bool slg_lmdb_meta_read(const uint8_t *page, struct slg_lmdb_meta *ret_meta)
{
    uint32_t page_bytes = slg_lmdb_load_u32(page + 40);

    if (slg_lmdb_load_u32(page + 16) != 0xBEEFC0DEU || slg_lmdb_load_u32(page + 20) != 1 ||
        page_bytes < SLG_LMDB_PAGE_BYTES_MIN || page_bytes > SLG_LMDB_PAGE_BYTES_MAX ||
        (page_bytes & (page_bytes - 1)) != 0)
        return false;
    *ret_meta = (struct slg_lmdb_meta){ .page_bytes = page_bytes,
                                        .last_page = slg_lmdb_load_u64(page + 136),
                                        .txn_id = slg_lmdb_load_u64(page + 144) };
    return true;
}

#endif
