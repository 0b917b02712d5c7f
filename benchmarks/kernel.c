/* What a compiled kernel would bring, measured: it cuts the lines of a combined log and numbers their distinct values.

   No part of loganon: `spliced.py` beside it puts it in the parser's place, `kernel.py` measures that. It knows one
   format, counts lines that are not of its usual shape as odd and leaves them, and bounds no memory. A kernel that kept
   loganon's rules would leave odd lines to the parser as it is, bound its tables, and be fuzzed. */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#define BLOCK 64
#define AFTER_CLIENT 34 /* bytes of ` - - [18/Nov/2026:00:00:00 +0000] ` */
#define DAY_BYTES 11    /* of `18/Nov/2026` */
#define DIGIT(c) ((unsigned)((c) - '0') <= 9)

typedef struct {
    const char *key;
    uint64_t hash;
    uint32_t length, number;
} Slot;

typedef struct {
    const char *text;
    uint32_t length;
} Text;

typedef struct {
    uint32_t address, number; /* number + 1; 0: free */
} AddressSlot;

typedef struct {
    Slot *slots;
    uint64_t mask;
    Text *texts; /* by number; of a request the first one with that path */
    uint32_t count, held, room;
    uint32_t told; /* the first so many were given to the caller */
    char *arena;
    size_t used, size;
} Table;

typedef struct {
    Table tables[3]; /* clients, requests, agents */
    AddressSlot *addresses;
    uint64_t mask;
    uint32_t count;
    char day[DAY_BYTES];
    int64_t day_start; /* ms since 1970 */
} Kernel;

enum { CLIENTS, REQUESTS, AGENTS };

Kernel *kernel_new(void) {
    Kernel *made = calloc(1, sizeof(Kernel));
    made->mask = (1u << 14) - 1;
    made->addresses = calloc(made->mask + 1, sizeof(AddressSlot));
    for (int each = 0; each < 3; each++) {
        Table *table = &made->tables[each];
        table->mask = (1u << 12) - 1;
        table->slots = calloc(table->mask + 1, sizeof(Slot));
        table->texts = malloc((table->room = 1u << 12) * sizeof(Text));
        table->arena = malloc(table->size = 1u << 20);
    }
    return made;
}

static uint32_t keep(Table *table, const char *text, uint32_t length) {
    if (table->used + length > table->size) {
        table->arena = malloc(table->size = (1u << 20) + length);
        table->used = 0;
    }
    if (table->count == table->room) table->texts = realloc(table->texts, (table->room *= 2) * sizeof(Text));
    table->texts[table->count] = (Text){memcpy(table->arena + table->used, text, length), length};
    table->used += length;
    return table->count++;
}

static uint64_t hash_of(const char *text, uint32_t length) {
    uint64_t hash = length * 0x9E3779B97F4A7C15u, word;
    for (; length >= 8; text += 8, length -= 8) {
        memcpy(&word, text, 8);
        hash = (hash ^ word) * 0xFF51AFD7ED558CCDu;
        hash ^= hash >> 32;
    }
    word = 0;
    memcpy(&word, text, length);
    hash = (hash ^ word) * 0xC4CEB9FE1A85EC53u;
    return hash ^ hash >> 29;
}

static void grow(Table *table) {
    uint64_t size = 2 * (table->mask + 1);
    Slot *slots = calloc(size, sizeof(Slot));
    for (uint64_t at = 0; at <= table->mask; at++) {
        if (!table->slots[at].key) continue;
        uint64_t to = table->slots[at].hash & (size - 1);
        while (slots[to].key) to = (to + 1) & (size - 1);
        slots[to] = table->slots[at];
    }
    free(table->slots);
    table->slots = slots, table->mask = size - 1;
}

/* The number of a key within `text`, which is kept where the key is new. */
static uint32_t number_of(Table *table, const char *key, uint32_t length, const char *text, uint32_t whole) {
    uint64_t hash = hash_of(key, length), at = hash & table->mask;
    for (; table->slots[at].key; at = (at + 1) & table->mask) {
        Slot *slot = &table->slots[at];
        if (slot->hash == hash && slot->length == length && !memcmp(slot->key, key, length)) return slot->number;
    }
    uint32_t number = keep(table, text, whole);
    table->slots[at] = (Slot){table->texts[number].text + (key - text), hash, length, number};
    if (2ull * ++table->held > table->mask) grow(table);
    return number;
}

static uint64_t place_of(uint32_t address, uint64_t mask) { return address * 0x9E3779B97F4A7C15u >> 20 & mask; }

