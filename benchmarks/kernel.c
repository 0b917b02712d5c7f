/* What a compiled kernel would take, measured: it cuts the lines of a combined log and numbers their distinct values.

   No part of loganon. It knows one format, leaves each line that is not of the usual shape, and checks little:
   a lower bound of what a kernel that kept loganon's rules would take. Makefile, bench-kernel, runs it.

   kernel LOG cut     only cuts
   kernel LOG chunk   numbers the values of each 16 MiB anew, as loganon's parser does
   kernel LOG whole   numbers the values of the whole log */

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define CHUNK (16u << 20)
#define AFTER_CLIENT 34 /* bytes of ` - - [18/Nov/2026:00:00:00 +0000] ` */
#define TIME 26

typedef struct {
    const char *text;
    uint64_t hash;
    uint32_t length, number;
} Slot;

typedef struct {
    Slot *slots;
    uint64_t mask;
    uint32_t count, most;
    char *arena;
    size_t used, room;
} Table;

static Table make_table(void) {
    Table made = {calloc(1u << 12, sizeof(Slot)), (1u << 12) - 1, 0, 0, malloc(1u << 20), 0, 1u << 20};
    return made;
}

static void empty(Table *table) {
    memset(table->slots, 0, (table->mask + 1) * sizeof(Slot));
    table->most = table->count > table->most ? table->count : table->most;
    table->count = 0, table->used = 0;
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
        if (!table->slots[at].text) continue;
        uint64_t to = table->slots[at].hash & (size - 1);
        while (slots[to].text) to = (to + 1) & (size - 1);
        slots[to] = table->slots[at];
    }
    free(table->slots);
    table->slots = slots, table->mask = size - 1;
}

static uint32_t number_of(Table *table, const char *text, uint32_t length) {
    uint64_t hash = hash_of(text, length), at = hash & table->mask;
    for (; table->slots[at].text; at = (at + 1) & table->mask) {
        Slot *slot = &table->slots[at];
        if (slot->hash == hash && slot->length == length && !memcmp(slot->text, text, length)) return slot->number;
    }
    if (table->used + length > table->room) table->arena = malloc(table->room = (1u << 20) + length), table->used = 0;
    char *kept = memcpy(table->arena + table->used, text, length);
    table->used += length;
    table->slots[at] = (Slot){kept, hash, length, table->count};
    if (2ull * ++table->count > table->mask) grow(table);
    return table->count - 1;
}

int main(int count, char **words) {
    int file = count == 3 ? open(words[1], O_RDONLY) : -1;
    if (file < 0) return fprintf(stderr, "kernel LOG cut|chunk|whole\n"), 64;
    int numbering = words[2][1] != 'u', anew = words[2][1] == 'h' && words[2][0] == 'c';
    char *block = malloc(2 * CHUNK);
    size_t held = 0;
    uint64_t lines = 0, odd = 0, sum = 0;
    Table tables[4] = {make_table(), make_table(), make_table(), make_table()};
    struct timespec begun, done;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &begun);
    for (ssize_t got; (got = read(file, block + held, CHUNK)) > 0;) {
        char *line = block, *end = block + held + got, *stop;
        for (; (stop = memchr(line, '\n', end - line)); line = stop + 1, lines++) {
            char *mark[6], *at = line;
            int marks = 0;
            while (marks < 6 && (at = memchr(at, '"', stop - at))) mark[marks++] = at++;
            if (marks < 6 || mark[5] + 1 != stop || mark[0] - line <= AFTER_CLIENT ||
                memcmp(mark[0] - AFTER_CLIENT, " - - [", 6)) {
                odd++;
                continue;
            }
            sum += strtoull(mark[1] + 6, NULL, 10);
            if (!numbering) continue;
            sum += number_of(&tables[0], line, mark[0] - AFTER_CLIENT - line);
            sum += number_of(&tables[1], mark[0] - TIME - 2, TIME);
            sum += number_of(&tables[2], mark[0] + 1, mark[1] - mark[0] - 1);
            sum += number_of(&tables[3], mark[4] + 1, mark[5] - mark[4] - 1);
        }
        held = end - line;
        memmove(block, line, held);
        for (int each = 0; each < 4 && anew; each++) empty(&tables[each]);
    }
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &done);
    for (int each = 0; each < 4; each++) empty(&tables[each]);
    double seconds = done.tv_sec - begun.tv_sec + (done.tv_nsec - begun.tv_nsec) / 1e9;
    printf("%-5s %llu lines, %llu odd; most clients %u, times %u, requests %u, agents %u; %.2f CPU s, %.0f ns a line [%llu]\n",
           words[2], (unsigned long long)lines, (unsigned long long)odd, tables[0].most, tables[1].most, tables[2].most,
           tables[3].most, seconds, seconds / lines * 1e9, (unsigned long long)sum);
    return 0;
}
