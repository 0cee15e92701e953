/* tests/fuzz/replay_main.c - runs a fuzz target over the files named on the command line, or in the
 * directories named there, and over each of them cut short: the corpus as an ordinary test. */
#include <dirent.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define FILE_MAX (1 << 20) /* bytes */
#define CUTS     64        /* places at which a file is cut */

static unsigned inputs;

/* A block of the exact size, so that a sanitizer sees every read behind it. */
static bool run(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size + 1);

    if (copy == NULL) return false;
    memcpy(copy + 1, data, size);
    LLVMFuzzerTestOneInput(copy + 1, size);
    free(copy);
    inputs++;
    return true;
}

static bool run_file(const char *path)
{
    static uint8_t data[FILE_MAX];
    FILE *file = fopen(path, "rb");

    if (file == NULL) {
        perror(path);
        return false;
    }
    size_t size = fread(data, 1, sizeof data, file);
    bool good = ferror(file) == 0 && run(data, size);
    for (size_t i = 0; i < CUTS && good; i++) good = run(data, size * i / CUTS);
    fclose(file);
    return good;
}

static bool run_directory(const char *path)
{
    DIR *dir = opendir(path);
    const struct dirent *entry;
    char name[4096];
    bool good = true;

    if (dir == NULL) {
        perror(path);
        return false;
    }
    while (good && (entry = readdir(dir)) != NULL) {
        if (entry->d_name[0] == '.') continue;
        int n = snprintf(name, sizeof name, "%s/%s", path, entry->d_name);
        good = n > 0 && (size_t)n < sizeof name && run_file(name);
    }
    closedir(dir);
    return good;
}

int main(int argc, char **argv)
{
    unsigned failed = 0;

    for (int i = 1; i < argc; i++) {
        struct stat info;
        bool directory = stat(argv[i], &info) == 0 && S_ISDIR(info.st_mode);
        if (!(directory ? run_directory(argv[i]) : run_file(argv[i]))) failed++;
    }
    if (inputs == 0) failed++;
    printf("%u%%: Checks: %u, Failures: %u, Errors: 0\n", failed == 0 ? 100U : 0U, inputs + failed,
           failed);
    return failed == 0 ? 0 : 1;
}
