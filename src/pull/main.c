/* main.c — the program: see hearth_pull.h. */

#include "hearth_pull.h"

int main(int argc, char **argv)
{
    return hearth_pull_main(argc, argv);
}