/* The number of an IPv4 address: as a number it needs no text to be compared. */
static uint32_t number_of_address(Kernel *kernel, uint32_t address, const char *text, uint32_t length) {
    uint64_t at = place_of(address, kernel->mask);
    for (; kernel->addresses[at].number; at = (at + 1) & kernel->mask)
        if (kernel->addresses[at].address == address) return kernel->addresses[at].number - 1;
    uint32_t number = keep(&kernel->tables[CLIENTS], text, length);
    kernel->addresses[at] = (AddressSlot){address, number + 1};
    if (2ull * ++kernel->count <= kernel->mask) return number;
    uint64_t mask = 2 * kernel->mask + 1;
    AddressSlot *slots = calloc(mask + 1, sizeof(AddressSlot));
    for (uint64_t old = 0; old <= kernel->mask; old++) {
        if (!kernel->addresses[old].number) continue;
        uint64_t to = place_of(kernel->addresses[old].address, mask);
        while (slots[to].number) to = (to + 1) & mask;
        slots[to] = kernel->addresses[old];
    }
    free(kernel->addresses);
    kernel->addresses = slots, kernel->mask = mask;
    return number;
}

/* Whether the text is an IPv4 address in its usual spelling. */
static int read_address(const char *text, const char *end, uint32_t *address) {
    *address = 0;
    for (int part = 0; part < 4; part++, text++) {
        uint32_t octet = 0;
        const char *from = text;
        for (; DIGIT(*text) && text - from < 3; text++) octet = octet * 10 + *text - '0';
        if (text == from || octet > 255 || (*from == '0' && text - from > 1)) return 0;
        *address = *address << 8 | octet;
        if (part == 3) return text == end;
        if (*text != '.') return 0;
    }
    return 0;
}

static int two(const char *text) { return DIGIT(text[0]) && DIGIT(text[1]) ? (text[0] - '0') * 10 + text[1] - '0' : -1; }

