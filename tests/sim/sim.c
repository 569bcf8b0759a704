/* Runs schedules of tests/sim: sim [--from N] [--count N] [--seed N] [--bug NAME] [--planted]. See ./dev sim. */
#include "tests/sim/world.h"

#include <stdio.h>
#include <stdlib.h>

static struct sim_world world;

static bool take_number(const char *text, uint64_t *ret_number)
{
    struct slg_cursor c = slg_cursor_make(text, strlen(text));

    return slg_cursor_take_uint(&c, /* digits_max= */ 18, /* value_max= */ UINT64_MAX,
                                ret_number) &&
           slg_cursor_left(&c) == 0;
}

static int run_one(uint64_t seed, enum sim_bug bug)
{
    bool ok = sim_run_seed(seed, bug, /* verbose= */ true, &world);

    printf("%s seed %llu%s%s\n", ok ? "ok" : "FAIL", (unsigned long long)seed, ok ? "" : ": ",
           world.failure);
    return !ok;
}

static int run_many(uint64_t from, uint64_t count)
{
    uint64_t failed = 0, steps = 0, complete = 0, incomplete = 0, wipes = 0, rollbacks = 0,
             damages = 0;

    for (uint64_t seed = from; seed < from + count; seed++) {
        if (!sim_run_seed(seed, SIM_BUG_NONE, /* verbose= */ false, &world)) {
            failed++;
            printf("FAIL seed %llu: %s\n     replay: ./dev sim --seed %llu\n",
                   (unsigned long long)seed, world.failure, (unsigned long long)seed);
        }
        steps += world.steps;
        complete += world.complete_count;
        incomplete += world.incomplete_count;
        wipes += world.wipe_count;
        rollbacks += world.rollback_count;
        damages += world.damage_count;
    }
    printf("%s seeds %llu to %llu: %llu failed; %llu steps, %llu complete answers, %llu "
           "incomplete, %llu disks lost, %llu rolled back, %llu copies damaged\n",
           failed == 0 ? "ok" : "FAIL", (unsigned long long)from,
           (unsigned long long)(from + count - 1), (unsigned long long)failed,
           (unsigned long long)steps, (unsigned long long)complete, (unsigned long long)incomplete,
           (unsigned long long)wipes, (unsigned long long)rollbacks, (unsigned long long)damages);
    return failed != 0;
}

/* Each planted bug must be found. */
static int run_planted(uint64_t count)
{
    int missed = 0;

    for (enum sim_bug bug = SIM_BUG_NONE + 1; bug < SIM_BUG_COUNT; bug++) {
        uint64_t seed = 1;

        while (seed <= count && sim_run_seed(seed, bug, /* verbose= */ false, &world))
            seed++;
        missed += seed > count;
        if (seed <= count)
            printf("ok %s: seed %llu: %s\n", sim_bug_name(bug), (unsigned long long)seed,
                   world.failure);
        else
            printf("FAIL %s: not found in %llu seeds\n", sim_bug_name(bug),
                   (unsigned long long)count);
    }
    return missed != 0;
}

int main(int argc, char **argv)
{
    uint64_t from = 1, count = 500, seed = 0;
    enum sim_bug bug = SIM_BUG_NONE;
    bool planted = false, good = true;

    for (int i = 1; i < argc && good; i++) {
        bool more = i + 1 < argc;

        if (strcmp(argv[i], "--planted") == 0) {
            planted = true;
            continue;
        }
        if (strcmp(argv[i], "--from") == 0 && more) {
            good = take_number(argv[++i], &from);
        } else if (strcmp(argv[i], "--count") == 0 && more) {
            good = take_number(argv[++i], &count);
        } else if (strcmp(argv[i], "--seed") == 0 && more) {
            good = take_number(argv[++i], &seed) && seed > 0;
        } else if (strcmp(argv[i], "--bug") == 0 && more) {
            for (i++; bug < SIM_BUG_COUNT && strcmp(argv[i], sim_bug_name(bug)) != 0; bug++)
                ;
            good = bug < SIM_BUG_COUNT;
        } else {
            good = false;
        }
    }
    if (!good) {
        fprintf(stderr, "usage: sim [--from N] [--count N] [--seed N [--bug NAME]] [--planted]\n");
        return 2;
    }
    if (planted)
        return run_planted(count);
    return seed > 0 ? run_one(seed, bug) : run_many(from, count);
}
