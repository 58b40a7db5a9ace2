#include "public_header.inc"
