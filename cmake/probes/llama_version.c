/* llama_version.c — configure-time question to a library: which llama.cpp are you? */

#include <llama.h>
#include <stdio.h>

int main(void)
{
    puts(llama_version());
    return 0;
}
