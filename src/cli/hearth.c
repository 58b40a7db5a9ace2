/* hearth.c — the program: see hearth_cli.h. */

#include "hearth_cli.h"

int main(int argc, char **argv)
{
    return cli_main(argc, argv);
}