static int64_t days_since_1970(int year, int month, int day) {
    year -= month <= 2;
    int of_era = year % 400, of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return year / 400 * 146097LL + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

/* `18/Nov/2026:00:00:00 +0000` as ms since 1970; 0: it is none, or the 29th to 31st, which are left. */
static int read_time(Kernel *kernel, const char *text, int64_t *time) {
    static const char names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    if (memcmp(text, kernel->day, DAY_BYTES)) {
        int day = two(text), century = two(text + 7), year = two(text + 9), month = 0;
        while (month < 12 && memcmp(names + 3 * month, text + 3, 3)) month++;
        if (day < 1 || day > 28 || century < 0 || year < 0 || month == 12 || text[2] != '/' || text[6] != '/') return 0;
        kernel->day_start = days_since_1970(century * 100 + year, month + 1, day) * 86400000LL;
        memcpy(kernel->day, text, DAY_BYTES);
    }
    int hour = two(text + 12), minute = two(text + 15), second = two(text + 18);
    int ahead = two(text + 22), more = two(text + 24);
    if (text[11] != ':' || text[14] != ':' || text[17] != ':' || text[20] != ' ' || hour < 0 || hour > 23) return 0;
    if (minute < 0 || minute > 59 || second < 0 || second > 59 || ahead < 0 || ahead > 14 || more < 0) return 0;
    if (text[21] != '+' && text[21] != '-') return 0;
    int64_t zone = (ahead * 60 + more) * (text[21] == '+' ? 60000LL : -60000LL);
    *time = kernel->day_start + (hour * 3600 + minute * 60 + second) * 1000LL - zone;
    return 1;
}

static const unsigned char PLAIN[256] = {['0' ... '9'] = 1, ['A' ... 'Z'] = 1, ['a' ... 'z'] = 1,
                                         ['/'] = 1,         ['.'] = 1,         ['_'] = 1,         ['-'] = 1};

/* Requests with a plain path have the number of that path, whatever their method and query. */
static uint32_t number_of_request(Table *table, const char *text, const char *end) {
    const char *path = memchr(text, ' ', end - text < 9 ? end - text : 9), *stop;
    if (path && *++path == '/') {
        for (stop = path; PLAIN[(unsigned char)*stop]; stop++) {}
        if (*stop == '?' || (end - stop == 9 && !memcmp(stop, " HTTP/", 6)))
            return number_of(table, path, stop - path, text, end - text);
    }
    return number_of(table, text, end - text, text, end - text);
}

/* Which of 64 bytes are quotes, ends of lines or backslashes. */
static uint64_t marks_of(const char *block) {
    uint64_t found = 0;
#ifdef __SSE2__
    const __m128i quote = _mm_set1_epi8('"'), feed = _mm_set1_epi8('\n'), back = _mm_set1_epi8('\\');
    for (int part = 0; part < 4; part++) {
        __m128i here = _mm_loadu_si128((const __m128i *)(block + 16 * part));
        __m128i either = _mm_or_si128(_mm_cmpeq_epi8(here, quote), _mm_cmpeq_epi8(here, feed));
        uint64_t bits = (uint32_t)_mm_movemask_epi8(_mm_or_si128(either, _mm_cmpeq_epi8(here, back)));
        found |= bits << 16 * part;
    }
#else
    for (int at = 0; at < BLOCK; at++)
        found |= (uint64_t)(block[at] == '"' || block[at] == '\n' || block[at] == '\\') << at;
#endif
    return found;
}

typedef struct {
    int64_t *time, *bytes;
    int32_t *client, *request, *agent;
    int16_t *status;
} Rows;

/* Whether a line with quotes at `mark` is of the usual shape; then its row is written. */
static int read_line(Kernel *kernel, const char *line, const char *const *mark, Rows *rows, long row) {
    const char *behind = mark[0] - AFTER_CLIENT, *at = mark[1] + 1;
    if (memcmp(behind, " - - [", 6) || memcmp(behind + 32, "] ", 2) || memchr(line, ' ', behind - line)) return 0;
    if (at[0] != ' ' || !DIGIT(at[1]) || !DIGIT(at[2]) || !DIGIT(at[3]) || at[4] != ' ') return 0;
    rows->status[row] = (at[1] - '0') * 100 + (at[2] - '0') * 10 + at[3] - '0';
    const char *from = at += 5;
    int64_t size = 0;
    for (; DIGIT(*at) && at - from < 18; at++) size = size * 10 + *at - '0';
    if (at == from && *at == '-') at++;
    if (at == from || at[0] != ' ' || at + 1 != mark[2] || mark[4] != mark[3] + 2 || mark[3][1] != ' ') return 0;
    rows->bytes[row] = size;
    if (!read_time(kernel, behind + 6, &rows->time[row])) return 0;
    uint32_t address, length = behind - line;
    rows->client[row] = read_address(line, behind, &address)
                            ? number_of_address(kernel, address, line, length)
                            : number_of(&kernel->tables[CLIENTS], line, length, line, length);
    rows->request[row] = number_of_request(&kernel->tables[REQUESTS], mark[0] + 1, mark[1]);
    length = mark[5] - mark[4] - 1;
    rows->agent[row] = number_of(&kernel->tables[AGENTS], mark[4] + 1, length, mark[4] + 1, length);
    return 1;
}

/* The lines of `text`, each ended by LF, as rows: how many; those that are odd are counted in `odd`. */
long kernel_cut(Kernel *kernel, const char *text, long length, int64_t *time, int32_t *client, int32_t *request,
                int32_t *agent, int16_t *status, int64_t *bytes, long *odd) {
    Rows rows = {time, bytes, client, request, agent, status};
    const char *line = text, *mark[8];
    char last[BLOCK];
    long row = 0;
    int found = 0;
    for (long begin = 0; begin < length; begin += BLOCK) {
        const char *block = text + begin;
        if (length - begin < BLOCK) block = memcpy(memset(last, 0, BLOCK), block, length - begin);
        for (uint64_t bits = marks_of(block); bits; bits &= bits - 1) {
            const char *here = text + begin + __builtin_ctzll(bits);
            if (*here != '\n') {
                if (found < 8) mark[found++] = here;
                if (*here == '\\') found = 8;
                continue;
            }
            int usual = found == 6 && mark[5] + 1 == here && mark[0] - line > AFTER_CLIENT;
            if (usual && read_line(kernel, line, mark, &rows, row)) row++;
            else ++*odd;
            line = here + 1, found = 0;
        }
    }
    return row;
}

/* How many texts of a table are new, and their bytes. */
long kernel_new_texts(Kernel *kernel, int which, long *size) {
    Table *table = &kernel->tables[which];
    *size = 0;
    for (uint32_t each = table->told; each < table->count; each++) *size += table->texts[each].length;
    return table->count - table->told;
}

/* They are given, in order, as Arrow has strings; and are new no more. */
void kernel_tell(Kernel *kernel, int which, int32_t *offsets, char *data) {
    Table *table = &kernel->tables[which];
    int32_t at = 0;
    for (; table->told < table->count; table->told++) {
        Text each = table->texts[table->told];
        *offsets++ = at;
        memcpy(data + at, each.text, each.length);
        at += each.length;
    }
    *offsets = at;
}
