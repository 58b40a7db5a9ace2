/* onnxruntime_version.c — configure-time question to a library: which ONNX Runtime are you?
 *
 * usage: onnxruntime_version LIBRARY                                                            */

#include <dlfcn.h>
#include <onnxruntime_c_api.h>
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
    setenv("ORT_DISABLE_TELEMETRY", "1", 1);
    void *library = argc == 2 ? dlopen(argv[1], RTLD_NOW | RTLD_LOCAL) : NULL;
    if (library == NULL) {
        puts(argc == 2 ? dlerror() : "usage: onnxruntime_version LIBRARY");
        return 1;
    }
    const OrtApiBase *(*get_base)(void) = NULL;
    *(void **)&get_base = dlsym(library, "OrtGetApiBase");
    if (get_base == NULL) {
        puts("it has no OrtGetApiBase()");
        return 1;
    }
    puts(get_base()->GetVersionString());
    return 0;
}
